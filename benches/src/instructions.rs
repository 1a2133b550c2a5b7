//! Counts the instructions of a command through `wire`, `dispatch` and the shim, a figure with almost no noise.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::peers::{daemon, resp};
use crate::{Res, proc};

/// The command's words, and its answer.
const COMMANDS: &[(&str, &[&str])] = &[
    ("echo of 16 bytes, built in", &["echo", "abcdefghijklmnop"]),
    ("copy of 16 bytes, an author's command", &["copy", "abcdefghijklmnop"]),
    ("add 2, an author's command with a state", &["add", "2"]),
];

/// The number of commands that are sent at a time.
const BATCHES: [usize; 2] = [64, 1];

const CALLS: usize = 8_192;

/// Counts instructions with valgrind, and prints a table.
pub(crate) fn report() -> Res<()> {
    if !proc::is_installed("valgrind") {
        return Err("valgrind is not installed: instructions can't be counted".into());
    }
    println!("Instructions of the server's threads, a command, in user space.\n");
    println!("| command | {} at a time | {} at a time |", BATCHES[0], BATCHES[1]);
    println!("| --- | ---: | ---: |");
    for (what, words) in COMMANDS {
        let name = words[0];
        let [many, one] = BATCHES.map(|batch| difference(name, batch));
        println!("| {what} | {:.0} | {:.0} |", many?, one?);
    }
    Ok(())
}

/// Returns the instructions of one more call, from two runs, both of which include start and stop.
fn difference(name: &str, batch: usize) -> Res<f64> {
    let few = counted(name, batch, CALLS)?;
    let many = counted(name, batch, 2 * CALLS)?;
    Ok((many as f64 - few as f64) / CALLS as f64)
}

fn counted(name: &str, batch: usize, calls: usize) -> Res<u64> {
    let directory = env::temp_dir().join(format!("dockipc-count-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let total = valgrind(&directory, name, batch, calls);
    fs::remove_dir_all(&directory)?;
    total
}

fn valgrind(directory: &Path, name: &str, batch: usize, calls: usize) -> Res<u64> {
    let mut file = std::ffi::OsString::from("--callgrind-out-file=");
    file.push(directory.join("out"));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--separate-threads=yes", "--quiet"]).arg(file);
    command.arg(env::current_exe()?).args(["count", name]);
    let output =
        command.args([batch, calls].map(|n| n.to_string())).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // One file for each thread: out-01 is the first thread, which is the client.
        let thread = path.file_name().and_then(|name| name.to_str()?.strip_prefix("out-"));
        if thread.is_some_and(|thread| thread != "01") {
            total += instructions(&fs::read_to_string(&path)?)?;
        }
    }
    if total == 0 {
        return Err("valgrind counted nothing".into());
    }
    Ok(total)
}

fn instructions(file: &str) -> Res<u64> {
    let line = file.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(line.ok_or("no total")?.trim().parse()?)
}

/// Runs the counted program: a server in this process, and a client in its first thread.
pub(crate) fn count(name: &str, batch: &str, calls: &str) -> Res<()> {
    let (batch, calls): (usize, usize) = (batch.parse()?, calls.parse()?);
    let words = COMMANDS.iter().map(|(_, words)| words).find(|words| words[0] == name);
    let words = words.ok_or("no such command")?;
    let request = resp::command(words).repeat(batch);
    // Under valgrind a quick command takes as long as one that is worth sharing.
    let server = daemon().max_cores(1).spawn_in_process()?;
    let mut stream = server.connect()?;
    let mut input = vec![0; 64 * 1024];
    for _ in 0..calls / batch {
        stream.write_all(&request)?;
        // Every answer has one line, or two if it is bytes.
        let mut lines = batch * if words[0] == "add" { 1 } else { 2 };
        while lines > 0 {
            let n = stream.read(&mut input)?;
            let came = input[..n].split(|&byte| byte == b'\n').count() - 1;
            if n == 0 || input[0] == b'-' {
                return Err("no answer".into());
            }
            lines = lines.checked_sub(came).ok_or("too many answers")?;
        }
    }
    Ok(())
}
