//! Crates outside of the workspace, which a test compiles with features of its own.

use std::fs;
use std::process::{Command, Output};

use crate::Place;
use crate::example::root;

/// A crate in a temporary directory.
pub struct Package {
    place: Place,
    name: &'static str,
}

impl Package {
    /// Writes a crate with this table of its dependency dockipc, a main program and an empty library.
    pub fn new(name: &'static str, dockipc: &str, main: &str) -> Self {
        let place = Place::new();
        let directory = place.directory();
        let manifest = format!(
            "[package]\nname = '{name}'\nedition = '2024'\n[workspace]\n[[bin]]\nname = '{name}'\npath = 'main.rs'\n\
             [dependencies.dockipc]\npath = '{}'\n{dockipc}\n",
            root().join("dockipc").display(),
        );
        fs::write(directory.join("Cargo.toml"), manifest).expect("a manifest");
        fs::write(directory.join("main.rs"), main).expect("a source file");
        // So that cargo needs no network.
        fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).expect("a lock file");
        Self { place, name }
    }

    /// Runs cargo in the crate.
    pub fn cargo(&self, arguments: &[&str]) -> Output {
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(arguments)
            .arg("--offline")
            .current_dir(self.place.directory())
            .env("CARGO_TARGET_DIR", root().join("target/tests").join(self.name))
            .output()
            .expect("cargo")
    }

    /// Builds the program and returns a command that runs it.
    pub fn program(&self) -> Command {
        let output = self.cargo(&["build"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Command::new(root().join("target/tests").join(self.name).join("debug").join(self.name))
    }
}
