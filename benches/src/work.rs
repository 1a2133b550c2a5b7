//! The workloads.

use crate::Res;
use crate::peers::Peer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Rtt16p,
    Rtt16i,
    Conc50,
    Pipe16,
    Ep50,
    Ep50p16,
    One1p,
    One8,
    Idle,
    Blocked,
    Mixed,
    Big,
    Sips,
    Out,
    In,
    Events,
    Rows,
    Library,
    Compute(&'static Compute),
    Beside,
}

/// Commands that compute, on connections with one call in flight each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compute {
    name: &'static str,
    title: &'static str,
    /// The CPU time of a command, in microseconds.
    pub(crate) us: u64,
    connections: usize,
}

impl Compute {
    const fn new(name: &'static str, title: &'static str, us: u64, connections: usize) -> Self {
        Self { name, title, us, connections }
    }
}

const COMPUTE: &[Compute] = &[
    Compute::new("work20", "8 connections, commands that compute for 20 µs", 20, 8),
    Compute::new("work20c50", "50 connections, commands that compute for 20 µs", 20, 50),
    Compute::new("work100", "8 connections, commands that compute for 100 µs", 100, 8),
    Compute::new("work100c50", "50 connections, commands that compute for 100 µs", 100, 50),
    Compute::new("work300", "8 connections, commands that compute for 300 µs", 300, 8),
    Compute::new("work300c50", "50 connections, commands that compute for 300 µs", 300, 50),
];

/// A figure of a workload.
pub(crate) struct Figure {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// Whether more is better.
    pub(crate) is_rate: bool,
}

const fn less(key: &'static str, title: &'static str) -> Figure {
    Figure { key, title, is_rate: false }
}

const fn more(key: &'static str, title: &'static str) -> Figure {
    Figure { key, title, is_rate: true }
}

/// The number of idle connections beside the measured one in `rtt16i`.
pub(crate) const BESIDE: usize = 2_000;
/// The number of handlers that block at a time in `blocked`, and of subscribers in `events`.
pub(crate) const BLOCKED: usize = 1_000;

impl Work {
    pub(crate) const ALL: &[Self] = &[
        Self::Rtt16p,
        Self::Rtt16i,
        Self::Conc50,
        Self::Pipe16,
        Self::Ep50,
        Self::Ep50p16,
        Self::One1p,
        Self::One8,
        Self::Idle,
        Self::Blocked,
        Self::Mixed,
        Self::Big,
        Self::Sips,
        Self::Out,
        Self::In,
        Self::Events,
        Self::Rows,
        Self::Library,
        Self::Compute(&COMPUTE[0]),
        Self::Compute(&COMPUTE[1]),
        Self::Compute(&COMPUTE[2]),
        Self::Compute(&COMPUTE[3]),
        Self::Compute(&COMPUTE[4]),
        Self::Compute(&COMPUTE[5]),
        Self::Beside,
    ];

    pub(crate) fn named(name: &str) -> Res<Self> {
        let found = Self::ALL.iter().find(|work| work.name() == name);
        found
            .copied()
            .ok_or_else(|| format!("no workload {name}; there are {}", Self::names()).into())
    }

    pub(crate) fn names() -> String {
        Self::ALL.iter().map(|work| work.name()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rtt16p => "rtt16p",
            Self::Rtt16i => "rtt16i",
            Self::Conc50 => "conc50",
            Self::Pipe16 => "pipe16",
            Self::Ep50 => "ep50",
            Self::Ep50p16 => "ep50p16",
            Self::One1p => "one1p",
            Self::One8 => "one8",
            Self::Idle => "idle",
            Self::Blocked => "blocked",
            Self::Mixed => "mixed",
            Self::Big => "big",
            Self::Sips => "sips",
            Self::Out => "out",
            Self::In => "in",
            Self::Events => "events",
            Self::Rows => "rows",
            Self::Library => "library",
            Self::Compute(load) => load.name,
            Self::Beside => "beside",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Rtt16p => "round trip, 16 bytes, one CPU",
            Self::Rtt16i => "round trip beside 2,000 idle connections, one CPU",
            Self::Conc50 => "50 connections, one call in flight each",
            Self::Pipe16 => "50 connections, 16 calls in flight each",
            Self::Ep50 => "50 connections, one call in flight each, a client of one thread",
            Self::Ep50p16 => "50 connections, 16 calls in flight each, a client of one thread",
            Self::One1p => "connect, one call, close; one caller, one CPU",
            Self::One8 => "connect, one call, close; 8 callers",
            Self::Idle => "10,000 idle connections",
            Self::Blocked => "ping beside 1,000 blocked handlers",
            Self::Mixed => "49 quick connections beside one that computes",
            Self::Big => "an answer of 1 GiB, read 1 MiB at a time",
            Self::Sips => "ping beside 100 answers of 100 MiB, read 1 KiB at a time",
            Self::Out => "a stream of 1 GiB in items of 64 KiB",
            Self::In => "a body of 1 GiB",
            Self::Events => "10,000 events for 1,000 subscribers, one of which never reads",
            Self::Rows => "a list of 1,000,000 strings of 10 bytes",
            Self::Library => "our client beside a loop without a library, one CPU",
            Self::Compute(load) => load.title,
            Self::Beside => "a quick command beside 7 connections that compute for 300 µs",
        }
    }

