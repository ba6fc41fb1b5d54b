//! How far our own listeners and their connections are with the end of the server, and who waits for
//! theirs.

use std::sync::Arc;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};

/// What our own listeners and their connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Run,
    /// Listeners are gone; connections go on until each session has ended, or has been fetched what
    /// waits for its next poll.
    Linger,
    /// Connections end after the request that they serve.
    Finish,
    /// Connections end at once.
    Abort,
}

/// The phase of a server, and the ends that it waits for.
#[derive(Debug)]
pub(crate) struct Shutdown {
    phase: watch::Sender<Phase>,
    /// Told when the last session or the last connection of our own listeners ended.
    ended: Notify,
}

impl Shutdown {
    pub(super) fn new() -> Self {
        Self { phase: watch::Sender::new(Phase::Run), ended: Notify::new() }
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Goes on to a later phase.
    pub(super) fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let is_later = to > *phase;
            *phase = to.max(*phase);
            is_later
        });
    }

    /// Whether a listener or a connection of ours is left.
    pub(super) fn is_waiting(&self) -> bool {
        self.phase.receiver_count() > 0
    }

    /// Something ended.
    pub(super) fn notify(&self) {
        self.ended.notify_waiters();
    }

    /// The next end.
    pub(super) fn next_end(&self) -> Notified<'_> {
        self.ended.notified()
    }
}

/// A listener or a connection of ours, which the end of the server waits for.
pub(crate) struct ShutdownGuard {
    shutdown: Arc<Shutdown>,
    phase: Option<watch::Receiver<Phase>>,
}

impl ShutdownGuard {
    pub(crate) fn new(shutdown: &Arc<Shutdown>) -> Self {
        Self { shutdown: Arc::clone(shutdown), phase: Some(shutdown.phase.subscribe()) }
    }

    pub(crate) fn phase(&mut self) -> &mut watch::Receiver<Phase> {
        self.phase.as_mut().expect("taken when dropped only")
    }
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.phase = None;
        self.shutdown.notify();
    }
}
