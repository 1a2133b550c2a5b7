//! The attributes as written: the keys of `#[command(…)]`, `#[arg(…)]`, `#[code(…)]`, `#[event(…)]` and
//! `#[dockipc(…)]`, and the doc comments.
//!
//! An attribute becomes a list of keys with their spans. Only the syntax of a key is checked here;
//! whether the keys fit each other is the duty of `validate`. After a mistake parsing continues
//! behind the next comma, so that one run reports every mistake.

mod client;
mod conditional;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, FnArg, Ident, Item, ItemFn, LitChar,
    LitInt, LitStr, Meta, Path, ReturnType, Token, token,
};

use crate::errors::Errors;
use crate::tokens::{bare_expr, bare_type, first_span};

pub(crate) use self::client::{ClientAttrs, MethodAttrs, MethodKey, SentKey};
pub(crate) use self::conditional::conditional;

/// Everything that the author wrote at a function for the macro.
pub(crate) struct CommandAttrs {
    pub(crate) keys: Keys<CommandKey>,
    pub(crate) docs: Vec<Expr>,
    /// One for each parameter, in order.
    pub(crate) params: Vec<ParamAttrs>,
}

/// Everything that the author wrote at a parameter for the macro.
pub(crate) struct ParamAttrs {
    pub(crate) keys: Keys<ArgKey>,
    pub(crate) docs: Vec<Expr>,
}

/// Everything that the author wrote at a type for the derive.
pub(crate) struct TypeAttrs {
    pub(crate) keys: Keys<TypeKey>,
    /// One for each variant, in order.
    pub(crate) variants: Vec<Keys<VariantKey>>,
}

/// Everything that the author wrote at an error type for the derive.
pub(crate) struct FailureAttrs {
    pub(crate) keys: Keys<FailureKey>,
    /// One for each variant, in order.
    pub(crate) variants: Vec<Keys<CodeKey>>,
}

/// Everything that the author wrote at an enum of event channels for the derive.
pub(crate) struct EventsAttrs {
    pub(crate) keys: Keys<CrateKey>,
    /// One for each variant, in order.
    pub(crate) variants: Vec<(Keys<EventKey>, Vec<Expr>)>,
}

/// Everything that the author wrote at a type of answers for the derive.
pub(crate) struct ReplyAttrs {
    pub(crate) keys: Keys<ReplyKey>,
    /// One for each field of a struct, in order.
    pub(crate) fields: Vec<ReplyFieldAttrs>,
    /// One for each variant, in order.
    pub(crate) variants: Vec<ReplyVariantAttrs>,
}

/// Everything that the author wrote at a variant of answers for the derive.
pub(crate) struct ReplyVariantAttrs {
    pub(crate) keys: Keys<ReplyVariantKey>,
    /// The keys of `#[arg(…)]`, since a word is that of `Arg`.
    pub(crate) arg: Keys<VariantKey>,
    pub(crate) docs: Vec<Expr>,
    /// One for each field, in order.
    pub(crate) fields: Vec<ReplyFieldAttrs>,
}

/// Everything that the author wrote at a field of answers for the derive.
pub(crate) struct ReplyFieldAttrs {
    pub(crate) keys: Keys<ReplyFieldKey>,
    pub(crate) docs: Vec<Expr>,
}

/// Everything that the author wrote at a group of parameters for the derive.
pub(crate) struct ArgsAttrs {
    pub(crate) keys: Keys<CrateKey>,
    /// One for each field of a struct, in order.
    pub(crate) fields: Vec<ParamAttrs>,
    /// One for each variant, in order.
    pub(crate) variants: Vec<AlternativeAttrs>,
}

/// Everything that the author wrote at a variant of a group of parameters.
pub(crate) struct AlternativeAttrs {
    pub(crate) keys: Keys<AlternativeKey>,
    pub(crate) docs: Vec<Expr>,
    /// One for each field, in order.
    pub(crate) fields: Vec<ParamAttrs>,
}

