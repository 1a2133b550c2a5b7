//! What is meant: the model of a command, and its checks.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Error, Expr, FnArg, GenericArgument, GenericParam, Ident, Item, ItemFn, LitStr, Pat,
    Path, PathArguments, ReturnType, Signature, Type, TypeReference,
};

use crate::attr::{self, ArgAttr, CommandAttr, Fallback, Way, span};
use crate::expand;
use crate::rule::Term;

/// A command that passed every check that can be made on tokens. What needs types is checked by the
/// generated code.
pub(crate) struct Command {
    pub(crate) krate: Path,
    pub(crate) function: Ident,
    pub(crate) name: String,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) hidden: bool,
    pub(crate) idempotent: bool,
    pub(crate) allow: Option<Vec<Term>>,
    pub(crate) docs: Vec<Expr>,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) params: Vec<Param>,
    pub(crate) output: Output,
}

/// What the function returns.
pub(crate) enum Output {
    Type(Box<Type>),
    /// A type that can't be written elsewhere, or is not written at all; this is where it stands.
    Hidden(Span),
}

/// One parameter.
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) docs: Vec<Expr>,
    pub(crate) ty: Type,
    pub(crate) way: Way,
    /// The option's name, if it is one.
    pub(crate) long: Option<String>,
    pub(crate) default: Option<Fallback>,
    pub(crate) from_str: Option<FromStr>,
    /// The function that proposes values.
    pub(crate) complete: Option<Path>,
    pub(crate) secret: bool,
}

/// A parameter that is read through its `FromStr`.
pub(crate) enum FromStr {
    Required,
    /// `Option` of this.
    Optional(Box<Type>),
}

/// The author's item, whatever it is, and what is generated beside it or the errors.
pub(crate) fn command(attr: TokenStream, item: TokenStream) -> TokenStream {
    let function = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(function)) => function,
        Ok(other) => {
            let place = after_attributes(&other).unwrap_or_else(|| span(&other));
            let message = match other {
                // A function without a body, such as a trait's.
                Item::Verbatim(_) => "a command is a function with a body",
                _ => "`#[command]` stands on a function",
            };
            let error = Error::new(place, message).into_compile_error();
            return quote!(#item #error);
        }
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut function = function;
    let model = Command::new(syn::parse2(attr), &mut function);
    let generated = match model {
        Ok(command) => expand::command(&command),
        Err(error) => error.into_compile_error(),
    };
    quote!(#function #generated)
}

/// The place of the first token that belongs to no attribute.
fn after_attributes(item: &Item) -> Option<Span> {
    let mut tokens = item.to_token_stream().into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => drop(tokens.next()),
            other => return Some(other.span()),
        }
    }
    None
}

/// Collects errors, so that all are shown at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, span: Span, message: &str) {
        self.push(Error::new(span, message));
    }

    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// The value, if nothing was wrong.
    pub(crate) fn result<T>(self, value: T) -> syn::Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

impl Command {
    /// Takes our attributes out of the function, so that it compiles whatever else is wrong.
    fn new(attr: syn::Result<CommandAttr>, function: &mut ItemFn) -> syn::Result<Self> {
        let mut errors = Errors::default();
        let attr = errors.take(attr);
        let mut params = Vec::new();
        for input in &mut function.sig.inputs {
            params.extend(errors.take(Param::new(input)));
        }
        check_signature(&function.sig, &mut errors);
        check_params(&params, &mut errors);
        if let Some(twice) = function.attrs.iter().find(|a| last_is(a.path(), "command")) {
            errors.add(
                span(twice.path()),
                "a function is one command: write `alias = \"…\"` for another name",
            );
        }
        let ident = &function.sig.ident;
        let name = match attr.as_ref().and_then(|attr| attr.name.as_ref()) {
            Some(name) => (name.value(), name.span()),
            None => (kebab(ident), ident.span()),
        };
        if attr.is_some() {
            check_name(&name.0, name.1, &mut errors);
        }
        let mut names = vec![name.0.clone()];
        for alias in attr.iter().flat_map(|attr| &attr.aliases) {
            let (alias, place) = (alias.value(), alias.span());
            if names.contains(&alias) {
                errors.add(place, "the command has this name already");
            } else {
                check_name(&alias, place, &mut errors);
            }
            names.push(alias);
        }
        if let Some(error) = errors.0 {
            return Err(error);
        }
        let attr = attr.ok_or_else(|| Error::new(Span::call_site(), "expected a name"))?;
        Ok(Self {
            krate: attr.krate.unwrap_or_else(default_crate),
            function: ident.clone(),
            name: name.0,
            aliases: attr.aliases,
            hidden: attr.hidden,
            idempotent: attr.idempotent,
            allow: attr.allow,
            docs: attr::docs(&mut function.attrs, true),
            cfgs: function.attrs.iter().filter(|a| a.path().is_ident("cfg")).cloned().collect(),
            params,
            output: match &function.sig.output {
                ReturnType::Default => Output::Hidden(own(ident.span())),
                ReturnType::Type(_, ty) if first_impl(ty.to_token_stream()).is_some() => {
                    Output::Hidden(own(span(ty)))
                }
                ReturnType::Type(_, ty) => Output::Type(ty.clone()),
            },
        })
    }
}

