//! Generates the code: for a command one registered entry and one function that runs it, for a
//! derived type its implementation of `Arg`, its codes, its channels, or its conversions to and from
//! an answer.
//!
//! Each piece of code that may fail to compile has the span of the author's type or expression.

mod arg;
mod args;
mod bounds;
mod client;
mod command;
mod commands;
mod events;
mod extra;
mod failure;
mod param;
mod reply;
mod rule;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, Ident};

use crate::tokens::hygienic;

pub(crate) use self::arg::{arg, arg_stub};
pub(crate) use self::args::{args, args_stub};
pub(crate) use self::client::client;
pub(crate) use self::command::command;
pub(crate) use self::commands::{commands, commands_stub};
pub(crate) use self::events::{events, events_stub};
pub(crate) use self::failure::failure;
pub(crate) use self::reply::{reply, reply_stub};

/// Joins doc comments to one text.
fn text(docs: &[Expr]) -> TokenStream {
    match docs {
        [] => quote!(""),
        docs => quote!(::core::concat!(#(#docs, "\n"),*)),
    }
}

/// Returns an identifier in whose uses the compiler reports no deprecated item.
fn silent(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(hygienic(ident.span()));
    ident
}
