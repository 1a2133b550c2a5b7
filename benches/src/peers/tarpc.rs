//! tarpc over a Unix socket with its bincode codec, on tokio.

// The macro's output has no documentation and needs certain imports.
#![allow(missing_docs, unused_qualifications, unreachable_pub, reason = "generated")]

use std::future::ready;
use std::path::Path;

use futures::StreamExt;
use tarpc::server::{BaseChannel, Channel};
use tarpc::{client, context};
use tokio_serde::formats::Bincode;

use super::dockipc;
use crate::Res;
use crate::load::{PAYLOAD, tasks};
use crate::work::Work;

#[tarpc::service]
trait Echo {
    async fn echo(text: String) -> String;
    async fn work(us: u64) -> u64;
}

#[derive(Clone)]
struct Server;

impl Echo for Server {
    async fn echo(self, _: context::Context, text: String) -> String {
        text
    }

    async fn work(self, _: context::Context, us: u64) -> u64 {
        dockipc::work(us)
    }
}

pub(crate) async fn serve(socket: &Path) -> Res<()> {
    let listener = tarpc::serde_transport::unix::listen(socket, Bincode::default).await?;
    let channels = listener.filter_map(|result| ready(result.ok())).map(BaseChannel::with_defaults);
    let accept = channels.for_each(|channel| async move {
        let requests = channel.execute(Server.serve());
        tokio::spawn(requests.for_each(|request| async move {
            tokio::spawn(request);
        }));
    });
    accept.await;
    Ok(())
}

pub(crate) struct Caller(EchoClient);

impl tasks::Caller for Caller {
    async fn connect(socket: &Path) -> Res<Self> {
        let transport = tarpc::serde_transport::unix::connect(socket, Bincode::default).await?;
        Ok(Self(EchoClient::new(client::Config::default(), transport).spawn()))
    }

    async fn call(&mut self, work: Work) -> Res<()> {
        if let Work::Compute(load) = work {
            let us = self.0.work(context::current(), load.us).await?;
            return if us == load.us { Ok(()) } else { Err("another answer".into()) };
        }
        let answer = self.0.echo(context::current(), PAYLOAD.to_owned()).await?;
        if answer == PAYLOAD { Ok(()) } else { Err("another answer".into()) }
    }
}
