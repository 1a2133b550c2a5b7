//! The checks of a type that derives `Reply`.

use syn::{Data, DeriveInput, Fields, Path};

use super::arg::choices;
use super::{default_crate, no_generics, once};
use crate::attr::{CrateKey, Key, Keys, ReplyAttrs};
use crate::errors::Errors;
use crate::model::{Answer, ReplyImpl};

/// Checks a type and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn reply(
    attrs: ReplyAttrs,
    input: &DeriveInput,
    mut errors: Errors,
) -> syn::Result<ReplyImpl> {
    let krate = reply_crate(&attrs.keys);
    let mut path = None;
    for Key { span, kind: CrateKey(other) } in attrs.keys.list {
        once(&mut path, span, other, "crate", &mut errors);
    }
    no_generics("Reply", input, true, &mut errors);
    let ident = input.ident.clone();
    let is_unit = |data: &syn::DataEnum| {
        !data.variants.is_empty() && data.variants.iter().all(|v| matches!(v.fields, Fields::Unit))
    };
    let answer = match &input.data {
        Data::Struct(data) if matches!(&data.fields, Fields::Named(named) if !named.named.is_empty()) =>
        {
            let fields = data.fields.iter().cloned();
            Answer::Map(fields.filter_map(|field| Some((field.ident?, field.ty))).collect())
        }
        Data::Enum(data) if is_unit(data) => {
            Answer::Word(choices(attrs.variants, &data.variants, false, &mut errors))
        }
        _ => {
            let message = "`Reply` cannot be derived for this type: make it a struct with named fields or an enum of unit variants, or write `impl dockipc::IntoReply`";
            errors.add(ident.span(), message);
            Answer::Word(Vec::new())
        }
    };
    errors.finish(ReplyImpl { krate, ident, generics: input.generics.clone(), answer })
}

/// Returns the path of the crate `dockipc`, also for a type with mistakes.
pub(crate) fn reply_crate(keys: &Keys<CrateKey>) -> Path {
    keys.list.first().map_or_else(default_crate, |key| key.kind.0.clone())
}
