//! The environment of a typed client, and daemons of other users.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;

use dockipc::client::{AsyncItems, Items, Way};
use dockipc::{Args, AsyncClient, Client, Commands, Error, Reply, Server, Stream, client, command};
use tests::Place;
use tests::users::{self, Shared, User, part, say};

const STRANGER: User = User { uid: 65_534, gid: 65_534, groups: &[] };

const WHY: &str = "NOPERM the environment was not sent: the listener is uid 65534, neither root nor you; \
                   allow it with Client::require_owner";

type Variables = HashMap<OsString, OsString>;

#[derive(Args, Default)]
struct Brought {
    #[arg(long, caller = "env")]
    env: Variables,
}

#[derive(Commands)]
#[command(prefix = "gather")]
enum Gather {
    Plain {
        #[arg(long, caller = "env")]
        env: Variables,
    },
    Derived(Brought),
}

/// Returns whether there are any.
fn note(env: &Variables) -> bool {
    say("called");
    !env.is_empty()
}

#[command("gather-plain")]
fn gather_plain(#[arg(long, caller = "env")] env: Variables) -> bool {
    note(&env)
}

#[command("gather-derived")]
fn gather_derived(brought: Brought) -> bool {
    note(&brought.env)
}

#[command]
fn gather(gather: Gather) -> bool {
    match gather {
        Gather::Plain { env } | Gather::Derived(Brought { env }) => note(&env),
    }
}

#[command("gather-items")]
fn gather_items(#[arg(long, caller = "env")] env: Variables) -> Stream<bool> {
    Stream::iter([note(&env)])
}

type Given<'a> = Option<&'a BTreeMap<&'static str, &'static str>>;

#[client]
trait Plain {
    #[command("gather-plain")]
    fn plain(&self, #[arg(long, caller = "env")] env: Given<'_>) -> dockipc::Result<bool>;

    #[command("gather-items")]
    fn items(&self, #[arg(long, caller = "env")] env: Given<'_>) -> dockipc::Result<Items<bool>>;
}

#[client]
trait Later {
    #[command("gather-plain")]
    async fn plain(&self, #[arg(long, caller = "env")] env: Given<'_>) -> dockipc::Result<bool>;

    #[command("gather-items")]
    async fn items(
        &self,
        #[arg(long, caller = "env")] env: Given<'_>,
    ) -> dockipc::Result<AsyncItems<bool>>;
}

/// Makes each kind of call that fills in the environment.
fn calls(client: &Client) -> Vec<dockipc::Result<bool>> {
    let derived = || client.command("gather-derived").give(&Brought::default(), Way::Position);
    let plain = PlainClient::new(client.clone());
    let mut pipeline = client.pipeline();
    pipeline.add(derived());
    let mut results = vec![
        plain.plain(None),
        plain.items(None).and_then(|mut items| items.next().expect("an item")),
        derived().call(),
        client
            .clone()
            .once()
            .command("gather-derived")
            .give(&Brought::default(), Way::Position)
            .call(),
        pipeline.call().and_then(|replies| replies.into_iter().next().unwrap().parse()),
        client.request(Gather::Plain { env: Variables::new() }).call(),
        client.request(Gather::Derived(Brought::default())).call(),
    ];
    let later = LaterClient::new(AsyncClient::from(client.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        results.push(later.plain(None).await);
        results.push(match later.items(None).await {
            Ok(mut items) => items.next().await.expect("an item"),
            Err(error) => Err(error),
        });
    });
    results
}

#[test]
fn typed_client_sends_environment_to_no_stranger() {
    if part().is_some() {
        let daemon = Server::new().once().spawn("open/d.sock").expect("a daemon");
        say("ready");
        users::wait_for_the_end();
        return drop(daemon);
    }
    if !users::can_be_had() {
        return;
    }
    let shared = Shared::new(STRANGER);
    let mut actor =
        shared.start("typed_client_sends_environment_to_no_stranger", "listens", STRANGER);
    assert_eq!(actor.line().as_deref(), Some("ready"));
    let client = Client::new(shared.directory().join("open/d.sock"));
    // The check is made also over a connection that is open already, and does not break others.
    let _: Reply = client.command("ping").call().unwrap();
    let results = calls(&client);
    let count = results.len();
    for result in results {
        let error = result.expect_err("a stranger");
        assert!(matches!(error, Error::Refused(_)), "{error}");
        assert_eq!(error.to_string(), WHY);
    }
    // What the caller gives is not this process's environment.
    let given = BTreeMap::from([("K", "v")]);
    assert!(PlainClient::new(client.clone()).plain(Some(&given)).unwrap());
    assert!(!PlainClient::new(client.clone()).plain(Some(&BTreeMap::new())).unwrap());
    // A user who is named gets it.
    for result in calls(&client.require_owner(STRANGER.uid)) {
        assert!(result.unwrap());
    }
    assert_eq!(actor.end(), vec!["called"; count + 2]);
}

#[test]
fn typed_client_sends_environment_to_its_own_user() {
    let place = Place::new();
    let _daemon = Server::new().once().spawn(place.socket()).expect("a daemon");
    for result in calls(&Client::new(place.socket())) {
        assert!(result.unwrap());
    }
}
