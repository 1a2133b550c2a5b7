//! Runs the examples of docs/CLI.md and of the README, and compares their output.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::getuid;
use tests::Place;
use tests::ctl::{self, dockipc};
use tests::example::{example, root};
use tests::program::Program;

/// The directory of the sockets on the page.
const SHOWN: &str = "/run/user/1000";

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Returns the command lines in the blocks with this fence, each with the output below it.
fn steps<'t>(page: &'t str, fence: &str) -> Vec<(&'t str, &'t str)> {
    let blocks = page.split(fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let steps = blocks.flat_map(|block| block.split("$ ").skip(1));
    steps.map(|step| step.split_once('\n').expect("a line and its output")).collect()
}

/// The daemons of the page, and a directory in $PATH with the programs.
struct Machine {
    place: Place,
    programs: PathBuf,
    daemons: [Program; 2],
}

impl Machine {
    fn new() -> Self {
        let place = Place::new();
        let [programs, work, run] = ["bin", "work", "run"].map(|name| {
            let directory = place.directory().join(name);
            fs::create_dir(&directory).unwrap();
            directory
        });
        std::os::unix::fs::symlink(ctl::path(), programs.join("dockipc")).unwrap();
        std::os::unix::fs::symlink(example("spoolctl"), programs.join("spoolctl")).unwrap();
        let daemons = ["spool", "notes"].map(|name| {
            let socket = run.join(format!("{name}.sock"));
            let mut command = Command::new(example(name));
            Program::start_by(command.current_dir(&work).arg(&socket), &socket)
        });
        Self { place, programs, daemons }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.directory().join(name)
    }

    /// Runs the lines in one shell in a terminal, and returns the output of each.
    fn run(&self, lines: &[&str]) -> Vec<String> {
        let mut script = "stty cols 92\n".to_owned();
        for line in lines {
            let line = line.replace("/tmp/notes.sock", "$XDG_RUNTIME_DIR/notes.sock");
            writeln!(script, "echo '{MARK}'\n{line}").unwrap();
        }
        fs::write(self.path("script"), script).unwrap();
        let mut command = ctl::command(Path::new("script"));
        command.args(["-qec", "sh ../script; true", "/dev/null"]).current_dir(self.path("work"));
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.programs.display()));
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("NO_COLOR", "1").env("TERM", "xterm");
        let ran = ctl::run(&mut command, b"");
        let text = ran.text().replace("\r\n", "\n");
        let run = self.path("run");
        let text = text.replace(run.to_str().unwrap(), SHOWN);
        let text = text.replace(&format!("uid {})", getuid()), "uid 1000)");
        let mark = format!("{MARK}\n");
        let shown: Vec<_> = text.split(&mark).skip(1).map(str::to_owned).collect();
        assert_eq!(shown.len(), lines.len(), "{ran:?}");
        shown
    }
}

/// Separates the outputs.
const MARK: &str = "-=-=-";

