//! Drives the connections of the redis crate: redis SOCKET

use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{AsyncConnectionConfig, Client, Value, cmd};

fn blob() -> Vec<u8> {
    (0..=255).chain(*b"\r\n").collect()
}

async fn check(mut redis: impl ConnectionLike) {
    let redis = &mut redis;
    assert_eq!(cmd("ping").query_async::<String>(redis).await.unwrap(), "PONG");
    let words = cmd("words").arg("a b").arg("c").query_async::<Vec<String>>(redis).await;
    assert_eq!(words.unwrap(), ["a b", "c"]);
    let blob = blob();
    let back: Vec<u8> = cmd("reverse").arg(&blob).query_async(redis).await.unwrap();
    assert!(back.iter().eq(blob.iter().rev()));

    let error = cmd("fetch").arg("tea").query_async::<Value>(redis).await.unwrap_err();
    assert_eq!(error.code(), Some("NOTFOUND"));

    let mut pipeline = redis::pipe();
    for word in 0..100 {
        pipeline.cmd("words").arg(word);
    }
    let answers: Vec<Vec<i64>> = pipeline.query_async(redis).await.unwrap();
    assert!(answers.into_iter().flatten().eq(0..100));

    // A late answer would be taken for the next command's.
    assert_eq!(cmd("nap").arg("5s").query_async::<Value>(redis).await.unwrap(), Value::Okay);
    assert_eq!(cmd("ping").query_async::<String>(redis).await.unwrap(), "PONG");
    let words = cmd("words").arg("b").query_async::<Vec<String>>(redis).await.unwrap();
    assert_eq!(words, ["b"]);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let socket = std::env::args().nth(1).expect("a socket");
    let open = |protocol| {
        Client::open(format!("redis+unix://{socket}?protocol={protocol}")).expect("a client")
    };
    // By default a command that lasts half a second fails.
    let limit = Some(Duration::from_secs(20));
    let settings = || AsyncConnectionConfig::new().set_response_timeout(limit);
    let multiplexed = async |protocol| {
        let client = open(protocol);
        check(client.get_multiplexed_async_connection_with_config(&settings()).await.unwrap())
            .await;
    };
    let managed = async {
        let config = redis::aio::ConnectionManagerConfig::new().set_response_timeout(limit);
        check(open("resp3").get_connection_manager_with_config(config).await.unwrap()).await;
    };
    tokio::join!(multiplexed("resp2"), multiplexed("resp3"), managed);
    println!("redis ok");
}
