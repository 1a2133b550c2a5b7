//! The attributes of a client's trait: `#[client]`, and `#[command(…)]` and `#[arg(…)]` in it.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, FnArg, ItemTrait, LitStr, Meta, TraitItem, TraitItemFn};

use super::{CrateKey, Keys, conditional, doc, key, option_name, text, unknown};
use crate::errors::Errors;

/// Everything that the author wrote at a trait for the macro.
pub(crate) struct ClientAttrs {
    pub(crate) keys: Keys<CrateKey>,
    /// One for each method without a body, in order.
    pub(crate) methods: Vec<MethodAttrs>,
}

/// Everything that the author wrote at a method for the macro.
pub(crate) struct MethodAttrs {
    pub(crate) keys: Keys<MethodKey>,
    /// One for each parameter, the receiver included, in order.
    pub(crate) params: Vec<Keys<SentKey>>,
}

/// A key of `#[command(…)]` at a method.
pub(crate) enum MethodKey {
    Name(LitStr),
    Idempotent,
}

/// A key of `#[arg(…)]` at a parameter of a method.
pub(crate) enum SentKey {
    Flag(Option<LitStr>),
    Long(Option<LitStr>),
    Rest,
    Last,
    Body,
    Items,
    Absolute,
    Caller(LitStr),
    Name(LitStr),
}

impl ClientAttrs {
    /// Takes the macro's attributes out of the trait, which then compiles by itself.
    pub(crate) fn take(keys: TokenStream, item: &mut ItemTrait, errors: &mut Errors) -> Self {
        let mut own = Keys { list: Vec::new(), is_complete: true };
        let parsed = (|input: ParseStream<'_>| own.parse(input)).parse2(keys);
        own.is_complete = errors.take(parsed).is_some();
        let methods = item.items.iter_mut().filter_map(|item| match item {
            TraitItem::Fn(method) if method.default.is_none() => {
                Some(MethodAttrs::take(method, errors))
            }
            _ => None,
        });
        Self { keys: own, methods: methods.collect() }
    }
}

impl MethodAttrs {
    fn take(method: &mut TraitItemFn, errors: &mut Errors) -> Self {
        for span in method.attrs.iter().filter_map(|attr| conditional(attr, "command")) {
            errors.add(span, CONDITIONAL_COMMAND);
        }
        method.attrs.retain(|attr| conditional(attr, "command").is_none());
        let has_keys = |attr: &Attribute| !matches!(attr.meta, Meta::Path(_));
        let given: Vec<_> = method
            .attrs
            .iter()
            .filter(|attr| is_command(attr) && has_keys(attr))
            .cloned()
            .collect();
        method.attrs.retain(|attr| !is_command(attr));
        let mut keys = Keys { list: Vec::new(), is_complete: true };
        for attr in given {
            let parsed = match &attr.meta {
                Meta::List(list) => {
                    (|input: ParseStream<'_>| keys.parse(input)).parse2(list.tokens.clone())
                }
                _ => Err(Error::new_spanned(&attr, "write `#[command(\"name\")]`")),
            };
            keys.is_complete &= errors.take(parsed).is_some();
        }
        let params = method.sig.inputs.iter_mut().map(|input| {
            let attrs = match input {
                FnArg::Receiver(receiver) => &mut receiver.attrs,
                FnArg::Typed(typed) => &mut typed.attrs,
            };
            let keys = Keys::of(attrs, errors);
            for span in attrs.iter().filter_map(|attr| conditional(attr, "arg")) {
                errors.add(span, CONDITIONAL_ARG);
            }
            attrs.retain(|attr| {
                let is_hidden = conditional(attr, "arg").is_some();
                !attr.path().is_ident("arg") && !is_hidden && doc(attr).is_none()
            });
            keys
        });
        Self { keys, params: params.collect() }
    }
}

const CONDITIONAL_COMMAND: &str = "`#[command]` cannot be in `#[cfg_attr]`, because the macro would not see it: write `#[command(…)]` alone, or one method for each `#[cfg]`";

const CONDITIONAL_ARG: &str = "`#[arg]` cannot be in `#[cfg_attr]`, because the macro would not see it: write `#[arg(…)]` alone, or one method for each `#[cfg]`";

fn is_command(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|segment| segment.ident == "command")
}

impl Parse for MethodKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected a name in quotes or `idempotent`";
        if input.peek(LitStr) {
            return input.parse().map(Self::Name);
        }
        let key = key(input, expected)?;
        match &*key.to_string() {
            "idempotent" => Ok(Self::Idempotent),
            "crate" => Err(Error::new(
                key.span(),
                "write `crate = path` at the trait, `#[client(crate = path)]`",
            )),
            "name" => Err(Error::new(
                key.span(),
                "unknown key `name`: write the name by itself, `#[command(\"name\")]`",
            )),
            other => Err(Error::new(
                key.span(),
                format!(
                    "`{other}` is for the daemon's function: remove it from the client; {expected}"
                ),
            )),
        }
    }
}

impl Parse for SentKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `flag`, `long`, `rest`, `last`, `body`, `items`, `absolute`, `caller = …` or `name = …`";
        let key = key(input, expected)?;
        match &*key.to_string() {
            "flag" => option_name(input, &key).map(Self::Flag),
            "long" => option_name(input, &key).map(Self::Long),
            "rest" => Ok(Self::Rest),
            "last" => Ok(Self::Last),
            "body" => Ok(Self::Body),
            "items" => Ok(Self::Items),
            "absolute" => Ok(Self::Absolute),
            "caller" => {
                let missing = "`caller` needs `\"cwd\"` or `\"env\"`: write `caller = \"cwd\"`";
                text(input, &key, missing).map(Self::Caller)
            }
            "name" => {
                let missing = "`name` needs a name in quotes: write `name = \"word\"`";
                text(input, &key, missing).map(Self::Name)
            }
            "default" => Err(Error::new(
                key.span(),
                "`default` is for the daemon's function: in a client, make the type `Option<…>`, and `None` sends nothing",
            )),
            "secret" => Err(Error::new(
                key.span(),
                "in a client, the type `Secret<…>` hides a value: remove `secret`",
            )),
            "from_str" => Err(Error::new(
                key.span(),
                "`from_str` is for the daemon's function: in a client, take a `&str`",
            )),
            "complete" | "range" | "min" | "max" | "min_len" | "max_len" | "pattern" | "short" => {
                Err(Error::new(
                    key.span(),
                    format!("`{key}` is for the daemon's function: remove it from the client"),
                ))
            }
            _ => Err(unknown(&key, expected)),
        }
    }
}
