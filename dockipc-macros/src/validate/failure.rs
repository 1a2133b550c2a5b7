//! The checks of a type that derives `Failure`, and of its variants.

use syn::{Data, DeriveInput, LitStr};

use super::{default_crate, invalid, no_generics, once};
use crate::attr::{CodeKey, FailureAttrs, FailureKey, Key};
use crate::errors::Errors;
use crate::model::{Codes, FailureImpl, VariantCode};

/// The code of a variant without one.
const DEFAULT: &str = "ERR";

/// Checks a type and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn failure(
    attrs: FailureAttrs,
    input: &DeriveInput,
    mut errors: Errors,
) -> syn::Result<FailureImpl> {
    let (mut code, mut path) = Default::default();
    // A code with a mistake in its syntax is not missing.
    let is_missing = attrs.keys.is_complete
        && attrs.keys.list.iter().all(|key| matches!(key.kind, FailureKey::Crate(_)))
        && attrs.variants.iter().all(|keys| keys.is_complete && keys.list.is_empty());
    for Key { span, kind } in attrs.keys.list {
        match kind {
            FailureKey::Code(literal) => once(&mut code, span, literal, "code", &mut errors),
            FailureKey::Crate(other) => once(&mut path, span, other, "crate", &mut errors),
        }
    }
    no_generics("Failure", input, false, &mut errors);
    let mut literals: Vec<LitStr> = code.into_iter().map(|(_, literal)| literal).collect();
    let code = literals.first().map_or_else(|| DEFAULT.to_owned(), LitStr::value);
    let codes = match &input.data {
        Data::Enum(data) => {
            let mut codes = Vec::new();
            for (keys, variant) in attrs.variants.into_iter().zip(&data.variants) {
                let mut own = None;
                for Key { span, kind } in keys.list {
                    once(&mut own, span, kind, "code", &mut errors);
                }
                let code = match own {
                    None => VariantCode::Word(code.clone()),
                    Some((_, CodeKey::Code(literal))) => {
                        let code = literal.value();
                        literals.push(literal);
                        VariantCode::Word(code)
                    }
                    Some((span, CodeKey::Transparent)) => {
                        let mut fields = variant.fields.iter().zip(variant.fields.members());
                        let (Some((field, member)), None) = (fields.next(), fields.next()) else {
                            let message = "`transparent` takes the code of the variant's field: give the variant one field, or a code";
                            errors.add(span, message);
                            continue;
                        };
                        VariantCode::Field(member, Box::new(field.ty.clone()))
                    }
                };
                codes.push((variant.ident.clone(), code));
            }
            Codes::Enum(codes)
        }
        _ => Codes::Struct(code),
    };
    if is_missing {
        let at = if matches!(codes, Codes::Enum(_)) { "a variant or the type" } else { "the type" };
        let message = format!("missing code: add `#[code(\"NOTFOUND\")]` to {at}");
        errors.add(input.ident.span(), message);
    }
    for literal in &literals {
        let code = literal.value();
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let reasons = [
            (code.is_empty(), "write at least one letter"),
            (!code.chars().all(fits), "use only `A-Z`, `0-9` and `_`"),
        ];
        invalid("code", &code, &reasons, literal.span(), &mut errors);
    }
    let krate = path.map_or_else(default_crate, |(_, path)| path);
    errors.finish(FailureImpl { krate, ident: input.ident.clone(), literals, codes })
}
