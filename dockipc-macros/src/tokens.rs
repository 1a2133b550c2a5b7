//! Helpers on tokens: spans and names.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, GenericArgument, Ident, PathArguments, Type};

/// Returns a type without parentheses, and without the invisible groups around what a `macro_rules`
/// macro was given.
pub(crate) fn bare_type(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare_type(&group.elem),
        Type::Paren(paren) => bare_type(&paren.elem),
        ty => ty,
    }
}

/// Returns the `T` of `Option<T>`.
pub(crate) fn optional(ty: &Type) -> Option<&Type> {
    inside("Option", ty)
}

/// Returns the `T` of `Option<T>`, where `outer` is `Option`.
///
/// The name of the type decides, where the author's type has no trait that could.
pub(crate) fn inside<'t>(outer: &str, ty: &'t Type) -> Option<&'t Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == outer)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(bare_type(inner)),
        _ => None,
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

/// Puts parentheses around each operation that a `macro_rules` macro was given as one fragment.
///
/// The compiler ignores the invisible group around it in the output of a procedural macro, so that `-$e`
/// with `1 + 2` would be `-1 + 2` (rust-lang/rust#67062).
pub(crate) fn with_parentheses(tokens: TokenStream) -> TokenStream {
    let token = |token| match token {
        // A group that is built anew loses the spans of its delimiters.
        TokenTree::Group(group) if has_invisible(group.stream()) || is_operation(&group) => {
            let stream = with_parentheses(group.stream());
            // Hygienic, so that no lint takes the parentheses for the author's.
            let (delimiter, span) = if is_operation(&group) {
                (Delimiter::Parenthesis, hygienic(group.span()))
            } else {
                (group.delimiter(), group.span())
            };
            let mut group = Group::new(delimiter, stream);
            group.set_span(span);
            TokenTree::Group(group)
        }
        token => token,
    };
    tokens.into_iter().map(token).collect()
}

fn has_invisible(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => {
            group.delimiter() == Delimiter::None || has_invisible(group.stream())
        }
        _ => false,
    })
}

/// Returns whether a fragment is an expression that an operator beside it would tear apart.
fn is_operation(group: &Group) -> bool {
    group.delimiter() == Delimiter::None
        && match syn::parse2(group.stream()) {
            Ok(Expr::Unary(unary)) => !matches!(*unary.expr, Expr::Lit(_)),
            Ok(expr) => matches!(expr, Expr::Binary(_) | Expr::Cast(_)),
            Err(_) => false,
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

/// Returns the span of an `impl` keyword before the name of an iterator's trait.
pub(crate) fn iterator_span(tokens: TokenStream) -> Option<Span> {
    let mut last_impl = None;
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "impl" => {
            last_impl = Some(ident.span());
            None
        }
        TokenTree::Ident(ident) if ident.to_string().ends_with("Iterator") => last_impl,
        TokenTree::Group(group) => iterator_span(group.stream()),
        _ => None,
    })
}

/// Returns whether a type may be the one with this name, or contain it. Behind a `::`, the name is that of
/// another module's type.
pub(crate) fn mentions(name: &Ident, ty: TokenStream) -> bool {
    let mut is_behind_path = false;
    ty.into_iter().any(|token| {
        let is_behind_path = std::mem::replace(
            &mut is_behind_path,
            matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ':'),
        );
        match token {
            TokenTree::Ident(ident) => !is_behind_path && (ident == *name || ident == "Self"),
            TokenTree::Group(group) => mentions(name, group.stream()),
            _ => false,
        }
    })
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

/// Returns an identifier in snake case without `_` around it: `DryRun` becomes `dry_run`.
pub(crate) fn snake(ident: &Ident) -> String {
    kebab(ident).replace('-', "_")
}
