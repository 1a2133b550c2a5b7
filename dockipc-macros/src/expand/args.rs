//! A group of parameters: how it is read, described and sent.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, Ident, Path};

use super::param::{Sent, check_with, entry, read, sent};
use super::silent;
use crate::model::{Alternative, ArgsImpl, Field, Group};

pub(crate) fn args(model: &ArgsImpl) -> TokenStream {
    match &model.group {
        Group::Fields(fields) => group_of_fields(model, fields),
        Group::OneOf(alternatives) => one_of(model, alternatives),
    }
}

fn group_of_fields(ArgsImpl { krate, ident, .. }: &ArgsImpl, fields: &[Field]) -> TokenStream {
    let ident = &silent(ident);
    let declared = quote!(<#ident as __dockipc::Grouped<&[__dockipc::Param]>>::PARTS.1);
    let entries = fields.iter().map(|field| entry(&field.param));
    let read = read_fields(fields, &quote_spanned!(Span::mixed_site()=> __DOCKIPC_DECLARED), 0);
    let checks = fields.iter().enumerate().map(|(i, field)| {
        let arguments = quote!(__DOCKIPC_DECLARED, __DOCKIPC_PARAMS, #i);
        check_with("check_field", &field.param, arguments)
    });
    let Fields { names, values } = Fields::of(fields);
    let sent: Vec<_> =
        fields.iter().zip(&values).map(|(field, value)| sent(&field.param, value)).collect();
    let sent = to_args(ident, &sent, |code| {
        quote_spanned! {Span::mixed_site()=>
            let Self { #(#names: #values),* } = self;
            #(#code)*
        }
    });
    // Hygienic, as the code of a command is.
    quote_spanned! {Span::mixed_site()=>
        const _: () = {
            use #krate::private as __dockipc;

            __dockipc::server! {
                #[automatically_derived]
                impl __dockipc::Grouped<&'static [__dockipc::Param]> for #ident {
                    const PARTS: (
                        fn(
                            &__dockipc::Args<'_>,
                            ::core::primitive::usize,
                        ) -> ::core::result::Result<Self, __dockipc::Failure>,
                        &'static [__dockipc::Param],
                    ) = (
                        |__dockipc_args, __dockipc_base| {
                            ::core::result::Result::Ok(Self { #read })
                        },
                        &[#(#entries),*],
                    );
                }

                const __DOCKIPC_DECLARED: &[__dockipc::Param] = #declared;
                const __DOCKIPC_PARAMS: &[__dockipc::Param] =
                    &__dockipc::flat::<{ __dockipc::count(__DOCKIPC_DECLARED) }>(__DOCKIPC_DECLARED);
                #(#checks)*

                #[automatically_derived]
                impl<'__dockipc_request> __dockipc::FromRequest<'__dockipc_request> for #ident {
                    const KIND: __dockipc::Kind = __dockipc::fields(__DOCKIPC_PARAMS);

                    fn from_request(
                        __dockipc_args: &__dockipc::Args<'__dockipc_request>,
                        __dockipc_base: ::core::primitive::usize,
                    ) -> ::core::result::Result<Self, __dockipc::Failure> {
                        (<Self as __dockipc::Grouped<&[__dockipc::Param]>>::PARTS.0)(
                            __dockipc_args,
                            __dockipc_base,
                        )
                    }
                }
            }

            #sent
        };
    }
}

fn one_of(ArgsImpl { krate, ident, .. }: &ArgsImpl, alternatives: &[Alternative]) -> TokenStream {
    let ident = &silent(ident);
    let count = alternatives.len();
    let entries = alternatives.iter().map(|alternative| entry(&alternative.param));
    let checks = alternatives.iter().enumerate().map(|(i, alternative)| {
        check_with("check_alternative", &alternative.param, quote!(__DOCKIPC_PARAMS, #i))
    });
    let arms = alternatives.iter().enumerate().map(|(i, alternative)| {
        let variant = silent(&alternative.variant);
        let pattern = if i + 1 == count { quote!(_) } else { quote!(#i) };
        match &alternative.member {
            None => quote!(#pattern => Self::#variant {},),
            Some(member) => {
                let index = quote_spanned!(Span::mixed_site()=> __dockipc_base + #i);
                let value = read(&index, &alternative.param);
                quote!(#pattern => Self::#variant { #member: #value },)
            }
        }
    });
    let value = Ident::new("__dockipc_value", Span::mixed_site());
    let sent: Vec<_> = alternatives.iter().map(|one| sent(&one.param, &value)).collect();
    let sent = to_args(ident, &sent, |code| {
        let arms = alternatives.iter().zip(code).map(|(alternative, code)| {
            let variant = silent(&alternative.variant);
            match &alternative.member {
                None => quote! {
                    Self::#variant {} => {
                        let #value = &true;
                        #code
                    }
                },
                Some(member) => quote!(Self::#variant { #member: #value } => { #code }),
            }
        });
        quote_spanned!(Span::mixed_site()=> match self { #(#arms)* })
    });
    quote_spanned! {Span::mixed_site()=>
        const _: () = {
            use #krate::private as __dockipc;

            __dockipc::server! {
                #[automatically_derived]
                impl __dockipc::Grouped<&'static [__dockipc::Param]> for #ident {
                    const PARTS: (
                        fn(
                            &__dockipc::Args<'_>,
                            ::core::primitive::usize,
                        ) -> ::core::result::Result<Self, __dockipc::Failure>,
                        &'static [__dockipc::Param],
                    ) = (
                        |__dockipc_args, __dockipc_base| {
                            ::core::result::Result::Ok(
                                match __dockipc_args.only(__dockipc_base, #count)? { #(#arms)* },
                            )
                        },
                        &[#(#entries),*],
                    );
                }

                const __DOCKIPC_PARAMS: &[__dockipc::Param] =
                    <#ident as __dockipc::Grouped<&[__dockipc::Param]>>::PARTS.1;
                #(#checks)*

                #[automatically_derived]
                impl<'__dockipc_request> __dockipc::FromRequest<'__dockipc_request> for #ident {
                    const KIND: __dockipc::Kind = __dockipc::one_of(__DOCKIPC_PARAMS, false);
                    const OPTIONAL: __dockipc::Kind = __dockipc::one_of(__DOCKIPC_PARAMS, true);

                    fn from_request(
                        __dockipc_args: &__dockipc::Args<'__dockipc_request>,
                        __dockipc_base: ::core::primitive::usize,
                    ) -> ::core::result::Result<Self, __dockipc::Failure> {
                        (<Self as __dockipc::Grouped<&[__dockipc::Param]>>::PARTS.0)(
                            __dockipc_args,
                            __dockipc_base,
                        )
                    }

                    fn optional(
                        __dockipc_args: &__dockipc::Args<'__dockipc_request>,
                        __dockipc_base: ::core::primitive::usize,
                    ) -> ::core::result::Result<
                        ::core::option::Option<Self>,
                        __dockipc::Failure,
                    > {
                        if __dockipc_args.has_any(__dockipc_base, #count) {
                            <Self as __dockipc::FromRequest<'_>>::from_request(
                                __dockipc_args,
                                __dockipc_base,
                            )
                            .map(::core::option::Option::Some)
                        } else {
                            ::core::result::Result::Ok(::core::option::Option::None)
                        }
                    }
                }
            }

            #sent
        };
    }
}

/// The names of fields, and the variables for their values.
pub(super) struct Fields<'f> {
    pub(super) names: Vec<&'f syn::Member>,
    pub(super) values: Vec<Ident>,
}

impl<'f> Fields<'f> {
    pub(super) fn of(fields: &'f [Field]) -> Self {
        let value = |i| format_ident!("__dockipc_{i}", span = Span::mixed_site());
        Self {
            names: fields.iter().map(|field| &field.member).collect(),
            values: (0..fields.len()).map(value).collect(),
        }
    }
}

/// Generates the fields of a value, each read from its parameters: those behind the first ones of `declared`.
pub(super) fn read_fields(fields: &[Field], declared: &TokenStream, first: usize) -> TokenStream {
    let fields = fields.iter().enumerate().map(|(i, field)| {
        let member = &field.member;
        let index = if i == 0 {
            quote_spanned!(Span::mixed_site()=> __dockipc_base + #first)
        } else {
            quote_spanned! {Span::mixed_site()=>
                __dockipc_base + const { __dockipc::base(#declared, #first + #i) }
            }
        };
        let value = read(&index, &field.param);
        quote!(#member: #value)
    });
    quote!(#(#fields),*)
}

/// Generates the conversion to words of a call. A type that cannot be sent has none: the lifetime in the bounds lets it
/// compile.
fn to_args(
    ident: &Ident,
    sent: &[Sent],
    body: impl FnOnce(Vec<&TokenStream>) -> TokenStream,
) -> TokenStream {
    let body = body(sent.iter().map(|sent| &sent.code).collect());
    let bounds = bounds(sent);
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl __dockipc::ToArgs for #ident #bounds {
            const GIVES: __dockipc::typed::Gives = __dockipc::typed::Gives::GROUP;

            fn to_args(
                &self,
                _: __dockipc::SentWay,
                __dockipc_arguments: &mut __dockipc::Arguments<'_>,
            ) {
                #body
            }
        }
    }
}

/// Returns the bounds of a conversion to words, each of them once.
pub(super) fn bounds(sent: &[Sent]) -> TokenStream {
    let mut texts = Vec::new();
    let bounds = sent.iter().map(|sent| &sent.bound).filter(|bound| {
        let text = bound.to_string();
        let is_new = !texts.contains(&text);
        texts.push(text);
        is_new
    });
    quote!(where #(#bounds),*)
}

/// Generates an implementation for a type with a mistake, so that the compiler reports the mistake
/// alone and not each use of the type as well.
pub(crate) fn args_stub(input: &DeriveInput, krate: &Path) -> TokenStream {
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let ident = &input.ident;
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            __dockipc::server! {
                #[automatically_derived]
                impl<'__dockipc_request> __dockipc::FromRequest<'__dockipc_request> for #ident {
                    const KIND: __dockipc::Kind = __dockipc::fields(&[]);
                    const OPTIONAL: __dockipc::Kind = Self::KIND;

                    fn from_request(
                        _: &__dockipc::Args<'__dockipc_request>,
                        _: ::core::primitive::usize,
                    ) -> ::core::result::Result<Self, __dockipc::Failure> {
                        ::core::unreachable!()
                    }
                }
            }

            #[automatically_derived]
            impl __dockipc::ToArgs for #ident {
                fn to_args(&self, _: __dockipc::SentWay, _: &mut __dockipc::Arguments<'_>) {}
            }
        };
    }
}
