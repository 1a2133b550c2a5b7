//! The conversions to and from an answer.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{DeriveInput, Generics, Ident, Path, WhereClause, parse_quote};

use crate::model::{Answer, ReplyImpl};
use crate::tokens::{first_span, hygienic, mentions};

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
            let aliases = choices.iter().map(|choice| &choice.aliases);
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
                    #(#words #(| #aliases)* => ::core::result::Result::Ok(Self::#variants),)*
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