pub(crate) fn default_crate() -> Path {
    syn::parse_quote!(::dockipc)
}

fn last_is(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

/// `dry_run` and `DryRun` as `dry-run`.
pub(crate) fn kebab(ident: &Ident) -> String {
    let mut out = String::new();
    for c in ident.unraw().to_string().trim_matches('_').chars() {
        if c.is_uppercase() && !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if c == '_' { out.push('-') } else { out.extend(c.to_lowercase()) }
    }
    out
}

/// A place in the author's code, with names resolved as the macro's own.
pub(crate) fn own(place: Span) -> Span {
    place.resolved_at(Span::mixed_site())
}

fn check_signature(sig: &Signature, errors: &mut Errors) {
    if let Some(token) = &sig.asyncness {
        errors.add(
            token.span,
            "a command can't be async yet: make it a plain `fn`; it may block, other clients are served meanwhile",
        );
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        errors.add(token.span, "any client can call a command: it can't be `unsafe`");
    }
    for param in &sig.generics.params {
        match param {
            GenericParam::Lifetime(lifetime) => errors.add(
                span(lifetime),
                "a command has no lifetime parameters: leave the lifetimes out, as in `&str`",
            ),
            other => errors.add(span(other), ONE_TYPE),
        }
    }
    if let ReturnType::Type(_, ty) = &sig.output
        && let Type::Never(_) = **ty
    {
        errors.push(Error::new_spanned(
            ty,
            "a command comes back to be answered: write the type of its answer, or none",
        ));
    }
    if let Some(variadic) = &sig.variadic {
        errors.add(
            span(variadic),
            "a command can't be variadic: write a `Vec` for any number of words",
        );
    }
}

const ONE_TYPE: &str =
    "a command can't be generic: what comes from a socket has one type; write that type";

/// The place of the first `impl`.
fn first_impl(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "impl" => Some(ident.span()),
        TokenTree::Group(group) => first_impl(group.stream()),
        _ => None,
    })
}

fn check_option(name: &str, place: Span) -> syn::Result<()> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.starts_with('-') || !name.bytes().all(fits) {
        return Err(Error::new(
            place,
            "an option's name has a-z, 0-9 and -, and is written without dashes in front: `long = \"name\"`",
        ));
    }
    Ok(())
}

fn check_params(params: &[Param], errors: &mut Errors) {
    let mut rest = false;
    for (i, param) in params.iter().enumerate() {
        if let Way::Rest(span) = param.way
            && std::mem::replace(&mut rest, true)
        {
            errors.add(span, "there is one rest of a line: only one parameter can be `rest`");
        }
        let same = |other: &Param| param.long.is_some() && other.long == param.long;
        if params[..i].iter().any(same) {
            let why = "two options have this name: give one another, `long = \"…\"`";
            errors.push(Error::new_spanned(&param.ty, why));
        }
    }
}

