//! What is generated beside a function: one registered entry and one shim.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Expr;

use crate::attr::{Fallback, Way, span};
use crate::command::{Command, FromStr, Output, Param, own};
use crate::rule::Term;

pub(crate) fn command(command: &Command) -> TokenStream {
    let Command { krate, function, name, aliases, docs, cfgs, params, output, .. } = command;
    let (hidden, idempotent) = (command.hidden, command.idempotent);
    let allow = match &command.allow {
        None => quote!(::core::option::Option::None),
        Some(terms) => {
            let terms = terms.iter().map(Term::tokens);
            quote!(::core::option::Option::Some(&[#(#terms),*]))
        }
    };
    let docs = text(docs);
    let entries = params.iter().map(entry);
    let checks = params.iter().enumerate().map(check);
    let local = |i| format_ident!("__{i}", span = Span::mixed_site());
    let values: Vec<_> = (0..params.len()).map(local).collect();
    let lets = params.iter().enumerate().map(|(i, param)| {
        let (value, expr) = (&values[i], read(i, param));
        quote_spanned!(place(param)=> let #value = #expr;)
    });
    let into_reply = match output {
        Output::Type(ty) => {
            quote_spanned!(own(span(ty))=> <#ty as __dockipc::IntoReply>::into_reply)
        }
        Output::Hidden(place) => quote_spanned!(*place=> __dockipc::IntoReply::into_reply),
    };
    // Hygienic, so that a default's expression can't see our names.
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(deprecated, unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction)]
        const _: () = {
            use #krate::private as __dockipc;

            const __PARAMS: &[__dockipc::Param] = &[#(#entries),*];
            #(#checks)*

            fn __run(
                __args: &__dockipc::Args<'_>,
            ) -> ::core::result::Result<__dockipc::Reply, __dockipc::Failure> {
                #(#lets)*
                let __value = #function(#(#values),*);
                ::core::result::Result::Ok(#into_reply(__value))
            }

            __dockipc::submit! {
                __dockipc::Command {
                    name: #name,
                    aliases: &[#(#aliases),*],
                    hidden: #hidden,
                    idempotent: #idempotent,
                    allow: #allow,
                    doc: #docs,
                    params: __PARAMS,
                    file: ::core::file!(),
                    line: ::core::line!(),
                    run: __run,
                }
            }
        };
    }
}

/// Where an error about a parameter's type belongs.
fn place(param: &Param) -> Span {
    own(span(&param.ty))
}

/// What is refused at compile time, but not by the tokens. The call begins at the type's first token
/// and ends at its last, so that an error is shown at all of the type.
fn check((i, param): (usize, &Param)) -> TokenStream {
    let last = param.ty.to_token_stream().into_iter().last().map_or(place(param), |t| t.span());
    let mut arguments = Group::new(Delimiter::Parenthesis, quote!(__PARAMS, #i));
    arguments.set_span(own(last));
    quote_spanned!(place(param)=> const _: () = __dockipc::check #arguments;)
}

/// The parameter as it is registered.
fn entry(param: &Param) -> TokenStream {
    let Param { name, docs, ty, way, long, default, from_str, complete, secret } = param;
    let docs = text(docs);
    let way = match way {
        Way::Plain => quote!(::core::option::Option::None),
        Way::Flag(..) => quote!(::core::option::Option::Some(__dockipc::Way::Flag(#long))),
        Way::Long(_) => quote!(::core::option::Option::Some(__dockipc::Way::Long(#long))),
        Way::Rest(_) => quote!(::core::option::Option::Some(__dockipc::Way::Rest)),
    };
    let default = match default {
        None => quote!(::core::option::Option::None),
        Some(Fallback::Word(word, span)) => {
            quote_spanned!(*span=> ::core::option::Option::Some(__dockipc::Fallback::Word(#word)))
        }
        Some(Fallback::Value(expr)) => {
            let shown = quote!(#expr).to_string().replace(" :: ", "::");
            quote!(::core::option::Option::Some(__dockipc::Fallback::Value(#shown)))
        }
    };
    let place = place(param);
    let entry = match (&param.way, from_str) {
        (Way::Flag(..), _) => quote_spanned!(place=> __dockipc::flag(#name, #docs, #way)),
        (_, None) => quote_spanned! {place=>
            __dockipc::param(
                #name, #docs, #way, #default, <#ty as __dockipc::FromRequest<'_>>::KIND,
            )
        },
        (_, Some(FromStr::Required)) => quote_spanned! {place=>
            __dockipc::param(#name, #docs, #way, #default, <#ty as __dockipc::Parse>::REQUIRED)
        },
        (_, Some(FromStr::Optional(inner))) => quote_spanned! {own(span(inner))=>
            __dockipc::param(#name, #docs, #way, #default, <#inner as __dockipc::Parse>::OPTIONAL)
        },
    };
    let entry = if *secret { quote!(#entry.secret()) } else { entry };
    let Some(function) = complete else { return entry };
    let propose = quote_spanned! {own(span(function))=>
        |__request, __prefix| __dockipc::Propose::propose(#function, __request, __prefix)
    };
    quote!(#entry.proposed_by(#propose))
}

/// The expression that reads the parameter.
fn read(i: usize, param: &Param) -> TokenStream {
    let (place, ty) = (place(param), &param.ty);
    let given = match (&param.way, &param.from_str) {
        (Way::Flag(..), _) => quote_spanned! {place=>
            <#ty as __dockipc::Flag>::from_flag(__args.flag(#i))
        },
        (_, None) => quote_spanned! {place=>
            <#ty as __dockipc::FromRequest<'_>>::from_request(__args, #i)?
        },
        (_, Some(FromStr::Required)) => quote_spanned! {place=>
            <#ty as __dockipc::Parse>::required(__args, #i)?
        },
        (_, Some(FromStr::Optional(inner))) => quote_spanned! {own(span(inner))=>
            <#inner as __dockipc::Parse>::optional(__args, #i)?
        },
    };
    match &param.default {
        Some(Fallback::Value(expr)) => quote_spanned! {place=>
            if __args.has(#i) {
                #given
            } else {
                let __default: #ty = #expr;
                __default
            }
        },
        _ => given,
    }
}

/// Doc comments as one text.
fn text(docs: &[Expr]) -> TokenStream {
    match docs {
        [] => quote!(""),
        docs => quote!(::core::concat!(#(#docs, "\n"),*)),
    }
}
