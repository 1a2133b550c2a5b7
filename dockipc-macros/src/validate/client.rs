//! The checks of a client's trait, its methods and their parameters.

use quote::ToTokens;
use syn::{
    Error, FnArg, GenericParam, Ident, ItemTrait, LitStr, Pat, Path, ReceiverKind, ReturnType,
    TraitItem, TraitItemFn, Type, parse_quote,
};

use super::command::check_name;
use super::param::{Taken, check_place, conflicts_with_flag, option_name, param_name, seen_name};
use super::{default_crate, once, once_or};
use crate::attr::{ClientAttrs, CrateKey, Key, Keys, MethodAttrs, MethodKey, SentKey, conditional};
use crate::errors::Errors;
use crate::model::{ClientTrait, Method, Sent, SentForm, SentWay};
use crate::tokens::{bare_type, first_span, impl_spans, inside, kebab};

/// Checks a trait and its attributes; `errors` are the mistakes in their syntax. The methods of the trait that are
/// `async` become methods that return a future.
pub(crate) fn client(
    attrs: ClientAttrs,
    item: &mut ItemTrait,
    mut errors: Errors,
) -> syn::Result<ClientTrait> {
    let mut path = None;
    for Key { span, kind: CrateKey(other) } in attrs.keys.list {
        once(&mut path, span, other, "crate", &mut errors);
    }
    for param in &item.generics.params {
        let message = "a client's trait cannot be generic: write concrete types";
        errors.add(first_span(param), message);
    }
    let mut is_async = None;
    let mut methods = Vec::new();
    let mut attrs = attrs.methods.into_iter();
    for item in &mut item.items {
        let method = match item {
            TraitItem::Fn(method) if method.default.is_none() => method,
            TraitItem::Fn(method) => {
                refuse_keys(method, &mut errors);
                continue;
            }
            other => {
                let message = "a client's trait has only methods: move this to another trait";
                errors.add(first_span(other), message);
                continue;
            }
        };
        let Some(attrs) = attrs.next() else { continue };
        if *is_async.get_or_insert(method.sig.asyncness.is_some()) != method.sig.asyncness.is_some()
        {
            let message = "a client is blocking or async: write `async fn` for all methods or for none, or two traits";
            errors.add(method.sig.ident.span(), message);
        }
        methods.extend(self::method(attrs, method, &mut errors));
    }
    let mut names: Vec<(&String, &Ident)> = Vec::new();
    for Method { name, sig, .. } in &methods {
        if let Some((_, other)) = names.iter().find(|(other, _)| *other == name) {
            let message = format!("duplicate command name `{name}`: `{other}` calls it too");
            errors.add(sig.ident.span(), message);
        }
        names.push((name, &sig.ident));
    }
    errors.finish(ClientTrait {
        krate: path.map_or_else(default_crate, |(_, path): (_, Path)| path),
        ident: item.ident.clone(),
        vis: item.vis.clone(),
        is_async: is_async.unwrap_or_default(),
        methods,
    })
}

/// Reports the keys at a method with a body, which is not a command.
fn refuse_keys(method: &mut TraitItemFn, errors: &mut Errors) {
    let message =
        "a method with a body of its own calls no command: remove the body or `#[command]`";
    method.attrs.retain(|attr| {
        if let Some(span) = conditional(attr, "command") {
            errors.add(span, message);
            return false;
        }
        if attr.path().is_ident("command") {
            errors.push(Error::new_spanned(attr, message));
            return false;
        }
        true
    });
}

