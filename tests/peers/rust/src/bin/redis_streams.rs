//! Subscribes to streams with the redis crate: redis_streams SOCKET

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, Cmd, Connection, Msg, PubSub, PushInfo, PushKind, Value, cmd, from_redis_value,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const LIMIT: Duration = Duration::from_secs(30);

const REFUSED: [(&str, &str); 5] = [
    ("no such", "UNKNOWN"),
    ("take", "USAGE"),
    ("closed", "NOPERM"),
    ("runs take", "USAGE"),
    ("count", "USAGE"),
];

fn fault(kind: &str) {
    println!("{kind}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    assert_eq!(line, "done\n");
}

fn client(socket: &str, protocol: &str) -> Client {
    Client::open(format!("redis+unix://{socket}?protocol={protocol}")).expect("a client")
}

fn connect(client: &Client) -> Connection {
    let connection = client.get_connection().expect("a connection");
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection
}

fn number(connection: &mut Connection, words: &[&str]) -> u64 {
    call(words).query(connection).unwrap()
}

fn call(words: &[&str]) -> Cmd {
    let mut call = cmd(words[0]);
    call.arg(&words[1..]);
    call
}

/// Returns the pattern, the channel and the text of the next message.
fn next(pubsub: &mut PubSub<'_>) -> [String; 3] {
    let message: Msg = pubsub.get_message().unwrap();
    [
        message.get_pattern::<Option<String>>().unwrap().unwrap_or_default(),
        message.get_channel_name().to_owned(),
        message.get_payload().unwrap(),
    ]
}

fn blocking(socket: &str, protocol: &str) {
    let client = client(socket, protocol);
    let mut other = connect(&client);
    let mut connection = connect(&client);
    let mut pubsub = connection.as_pubsub();
    for (call, count, last) in
        [("count 3", 3, ["end", "+END"]), ("break-after 2", 2, ["error", "-BROKEN in the end"])]
    {
        pubsub.psubscribe(call).unwrap();
        for n in 0..count {
            assert_eq!(next(&mut pubsub), [call, "item", &n.to_string()]);
        }
        assert_eq!(next(&mut pubsub), [call, last[0], last[1]]);
        pubsub.punsubscribe(call).unwrap();
    }
    for (call, texts) in
        [("count 2", &["0", "1", "+END"][..]), ("break-after 1", &["0", "-BROKEN in the end"])]
    {
        pubsub.subscribe(call).unwrap();
        for text in texts {
            assert_eq!(next(&mut pubsub), ["", call, text]);
        }
        pubsub.unsubscribe(call).unwrap();
    }
    // It swallows a refusal, and the connection goes on.
    for (call, _) in REFUSED {
        pubsub.subscribe(&["count 1", call]).unwrap();
        pubsub.psubscribe(&["count 1", call]).unwrap();
    }
    pubsub.subscribe(&["jobs", "count 2000"]).unwrap();
    for n in 0..200 {
        assert_eq!(number(&mut other, &["emit", "jobs", &n.to_string()]), 1);
    }
    let all: Vec<_> = (0..2201).map(|_| next(&mut pubsub)).collect();
    let of = |name: &'static str| {
        all.iter().filter(move |[_, channel, _]| channel == name).map(|[.., text]| text)
    };
    let texts: Vec<_> = (0..2000).map(|n| n.to_string()).collect();
    assert!(of("jobs").eq(&texts[..200]));
    assert!(of("count 2000").eq(texts.iter().chain([&"+END".to_owned()])));
    // It doesn't connect again by itself.
    let run = number(&mut other, &["runs", "follow"]) + 1;
    pubsub.psubscribe("follow").unwrap();
    assert_eq!(next(&mut pubsub), ["follow", "item", &run.to_string()]);
    fault("cut");
    assert!(pubsub.get_message().unwrap_err().is_connection_dropped());
    let mut other = connect(&client);
    assert_eq!(number(&mut other, &["runs", "follow"]), run);
}

struct Pushes(UnboundedReceiver<PushInfo>);

