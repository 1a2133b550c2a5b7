//! Redis, if it is installed.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Res, proc};

const PROGRAM: &str = "redis-server";

pub(crate) fn is_installed() -> bool {
    proc::is_installed(PROGRAM)
}

/// Replaces this process with the server, which keeps its CPU and limits.
pub(crate) fn serve(socket: &Path) -> Res<()> {
    let directory = socket.parent().ok_or("a socket in a directory")?;
    let mut redis = Command::new(PROGRAM);
    redis.args(["--port", "0", "--save", "", "--appendonly", "no", "--maxclients", "12000"]);
    redis.arg("--unixsocket").arg(socket).arg("--dir").arg(directory);
    Err(redis.stdout(Stdio::null()).exec().into())
}
