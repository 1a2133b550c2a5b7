//! Asks web servers, by async commands on tokio.
//!
//! `cargo run --features tokio --example async_daemon [SOCKET]`
//!
//! A command that awaits a web server holds no thread. It is dropped when its client leaves.

use std::time::Duration;

use dockipc::{Failure, Server, State, command};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Uri;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The client keeps connections open for later requests.
type Web = Client<HttpConnector, Empty<Bytes>>;
type Response = hyper::Response<Incoming>;

/// The longest page that is kept in memory.
const LONGEST: usize = 16 << 20;

/// Answer with a page.
#[command(abort)]
async fn get(web: State<Web>, #[arg(from_str)] url: Uri) -> Result<Vec<u8>, Failure> {
    let response = ask(&web, url).await?;
    if !response.status().is_success() {
        return Err(Failure::new("STATUS", response.status()));
    }
    let page = Limited::new(response, LONGEST).collect().await;
    Ok(page.map_err(Failure::with("CUTOFF"))?.to_bytes().into())
}

/// List the servers with the status that each answers. All are asked at the same time.
#[command(abort, idempotent)]
async fn check(web: State<Web>, #[arg(from_str)] urls: Vec<Uri>) -> Vec<(String, String)> {
    let mut asked = JoinSet::new();
    for url in urls {
        let web = web.clone();
        asked.spawn(async move {
            let response = ask(&web, url.clone()).await;
            let status =
                response.map_or("no answer".to_owned(), |response| response.status().to_string());
            (url.to_string(), status)
        });
    }
    let mut rows = asked.join_all().await;
    rows.sort();
    rows
}

/// Wait until a server answers with success.
#[command("wait-for", abort, idempotent)]
async fn wait_for(web: State<Web>, #[arg(from_str)] url: Uri) {
    while !ask(&web, url.clone()).await.is_ok_and(|response| response.status().is_success()) {
        sleep(Duration::from_millis(100)).await;
    }
}

async fn ask(web: &Web, url: Uri) -> Result<Response, Failure> {
    web.get(url).await.map_err(Failure::with("NOANSWER"))
}

#[tokio::main]
async fn main() -> dockipc::Result<()> {
    let socket = examples::socket("async_daemon");
    let check = "check http://127.0.0.1:9/";
    examples::invite(&socket, [check, check, check]);
    let web: Web = Client::builder(TokioExecutor::new()).build_http();
    Server::new().state(web).serve(socket).await
}
