//! A program without the feature `server`: the client, and the types that it shares with the daemon.

use dockipc::Server;
use tests::Place;
use tests::package::Package;

const CLIENT_ONLY: &str = "default-features = false";

#[test]
fn client_without_server_calls_a_daemon() {
    const MAIN: &str = r#"
        use dockipc::client::ToArg;
        use dockipc::events::Replica;
        use dockipc::{Arg, Client, Failure, FromReply, IntoReply, Secret};

        #[derive(Arg, dockipc::Reply, Debug, PartialEq)]
        enum Color { DarkRed, Blue }

        #[derive(Arg)]
        #[arg(from_str)]
        struct Number(u64);

        impl std::str::FromStr for Number {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
        }

        #[derive(dockipc::Reply, Debug, PartialEq)]
        struct Lamp { color: Color, watts: u64 }

        #[derive(Debug, Failure)]
        #[code("BROKEN")]
        struct Broken;

        #[derive(Clone)]
        struct State(u64);

        impl Replica for State {
            type Event = u64;

            fn apply(&mut self, event: &u64) { self.0 = *event; }
            fn replicate(&self) -> Vec<u64> { vec![self.0] }
        }

        fn main() -> dockipc::Result<()> {
            assert_eq!(Color::from_word(b"dark-red").unwrap(), Color::DarkRed);
            assert_eq!(Number::from_word(b"7").unwrap().0, 7);
            assert!(Number(7).0.to_arg().is_some());
            let _ = (Broken, State(1).replicate());
            let client = Client::new(std::env::args_os().nth(1).expect("a path"));
            let text = Secret::new("dark-red 60".to_owned());
            let words: String = client.command("words").arg(text).call()?;
            assert_eq!(words, "[dark-red 60]");
            let lamp = Lamp { color: Color::Blue, watts: 60 };
            assert_eq!(Lamp::from_reply(lamp.into_reply())?, Lamp { color: Color::Blue, watts: 60 });
            let missing = client.command("missing").call::<()>().unwrap_err();
            println!("{}", missing.failure().expect("an answer").code());
            Ok(())
        }
    "#;
    let mut program = Package::new("client-only", CLIENT_ONLY, MAIN).program();
    let place = Place::new();
    let _daemon = Server::new().spawn(place.socket()).unwrap();
    let output = program.arg(place.socket()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"UNKNOWN\n");
}

#[test]
fn command_without_server_names_the_feature() {
    let main = "#[dockipc::command]\nfn hello() {}\nfn main() { hello() }\n";
    let output = Package::new("command-only", CLIENT_ONLY, main).cargo(&["check"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("`#[command]` needs the feature `server` of dockipc"), "{message}");
    assert_eq!(message.matches("error: ").count(), 2, "{message}");
}

#[test]
fn client_without_server_has_fewer_crates() {
    let output =
        Package::new("client-only", CLIENT_ONLY, "fn main() {}\n").cargo(&["tree", "-e", "normal"]);
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("rustix"), "{tree}");
    for server in ["inventory", "signal-hook"] {
        assert!(!tree.contains(server), "{tree}");
    }
}
