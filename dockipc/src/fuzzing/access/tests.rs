//! Generated rules and clients.

use super::*;
use crate::fuzzing::dice::many;
use crate::fuzzing::request;
use crate::rule::parse;

#[test]
fn generated_client_runs_only_what_the_model_allows() {
    let (seed, counts) = many(20_000, one, Counts::plus);
    let Counts { inputs, rules, commands, ran, denied } = counts;
    assert!(rules > inputs / 10 && ran > inputs / 10 && denied > inputs / 10);
    println!(
        "figure: generated rules and clients, 3 splits each | {inputs} inputs of both (seed {seed}), \
         {rules} rules that could be read, {commands} commands, {ran} ran, {denied} were denied, \
         0 panics, 0 ran where the model says no"
    );
}

/// Counts that show that the inputs reach the code.
#[derive(Default)]
struct Counts {
    inputs: u64,
    rules: u64,
    commands: u64,
    ran: u64,
    denied: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            inputs: self.inputs + other.inputs,
            rules: self.rules + other.rules,
            commands: self.commands + other.commands,
            ran: self.ran + other.ran,
            denied: self.denied + other.denied,
        }
    }
}

/// Checks the rule and the client generated from a seed.
fn one(seed: u64) -> Counts {
    let mut dice = Dice(seed);
    let text = written(&mut dice);
    rule(&text);
    let rules = std::str::from_utf8(&text).is_ok_and(|text| parse(text).is_ok());

    let mut data: Vec<_> = (0..5).map(|_| dice.byte()).collect();
    let scenario = Scenario::new(data[0], data[1], data[2]);
    let (bytes, expected) = scenario.commands(&mut dice);
    let is_changed = dice.below(2) == 0;
    data.extend_from_slice(&if is_changed { dice.changed(bytes) } else { bytes });
    access(&data);
    let outcomes = scenario.outcomes(&data[5..], &[usize::MAX]);
    assert!(is_changed || outcomes == expected, "{outcomes:?} is not {expected:?}");
    let count =
        |matching: fn(&Outcome) -> bool| outcomes.iter().filter(|o| matching(o)).count() as u64;
    Counts {
        inputs: 1,
        rules: u64::from(rules),
        commands: outcomes.len() as u64,
        ran: count(|outcome| matches!(outcome, Outcome::Ran(_))),
        denied: count(|outcome| *outcome == Outcome::Denied),
    }
}

/// Generates a rule, something like a rule, or noise.
fn written(dice: &mut Dice) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "any",
        "owner",
        "token",
        "uid:",
        "group:",
        "root",
        "adm",
        "0",
        "007",
        "4294967294",
        "4294967295",
        "99999999999999999999",
        " ",
        "\t",
        "|",
        "||",
        ":",
        "uid",
        "Any",
        "a b",
        "\"",
        "\"a | b\"",
        "\"0\"",
        "uid:\"CORP\\ada\"",
        "group:\"domain users\"",
        "_-.",
        "é",
        "\u{a0}",
        "\0",
        "-1",
        "+1",
        "",
    ];
    let text = match dice.below(4) {
        0 => dice.noise(30),
        1 => dice.list(8, |dice| dice.one(PIECES)).concat().into_bytes(),
        _ => {
            let mut who = dice.list(4, Principal::random);
            who.push(Principal::random(dice));
            let terms: Vec<_> = who.iter().map(Principal::text).collect();
            terms.join(dice.one(&["|", " | ", "\t| ", " |"])).into_bytes()
        }
    };
    if dice.below(3) == 0 { dice.changed(text) } else { text }
}

