//! The order of the parameters that are given by their places.

/// A parameter that is given by its place.
#[derive(Clone, Copy)]
pub(crate) struct Placed {
    /// It takes all words that are left.
    pub(crate) takes_all: bool,
    pub(crate) is_required: bool,
}

/// Checks a parameter and one in front of it, at compile time.
#[track_caller]
pub(crate) const fn check_order(earlier: Placed, this: Placed) {
    assert!(
        !earlier.takes_all,
        "the previous parameter takes all remaining words: move it to the end",
    );
    assert!(
        !this.is_required || earlier.is_required,
        "a required parameter follows an optional one: move it before that one, make it an Option, or give it a default",
    );
}

/// Checks a parameter that takes the rest of the line.
#[track_caller]
pub(crate) const fn check_rest(is_list: bool) {
    assert!(!is_list, "the rest of the line is one value: use &str, String, &[u8] or Vec<u8>");
}
