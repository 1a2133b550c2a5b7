//! [`FromRequest`], the types that can be parameters of a command.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use super::{Args, BodyCode, Group, Purpose};
use crate::arg::{Arg, Arity, BadValue, BadWord, FromText, usage};
use crate::error::Failure;
use crate::local::Local;
use crate::peer::Peer;
use crate::request::Request;
use crate::run::{Cancel, Deadline, Latest, Once, OnceCall, Progress, Stop};
use crate::state::{State, States};

/// A type that can be a parameter of a command: an [`Arg`], or an injected type.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a parameter of a command",
    label = "not a parameter type",
    note = "parsed from words: text, bytes, numbers, bool, char, Duration, SystemTime, paths, addresses, `Option`, `Vec` and maps of those",
    note = "injected: `State<T>` of a `T` that is `Send + Sync`, `Peer`, `Cancel`, `Deadline`, `Stop`, `Once`, `Events`, `Progress`, `Body`, `Body<T>` of a `T` with `#[derive(Reply)]`, `&Request`, `Local<'_, T>`",
    note = "add `#[derive(dockipc::Arg)]` to your own type, or `#[arg(from_str)]` to a parameter whose type implements `FromStr`"
)]
pub trait FromRequest<'r>: Sized {
    const KIND: Kind;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure>;

    /// See [`Arg::shown`].
    fn shown(&self) -> Option<String> {
        None
    }

    /// The properties of an `Option` of the type. Only one that is parsed, or of which one alternative is given, can be
    /// in one.
    const OPTIONAL: Kind = Kind { arity: Arity::Nested, ..Self::KIND };

    /// Reads an `Option` of the type.
    fn optional(args: &Args<'r>, index: usize) -> Result<Option<Self>, Failure> {
        Self::from_request(args, index).map(Some)
    }
}

/// The properties that a parameter gets from its type.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub(super) ty: &'static str,
    pub(super) choices: &'static [&'static str],
    pub(super) aliases: &'static [(&'static str, &'static str)],
    pub(super) is_map: bool,
    pub(super) range: Option<(&'static str, &'static str)>,
    pub(super) schema: Option<fn() -> String>,
    pub(super) arity: Arity,
    pub(super) secret: bool,
    pub(super) needs: Needs,
    pub(super) wanted: fn() -> Option<Wanted>,
    pub(super) check: fn(&'static str) -> Result<(), BadValue>,
    pub(super) at_start: Option<fn(&States)>,
    /// Of a body.
    pub(super) body: Option<&'static BodyCode>,
    pub(super) group: Group,
}

/// The part of a call that a parameter needs beside its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// The command's identity.
    Run,
    /// The command's identity, to learn that it is to stop.
    Signal,
    /// The command's identity, for the token of the call.
    Token,
    /// The command's identity, to report its progress.
    Progress,
    /// The value of the author's thread, where the command runs.
    Local,
    /// The bytes that the client sends after the command.
    Body,
    /// The same, for an async command.
    #[cfg(feature = "tokio")]
    AsyncBody,
}

/// The type of a state that a parameter requires, or of a value of the author's thread.
#[doc(hidden)]
#[derive(Debug)]
pub struct Wanted {
    pub(crate) id: TypeId,
    /// An `Arc` of the type, which an author may have given by mistake.
    pub(crate) arc: TypeId,
    pub(crate) name: &'static str,
}

impl Kind {
    /// The properties of an injected parameter.
    pub(crate) const INJECTED: Self = Self {
        ty: "",
        choices: &[],
        aliases: &[],
        is_map: false,
        range: None,
        schema: None,
        arity: Arity::Injected,
        secret: false,
        needs: Needs::Nothing,
        wanted: || None,
        check: |_| Ok(()),
        at_start: None,
        body: None,
        group: Group::Alone,
    };

    /// Returns the properties of an injected parameter for which the server prepares itself when it starts.
    pub(crate) const fn prepared(at_start: fn(&States)) -> Self {
        Self { at_start: Some(at_start), ..Self::INJECTED }
    }