impl Pushes {
    /// Returns the words of the next message.
    async fn next(&mut self) -> Vec<String> {
        loop {
            let push = tokio::time::timeout(LIMIT, self.0.recv()).await.expect("a push").unwrap();
            if let PushKind::Message | PushKind::PMessage = push.kind {
                return push.data.into_iter().map(|v| from_redis_value(v).unwrap()).collect();
            }
        }
    }
}

async fn managed(socket: &str) {
    let (sender, pushes) = unbounded_channel();
    let mut pushes = Pushes(pushes);
    let settings = ConnectionManagerConfig::new().set_response_timeout(Some(LIMIT));
    let min_delay = Duration::from_millis(5);
    let settings = settings.set_min_delay(min_delay).set_max_delay(min_delay);
    let settings = settings.set_number_of_retries(1000);
    let caller = ConnectionManager::new_with_config(client(socket, "resp3"), settings.clone());
    let mut caller = caller.await.unwrap();
    let settings = settings.set_push_sender(sender).set_automatic_resubscription();
    let subscriber = ConnectionManager::new_with_config(client(socket, "resp3"), settings);
    let mut subscriber = subscriber.await.unwrap();

    subscriber.psubscribe("break-after 2").await.unwrap();
    for last in [["item", "0"], ["item", "1"], ["error", "-BROKEN in the end"]] {
        assert_eq!(pushes.next().await, ["break-after 2", last[0], last[1]]);
    }
    subscriber.punsubscribe("break-after 2").await.unwrap();
    for (call, code) in REFUSED {
        // It keeps a name only if the subscription was made.
        let error = subscriber.psubscribe(call).await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{error}");
    }
    subscriber.subscribe("jobs").await.unwrap();
    let number = async |caller: &mut ConnectionManager, words: &[&str]| {
        call(words).query_async::<u64>(caller).await
    };
    let mut run = number(&mut caller, &["runs", "follow"]).await.unwrap() + 1;
    subscriber.psubscribe("follow").await.unwrap();
    assert_eq!(pushes.next().await, ["follow", "item", &run.to_string()]);
    for kind in ["cut", "restart"] {
        let before = number(&mut caller, &["runs", "hang"]).await.unwrap();
        let hits = number(&mut caller, &["runs", "hit"]).await.unwrap();
        let mut hanging = caller.clone();
        let hang =
            tokio::spawn(async move { cmd("hang").query_async::<Value>(&mut hanging).await });
        let mut watching = connect(&client(socket, "resp2"));
        while call(&["runs", "hang"]).query::<u64>(&mut watching).unwrap() == before {
            tokio::task::yield_now().await;
        }
        fault(kind);
        assert!(hang.await.unwrap().is_err());
        // It subscribes again by itself, when it is used.
        let mut is_used = subscriber.clone();
        let wake = tokio::spawn(async move {
            while cmd("ping").query_async::<Value>(&mut is_used).await.is_err() {}
        });
        run += 1;
        loop {
            let message = pushes.next().await;
            if message[1] == "item" {
                assert_eq!(message, ["follow", "item", &run.to_string()]);
                break;
            }
            assert_eq!((kind, &*message[1]), ("restart", "error"), "{message:?}");
            assert!(message[2].starts_with("-SHUTDOWN "), "{message:?}");
        }
        wake.await.unwrap();
        for _ in 0..20 {
            let _ = number(&mut caller, &["hit"]).await;
        }
        let mut watching = connect(&client(socket, "resp2"));
        let mut ask = |words: &[&str]| call(words).query::<u64>(&mut watching).unwrap();
        assert!(ask(&["runs", "hit"]) - hits <= 20);
        assert_eq!(ask(&["runs", "hang"]), before + 1);
        while ask(&["emit", "jobs", kind]) != 1 {}
        assert_eq!(pushes.next().await, ["jobs", kind]);
        assert_eq!(ask(&["runs", "follow"]), run);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let socket = std::env::args().nth(1).expect("a socket");
    for protocol in ["resp2", "resp3"] {
        blocking(&socket, protocol);
    }
    managed(&socket).await;
    println!("redis ok");
}
