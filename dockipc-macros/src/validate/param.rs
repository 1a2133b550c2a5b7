//! The checks of one parameter.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Error, Expr, ExprLit, ExprUnary, FnArg, Ident, Lit, LitStr, Pat, Type, TypeReference, UnOp,
};

use super::extra::ExtraKeys;
use super::{GENERIC, default, invalid, once, once_or};
use crate::attr::{ArgKey, Key, Keys, ParamAttrs};
use crate::errors::Errors;
use crate::model::{Conversion, DefaultValue, Extra, Form, Param, Source, Value};
use crate::tokens::{bare_expr, bare_type, first_span, impl_spans, inside, kebab, snake};

/// Names and words taken by earlier parameters, which no other parameter can use.
#[derive(Default)]
pub(super) struct Taken {
    names: Vec<(Ident, String)>,
    options: Vec<String>,
    rest: bool,
}

pub(super) fn param(
    attrs: ParamAttrs,
    input: &FnArg,
    taken: &mut Taken,
    errors: &mut Errors,
) -> Option<Param> {
    let typed = match input {
        FnArg::Receiver(receiver) => {
            let message =
                "a command cannot take `self`: make it a free function that takes a `State<…>`";
            errors.push(Error::new_spanned(receiver, message));
            return None;
        }
        FnArg::Typed(typed) => typed,
    };
    if let Some(cfg) = typed.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
        errors.add(
            first_span(cfg.path()),
            "a parameter cannot have `#[cfg]`, because a command has the same parameters in every build: put `#[cfg]` on the function",
        );
    }
    let name = param_name(&typed.pat, errors);
    named(attrs, name, &typed.ty, taken, errors)
}

/// Checks a field that is a parameter; `ident` is its name, or that of its variant.
pub(super) fn field(
    attrs: ParamAttrs,
    ident: &Ident,
    ty: &Type,
    taken: &mut Taken,
    errors: &mut Errors,
) -> Option<Param> {
    let name = snake(ident);
    named(attrs, Some((ident, name)), bare_type(ty), taken, errors)
}

/// Checks a parameter with the name that clients see.
fn named(
    attrs: ParamAttrs,
    name: Option<(&Ident, String)>,
    ty: &Type,
    taken: &mut Taken,
    errors: &mut Errors,
) -> Option<Param> {
    check_type(ty, errors);
    let (form, extra) = form(attrs.keys, name.as_ref().map(|(ident, _)| *ident), ty, taken, errors);
    let (ident, name) = name?;
    // The compiler reports two that are one identifier.
    if let Some((other, _)) = taken.names.iter().find(|(other, n)| *n == name && other != ident) {
        let message = format!(
            "duplicate parameter `{name}`: clients see the name of `{other}` and `{ident}` without `_`; rename one of the two"
        );
        errors.add(ident.span(), message);
    }
    taken.names.push((ident.clone(), name.clone()));
    Some(Param { name, docs: attrs.docs, ty: ty.clone(), form, extra })
}

/// Returns the identifier of a parameter, and the name that clients see.
fn param_name<'p>(pat: &'p Pat, errors: &mut Errors) -> Option<(&'p Ident, String)> {
    if let Pat::Ident(pat) = pat {
        let name = pat.ident.unraw().to_string().trim_matches('_').to_owned();
        if !name.is_empty() {
            return Some((&pat.ident, name));
        }
    }
    let message = "a parameter needs a name for help and error messages: write `name: Type`";
    errors.push(Error::new_spanned(pat, message));
    None
}

fn check_type(ty: &Type, errors: &mut Errors) {
    if let Type::Reference(TypeReference { lifetime, mutability, .. }) = ty {
        if let Some(lifetime) = lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
            errors.push(Error::new_spanned(
                lifetime,
                "a parameter cannot be `'static`, because it is freed after the call: leave the lifetime out, as in `&str`",
            ));
        }
        if mutability.is_some() {
            errors.push(Error::new_spanned(
                ty,
                "a parameter cannot be `&mut`, because commands run at the same time: take a `State<…>` that holds a lock or an atomic, or a `Local<…>` of the thread that has the value",
            ));
        }
    }
    for outer in ["Option", "Vec"] {
        let inner = inside(outer, ty).and_then(injected);
        if let Some(injected @ "State<…>") = inner {
            let message = format!(
                "a `{injected}` is always there, because the server does not start without it: remove `{outer}`"
            );
            errors.push(Error::new_spanned(ty, message));
        }
    }
    for span in impl_spans(ty.to_token_stream()) {
        errors.add(span, GENERIC);
    }
}

/// The three keys of which a parameter can have one.
enum FormKey {
    Flag(Option<LitStr>),
    Long(Option<LitStr>),
    Rest,
}

