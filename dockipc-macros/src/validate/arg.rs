//! The checks of a type that derives `Arg`, and of its variants.

use syn::{Data, DeriveInput, Error, Fields, Path, Variant};

use super::{default_crate, invalid, no_generics, once};
use crate::attr::{Key, Keys, TypeAttrs, TypeKey, VariantKey};
use crate::errors::Errors;
use crate::model::{ArgImpl, Choice, WordParser};
use crate::tokens::kebab;

/// Checks a type and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn arg(
    attrs: TypeAttrs,
    input: &DeriveInput,
    mut errors: Errors,
) -> syn::Result<ArgImpl> {
    let krate = arg_crate(&attrs.keys);
    let (mut from_str, mut path) = Default::default();
    for Key { span, kind } in attrs.keys.list {
        match kind {
            TypeKey::FromStr => once(&mut from_str, span, (), "from_str", &mut errors),
            TypeKey::Crate(other) => once(&mut path, span, other, "crate", &mut errors),
        }
    }
    no_generics("Arg", input, false, &mut errors);
    let ident = input.ident.clone();
    let parser = match &input.data {
        _ if from_str.is_some() => {
            for Key { span, kind: VariantKey::Name(_) } in
                attrs.variants.iter().flat_map(|v| &v.list)
            {
                let message = "`name` conflicts with `from_str`: the type's `FromStr` decides which words it accepts; remove one of the two";
                errors.add(*span, message);
            }
            WordParser::FromStr
        }
        Data::Enum(data) => {
            if data.variants.is_empty() {
                let message = "`Arg` cannot be derived for an enum without variants: add a variant";
                errors.add(ident.span(), message);
            }
            WordParser::Choices(choices(attrs.variants, &data.variants, &mut errors))
        }
        _ => {
            let message = "`Arg` cannot be derived for this type: make it an enum of unit variants, or add `#[arg(from_str)]` if it has `FromStr`";
            errors.add(ident.span(), message);
            WordParser::FromStr
        }
    };
    errors.finish(ArgImpl { krate, ident, parser })
}

/// Returns the path of the crate `dockipc`, also for a type with mistakes.
pub(crate) fn arg_crate(keys: &Keys<TypeKey>) -> Path {
    let path = keys.list.iter().find_map(|key| match &key.kind {
        TypeKey::Crate(path) => Some(path.clone()),
        TypeKey::FromStr => None,
    });
    path.unwrap_or_else(default_crate)
}

/// Returns the word of each variant.
pub(super) fn choices<'v>(
    attrs: Vec<Keys<VariantKey>>,
    variants: impl IntoIterator<Item = &'v Variant>,
    errors: &mut Errors,
) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for (keys, variant) in attrs.into_iter().zip(variants) {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "`Arg` cannot be derived for a variant with fields: implement `FromStr` for the type and add `#[arg(from_str)]` to it, or write a command for each variant";
            errors.push(Error::new_spanned(&variant.fields, message));
        }
        let mut name = None;
        for Key { span, kind: VariantKey::Name(text) } in keys.list {
            once(&mut name, span, text, "name", errors);
        }
        let (word, span) = match name {
            Some((_, text)) => (text.value(), text.span()),
            // The name is what could not be parsed.
            None if !keys.is_complete => continue,
            None => (kebab(&variant.ident), variant.ident.span()),
        };
        let reasons = [
            (word.is_empty(), "write at least one character"),
            (
                word.contains(|c: char| c.is_whitespace() || c.is_control()),
                "leave out whitespace and control characters",
            ),
        ];
        invalid("word", &word, &reasons, span, errors);
        if choices.iter().any(|choice| choice.word == word) {
            let message =
                format!("duplicate word `{word}`: give another, `#[arg(name = \"word\")]`");
            errors.add(span, message);
        }
        choices.push(Choice { variant: variant.ident.clone(), word });
    }
    choices
}
