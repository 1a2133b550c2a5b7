//! Types that a daemon and its client share: what a client sends, the daemon parses back.

#[path = "../groups"]
mod groups {
    mod args;
    mod brought;
    mod commands;
    mod daemon;
    mod leading;
    mod words;
}
