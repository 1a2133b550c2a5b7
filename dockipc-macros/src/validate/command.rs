//! The checks of a function, its name and its signature.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Attribute, GenericParam, ItemFn, LitStr, ReturnType, Signature, Type};

use super::marks::MarkKeys;
use super::param::{Taken, param};
use super::redis::is_converted;
use super::{GENERIC, default_crate, invalid, once, once_or};
use crate::attr::{CommandAttrs, CommandKey, Key};
use crate::errors::Errors;
use crate::model::{Command, Output};
use crate::rule;
use crate::tokens::{first_span, hygienic, impl_spans, iterator_span, kebab};

/// Checks a function and its attributes; `errors` are the mistakes in their syntax.
pub(crate) fn command(
    attrs: CommandAttrs,
    function: &ItemFn,
    mut errors: Errors,
) -> syn::Result<Command> {
    let ident = &function.sig.ident;
    let (mut name, mut allow, mut krate) = Default::default();
    let (mut hidden, mut idempotent, mut abort, mut newest, mut flatten) = Default::default();
    let mut marks = MarkKeys::default();
    let mut aliases = Vec::new();
    for Key { span, kind } in attrs.keys.list {
        let Some(kind) = marks.take(span, kind, &mut errors) else { continue };
        match kind {
            CommandKey::Name(text) => {
                let message = "duplicate command name: write `alias = \"…\"` for another name";
                once_or(message, &mut name, span, text, &mut errors);
            }
            CommandKey::Alias(text) => aliases.push(text),
            CommandKey::Allow(text) => {
                let terms = errors.take(rule::parse(&text));
                let message = "duplicate `allow`: join the rules with `|` in one `allow`";
                once_or(message, &mut allow, span, terms.unwrap_or_default(), &mut errors);
            }
            CommandKey::Hidden => once(&mut hidden, span, (), "hidden", &mut errors),
            CommandKey::Idempotent => once(&mut idempotent, span, (), "idempotent", &mut errors),
            CommandKey::Abort => once(&mut abort, span, (), "abort", &mut errors),
            CommandKey::Newest => once(&mut newest, span, (), "newest", &mut errors),
            CommandKey::Flatten => once(&mut flatten, span, (), "flatten", &mut errors),
            CommandKey::Crate(path) => once(&mut krate, span, path, "crate", &mut errors),
            CommandKey::Since(_)
            | CommandKey::Deprecated(_)
            | CommandKey::Readonly
            | CommandKey::Destructive => unreachable!("taken as marks"),
        }
    }
    if let Some((span, ())) = flatten
        && (name.is_some() || !aliases.is_empty())
    {
        errors.add(
            span,
            "`flatten` conflicts with a name: the commands have the names of the variants; remove one of the two",
        );
    }
    let name = match &name {
        Some((span, text)) => Some((text.value(), *span)),
        None if flatten.is_some() => None,
        // The name may be what could not be parsed.
        None if !attrs.keys.is_complete => None,
        None => Some((kebab(ident), ident.span())),
    };
    let converted = name
        .iter()
        .map(|(name, span)| (name.clone(), *span))
        .chain(aliases.iter().map(|alias| (alias.value(), alias.span())))
        .filter_map(|(name, span)| is_converted(&name).then_some(span));
    let converted = converted.collect();
    let mut names = command_names(name, &aliases, true, &mut errors).into_iter();
    if let Some(second) = function.attrs.iter().find(|attr| ends_in_command(attr)) {
        errors.add(
            first_span(second.path()),
            "duplicate `#[command]`: write `alias = \"…\"` for another name",
        );
    }
    if let (Some((span, ())), None) = (&abort, &function.sig.asyncness) {
        errors.add(
            *span,
            "`abort` drops the future of an async command: write `async fn`, or take a `Cancel`",
        );
    }
    let marks = marks.finish(&mut errors);
    check_signature(&function.sig, &mut errors);
    let mut taken = Taken::default();
    let inputs = attrs.params.into_iter().zip(&function.sig.inputs);
    let params = inputs.filter_map(|(attrs, input)| param(attrs, input, &mut taken, &mut errors));
    let params = params.collect();
    let attributes = |name: &str| {
        function.attrs.iter().filter(|attr| attr.path().is_ident(name)).cloned().collect()
    };
    errors.finish(Command {
        krate: krate.map_or_else(default_crate, |(_, path)| path),
        function: ident.clone(),
        name: names.next().unwrap_or_default(),
        aliases: names.collect(),
        hidden: hidden.is_some(),
        // One that changes nothing can be repeated.
        idempotent: idempotent.is_some() || marks.readonly,
        marks,
        abort: abort.is_some(),
        newest: newest.is_some(),
        flatten: flatten.is_some(),
        is_async: function.sig.asyncness.is_some(),
        allow: allow.map(|(_, terms)| terms),
        docs: attrs.docs,
        cfgs: attributes("cfg"),
        converted,
        allows: attributes("allow"),
        uses_deprecated: function.attrs.iter().any(mentions_deprecated),
        params,
        output: output(&function.sig),
    })
}

