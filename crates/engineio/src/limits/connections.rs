//! How many connections our own listeners have, and how many they may have.
//!
//! A connection has its permit from the moment it is accepted until its stream is closed: while it
//! is idle, in the middle of a head, between two requests, and as a WebSocket. So no other bound
//! (sessions, the time for a head) needs to hold for the process to have file descriptors left.
//! One too many is told so, which takes a permit of its own for a moment; of these there are few,
//! and who finds none is dropped without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The connections of one engine's listeners.
#[derive(Debug)]
pub(crate) struct Connections {
    max: usize,
    served: AtomicUsize,
    refused: AtomicUsize,
}

/// A connection's permit; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    connections: Arc<Connections>,
    is_served: bool,
}

/// Connections that are told at one time that they are too many.
const MAX_REFUSED: usize = 16;

impl Connections {
    /// At most `max`, or what the process has descriptors for.
    pub(crate) fn new(max: Option<usize>) -> Self {
        let max = max.or_else(|| descriptors().map(but_some));
        let max = max.unwrap_or(usize::MAX);
        Self { max, served: AtomicUsize::new(0), refused: AtomicUsize::new(0) }
    }

    /// A permit for a connection: to be served, if it `may`, or to be told that it is not. `None`:
    /// neither.
    pub(crate) fn acquire(self: &Arc<Self>, may: bool) -> Option<ConnectionPermit> {
        let is_served = may && take(&self.served, self.max);
        let has_permit = is_served || take(&self.refused, MAX_REFUSED);
        has_permit.then(|| ConnectionPermit { connections: Arc::clone(self), is_served })
    }

    /// How many are served.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Relaxed)
    }
}

impl ConnectionPermit {
    /// Whether the connection is to be served.
    pub(crate) fn is_served(&self) -> bool {
        self.is_served
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Connections { served, refused, .. } = &*self.connections;
        let counter = if self.is_served { served } else { refused };
        counter.fetch_sub(1, Relaxed);
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
}