/// Everything that the author wrote at an enum of commands for the derive.
pub(crate) struct CommandsAttrs {
    pub(crate) keys: Keys<CommandsKey>,
    /// One for each variant, in order.
    pub(crate) variants: Vec<VariantAttrs>,
}

/// Everything that the author wrote at a variant that is a command.
pub(crate) struct VariantAttrs {
    pub(crate) keys: Keys<CommandKey>,
    pub(crate) docs: Vec<Expr>,
    /// One for each field, in order.
    pub(crate) fields: Vec<ParamAttrs>,
}

/// The keys of the attributes of one kind at one place.
pub(crate) struct Keys<K> {
    pub(crate) list: Vec<Key<K>>,
    /// False after a syntax error, which is reported already: a key may be missing from the list.
    pub(crate) is_complete: bool,
}

pub(crate) struct Key<K> {
    pub(crate) span: Span,
    pub(crate) kind: K,
}

/// A key of `#[command(…)]`.
pub(crate) enum CommandKey {
    Name(LitStr),
    Alias(LitStr),
    Allow(LitStr),
    Hidden,
    /// The future is dropped when the command is asked to stop.
    Abort,
    Newest,
    Idempotent,
    /// The variants of the function's enum are commands by their own names.
    Flatten,
    Since(LitStr),
    Deprecated(LitStr),
    Readonly,
    Destructive,
    Crate(Path),
}

/// A key of `#[command(…)]` at an enum of commands.
pub(crate) enum CommandsKey {
    Prefix(LitStr),
    Crate(Path),
}

/// A key of `#[arg(…)]` at a variant of a group of parameters.
pub(crate) enum AlternativeKey {
    Positional,
    /// As at a parameter.
    Arg(ArgKey),
}

/// A key of `#[arg(…)]` at a parameter.
pub(crate) enum ArgKey {
    Flag(Option<LitStr>),
    Long(Option<LitStr>),
    Rest,
    Default(Expr),
    Complete(Path),
    Secret,
    FromStr,
    /// The numbers that are accepted.
    Range(Expr),
    /// The fewest words of a list.
    Min(LitInt),
    /// The most words of a list.
    Max(LitInt),
    /// The fewest bytes of a word.
    MinLen(LitInt),
    /// The most bytes of a word.
    MaxLen(LitInt),
    /// The texts that are accepted, as a regular expression.
    Pattern(LitStr),
    /// A name of one letter for an option.
    Short(Option<LitChar>),
    /// The name that clients see.
    Name(LitStr),
    /// The words behind `--`.
    Last,
    /// Only absolute paths are accepted.
    Absolute,
    /// The value that our own clients fill in.
    Caller(LitStr),
}

/// A key of `#[arg(…)]` at a derived type.
pub(crate) enum TypeKey {
    FromStr,
    /// The words are accepted without regard to ASCII case.
    IgnoreCase,
    Crate(Path),
}

/// A key of `#[arg(…)]` at a variant.
pub(crate) enum VariantKey {
    Name(LitStr),
    /// Another word for the variant.
    Alias(LitStr),
}

/// A key of `#[code(…)]` at an error type.
pub(crate) enum FailureKey {
    Code(LitStr),
    Crate(Path),
}

/// A key of `#[code(…)]` at a variant.
pub(crate) enum CodeKey {
    Code(LitStr),
    Transparent,
}

/// A key of `#[event(…)]` at a variant.
pub(crate) enum EventKey {
    Name(LitStr),
    Allow(LitStr),
    WhenFull(LitStr),
}

/// A key of `#[dockipc(…)]` at a type of answers.
pub(crate) enum ReplyKey {
    Table,
    Crate(Path),
}

/// A key of `#[dockipc(…)]` at a variant of answers.
pub(crate) enum ReplyVariantKey {
    Name(LitStr),
    Other,
}

