//! Types that a daemon and its client share: what a client sends, the daemon parses back.

use std::sync::mpsc::channel;
use std::thread;

use dockipc::{Client, Handle, Job, Server};

mod args;
mod commands;
mod words;

/// The value of the author's thread.
#[derive(Default)]
struct Ui(Vec<String>);

fn daemon() -> Handle {
    let (sender, jobs) = channel::<Job<Ui>>();
    thread::spawn(move || {
        let mut ui = Ui::default();
        jobs.iter().for_each(|job| job.run(&mut ui));
    });
    Server::new().local(move |job| drop(sender.send(job))).spawn_in_process().unwrap()
}

fn line(client: &Client, line: &str) -> String {
    match client.send(line) {
        Ok(answer) => String::from_utf8(answer).unwrap(),
        Err(error) => error.to_string(),
    }
}