/// Removes what differs in each run: the times of a ping, and the owners, processes and column
/// widths of a table of sockets. Expands tabs.
fn masked(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| {
        let mut words: Vec<_> = line.split_whitespace().collect();
        if line.contains(" µs") || line.contains(" ms") {
            return words[..2].join(" ");
        }
        if line.starts_with("SOCKET ") {
            return words.join(" ");
        }
        if let [path, _, mode, _, rest @ ..] = &mut words[..]
            && path.contains(".sock")
            && mode.starts_with('0')
        {
            let name = path.rsplit('/').next().unwrap_or_default();
            return format!("{name} {mode} {}", rest.join(" "));
        }
        let mut wide = String::new();
        for char in line.trim_end().chars() {
            match char {
                '\t' => wide.push_str(&" ".repeat(8 - wide.chars().count() % 8)),
                char => wide.push(char),
            }
        }
        wide
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(page: &str, steps: &[(&str, &str)], machine: &Machine) {
    assert!(!steps.is_empty(), "{page} has no examples");
    let lines: Vec<_> = steps.iter().map(|(line, _)| *line).collect();
    let mut wrong = String::new();
    for ((line, shown), is) in steps.iter().zip(machine.run(&lines)) {
        let (shown, is) = (masked(shown), masked(&is));
        if shown != is {
            writeln!(wrong, "$ {line}\n{is}\nexpected\n{shown}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{page}:\n{wrong}");
}

/// Returns the text of a picture that docs/pictures/draw has drawn.
fn pictured(picture: &str) -> String {
    let mut rows = BTreeMap::<usize, String>::new();
    for element in picture.split("<text ").skip(1) {
        let (attributes, rest) = element.split_once('>').unwrap();
        let attributes = format!(" {attributes}");
        let of = |name: &str| {
            let after = attributes.split(&format!(" {name}=\"")).nth(1).unwrap();
            after.split('"').next().unwrap().replace('.', "").parse::<usize>().unwrap()
        };
        let column = (of("x") + WIDTH / 2 - LEFT) / WIDTH;
        let text = rest.split("</text>").next().unwrap();
        let row = rows.entry(of("y")).or_default();
        while row.chars().count() < column {
            row.push(' ');
        }
        let plain =
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&amp;", "&")];
        *row += &plain.iter().fold(text.to_owned(), |text, (of, is)| text.replace(of, is));
    }
    // A line without text has no element.
    let (first, last) = (*rows.keys().next().unwrap(), *rows.keys().last().unwrap());
    let lines = (first..=last).step_by(HEIGHT).map(|y| rows.remove(&y).unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The metrics of a picture: columns in tenths of a pixel, rows in pixels.
const LEFT: usize = 160;
const WIDTH: usize = 84;
const HEIGHT: usize = 19;

#[test]
fn examples_of_the_page_are_current() {
    let page = "docs/CLI.md";
    check(page, &steps(&read(page), "\n```console\n"), &Machine::new());
}

#[test]
fn examples_of_the_readme_are_current() {
    let (page, machine) = ("README.md", Machine::new());
    // The README adds these before, with nc and redis-cli.
    for note in ["buy milk", "call Ada", "water the plants"] {
        machine.daemons[1].client().command("add").arg(note).call::<u64>().unwrap();
    }
    check(page, &steps(&read(page), "\n```text\n"), &machine);
}

#[test]
fn pictures_are_current() {
    for name in ["list", "commands", "help", "call", "ping"] {
        let path = format!("docs/pictures/{name}.svg");
        let text = format!("\n{}\n", pictured(&read(&path)));
        let steps = text.split("\n$ ").skip(1);
        let steps: Vec<_> = steps.map(|step| step.split_once('\n').unwrap_or((step, ""))).collect();
        check(&format!("{path} (redraw with docs/pictures/draw)"), &steps, &Machine::new());
    }
}

#[test]
fn page_has_all_exit_codes_and_subcommands() {
    let (page, help) = (read("docs/CLI.md"), dockipc(["--help"]).text());
    let table = help.split_once("Exit codes:\n").unwrap().1;
    for line in table.lines() {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        assert!(page.contains(&format!("| {code} | {meaning} |")), "{line}");
    }
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    assert!(names.contains(&"shell"), "{names:?}");
    for name in names {
        assert!(page.contains(&format!("dockipc {name}")), "the page does not show {name}");
    }
}

#[test]
fn links_and_pictures_exist() {
    let pages = [("docs/CLI.md", "docs"), ("docs/CLIENTS.md", "docs"), ("README.md", "")];
    for (page, directory) in pages {
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            assert!(root().join(directory).join(file).exists(), "{page}: {link}");
        }
    }
    let entries = root().join("docs/pictures").read_dir().unwrap();
    for entry in entries.map(|entry| entry.unwrap().file_name()) {
        let name = entry.to_str().unwrap();
        let is_linked = read("docs/CLI.md").contains(&format!("](pictures/{name})"));
        assert!(is_linked || name == "draw", "no page shows {name}");
    }
}
