//! [`Shape`], facts about a command's parameters that each call needs, found once.

use super::bind::BindShort;
use super::{BodyCode, Needs, Param, Way};
use crate::arg::Arity;

/// Facts about a command's parameters that each call needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// A parameter is given by its name. Also true for a command with a body, whose words are never bound as they are.
    pub(super) has_options: bool,
    /// The number of positional parameters before the one that takes the rest of the line.
    pub(super) before_rest: Option<usize>,
    /// Binds a word such as `-n`, if an option has a short name.
    pub(super) short: Option<BindShort>,
    /// The index of the parameter that takes the words behind `--`.
    pub(super) last: Option<usize>,
    /// The most positional words.
    pub(super) most: usize,
    /// A parameter is secret.
    pub(crate) has_secret: bool,
    /// The command has an identity from its beginning: a parameter needs it, or the command answers later.
    pub(crate) has_run: bool,
    /// The command learns that it is to stop.
    pub(crate) listens: bool,
    /// The command reports its progress.
    pub(crate) reports: bool,
    pub(crate) body: Option<&'static BodyCode>,
}

impl Shape {
    pub(crate) fn of(params: &[Param]) -> Self {
        let (mut before_rest, mut most) = (None, 0_usize);
        for param in params.iter().filter(|param| param.way.is_positional()) {
            if param.way == Way::Rest {
                before_rest = Some(most);
            }
            // Only the last one takes many.
            most = if param.arity == Arity::Many { usize::MAX } else { most + 1 };
        }
        let body = params.iter().find_map(|param| param.body);
        Self {
            has_options: body.is_some() || has_options(params),
            short: params
                .iter()
                .filter(|param| !param.short().is_empty())
                .find_map(|param| Some(param.extra?.code.bind_short)),
            last: params.iter().position(|param| param.way == Way::Last),
            before_rest,
            most,
            has_secret: params.iter().any(|param| param.secret),
            has_run: params.iter().any(|param| param.needs != Needs::Nothing),
            listens: params.iter().any(|param| param.needs == Needs::Signal),
            reports: params.iter().any(|param| param.needs == Needs::Progress),
            body,
        }
    }

    /// Returns whether the words of a RESP command are bound as they are received, unless there are more than
    /// [`most`](Self::most) or the first one is `--`, and the command has no identity.
    pub(crate) fn is_plain(&self) -> bool {
        !self.has_options && self.before_rest.is_none() && !self.has_run
    }

    /// Returns the most positional words.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Returns the shape for the words in front of the body.
    #[cold]
    pub(crate) fn without_body(&self, params: &[Param]) -> Self {
        Self { has_options: has_options(params), body: None, ..*self }
    }
}

/// Returns whether a word of a command can be other than a positional one.
fn has_options(params: &[Param]) -> bool {
    params.iter().any(|param| param.way.option().is_some() || param.way == Way::Last)
}

/// Returns true. Does not compile for a command that can't be stopped.
#[doc(hidden)]
pub const fn newest(params: &[Param], answers_later: bool, abort: bool) -> bool {
    let (mut listens, mut rest) = (answers_later || abort, params);
    while let [param, others @ ..] = rest {
        listens |= matches!(param.needs, Needs::Signal);
        rest = others;
    }
    assert!(
        listens,
        "`newest` cancels earlier calls: take a `Cancel`, return a `Deferred`, or write an `async fn` with `abort`"
    );
    true
}