/// The only key of `#[dockipc(…)]` at a field of an answer: its name.
pub(crate) struct ReplyFieldKey(pub(crate) LitStr);

/// The only key of `#[event(…)]` at an enum, and of `#[arg(…)]` at a group of parameters.
pub(crate) struct CrateKey(pub(crate) Path);

/// Parses the item that `#[command]` is on, with bare types in its signature.
pub(crate) fn function(item: TokenStream) -> syn::Result<ItemFn> {
    let item = syn::parse2(item)?;
    let message = match item {
        Item::Fn(mut function) => {
            let sig = &mut function.sig;
            let inputs = sig.inputs.iter_mut().filter_map(|input| match input {
                FnArg::Typed(typed) => Some(&mut typed.ty),
                FnArg::Receiver(_) => None,
            });
            let output = match &mut sig.output {
                ReturnType::Type(_, ty) => Some(ty),
                ReturnType::Default => None,
            };
            inputs.chain(output).for_each(|ty| **ty = bare_type(ty).clone());
            return Ok(function);
        }
        // A function without a body, such as a trait's.
        Item::Verbatim(_) => "a command must have a body: put `#[command]` on a free function",
        _ => "`#[command]` can only be on a function",
    };
    Err(Error::new(span_after_attributes(&item), message))
}

fn span_after_attributes(item: &Item) -> Span {
    let mut tokens = item.to_token_stream().into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => drop(tokens.next()),
            other => return other.span(),
        }
    }
    first_span(item)
}

impl CommandAttrs {
    /// Takes the macro's attributes out of the function, which then compiles by itself.
    pub(crate) fn take(keys: TokenStream, function: &mut ItemFn, errors: &mut Errors) -> Self {
        Self {
            keys: Keys::of_command(keys, errors),
            docs: docs(&function.attrs),
            params: function.sig.inputs.iter_mut().map(|p| ParamAttrs::take(p, errors)).collect(),
        }
    }
}

impl ParamAttrs {
    fn take(param: &mut FnArg, errors: &mut Errors) -> Self {
        let attrs = match param {
            FnArg::Receiver(receiver) => &mut receiver.attrs,
            FnArg::Typed(typed) => &mut typed.attrs,
        };
        let taken = Self { keys: Keys::of(attrs, errors), docs: docs(attrs) };
        attrs.retain(|attr| {
            let hidden = conditional(attr, "arg");
            if let Some(span) = hidden {
                errors.add(span, CONDITIONAL_ARG);
            }
            hidden.is_none() && !attr.path().is_ident("arg") && doc(attr).is_none()
        });
        taken
    }
}

impl ParamAttrs {
    fn of_fields(fields: &Fields, errors: &mut Errors) -> Vec<Self> {
        let of =
            |field: &Field| Self { keys: Keys::of(&field.attrs, errors), docs: docs(&field.attrs) };
        fields.iter().map(of).collect()
    }
}

impl ArgsAttrs {
    pub(crate) fn of(input: &DeriveInput, errors: &mut Errors) -> Self {
        let keys = Keys::of(&input.attrs, errors);
        let (mut fields, mut variants) = (Vec::new(), Vec::new());
        match &input.data {
            Data::Struct(data) => fields = ParamAttrs::of_fields(&data.fields, errors),
            Data::Enum(data) => {
                for variant in &data.variants {
                    variants.push(AlternativeAttrs {
                        keys: Keys::of(&variant.attrs, errors),
                        docs: docs(&variant.attrs),
                        fields: ParamAttrs::of_fields(&variant.fields, errors),
                    });
                }
            }
            Data::Union(_) => {}
        }
        Self { keys, fields, variants }
    }
}

