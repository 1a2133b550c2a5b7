//! The types on which the implementations for a generic type need a bound.

use quote::ToTokens;
use syn::{
    AngleBracketedGenericArguments, GenericArgument, Generics, Ident, PathArguments, Type,
    TypePath, parse_quote,
};

/// Returns what the types of fields mention of a type's parameters: each parameter itself, and each associated type,
/// such as `I::Item`.
///
/// A parameter that only has its associated type mentioned needs no bound, and might not meet it.
pub(super) fn generic_types<'t>(
    ident: &Ident,
    generics: &Generics,
    fields: impl IntoIterator<Item = &'t Type>,
) -> Vec<Type> {
    let params: Vec<_> = generics.type_params().map(|param| &param.ident).collect();
    let mut found = Found { ident, params, types: Vec::new() };
    if !found.params.is_empty() {
        for ty in fields {
            found.visit(ty);
        }
    }
    found.types
}

struct Found<'p> {
    /// The type itself, which has the bounds that it needs.
    ident: &'p Ident,
    params: Vec<&'p Ident>,
    types: Vec<Type>,
}

impl Found<'_> {
    fn visit(&mut self, ty: &Type) {
        match ty {
            Type::Path(path) => self.path(path),
            Type::Array(array) => self.visit(&array.elem),
            Type::Group(group) => self.visit(&group.elem),
            Type::Paren(paren) => self.visit(&paren.elem),
            Type::Reference(reference) => self.visit(&reference.elem),
            Type::Slice(slice) => self.visit(&slice.elem),
            Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| self.visit(ty)),
            // It may mention any of them.
            Type::Macro(_) => {
                let params: Vec<Type> =
                    self.params.iter().map(|param| parse_quote!(#param)).collect();
                for param in params {
                    self.add(param);
                }
            }
            _ => {}
        }
    }

    fn path(&mut self, ty: &TypePath) {
        let TypePath { qself, path, .. } = ty;
        if let Some(qself) = qself {
            let mut within =
                Found { ident: self.ident, params: self.params.clone(), types: Vec::new() };
            within.visit(&qself.ty);
            if !within.types.is_empty() {
                self.add(Type::Path(ty.clone()));
            }
            return;
        }
        let is_param = |ident: &Ident| self.params.contains(&ident);
        match path.segments.first() {
            Some(first) if path.leading_colon.is_none() && is_param(&first.ident) => {
                self.add(Type::Path(ty.clone()));
            }
            // Behind a path, the name is that of another module's type.
            Some(first) if path.segments.len() == 1 && first.ident == *self.ident => {}
            _ => {
                for segment in &path.segments {
                    if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
                        self.arguments(arguments);
                    }
                }
            }
        }
    }

    fn arguments(&mut self, arguments: &AngleBracketedGenericArguments) {
        for argument in &arguments.args {
            if let GenericArgument::Type(ty) = argument {
                self.visit(ty);
            }
        }
    }

    fn add(&mut self, ty: Type) {
        let text = ty.to_token_stream().to_string();
        if !self.types.iter().any(|other| other.to_token_stream().to_string() == text) {
            self.types.push(ty);
        }
    }
}
