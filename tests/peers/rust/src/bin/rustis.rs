//! Drives rustis: rustis SOCKET

use rustis::client::Client;

use rustis::resp::{BulkString, Value, cmd};

fn blob() -> Vec<u8> {
    (0..=255).chain(*b"\r\n").collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let socket = std::env::args().nth(1).expect("a socket");
    let client = Client::connect(format!("unix://{socket}")).await.expect("a connection");

    let pong: String = client.send(cmd("ping"), None).await.unwrap();
    assert_eq!(pong, "PONG");
    let start: i64 = client.send(cmd("add").arg(0), None).await.unwrap();
    let words: Vec<String> = client.send(cmd("words").arg("a b").arg("c"), None).await.unwrap();
    assert_eq!(words, ["a b", "c"]);
    let blob = blob();
    let argument = BulkString::from(blob.clone());
    let back: BulkString = client.send(cmd("reverse").arg(argument), None).await.unwrap();
    assert!(back.iter().eq(blob.iter().rev()));

    let error = client.send::<Value>(cmd("fetch").arg("tea"), None).await.unwrap_err();
    assert!(error.to_string().contains("NOTFOUND there is no tea"), "{error}");

    let mut pipeline = client.create_pipeline();
    for _ in 0..100 {
        pipeline.queue_command(cmd("add").arg(1));
    }
    let totals: Vec<i64> = pipeline.execute().await.unwrap();
    assert!(totals.into_iter().eq(start + 1..=start + 100));

    // A late answer would be taken for the next command's.
    let slept: String = client.send(cmd("nap").arg("5s"), None).await.unwrap();
    assert_eq!(slept, "OK");
    let pong: String = client.send(cmd("ping"), None).await.unwrap();
    assert_eq!(pong, "PONG");
    let words: Vec<String> = client.send(cmd("words").arg("b"), None).await.unwrap();
    assert_eq!(words, ["b"]);
    client.close().await.unwrap();
    println!("rustis ok");
}
