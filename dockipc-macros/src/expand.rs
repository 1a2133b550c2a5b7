//! Generates the code: for a command one registered entry and one function that runs it, for a
//! derived type its implementation of `Arg`, its codes, its channels, or its conversions to and from
//! an answer.
//!
//! Each piece of code that may fail to compile has the span of the author's type or expression.

use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{DeriveInput, Expr, Generics, Ident, Path, WhereClause, parse_quote};

use crate::model::{
    Answer, ArgImpl, Choice, Codes, Command, Conversion, DefaultValue, EventsImpl, FailureImpl,
    Form, Output, Param, ReplyImpl, Source, Value, VariantCode, WordParser,
};
use crate::rule::{Name, Term};
use crate::tokens::{first_span, hygienic, kebab, last_span, mentions};

pub(crate) fn command(command: &Command) -> TokenStream {
    let Command { krate, function, name, aliases, docs, cfgs, params, .. } = command;
    let (hidden, idempotent) = (command.hidden, command.idempotent);
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
            const __DOCKIPC_PARAMS: &[__dockipc::Param] = &__DOCKIPC_PARTS.1;
            #(#checks)*

            __dockipc::submit! {
                __dockipc::Command {
                    name: #name,
                    aliases: &[#(#aliases),*],
                    hidden: #hidden,
                    idempotent: #idempotent,
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
                }
            }
        };
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
        let (value, expr) = (&values[i], read(i, param));
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

/// Returns the span of the code that the parameter's type decides.
fn type_span(param: &Param) -> Span {
    hygienic(first_span(&param.ty))
}

/// Generates the checks that need types and are made at compile time. The call begins at the first
/// token of the type and ends at its last, so that the compiler underlines the whole type.
fn check((i, param): (usize, &Param), is_async: bool) -> TokenStream {
    let mut arguments = Group::new(Delimiter::Parenthesis, quote!(__DOCKIPC_PARAMS, #i));
    arguments.set_span(hygienic(last_span(&param.ty)));
    let span = type_span(param);
    let check = Ident::new(if is_async { "check_async" } else { "check" }, span);
    quote_spanned!(span=> const _: () = __dockipc::#check #arguments;)
}

/// Generates the description of a parameter.
fn entry(param: &Param) -> TokenStream {
    let Param { name, docs, ty, form } = param;
    let docs = text(docs);
    let span = type_span(param);
    let Value { source, conversion, complete, secret } = match form {
        Form::Flag(long) => {
            let way = quote!(::core::option::Option::Some(__dockipc::Way::Flag(#long)));
            return quote_spanned!(span=> __dockipc::flag(#name, #docs, #way));
        }
        Form::Value(value) => &**value,
    };
    let way = match source {
        Source::Position => quote!(::core::option::Option::None),
        Source::Long(long) => quote!(::core::option::Option::Some(__dockipc::Way::Long(#long))),
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
        Conversion::ByType(_) => quote_spanned! {span=>
            __dockipc::param(
                #name, #docs, #way, #default, <#ty as __dockipc::FromRequest<'_>>::KIND,
            )
        },
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
    let entry = if *secret { quote!(#entry.secret()) } else { entry };
    let Some(function) = complete else { return entry };
    let propose = quote_spanned! {hygienic(first_span(function))=>
        |__dockipc_request, __dockipc_prefix| __dockipc::Propose::propose(#function, __dockipc_request, __dockipc_prefix)
    };
    quote!(#entry.proposed_by(#propose))
}

/// Generates the expression that reads a parameter.
fn read(i: usize, param: &Param) -> TokenStream {
    let (span, ty) = (type_span(param), &param.ty);
    let conversion = match &param.form {
        Form::Flag(_) => {
            return quote_spanned!(span=> <#ty as __dockipc::Flag>::from_flag(__dockipc_args.flag(#i)));
        }
        Form::Value(value) => &value.conversion,
    };
    let given = match conversion {
        Conversion::ByType(_) => quote_spanned! {span=>
            <#ty as __dockipc::FromRequest<'_>>::from_request(__dockipc_args, #i)?
        },
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
    match conversion.default() {
        Some(DefaultValue::Expr(expr)) => quote_spanned! {span=>
            if __dockipc_args.has(#i) {
                #given
            } else {
                let __dockipc_default: #ty = #expr;
                __dockipc_default
            }
        },
        _ => given,
    }
}

fn allow(terms: Option<&[Term]>) -> TokenStream {
    match terms {
        None => quote!(::core::option::Option::None),
        Some(terms) => {
            let terms = terms.iter().map(term);
            quote!(::core::option::Option::Some(__dockipc::allow(&[#(#terms),*])))
        }
    }
}

fn term(term: &Term) -> TokenStream {
    match term {
        Term::Any => quote!(__dockipc::Term::Any),
        Term::Owner => quote!(__dockipc::Term::Owner),
        Term::Token => quote!(__dockipc::Term::Token),
        Term::User(name) => {
            let name = account(name);
            quote!(__dockipc::Term::User(#name))
        }
        Term::Group(name) => {
            let name = account(name);
            quote!(__dockipc::Term::Group(#name))
        }
    }
}

fn account(name: &Name) -> TokenStream {
    match name {
        Name::Number(number) => quote!(__dockipc::Name::Number(#number)),
        Name::Text(text) => quote!(__dockipc::Name::Text(#text)),
    }
}

/// Joins doc comments to one text.
fn text(docs: &[Expr]) -> TokenStream {
    match docs {
        [] => quote!(""),
        docs => quote!(::core::concat!(#(#docs, "\n"),*)),
    }
}

pub(crate) fn arg(model: &ArgImpl) -> TokenStream {
    let ArgImpl { krate, ident, parser } = model;
    let ident = &silent(ident);
    let body = match parser {
        WordParser::FromStr => quote_spanned! {ident.span()=>
            fn from_word(
                __dockipc_word: &[::core::primitive::u8],
            ) -> ::core::result::Result<Self, __dockipc::BadValue> {
                <#ident as __dockipc::Parse>::from_word(__dockipc_word)
            }
        },
        WordParser::Choices(choices) => from_choices(choices),
    };
    arg_impl(krate, &kebab(ident), &quote!(impl __dockipc::Arg<'_> for #ident), &body)
}

/// Returns an identifier in whose uses the compiler reports no deprecated item.
fn silent(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(hygienic(ident.span()));
    ident
}

fn from_choices(choices: &[Choice]) -> TokenStream {
    let words = choices.iter().map(|choice| &choice.word);
    let bytes = choices.iter().map(|choice| Literal::byte_string(choice.word.as_bytes()));
    let variants: Vec<_> = choices.iter().map(|choice| silent(&choice.variant)).collect();
    let shown = choices.iter().map(|choice| &choice.word);
    quote! {
        const CHOICES: &'static [&'static ::core::primitive::str] = &[#(#words),*];

        fn from_word(
            __dockipc_word: &[::core::primitive::u8],
        ) -> ::core::result::Result<Self, __dockipc::BadValue> {
            match __dockipc_word {
                #(#bytes => ::core::result::Result::Ok(Self::#variants),)*
                _ => ::core::result::Result::Err(__dockipc::no_choice(
                    <Self as __dockipc::Arg<'_>>::CHOICES,
                )),
            }
        }

        fn shown(&self) -> ::core::option::Option<__dockipc::String> {
            ::core::option::Option::Some(::core::convert::Into::into(match *self {
                #(Self::#variants => #shown,)*
            }))
        }
    }
}

/// Generates an implementation for a type with a mistake, so that the compiler reports the mistake
/// alone and not each use of the type as well.
pub(crate) fn arg_stub(input: &DeriveInput, krate: &Path) -> TokenStream {
    let ident = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    let head = quote!(impl #generics __dockipc::Arg<'_> for #ident #types #bounds);
    let body = quote! {
        fn from_word(_: &[::core::primitive::u8]) -> ::core::result::Result<Self, __dockipc::BadValue> {
            ::core::unreachable!()
        }
    };
    arg_impl(krate, &kebab(ident), &head, &body)
}

fn arg_impl(krate: &Path, name: &str, head: &TokenStream, body: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            #[automatically_derived]
            #head {
                const TYPE: &'static ::core::primitive::str = #name;
                #body
            }
        };
    }
}

pub(crate) fn failure(model: &FailureImpl) -> TokenStream {
    let FailureImpl { krate, ident, literals, codes } = model;
    // The compiler does not report a deprecated type at a span of the macro's own.
    let mut ident = ident.clone();
    ident.set_span(hygienic(ident.span()));
    let checks = literals.iter().map(|literal| {
        quote_spanned!(hygienic(literal.span())=> const _: () = __dockipc::check_code(#literal);)
    });
    let code = match codes {
        Codes::Struct(code) => quote!(#code),
        Codes::Enum(codes) => {
            let arms = codes.iter().map(|(variant, code)| match code {
                VariantCode::Word(code) => quote!(Self::#variant { .. } => #code,),
                VariantCode::Field(member, ty) => {
                    let code =
                        quote_spanned!(hygienic(first_span(ty))=> <#ty as __dockipc::Coded>::code);
                    quote!(Self::#variant { #member: ref __dockipc_error } => #code(__dockipc_error),)
                }
            });
            // By value, so that an enum without variants needs no arm.
            quote!(match *self { #(#arms)* })
        }
    };
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            #(#checks)*

            #[automatically_derived]
            impl __dockipc::Coded for #ident {
                fn code(&self) -> &'static ::core::primitive::str {
                    #code
                }
            }

            __dockipc::submit! {
                __dockipc::CodedType::of::<#ident>()
            }
        };
    }
}

pub(crate) fn events(model: &EventsImpl) -> TokenStream {
    let EventsImpl { krate, ident, channels } = model;
    let (mut arms, mut entries) = (Vec::new(), Vec::new());
    for channel in channels {
        let (name, ends, docs) = (&channel.name, channel.ends, text(&channel.docs));
        let (variant, allow) = (silent(&channel.variant), allow(channel.allow.as_deref()));
        let (arm, ty) = match &channel.value {
            None => (
                quote!(Self::#variant => (#name, __dockipc::Reply::Ok)),
                quote!(&__dockipc::ReplyType::Nothing),
            ),
            Some(ty) => {
                let span = hygienic(first_span(ty));
                let value = quote_spanned!(span=> <#ty as __dockipc::IntoReply>);
                (
                    quote!(Self::#variant(__dockipc_value) => (#name, #value::into_reply(__dockipc_value))),
                    quote!(#value::REPLY_TYPE),
                )
            }
        };
        arms.push(arm);
        entries.push(quote! {
            __dockipc::Channel { name: #name, doc: #docs, value: #ty, allow: #allow, ends: #ends }
        });
    }
    let registration = quote! {
        __dockipc::submit! {
            __dockipc::channels(&[#(#entries),*], ::core::file!(), ::core::line!())
        }
    };
    events_impl(krate, ident, &quote!(match self { #(#arms,)* }), Some(registration))
}

/// Generates an implementation for a type with a mistake, so that the compiler reports the mistake
/// alone and not each use of the type as well.
pub(crate) fn events_stub(input: &DeriveInput, krate: &Path) -> TokenStream {
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    events_impl(krate, &input.ident, &quote!(::core::unreachable!()), None)
}

fn events_impl(
    krate: &Path,
    ident: &Ident,
    body: &TokenStream,
    registration: Option<TokenStream>,
) -> TokenStream {
    let ident = silent(ident);
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            #[automatically_derived]
            impl __dockipc::EventChannel for #ident {
                fn into_event(self) -> (&'static ::core::primitive::str, __dockipc::Reply) {
                    #body
                }
            }

            #registration
        };
    }
}

pub(crate) fn reply(model: &ReplyImpl) -> TokenStream {
    let ReplyImpl { krate, ident, generics, answer } = model;
    // The compiler does not report a deprecated type at a span of the macro's own.
    let mut ident = ident.clone();
    ident.set_span(hygienic(ident.span()));
    let path = format!("::{}", ident.unraw());
    let path = quote!(::core::concat!(::core::module_path!(), #path));
    let mut readable = generics.clone();
    let mut parts = None;
    let (into, from) = match answer {
        Answer::Map(fields) => {
            let readable = readable.make_where_clause();
            let (mut columns, mut field_types) = (Vec::new(), Vec::new());
            let (mut pairs, mut values) = (Vec::new(), Vec::new());
            for (field, ty) in fields {
                let (name, span) = (field.unraw().to_string(), hygienic(first_span(ty)));
                let ty_into = quote_spanned!(span=> <#ty as __dockipc::IntoReply>);
                // The columns and the bound of a field that holds the type itself would be those of the type.
                let is_recursive = mentions(&ident, ty.to_token_stream());
                field_types.push(quote!((#name, #ty_into::REPLY_TYPE)));
                columns.push(if is_recursive { quote!(2) } else { quote!(1 + #ty_into::COLUMNS) });
                pairs.push(quote!((#name, #ty_into::into_reply(__dockipc_value.#field))));
                values.push(quote!(#field: __dockipc_fields.take(#name)?));
                if !is_recursive {
                    // The lifetime lets a struct that cannot be read back, such as one with a `&str`, compile.
                    let bound = parse_quote!(for<'__dockipc> #ty: __dockipc::FromReply);
                    readable.predicates.push(bound);
                }
            }
            let into = quote! {
                const COLUMNS: ::core::primitive::usize = <Self as __dockipc::Map>::PARTS.0;
                const REPLY_TYPE: &'static __dockipc::ReplyType = &__dockipc::ReplyType::Struct {
                    name: #path,
                    fields: <Self as __dockipc::Map>::PARTS.2,
                };

                fn into_reply(self) -> __dockipc::Reply {
                    (<Self as __dockipc::Map>::PARTS.1)(self)
                }
            };
            let (generics, types, bounds) = generics.split_for_impl();
            // One constant has all, because the compiler reports a mistake in a type once in each body
            // of code.
            parts = Some(quote! {
                #[automatically_derived]
                impl #generics __dockipc::Map for #ident #types #bounds {
                    const PARTS: __dockipc::MapParts<Self> = (
                        #(#columns)+*,
                        |__dockipc_value| __dockipc::Reply::map([#(#pairs),*]),
                        || const { &[#(#field_types),*] },
                    );
                }
            });
            let from = quote! {
                let mut __dockipc_fields = __dockipc::Fields::of(__dockipc_reply)?;
                ::core::result::Result::Ok(Self { #(#values),* })
            };
            (into, from)
        }
        Answer::Word(choices) => {
            let words: Vec<_> = choices.iter().map(|choice| &*choice.word).collect();
            let variants: Vec<_> = choices.iter().map(|choice| &choice.variant).collect();
            let wanted = format!("one of {}", words.join(", "));
            let into = quote! {
                const REPLY_TYPE: &'static __dockipc::ReplyType = &__dockipc::ReplyType::Enum {
                    name: #path,
                    words: &[#(#words),*],
                };

                fn into_reply(self) -> __dockipc::Reply {
                    __dockipc::IntoReply::into_reply(match self {
                        #(Self::#variants => #words,)*
                    })
                }
            };
            let from = quote! {
                let __dockipc_word = <::std::string::String as __dockipc::FromReply>::from_reply(__dockipc_reply)?;
                match &*__dockipc_word {
                    #(#words => ::core::result::Result::Ok(Self::#variants),)*
                    _ => __dockipc::no_variant(__dockipc_word, #wanted),
                }
            };
            (into, from)
        }
    };
    reply_impls(krate, &ident, generics, readable.where_clause.as_ref(), &into, &from, parts)
}

/// Generates implementations for a type with a mistake, so that the compiler reports the mistake alone
/// and not each use of the type as well.
pub(crate) fn reply_stub(input: &DeriveInput, krate: &Path) -> TokenStream {
    let into = quote! {
        fn into_reply(self) -> __dockipc::Reply {
            ::core::unreachable!()
        }
    };
    let bounds = input.generics.where_clause.as_ref();
    let from = quote!(::core::unreachable!());
    reply_impls(krate, &input.ident, &input.generics, bounds, &into, &from, None)
}

fn reply_impls(
    krate: &Path,
    ident: &Ident,
    generics: &Generics,
    readable: Option<&WhereClause>,
    into: &TokenStream,
    from: &TokenStream,
    parts: Option<TokenStream>,
) -> TokenStream {
    let (generics, types, bounds) = generics.split_for_impl();
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            #parts

            #[automatically_derived]
            impl #generics __dockipc::IntoReply for #ident #types #bounds {
                #into
            }

            #[automatically_derived]
            impl #generics __dockipc::FromReply for #ident #types #readable {
                fn from_reply(
                    __dockipc_reply: __dockipc::Reply,
                ) -> ::core::result::Result<Self, __dockipc::Error> {
                    #from
                }
            }
        };
    }
}
