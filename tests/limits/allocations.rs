//! Small commands allocate nothing once their connection and threads are warm.
#![allow(unsafe_code, reason = "a global allocator that counts is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use dockipc::{Server, State, command};
use tests::{PATIENCE, resp};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is the test's, whose allocations do not count.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if !OURS.get() {
        ALLOCATIONS.fetch_add(1, SeqCst);
    }
}

// SAFETY: every call is forwarded to the system's allocator, and counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the same contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[command("length")]
fn length(word: &str) -> usize {
    word.len()
}

#[command("sum")]
fn sum(a: u64, b: u64) -> u64 {
    a + b
}

#[command("same")]
fn same(bytes: &[u8]) -> &[u8] {
    bytes
}

#[command("count")]
fn counted(total: State<AtomicU64>, n: u64) -> u64 {
    total.fetch_add(n, SeqCst) + n
}

#[command("seen")]
fn seen(total: &State<AtomicU64>, word: &str) -> u64 {
    total.load(SeqCst) + word.len() as u64
}

/// Allocates, to show that allocations are counted.
#[command("owned")]
fn owned(word: &str) -> String {
    word.to_owned()
}

/// Returns the fewest allocations that the server makes for at least a hundred of these commands. On a busy
/// machine another thread may become the leader in between and allocate its own buffers.
fn allocations(words: &[&[u8]], answer: &[u8], pipeline: usize) -> usize {
    OURS.set(true);
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let mut client = daemon.connect().unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = resp(words).repeat(pipeline);
    let expected = answer.repeat(pipeline);
    let mut got = vec![0; expected.len()];
    let mut exchange = || {
        for _ in 0..100usize.div_ceil(pipeline) {
            client.write_all(&request).unwrap();
            client.read_exact(&mut got).unwrap();
            assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    };
    let mut fewest = usize::MAX;
    for _ in 0..300 {
        let before = ALLOCATIONS.load(SeqCst);
        exchange();
        fewest = fewest.min(ALLOCATIONS.load(SeqCst) - before);
        if fewest == 0 {
            break;
        }
    }
    fewest
}

/// The only test of its program: the allocations of a parallel test would count.
#[test]
fn small_commands_allocate_nothing() {
    let blob = [b'x'; 10_000];
    let long = [&b"$10000\r\n"[..], &blob, b"\r\n"].concat();
    let cases: &[(&[&[u8]], &[u8])] = &[
        (&[b"length", "fünf".as_bytes()], b":5\r\n"),
        (&[b"sum", b"18446744073709551", b"10"], b":18446744073709561\r\n"),
        (&[b"same", b"a\r\n\0b"], b"$5\r\na\r\n\0b\r\n"),
        (&[b"same", &blob], &long),
        (&[b"count", b"0"], b":0\r\n"),
        (&[b"seen", b"word"], b":4\r\n"),
        (&[b"ping"], b"+PONG\r\n"),
        (&[b"echo", b"word"], b"$4\r\nword\r\n"),
    ];
    for &(words, answer) in cases {
        // A command that arrives in pieces allocates a buffer, so each pipeline fits one read.
        let fitting = 16_000 / resp(words).len();
        for pipeline in [1, fitting.clamp(1, 16), fitting.clamp(1, 400)] {
            let count = allocations(words, answer, pipeline);
            let name = words[0].escape_ascii();
            assert_eq!(count, 0, "allocations of {name}, {pipeline} at a time");
        }
    }
    assert!(allocations(&[b"owned", b"word"], b"$4\r\nword\r\n", 1) >= 100);
}
