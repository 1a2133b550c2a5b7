//! The checks of an enum that derives `Commands`, and of its variants.

use proc_macro2::Span;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Member, Path};

use super::args::fields;
use super::command::command_names;
use super::marks::MarkKeys;
use super::param::{Taken, field};
use super::{default_crate, no_generics, once, once_or};
use crate::attr::{CommandKey, CommandsAttrs, CommandsKey, Key, Keys, VariantAttrs};
use crate::errors::Errors;
use crate::model::{CommandVariant, CommandsImpl, Field};
use crate::rule;
use crate::tokens::kebab;

/// Checks an enum and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn commands(
    attrs: CommandsAttrs,
    input: &DeriveInput,
    mut errors: Errors,
) -> syn::Result<CommandsImpl> {
    let krate = commands_crate(&attrs.keys);
    let (mut prefix, mut path) = Default::default();
    for Key { span, kind } in attrs.keys.list {
        match kind {
            CommandsKey::Prefix(text) => once(&mut prefix, span, text, "prefix", &mut errors),
            CommandsKey::Crate(other) => once(&mut path, span, other, "crate", &mut errors),
        }
    }
    no_generics("Commands", input, false, &mut errors);
    let ident = input.ident.clone();
    let data = match &input.data {
        Data::Enum(data) if !data.variants.is_empty() => data.variants.iter().collect(),
        _ => {
            let message = "`Commands` can only be derived for an enum whose variants are commands";
            errors.add(ident.span(), message);
            Vec::new()
        }
    };
    let prefix = prefix.map(|(_, text): (Span, LitStr)| {
        if text.value().contains(' ') {
            errors.add(text.span(), "a prefix is one word: the names of its commands have two");
        }
        command_names(Some((text.value(), text.span())), &[], true, &mut errors);
        text.value()
    });
    let mut variants: Vec<CommandVariant> = Vec::new();
    for (attrs, variant) in attrs.variants.into_iter().zip(data) {
        let Some(found) = command(attrs, variant, &mut errors) else { continue };
        let names = |variant: &CommandVariant| {
            let aliases = variant.aliases.iter();
            [&variant.name].into_iter().chain(aliases).cloned().collect::<Vec<_>>()
        };
        let earlier: Vec<_> = variants.iter().flat_map(names).collect();
        if let Some(twice) = names(&found).iter().find(|name| earlier.contains(name)) {
            let message =
                format!("duplicate command `{twice}`: give another, `#[command(\"name\")]`");
            errors.add(variant.ident.span(), message);
        }
        variants.push(found);
    }
    errors.finish(CommandsImpl { krate, ident, prefix, variants })
}

/// Returns the path of the crate `dockipc`, also for a type with mistakes.
pub(crate) fn commands_crate(keys: &Keys<CommandsKey>) -> Path {
    let path = keys.list.iter().find_map(|key| match &key.kind {
        CommandsKey::Crate(path) => Some(path.clone()),
        CommandsKey::Prefix(_) => None,
    });
    path.unwrap_or_else(default_crate)
}

/// Checks a variant that is a command.
fn command(
    attrs: VariantAttrs,
    variant: &syn::Variant,
    errors: &mut Errors,
) -> Option<CommandVariant> {
    let ident = &variant.ident;
    let (mut name, mut allow) = Default::default();
    let (mut hidden, mut idempotent) = Default::default();
    let mut marks = MarkKeys::default();
    let mut aliases = Vec::new();
    for Key { span, kind } in attrs.keys.list {
        let Some(kind) = marks.take(span, kind, errors) else { continue };
        match kind {
            CommandKey::Name(text) => {
                let message = "duplicate command name: write `alias = \"…\"` for another name";
                once_or(message, &mut name, span, text, errors);
            }
            CommandKey::Alias(text) => aliases.push(text),
            CommandKey::Allow(text) => {
                errors.take(rule::parse(&text));
                let message = "duplicate `allow`: join the rules with `|` in one `allow`";
                once_or(message, &mut allow, span, text.value(), errors);
            }
            CommandKey::Hidden => once(&mut hidden, span, (), "hidden", errors),
            CommandKey::Idempotent => once(&mut idempotent, span, (), "idempotent", errors),
            CommandKey::Since(_)
            | CommandKey::Deprecated(_)
            | CommandKey::Readonly
            | CommandKey::Destructive => unreachable!("taken as marks"),
            CommandKey::Abort | CommandKey::Newest | CommandKey::Flatten | CommandKey::Crate(_) => {
                errors.add(span, "this key is of the function or the enum, not of a variant");
            }
        }
    }
    let name = match name {
        Some((span, text)) => (text.value(), span),
        // The name may be what could not be parsed.
        None if !attrs.keys.is_complete => return None,
        None => (kebab(ident), ident.span()),
    };
    let mut names = command_names(Some(name), &aliases, false, errors).into_iter();
    let fields = match &variant.fields {
        Fields::Unit => Vec::new(),
        Fields::Named(_) => fields(attrs.fields, &variant.fields, &mut Taken::default(), errors),
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() < 2 => {
            let fields = attrs.fields.into_iter().zip(&unnamed.unnamed);
            let fields = fields.filter_map(|(attrs, syn)| {
                let param = field(attrs, ident, &syn.ty, &mut Taken::default(), errors)?;
                Some(Field { member: Member::from(0), param })
            });
            fields.collect()
        }
        Fields::Unnamed(_) => {
            let message = "the parameters of a command have names: write `name: Type` for each field, or one field of a type that derives `Args`";
            errors.push(Error::new_spanned(&variant.fields, message));
            Vec::new()
        }
    };
    let marks = marks.finish(errors);
    Some(CommandVariant {
        variant: ident.clone(),
        name: names.next()?,
        aliases: names.collect(),
        hidden: hidden.is_some(),
        idempotent: idempotent.is_some() || marks.readonly,
        marks,
        allow: allow.map(|(_, text)| text),
        docs: attrs.docs,
        fields,
    })
}