fn method(attrs: MethodAttrs, method: &mut TraitItemFn, errors: &mut Errors) -> Option<Method> {
    let (mut name, mut idempotent) = Default::default();
    for Key { span, kind } in attrs.keys.list {
        match kind {
            MethodKey::Name(text) => {
                let message = "duplicate command name: remove one of the two";
                once_or(message, &mut name, span, text, errors);
            }
            MethodKey::Idempotent => once(&mut idempotent, span, (), "idempotent", errors),
        }
    }
    let sig = &mut method.sig;
    let name = if let Some((_, text)) = &name {
        command_name(text, errors)
    } else {
        let name = kebab(&sig.ident);
        if attrs.keys.is_complete {
            check_name(&name, true, sig.ident.span(), errors);
        }
        name
    };
    if let syn::Safety::Unsafe(token) = &sig.safety {
        errors.add(token.span, "a client's method cannot be unsafe: remove `unsafe`");
    }
    let output = match &sig.output {
        ReturnType::Type(_, ty) => Some((**ty).clone()),
        ReturnType::Default => {
            let message = "a call can fail: return `dockipc::Result<…>`, for example `-> dockipc::Result<()>`";
            errors.add(sig.ident.span(), message);
            None
        }
    };
    for span in output.iter().flat_map(|ty| impl_spans(ty.to_token_stream())) {
        errors
            .add(span, "write the type of the answer, or `dockipc::client::Items<…>` for a stream");
    }
    let is_async = sig.asyncness.take().is_some();
    if let (true, Some(ty)) = (is_async, &output) {
        sig.output = parse_quote! {
            -> impl ::core::future::Future<Output = #ty> + ::core::marker::Send
        };
    }
    let mut inputs = attrs.params.into_iter().zip(&sig.inputs);
    match inputs.next() {
        Some((_, FnArg::Receiver(receiver)))
            if matches!(receiver.kind, ReceiverKind::Reference(_, _, None)) => {}
        _ => errors.add(sig.ident.span(), "a client's method begins with `&self`"),
    }
    let mut taken = Taken::default();
    let params: Vec<_> = inputs
        .filter_map(|(keys, input)| match input {
            FnArg::Typed(typed) => sent(keys, &typed.pat, bare_type(&typed.ty), &mut taken, errors),
            FnArg::Receiver(_) => None,
        })
        .collect();
    check_bodies(&params, errors);
    for param in &sig.generics.params {
        let is_of_body = |sent: &Sent| {
            let ty = sent.ty.to_token_stream().to_string();
            let is_body = matches!(sent.form, SentForm::Body | SentForm::Items);
            is_body
                && matches!(param, GenericParam::Type(param) if ty.contains(&param.ident.to_string()))
        };
        if !matches!(param, GenericParam::Lifetime(_)) && !params.iter().any(is_of_body) {
            errors.add(
                first_span(param),
                "a client's method sends values of one type: write a concrete type",
            );
        }
    }
    let cfgs = method.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
    Some(Method {
        sig: method.sig.clone(),
        cfgs,
        name,
        is_idempotent: idempotent.is_some(),
        is_deprecated: method.attrs.iter().any(|attr| attr.path().is_ident("deprecated")),
        params,
        output: output?,
    })
}

/// Checks a name of one word or two.
fn command_name(text: &LitStr, errors: &mut Errors) -> String {
    let name = text.value();
    let words = name.split(' ').count();
    if words > 2 {
        errors.add(text.span(), format!("invalid command name {name:?}: use at most two words"));
    } else {
        for (i, word) in name.split(' ').enumerate() {
            check_name(word, i == 0, text.span(), errors);
        }
    }
    name
}

fn check_bodies(params: &[Sent], errors: &mut Errors) {
    let is_body = |param: &&Sent| matches!(param.form, SentForm::Body | SentForm::Items);
    let mut bodies = params.iter().filter(is_body);
    bodies.next();
    if let Some(second) = bodies.next() {
        errors.add(first_span(&second.ty), "a call has one body: remove one of the two");
    }
}

/// The keys of which a parameter can have one.
enum Place {
    Flag(Option<LitStr>),
    Long(Option<LitStr>),
    Rest,
    Last,
    Body,
    Items,
}

