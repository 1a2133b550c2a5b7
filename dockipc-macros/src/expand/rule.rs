//! An access rule.

use proc_macro2::TokenStream;
use quote::quote;

use crate::rule::{Name, Term};

pub(super) fn allow(terms: Option<&[Term]>) -> TokenStream {
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