impl CommandsAttrs {
    pub(crate) fn of(input: &DeriveInput, errors: &mut Errors) -> Self {
        let keys = Keys::named("command", &input.attrs, errors);
        let mut variants = Vec::new();
        if let Data::Enum(data) = &input.data {
            for variant in &data.variants {
                variants.push(VariantAttrs {
                    keys: Keys::named("command", &variant.attrs, errors),
                    docs: docs(&variant.attrs),
                    fields: ParamAttrs::of_fields(&variant.fields, errors),
                });
            }
        }
        Self { keys, variants }
    }
}

impl TypeAttrs {
    pub(crate) fn of(input: &DeriveInput, errors: &mut Errors) -> Self {
        let keys = Keys::of(&input.attrs, errors);
        let variants = match &input.data {
            Data::Enum(data) => data.variants.iter().map(|v| Keys::of(&v.attrs, errors)).collect(),
            _ => Vec::new(),
        };
        Self { keys, variants }
    }
}

const CONDITIONAL_ARG: &str = "`#[arg]` cannot be in `#[cfg_attr]`, because a command has the same parameters in every build: write `#[arg(…)]` alone, or one function for each `#[cfg]`";

impl FailureAttrs {
    pub(crate) fn of(input: &DeriveInput, errors: &mut Errors) -> Self {
        let keys = Keys::named("code", &input.attrs, errors);
        let (variants, fields): (_, Vec<_>) = match &input.data {
            Data::Enum(data) => (
                data.variants.iter().map(|v| Keys::named("code", &v.attrs, errors)).collect(),
                data.variants.iter().flat_map(|variant| &variant.fields).collect(),
            ),
            Data::Struct(data) => (Vec::new(), data.fields.iter().collect()),
            Data::Union(_) => (Vec::new(), Vec::new()),
        };
        for attr in fields.into_iter().flat_map(|field| &field.attrs) {
            if attr.path().is_ident("code") {
                let message = "`#[code(…)]` can only be on a type or a variant";
                errors.push(Error::new_spanned(attr, message));
            }
        }
        Self { keys, variants }
    }
}

impl EventsAttrs {
    pub(crate) fn of(input: &DeriveInput, errors: &mut Errors) -> Self {
        let keys = Keys::named("event", &input.attrs, errors);
        let mut variants = Vec::new();
        if let Data::Enum(data) = &input.data {
            for variant in &data.variants {
                variants.push((Keys::named("event", &variant.attrs, errors), docs(&variant.attrs)));
                let fields = variant.fields.iter().flat_map(|field| &field.attrs);
                for attr in fields.filter(|attr| attr.path().is_ident("event")) {
                    let message = "`#[event(…)]` can only be on the enum or a variant";
                    errors.push(Error::new_spanned(attr, message));
                }
            }
        }
        Self { keys, variants }
    }
}

impl ReplyAttrs {
    pub(crate) fn of(input: &DeriveInput, errors: &mut Errors) -> Self {
        let keys = Keys::named("dockipc", &input.attrs, errors);
        let of_fields = |fields: &Fields, errors: &mut Errors| {
            let of = |field: &Field| ReplyFieldAttrs {
                keys: Keys::named("dockipc", &field.attrs, errors),
                docs: docs(&field.attrs),
            };
            fields.iter().map(of).collect()
        };
        let (mut fields, mut variants) = (Vec::new(), Vec::new());
        match &input.data {
            Data::Struct(data) => fields = of_fields(&data.fields, errors),
            Data::Enum(data) => {
                for variant in &data.variants {
                    variants.push(ReplyVariantAttrs {
                        docs: docs(&variant.attrs),
                        keys: Keys::named("dockipc", &variant.attrs, errors),
                        arg: Keys::of(&variant.attrs, errors),
                        fields: of_fields(&variant.fields, errors),
                    });
                }
            }
            Data::Union(_) => {}
        }
        Self { keys, fields, variants }
    }
}

/// Returns the texts of the doc comments.
fn docs(attrs: &[Attribute]) -> Vec<Expr> {
    attrs.iter().filter_map(doc).cloned().collect()
}

