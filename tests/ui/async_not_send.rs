//! The future of a command moves between threads.

use std::rc::Rc;
use std::sync::Mutex;

use dockipc::{State, command};

#[command]
async fn count() -> usize {
    let counted = Rc::new(1);
    std::future::ready(()).await;
    *counted
}

#[command]
async fn add(total: State<Mutex<u64>>, n: u64) -> u64 {
    let mut total = total.lock().unwrap();
    std::future::ready(()).await;
    *total += n;
    *total
}

fn main() {}
