//! Events with more than one value, with a value that no command can answer with, and types without channels.

use dockipc::Events;

#[derive(Events)]
enum Fields {
    Named { job: u64 },
    Two(u64, u64),
    None(),
    One(#[event("one")] u64),
}

struct Opaque;

#[derive(Events)]
enum Unreadable {
    Opaque(Opaque),
}

#[derive(Events)]
struct Struct(u64);

#[derive(Events)]
enum Nothing {}

#[derive(Events)]
enum Generic<T> {
    Value(T),
}

#[derive(Events)]
enum Borrowed<'a> {
    Text(&'a str),
}

fn main() {
    let events = dockipc::Events::new();
    events.emit(Fields::Two(1, 2));
    events.emit(7);
}
