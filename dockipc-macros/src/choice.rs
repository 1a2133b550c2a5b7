//! `#[derive(Arg)]`.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Lit, Meta, Path, Variant};

use crate::attr::{derive_keys, span};
use crate::command::{Errors, default_crate, kebab, own};

/// The implementation, and the errors if there are any.
pub(crate) fn derive(item: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let (generics, types, bounds) = input.generics.split_for_impl();
    let DeriveInput { ident, .. } = &input;
    let name = kebab(ident);
    let (keys, key_error) = match type_keys(&input.attrs) {
        Ok(keys) => (keys, None),
        Err(error) => (TypeKeys { from_str: false, krate: default_crate() }, Some(error)),
    };
    let body = match key_error {
        Some(error) => Err(error),
        None => body(&input, keys.from_str),
    };
    // Without a body as well, so that an error here is not followed by one at every use.
    let (errors, body) = match body {
        Ok(body) => (quote!(), body),
        Err(error) => {
            let body = quote! {
                fn from_word(_: &[u8]) -> ::core::result::Result<Self, __dockipc::BadValue> {
                    ::core::unreachable!()
                }
            };
            (error.into_compile_error(), body)
        }
    };
    let krate = &keys.krate;
    Ok(quote! {
        #errors
        #[allow(deprecated, unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction)]
        const _: () = {
            use #krate::private as __dockipc;

            #[automatically_derived]
            impl #generics __dockipc::Arg<'_> for #ident #types #bounds {
                const TYPE: &'static str = #name;
                #body
            }
        };
    })
}

/// What stands in the implementation.
fn body(input: &DeriveInput, from_str: bool) -> syn::Result<TokenStream> {
    let ident = &input.ident;
    if let Some(generic) = input.generics.params.first() {
        return Err(Error::new(span(generic), "`Arg` is derived for a type without generics"));
    }
    if from_str {
        return Ok(quote_spanned! {own(ident.span())=>
            fn from_word(word: &[u8]) -> ::core::result::Result<Self, __dockipc::BadValue> {
                <#ident as __dockipc::Parse>::from_word(word)
            }
        });
    }
    let Data::Enum(data) = &input.data else {
        return Err(Error::new(
            ident.span(),
            "`Arg` is derived for an enum of unit variants; for a type with `FromStr` add `#[arg(from_str)]`",
        ));
    };
    if data.variants.is_empty() {
        return Err(Error::new(ident.span(), "an enum without variants has no word to send"));
    }
    let words = words(&data.variants)?;
    let bytes = words.iter().map(|word| Literal::byte_string(word.as_bytes()));
    let variants = data.variants.iter().map(|variant| &variant.ident);
    Ok(quote! {
        const CHOICES: &'static [&'static str] = &[#(#words),*];

        fn from_word(word: &[u8]) -> ::core::result::Result<Self, __dockipc::BadValue> {
            match word {
                #(#bytes => ::core::result::Result::Ok(Self::#variants),)*
                _ => ::core::result::Result::Err(__dockipc::no_choice(
                    <Self as __dockipc::Arg<'_>>::CHOICES,
                )),
            }
        }
    })
}

/// The words of the variants, or everything that is wrong with them.
fn words<'v>(variants: impl IntoIterator<Item = &'v Variant>) -> syn::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut errors = Errors::default();
    for variant in variants {
        let Some((word, place)) = errors.take(word(variant)) else { continue };
        if words.contains(&word) {
            errors.push(Error::new(place, format!("two variants are the word `{word}`")));
        }
        words.push(word);
    }
    errors.result(words)
}

struct TypeKeys {
    from_str: bool,
    krate: Path,
}

/// `from_str` and `crate = path`.
fn type_keys(attrs: &[Attribute]) -> syn::Result<TypeKeys> {
    let (mut from_str, mut krate) = (false, default_crate());
    for meta in derive_keys(attrs)? {
        match &meta {
            Meta::Path(path) if path.is_ident("from_str") => from_str = true,
            Meta::NameValue(pair) if pair.path.is_ident("crate") => match &pair.value {
                Expr::Path(path) => krate = path.path.clone(),
                other => {
                    return Err(Error::new_spanned(
                        other,
                        "give the path of dockipc, without quotes: `crate = path`",
                    ));
                }
            },
            other => {
                let expected = "expected `from_str` or `crate = path`";
                return Err(Error::new(span(other), format!("unknown key: {expected}")));
            }
        }
    }
    Ok(TypeKeys { from_str, krate })
}

/// The word of a variant, and where it is said.
fn word(variant: &Variant) -> syn::Result<(String, Span)> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new_spanned(
            &variant.fields,
            "a word has no fields: `Arg` is derived for unit variants",
        ));
    }
    let mut word = (kebab(&variant.ident), variant.ident.span());
    for meta in derive_keys(&variant.attrs)? {
        match &meta {
            Meta::NameValue(pair) if pair.path.is_ident("name") => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => {
                    word = (name.value(), name.span());
                }
                other => {
                    return Err(Error::new_spanned(
                        other,
                        "give the word as a string: `name = \"word\"`",
                    ));
                }
            },
            other => {
                return Err(Error::new(span(other), "unknown key: expected `name = \"word\"`"));
            }
        }
    }
    if word.0.is_empty() || word.0.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::new(word.1, "a variant is one word, without blanks"));
    }
    Ok(word)
}