    /// The properties of an injected parameter that needs the command's identity.
    const RUN: Self = Self { needs: Needs::Run, ..Self::INJECTED };

    /// The properties of an injected parameter by which a command learns that it is to stop.
    const SIGNAL: Self = Self { needs: Needs::Signal, ..Self::INJECTED };
}

impl<'r, T: Arg<'r>> FromRequest<'r> for T {
    const KIND: Kind = Kind {
        ty: T::TYPE,
        choices: T::CHOICES,
        aliases: T::ALIASES,
        is_map: T::IS_MAP,
        range: T::RANGE,
        schema: T::SCHEMA,
        arity: T::ARITY,
        secret: T::SECRET,
        needs: Needs::Nothing,
        wanted: || None,
        check: |default| {
            let words = &mut std::iter::once(default.as_bytes());
            T::from_words(words).map(drop).map_err(|bad| bad.bad)
        },
        at_start: None,
        body: None,
        group: Group::Alone,
    };

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        args.parse(index, |words| T::from_words(words))
    }

    fn shown(&self) -> Option<String> {
        Arg::shown(self)
    }

    const OPTIONAL: Kind = <Option<T> as FromRequest<'r>>::KIND;

    fn optional(args: &Args<'r>, index: usize) -> Result<Option<Self>, Failure> {
        <Option<T> as FromRequest<'r>>::from_request(args, index)
    }
}

impl<'r, T: Send + Sync + 'static> FromRequest<'r> for State<T> {
    const KIND: Kind = <&State<T>>::KIND;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        <&State<T>>::from_request(args, index).cloned()
    }
}

impl<'r, T: Send + Sync + 'static> FromRequest<'r> for &'r State<T> {
    const KIND: Kind = Kind {
        wanted: || {
            Some(Wanted {
                id: TypeId::of::<T>(),
                arc: TypeId::of::<Arc<T>>(),
                name: std::any::type_name::<T>(),
            })
        },
        ..Kind::INJECTED
    };

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        // Not reached: the server does not start without the state.
        args.request
            .state()
            .ok_or_else(|| Failure::from(format!("missing State<{}>", std::any::type_name::<T>())))
    }
}

impl<'r> FromRequest<'r> for Peer {
    const KIND: Kind = Kind::INJECTED;

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(args.request.peer().clone())
    }
}

impl<'r> FromRequest<'r> for &'r Peer {
    const KIND: Kind = Kind::INJECTED;

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(args.request.peer())
    }
}

impl<'r> FromRequest<'r> for &'r Request<'r> {
    const KIND: Kind = Kind::INJECTED;

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(args.request)
    }
}

impl<'r, C: 'static> FromRequest<'r> for Local<'r, C> {
    const KIND: Kind = Kind {
        needs: Needs::Local,
        wanted: || {
            Some(Wanted {
                id: TypeId::of::<C>(),
                arc: TypeId::of::<Arc<C>>(),
                name: std::any::type_name::<C>(),
            })
        },
        ..Kind::INJECTED
    };

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        let value = match args.purpose {
            Purpose::Check => return Ok(Self::unused()),
            Purpose::RunWith(value) => value.take(),
            Purpose::Run => None,
        };
        let value = value.and_then(|value| value.downcast_mut());
        // Not reached without a value: a command has one such parameter and runs on the loop of its type.
        value.map(Self::new).ok_or_else(|| Failure::from("the command runs without its loop"))
    }
}

impl<'r> FromRequest<'r> for &'r Cancel {
    const KIND: Kind = Kind::SIGNAL;

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        // Not reached: dispatch makes one for a command with such a parameter.
        args.request.run().ok_or_else(|| Failure::from("the command has no identity"))
    }
}

impl<'r> FromRequest<'r> for Cancel {
    const KIND: Kind = Kind::SIGNAL;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        <&Self>::from_request(args, index).cloned()
    }
}

