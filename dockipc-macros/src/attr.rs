//! What the author wrote in the brackets.

use proc_macro2::Span;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Meta, Path, Token, UnOp,
};

use crate::rule::{self, Term};

/// `#[command(…)]`.
pub(crate) struct CommandAttr {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) hidden: bool,
    pub(crate) idempotent: bool,
    pub(crate) allow: Option<Vec<Term>>,
    pub(crate) krate: Option<Path>,
}

impl Parse for CommandAttr {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attr = Self {
            name: None,
            aliases: Vec::new(),
            hidden: false,
            idempotent: false,
            allow: None,
            krate: None,
        };
        while !input.is_empty() {
            if input.peek(LitStr) {
                let name: LitStr = input.parse()?;
                if attr.name.is_some() {
                    return Err(Error::new(
                        name.span(),
                        "a command has one name: write `alias = \"…\"` for another",
                    ));
                }
                attr.name = Some(name);
            } else {
                attr.key(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(attr)
    }
}

impl CommandAttr {
    fn key(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let unknown = "expected the name as a string, `alias = \"…\"`, `allow = \"…\"`, `hidden`, `idempotent` or `crate = path`";
        let key = input.call(Ident::parse_any).map_err(|e| Error::new(e.span(), unknown))?;
        match &*key.to_string() {
            "alias" => {
                self.aliases.push(text(input, &key, "give the other name: `alias = \"…\"`")?);
            }
            "allow" if self.allow.is_some() => {
                return Err(Error::new(
                    key.span(),
                    "a command has one rule: join the parts of it with `|`",
                ));
            }
            "allow" => {
                let missing = "say who may run it: `allow = \"uid:root | group:adm | owner\"`";
                self.allow = Some(rule::parse(&text(input, &key, missing)?)?);
            }
            "hidden" => self.hidden = alone(input, &key)?,
            "idempotent" => self.idempotent = alone(input, &key)?,
            "crate" => {
                let missing = "give the path of dockipc: `crate = path`";
                equals(input, &key, missing)?;
                let path = input.call(Path::parse_mod_style);
                self.krate = Some(path.map_err(|e| Error::new(e.span(), missing))?);
            }
            "name" => {
                return Err(Error::new(
                    key.span(),
                    "the name stands by itself: `#[command(\"name\")]`",
                ));
            }
            other => {
                return Err(Error::new(key.span(), format!("unknown key `{other}`: {unknown}")));
            }
        }
        Ok(())
    }
}

/// `#[arg(…)]` at a parameter.
#[derive(Default)]
pub(crate) struct ArgAttr {
    pub(crate) way: Way,
    pub(crate) default: Option<Fallback>,
    pub(crate) from_str: bool,
    /// The function that proposes values.
    pub(crate) complete: Option<Path>,
    pub(crate) secret: Option<Span>,
}

/// How the words of a parameter are found.
#[derive(Default)]
pub(crate) enum Way {
    #[default]
    Plain,
    Flag(Option<LitStr>, Span),
    Long(Option<LitStr>),
    Rest(Span),
}

/// What a parameter is when it is left out.
pub(crate) enum Fallback {
    /// A literal, read as if it had been sent.
    Word(String, Span),
    /// A value of the parameter's type.
    Value(Expr),
}

impl ArgAttr {
    /// Takes the `#[arg(…)]` out of a parameter's attributes.
    pub(crate) fn take(attrs: &mut Vec<Attribute>) -> syn::Result<Self> {
        let mut arg = Self::default();
        let mut error: Option<Error> = None;
        attrs.retain(|attr| {
            if !attr.path().is_ident("arg") {
                return true;
            }
            if let Err(e) = arg.add(attr) {
                match &mut error {
                    Some(error) => error.combine(e),
                    None => error = Some(e),
                }
            }
            false
        });
        error.map_or(Ok(arg), Err)
    }

    fn add(&mut self, attr: &Attribute) -> syn::Result<()> {
        attr.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                self.key(input)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })
    }