/// A command that a client sends.
#[derive(Clone, Copy)]
enum Sent {
    Call(&'static str),
    /// Asks for completions.
    Complete(&'static str),
    /// Asks for the description of a name, several times in one command.
    Describe(&'static str),
    Token(bool),
    Reset,
    Ping,
}

const NAMES: [&str; 8] = ["aa", "ab", "ba", "bb", "gated", "gate", "nobodys", "AA"];

impl Sent {
    fn random(dice: &mut Dice) -> Self {
        match dice.below(10) {
            0 => Self::Token(dice.below(3) > 0),
            1 => Self::Reset,
            2 => Self::Ping,
            3 => Self::Complete(dice.one(&["aa", "gated", "gate"])),
            4 => Self::Describe(dice.one(&NAMES)),
            _ => Self::Call(dice.one(&NAMES)),
        }
    }

    fn words(self, dice: &mut Dice) -> Vec<&'static str> {
        match self {
            Self::Call(name) => vec![name, "word"],
            Self::Complete(name) => vec!["dockipc", "complete", name, "word", "r"],
            Self::Describe(name) => {
                let mut words = dice.one(&[["dockipc", "describe"], ["command", "docs"]]).to_vec();
                words.resize(3 + dice.below(4), name);
                words
            }
            Self::Token(is_right) => {
                let token = if is_right { TOKEN } else { "0123456789abcdeF" };
                match dice.below(3) {
                    0 => vec!["AUTH", token],
                    1 => vec!["auth", "owner", token],
                    _ => vec!["HELLO", "3", "AUTH", "root", token],
                }
            }
            Self::Reset => vec!["RESET"],
            Self::Ping => vec!["PING"],
        }
    }
}

impl Scenario {
    /// Generates some valid commands and their expected outcomes.
    fn commands(&self, dice: &mut Dice) -> (Vec<u8>, Vec<Outcome>) {
        let is_line = dice.below(4) == 0;
        let sent = dice.list(6, Sent::random);
        let (mut bytes, mut outcomes) = (Vec::new(), Vec::new());
        let (mut has_token, mut wrong, mut is_over) = (false, 0, false);
        let mut has_greeted = false;
        for sent in sent {
            let words = sent.words(dice);
            // A line `HELLO` is RESP, and other lines are refused after it.
            let is_hello = words[0] == "HELLO";
            if is_line {
                bytes.extend_from_slice(format!("{}\n", words.join(" ")).as_bytes());
            } else if dice.below(4) == 0 && matches!(sent, Sent::Call(_) | Sent::Complete(_)) {
                bytes.extend(request(&["dockipc", "line", &words.join(" ")]));
            } else {
                bytes.extend(request(&words));
            }
            if is_over {
                continue;
            }
            let outcome = match sent {
                _ if is_line && has_greeted && !is_hello => Outcome::Other,
                Sent::Call(name) => self.call(name, has_token),
                Sent::Complete(name) => self.complete(name, has_token),
                Sent::Token(is_right)
                    if self.served.shared.token.is_some() && (!is_line || is_hello) =>
                {
                    has_token |= is_right;
                    wrong += u8::from(!is_right);
                    is_over = wrong == 3;
                    Outcome::Other
                }
                Sent::Reset => {
                    has_token = false;
                    Outcome::Other
                }
                Sent::Ping => self.ping(has_token),
                Sent::Token(_) | Sent::Describe(_) => Outcome::Other,
            };
            outcomes.push(outcome);
            is_over |= is_line && !is_hello;
            has_greeted |= is_line && is_hello;
        }
        if !is_line && !is_over && dice.below(2) == 0 {
            let (sent, expected) = self.transaction(dice, has_token);
            bytes.extend(sent);
            outcomes.extend(expected);
        }
        (bytes, outcomes)
    }

    /// Generates a transaction and its expected outcomes.
    fn transaction(&self, dice: &mut Dice, has_token: bool) -> (Vec<u8>, Vec<Outcome>) {
        let (mut bytes, mut outcomes) = (request(&["MULTI"]), vec![Outcome::Other]);
        let (mut last, mut is_refused) = (Outcome::Other, false);
        for name in dice.list(4, |dice| dice.one(&NAMES)) {
            bytes.extend(request(&[name, "word"]));
            last = self.call(name, has_token);
            is_refused |= !matches!(last, Outcome::Ran(_));
            outcomes.push(match &last {
                // Its word is parsed when it is queued.
                Outcome::Ran("gated") => last.clone(),
                Outcome::Ran(_) => Outcome::Other,
                refused => refused.clone(),
            });
        }
        bytes.extend(request(&["EXEC"]));
        outcomes.push(if is_refused { Outcome::Other } else { last });
        (bytes, outcomes)
    }

    fn call(&self, name: &str, has_token: bool) -> Outcome {
        let model = &self.served.model;
        let name = match name {
            "gate" => "gated",
            "AA" => "aa",
            "nobodys" if !model.has_fallback => return Outcome::Other,
            "nobodys" => "*",
            name => name,
        };
        let names = CLOSURES.into_iter().chain(["gated", "*"]);
        let ran = names.map(|known| (known, known == name)).find(|(_, is)| *is);
        match ran {
            Some((name, _)) if model.may(name, self.caller, has_token, self.socket) => {
                Outcome::Ran(name)
            }
            _ => Outcome::Denied,
        }
    }

    /// Only `gated` has completions, and only for callers that may run it.
    fn complete(&self, name: &str, has_token: bool) -> Outcome {
        match self.call(name, has_token) {
            ran @ Outcome::Ran("gated") => ran,
            _ => Outcome::Other,
        }
    }

    /// `ping` can be given a rule, and is offered at every socket.
    fn ping(&self, has_token: bool) -> Outcome {
        let mut given = self.served.model.given.iter().rev();
        let given = given.find(|(names, _)| matches!(names, Names::All));
        match given {
            Some((_, who)) if !who.iter().any(|who| who.is(self.caller, has_token)) => {
                Outcome::Denied
            }
            _ => Outcome::Other,
        }
    }
}
