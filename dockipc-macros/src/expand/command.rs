//! A command: one registered entry and one function that runs it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;

use super::param::{check, entry, read, type_span};
use super::rule::allow;
use super::text;
use crate::model::{Command, Marks, Output};
use crate::tokens::{first_span, hygienic};

pub(crate) fn command(command: &Command) -> TokenStream {
    let Command { krate, function, name, aliases, docs, cfgs, params, .. } = command;
    let (hidden, idempotent) = (command.hidden, command.idempotent);
    let marks = marks(&command.marks);
    let allow = allow(command.allow.as_deref());
    let docs = text(docs);
    let count = params.len();
    let entries = params.iter().map(entry);
    let is_async = command.is_async;
    let checks = params.iter().enumerate().map(|param| check(param, is_async));
    let (code, reply, is_later, at_start) = code(command);
    let abort = command.abort;
    let newest = if command.newest {
        quote!(__dockipc::newest(__DOCKIPC_PARAMS, __DOCKIPC_PARTS.3, #abort))
    } else {
        quote!(false)
    };
    let flatten = command.flatten;
    let expand = quote_spanned! {hygienic(function.span())=>
        __dockipc::expand(&__DOCKIPC_PARTS.1, #name, #flatten)
    };
    // A function at the place of the author's: the compiler proposes a type parameter for a type that it cannot
    // find, and shows one of two errors that are the same.
    let parts = Ident::new("__dockipc_parts", function.span());
    let deprecated = command.uses_deprecated.then(|| quote!(#[allow(deprecated)]));
    let lints = command.converted.iter().map(|span| lint(*span, command));
    // Hygienic, so that the expression of a default cannot see the names of the generated code. But the
    // compiler resolves a binding to a constant of the author's with that name, so they begin with
    // `__dockipc`. There is no `allow` that would conflict with a `forbid` of the author's.
    quote_spanned! {Span::mixed_site()=>
        #(#lints)*

        #(#cfgs)*
        #[doc(hidden)]
        #deprecated
        const _: () = {
            use #krate::private as __dockipc;

            // One body of code has all, because the compiler reports a mistake in a type once in each.
            const fn #parts() -> __dockipc::CommandParts<#count> {
                (
                    #code,
                    [#(#entries),*],
                    #reply,
                    #is_later,
                    #at_start,
                )
            }
            const __DOCKIPC_PARTS: __dockipc::CommandParts<#count> = #parts();
            const __DOCKIPC_PARAMS: &[__dockipc::Param] =
                &__dockipc::flat::<{ __dockipc::count(&__DOCKIPC_PARTS.1) }>(&__DOCKIPC_PARTS.1);
            #(#checks)*

            __dockipc::submit! {
                __dockipc::Command {
                    name: #name,
                    aliases: &[#(#aliases),*],
                    hidden: #hidden,
                    idempotent: #idempotent,
                    marks: #marks,
                    allow: #allow,
                    doc: #docs,
                    params: __DOCKIPC_PARAMS,
                    reply: __DOCKIPC_PARTS.2,
                    file: ::core::file!(),
                    line: ::core::line!(),
                    answers_later: __DOCKIPC_PARTS.3,
                    abort: #abort,
                    newest: #newest,
                    at_start: __DOCKIPC_PARTS.4,
                    code: __DOCKIPC_PARTS.0,
                    expand: #expand,
                    groups: __dockipc::groups(#name, &[#(#aliases),*]),
                }
            }
        };
    }
}

/// Generates the index of a parameter among those of the command, where groups of parameters are flat.
fn index(i: usize) -> TokenStream {
    if i == 0 {
        return quote!(0_usize);
    }
    quote_spanned!(Span::mixed_site()=> const { __dockipc::base(&__DOCKIPC_PARTS.1, #i) })
}

pub(super) fn marks(marks: &Marks) -> TokenStream {
    let Marks { since, deprecated, readonly, destructive } = marks;
    let option = |text: &Option<String>| {
        let some = text.as_ref().map(|text| quote!(::core::option::Option::Some(#text)));
        some.unwrap_or_else(|| quote!(::core::option::Option::None))
    };
    let (since, deprecated) = (option(since), option(deprecated));
    quote! {
        __dockipc::Marks {
            since: #since,
            deprecated: #deprecated,
            readonly: #readonly,
            destructive: #destructive,
        }
    }
}

/// Generates the code that reads the parameters, calls the function and converts its answer, the type of the
/// answer, whether the answer may come later, and what is called when a server with the command starts.
fn code(command: &Command) -> (TokenStream, TokenStream, TokenStream, TokenStream) {
    let Command { function, params, output, is_async, .. } = command;
    let is_async = *is_async;
    let local = |i| format_ident!("__dockipc_{i}", span = Span::mixed_site());
    let values: Vec<_> = (0..params.len()).map(local).collect();
    let lets = params.iter().enumerate().map(|(i, param)| {
        let (value, expr) = (&values[i], read(&index(i), param));
        quote_spanned!(type_span(param)=> let #value = #expr;)
    });
    let lets: Vec<_> = lets.collect();
    let none = quote!(::core::option::Option::None);
    let (answer, reply, is_later, at_start) = match output {
        Output::Type(ty) => {
            let span = hygienic(first_span(ty));
            let of = quote_spanned!(span=> <#ty as __dockipc::Answer>);
            (
                quote_spanned!(span=> #of::answer(__dockipc_value)),
                quote_spanned!(span=> #of::REPLY_TYPE),
                quote_spanned!(span=> #of::IS_LATER),
                quote_spanned!(span=> #of::AT_START),
            )
        }
        // The span of the argument as well: the compiler takes the type from it.
        Output::Nothing(span) => (
            quote_spanned!(*span=> __dockipc::Answer::answer(__dockipc_value)),
            quote!(&__dockipc::ReplyType::Nothing),
            quote!(false),
            none,
        ),
        Output::Hidden(span) => (
            quote_spanned!(*span=> __dockipc::Answer::answer(__dockipc_value)),
            quote!(&__dockipc::ReplyType::Unknown),
            quote!(false),
            none,
        ),
    };
    let read = quote_spanned! {Span::mixed_site()=>
        #(#lets)*
        if __dockipc_args.is_check() {
            return ::core::result::Result::Ok(__dockipc::Answered::Now(__dockipc::Reply::Ok));
        }
    };
    let code = if is_async {
        // Clippy reports a `()` at the end of a block.
        let tuple = (!values.is_empty()).then(|| quote!((#(#values,)*)));
        // At the function's name the compiler says that the future can't be sent to another thread.
        quote_spanned! {hygienic(function.span())=>
            __dockipc::Code::Async(|__dockipc_owned| __dockipc::future(async move {
                // Not moved to a variable, which would make the future larger.
                let __dockipc_owned = &__dockipc_owned;
                let __dockipc_request = __dockipc_owned.request();
                let (#(#values,)*) = {
                    // It is not `Send`, as the future must be, and ends before the function runs.
                    let __dockipc_args = &__dockipc_owned.args(&__dockipc_request);
                    #read
                    #tuple
                };
                let __dockipc_value = #function(#(#values),*).await;
                ::core::result::Result::Ok(#answer)
            }))
        }
    } else {
        quote_spanned! {Span::mixed_site()=>
            __dockipc::Code::Blocking(|__dockipc_args| {
                #read
                let __dockipc_value = #function(#(#values),*);
                ::core::result::Result::Ok(#answer)
            })
        }
    };
    (code, reply, is_later, at_start)
}

/// Generates a warning at a name: the use of a deprecated constant, the only warning that a macro can
/// emit. Its span is the author's own, or the compiler would not show it.
fn lint(span: Span, Command { cfgs, allows, .. }: &Command) -> TokenStream {
    let name = Ident::new("REDIS_NAME", span);
    quote! {
        #(#cfgs)*
        #(#allows)*
        const _: () = {
            #[deprecated(
                note = "Redis clients convert or refuse the answer of a command with this name: choose another, or put `#[allow(deprecated)]` on the function"
            )]
            const #name: () = ();
            #name
        };
    }
}
