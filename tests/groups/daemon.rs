//! The daemon of these tests.

use std::sync::mpsc::channel;
use std::thread;

use dockipc::{Client, Handle, Job, Server};

/// The value of the author's thread.
#[derive(Default)]
pub(super) struct Ui(pub(super) Vec<String>);

pub(super) fn daemon() -> Handle {
    let (sender, jobs) = channel::<Job<Ui>>();
    thread::spawn(move || {
        let mut ui = Ui::default();
        for job in jobs {
            job.run(&mut ui);
        }
    });
    Server::new().local(move |job| drop(sender.send(job))).spawn_in_process().unwrap()
}

pub(super) fn line(client: &Client, line: &str) -> String {
    match client.send(line) {
        Ok(answer) => String::from_utf8(answer).unwrap(),
        Err(error) => error.to_string(),
    }
}
