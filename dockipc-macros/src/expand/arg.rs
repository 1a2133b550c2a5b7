//! The implementation of `Arg`.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Path};

use super::silent;
use crate::model::{ArgImpl, Choice, WordParser};
use crate::tokens::kebab;

pub(crate) fn arg(model: &ArgImpl) -> TokenStream {
    let ArgImpl { krate, ident, parser } = model;
    let ident = &silent(ident);
    let body = match parser {
        WordParser::FromStr => quote_spanned! {ident.span()=>
            fn from_word(
                __dockipc_word: &[::core::primitive::u8],
            ) -> ::core::result::Result<Self, __dockipc::BadValue> {
                <#ident as __dockipc::FromText>::from_text(__dockipc_word)
            }
        },
        WordParser::Choices { choices, ignore_case } => from_choices(choices, *ignore_case),
    };
    arg_impl(krate, &kebab(ident), &quote!(impl __dockipc::Arg<'_> for #ident), &body, sent(model))
}

/// Generates the conversions to a word of a call: the word of the variant, or the text that `Display` writes. A
/// type with `from_str` may have no `Display`; the lifetime in the bound lets it compile, and it cannot be sent.
fn sent(model: &ArgImpl) -> TokenStream {
    let ident = &silent(&model.ident);
    let (bound, word) = match &model.parser {
        WordParser::FromStr => (
            quote!(where for<'__dockipc> #ident: ::core::fmt::Display),
            quote! {
                __dockipc::Cow::Owned(__dockipc::ToString::to_string(self).into_bytes())
            },
        ),
        WordParser::Choices { choices, .. } => {
            let variants = choices.iter().map(|choice| silent(&choice.variant));
            let words = choices.iter().map(|choice| Literal::byte_string(choice.word.as_bytes()));
            let word = quote! {
                __dockipc::Cow::Borrowed(match *self {
                    #(Self::#variants => #words,)*
                })
            };
            (TokenStream::new(), word)
        }
    };
    quote! {
        #[automatically_derived]
        impl __dockipc::ToArg for #ident #bound {
            fn to_arg(
                &self,
            ) -> ::core::option::Option<__dockipc::Cow<'_, [::core::primitive::u8]>> {
                ::core::option::Option::Some(#word)
            }
        }

        #[automatically_derived]
        impl __dockipc::ToArgs for #ident #bound {
            const GIVES: __dockipc::typed::Gives = __dockipc::typed::Gives::one_of(
                <Self as __dockipc::Arg<'_>>::TYPE,
                <Self as __dockipc::Arg<'_>>::CHOICES,
            );

            fn to_args(
                &self,
                __dockipc_way: __dockipc::SentWay,
                __dockipc_arguments: &mut __dockipc::Arguments<'_>,
            ) {
                __dockipc_arguments.add(self, __dockipc_way);
            }
        }
    }
}

pub(super) fn from_choices(choices: &[Choice], ignore_case: bool) -> TokenStream {
    let words = choices.iter().map(|choice| &choice.word);
    let aliases: Vec<_> = choices
        .iter()
        .flat_map(|Choice { word, aliases, .. }| {
            aliases.iter().map(move |alias| quote!((#alias, #word)))
        })
        .collect();
    let aliases = (!aliases.is_empty()).then(|| {
        quote! {
            const ALIASES: &'static [(
                &'static ::core::primitive::str,
                &'static ::core::primitive::str,
            )] = &[#(#aliases),*];
        }
    });
    let patterns = choices.iter().map(|Choice { word, aliases, .. }| {
        if ignore_case {
            return quote!(__dockipc_word if __dockipc::is_one_of(__dockipc_word, &[#word #(, #aliases)*]));
        }
        let words = [word].into_iter().chain(aliases);
        let words = words.map(|word| Literal::byte_string(word.as_bytes()));
        quote!(#(#words)|*)
    });
    let variants: Vec<_> = choices.iter().map(|choice| silent(&choice.variant)).collect();
    let shown = choices.iter().map(|choice| &choice.word);
    quote! {
        const CHOICES: &'static [&'static ::core::primitive::str] = &[#(#words),*];
        #aliases

        fn from_word(
            __dockipc_word: &[::core::primitive::u8],
        ) -> ::core::result::Result<Self, __dockipc::BadValue> {
            match __dockipc_word {
                #(#patterns => ::core::result::Result::Ok(Self::#variants),)*
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
    arg_impl(krate, &kebab(ident), &head, &body, TokenStream::new())
}

fn arg_impl(
    krate: &Path,
    name: &str,
    head: &TokenStream,
    body: &TokenStream,
    sent: TokenStream,
) -> TokenStream {
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            #[automatically_derived]
            #head {
                const TYPE: &'static ::core::primitive::str = #name;
                #body
            }

            #sent
        };
    }
}
