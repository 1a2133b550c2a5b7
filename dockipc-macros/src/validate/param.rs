//! The checks of one parameter.

use proc_macro2::Span;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Error, Expr, ExprLit, ExprUnary, FnArg, Ident, Lit, LitChar, LitStr, Pat, Type, TypeReference,
    UnOp,
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
    shorts: Vec<char>,
    rest: bool,
    last: bool,
}

impl Taken {
    pub(super) fn take_name(&mut self, ident: &Ident, name: &str, errors: &mut Errors) {
        // The compiler reports two that are one identifier.
        if let Some((other, _)) = self.names.iter().find(|(other, n)| n == name && other != ident) {
            let message = format!(
                "duplicate parameter `{name}`: clients see the name of `{other}` and `{ident}` without `_`; rename one of the two"
            );
            errors.add(ident.span(), message);
        }
        self.names.push((ident.clone(), name.to_owned()));
    }

    pub(super) fn take_rest(&mut self, span: Span, errors: &mut Errors) {
        if std::mem::replace(&mut self.rest, true) {
            let message = "duplicate `rest`: only one parameter can take the rest of the line";
            errors.add(span, message);
        }
    }

    pub(super) fn take_last(&mut self, span: Span, errors: &mut Errors) {
        if std::mem::replace(&mut self.last, true) {
            let message = "duplicate `last`: only one parameter can take the words behind `--`";
            errors.add(span, message);
        }
    }
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
    let mut keys = attrs.keys;
    let written = name_key(&mut keys, ty, errors);
    let is_named = written.is_some();
    check_type(ty, errors);
    let fallback = match (&written, &name) {
        (Some((name, span)), _) => Some((name.replace('_', "-"), *span)),
        (None, Some((ident, _))) => Some((kebab(ident), ident.span())),
        // The missing name is reported already.
        (None, None) => None,
    };
    let (form, extra) = form(keys, fallback, ty, taken, errors);
    let (ident, name) = name?;
    let name = written.map_or(name, |(written, _)| written);
    taken.take_name(ident, &name, errors);
    Some(Param { name, docs: attrs.docs, ty: ty.clone(), form, extra, is_named })
}

/// Takes the name that clients see out of the keys.
fn name_key(keys: &mut Keys<ArgKey>, ty: &Type, errors: &mut Errors) -> Option<(String, Span)> {
    let mut name = None;
    let mut others = Vec::new();
    for Key { span, kind } in keys.list.drain(..) {
        match kind {
            ArgKey::Name(text) => once(&mut name, span, text, "name", errors),
            kind => others.push(Key { span, kind }),
        }
    }
    keys.list = others;
    let (span, text) = name?;
    if let Some(injected) = injected(ty) {
        let message = format!("`{injected}` has no name that clients see: remove `name`");
        errors.add(span, message);
    }
    Some(seen_name(&text, errors))
}

/// Checks a name that clients see, and returns it with its span.
pub(super) fn seen_name(text: &LitStr, errors: &mut Errors) -> (String, Span) {
    let (name, span) = (text.value(), text.span());
    let reasons = [
        (name.is_empty(), "write at least one character"),
        (
            name.contains(|c: char| !c.is_alphanumeric() && c != '-' && c != '_'),
            "use only letters, digits, `-` and `_`",
        ),
    ];
    invalid("name", &name, &reasons, span, errors);
    (name, span)
}

