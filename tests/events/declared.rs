//! Channels that an enum declares.

use dockipc::events::WhenFull;
use dockipc::{Client as Caller, Events, Reply, Server};
use tests::Daemon;

use super::client::{Client, confirmation, message};

const NOBODY: &str = "uid:4000000000";

#[derive(dockipc::Reply)]
struct Mistake {
    job: u64,
    why: String,
}

/// The events of the press.
#[derive(dockipc::Events)]
enum Press {
    /// A page is printed:
    /// its number.
    ///
    /// Sent once for each page.
    #[event("press.page")]
    Page(u64),
    #[event("press.jam", allow = "owner", when_full = "end")]
    Jam(Mistake),
    /// The printed texts, with their receivers.
    #[event("press.audit", allow = "uid:4000000000", when_full = "drop")]
    Audit(String),
    OutOfPaper,
}

fn described(daemon: &Daemon) -> Vec<(Reply, Reply)> {
    let client = Caller::new(daemon.path());
    let call = client.command("dockipc").arg("describe").arg("--channels");
    let Reply::Map(channels) = call.call().expect("a description") else { panic!("no map") };
    channels
}

fn names(daemon: &Daemon) -> Vec<String> {
    let name = |(name, _)| String::from_utf8(Reply::into_line(name)).expect("a name");
    described(daemon).into_iter().map(name).collect()
}

fn denied(channel: &str, reason: &str) -> String {
    let uid = rustix::process::geteuid().as_raw();
    format!("-NOPERM permission denied: channel \"{channel}\" {reason} (you are uid {uid})\r\n")
}

#[test]
fn description_has_help_rule_and_type_of_a_channel() {
    let daemon = Daemon::start(Server::new());
    let text = |text: &str| Reply::bytes(text);
    let ty = |ty: &str| Reply::map([("type", text(ty))]);
    let pairs = described(&daemon);
    let found = |name: &str| {
        let found = pairs.iter().find(|(key, _)| *key == text(name));
        found.expect("a channel that is described").1.clone()
    };
    let int = Reply::map([
        ("type", text("int")),
        ("min", text("0")),
        ("max", text("18446744073709551615")),
    ]);
    let page = Reply::map([
        ("summary", text("A page is printed: its number.")),
        ("details", text("Sent once for each page.")),
        ("for", Reply::Null),
        ("value", int.clone()),
    ]);
    assert_eq!(found("press.page"), page);
    let field = |name: &str, of: Reply| Reply::map([("name", text(name)), ("of", of)]);
    let fields = Reply::List(vec![field("job", int), field("why", ty("text"))]);
    let mistake =
        Reply::map([("type", text("struct")), ("name", text("Mistake")), ("fields", fields)]);
    let jam = Reply::map([
        ("summary", text("")),
        ("details", text("")),
        ("for", text("owner")),
        ("value", mistake),
    ]);
    assert_eq!(found("press.jam"), jam);
    let Reply::Map(paper) = found("out-of-paper") else { panic!("no map") };
    assert_eq!(paper.last().map(|(_, value)| value), Some(&ty("nothing")));
}

#[test]
fn description_has_the_channels_that_the_caller_may_hear() {
    let daemon = Daemon::start(Server::new().allow_channel("out-*", NOBODY));
    assert_eq!(names(&daemon), ["press.jam", "press.page"]);
    let daemon = Daemon::start(Server::new().default_deny().allow_channel("press.audit", "any"));
    assert_eq!(names(&daemon), ["press.audit", "press.jam"]);
}

#[test]
fn description_of_commands_has_no_channels() {
    let daemon = Daemon::start(Server::new());
    let client = Caller::new(daemon.path());
    let all: Reply = client.command("dockipc").arg("describe").call().expect("commands");
    let Reply::Map(commands) = all else { panic!("no map") };
    assert!(commands.iter().any(|(name, _)| *name == Reply::bytes("emit")));
    assert!(!commands.iter().any(|(name, _)| *name == Reply::bytes("press.page")));
}

#[test]
fn declared_rule_decides_who_hears_a_channel() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp2(&daemon);
    let requires = format!("requires {NOBODY}");
    client.ask(&["subscribe", "press.audit"], &denied("press.audit", &requires));
    client.ask(&["subscribe", "press.jam"], &confirmation('*', "subscribe", "press.jam", 1));
}

#[test]
fn rule_of_the_server_replaces_a_declared_one() {
    let server = Server::new().allow_channel("press.*", "any").allow_channel("press.jam", NOBODY);
    let daemon = Daemon::start(server);
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "press.audit"], &confirmation('*', "subscribe", "press.audit", 1));
    let requires = format!("requires {NOBODY}");
    client.ask(&["subscribe", "press.jam"], &denied("press.jam", &requires));
}

#[test]
fn declared_rule_opens_a_channel_under_default_deny() {
    let daemon = Daemon::start(Server::new().default_deny());
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "press.page"], &denied("press.page", "is denied to everyone"));
    client.ask(&["subscribe", "press.jam"], &confirmation('*', "subscribe", "press.jam", 1));
}

#[test]
fn emitted_event_has_its_channel_and_value() {
    let daemon = Daemon::start(Server::new());
    let events = daemon.handle().events();
    let mut client = Client::resp3(&daemon);
    let channels = ["press.page", "press.jam", "out-of-paper"];
    for (at, channel) in channels.into_iter().enumerate() {
        client.ask(&["subscribe", channel], &confirmation('>', "subscribe", channel, at + 1));
    }
    assert_eq!(events.emit(Press::Page(7)), 1);
    assert_eq!(events.emit(Press::Jam(Mistake { job: 7, why: "torn".into() })), 1);
    assert_eq!(events.emit(Press::OutOfPaper), 1);
    assert_eq!(events.emit(Press::Audit("7".into())), 0);
    client.expect(&message('>', "press.page", "7"));
    client.expect(&message('>', "press.jam", "job\t7\nwhy\ttorn\n"));
    client.expect(&message('>', "out-of-paper", ""));
}

/// Publishes more than a queue holds to a client that does not read. Returns whether its subscription has ended.
fn ends(server: Server, events: &Events) -> bool {
    let daemon = Daemon::start(server.events(events.clone()).max_queued_events(10, 1 << 20));
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "press.jam"], &confirmation('>', "subscribe", "press.jam", 1));
    let jam = || Press::Jam(Mistake { job: 1, why: "x".repeat(32 * 1024) });
    (0..1000).any(|_| events.emit(jam()) == 0)
}

#[test]
fn declared_policy_ends_the_subscription_of_a_slow_client() {
    assert!(ends(Server::new(), &Events::new()));
}

#[test]
fn policy_of_the_program_replaces_a_declared_one() {
    assert!(!ends(Server::new(), &Events::new().when_full("press.*", WhenFull::Drop)));
}

#[test]
fn program_with_declared_channels_has_events() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "press.page"], &confirmation('*', "subscribe", "press.page", 1));
}