fn doc(attr: &Attribute) -> Option<&Expr> {
    match &attr.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => Some(&doc.value),
        _ => None,
    }
}

impl Keys<CommandKey> {
    fn of_command(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut keys = Self { list: Vec::new(), is_complete: true };
        let parsed = (|input: ParseStream<'_>| keys.parse(input)).parse2(tokens);
        keys.is_complete = errors.take(parsed).is_some();
        keys
    }
}

impl<K: Parse> Keys<K> {
    /// Parses every `#[arg(…)]` among the attributes.
    fn of(attrs: &[Attribute], errors: &mut Errors) -> Self {
        Self::named("arg", attrs, errors)
    }

    /// Parses every attribute with this name.
    fn named(name: &str, attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut keys = Self { list: Vec::new(), is_complete: true };
        let example = match name {
            "arg" => "arg(long)",
            "code" => "code(\"NOTFOUND\")",
            "command" => "command(\"name\")",
            "event" => "event(\"jobs.done\")",
            _ => "dockipc(crate = path)",
        };
        for attr in attrs.iter().filter(|attr| attr.path().is_ident(name)) {
            let parsed = match &attr.meta {
                Meta::List(list) => {
                    (|input: ParseStream<'_>| keys.parse(input)).parse2(list.tokens.clone())
                }
                _ => Err(Error::new(
                    first_span(attr.path()),
                    format!(
                        "`#[{name}]` needs keys in parentheses: write for example `#[{example}]`, or remove it"
                    ),
                )),
            };
            keys.is_complete &= errors.take(parsed).is_some();
        }
        keys
    }

    fn parse(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let mut errors = Errors::default();
        while !input.is_empty() {
            let span = input.span();
            let key =
                input.cursor().token_tree().map(|(key, _)| key.to_string()).unwrap_or_default();
            if let Some(kind) = errors.take(input.parse()) {
                self.list.push(Key { span, kind });
                if input.peek(Token![=]) || input.peek(token::Paren) {
                    let message = format!("`{key}` takes no value: write `{key}` alone");
                    errors.push(input.error(message));
                } else if !is_at_end(input) {
                    errors.push(input.error("expected `,`"));
                }
            }
            while !is_at_end(input) {
                input.parse::<TokenTree>()?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        errors.finish(())
    }
}

/// Returns whether a key ends here.
fn is_at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

impl Parse for CommandKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected a name in quotes, `alias = \"…\"`, `allow = \"…\"`, `hidden`, `idempotent`, `readonly`, `destructive`, `since = \"…\"`, `deprecated = \"…\"`, `abort`, `newest` or `crate = path`";
        if input.peek(LitStr) {
            return input.parse().map(Self::Name);
        }
        let key = key(input, expected)?;
        match &*key.to_string() {
            "alias" => {
                let missing = "`alias` needs a name in quotes: write `alias = \"other-name\"`";
                text(input, &key, missing).map(Self::Alias)
            }
            "allow" => allow(input, &key).map(Self::Allow),
            "hidden" => Ok(Self::Hidden),
            "abort" => Ok(Self::Abort),
            "newest" => Ok(Self::Newest),
            "idempotent" => Ok(Self::Idempotent),
            "flatten" => Ok(Self::Flatten),
            "readonly" => Ok(Self::Readonly),
            "destructive" => Ok(Self::Destructive),
            "since" => {
                let missing = "`since` needs a version in quotes: write `since = \"1.2\"`";
                filled(input, &key, missing).map(Self::Since)
            }
            "deprecated" => {
                let missing = "`deprecated` needs a text that says what to use instead: write `deprecated = \"use add\"`";
                filled(input, &key, missing).map(Self::Deprecated)
            }
            "crate" => krate(input, &key).map(Self::Crate),
            "name" => Err(Error::new(
                key.span(),
                "unknown key `name`: write the name by itself, `#[command(\"name\")]`",
            )),
            other => Err(unknown(&key, instead_at_command(other).unwrap_or(expected))),
        }
    }
}

impl Parse for ArgKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `absolute`, `caller = …`, `complete = …`, `default = …`, `flag`, `from_str`, `last`, `long`, `max = …`, `max_len = …`, `min = …`, `min_len = …`, `name = …`, `pattern = …`, `range = …`, `rest`, `secret` or `short`";
        let key = key(input, expected)?;
        match &*key.to_string() {
            "flag" => option_name(input, &key).map(Self::Flag),
            "long" => option_name(input, &key).map(Self::Long),
            "rest" => Ok(Self::Rest),
            "last" => Ok(Self::Last),
            "absolute" => Ok(Self::Absolute),
            "short" if !input.peek(Token![=]) && !input.peek(token::Paren) => Ok(Self::Short(None)),
            "short" => {
                let missing = "`short` needs a letter: write `short = 'n'`, or `short`";
                let span = after_equals(input, &key, missing)?;
                let letter = input.parse().map_err(|_| Error::new(span, missing))?;
                Ok(Self::Short(Some(letter)))
            }
            "name" => {
                let missing = "`name` needs a name in quotes: write `name = \"name\"`";
                text(input, &key, missing).map(Self::Name)
            }
            "caller" => {
                let missing = "`caller` needs what the client fills in: write `caller = \"cwd\"` or `caller = \"env\"`";
                text(input, &key, missing).map(Self::Caller)
            }
            "from_str" => Ok(Self::FromStr),
            "secret" => Ok(Self::Secret),
            "complete" => {
                let missing = "`complete` needs a function: write `complete = names`";
                let span = after_equals(input, &key, missing)?;
                input.parse().map(Self::Complete).map_err(|_| Error::new(span, missing))
            }
            "default" => {
                after_equals(input, &key, "`default` needs a value: write `default = …`")?;
                input.parse().map(|expr| Self::Default(bare_expr(&expr).clone()))
            }
            "range" => {
                let missing = "`range` needs a range of numbers: write `range = 0..=100`";
                after_equals(input, &key, missing)?;
                input.parse().map(Self::Range)
            }
            "min" => count(input, &key).map(Self::Min),
            "max" => count(input, &key).map(Self::Max),
            "min_len" => count(input, &key).map(Self::MinLen),
            "max_len" => count(input, &key).map(Self::MaxLen),
            "pattern" => {
                let missing =
                    "`pattern` needs a regular expression in quotes: write `pattern = \"[a-z]+\"`";
                text(input, &key, missing).map(Self::Pattern)
            }
            other => Err(unknown(&key, instead_at_parameter(other).unwrap_or(expected))),
        }
    }
}

