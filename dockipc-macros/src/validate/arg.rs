//! The checks of a type that derives `Arg`, and of its variants.

use proc_macro2::Span;
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
    let (mut from_str, mut ignore_case, mut path) = Default::default();
    for Key { span, kind } in attrs.keys.list {
        match kind {
            TypeKey::FromStr => once(&mut from_str, span, (), "from_str", &mut errors),
            TypeKey::IgnoreCase => once(&mut ignore_case, span, (), "ignore_case", &mut errors),
            TypeKey::Crate(other) => once(&mut path, span, other, "crate", &mut errors),
        }
    }
    no_generics("Arg", input, false, &mut errors);
    let ident = input.ident.clone();
    let parser = match &input.data {
        _ if from_str.is_some() => {
            let mut conflict = |span, key| {
                let message = format!(
                    "`{key}` conflicts with `from_str`: the type's `FromStr` decides which words it accepts; remove one of the two"
                );
                errors.add(span, message);
            };
            if let Some((span, ())) = ignore_case {
                conflict(span, "ignore_case");
            }
            for Key { span, kind } in attrs.variants.iter().flat_map(|v| &v.list) {
                let key = match kind {
                    VariantKey::Name(_) => "name",
                    VariantKey::Alias(_) => "alias",
                };
                conflict(*span, key);
            }
            WordParser::FromStr
        }
        Data::Enum(data) => {
            if data.variants.is_empty() {
                let message = "`Arg` cannot be derived for an enum without variants: add a variant";
                errors.add(ident.span(), message);
            }
            let ignore_case = ignore_case.is_some();
            let choices = choices(attrs.variants, &data.variants, ignore_case, &mut errors);
            WordParser::Choices { choices, ignore_case }
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
        TypeKey::FromStr | TypeKey::IgnoreCase => None,
    });
    path.unwrap_or_else(default_crate)
}

/// Returns the word of each variant.
pub(super) fn choices<'v>(
    attrs: Vec<Keys<VariantKey>>,
    variants: impl IntoIterator<Item = &'v Variant>,
    ignore_case: bool,
    errors: &mut Errors,
) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for (keys, variant) in attrs.into_iter().zip(variants) {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "`Arg` cannot be derived for a variant with fields: implement `FromStr` for the type and add `#[arg(from_str)]` to it, or write a command for each variant";
            errors.push(Error::new_spanned(&variant.fields, message));
        }
        let (mut name, mut aliases) = (None, Vec::new());
        for Key { span, kind } in keys.list {
            match kind {
                VariantKey::Name(text) => once(&mut name, span, text, "name", errors),
                VariantKey::Alias(text) => aliases.push(text),
            }
        }
        let (word, span) = match name {
            Some((_, text)) => (text.value(), text.span()),
            // The name is what could not be parsed.
            None if !keys.is_complete => continue,
            None => (kebab(&variant.ident), variant.ident.span()),
        };
        let choice = Choice { variant: variant.ident.clone(), word, aliases: Vec::new() };
        check_word(&choice.word, span, errors);
        if has(&choices, &choice.word, ignore_case) {
            let word = &choice.word;
            let message =
                format!("duplicate word `{word}`: give another, `#[arg(name = \"word\")]`");
            errors.add(span, message);
        }
        choices.push(choice);
        for alias in aliases {
            let (word, span) = (alias.value(), alias.span());
            check_word(&word, span, errors);
            if has(&choices, &word, ignore_case) {
                errors.add(span, format!("duplicate word `{word}`: remove this alias"));
            }
            choices.last_mut().into_iter().for_each(|choice| choice.aliases.push(word.clone()));
        }
    }
    choices
}

fn check_word(word: &str, span: Span, errors: &mut Errors) {
    let reasons = [
        (word.is_empty(), "write at least one character"),
        (
            word.contains(|c: char| c.is_whitespace() || c.is_control()),
            "leave out whitespace and control characters",
        ),
    ];
    invalid("word", word, &reasons, span, errors);
}

/// Returns whether a word is one of a variant's.
fn has(choices: &[Choice], word: &str, ignore_case: bool) -> bool {
    let is_same = |other: &String| {
        if ignore_case { other.eq_ignore_ascii_case(word) } else { other == word }
    };
    choices.iter().any(|choice| is_same(&choice.word) || choice.aliases.iter().any(is_same))
}
