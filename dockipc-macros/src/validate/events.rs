//! The checks of an enum that derives `Events`, and of its variants.

use syn::{Data, DeriveInput, Error, Fields, Path};

use super::{default_crate, invalid, no_generics, once};
use crate::attr::{CrateKey, EventKey, EventsAttrs, Key, Keys};
use crate::errors::Errors;
use crate::model::{Channel, EventsImpl};
use crate::rule;
use crate::tokens::kebab;

/// Checks an enum and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn events(
    attrs: EventsAttrs,
    input: &DeriveInput,
    mut errors: Errors,
) -> syn::Result<EventsImpl> {
    let krate = events_crate(&attrs.keys);
    let mut path = None;
    for Key { span, kind: CrateKey(other) } in attrs.keys.list {
        once(&mut path, span, other, "crate", &mut errors);
    }
    no_generics("Events", input, false, &mut errors);
    let ident = input.ident.clone();
    let mut channels: Vec<Channel> = Vec::new();
    let data = match &input.data {
        Data::Enum(data) if !data.variants.is_empty() => data.variants.iter().collect(),
        _ => {
            let message = "`Events` can only be derived for an enum whose variants are channels";
            errors.add(ident.span(), message);
            Vec::new()
        }
    };
    for ((keys, docs), variant) in attrs.variants.into_iter().zip(data) {
        let (mut name, mut allow, mut when_full) = Default::default();
        for Key { span, kind } in keys.list {
            match kind {
                EventKey::Name(text) => once(&mut name, span, text, "name", &mut errors),
                EventKey::Allow(text) => once(&mut allow, span, text, "allow", &mut errors),
                EventKey::WhenFull(text) => {
                    once(&mut when_full, span, text, "when_full", &mut errors);
                }
            }
        }
        let (name, span) = match name {
            Some((_, text)) => (text.value(), text.span()),
            // The name may be what could not be parsed.
            None if !keys.is_complete => continue,
            None => (kebab(&variant.ident), variant.ident.span()),
        };
        check_name(&name, span, &mut errors);
        if channels.iter().any(|other| other.name == name) {
            let message = format!("duplicate channel `{name}`: give another, `#[event(\"name\")]`");
            errors.add(span, message);
        }
        let ends = when_full.is_some_and(|(_, text)| {
            let policy = text.value();
            if !matches!(&*policy, "drop" | "end") {
                let message = format!("unknown policy {policy:?}: write \"drop\" or \"end\"");
                errors.add(text.span(), message);
            }
            policy == "end"
        });
        let value = match &variant.fields {
            Fields::Unit => None,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                fields.unnamed.first().map(|field| field.ty.clone())
            }
            fields => {
                let message = "an event has one value: give the variant one field without a name, such as a struct that derives `Reply`, or no field";
                errors.push(Error::new_spanned(fields, message));
                None
            }
        };
        let allow = allow.and_then(|(_, rule)| errors.take(rule::parse(&rule)));
        let variant = variant.ident.clone();
        channels.push(Channel { variant, name, docs, value, allow, ends });
    }
    errors.finish(EventsImpl { krate, ident, channels })
}

/// Reports everything that is wrong with the name of a channel, as a server does with one of run time.
fn check_name(name: &str, span: proc_macro2::Span, errors: &mut Errors) {
    let is_inner = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | ':' | '-');
    let is_first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let reasons = [
        (name.is_empty(), "write at least one character"),
        (!name.chars().all(is_inner), "use only `a-z`, `0-9`, `.`, `_`, `:` and `-`"),
        (name.starts_with(|c| is_inner(c) && !is_first(c)), "begin with a letter or a digit"),
        (name.len() > 255, "use at most 255 bytes"),
    ];
    invalid("channel", name, &reasons, span, errors);
}

/// Returns the path of the crate `dockipc`, also for a type with mistakes.
pub(crate) fn events_crate(keys: &Keys<CrateKey>) -> Path {
    keys.list.first().map_or_else(default_crate, |key| key.kind.0.clone())
}
