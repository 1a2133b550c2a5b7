//! Attributes within `#[cfg_attr]`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Meta};

/// Returns the span of an attribute with this name within a `#[cfg_attr]`, which the compiler has not resolved when it
/// calls an attribute's macro. It has when it calls a derive's, and at the macro's own item.
pub(crate) fn conditional(attr: &Attribute, name: &str) -> Option<Span> {
    match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => within(list.tokens.clone(), name),
        _ => None,
    }
}

/// Looks for an attribute behind the condition of a `#[cfg_attr]`.
fn within(tokens: TokenStream, name: &str) -> Option<Span> {
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
    let tokens: Vec<_> = tokens.into_iter().collect();
    tokens.split(is_comma).skip(1).find_map(|attr| {
        let is_path =
            |token: &&TokenTree| matches!(token, TokenTree::Ident(_) | TokenTree::Punct(_));
        let path = attr.iter().take_while(is_path).take_while(|token| token.to_string() != "=");
        let last = path.filter(|token| matches!(token, TokenTree::Ident(_))).last()?;
        let content = attr.iter().find_map(|token| match token {
            TokenTree::Group(group) => Some(group.stream()),
            _ => None,
        });
        match last {
            TokenTree::Ident(ident) if ident == name => Some(ident.span()),
            TokenTree::Ident(ident) if ident == "cfg_attr" => within(content?, name),
            _ => None,
        }
    })
}
