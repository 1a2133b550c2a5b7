//! Turns what the author wrote into what is meant, or reports every mistake at its own token.
//!
//! A check records its mistake and continues with a substitute. The model is returned only if no
//! mistake was recorded. Mistakes that only types show are left to the generated code.

mod arg;
mod args;
mod client;
mod command;
mod commands;
mod default;
mod events;
mod extra;
mod failure;
mod marks;
mod param;
mod redis;
mod reply;

use proc_macro2::Span;
use syn::{DeriveInput, GenericParam, Path};

use crate::errors::Errors;
use crate::tokens::first_span;

pub(crate) use self::arg::{arg, arg_crate};
pub(crate) use self::args::{args, args_crate};
pub(crate) use self::client::client;
pub(crate) use self::command::command;
pub(crate) use self::commands::{commands, commands_crate};
pub(crate) use self::events::{events, events_crate};
pub(crate) use self::failure::failure;
pub(crate) use self::reply::{reply, reply_crate};

const GENERIC: &str =
    "a command cannot be generic, because a client sends values of one type: write a concrete type";

/// Stores the value of a key, or reports that the key is there already.
fn once<T>(slot: &mut Option<(Span, T)>, span: Span, value: T, key: &str, errors: &mut Errors) {
    once_or(&format!("duplicate `{key}`: remove one of the two"), slot, span, value, errors);
}

/// Stores the value of a key, or reports `message` if there is a value already.
fn once_or<T>(
    message: &str,
    slot: &mut Option<(Span, T)>,
    span: Span,
    value: T,
    errors: &mut Errors,
) {
    match slot {
        Some(_) => errors.add(span, message),
        None => *slot = Some((span, value)),
    }
}

/// Reports everything that is wrong with a name in one sentence.
fn invalid(what: &str, name: &str, reasons: &[(bool, &str)], span: Span, errors: &mut Errors) {
    let found: Vec<_> = reasons.iter().filter(|(found, _)| *found).map(|(_, why)| *why).collect();
    if !found.is_empty() {
        errors.add(span, format!("invalid {what} {name:?}: {}", found.join("; ")));
    }
}

/// Reports the parameters of a type, which the derive does not support.
fn no_generics(derive: &str, input: &DeriveInput, lifetimes: bool, errors: &mut Errors) {
    for generic in &input.generics.params {
        let instead = match generic {
            GenericParam::Lifetime(_) if lifetimes => continue,
            GenericParam::Lifetime(_) => "type that borrows: hold owned values, such as a `String`",
            _ => "generic type: write concrete types",
        };
        errors.add(first_span(generic), format!("`{derive}` cannot be derived for a {instead}"));
    }
}

fn default_crate() -> Path {
    syn::parse_quote!(::dockipc)
}