impl<'r> FromRequest<'r> for Deadline {
    const KIND: Kind = Kind::RUN;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        <&Cancel>::from_request(args, index).map(|Cancel(run)| Self::at(run.deadline))
    }
}

impl<'r> FromRequest<'r> for Stop {
    const KIND: Kind = Kind::RUN;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        <&Cancel>::from_request(args, index).map(|Cancel(run)| Self(Arc::clone(run)))
    }
}

impl<'r> FromRequest<'r> for Progress {
    const KIND: Kind = Kind { needs: Needs::Progress, ..Kind::INJECTED };

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        let Cancel(run) = <&Cancel>::from_request(args, index)?;
        if run.asks_progress {
            run.report.get_or_init(|| Box::new(Latest::default()));
        }
        Ok(Self(Arc::clone(run)))
    }
}

impl<'r> FromRequest<'r> for Once {
    const KIND: Kind = Kind { needs: Needs::Token, ..Kind::INJECTED };
    /// A call without a token has none.
    const OPTIONAL: Kind = Self::KIND;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        let once = Self::optional(args, index)?;
        let name = args.request.name();
        once.ok_or_else(|| {
            usage(format_args!(
                "{name} runs once: it requires a token (Call::once, or dockipc with once <token>)"
            ))
        })
    }

    fn optional(args: &Args<'r>, index: usize) -> Result<Option<Self>, Failure> {
        let Cancel(run) = <&Cancel>::from_request(args, index)?;
        Ok(run.once.as_ref().map(OnceCall::value))
    }
}

/// The type of a `#[arg(flag)]`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a flag is a `bool`, not `{Self}`",
    label = "should be `bool`",
    note = "use `#[arg(long)]` for an option with a value"
)]
pub trait Flag: Sized {
    fn from_flag(given: bool) -> Self;
}

impl Flag for bool {
    fn from_flag(given: bool) -> Self {
        given
    }
}

/// A type that can be an `#[arg(from_str)]`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be parsed from text",
    label = "does not implement `FromStr` with an error that is `Display`",
    note = "`from_str` requires `std::str::FromStr`; for an enum of unit variants use `#[derive(dockipc::Arg)]` without it"
)]
pub trait Parse: Sized {
    const REQUIRED: Kind = Kind {
        ty: <&str>::TYPE,
        choices: &[],
        aliases: &[],
        is_map: false,
        range: None,
        schema: None,
        arity: Arity::One,
        secret: false,
        needs: Needs::Nothing,
        wanted: || None,
        check: |default| Self::from_word(default.as_bytes()).map(drop),
        at_start: None,
        body: None,
        group: Group::Alone,
    };
    const OPTIONAL: Kind = Kind { arity: Arity::Optional, ..Self::REQUIRED };
    const LIST: Kind = Kind { arity: Arity::Many, ..Self::REQUIRED };

    fn from_word(word: &[u8]) -> Result<Self, BadValue>;

    fn required(args: &Args<'_>, index: usize) -> Result<Self, Failure> {
        args.parse(index, |words| {
            let Some(word) = words.next() else { return Ok(None) };
            Self::from_word(word).map(Some).map_err(|bad| BadWord { word, bad })
        })
    }

    fn optional(args: &Args<'_>, index: usize) -> Result<Option<Self>, Failure> {
        args.has(index).then(|| Self::required(args, index)).transpose()
    }

    fn list(args: &Args<'_>, index: usize) -> Result<Vec<Self>, Failure> {
        args.parse(index, |words| {
            let read = |word| Self::from_word(word).map_err(|bad| BadWord { word, bad });
            words.map(read).collect::<Result<_, _>>().map(Some)
        })
    }
}

// Keeps the compiler from listing every type that implements `FromStr`.
#[diagnostic::do_not_recommend]
impl<T: std::str::FromStr<Err: fmt::Display>> Parse for T {
    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        T::from_text(word)
    }
}
