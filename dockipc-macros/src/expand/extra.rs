//! The keys of a parameter that few parameters have.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::param::type_span;
use crate::model::{Extra, Param};

/// Generates the call that adds the keys to a description.
pub(super) fn with(param: &Param) -> Option<TokenStream> {
    let Extra { short, min, max, below, len, count, pattern, absolute, caller } = &param.extra;
    let text = |name: TokenStream, text: &Option<String>| {
        text.as_ref().map(|text| quote!(#name: ::core::option::Option::Some(#text),))
    };
    let limits = |name: TokenStream, (min, max): (Option<usize>, Option<usize>)| {
        let least = min.unwrap_or(0);
        let most = max.map_or_else(|| quote!(::core::primitive::usize::MAX), |max| quote!(#max));
        (min.or(max).is_some()).then(|| quote!(#name: (#least, #most),))
    };
    let pattern = pattern.as_ref().map(|pattern| {
        quote! {
            pattern: ::core::option::Option::Some((#pattern, |__dockipc_text| {
                static __DOCKIPC_PATTERN: __dockipc::Pattern = __dockipc::Pattern::new(#pattern);
                __DOCKIPC_PATTERN.matches(__dockipc_text)
            })),
        }
    });
    let short = short.map(|letter| {
        let short = format!("-{letter}|");
        quote!(short: #short,)
    });
    let fields = [
        short,
        absolute.then(|| quote!(absolute: true,)),
        text(quote!(caller), caller),
        text(quote!(min), min),
        text(quote!(max), max),
        text(quote!(below), below),
        limits(quote!(len), *len),
        limits(quote!(count), *count),
        pattern,
    ];
    let fields: Vec<_> = fields.into_iter().flatten().collect();
    (!fields.is_empty()).then(|| {
        quote_spanned! {type_span(param)=>
            .with(const { &__dockipc::Extra { #(#fields)* ..__dockipc::Extra::NONE } })
        }
    })
}
