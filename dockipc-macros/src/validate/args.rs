//! The checks of a type that derives `Args`: a struct of parameters, or an enum of which one variant is given.

use syn::{Data, DeriveInput, Error, Fields, Member, Path, parse_quote};

use super::param::{Taken, field};
use super::{default_crate, no_generics, once};
use crate::attr::{
    AlternativeAttrs, AlternativeKey, ArgKey, ArgsAttrs, CrateKey, Key, Keys, ParamAttrs,
};
use crate::errors::Errors;
use crate::model::{Alternative, ArgsImpl, Field, Form, Group, Param};
use crate::tokens::inside;

/// Checks a type and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn args(
    attrs: ArgsAttrs,
    input: &DeriveInput,
    mut errors: Errors,
) -> syn::Result<ArgsImpl> {
    let krate = args_crate(&attrs.keys);
    let mut path = None;
    for Key { span, kind: CrateKey(other) } in attrs.keys.list {
        once(&mut path, span, other, "crate", &mut errors);
    }
    no_generics("Args", input, false, &mut errors);
    let ident = input.ident.clone();
    let mut taken = Taken::default();
    let group = match &input.data {
        Data::Struct(data) if is_named(&data.fields) => {
            Group::Fields(fields(attrs.fields, &data.fields, &mut taken, &mut errors))
        }
        Data::Enum(data) if !data.variants.is_empty() => {
            let last = data.variants.len() - 1;
            let variants = attrs.variants.into_iter().zip(&data.variants).enumerate();
            let alternatives = variants.filter_map(|(i, (attrs, variant))| {
                alternative(attrs, variant, i == last, &mut taken, &mut errors)
            });
            Group::OneOf(alternatives.collect())
        }
        _ => {
            let message = "`Args` cannot be derived for this type: make it a struct with named fields, each of which is a parameter, or an enum of which one variant is given";
            errors.add(ident.span(), message);
            Group::Fields(Vec::new())
        }
    };
    errors.finish(ArgsImpl { krate, ident, group })
}

/// Returns the path of the crate `dockipc`, also for a type with mistakes.
pub(crate) fn args_crate(keys: &Keys<CrateKey>) -> Path {
    keys.list.first().map_or_else(default_crate, |key| key.kind.0.clone())
}

fn is_named(fields: &Fields) -> bool {
    matches!(fields, Fields::Named(fields) if !fields.named.is_empty())
}

/// Checks fields with names.
pub(super) fn fields(
    attrs: Vec<ParamAttrs>,
    fields: &Fields,
    taken: &mut Taken,
    errors: &mut Errors,
) -> Vec<Field> {
    let fields = attrs.into_iter().zip(fields);
    let fields = fields.filter_map(|(attrs, syn)| {
        let ident = syn.ident.as_ref()?;
        let param = field(attrs, ident, &syn.ty, taken, errors)?;
        Some(Field { member: Member::Named(ident.clone()), param })
    });
    fields.collect()
}

/// Checks a variant of which a client gives one.
fn alternative(
    attrs: AlternativeAttrs,
    variant: &syn::Variant,
    is_last: bool,
    taken: &mut Taken,
    errors: &mut Errors,
) -> Option<Alternative> {
    let ident = &variant.ident;
    let (mut positional, mut has_way) = (None, false);
    let mut keys = Keys { list: Vec::new(), is_complete: attrs.keys.is_complete };
    let mut inner = attrs.fields.into_iter();
    let (field_attrs, more) = (inner.next(), inner.next());
    let docs = match &field_attrs {
        Some(field) if attrs.docs.is_empty() => field.docs.clone(),
        _ => attrs.docs,
    };
    for Key { span, kind } in attrs.keys.list {
        match kind {
            AlternativeKey::Positional => once(&mut positional, span, (), "positional", errors),
            AlternativeKey::Arg(kind) => keys.list.push(Key { span, kind }),
        }
    }
    let at_field = field_attrs.into_iter().flat_map(|field| field.keys.list);
    keys.list.extend(at_field);
    for Key { span, kind } in &keys.list {
        has_way |= matches!(kind, ArgKey::Long(_) | ArgKey::Flag(_) | ArgKey::Rest);
        if let ArgKey::Default(_) = kind {
            let message = "a variant has no default, because one of them is given: make the parameter an `Option` of the enum, or remove `default`";
            errors.add(*span, message);
        }
        if let ArgKey::Caller(_) = kind {
            let message =
                "nothing is filled in for a variant, because one of them is given: remove `caller`";
            errors.add(*span, message);
        }
    }
    if let (Some((span, ())), true) = (&positional, has_way) {
        errors.add(*span, "`positional` conflicts with another key: write only one of them");
    }
    if more.is_some() {
        let message = "a variant is given by one parameter: write one field, or a command for each variant with `#[derive(Commands)]`";
        errors.push(Error::new_spanned(&variant.fields, message));
        return None;
    }
    let Some(syn) = variant.fields.iter().next() else {
        if let Some((span, ())) = positional {
            errors.add(span, "a variant without a field is a flag: remove `positional`");
        }
        if !has_way {
            keys.list.push(Key { span: ident.span(), kind: ArgKey::Flag(None) });
        }
        let param = field(
            ParamAttrs { keys, docs },
            ident,
            &parse_quote!(::core::primitive::bool),
            taken,
            errors,
        )?;
        if !matches!(param.form, Form::Flag(_)) {
            errors.add(ident.span(), "a variant without a field is a flag: remove its key");
        }
        return Some(Alternative { variant: ident.clone(), param, member: None });
    };
    let is_list = inside("Vec", &syn.ty).is_some();
    if !has_way && positional.is_none() && !(is_last && is_list) {
        keys.list.push(Key { span: ident.span(), kind: ArgKey::Long(None) });
    }
    let name = syn.ident.as_ref().unwrap_or(ident);
    let param = field(ParamAttrs { keys, docs }, name, &syn.ty, taken, errors)?;
    if let Param { form: Form::Flag(_), .. } = param {
        errors.add(name.span(), "a flag has no value: leave out the field, or write `long`");
    }
    let member = syn.ident.clone().map_or_else(|| Member::from(0), Member::Named);
    Some(Alternative { variant: ident.clone(), param, member: Some(member) })
}
