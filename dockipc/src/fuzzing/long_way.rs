//! The same commands over the short way of plain commands and over [`Service::dispatch`]: their answers are the same.

use std::sync::{Arc, OnceLock};

use super::{Turns, with_handlers};
use crate::dispatch::Service;
use crate::server::Server;
use crate::wire::check::LIMITS;

/// Returns the answers of a server on which no command is a plain one.
pub(super) fn answer_all(bytes: &[u8]) -> Vec<u8> {
    super::answer_all(hooked(), bytes, &[usize::MAX], Turns::default())
}

/// Returns a server with a hook, which sends each command the long way.
#[expect(clippy::expect_used, reason = "a server that can't start is a mistake in here")]
fn hooked() -> &'static Service {
    static HOOKED: OnceLock<Arc<Service>> = OnceLock::new();
    HOOKED.get_or_init(|| {
        let server = Server::new().max_line(LIMITS.line).max_command(LIMITS.command);
        with_handlers(server.before(|_| Ok(()))).service().expect("a server that can start")
    })
}

#[cfg(test)]
mod tests {
    use crate::fuzzing::dice::{Dice, many};
    use crate::fuzzing::{request, server};

    #[test]
    fn generated_pipeline_has_same_answers_either_way() {
        let (seed, inputs) = many(5_000, one, |a, b| a + b);
        println!(
            "figure: generated pipelines, the short way and the long way | {inputs} inputs (seed {seed}), the same answers"
        );
    }

    fn one(seed: u64) -> u64 {
        let mut dice = Dice(seed);
        let commands = dice.list(8, command).concat();
        let bytes = if dice.below(3) == 0 { dice.changed(commands) } else { commands };
        server(&[&[dice.byte(), dice.byte()][..], &bytes].concat());
        1
    }

    /// Returns a command, mostly one of the server's own.
    fn command(dice: &mut Dice) -> Vec<u8> {
        const NAMES: &[&str] = &[
            "num", "NUM", "kinds", "k", "net", "opt", "say", "map", "Map", "upper", "number",
            "gated", "gate", "mapp", "", "echo", "ping",
        ];
        const WORDS: &[&str] = &[
            "1",
            "-1",
            "300",
            "1.5",
            "x",
            "true",
            "no",
            "5s",
            "dark-blue",
            "",
            "--",
            "--x",
            "--loud",
            "-l",
            "--tag=x",
            "::1",
            "127.0.0.1:80",
            "/tmp",
            "a b",
            "\r\n",
            "\u{e9}",
            "nan",
        ];
        const ASIDE: &[&[&str]] = &[
            &["hello", "3"],
            &["hello", "2"],
            &["multi"],
            &["exec"],
            &["discard"],
            &["reset"],
            &["quit"],
            &["dockipc", "format", "json"],
            &["dockipc", "format", "default"],
            &["dockipc", "json", "num", "1", "2"],
            &["dockipc", "args", "num", "--", "1", "2"],
            &["dockipc", "line", "num 1 2"],
            &["dockipc", "with", "deadline", "60000", "--", "num", "1", "2"],
            &["dockipc", "check", "num", "1"],
            &["client", "setname", "x"],
            &["config", "get", "*"],
        ];
        match dice.below(8) {
            0 => request(dice.one(ASIDE)),
            1 => [dice.noise(6), request(&["num", "1", "2"])].concat(),
            _ => {
                let mut words = vec![dice.one(NAMES).as_bytes().to_vec()];
                words.extend(dice.list(5, |dice| match dice.below(8) {
                    0 => dice.noise(12),
                    1 => dice.one(WORDS).repeat(dice.below(60)).into_bytes(),
                    _ => dice.one(WORDS).as_bytes().to_vec(),
                }));
                request(&words)
            }
        }
    }
}
