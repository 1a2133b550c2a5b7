//! Calls of commands that are an enum of the program's, and their words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::commands::CommandBuilder;
use super::to_args::Arguments;
use super::{Call, Client};
use crate::arg::{Quoted, usage};
use crate::error::{Failure, code};
use crate::nearest::nearest;
use crate::param::{
    Args, CommandSet, FromRequest, Purpose, Scratch, Shape, Unbound, Usage, Variant,
};
use crate::peer::Peer;
use crate::request::{Caller, Request};
use crate::state::States;
use crate::wire::{Frame, Protocol, Span};

/// An enum whose variants are commands; implemented by `#[derive(Commands)]`.
///
/// The daemon runs such a command, a client [requests](Client::request) it, and a file of settings or a command line
/// has its words:
///
/// ```
/// use dockipc::Commands;
///
/// #[derive(Commands, Debug, PartialEq)]
/// enum Action {
///     /// Focus a window.
///     FocusWindow {
///         #[arg(long)]
///         id: u64,
///     },
///     /// Close the focused window.
///     CloseWindow,
/// }
///
/// let action = Action::from_words(["focus-window", "--id", "7"])?;
/// assert_eq!(action, Action::FocusWindow { id: 7 });
/// assert_eq!(action.to_words(), ["focus-window", "--id", "7"]);
///
/// let error = Action::from_words(["focus-window"]).unwrap_err();
/// assert_eq!(error.message(), "--id is missing; usage: focus-window --id <id>");
/// # Ok::<(), dockipc::Failure>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum of commands that can be sent",
    note = "add `#[derive(dockipc::Commands)]` to the enum; the types of its fields are sent by `ToArgs`"
)]
pub trait Commands: for<'r> FromRequest<'r> {
    #[doc(hidden)]
    const SET: &'static CommandSet;

    /// Returns the number of the variant.
    #[doc(hidden)]
    fn number(&self) -> usize;

    /// Adds the values of the fields to a call.
    #[doc(hidden)]
    fn send(&self, arguments: &mut Arguments<'_>);

    /// Parses words as the daemon does: the name of a variant, and its parameters. A `prefix` of the enum is not one of
    /// them.
    ///
    /// # Errors
    /// The failure that the daemon would answer, with the usage of the command.
    fn from_words<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Result<Self, Failure> {
        let (mut input, mut scratch) = (Vec::new(), Scratch::default());
        for word in words {
            let start = input.len();
            input.extend_from_slice(word.as_ref().as_bytes());
            scratch.incoming.push(Span::input(start, input.len()));
        }
        let variant = find(Self::SET, &input, scratch.incoming.first())?;
        let params = variant.params;
        let failed = |failure: Failure| {
            if failure.code() != code::USAGE {
                return failure;
            }
            let how = Usage { name: variant.name, params };
            usage(format_args!("{}; usage: {how}", failure.message()))
        };
        let mut unbound = Unbound::new(&input, Frame::Resp, &mut scratch);
        let shape = Shape::of(params);
        unbound.read_name().and_then(|()| unbound.bind(params, &shape)).map_err(failed)?;
        let bound = unbound.found();
        let (peer, states) = (Peer::unknown(), States::default());
        let caller =
            Caller { peer: &peer, connection: 0, protocol: Protocol::Resp3, states: &states };
        let request = Request::new(variant.name, bound.words, caller, shape.has_secret);
        let args =
            Args { request: &request, options: bound.options, params, purpose: Purpose::Run };
        Self::from_request(&args, 0).map_err(failed)
    }

    /// Returns the words from which [`from_words`](Self::from_words) makes the same value.
    fn to_words(&self) -> Vec<OsString> {
        let mut words = CommandBuilder::new(Self::SET.variants[self.number()].name);
        self.send(&mut Arguments(&mut words));
        words.words().into_iter().map(OsString::from_vec).collect()
    }
}

/// Returns the variant with this name.
fn find(
    set: &'static CommandSet,
    input: &[u8],
    name: Option<&Span>,
) -> Result<&'static Variant, Failure> {
    let Some(name) = name.map(|span| span.of(input, &[])) else {
        return Err(usage("no command is given"));
    };
    let names = |variant: &Variant| {
        let aliases = variant.aliases.iter().copied();
        [variant.name]
            .into_iter()
            .chain(aliases)
            .any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
    };
    set.variants.iter().find(|variant| names(variant)).ok_or_else(|| {
        let (word, most) = (name.to_ascii_lowercase(), (name.len() / 3).max(1));
        let shown = set.variants.iter().filter(|variant| !variant.hidden);
        let hint = nearest(&word, shown.map(|variant| variant.name), most);
        let hint = hint.map_or_else(String::new, |other| format!("; did you mean {other}?"));
        Failure::new(code::UNKNOWN, format_args!("no command {}{hint}", Quoted(name)))
    })
}

impl Client {
    /// Prepares a call of a command that is a variant of an enum of commands.
    ///
    /// ```no_run
    /// # #[derive(dockipc::Commands)]
    /// # enum Action { FocusWindow { id: u64 } }
    /// let client = dockipc::Client::new("/run/ui.sock");
    /// let () = client.request(Action::FocusWindow { id: 7 }).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn request<C: Commands>(&self, command: C) -> Call<'_> {
        let variant = &C::SET.variants[command.number()];
        let call = match C::SET.prefix {
            Some(prefix) => self.command(&format!("{prefix} {}", variant.name)),
            None => self.command(variant.name),
        };
        call.fill(|arguments| command.send(arguments))
    }
}
