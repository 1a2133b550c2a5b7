//! The peers: servers and their clients.

mod cores;
mod dockipc;
mod epoll;
mod floor;
mod redis;
pub(crate) mod resp;
mod tarpc;
mod threads;
mod zbus;

use std::path::Path;
use std::sync::Arc;

use crate::Res;
use crate::load::blocking::Raw;
use crate::load::{Job, PAYLOAD, big, blocking, copy, events, library, ready, rows, stalls, tasks};
use crate::results::Figures;
use crate::work::Work;

pub(crate) use dockipc::{Caller, daemon};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Floor,
    Epoll,
    FloorResp,
    Cores,
    Redis,
    Threads,
    Tarpc,
    Zbus,
    Dockipc,
    Async,
    Client,
    Line,
}

impl Peer {
    pub(crate) const ALL: &[Self] = &[
        Self::Floor,
        Self::Epoll,
        Self::FloorResp,
        Self::Cores,
        Self::Redis,
        Self::Threads,
        Self::Tarpc,
        Self::Zbus,
        Self::Dockipc,
        Self::Async,
        Self::Client,
        Self::Line,
    ];

    pub(crate) fn named(name: &str) -> Res<Self> {
        let found = Self::ALL.iter().find(|peer| peer.name() == name);
        found.copied().ok_or_else(|| format!("no peer {name}; there are {}", Self::names()).into())
    }

    pub(crate) fn names() -> String {
        Self::ALL.iter().map(|peer| peer.name()).collect::<Vec<_>>().join(", ")
    }

    /// Returns the name for `--peers`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Epoll => "epoll",
            Self::FloorResp => "floor-resp",
            Self::Cores => "floor-cores",
            Self::Redis => "redis",
            Self::Threads => "threads",
            Self::Tarpc => "tarpc",
            Self::Zbus => "zbus",
            Self::Dockipc => "dockipc",
            Self::Async => "dockipc-async",
            Self::Client => "dockipc-client",
            Self::Line => "dockipc-line",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Floor => "blocking floor",
            Self::Epoll => "epoll floor",
            Self::FloorResp => "RESP floor",
            Self::Cores => "RESP floor on all CPUs",
            Self::Redis => "Redis",
            Self::Threads => "thread per connection",
            Self::Tarpc => "tarpc",
            Self::Zbus => "zbus",
            Self::Dockipc => "dockipc",
            Self::Async => "dockipc, async fn",
            Self::Client => "dockipc + its client",
            Self::Line => "dockipc, a line",
        }
    }

    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Dockipc | Self::Async | Self::Client | Self::Line)
    }

    pub(crate) fn is_installed(self) -> bool {
        self != Self::Redis || redis::is_installed()
    }

    /// Returns whether the peer supports a workload.
    pub(crate) fn does(self, work: Work) -> bool {
        match work {
            _ if self == Self::Cores => matches!(work, Work::Compute(_)),
            Work::One1p | Work::One8 => self != Self::Async,
            Work::Rtt16p | Work::Rtt16i | Work::Conc50 => self != Self::Line,
            Work::Ep50 | Work::Ep50p16 => {
                matches!(self, Self::FloorResp | Self::Redis | Self::Dockipc)
            }
            // A client's memory says nothing about the server's.
            Work::Idle => !matches!(self, Self::Line | Self::Client | Self::Async),
            Work::Library => self == Self::Client,
            Work::Out | Work::In => matches!(self, Self::Threads | Self::Client | Self::Line),
            Work::Events => matches!(self, Self::Redis | Self::Dockipc),
            Work::Rows => matches!(self, Self::Redis | Self::Dockipc),
            Work::Pipe16 => {
                matches!(
                    self,
                    Self::FloorResp | Self::Redis | Self::Threads | Self::Dockipc | Self::Client
                )
            }
            Work::Blocked | Work::Mixed | Work::Beside | Work::Big | Work::Sips => {
                matches!(self, Self::Threads | Self::Dockipc)
            }
            Work::Compute(_) => matches!(self, Self::Threads | Self::Tarpc | Self::Dockipc),
        }
    }

    /// Returns the command that echoes its word. For dockipc it is an author's command, not the built-in
    /// `echo`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Async => "copy-async",
            Self::Dockipc | Self::Client | Self::Line => "copy",
            _ => "echo",
        }
    }

    pub(crate) fn serve(self, socket: &Path) -> Res<()> {
        match self {
            Self::Floor => floor::serve(socket),
            Self::Epoll => epoll::serve(socket, epoll::frames),
            Self::FloorResp => epoll::serve(socket, resp::echoes),
            Self::Cores => cores::serve(socket, threads::answers),
            Self::Redis => redis::serve(socket),
            Self::Threads => threads::serve(socket),
            Self::Tarpc => tasks::threads()?.block_on(tarpc::serve(socket)),
            Self::Zbus => tasks::threads()?.block_on(zbus::serve(socket)),
            Self::Dockipc | Self::Client | Self::Line => Ok(daemon().run(socket)?),
            Self::Async => Ok(tasks::threads()?.block_on(daemon().serve(socket))?),
        }
    }

    /// Returns a client that sends the workload's batch of echo commands over RESP.
    fn echo(self, job: &Job) -> Raw {
        let request = resp::command(&[self.word(), PAYLOAD]);
        let batch = job.work.pipeline();
        Raw::new(&job.socket, request.repeat(batch), resp::bulk(PAYLOAD).repeat(batch))
    }

    pub(crate) fn bench(self, job: &Arc<Job>) -> Res<Figures> {
        match (self, job.work) {
            (_, Work::Blocked) => stalls::blocked(job),
            (_, Work::Mixed) => stalls::mixed(job),
            (_, Work::Big) => big::one(job),
            (_, Work::Sips) => big::sips(job),
            (_, Work::Out | Work::In) => copy::bench(job),
            (_, Work::Events) => events::bench(job),
            (_, Work::Library) => library::bench(job),
            (_, Work::Rows) => rows::bench(job),
            (_, Work::Beside) => stalls::beside(job),
            (Self::Floor | Self::Epoll, _) => blocking::bench(job, || {
                let frame = floor::frame(PAYLOAD.as_bytes());
                Raw::new(&job.socket, frame.clone(), frame)
            }),
            (Self::Cores | Self::Threads | Self::Dockipc, Work::Compute(load)) => {
                blocking::bench(job, || {
                    let us = load.us.to_string();
                    let answer = format!(":{us}\r\n").into();
                    Raw::new(&job.socket, resp::command(&["work", &us]), answer)
                })
            }
            (_, Work::Ep50 | Work::Ep50p16) => ready::bench(job, || self.echo(job)),
            (
                Self::FloorResp
                | Self::Cores
                | Self::Redis
                | Self::Threads
                | Self::Dockipc
                | Self::Async,
                _,
            ) => blocking::bench(job, || self.echo(job)),
            (Self::Line, _) => blocking::bench(job, || {
                let line = format!("{} {PAYLOAD}\n", self.word());
                Raw::to_end(&job.socket, line.into(), PAYLOAD.into())
            }),
            (Self::Client, _) => blocking::bench(job, || Caller::new(job)),
            (Self::Tarpc, _) => tasks::bench::<tarpc::Caller>(job, false),
            (Self::Zbus, _) => tasks::bench::<zbus::Caller>(job, true),
        }
    }
}
