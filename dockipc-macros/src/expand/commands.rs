//! An enum of commands: how a variant is read, described and sent.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, Ident, Path};

use super::args::{Fields, bounds, read_fields};
use super::command::marks;
use super::param::{check_with, entry, sent};
use super::{silent, text};
use crate::model::{CommandVariant, CommandsImpl};

pub(crate) fn commands(model: &CommandsImpl) -> TokenStream {
    let CommandsImpl { krate, ident, prefix, variants } = model;
    let ident = &silent(ident);
    let count = variants.len();
    let prefix = option(prefix.as_ref());
    let (mut arms, mut entries, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut described, mut send, mut all_sent) = (Vec::new(), Vec::new(), Vec::new());
    let mut names_of = Vec::new();
    for (i, command) in variants.iter().enumerate() {
        let CommandVariant { variant, name, fields, .. } = command;
        let variant = silent(variant);
        let declared = quote_spanned!(Span::mixed_site()=> __DOCKIPC_DECLARED[#i]);
        let params = format_ident!("__DOCKIPC_PARAMS_{i}", span = Span::mixed_site());
        let read = read_fields(fields, &declared, 1);
        let pattern = if i + 1 == count { quote!(_) } else { quote!(#i) };
        arms.push(quote!(#pattern => Self::#variant { #read },));
        let params_of = fields.iter().map(|field| entry(&field.param));
        entries.push(quote!(&[__dockipc::place(#i), #(#params_of),*]));
        checks.push(quote! {
            const #params: &[__dockipc::Param] =
                &__dockipc::flat::<{ __dockipc::count(#declared) }>(#declared);
        });
        for (j, field) in fields.iter().enumerate() {
            let arguments = quote!(#declared, #params, #j + 1);
            checks.push(check_with("check_field", &field.param, arguments));
            if let syn::Member::Unnamed(_) = field.member {
                checks.push(check_with("check_unnamed", &field.param, quote!(#declared)));
            }
        }
        described.push(describe(command, &params));
        let Fields { names, values } = Fields::of(fields);
        let sent = fields.iter().zip(&values).map(|(field, value)| sent(&field.param, value));
        let sent: Vec<_> = sent.collect();
        let code = sent.iter().map(|sent| &sent.code);
        send.push(quote!(Self::#variant { #(#names: #values),* } => { #(#code)* }));
        names_of.push(quote!(Self::#variant { .. } => #name,));
        all_sent.extend(sent);
    }
    let bounds = bounds(&all_sent);
    let parameter = parameter(ident, variants, &bounds);
    // Hygienic, as the code of a command is.
    quote_spanned! {Span::mixed_site()=>
        const _: () = {
            use #krate::private as __dockipc;

            __dockipc::server! {
                #[automatically_derived]
                impl __dockipc::Grouped<[&'static [__dockipc::Param]; #count]> for #ident {
                    const PARTS: (
                        fn(
                            &__dockipc::Args<'_>,
                            ::core::primitive::usize,
                        ) -> ::core::result::Result<Self, __dockipc::Failure>,
                        [&'static [__dockipc::Param]; #count],
                    ) = (
                        |__dockipc_args, __dockipc_base| {
                            ::core::result::Result::Ok(
                                match __dockipc_args.variant(__dockipc_base) { #(#arms)* },
                            )
                        },
                        [#(#entries),*],
                    );
                }

                const __DOCKIPC_DECLARED: [&[__dockipc::Param]; #count] =
                    <#ident as __dockipc::Grouped<[&[__dockipc::Param]; #count]>>::PARTS.1;
                #(#checks)*
                static __DOCKIPC_SET: __dockipc::CommandSet =
                    __dockipc::CommandSet { prefix: #prefix, variants: &[#(#described),*] };

                #[automatically_derived]
                impl<'__dockipc_request> __dockipc::FromRequest<'__dockipc_request> for #ident {
                    const KIND: __dockipc::Kind = __dockipc::commands(&__DOCKIPC_SET);

                    fn from_request(
                        __dockipc_args: &__dockipc::Args<'__dockipc_request>,
                        __dockipc_base: ::core::primitive::usize,
                    ) -> ::core::result::Result<Self, __dockipc::Failure> {
                        (<Self as __dockipc::Grouped<[&[__dockipc::Param]; #count]>>::PARTS.0)(
                            __dockipc_args,
                            __dockipc_base,
                        )
                    }
                }
            }

            #[automatically_derived]
            impl __dockipc::Commands for #ident #bounds {
                const PREFIX: ::core::option::Option<&'static ::core::primitive::str> = #prefix;

                fn name(&self) -> &'static ::core::primitive::str {
                    match self { #(#names_of)* }
                }

                fn send(&self, __dockipc_arguments: &mut __dockipc::Arguments<'_>) {
                    match self { #(#send)* }
                }
            }

            #parameter
        };
    }
}

/// Generates the conversion to words of a call, whose name is that of the function that takes the enum.
fn parameter(ident: &Ident, variants: &[CommandVariant], bounds: &TokenStream) -> TokenStream {
    let names = variants.iter().map(|command| &command.name);
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl __dockipc::ToArgs for #ident #bounds {
            const GIVES: __dockipc::typed::Gives =
                __dockipc::typed::Gives::commands(&[#(#names),*]);

            fn to_args(
                &self,
                _: __dockipc::SentWay,
                __dockipc_arguments: &mut __dockipc::Arguments<'_>,
            ) {
                __dockipc_arguments.command(self);
            }
        }
    }
}

/// Generates the description of a variant.
fn describe(command: &CommandVariant, params: &Ident) -> TokenStream {
    let CommandVariant { name, aliases, hidden, idempotent, allow, docs, .. } = command;
    let (marks, allow, docs) = (marks(&command.marks), option(allow.as_ref()), text(docs));
    quote! {
        __dockipc::Variant {
            name: #name,
            aliases: &[#(#aliases),*],
            hidden: #hidden,
            idempotent: #idempotent,
            marks: #marks,
            allow: #allow,
            doc: #docs,
            params: #params,
        }
    }
}

fn option(text: Option<&String>) -> TokenStream {
    match text {
        None => quote!(::core::option::Option::None),
        Some(text) => quote!(::core::option::Option::Some(#text)),
    }
}

/// Generates an implementation for a type with a mistake, so that the compiler reports the mistake
/// alone and not each use of the type as well.
pub(crate) fn commands_stub(input: &DeriveInput, krate: &Path) -> TokenStream {
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let ident = &input.ident;
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            __dockipc::server! {
                static __DOCKIPC_SET: __dockipc::CommandSet =
                    __dockipc::CommandSet { prefix: ::core::option::Option::None, variants: &[] };

                #[automatically_derived]
                impl<'__dockipc_request> __dockipc::FromRequest<'__dockipc_request> for #ident {
                    const KIND: __dockipc::Kind = __dockipc::commands(&__DOCKIPC_SET);

                    fn from_request(
                        _: &__dockipc::Args<'__dockipc_request>,
                        _: ::core::primitive::usize,
                    ) -> ::core::result::Result<Self, __dockipc::Failure> {
                        ::core::unreachable!()
                    }
                }
            }

            #[automatically_derived]
            impl __dockipc::Commands for #ident {
                const PREFIX: ::core::option::Option<&'static ::core::primitive::str> =
                    ::core::option::Option::None;

                fn name(&self) -> &'static ::core::primitive::str {
                    ::core::unreachable!()
                }

                fn send(&self, _: &mut __dockipc::Arguments<'_>) {}
            }

            #[automatically_derived]
            impl __dockipc::ToArgs for #ident {
                fn to_args(&self, _: __dockipc::SentWay, _: &mut __dockipc::Arguments<'_>) {}
            }
        };
    }
}