    /// Returns the figures, the main one first.
    pub(crate) fn figures(self) -> &'static [Figure] {
        const TRIP: &[Figure] = &[
            less("p50_us", "p50, µs"),
            less("p99_us", "p99, µs"),
            less("server_us", "server CPU, µs a call"),
        ];
        const RATE: &[Figure] = &[
            more("calls_s", "calls/s"),
            less("p99_us", "p99, µs"),
            less("server_us", "server CPU, µs a call"),
        ];
        const IDLE: &[Figure] = &[
            less("kib_each", "resident memory, KiB each"),
            less("threads_more", "threads more than with none"),
        ];
        const BLOCKED: &[Figure] = &[
            less("p99_us", "p99 from the first block on, µs"),
            less("middle_p99_us", "p99 while all block, µs"),
            less("max_us", "longest, µs"),
            more("answered", "of 1,000 answered"),
            less("threads_left", "threads more than before"),
        ];
        const MIXED: &[Figure] = &[less("p99_us", "p99, µs"), less("p50_us", "p50, µs")];
        const BIG: &[Figure] = &[more("gb_s", "GB/s"), less("server_ms", "server CPU, ms a GB")];
        const SIPS: &[Figure] = &[
            less("p99_us", "p99, µs"),
            less("alone_p99_us", "p99 without the readers, µs"),
            more("gb_s", "GB/s"),
        ];
        const COPY: &[Figure] = &[
            more("gb_s", "GB/s"),
            less("server_kib", "server, most resident memory, KiB"),
            less("client_kib", "client, most resident memory, KiB"),
            less("server_ms", "server CPU, ms a GB"),
        ];
        const EVENTS: &[Figure] = &[
            more("events_s", "events/s of all subscribers"),
            less("p50_us", "100 calls of the publisher, p50, µs"),
            less("max_us", "100 calls of the publisher, longest, µs"),
            less("kib_more", "server, resident memory more than before, KiB"),
            less("server_ns", "server CPU, ns an event and subscriber"),
        ];
        const ROWS: &[Figure] = &[
            less("server_ms", "server CPU, ms a list"),
            less("encode_ms", "of that, all but the author's function"),
            more("lists_s", "lists/s"),
        ];
        const LIBRARY: &[Figure] = &[
            less("trip", "round trip ÷ the loop's"),
            more("rate", "rate of pipelines of 16 ÷ the loop's"),
            less("ours_us", "round trip, µs"),
            less("bare_us", "the loop's, µs"),
        ];
        match self {
            Self::Rows => ROWS,
            Self::Library => LIBRARY,
            Self::Rtt16p | Self::Rtt16i => TRIP,
            Self::Conc50
            | Self::Pipe16
            | Self::Ep50
            | Self::Ep50p16
            | Self::One1p
            | Self::One8
            | Self::Compute(_) => RATE,
            Self::Idle => IDLE,
            Self::Blocked => BLOCKED,
            Self::Mixed | Self::Beside => MIXED,
            Self::Big => BIG,
            Self::Sips => SIPS,
            Self::Out | Self::In => COPY,
            Self::Events => EVENTS,
        }
    }

    /// Returns whether server and client share one CPU. On two CPUs a round trip measures how fast an idle
    /// CPU wakes up.
    pub(crate) fn is_pinned(self) -> bool {
        matches!(self, Self::Rtt16p | Self::Rtt16i | Self::One1p | Self::Library)
    }

    /// Returns the peer that ratios compare with. A thread per connection is not a lower bound where many
    /// connections are served or accepted.
    pub(crate) fn floor(self) -> Peer {
        match self {
            Self::Rtt16p | Self::Rtt16i | Self::Idle => Peer::Floor,
            Self::Ep50 | Self::Ep50p16 => Peer::FloorResp,
            // No other floor shares work or sends long answers.
            Self::Compute(_) | Self::Beside | Self::Big | Self::Sips | Self::Out | Self::In => {
                Peer::Threads
            }
            _ => Peer::Epoll,
        }
    }

    pub(crate) fn connections(self) -> usize {
        match self {
            Self::Rtt16p
            | Self::Rtt16i
            | Self::One1p
            | Self::Big
            | Self::Out
            | Self::In
            | Self::Rows
            | Self::Library => 1,
            Self::One8 | Self::Beside => 8,
            Self::Sips => 100,
            Self::Compute(load) => load.connections,
            Self::Conc50 | Self::Pipe16 | Self::Ep50 | Self::Ep50p16 | Self::Mixed => 50,
            Self::Idle => 10_000,
            Self::Blocked | Self::Events => BLOCKED,
        }
    }

    pub(crate) fn pipeline(self) -> usize {
        if matches!(self, Self::Pipe16 | Self::Ep50p16) { 16 } else { 1 }
    }

    /// Returns the number of timed calls; for `mixed`, `beside` and `sips`, the duration in milliseconds.
    pub(crate) fn calls(self, quick: bool) -> usize {
        let calls = match self {
            Self::Rtt16p | Self::Rtt16i => 50_000,
            Self::Conc50 | Self::Library => 200_000,
            Self::Ep50 => 500_000,
            Self::Pipe16 => 800_000,
            Self::Ep50p16 => 4_000_000,
            Self::One1p | Self::One8 => 20_000,
            Self::Mixed | Self::Beside | Self::Sips | Self::Events => 10_000,
            Self::Rows => 20,
            Self::Big | Self::Out | Self::In => return if quick { 1 } else { 5 },
            // About three seconds of CPU time.
            Self::Compute(load) => 3_000_000 / load.us as usize,
            Self::Idle | Self::Blocked => return self.connections(),
        };
        if quick { calls / 10 } else { calls }
    }
}