/// Returns the identifier of a parameter, and the name that clients see.
pub(super) fn param_name<'p>(pat: &'p Pat, errors: &mut Errors) -> Option<(&'p Ident, String)> {
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

/// The keys of which a parameter can have one.
enum FormKey {
    Last,
    Flag(Option<LitStr>),
    Long(Option<LitStr>),
    Rest,
}

/// Checks the keys of a parameter; `name` is that of an option, if it is not written at its key.
fn form(
    keys: Keys<ArgKey>,
    name: Option<(String, Span)>,
    ty: &Type,
    taken: &mut Taken,
    errors: &mut Errors,
) -> (Form, Extra) {
    let (mut form, mut default, mut complete, mut secret, mut from_str) = Default::default();
    let mut extra = ExtraKeys::default();
    let mut set_form = |span, key, errors: &mut Errors| {
        let message = "conflicting keys: write only one of `flag`, `last`, `long` and `rest`";
        once_or(message, &mut form, span, key, errors);
    };
    for Key { span, kind } in keys.list {
        let Some(kind) = extra.take(span, kind, errors) else { continue };
        match kind {
            ArgKey::Flag(name) => set_form(span, FormKey::Flag(name), errors),
            ArgKey::Long(name) => set_form(span, FormKey::Long(name), errors),
            ArgKey::Rest => set_form(span, FormKey::Rest, errors),
            ArgKey::Last => set_form(span, FormKey::Last, errors),
            ArgKey::Default(expr) => once(&mut default, span, expr, "default", errors),
            ArgKey::Complete(path) => once(&mut complete, span, path, "complete", errors),
            ArgKey::Secret => once(&mut secret, span, (), "secret", errors),
            ArgKey::FromStr => once(&mut from_str, span, (), "from_str", errors),
            // Taken above.
            _ => {}
        }
    }
    let mut letter = None;
    let mut option = |key, written, extra: &ExtraKeys, taken: &mut Taken, errors: &mut Errors| {
        let long = option_name(key, written, name.clone(), taken, errors);
        letter = extra.short.as_ref().map(|short| short_name(short, &long, taken, errors));
        long
    };
    if let (Some((span, _)), Type::Path(path), None) = (&extra.short, ty, &form)
        && path.path.is_ident("bool")
    {
        let message = "an option with `long` or `short` has a value: write `flag` for `-v` alone";
        errors.add(*span, message);
    }
    let key = extra.option_key();
    let source = match form {
        None if key.is_some() => Source::Long(option("long", None, &extra, taken, errors)),
        None => Source::Position,
        Some((span, FormKey::Flag(name))) => {
            if let Some(injected) = injected(ty) {
                let message = format!(
                    "`{injected}` is not parsed from words, because it is injected: remove `#[arg(…)]`"
                );
                errors.add(span, message);
            }
            let mut conflict = |span, key, reason| conflicts_with_flag(span, key, reason, errors);
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
            let long = option("flag", name, &extra, taken, errors);
            return (Form::Flag(long), Extra { short: letter, ..Extra::default() });
        }
        Some((_, FormKey::Long(name))) => Source::Long(option("long", name, &extra, taken, errors)),
        Some((span, FormKey::Last)) => {
            taken.take_last(span, errors);
            Source::Last
        }
        Some((span, FormKey::Rest)) => {
            taken.take_rest(span, errors);
            Source::Rest
        }
    };
    match source {
        Source::Rest => check_place("rest", key, ty, taken, errors),
        Source::Last => check_place("last", key, ty, taken, errors),
        Source::Position | Source::Long(_) => {}
    }
    let default = default.map(|(_, expr)| default_value(expr));
    if let Some(DefaultValue::Word(word, span)) = &default
        && let Some(expected) = default::expected(ty, word)
    {
        errors.add(*span, format!("invalid default {word:?}: {expected}"));
    }
    let extra = Extra { short: letter, ..extra.check(ty, default.as_ref(), errors) };
    let conversion = conversion(from_str.is_some(), ty, default, errors);
    let complete = complete.map(|(_, path)| path);
    let value = Value { source, conversion, complete, secret: secret.is_some() };
    (Form::Value(Box::new(value)), extra)
}

/// Reports a key that a flag cannot have.
pub(super) fn conflicts_with_flag(span: Span, key: &str, reason: &str, errors: &mut Errors) {
    let message = format!("`{key}` conflicts with `flag`: {reason}; remove one of the two");
    errors.add(span, message);
}

/// Checks the keys of the rest of a line, and of the words behind `--`, with a key that only an option has.
pub(super) fn check_place(
    word: &str,
    key: Option<(Span, &str)>,
    ty: &Type,
    taken: &Taken,
    errors: &mut Errors,
) {
    if let Some((span, key)) = key {
        let message = format!(
            "`{key}` conflicts with `{word}`: only an option has it; write `long` in place of `{word}`, or remove `{key}`"
        );
        errors.add(span, message);
    }
    if taken.rest && taken.last {
        let message = "`rest` and `last` cannot be in one command: the rest of the line has the `--` and the words behind it; remove one of the two";
        errors.add(first_span(ty), message);
    }
}

/// Returns the name of an option: the one that is written, or the parameter's.
pub(super) fn option_name(
    key: &str,
    written: Option<LitStr>,
    fallback: Option<(String, Span)>,
    taken: &mut Taken,
    errors: &mut Errors,
) -> String {
    let written = written.map(|name| (name.value(), name.span()));
    // The missing name is reported already.
    let Some((name, span)) = written.or(fallback) else { return String::new() };
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

/// Returns the letter of an option: the one that is written, or the first of its name.
fn short_name(
    (span, letter): &(Span, Option<LitChar>),
    long: &str,
    taken: &mut Taken,
    errors: &mut Errors,
) -> char {
    let (letter, span) = match letter {
        Some(letter) => (letter.value(), letter.span()),
        None => (long.chars().next().unwrap_or('-'), *span),
    };
    if !letter.is_ascii_alphabetic() {
        let message = format!(
            "invalid short name {letter:?}: use a letter, `short = 'n'`; a word such as `-5` is a number"
        );
        errors.add(span, message);
    } else if taken.shorts.contains(&letter) {
        let message = format!("duplicate short name `-{letter}`: give another, `short = 'x'`");
        errors.add(span, message);
    }
    taken.shorts.push(letter);
    letter
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