impl Parse for CommandsKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `prefix = \"name\"` or `crate = path`";
        let key = key(input, expected)?;
        match &*key.to_string() {
            "prefix" => {
                let missing = "`prefix` needs a name in quotes: write `prefix = \"name\"`";
                text(input, &key, missing).map(Self::Prefix)
            }
            "crate" => krate(input, &key).map(Self::Crate),
            _ => Err(unknown(&key, expected)),
        }
    }
}

impl Parse for AlternativeKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Ident::peek_any) && input.fork().call(Ident::parse_any)? == "positional" {
            input.call(Ident::parse_any)?;
            return Ok(Self::Positional);
        }
        input.parse().map(Self::Arg)
    }
}

impl Parse for TypeKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `from_str`, `ignore_case` or `crate = path`";
        let key = key(input, expected)?;
        match &*key.to_string() {
            "from_str" => Ok(Self::FromStr),
            "ignore_case" => Ok(Self::IgnoreCase),
            "crate" => krate(input, &key).map(Self::Crate),
            _ => Err(unknown(&key, expected)),
        }
    }
}

impl Parse for VariantKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `name = \"word\"` or `alias = \"word\"`";
        let key = key(input, expected)?;
        let missing = format!("`{key}` needs a word in quotes: write `{key} = \"word\"`");
        match &*key.to_string() {
            "name" => text(input, &key, &missing).map(Self::Name),
            "alias" => text(input, &key, &missing).map(Self::Alias),
            _ => Err(unknown(&key, expected)),
        }
    }
}

