//! The checks of what callers should know of a command.

use proc_macro2::Span;

use super::once;
use crate::attr::CommandKey;
use crate::errors::Errors;
use crate::model::Marks;

/// The keys of a command's marks.
#[derive(Default)]
pub(super) struct MarkKeys {
    since: Option<(Span, String)>,
    deprecated: Option<(Span, String)>,
    readonly: Option<(Span, ())>,
    destructive: Option<(Span, ())>,
}

impl MarkKeys {
    /// Takes a key that is a mark, and returns any other.
    pub(super) fn take(
        &mut self,
        span: Span,
        kind: CommandKey,
        errors: &mut Errors,
    ) -> Option<CommandKey> {
        match kind {
            CommandKey::Since(text) => once(&mut self.since, span, text.value(), "since", errors),
            CommandKey::Deprecated(text) => {
                once(&mut self.deprecated, span, text.value(), "deprecated", errors);
            }
            CommandKey::Readonly => once(&mut self.readonly, span, (), "readonly", errors),
            CommandKey::Destructive => once(&mut self.destructive, span, (), "destructive", errors),
            other => return Some(other),
        }
        None
    }

    pub(super) fn finish(self, errors: &mut Errors) -> Marks {
        if let (Some(_), Some((span, ()))) = (&self.readonly, &self.destructive) {
            errors.add(
                *span,
                "a `readonly` command changes nothing and can't be `destructive`: remove one of the two",
            );
        }
        Marks {
            since: self.since.map(|(_, version)| version),
            deprecated: self.deprecated.map(|(_, instead)| instead),
            readonly: self.readonly.is_some(),
            destructive: self.destructive.is_some(),
        }
    }
}
