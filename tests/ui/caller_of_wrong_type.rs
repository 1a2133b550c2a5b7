//! `absolute` and `caller` on other types, and a value that no client fills in.

use std::collections::HashMap;
use std::path::PathBuf;

use dockipc::command;

#[command]
fn absolute(#[arg(absolute)] path: &str) -> usize {
    path.len()
}

#[command]
fn cwd(#[arg(caller = "cwd")] cwd: String) -> usize {
    cwd.len()
}

#[command]
fn env(#[arg(caller = "env")] env: Vec<String>) -> usize {
    env.len()
}

#[command]
fn user(#[arg(caller = "user")] user: PathBuf, #[arg(caller)] group: PathBuf) -> usize {
    user.as_os_str().len() + group.as_os_str().len()
}

#[command]
fn relative(#[arg(absolute, default = "a")] path: PathBuf) -> usize {
    path.as_os_str().len()
}

#[command]
fn number(#[arg(range = 1..=3)] numbers: HashMap<String, u64>) -> usize {
    numbers.len()
}

fn main() {
    let _ = (absolute, cwd, env, user, relative, number);
}
