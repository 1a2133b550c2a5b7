//! The checks of a type that derives `Reply`.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DataEnum, DeriveInput, Error, Field, Fields, Ident, LitStr, Path};

use super::{default_crate, invalid, once};
use crate::attr::{
    Key, Keys, ReplyAttrs, ReplyFieldAttrs, ReplyFieldKey, ReplyKey, ReplyVariantAttrs,
    ReplyVariantKey, VariantKey,
};
use crate::errors::Errors;
use crate::model::{Answer, Content, Other, ReplyField, ReplyImpl, ReplyVariant};
use crate::tokens::{first_span, kebab, mentions};

/// Checks a type and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn reply(
    attrs: ReplyAttrs,
    input: &DeriveInput,
    mut errors: Errors,
) -> syn::Result<ReplyImpl> {
    let krate = reply_crate(&attrs.keys);
    let (mut path, mut table) = (None, None);
    for Key { span, kind } in attrs.keys.list {
        match kind {
            ReplyKey::Table => once(&mut table, span, (), "table", &mut errors),
            ReplyKey::Crate(other) => once(&mut path, span, other, "crate", &mut errors),
        }
    }
    let ident = input.ident.clone();
    let answer = match &input.data {
        Data::Struct(data) => {
            let content = content(attrs.fields, &data.fields, &mut errors);
            check_recursion(&ident, &content, &mut errors);
            Answer::Struct { content, is_table: table.is_some() }
        }
        Data::Enum(data) => variants(attrs.variants, data, &ident, &mut errors),
        Data::Union(_) => {
            let message = "`Reply` cannot be derived for a union: make it an enum, or write `impl dockipc::IntoReply`";
            errors.add(ident.span(), message);
            Answer::Struct { content: Content::Nothing, is_table: false }
        }
    };
    if let Some((span, ())) = table {
        let has_names = match &answer {
            Answer::Struct { content: Content::Map(fields), .. } => !fields.is_empty(),
            _ => false,
        };
        if !has_names {
            let message = "`table` needs a struct with named fields, whose names are those of the columns: name the fields, or leave out `table`";
            errors.add(span, message);
        }
    }
    errors.finish(ReplyImpl { krate, ident, generics: input.generics.clone(), answer })
}

/// Returns the path of the crate `dockipc`, also for a type with mistakes.
pub(crate) fn reply_crate(keys: &Keys<ReplyKey>) -> Path {
    let path = keys.list.iter().find_map(|key| match &key.kind {
        ReplyKey::Crate(path) => Some(path.clone()),
        ReplyKey::Table => None,
    });
    path.unwrap_or_else(default_crate)
}

/// Returns the fields of a struct or a variant.
fn content(attrs: Vec<ReplyFieldAttrs>, fields: &Fields, errors: &mut Errors) -> Content {
    let named = attrs.into_iter().zip(fields);
    if let Fields::Named(_) = fields {
        let mut content: Vec<ReplyField> = Vec::new();
        for (ReplyFieldAttrs { keys, docs }, field) in named {
            let Field { ident: Some(ident), ty, .. } = field else { continue };
            let text = name(keys, errors);
            let span = text.as_ref().map_or(ident.span(), LitStr::span);
            let name = text.map_or_else(|| ident.unraw().to_string(), |text| text.value());
            check_word("name", &name, span, errors);
            if content.iter().any(|other| other.name == name) {
                errors.add(
                    span,
                    format!("duplicate name `{name}`: give another, `#[dockipc(name = \"name\")]`"),
                );
            }
            content.push(ReplyField { ident: ident.clone(), name, docs, ty: ty.clone() });
        }
        return Content::Map(content);
    }
    for (attrs, _) in named {
        if let Some(text) = name(attrs.keys, errors) {
            let message =
                "a field without a name has none in an answer: name the field, or leave out `name`";
            errors.add(text.span(), message);
        }
    }
    let mut types: Vec<_> = fields.iter().map(|field| field.ty.clone()).collect();
    match types.len() {
        0 => Content::Nothing,
        1 => Content::One(Box::new(types.remove(0))),
        _ => Content::Row(types),
    }
}