/// The words that the protocol needs. `dockipc::registry` has the same list.
const RESERVED: &[&str] = &[
    "auth",
    "client",
    "command",
    "config",
    "dockipc",
    "hello",
    "monitor",
    "psubscribe",
    "psync",
    "publish",
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

fn check_name(name: &str, span: Span, errors: &mut Errors) {
    let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-');
    if name.is_empty() {
        errors.add(span, "a command needs a name");
    } else if name.contains(char::is_whitespace) {
        errors.add(span, "a name is one word: join its parts with `-`");
    } else if name.bytes().any(|b| b.is_ascii_uppercase()) {
        errors.add(span, "a name is written in small letters (callers may use capitals)");
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.bytes().all(fits) {
        errors.add(span, "a name has a-z, 0-9, and after the first also `.`, `_`, `:` and `-`");
    } else if name.len() > 64 {
        errors.add(span, "a name has at most 64 bytes");
    } else if RESERVED.contains(&name) {
        errors.push(Error::new(
            span,
            format!("`{name}` is a word of the protocol: take another name"),
        ));
    }
}

impl Param {
    fn new(input: &mut FnArg) -> syn::Result<Self> {
        let typed = match input {
            FnArg::Receiver(receiver) => {
                receiver.attrs.retain(|attr| !attr.path().is_ident("arg"));
                return Err(Error::new_spanned(
                    receiver,
                    "a command is a free function: instead of `self` take a `State<…>`",
                ));
            }
            FnArg::Typed(typed) => typed,
        };
        let docs = attr::docs(&mut typed.attrs, false);
        let attr = ArgAttr::take(&mut typed.attrs)?;
        if let Some(cfg) = typed.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            return Err(Error::new_spanned(
                cfg.path(),
                "a command has the same parameters in every build: put `#[cfg]` on the function",
            ));
        }
        let nameless = || {
            let why = "a parameter needs a name, which help and errors show: write `name: Type`";
            Error::new_spanned(&typed.pat, why)
        };
        let Pat::Ident(pat) = &*typed.pat else { return Err(nameless()) };
        let name = pat.ident.unraw().to_string().trim_matches('_').to_owned();
        if name.is_empty() {
            return Err(nameless());
        }
        match &*typed.ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                return Err(Error::new_spanned(
                    &typed.ty,
                    "commands run at the same time, so nothing can be given as `&mut`: take a `State<…>` with a lock or an atomic in it",
                ));
            }
            Type::Reference(TypeReference { lifetime: Some(lifetime), .. })
                if lifetime.ident == "static" =>
            {
                return Err(Error::new_spanned(
                    lifetime,
                    "what a client sent lives as long as the call: leave the lifetime out, as in `&str`",
                ));
            }
            _ => {}
        }
        if let Some(place) = first_impl(typed.ty.to_token_stream()) {
            return Err(Error::new(place, ONE_TYPE));
        }
        let long = match &attr.way {
            Way::Flag(name, _) | Way::Long(name) => {
                let (name, place) = match name {
                    Some(name) => (name.value(), name.span()),
                    None => (kebab(&pat.ident), pat.ident.span()),
                };
                check_option(&name, place)?;
                Some(name)
            }
            Way::Plain | Way::Rest(_) => None,
        };
        let from_str = attr.from_str.then(|| match inside(&typed.ty, "Option") {
            Some(inner) => FromStr::Optional(Box::new(inner.clone())),
            None => FromStr::Required,
        });
        if let (Some(_), Way::Flag(_, span)) = (&from_str, &attr.way) {
            return Err(Error::new(*span, "a flag is a `bool`: it is not read with `from_str`"));
        }
        if let (Some(FromStr::Optional(_)), Some(_)) = (&from_str, &attr.default) {
            return Err(Error::new_spanned(
                &typed.ty,
                "with a default it is always there: leave `Option` out",
            ));
        }
        if let (Way::Flag(..), Some(function)) = (&attr.way, &attr.complete) {
            return Err(Error::new_spanned(function, "a flag has no value to propose"));
        }
        if let (Way::Flag(..), Some(place)) = (&attr.way, attr.secret) {
            return Err(Error::new(place, "a flag has no value to hide"));
        }
        let secret = attr.secret.is_some();
        let ArgAttr { way, default, complete, .. } = attr;
        Ok(Self {
            name,
            docs,
            ty: (*typed.ty).clone(),
            way,
            long,
            default,
            from_str,
            complete,
            secret,
        })
    }
}

/// The type in `Outer<…>`. Only `from_str` asks: there the author's type has no trait of ours.
fn inside<'t>(ty: &'t Type, outer: &str) -> Option<&'t Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == outer)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}
