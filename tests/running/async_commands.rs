//! Async commands that need no runtime: with the feature `tokio` the server has one of its own, without it the
//! command's thread drives the future.

use std::pin::Pin;
use std::task::{Context, Poll};

use dockipc::{Cancel, Failure, Server, State, Stopped, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, exchange, resp};

use super::kept::{Kept, States};

/// Yields once.
#[derive(Default)]
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Join the words.
#[command]
async fn join(first: &str, others: Vec<String>) -> String {
    Yield::default().await;
    let mut joined = first.to_owned();
    for other in &others {
        Yield::default().await;
        joined.push_str(other);
    }
    joined
}

/// Divide.
#[command]
async fn divide(a: u64, b: u64) -> Result<u64, Failure> {
    Yield::default().await;
    a.checked_div(b).ok_or_else(|| Failure::new("ZERO", "division by zero"))
}

/// Panic.
#[command]
async fn fall() {
    Yield::default().await;
    panic!("on purpose");
}

/// Wait until the command is asked to stop.
#[command]
async fn linger_async(
    begun: State<Gate>,
    reasons: State<Kept<Stopped>>,
    cancel: Cancel,
) -> Result<(), Stopped> {
    begun.pass();
    let why = cancel.cancelled().await;
    reasons.keep(why);
    Err(why)
}

fn start() -> (Daemon, Gate, Kept<Stopped>) {
    let states = States::default();
    states.gate.open();
    let (gate, reasons) = (states.gate.clone(), states.reasons.clone());
    (Daemon::start(states.of(Server::new())), gate, reasons)
}

#[test]
fn async_command_borrows_its_words() {
    let (daemon, ..) = start();
    assert_eq!(daemon.ask("join 'a b' c d\n"), "a bcd");
    assert_eq!(daemon.ask("divide 9 3\n"), "3");
    assert_eq!(daemon.ask("divide 9 0\n"), "-ZERO division by zero\\n");
    assert!(daemon.ask("divide 9 x\n").starts_with("-USAGE "));
    assert!(daemon.ask("divide 9\n").contains("usage: divide <a> <b>"));
}

#[test]
fn panic_in_a_future_is_an_answer() {
    let (daemon, ..) = start();
    let answer = daemon.ask("fall\n");
    assert!(answer.starts_with("-PANIC fall panicked"), "{answer}");
    assert_eq!(answer.contains("the feature `tokio`"), cfg!(not(feature = "tokio")), "{answer}");
    assert_eq!(daemon.ask("join a\n"), "a");
}

#[test]
fn async_command_is_cancelled_when_its_client_leaves() {
    let (daemon, gate, reasons) = start();
    let mut stream = daemon.connect();
    std::io::Write::write_all(&mut stream, b"linger-async\n").unwrap();
    until("a command that runs", || gate.came() == 1);
    drop(stream);
    assert_eq!(reasons.take(), Stopped::Cancelled);
}

#[test]
fn transaction_runs_async_commands() {
    let (daemon, ..) = start();
    let input = [
        resp(&["multi"]),
        resp(&["join", "a", "b"]),
        resp(&["divide", "9", "x"]),
        resp(&["discard"]),
        resp(&["multi"]),
        resp(&["join", "a", "b"]),
        resp(&["divide", "9", "3"]),
        resp(&["exec"]),
        resp(&["quit"]),
    ];
    let answer = String::from_utf8(exchange(daemon.connect(), &input.concat())).unwrap();
    assert!(answer.starts_with("+OK\r\n+QUEUED\r\n-USAGE "), "{answer}");
    assert!(answer.ends_with("*2\r\n$2\r\nab\r\n:3\r\n+OK\r\n"), "{answer}");
}

/// Wake the task, and then wait as a blocking function does that uses the thread's token.
#[command]
async fn wake_and_park() -> u64 {
    let mut polls = 0;
    std::future::poll_fn(|context| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(polls);
        }
        context.waker().wake_by_ref();
        // A runtime's thread would wait for ever otherwise.
        std::thread::current().unpark();
        std::thread::park();
        Poll::Pending
    })
    .await
}

#[test]
fn wake_is_not_lost_to_another_wait_of_the_thread() {
    let daemon = Daemon::start(States::default().of(Server::new()));
    assert_eq!(daemon.ask("wake-and-park\n"), "2");
}
