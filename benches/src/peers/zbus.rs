//! zbus from peer to peer over a Unix socket, without a bus, on tokio.

// The macros' output has no documentation and needs certain imports.
#![allow(missing_docs, unused_qualifications, unreachable_pub, reason = "generated")]

use std::path::Path;

use tokio::net::{UnixListener, UnixStream};
use zbus::{Guid, connection, interface, proxy};

use crate::Res;
use crate::load::{PAYLOAD, tasks};
use crate::work::Work;

struct Echo;

#[expect(clippy::unused_self, reason = "zbus wants it")]
#[interface(name = "org.example.Echo1")]
impl Echo {
    fn echo(&self, text: String) -> String {
        text
    }
}

#[proxy(
    interface = "org.example.Echo1",
    default_service = "org.example.Echo",
    default_path = "/org/example/Echo"
)]
trait Echo {
    async fn echo(&self, text: &str) -> zbus::Result<String>;
}

pub(crate) async fn serve(socket: &Path) -> Res<()> {
    let listener = UnixListener::bind(socket)?;
    let guid = Guid::generate();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream, guid.clone()));
    }
}

async fn echo(stream: UnixStream, guid: Guid<'static>) -> Res<()> {
    let builder = connection::Builder::unix_stream(stream.into_std()?).server(guid).p2p();
    let connection = builder.serve_at("/org/example/Echo", Echo).build().await?;
    connection.closed().await;
    Ok(())
}

pub(crate) struct Caller(EchoProxy<'static>);

impl tasks::Caller for Caller {
    async fn connect(socket: &Path) -> Res<Self> {
        let address = format!("unix:path={}", socket.display());
        let connection = connection::Builder::address(address.as_str()).p2p().build().await?;
        Ok(Self(EchoProxy::builder(&connection).build().await?))
    }

    async fn call(&mut self, _: Work) -> Res<()> {
        let answer = self.0.echo(PAYLOAD).await?;
        if answer == PAYLOAD { Ok(()) } else { Err("another answer".into()) }
    }
}
