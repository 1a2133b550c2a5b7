//! Channels with a name that no client can subscribe to, unknown keys, and values of the wrong kind.

use dockipc::Events;

#[derive(Events)]
enum Mistake {
    #[event("Jobs Done")]
    Done,
    #[event("")]
    Empty,
    #[event(".hidden")]
    Hidden,
    #[event(name = "jobs.failed")]
    Failed,
    #[event("jobs.idle", policy = "end")]
    Idle,
    #[event("jobs.late", when_full = "stop")]
    Late,
    #[event(when_full)]
    Full,
    #[event("jobs.ruled", allow = "grup:adm")]
    Ruled,
    #[event("one", "two")]
    Two,
    #[event]
    Nothing,
    #[event("same")]
    Same,
    #[event("same")]
    Again,
}

#[derive(Events)]
#[event("jobs")]
enum Named {
    One,
}

fn main() {
    let events = dockipc::Events::new();
    events.emit(Mistake::Done);
    events.emit(Named::One);
}