fn sent(
    keys: Keys<SentKey>,
    pat: &Pat,
    ty: &Type,
    taken: &mut Taken,
    errors: &mut Errors,
) -> Option<Sent> {
    let (mut place, mut absolute, mut caller, mut given) = Default::default();
    let mut set_place = |span, key, errors: &mut Errors| {
        let message = "conflicting keys: write only one of `flag`, `long`, `rest`, `last`, `body` and `items`";
        once_or(message, &mut place, span, key, errors);
    };
    for Key { span, kind } in keys.list {
        match kind {
            SentKey::Flag(name) => set_place(span, Place::Flag(name), errors),
            SentKey::Long(name) => set_place(span, Place::Long(name), errors),
            SentKey::Rest => set_place(span, Place::Rest, errors),
            SentKey::Last => set_place(span, Place::Last, errors),
            SentKey::Body => set_place(span, Place::Body, errors),
            SentKey::Items => set_place(span, Place::Items, errors),
            SentKey::Absolute => once(&mut absolute, span, (), "absolute", errors),
            SentKey::Caller(text) => once(&mut caller, span, text, "caller", errors),
            SentKey::Name(text) => once(&mut given, span, text, "name", errors),
        }
    }
    let (ident, name) = param_name(pat, errors)?;
    let given = given.map(|(_, text)| seen_name(&text, errors));
    let fallback = match &given {
        Some((name, span)) => (name.replace('_', "-"), *span),
        None => (kebab(ident), ident.span()),
    };
    let (ident, name) = (ident.clone(), given.map_or(name, |(name, _)| name));
    taken.take_name(&ident, &name, errors);
    let option = |key: &str, own: Option<LitStr>, taken: &mut Taken, errors: &mut Errors| {
        option_name(key, own, Some(fallback.clone()), taken, errors)
    };
    // Only an option has it.
    let key = caller.as_ref().map(|(span, _): &(_, LitStr)| (*span, "caller"));
    let way = match place {
        Some((_, place @ (Place::Body | Place::Items))) => {
            if let Some(span) = absolute.map(|(span, ())| span).or(caller.map(|(span, _)| span)) {
                errors.add(span, "a body is the bytes of a reader: remove this key");
            }
            let form = if let Place::Body = place { SentForm::Body } else { SentForm::Items };
            return Some(Sent { ident, name, ty: ty.clone(), form });
        }
        Some((_, Place::Flag(own))) => {
            let absolute = absolute.map(|(span, ())| (span, "absolute"));
            for (span, key) in absolute.into_iter().chain(key) {
                conflicts_with_flag(span, key, "a flag has no value", errors);
            }
            SentWay::Flag(option("flag", own, taken, errors))
        }
        Some((_, Place::Long(own))) => SentWay::Long(option("long", own, taken, errors)),
        Some((span, Place::Rest)) => {
            taken.take_rest(span, errors);
            check_place("rest", key, ty, taken, errors);
            SentWay::Rest
        }
        Some((span, Place::Last)) => {
            taken.take_last(span, errors);
            check_place("last", key, ty, taken, errors);
            SentWay::Last
        }
        None if key.is_some() => SentWay::Long(option("long", None, taken, errors)),
        None => SentWay::Position,
    };
    for span in impl_spans(ty.to_token_stream()) {
        errors.add(
            span,
            "write a concrete type, such as `&str` or `&[u8]`; a body, such as `impl Read + Send`, has `#[arg(body)]`, and items, such as `impl Iterator<Item = u64> + Send`, have `#[arg(items)]`",
        );
    }
    let form = match (absolute, caller) {
        (Some((span, ())), Some(_)) => {
            errors.add(span, "`caller` is an absolute path already: remove `absolute`");
            SentForm::Value(way)
        }
        (Some(_), None) => SentForm::Absolute(way),
        (None, Some((_, text))) => match &*text.value() {
            "cwd" if inside("Option", bare_type(ty)).is_none() => {
                let message = "the directory is filled in for `None`: make the type an `Option`, such as `Option<&Path>`";
                errors.push(Error::new_spanned(ty, message));
                SentForm::Value(way)
            }
            "cwd" => SentForm::Directory(way),
            "env" => SentForm::Environment(way),
            other => {
                let message = format!("unknown value {other:?}: expected `\"cwd\"` or `\"env\"`");
                errors.add(text.span(), message);
                SentForm::Value(way)
            }
        },
        (None, None) => SentForm::Value(way),
    };
    Some(Sent { ident, name, ty: ty.clone(), form })
}
