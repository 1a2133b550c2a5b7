//! Drives fred: fred SOCKET

use fred::cmd;
use fred::prelude::*;
use fred::types::RespVersion;

fn blob() -> Vec<u8> {
    (0..=255).chain(*b"\r\n").collect()
}

async fn check(socket: &str, version: RespVersion) {
    let mut config = Config::from_url(&format!("redis+unix://{socket}")).unwrap();
    config.version = version;
    let client = Builder::from_config(config).build().unwrap();
    client.init().await.expect("a connection");

    assert_eq!(client.ping::<String>(None).await.unwrap(), "PONG");
    let words: Vec<String> = client.custom(cmd!("words"), vec!["a b", "c"]).await.unwrap();
    assert_eq!(words, ["a b", "c"]);
    let prices: std::collections::BTreeMap<String, i64> =
        client.custom(cmd!("prices"), Vec::<i64>::new()).await.unwrap();
    assert_eq!(prices.len(), 2);
    let blob = blob();
    let back: Value = client.custom(cmd!("reverse"), vec![&blob[..]]).await.unwrap();
    assert!(back.as_bytes().unwrap().iter().eq(blob.iter().rev()));

    let error = client.custom::<Value, _>(cmd!("fetch"), vec!["tea"]).await.unwrap_err();
    assert_eq!(error.details(), "NOTFOUND there is no tea");

    let pipeline = client.pipeline();
    for word in 0..100 {
        let _: Value = pipeline.custom(cmd!("words"), vec![word]).await.unwrap();
    }
    let answers: Vec<Vec<i64>> = pipeline.all().await.unwrap();
    assert!(answers.into_iter().flatten().eq(0..100));

    // A late answer would be taken for the next command's.
    let slept: String = client.custom(cmd!("nap"), vec!["5s"]).await.unwrap();
    assert_eq!(slept, "OK");
    assert_eq!(client.ping::<String>(None).await.unwrap(), "PONG");
    let words: Vec<String> = client.custom(cmd!("words"), vec!["b"]).await.unwrap();
    assert_eq!(words, ["b"]);
    client.quit().await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let socket = std::env::args().nth(1).expect("a socket");
    tokio::join!(check(&socket, RespVersion::RESP2), check(&socket, RespVersion::RESP3));
    println!("fred ok");
}
