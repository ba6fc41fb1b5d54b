//! What the server counts: relaxed atomics, and what a snapshot of them says.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use socketio_adapter::NotRecovered;

use crate::reason::DisconnectReason;
use crate::recovery::Recovery;

/// A snapshot of what the server counts.
///
/// Numbers of things that exist now go up and down; those of events count since the start. Each
/// number is exact, but they are not read at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Those of the engine, or the sum over all engines.
    pub engine: engineio::Stats,
    /// How often each limit acted, those of the engine first.
    pub limits: engineio::LimitCounts,
    /// Namespaces that exist now.
    pub namespaces: usize,
    /// Connected sockets of all namespaces now.
    pub sockets: usize,
    /// Rooms that somebody is in now, of all namespaces; own-id rooms are not counted.
    pub rooms: usize,
    /// Acknowledgements that clients owe now.
    pub pending_acks: usize,
    /// Handlers that go on now after their connections ended.
    pub detached_handlers: usize,
    /// Bytes that these keep, an estimate.
    pub detached_bytes: usize,
    /// Handlers of ended connections that were dropped, as too many went on or kept too much.
    pub dropped_handlers: u64,
    /// Panics of handlers and middleware, each of which ended its connection.
    pub handler_panics: u64,
    /// Sockets that joined a namespace.
    pub connected: u64,
    /// Sockets that left, by the reason that the `disconnect` event carries. All reasons are listed.
    pub disconnected: Vec<(&'static str, u64)>,
    /// Sockets that were refused: by middleware, for a namespace that there is not, or for a limit.
    pub connect_errors: u64,
    /// Connections ended for a packet that could not be read, or that broke a limit.
    pub invalid_packets: u64,
    /// Sockets of namespaces with [recovery](crate::guide::recovery), by how it went: `recovered`, or why
    /// the client's session did not go on. All outcomes are listed.
    pub recoveries: Vec<(&'static str, u64)>,
    /// Events that were sent again to clients that came back.
    pub recovered_events: u64,
    /// Events that are [handled once](crate::events::Dedupe), by what became of each that came: `handled`,
    /// `waited` (for the end of another), `answered` (what another was) or `refused`. What waited is
    /// counted again for what came of it.
    pub repeated_events: Vec<(&'static str, u64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) dropped_handlers: AtomicU64,
    pub(crate) handler_panics: AtomicU64,
    pub(crate) connected: AtomicU64,
    disconnected: [AtomicU64; REASONS.len()],
    pub(crate) connect_errors: AtomicU64,
    pub(crate) invalid_packets: AtomicU64,
    recoveries: [AtomicU64; OUTCOMES.len()],
    recovered_events: AtomicU64,
    repeated_events: [AtomicU64; REPEATED.len()],
}

/// What became of an event that is handled once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repeated {
    Handled,
    Waited,
    Answered,
    Refused,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn disconnected(&self, reason: DisconnectReason) {
        if let Some(at) = REASONS.iter().position(|r| *r == reason.as_str()) {
            Self::add(&self.disconnected[at]);
        }
    }

    /// A client was let in, with recovery.
    pub(crate) fn recovery(&self, outcome: Recovery) {
        let missed = match outcome {
            Recovery::Recovered { missed } => missed as u64,
            Recovery::NotRecovered(_) => 0,
        };
        if let Some(at) = OUTCOMES.iter().position(|(_, known)| *known == outcome.why()) {
            Self::add(&self.recoveries[at]);
        }
        self.recovered_events.fetch_add(missed, Relaxed);
    }

    /// An event came that is handled once.
    pub(crate) fn repeated(&self, became: Repeated) {
        Self::add(&self.repeated_events[became as usize]);
    }

    /// Without what is looked up elsewhere.
    pub(crate) fn snapshot(&self, engine: engineio::Stats) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        Stats {
            engine,
            dropped_handlers: load(&self.dropped_handlers),
            handler_panics: load(&self.handler_panics),
            connected: load(&self.connected),
            disconnected: REASONS.into_iter().zip(self.disconnected.iter().map(load)).collect(),
            connect_errors: load(&self.connect_errors),
            invalid_packets: load(&self.invalid_packets),
            recoveries: OUTCOMES
                .map(|(name, _)| name)
                .into_iter()
                .zip(self.recoveries.iter().map(load))
                .collect(),
            recovered_events: load(&self.recovered_events),
            repeated_events: REPEATED
                .into_iter()
                .zip(self.repeated_events.iter().map(load))
                .collect(),
            ..Stats::default()
        }
    }
}

// Node: disconnect reasons
const REASONS: [&str; 9] = [
    "transport error",
    "transport close",
    "ping timeout",
    "parse error",
    "forced close",
    "forced server close",
    "server shutting down",
    "client namespace disconnect",
    "server namespace disconnect",
];

/// How recovery goes; `None`: the session goes on.
const OUTCOMES: [(&str, Option<NotRecovered>); 8] = [
    ("recovered", None),
    ("no pid", Some(NotRecovered::NoPid)),
    ("unknown session", Some(NotRecovered::UnknownSession)),
    ("expired", Some(NotRecovered::Expired)),
    ("evicted", Some(NotRecovered::Evicted)),
    ("identity", Some(NotRecovered::Identity)),
    ("unsupported", Some(NotRecovered::Unsupported)),
    ("busy", Some(NotRecovered::Busy)),
];

/// In the order of [`Repeated`].
const REPEATED: [&str; 4] = ["handled", "waited", "answered", "refused"];