    fn key(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let expected = "expected `complete = …`, `default = …`, `flag`, `long`, `rest`, `secret` or `from_str`";
        let key = input.call(Ident::parse_any).map_err(|e| Error::new(e.span(), expected))?;
        let one_way = |way: &Way| match way {
            Way::Plain => Ok(()),
            _ => Err(Error::new(key.span(), "a parameter is one of `flag`, `long` and `rest`")),
        };
        match &*key.to_string() {
            "flag" => {
                one_way(&self.way)?;
                self.way = Way::Flag(name(input, &key)?, key.span());
            }
            "long" => {
                one_way(&self.way)?;
                self.way = Way::Long(name(input, &key)?);
            }
            "rest" => {
                one_way(&self.way)?;
                self.way = Way::Rest(key.span());
            }
            "from_str" => self.from_str = true,
            "secret" => {
                alone(input, &key)?;
                self.secret = Some(key.span());
            }
            "complete" if self.complete.is_some() => {
                return Err(Error::new(key.span(), "a parameter has one `complete`"));
            }
            "complete" => {
                let missing = "give it a function: `complete = names`";
                equals(input, &key, missing)?;
                let place = if input.is_empty() { key.span() } else { input.span() };
                self.complete = Some(input.parse().map_err(|_| Error::new(place, missing))?);
            }
            "default" if self.default.is_some() => {
                return Err(Error::new(key.span(), "a parameter has one default"));
            }
            "default" => {
                let missing = "give it a value: `default = …`";
                equals(input, &key, missing)?;
                if input.is_empty() || input.peek(Token![,]) {
                    return Err(Error::new(key.span(), missing));
                }
                self.default = Some(Fallback::of(input.parse()?));
            }
            other => {
                return Err(Error::new(key.span(), format!("unknown key `{other}`: {expected}")));
            }
        }
        if let (Way::Flag(..), Some(_)) = (&self.way, &self.default) {
            return Err(Error::new(
                key.span(),
                "a flag is false when it is left out: it has no default",
            ));
        }
        Ok(())
    }
}

/// The `=` after a key. What is missing is said at the key, since nothing may follow it.
fn equals(input: ParseStream<'_>, key: &Ident, missing: &str) -> syn::Result<()> {
    input.parse::<Token![=]>().map(drop).map_err(|_| Error::new(key.span(), missing))
}

/// A key that has no value.
fn alone(input: ParseStream<'_>, key: &Ident) -> syn::Result<bool> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(true);
    }
    Err(input.error(format!("`{key}` stands alone: it has no value")))
}

/// `= "text"` after a key.
fn text(input: ParseStream<'_>, key: &Ident, missing: &str) -> syn::Result<LitStr> {
    equals(input, key, missing)?;
    let place = if input.is_empty() { key.span() } else { input.span() };
    input.parse().map_err(|_| Error::new(place, missing))
}

/// `= "name"`, if it follows.
fn name(input: ParseStream<'_>, key: &Ident) -> syn::Result<Option<LitStr>> {
    if !input.peek(Token![=]) {
        return Ok(None);
    }
    text(input, key, "give the option's name as a string, without dashes in front: `\"name\"`")
        .map(Some)
}

impl Fallback {
    fn of(expr: Expr) -> Self {
        let (negative, lit) = match &expr {
            Expr::Lit(ExprLit { lit, .. }) => (false, Some(lit)),
            Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match &**expr {
                Expr::Lit(ExprLit { lit, .. }) => (true, Some(lit)),
                _ => (true, None),
            },
            _ => (false, None),
        };
        let word = lit.and_then(|lit| match lit {
            Lit::Str(text) => Some(text.value()),
            Lit::Int(int) => Some(int.base10_digits().to_owned()),
            Lit::Float(float) => Some(float.base10_digits().to_owned()),
            Lit::Bool(bool) => Some(bool.value().to_string()),
            Lit::Char(char) => Some(char.value().to_string()),
            _ => None,
        });
        match word {
            Some(word) => {
                let sign = if negative { "-" } else { "" };
                Self::Word(format!("{sign}{word}"), span(&expr))
            }
            None => Self::Value(expr),
        }
    }
}

/// Takes the text of the doc comments; `keep` leaves them where they are.
pub(crate) fn docs(attrs: &mut Vec<Attribute>, keep: bool) -> Vec<Expr> {
    let mut docs = Vec::new();
    attrs.retain(|attr| match &attr.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => {
            docs.push(doc.value.clone());
            keep
        }
        _ => true,
    });
    docs
}

/// `#[arg(…)]` at a derived type or at a variant.
pub(crate) fn derive_keys(attrs: &[Attribute]) -> syn::Result<Vec<Meta>> {
    let of =
        |attr: &Attribute| attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let mut metas = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("arg")) {
        metas.extend(of(attr)?);
    }
    Ok(metas)
}

/// The place of the first token.
pub(crate) fn span(tokens: &impl ToTokens) -> Span {
    tokens.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
