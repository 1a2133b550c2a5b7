//! A parameter: its description, its checks, and the expression that reads it.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;

use super::{extra, text};
use crate::model::{Conversion, DefaultValue, Form, Param, Source, Value};
use crate::tokens::{first_span, hygienic, last_span, optional};

/// Returns the span of the code that the parameter's type decides.
pub(super) fn type_span(param: &Param) -> Span {
    hygienic(first_span(&param.ty))
}

/// Generates the checks that need types and are made at compile time. The call begins at the first
/// token of the type and ends at its last, so that the compiler underlines the whole type.
pub(super) fn check((i, param): (usize, &Param), is_async: bool) -> TokenStream {
    let check = if is_async { "check_async" } else { "check" };
    let is_named =
        param.is_named.then(|| check_with("check_name", param, quote!(&__DOCKIPC_PARTS.1, #i)));
    let check = check_with(check, param, quote!(&__DOCKIPC_PARTS.1, __DOCKIPC_PARAMS, #i));
    quote!(#check #is_named)
}

/// Generates a call of one of the functions that check a parameter.
pub(super) fn check_with(check: &str, param: &Param, arguments: TokenStream) -> TokenStream {
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(hygienic(last_span(&param.ty)));
    let span = type_span(param);
    let check = Ident::new(check, span);
    quote_spanned!(span=> const _: () = __dockipc::#check #arguments;)
}

/// Generates the description of a parameter.
pub(super) fn entry(param: &Param) -> TokenStream {
    let Param { name, docs, ty, form, .. } = param;
    let docs = text(docs);
    let span = type_span(param);
    let with = extra::with(param);
    let Value { source, conversion, complete, secret } = match form {
        Form::Flag(long) => {
            let way = quote!(::core::option::Option::Some(__dockipc::Way::Flag(#long)));
            return quote_spanned!(span=> __dockipc::flag(#name, #docs, #way) #with);
        }
        Form::Value(value) => &**value,
    };
    let way = match source {
        Source::Position => quote!(::core::option::Option::None),
        Source::Long(long) => quote!(::core::option::Option::Some(__dockipc::Way::Long(#long))),
        Source::Last => quote!(::core::option::Option::Some(__dockipc::Way::Last)),
        Source::Rest => quote!(::core::option::Option::Some(__dockipc::Way::Rest)),
    };
    let default = match conversion.default() {
        None => quote!(::core::option::Option::None),
        Some(DefaultValue::Word(word, span)) => {
            quote_spanned!(*span=> ::core::option::Option::Some(__dockipc::DefaultValue::Word(#word)))
        }
        Some(DefaultValue::Expr(expr)) => {
            let by_type = if let Conversion::ByType(_) = conversion {
                quote_spanned!(span=> <#ty as __dockipc::FromRequest<'_>>::shown(&__dockipc_default))
            } else {
                quote!(::core::option::Option::None)
            };
            // An author's `?` returns from here as it does from the command.
            quote_spanned! {span=>
                ::core::option::Option::Some(__dockipc::DefaultValue::Value(|| {
                    use __dockipc::NotDisplay as _;

                    let __dockipc_default: #ty = #expr;
                    ::core::result::Result::Ok(
                        #by_type.or_else(|| __dockipc::Display(&__dockipc_default).shown()),
                    )
                }))
            }
        }
    };
    let entry = match conversion {
        Conversion::ByType(_) => {
            let (ty, kind) = match optional(ty) {
                Some(inner) => (inner, quote!(OPTIONAL)),
                None => (ty, quote!(KIND)),
            };
            quote_spanned! {hygienic(first_span(ty))=>
                __dockipc::param(
                    #name, #docs, #way, #default, <#ty as __dockipc::FromRequest<'_>>::#kind,
                )
            }
        }
        Conversion::FromStr(_) => quote_spanned! {span=>
            __dockipc::param(#name, #docs, #way, #default, <#ty as __dockipc::Parse>::REQUIRED)
        },
        Conversion::OptionalFromStr(inner) => quote_spanned! {hygienic(first_span(inner))=>
            __dockipc::param(#name, #docs, #way, #default, <#inner as __dockipc::Parse>::OPTIONAL)
        },
        Conversion::ListFromStr(inner, _) => quote_spanned! {hygienic(first_span(inner))=>
            __dockipc::param(#name, #docs, #way, #default, <#inner as __dockipc::Parse>::LIST)
        },
    };
    let entry = if *secret { quote!(#entry #with.secret()) } else { quote!(#entry #with) };
    let Some(function) = complete else { return entry };
    let propose = quote_spanned! {hygienic(first_span(function))=>
        |__dockipc_request, __dockipc_prefix| __dockipc::Propose::propose(#function, __dockipc_request, __dockipc_prefix)
    };
    quote!(#entry.proposed_by(#propose))
}

/// Generates the expression that reads a parameter.
pub(super) fn read(i: &TokenStream, param: &Param) -> TokenStream {
    let (span, ty) = (type_span(param), &param.ty);
    let conversion = match &param.form {
        Form::Flag(_) => {
            return quote_spanned!(span=> <#ty as __dockipc::Flag>::from_flag(__dockipc_args.flag(#i)));
        }
        Form::Value(value) => &value.conversion,
    };
    let given = match conversion {
        Conversion::ByType(_) => {
            let (ty, from_request) = match optional(ty) {
                Some(inner) => (inner, quote!(optional)),
                None => (ty, quote!(from_request)),
            };
            quote_spanned! {hygienic(first_span(ty))=>
                <#ty as __dockipc::FromRequest<'_>>::#from_request(__dockipc_args, #i)?
            }
        }
        Conversion::FromStr(_) => quote_spanned! {span=>
            <#ty as __dockipc::Parse>::required(__dockipc_args, #i)?
        },
        Conversion::OptionalFromStr(inner) => quote_spanned! {hygienic(first_span(inner))=>
            <#inner as __dockipc::Parse>::optional(__dockipc_args, #i)?
        },
        Conversion::ListFromStr(inner, _) => quote_spanned! {hygienic(first_span(inner))=>
            <#inner as __dockipc::Parse>::list(__dockipc_args, #i)?
        },
    };
    let value = match conversion.default() {
        Some(DefaultValue::Expr(expr)) => quote_spanned! {span=>
            if __dockipc_args.has(#i) {
                #given
            } else {
                let __dockipc_default: #ty = #expr;
                __dockipc_default
            }
        },
        _ => given,
    };
    if !param.extra.is_checked() {
        return value;
    }
    quote_spanned! {span=>
        {
            __dockipc_args.check(#i)?;
            #value
        }
    }
}

/// Generates the code that fills in what the caller brings: an absolute path, the directory or the environment.
fn filled(param: &Param, value: &Ident, way: &TokenStream) -> Option<Sent> {
    let Param { ty, extra, .. } = param;
    let (code, of) = match extra.caller.as_deref() {
        Some("env") => (quote!(environment(#value, #way)), quote!(Variables)),
        caller if extra.absolute => {
            let is_caller_s = caller.is_some();
            (quote!(path(#value, #way, #is_caller_s)), quote!(Paths))
        }
        _ => return None,
    };
    let span = type_span(param);
    Some(Sent {
        code: quote_spanned!(span=> __dockipc_arguments.#code;),
        bound: quote!(for<'__dockipc> #ty: __dockipc::ToArgs + __dockipc::typed::#of),
    })
}

/// The conversion of a value to words of a call: the code, with the bound that it needs.
pub(super) struct Sent {
    pub(super) code: TokenStream,
    pub(super) bound: TokenStream,
}

/// Generates the code that adds the words of a value to a call; `value` is a reference to it.
pub(super) fn sent(param: &Param, value: &Ident) -> Sent {
    let (span, ty) = (type_span(param), &param.ty);
    let by_type = |way: TokenStream| Sent {
        code: quote_spanned!(span=> __dockipc::ToArgs::to_args(#value, #way, __dockipc_arguments);),
        bound: quote!(for<'__dockipc> #ty: __dockipc::ToArgs),
    };
    let given = match &param.form {
        Form::Flag(long) => return by_type(quote!(__dockipc::SentWay::Flag(#long))),
        Form::Value(value) => &**value,
    };
    let way = match &given.source {
        Source::Position | Source::Rest => quote!(__dockipc::SentWay::Position),
        Source::Long(long) => quote!(__dockipc::SentWay::Long(#long)),
        Source::Last => quote!(__dockipc::SentWay::Last),
    };
    let (inner, values) = match &given.conversion {
        Conversion::ByType(_) => return filled(param, value, &way).unwrap_or_else(|| by_type(way)),
        Conversion::FromStr(_) => (ty, quote!(::core::iter::once(#value))),
        Conversion::OptionalFromStr(inner) => {
            (&**inner, quote!(::core::option::Option::iter(#value)))
        }
        Conversion::ListFromStr(inner, _) => {
            (&**inner, quote!(::core::iter::IntoIterator::into_iter(#value)))
        }
    };
    Sent {
        code: quote_spanned! {span=>
            for __dockipc_one in #values {
                __dockipc_arguments.add(__dockipc::ToString::to_string(__dockipc_one), #way);
            }
        },
        bound: quote!(for<'__dockipc> #inner: ::core::fmt::Display),
    }
}
