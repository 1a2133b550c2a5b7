//! Subscribes to streams with fred: fred_streams SOCKET

use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::cmd;
use fred::prelude::*;
use fred::types::{Message, MessageKind, RespVersion};
use tokio::sync::broadcast::Receiver;

const LIMIT: Duration = Duration::from_secs(30);

fn fault(kind: &str) {
    println!("{kind}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    assert_eq!(line, "done\n");
}

fn builder(socket: &str, version: RespVersion, attempts: u32) -> Builder {
    let mut config = Config::from_url(&format!("redis+unix://{socket}")).unwrap();
    config.version = version;
    let mut builder = Builder::from_config(config);
    builder.set_policy(ReconnectPolicy::new_constant(0, 5));
    // With the default, 3, it sends commands again whose connection was lost.
    builder.with_connection_config(|config| config.max_command_attempts = attempts);
    builder
}

struct Messages(Receiver<Message>);

impl Messages {
    /// Returns the channel and the text of the next message.
    async fn next(&mut self) -> [String; 2] {
        let next = tokio::time::timeout(LIMIT, self.0.recv());
        let Message { channel, value, kind, .. } = next.await.expect("a message").unwrap();
        assert!(matches!(kind, MessageKind::Message | MessageKind::PMessage));
        [channel.to_string(), value.convert().unwrap()]
    }
}

async fn number(client: &Client, name: &'static str, words: Vec<&str>) -> Result<u64, Error> {
    client.custom(cmd!(name), words).await
}

async fn check(socket: &str, version: RespVersion) {
    let defaults = builder(socket, version.clone(), 3);
    let builder = builder(socket, version, 1);
    let client = builder.build().unwrap();
    client.init().await.expect("a connection");
    let subscriber: SubscriberClient = builder.build_subscriber_client().unwrap();
    subscriber.init().await.expect("a connection");
    let _subscribing = subscriber.manage_subscriptions();
    let mut messages = Messages(subscriber.message_rx());

    for (call, count, last) in
        [("count 3", 3, ["end", "+END"]), ("break-after 2", 2, ["error", "-BROKEN in the end"])]
    {
        subscriber.psubscribe(call).await.unwrap();
        for n in 0..count {
            assert_eq!(messages.next().await, ["item", &n.to_string()]);
        }
        assert_eq!(messages.next().await, last);
        subscriber.punsubscribe(call).await.unwrap();
    }
    for (call, texts) in
        [("count 2", &["0", "1", "+END"][..]), ("break-after 1", &["0", "-BROKEN in the end"])]
    {
        subscriber.subscribe(call).await.unwrap();
        for text in texts {
            assert_eq!(messages.next().await, [call, text]);
        }
        subscriber.unsubscribe(call).await.unwrap();
    }
    subscriber.subscribe("jobs").await.unwrap();
    // It swallows a refusal.
    for call in ["no such", "take", "closed", "runs take", "count"] {
        subscriber.psubscribe(call).await.unwrap();
        subscriber.subscribe(call).await.unwrap();
        // The connection goes on.
        assert_eq!(number(&client, "emit", vec!["jobs", call]).await.unwrap(), 1);
        assert_eq!(messages.next().await, ["jobs", call]);
        // It would subscribe to it again.
        subscriber.punsubscribe(call).await.unwrap();
        subscriber.unsubscribe(call).await.unwrap();
    }

    let mut run = number(&client, "runs", vec!["follow"]).await.unwrap() + 1;
    subscriber.psubscribe("follow").await.unwrap();
    assert_eq!(messages.next().await, ["item", &run.to_string()]);
    for kind in ["cut", "restart"] {
        let before = number(&client, "runs", vec!["hang"]).await.unwrap();
        let hits = number(&client, "runs", vec!["hit"]).await.unwrap();
        let other = builder.build().unwrap();
        other.init().await.expect("a connection");
        // A daemon that stops answers first, so that nothing is sent again.
        let hanging = if kind == "restart" { &defaults } else { &builder }.build().unwrap();
        hanging.init().await.expect("a connection");
        let hang =
            tokio::spawn(async move { hanging.custom::<Value, Value>(cmd!("hang"), vec![]).await });
        while number(&other, "runs", vec!["hang"]).await.unwrap() == before {}
        fault(kind);
        assert!(hang.await.unwrap().is_err());
        // It subscribes again by itself.
        run += 1;
        loop {
            let message = messages.next().await;
            if message[0] == "item" {
                assert_eq!(message[1], run.to_string());
                break;
            }
            assert_eq!((kind, &*message[0]), ("restart", "error"), "{message:?}");
            assert!(message[1].starts_with("-SHUTDOWN "), "{message:?}");
        }
        for _ in 0..20 {
            let _ = number(&client, "hit", vec![]).await;
        }
        let other = builder.build().unwrap();
        other.init().await.expect("a connection");
        assert!(number(&other, "runs", vec!["hit"]).await.unwrap() - hits <= 20);
        assert_eq!(number(&other, "runs", vec!["hang"]).await.unwrap(), before + 1);
        while number(&other, "emit", vec!["jobs", kind]).await.unwrap() != 1 {}
        assert_eq!(messages.next().await, ["jobs", kind]);
        assert_eq!(number(&other, "runs", vec!["follow"]).await.unwrap(), run);
    }
    subscriber.quit().await.unwrap();
    client.quit().await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let socket = std::env::args().nth(1).expect("a socket");
    check(&socket, RespVersion::RESP2).await;
    check(&socket, RespVersion::RESP3).await;
    println!("fred ok");
}