/// Returns the name that the keys of a field give it.
fn name(keys: Keys<ReplyFieldKey>, errors: &mut Errors) -> Option<LitStr> {
    let mut name = None;
    for Key { span, kind: ReplyFieldKey(text) } in keys.list {
        once(&mut name, span, text, "name", errors);
    }
    name.map(|(_, text)| text)
}

/// Reports a struct whose type in a description would contain itself without end.
fn check_recursion(ident: &Ident, content: &Content, errors: &mut Errors) {
    let types = match content {
        Content::One(ty) => std::slice::from_ref(&**ty),
        Content::Row(types) => types,
        Content::Nothing | Content::Map(_) => return,
    };
    if let Some(ty) = types.iter().find(|ty| mentions(ident, ty.to_token_stream())) {
        let message = "a field without a name cannot hold values of the struct's own type: name the fields, `struct Tree { branches: Vec<Tree> }`";
        errors.add(first_span(ty), message);
    }
}

/// Returns the variants of an enum.
fn variants(
    attrs: Vec<ReplyVariantAttrs>,
    data: &DataEnum,
    ident: &Ident,
    errors: &mut Errors,
) -> Answer {
    let (mut variants, mut unknown): (Vec<ReplyVariant>, _) = (Vec::new(), None);
    if data.variants.is_empty() {
        let message = "`Reply` cannot be derived for an enum without variants: add a variant";
        errors.add(ident.span(), message);
    }
    for (attrs, variant) in attrs.into_iter().zip(&data.variants) {
        let ident = variant.ident.clone();
        let (mut name, mut other, mut aliases) = (None, None, Vec::new());
        for Key { span, kind } in attrs.keys.list {
            match kind {
                ReplyVariantKey::Name(text) => once(&mut name, span, text, "name", errors),
                ReplyVariantKey::Other => once(&mut other, span, (), "other", errors),
            }
        }
        for Key { span, kind } in attrs.arg.list {
            match kind {
                VariantKey::Name(text) => once(&mut name, span, text, "name", errors),
                VariantKey::Alias(text) => aliases.push(text.value()),
            }
        }
        let is_complete = attrs.keys.is_complete && attrs.arg.is_complete;
        let content = content(attrs.fields, &variant.fields, errors);
        if let Some((span, ())) = other {
            let (of_word, found) = match (&variant.fields, &content) {
                (_, Content::Nothing) => (false, Some(Other::Unit(ident.clone()))),
                (Fields::Unnamed(_), Content::One(ty)) => {
                    (true, Some(Other::Word(ident.clone(), ty.clone())))
                }
                _ => (false, None),
            };
            match found {
                Some(found) => once(&mut unknown, span, found, "other", errors),
                None => errors.push(Error::new_spanned(
                    &variant.fields,
                    "`other` is for a variant without fields, or with one `String`, which gets the unknown word",
                )),
            }
            if of_word {
                if let Some((_, text)) = name {
                    let message = "a variant that holds the unknown word has none of its own: leave out `name`";
                    errors.add(text.span(), message);
                }
                continue;
            }
        }
        let (word, span) = match name {
            Some((_, text)) => (text.value(), text.span()),
            // The name is what could not be parsed.
            None if !is_complete => continue,
            None => (kebab(&ident), ident.span()),
        };
        check_word("word", &word, span, errors);
        if variants.iter().any(|other| other.word == word) {
            let message =
                format!("duplicate word `{word}`: give another, `#[dockipc(name = \"word\")]`");
            errors.add(span, message);
        }
        variants.push(ReplyVariant { ident, word, docs: attrs.docs, aliases, content });
    }
    Answer::Enum { variants, other: unknown.map(|(_, other)| other) }
}

fn check_word(what: &str, word: &str, span: proc_macro2::Span, errors: &mut Errors) {
    let is_bad = |c: char| c.is_whitespace() || c.is_control();
    let reasons = [
        (word.is_empty(), "write at least one character"),
        (word.contains(is_bad), "leave out whitespace and control characters"),
    ];
    invalid(what, word, &reasons, span, errors);
}