/// Checks the keys of a parameter; `ident` is its name, if it has one.
fn form(
    keys: Keys<ArgKey>,
    ident: Option<&Ident>,
    ty: &Type,
    taken: &mut Taken,
    errors: &mut Errors,
) -> (Form, Extra) {
    let (mut form, mut default, mut complete, mut secret, mut from_str) = Default::default();
    let mut extra = ExtraKeys::default();
    let mut set_form = |span, key, errors: &mut Errors| {
        let message = "conflicting keys: write only one of `flag`, `long` and `rest`";
        once_or(message, &mut form, span, key, errors);
    };
    for Key { span, kind } in keys.list {
        let Some(kind) = extra.take(span, kind, errors) else { continue };
        match kind {
            ArgKey::Flag(name) => set_form(span, FormKey::Flag(name), errors),
            ArgKey::Long(name) => set_form(span, FormKey::Long(name), errors),
            ArgKey::Rest => set_form(span, FormKey::Rest, errors),
            ArgKey::Default(expr) => once(&mut default, span, expr, "default", errors),
            ArgKey::Complete(path) => once(&mut complete, span, path, "complete", errors),
            ArgKey::Secret => once(&mut secret, span, (), "secret", errors),
            ArgKey::FromStr => once(&mut from_str, span, (), "from_str", errors),
            // Taken above.
            _ => {}
        }
    }
    let source = match form {
        None => Source::Position,
        Some((span, FormKey::Flag(name))) => {
            if let Some(injected) = injected(ty) {
                let message = format!(
                    "`{injected}` is not parsed from words, because it is injected: remove `#[arg(…)]`"
                );
                errors.add(span, message);
            }
            let mut conflict = |span, key, reason| {
                let message =
                    format!("`{key}` conflicts with `flag`: {reason}; remove one of the two");
                errors.add(span, message);
            };
            if let Some((span, _)) = default {
                conflict(span, "default", "a flag that is left out is false");
            }
            if let Some((span, _)) = complete {
                conflict(span, "complete", "a flag has no value to complete");
            }
            if let Some((span, ())) = secret {
                conflict(span, "secret", "a flag has no value to hide");
            }
            if let Some((span, ())) = from_str {
                conflict(span, "from_str", "a flag is a `bool`");
            }
            for (span, key) in extra.of_value() {
                conflict(span, key, "a flag has no value");
            }
            let name = option_name("flag", name, ident, taken, errors);
            return (Form::Flag(name), Extra::default());
        }
        Some((_, FormKey::Long(name))) => {
            Source::Long(option_name("long", name, ident, taken, errors))
        }
        Some((span, FormKey::Rest)) => {
            if std::mem::replace(&mut taken.rest, true) {
                let message = "duplicate `rest`: only one parameter can take the rest of the line";
                errors.add(span, message);
            }
            Source::Rest
        }
    };
    let default = default.map(|(_, expr)| default_value(expr));
    if let Some(DefaultValue::Word(word, span)) = &default
        && let Some(expected) = default::expected(ty, word)
    {
        errors.add(*span, format!("invalid default {word:?}: {expected}"));
    }
    let extra = extra.check(ty, default.as_ref(), errors);
    let conversion = conversion(from_str.is_some(), ty, default, errors);
    let complete = complete.map(|(_, path)| path);
    let value = Value { source, conversion, complete, secret: secret.is_some() };
    (Form::Value(Box::new(value)), extra)
}

/// Returns the name of an option: the one that is written, or the parameter's.
pub(super) fn option_name(
    key: &str,
    name: Option<LitStr>,
    ident: Option<&Ident>,
    taken: &mut Taken,
    errors: &mut Errors,
) -> String {
    let (name, span) = match (name, ident) {
        (Some(name), _) => (name.value(), name.span()),
        (None, Some(ident)) => (kebab(ident), ident.span()),
        // The missing name is reported already.
        (None, None) => return String::new(),
    };
    if taken.options.contains(&name) {
        let message = format!("duplicate option name `--{name}`: give another, `{key} = \"name\"`");
        errors.add(span, message);
        return name;
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let reasons = [
        (name.is_empty(), "write at least one character"),
        (name.starts_with('-'), "leave out the leading dashes"),
        (name.contains(|c| !allowed(c)), "use only a-z, 0-9 and `-`"),
    ];
    invalid("option name", &name, &reasons, span, errors);
    taken.options.push(name.clone());
    name
}

fn conversion(
    from_str: bool,
    ty: &Type,
    default: Option<DefaultValue>,
    errors: &mut Errors,
) -> Conversion {
    if !from_str {
        return Conversion::ByType(default);
    }
    if let Some(inner) = inside("Vec", ty) {
        return Conversion::ListFromStr(Box::new(inner.clone()), default);
    }
    let Some(inner) = inside("Option", ty) else { return Conversion::FromStr(default) };
    if default.is_some() {
        let message = "an `Option` cannot have a default, because it is then never `None`: remove `Option` or `default`";
        errors.push(Error::new_spanned(ty, message));
    }
    Conversion::OptionalFromStr(Box::new(inner.clone()))
}

/// Returns the default as a word if it is a literal.
fn default_value(expr: Expr) -> DefaultValue {
    match literal(&expr) {
        Some((word, _)) => DefaultValue::Word(word, first_span(&expr)),
        None => DefaultValue::Expr(expr),
    }
}

/// Returns a literal as a word, and whether it is a number.
pub(super) fn literal(expr: &Expr) -> Option<(String, bool)> {
    let (sign, lit) = match bare_expr(expr) {
        Expr::Lit(ExprLit { lit, .. }) => ("", Some(lit)),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match bare_expr(expr) {
            Expr::Lit(ExprLit { lit, .. }) => ("-", Some(lit)),
            _ => ("", None),
        },
        _ => ("", None),
    };
    let word = match lit? {
        Lit::Str(text) => text.value(),
        Lit::Int(int) => int.base10_digits().to_owned(),
        Lit::Float(float) => float.base10_digits().to_owned(),
        Lit::Bool(bool) => bool.value().to_string(),
        Lit::Char(char) => char.value().to_string(),
        _ => return None,
    };
    Some((format!("{sign}{word}"), matches!(lit, Some(Lit::Int(_) | Lit::Float(_)))))
}

/// Returns the name of an injected type that the type certainly is, as an author writes it.
fn injected(ty: &Type) -> Option<&'static str> {
    let ty = match ty {
        Type::Reference(reference) => bare_type(&reference.elem),
        ty => ty,
    };
    if inside("State", ty).is_some() {
        return Some("State<…>");
    }
    let Type::Path(path) = ty else { return None };
    let name = &path.path.segments.last()?.ident;
    ["Peer", "Request"].into_iter().find(|injected| name == injected)
}
