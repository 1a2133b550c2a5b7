//! Commands of a crate to which `dockipc` is `ipc`: each attribute says so.

use std::fmt;

use ipc::{Arg, Failure, Reply, command};

/// A direction.
#[derive(Arg, Reply, Debug)]
#[arg(crate = ipc)]
#[dockipc(crate = ipc)]
pub enum Direction {
    /// To the north.
    North,
    /// To the south.
    South,
}

/// A step that is too long.
#[derive(Failure, Debug)]
#[code("FAR", crate = ipc)]
pub struct TooFar;

impl fmt::Display for TooFar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too far")
    }
}

/// Jump over several steps.
#[command("jump", crate = ipc)]
pub fn jump(steps: u32) -> Result<u32, TooFar> {
    if steps < 3 { Ok(steps) } else { Err(TooFar) }
}

/// Go there.
#[command("go", crate = ipc)]
pub fn go(direction: Direction, #[arg(long, default = 1)] steps: u32) -> String {
    format!("{direction:?} {steps}")
}

/// A client of the commands.
#[ipc::client(crate = ipc)]
pub trait Steps {
    /// Jump.
    fn jump(&self, steps: u32) -> ipc::Result<u32>;
}

#[cfg(test)]
mod tests {
    use super::{Steps, StepsClient};

    #[test]
    fn a_client_of_a_renamed_crate_calls() {
        let daemon = ipc::Server::new().spawn_in_process().unwrap();
        let steps = StepsClient::new(daemon.client());
        assert_eq!(steps.jump(2).unwrap(), 2);
        assert_eq!(steps.check().unwrap(), []);
    }

    #[test]
    fn a_command_of_a_renamed_crate_is_served() {
        let daemon = ipc::Server::new().spawn_in_process().unwrap();
        let client = daemon.client();
        assert_eq!(client.send("go south --steps 2").unwrap(), b"South 2");
        assert_eq!(client.send("jump 4").unwrap_err().to_string(), "FAR too far");
        let error = client.send("go west").unwrap_err();
        assert!(error.to_string().contains("expected one of north, south"), "{error}");
    }
}
