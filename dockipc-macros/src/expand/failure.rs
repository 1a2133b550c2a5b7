//! The codes of an error type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::model::{Codes, FailureImpl, VariantCode};
use crate::tokens::{first_span, hygienic};

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

            __dockipc::server! {
                __dockipc::submit! {
                    __dockipc::CodedType::of::<#ident>()
                }
            }
        };
    }
}
