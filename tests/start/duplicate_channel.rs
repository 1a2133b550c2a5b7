//! Two enums with a channel of one name. No server of this program starts, so it has no other test.

use dockipc::{Error, Events, Server};

#[derive(Events)]
enum First {
    #[event("jobs.done")]
    Done(u64),
    Other,
}

#[derive(Events)]
enum Second {
    #[event("jobs.done")]
    Finished(u64),
}

#[test]
fn duplicate_channel_is_refused_with_both_places() {
    let events = Events::new();
    for count in [events.emit(First::Done(1)), events.emit(First::Other)] {
        assert_eq!(count + events.emit(Second::Finished(1)), 0);
    }
    let error = Server::new().spawn_in_process().map(drop).unwrap_err();
    let Error::DuplicateChannel { name, first, second } = &error else { panic!("{error}") };
    assert_eq!(*name, "jobs.done");
    assert_eq!(*first, concat!(file!(), ":5"));
    assert_eq!(*second, concat!(file!(), ":12"));
    let message = error.to_string();
    assert!(message.contains(first) && message.contains(second), "{message}");
}
