//! Types that a daemon and its client share.

#[path = "../groups/mod.rs"]
mod groups;
