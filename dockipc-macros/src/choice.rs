//! `#[derive(Arg)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Lit, Meta, Path, Variant};

use crate::attr::{derive_keys, span};
use crate::command::{default_crate, kebab};

pub(crate) fn derive(item: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let (from_str, krate) = type_keys(&input.attrs)?;
    if let Some(generic) = input.generics.params.first() {
        return Err(Error::new(span(generic), "`Arg` is derived for a type without generics"));
    }
    let ident = &input.ident;
    let name = kebab(ident);
    let (choices, read) = if from_str {
        (quote!(), quote!(__dockipc::from_str(word)))
    } else {
        let Data::Enum(data) = &input.data else {
            return Err(Error::new(
                ident.span(),
                "`Arg` is derived for an enum of unit variants; for a type with `FromStr` add `#[arg(from_str)]`",
            ));
        };
        let words = data.variants.iter().map(word).collect::<syn::Result<Vec<_>>>()?;
        for (i, word) in words.iter().enumerate() {
            if words[..i].contains(word) {
                let variant = span(&data.variants[i].ident);
                return Err(Error::new(variant, format!("two variants are the word `{word}`")));
            }
        }
        let bytes = words.iter().map(|word| proc_macro2::Literal::byte_string(word.as_bytes()));
        let variants = data.variants.iter().map(|variant| &variant.ident);
        let choices = quote! {
            const CHOICES: &'static [&'static str] = &[#(#words),*];
        };
        let read = quote! {
            match word {
                #(#bytes => ::core::result::Result::Ok(Self::#variants),)*
                _ => ::core::result::Result::Err(__dockipc::no_choice(
                    <Self as __dockipc::Arg<'_>>::CHOICES,
                )),
            }
        };
        (choices, read)
    };
    Ok(quote! {
        #[allow(unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction)]
        const _: () = {
            use #krate::private as __dockipc;

            #[automatically_derived]
            impl __dockipc::Arg<'_> for #ident {
                const TYPE: &'static str = #name;
                #choices

                fn from_word(word: &[u8]) -> ::core::result::Result<Self, __dockipc::BadValue> {
                    #read
                }
            }
        };
    })
}

/// `from_str` and `crate = path`.
fn type_keys(attrs: &[Attribute]) -> syn::Result<(bool, Path)> {
    let (mut from_str, mut krate) = (false, default_crate());
    for meta in derive_keys(attrs)? {
        match &meta {
            Meta::Path(path) if path.is_ident("from_str") => from_str = true,
            Meta::NameValue(pair) if pair.path.is_ident("crate") => match &pair.value {
                Expr::Path(path) => krate = path.path.clone(),
                other => return Err(Error::new(span(other), "expected the path of the crate")),
            },
            other => {
                let expected = "expected `from_str` or `crate = path`";
                return Err(Error::new(span(other), format!("unknown key: {expected}")));
            }
        }
    }
    Ok((from_str, krate))
}

/// The word of a variant.
fn word(variant: &Variant) -> syn::Result<String> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new(
            span(&variant.fields),
            "a word has no fields: `Arg` is derived for unit variants",
        ));
    }
    let mut word = (kebab(&variant.ident), Span::call_site());
    for meta in derive_keys(&variant.attrs)? {
        match &meta {
            Meta::NameValue(pair) if pair.path.is_ident("name") => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => {
                    word = (name.value(), name.span());
                }
                other => return Err(Error::new(span(other), "expected a string")),
            },
            other => {
                return Err(Error::new(span(other), "unknown key: expected `name = \"word\"`"));
            }
        }
    }
    if word.0.is_empty() || word.0.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::new(word.1, "a variant is one word"));
    }
    Ok(word.0)
}
