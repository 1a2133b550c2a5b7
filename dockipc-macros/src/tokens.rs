//! Helpers on tokens: spans and names.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, Ident, Type};

/// Returns a type without parentheses, and without the invisible groups around what a `macro_rules`
/// macro was given.
pub(crate) fn bare_type(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare_type(&group.elem),
        Type::Paren(paren) => bare_type(&paren.elem),
        ty => ty,
    }
}

/// Like [`bare_type`], for an expression.
pub(crate) fn bare_expr(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => bare_expr(&group.expr),
        Expr::Paren(paren) => bare_expr(&paren.expr),
        expr => expr,
    }
}

/// Returns the span of the first token.
pub(crate) fn first_span(tokens: &impl ToTokens) -> Span {
    tokens.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}

/// Returns the span of the last token.
pub(crate) fn last_span(tokens: &impl ToTokens) -> Span {
    tokens.to_token_stream().into_iter().last().map_or_else(Span::call_site, |token| token.span())
}

/// Returns a span that points into the author's code but resolves names as the macro's own.
pub(crate) fn hygienic(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

/// Returns the span of every `impl` keyword.
pub(crate) fn impl_spans(tokens: TokenStream) -> Vec<Span> {
    let spans = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Ident(ident) if ident == "impl" => vec![ident.span()],
        TokenTree::Group(group) => impl_spans(group.stream()),
        _ => Vec::new(),
    });
    spans.collect()
}

/// Returns an identifier in kebab case: `dry_run` and `DryRun` become `dry-run`.
pub(crate) fn kebab(ident: &Ident) -> String {
    let mut out = String::new();
    for c in ident.unraw().to_string().trim_matches('_').chars() {
        if c.is_uppercase() && !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if c == '_' { out.push('-') } else { out.extend(c.to_lowercase()) }
    }
    out
}