fn ends_in_command(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|segment| segment.ident == "command")
}

/// Returns whether the attribute is `deprecated`, or an `allow` or `expect` of that lint.
fn mentions_deprecated(attr: &Attribute) -> bool {
    let path = attr.path();
    let is_lint_level = path.is_ident("allow") || path.is_ident("expect");
    path.is_ident("deprecated")
        || (is_lint_level && attr.meta.to_token_stream().to_string().contains("deprecated"))
}

/// Checks the name and the aliases, and returns them in this order. Those of a variant may be the second words of
/// commands, and then be names that the protocol uses.
pub(super) fn command_names(
    name: Option<(String, Span)>,
    aliases: &[LitStr],
    is_first: bool,
    errors: &mut Errors,
) -> Vec<String> {
    let aliases = aliases.iter().map(|alias| (alias.value(), alias.span()));
    let mut names = Vec::new();
    for (name, span) in name.into_iter().chain(aliases) {
        if names.contains(&name) {
            errors.add(span, format!("duplicate command name `{name}`: remove this alias"));
        } else {
            check_name(&name, is_first, span, errors);
        }
        names.push(name);
    }
    names
}

/// The length of the longest command name.
const LONGEST_NAME: usize = 64;

/// The names that the protocol uses. `dockipc` has the same list, and a test compares them.
const RESERVED: &[&str] = &[
    "acl",
    "auth",
    "client",
    "command",
    "config",
    "dockipc",
    "hello",
    "latency",
    "monitor",
    "psubscribe",
    "psync",
    "publish",
    "pubsub",
    "punsubscribe",
    "quit",
    "reset",
    "select",
    "slowlog",
    "spublish",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "sync",
    "unsubscribe",
];

/// The built-in commands that a command may replace, but not a group.
const BUILT_IN: &[&str] =
    &["discard", "echo", "exec", "help", "info", "multi", "ping", "unwatch", "watch"];

/// Checks a name of one word, or of two with one blank between.
pub(super) fn check_name(name: &str, is_first: bool, span: Span, errors: &mut Errors) {
    if name.is_empty() {
        return errors.add(span, "a command needs a name: write `#[command(\"name\")]`");
    }
    let (first, second) = name.split_once(' ').map_or((name, None), |(a, b)| (a, Some(b)));
    let words = [first, second.unwrap_or("a")];
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._:-".contains(c);
    let explained = |c: char| c.is_whitespace() || c.is_ascii_uppercase();
    let reasons = [
        (
            words.iter().any(|word| word.is_empty() || word.contains(char::is_whitespace)),
            "write one word, or two with one blank between",
        ),
        (
            name.contains(|c: char| c.is_ascii_uppercase()),
            "use lower case (callers may use upper case)",
        ),
        (
            name.contains(|c: char| !allowed(c) && !explained(c)),
            "use only a-z, 0-9, `.`, `_`, `:` and `-`",
        ),
        (
            words.iter().any(|word| word.starts_with(['.', '_', ':', '-'])),
            "begin with a letter or a digit",
        ),
        (name.len() > LONGEST_NAME, "use at most 64 bytes"),
        (is_first && RESERVED.contains(&first), "the protocol uses this name; choose another"),
        (
            is_first && second.is_some() && BUILT_IN.contains(&first),
            "a built-in command has the name of this group; choose another",
        ),
    ];
    invalid("command name", name, &reasons, span, errors);
}

fn check_signature(sig: &Signature, errors: &mut Errors) {
    if let syn::Safety::Unsafe(token) = &sig.safety {
        errors.add(
            token.span,
            "a command cannot be unsafe, because any client can call it: remove `unsafe`",
        );
    }
    for param in &sig.generics.params {
        let message = match param {
            GenericParam::Lifetime(_) => {
                "a command cannot have lifetime parameters: leave the lifetimes out, as in `&str`"
            }
            _ => GENERIC,
        };
        errors.add(first_span(param), message);
    }
    if let Some(variadic) = &sig.variadic {
        errors.add(
            first_span(variadic),
            "a command cannot be variadic: take a `Vec` for any number of words",
        );
    }
    if let ReturnType::Type(_, ty) = &sig.output
        && let Some(span) = iterator_span(ty.to_token_stream())
    {
        errors.add(
            span,
            "an iterator cannot be the answer of a command: collect it, and answer with a `Vec`",
        );
    }
    if let ReturnType::Type(_, ty) = &sig.output
        && let Type::Never(_) = **ty
    {
        errors.add(
            first_span(ty),
            "a command must return: replace `!` with the type of its answer, or leave it out",
        );
    }
}

fn output(sig: &Signature) -> Output {
    match &sig.output {
        ReturnType::Default => Output::Nothing(hygienic(sig.ident.span())),
        ReturnType::Type(_, ty) if impl_spans(ty.to_token_stream()).is_empty() => {
            Output::Type(ty.clone())
        }
        ReturnType::Type(_, ty) => Output::Hidden(hygienic(first_span(ty))),
    }
}
