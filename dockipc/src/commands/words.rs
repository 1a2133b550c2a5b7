//! The words of a command of an enum, without a daemon.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

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

/// Parses the name of a variant and its parameters.
pub(crate) fn from_words<C: for<'r> FromRequest<'r>>(
    words: impl IntoIterator<Item: AsRef<OsStr>>,
) -> Result<C, Failure> {
    let (mut input, mut scratch) = (Vec::new(), Scratch::default());
    for word in words {
        let start = input.len();
        input.extend_from_slice(word.as_ref().as_bytes());
        scratch.incoming.push(Span::input(start, input.len()));
    }
    let set = <C as FromRequest<'static>>::KIND.commands();
    let variant = find(set, &input, scratch.incoming.first())?;
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
    let caller = Caller { peer: &peer, connection: 0, protocol: Protocol::Resp3, states: &states };
    let request = Request::new(variant.name, bound.words, caller, shape.has_secret);
    let args = Args { request: &request, options: bound.options, params, purpose: Purpose::Run };
    C::from_request(&args, 0).map_err(failed)
}

/// Returns the variant with this name.
fn find(
    set: Option<&'static CommandSet>,
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
    let variants = set.map_or(&[][..], |set| set.variants);
    variants.iter().find(|variant| names(variant)).ok_or_else(|| {
        let (word, most) = (name.to_ascii_lowercase(), (name.len() / 3).max(1));
        let shown = variants.iter().filter(|variant| !variant.hidden);
        let hint = nearest(&word, shown.map(|variant| variant.name), most);
        let hint = hint.map_or_else(String::new, |other| format!("; did you mean {other}?"));
        Failure::new(code::UNKNOWN, format_args!("no command {}{hint}", Quoted(name)))
    })
}
