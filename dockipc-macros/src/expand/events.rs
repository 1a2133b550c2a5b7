//! The channels of an enum.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Ident, Path};

use super::rule::allow;
use super::{silent, text};
use crate::model::EventsImpl;
use crate::tokens::{first_span, hygienic};

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
