//! How many connections our own listeners have, and how many they may have.
//!
//! A connection has its permit from the moment it is accepted until its stream is closed: while it
//! is idle, in the middle of a head, between two requests, and as a WebSocket. So no other bound
//! (sessions, the time for a head) needs to hold for the process to have file descriptors left.
//! One too many is told so, which takes a permit of its own for a moment; of these there are few,
//! and who finds none is dropped without a word.
//!
//! Beside them: how many requests and WebSockets are passed on between nodes, each way. One that comes
//! from another node has its mark in the permit of its connection, so that it holds nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The connections of one engine's listeners.
#[derive(Debug)]
pub(crate) struct Connections {
    max: usize,
    served: AtomicUsize,
    refused: AtomicUsize,
    /// How many may be passed on in each direction.
    max_relayed: AtomicUsize,
    relayed_in: AtomicUsize,
    relayed_out: AtomicUsize,
}

/// A connection's permit; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    connections: Arc<Connections>,
    kind: Kind,
}

/// What a permit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A connection.
    Served,
    /// A connection that is told to be one too many.
    Refused,
    /// A request or a WebSocket that another node passes on to this one.
    RelayedIn,
    /// One that this node passes on.
    RelayedOut,
    /// A connection that is a WebSocket which another node passes on to this one.
    ServedAndRelayedIn,
    /// What became part of another one.
    Joined,
}

/// Connections that are told at one time that they are too many.
const MAX_REFUSED: usize = 16;

impl Connections {
    /// At most `max`, or what the process has descriptors for.
    pub(crate) fn new(max: Option<usize>) -> Self {
        let max = max.or_else(|| descriptors().map(but_some));
        let max = max.unwrap_or(usize::MAX);
        Self {
            max,
            served: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            max_relayed: AtomicUsize::new((max / 2).max(1)),
            relayed_in: AtomicUsize::new(0),
            relayed_out: AtomicUsize::new(0),
        }
    }

    /// Bounds what is passed on in each direction (half of the connections).
    pub(crate) fn set_max_relayed(&self, max: usize) {
        self.max_relayed.store(max, Relaxed);
    }

    /// A permit for one that another node passes on to this one. `None`: there are too many.
    pub(crate) fn relay_in(self: &Arc<Self>) -> Option<ConnectionPermit> {
        take(&self.relayed_in, self.max_relayed.load(Relaxed)).then(|| self.permit(Kind::RelayedIn))
    }

    /// A permit for one that this node passes on. `None`: there are too many.
    pub(crate) fn relay_out(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let has_room = take(&self.relayed_out, self.max_relayed.load(Relaxed));
        has_room.then(|| self.permit(Kind::RelayedOut))
    }

    /// How many are passed on now, to this node and by it.
    pub(crate) fn relayed(&self) -> (usize, usize) {
        (self.relayed_in.load(Relaxed), self.relayed_out.load(Relaxed))
    }

    fn permit(self: &Arc<Self>, kind: Kind) -> ConnectionPermit {
        ConnectionPermit { connections: Arc::clone(self), kind }
    }

    /// A permit for a connection: to be served, if it `may`, or to be told that it is not. `None`:
    /// neither.
    pub(crate) fn acquire(self: &Arc<Self>, may: bool) -> Option<ConnectionPermit> {
        let kind = if may && take(&self.served, self.max) { Kind::Served } else { Kind::Refused };
        let has_permit = kind == Kind::Served || take(&self.refused, MAX_REFUSED);
        has_permit.then(|| self.permit(kind))
    }

    /// How many are served.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Relaxed)
    }
}

impl ConnectionPermit {
    /// Whether the connection is to be served.
    pub(crate) fn is_served(&self) -> bool {
        self.kind == Kind::Served
    }

    /// Joins that of a WebSocket which another node passes on and that of its connection. One is given
    /// back if they are not these.
    pub(crate) fn join(&mut self, mut relayed: Self) -> Option<Self> {
        if (self.kind, relayed.kind) != (Kind::Served, Kind::RelayedIn) {
            return Some(relayed);
        }
        self.kind = Kind::ServedAndRelayedIn;
        relayed.kind = Kind::Joined;
        None
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Connections { served, refused, relayed_in, relayed_out, .. } = &*self.connections;
        let counters: &[_] = match self.kind {
            Kind::Served => &[served],
            Kind::Refused => &[refused],
            Kind::RelayedIn => &[relayed_in],
            Kind::RelayedOut => &[relayed_out],
            Kind::ServedAndRelayedIn => &[served, relayed_in],
            Kind::Joined => &[],
        };
        for counter in counters {
            counter.fetch_sub(1, Relaxed);
        }
    }
}

/// Adds one, unless there are that many.
fn take(counter: &AtomicUsize, max: usize) -> bool {
    counter.fetch_update(Relaxed, Relaxed, |count| (count < max).then_some(count + 1)).is_ok()
}

/// What is left to the rest of the process, of its descriptors: files, databases, the runtime.
fn but_some(descriptors: usize) -> usize {
    descriptors.saturating_sub((descriptors / 16).clamp(32, 64)).max(1)
}

/// How many file descriptors the process may have, if the system tells.
fn descriptors() -> Option<usize> {
    #[cfg(unix)]
    return usize::try_from(rlimit::Resource::NOFILE.get_soft().ok()?).ok();
    #[cfg(not(unix))]
    return None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_descriptors_are_for() {
        for (descriptors, connections) in
            [(1_048_576, 1_048_512), (1024, 960), (256, 224), (100, 68), (33, 1), (1, 1)]
        {
            assert_eq!(but_some(descriptors), connections);
        }
        assert_eq!(Connections::new(Some(7)).max, 7);
        assert!(!cfg!(target_os = "linux") || Connections::new(None).max < usize::MAX);
    }

    #[test]
    fn places_are_free_again() {
        let connections = Arc::new(Connections::new(Some(2)));
        let mut all: Vec<_> =
            (0..2 + MAX_REFUSED).map(|_| connections.acquire(true).unwrap()).collect();
        assert!(connections.acquire(true).is_none());
        assert_eq!(all.iter().filter(|permit| permit.is_served()).count(), 2);
        assert_eq!(connections.served(), 2);
        drop(all.pop());
        assert!(!connections.acquire(true).unwrap().is_served());
        drop(all.swap_remove(0));
        assert!(connections.acquire(true).unwrap().is_served());
        drop(all);
        assert_eq!((connections.served(), connections.refused.load(Relaxed)), (0, 0));
    }

    #[test]
    fn what_is_passed_on_is_bounded_by_itself() {
        let connections = Arc::new(Connections::new(Some(9)));
        let all: Vec<_> = (0..4).map(|_| connections.relay_out().unwrap()).collect();
        assert!(connections.relay_out().is_none(), "half of nine");
        connections.set_max_relayed(1);
        let mut connection = connections.acquire(true).unwrap();
        let one_more = connection.join(connections.relay_in().unwrap());
        assert!(one_more.is_none() && connections.relay_in().is_none());
        assert_eq!((connections.relayed(), connections.served()), ((1, 4), 1));
        drop(connection);
        assert_eq!((connections.relayed(), connections.served()), ((0, 4), 0));
        let mut outwards = connections.acquire(true).unwrap();
        drop(all);
        assert!(outwards.join(connections.relay_out().unwrap()).is_some());
        assert_eq!(connections.relayed(), (0, 0));
    }
}