const NO_WORD: &str = "`name` needs a word in quotes: write `name = \"word\"`";

impl Parse for FailureKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected a code in quotes or `crate = path`";
        if input.peek(LitStr) {
            return input.parse().map(Self::Code);
        }
        let key = key(input, expected)?;
        if key != "crate" {
            return Err(unknown(&key, expected));
        }
        krate(input, &key).map(Self::Crate)
    }
}

impl Parse for CodeKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected a code in quotes, `#[code(\"NOTFOUND\")]`, or `transparent`";
        if input.peek(LitStr) {
            return input.parse().map(Self::Code);
        }
        let key = key(input, expected)?;
        if key == "transparent" { Ok(Self::Transparent) } else { Err(unknown(&key, expected)) }
    }
}

impl Parse for EventKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected a name in quotes, `allow = \"…\"` or `when_full = \"end\"`";
        if input.peek(LitStr) {
            return input.parse().map(Self::Name);
        }
        let key = key(input, expected)?;
        match &*key.to_string() {
            "allow" => allow(input, &key).map(Self::Allow),
            "when_full" => {
                let missing = "`when_full` needs a policy in quotes: write `when_full = \"drop\"` or `when_full = \"end\"`";
                text(input, &key, missing).map(Self::WhenFull)
            }
            _ => Err(unknown(&key, expected)),
        }
    }
}

impl Parse for ReplyKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `table` or `crate = path`";
        let key = key(input, expected)?;
        match &*key.to_string() {
            "table" => Ok(Self::Table),
            "crate" => krate(input, &key).map(Self::Crate),
            "name" | "rename" => Err(unknown(
                &key,
                "a type has its own name in a description; write `name = \"…\"` at a field or a variant",
            )),
            "rename_all" => Err(unknown(&key, "write `name = \"…\"` at each field or variant")),
            "other" => Err(unknown(&key, "`other` is for a variant of an enum")),
            _ => Err(unknown(&key, expected)),
        }
    }
}

impl Parse for ReplyVariantKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `name = \"word\"` or `other`";
        let key = key(input, expected)?;
        match &*key.to_string() {
            "name" => text(input, &key, NO_WORD).map(Self::Name),
            "other" => Ok(Self::Other),
            "rename" => Err(unknown(&key, "write `name = \"word\"`")),
            _ => Err(unknown(&key, expected)),
        }
    }
}

impl Parse for ReplyFieldKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `name = \"word\"`";
        let key = key(input, expected)?;
        if key != "name" {
            let instead = match &*key.to_string() {
                "rename" => "write `name = \"word\"`",
                "default" => "a field that may be missing is an `Option`",
                "skip" | "flatten" => {
                    "a struct is a map of all its fields; implement `dockipc::IntoReply` for another form"
                }
                _ => expected,
            };
            return Err(unknown(&key, instead));
        }
        text(input, &key, NO_WORD).map(Self)
    }
}

impl Parse for CrateKey {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let expected = "expected `crate = path`";
        let key = key(input, expected)?;
        if key != "crate" {
            return Err(unknown(&key, expected));
        }
        krate(input, &key).map(Self)
    }
}

fn key(input: ParseStream<'_>, expected: &str) -> syn::Result<Ident> {
    input.call(Ident::parse_any).map_err(|error| Error::new(error.span(), expected))
}

fn unknown(key: &Ident, expected: &str) -> Error {
    Error::new(key.span(), format!("unknown key `{key}`: {expected}"))
}

/// Returns the way to do what a key of clap or serde does, for `#[command]`.
fn instead_at_command(key: &str) -> Option<&'static str> {
    Some(match key {
        "about" | "long_about" | "help" | "long_help" | "doc" | "description" => {
            "write a doc comment on the function, `/// …`"
        }
        "rename" => "write the name by itself, `#[command(\"name\")]`",
        "aliases" | "visible_alias" | "visible_aliases" => "write `alias = \"…\"` for each name",
        "hide" => "write `hidden`",
        _ => return None,
    })
}

/// Returns the way to do what a key of clap or serde does, for `#[arg]` at a parameter.
fn instead_at_parameter(key: &str) -> Option<&'static str> {
    Some(match key {
        "help" | "long_help" | "about" | "doc" | "description" => {
            "write a doc comment at the parameter, `/// …`"
        }
        "value_name" | "id" | "rename" => "write `name = \"name\"`",
        "alias" | "aliases" => {
            "an option has one name, `long = \"name\"`, and one letter, `short = 'n'`"
        }
        "default_value" | "default_value_t" | "default_values" => "write `default = …`",
        "optional" | "required" => {
            "a parameter can be left out if its type is `Option<…>` or `Vec<…>`, or if it has `default = …`"
        }
        "action" => "write `flag` for an option without a value",
        "num_args" | "multiple" => {
            "make the type `Vec<…>` for any number of words, and limit it by `min = …` and `max = …`"
        }
        "trailing_var_arg" => "write `last` for the words behind `--`",
        "value_enum" | "possible_values" => "put `#[derive(Arg)]` on an enum of the words",
        "value_parser" | "parse" | "with" => {
            "write `from_str`, or implement `Arg` for a type of your own"
        }
        _ => return None,
    })
}

/// Parses the `=` after a key, and returns the span of the value.
///
/// A missing value is reported at the key, since no token may follow.
fn after_equals(input: ParseStream<'_>, key: &Ident, missing: &str) -> syn::Result<Span> {
    let at_key = || Error::new(key.span(), missing);
    input.parse::<Token![=]>().map_err(|_| at_key())?;
    if is_at_end(input) { Err(at_key()) } else { Ok(input.span()) }
}

fn text(input: ParseStream<'_>, key: &Ident, missing: &str) -> syn::Result<LitStr> {
    let span = after_equals(input, key, missing)?;
    input.parse().map_err(|_| Error::new(span, missing))
}

fn count(input: ParseStream<'_>, key: &Ident) -> syn::Result<LitInt> {
    let missing = format!("`{key}` needs a number: write for example `{key} = 1`");
    let span = after_equals(input, key, &missing)?;
    input.parse().map_err(|_| Error::new(span, missing))
}

/// Parses a text that is not empty and has no line end.
fn filled(input: ParseStream<'_>, key: &Ident, missing: &str) -> syn::Result<LitStr> {
    let text = text(input, key, missing)?;
    let value = text.value();
    let is_line = !value.trim().is_empty() && !value.contains(char::is_control);
    if is_line { Ok(text) } else { Err(Error::new(text.span(), missing)) }
}

fn allow(input: ParseStream<'_>, key: &Ident) -> syn::Result<LitStr> {
    let missing =
        "`allow` needs a rule in quotes: write `allow = \"uid:root | group:adm | owner\"`";
    text(input, key, missing)
}

fn krate(input: ParseStream<'_>, key: &Ident) -> syn::Result<Path> {
    let missing = "`crate` needs the path of dockipc without quotes: write `crate = path`";
    let span = after_equals(input, key, missing)?;
    input.call(Path::parse_mod_style).map_err(|_| Error::new(span, missing))
}

fn option_name(input: ParseStream<'_>, key: &Ident) -> syn::Result<Option<LitStr>> {
    if !input.peek(Token![=]) && !input.peek(token::Paren) {
        return Ok(None);
    }
    let missing =
        format!("the name of an option must be in quotes: write `{key} = \"name\"`, or `{key}`");
    text(input, key, &missing).map(Some)
}
