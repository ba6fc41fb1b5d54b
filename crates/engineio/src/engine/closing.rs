//! What becomes of the sessions of a server that is closed or drained. Who asks for it, and waits, is
//! in [`crate::close`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use engineio_proto::CloseReason;
use engineio_proto::guard::lock;
use tokio::runtime::Handle;

use crate::engine::Engine;
use crate::engine::shutdown::Phase;
use crate::limits::Limit;
use crate::session::parting::Told;
use crate::session::socket::Socket;

impl Engine {
    /// Takes no new sessions and connections; the sessions that are to be told. None, if it was
    /// closed before.
    pub(crate) fn begin_closing(&self, told: &Arc<Told>) -> Vec<Socket> {
        if self.told.set(Arc::clone(told)).is_err() {
            return Vec::new();
        }
        self.closing.store(true, Ordering::Release);
        self.shutdown.advance(Phase::Linger);
        let listeners = std::mem::take(&mut *lock(&self.listeners));
        listeners.into_iter().for_each(|stop| stop());
        // The mark was set before: who is not in the table now will not come into it.
        let sessions = self.open_sessions();
        if sessions.is_empty() {
            self.shutdown.advance(Phase::Finish);
        }
        self.shutdown.notify();
        sessions
    }

    /// Takes leave of the nodes that have what this one passes on, if there are any.
    pub(crate) fn leave_nodes(self: &Arc<Self>) {
        let (Some(nodes), Ok(runtime)) = (self.nodes(), Handle::try_current()) else { return };
        let engine = Arc::downgrade(self);
        runtime.spawn(Arc::clone(nodes).leave(move || {
            let engine = engine.upgrade()?;
            let phase = engine.shutdown.phase();
            (phase < Phase::Abort).then_some(phase < Phase::Finish)
        }));
    }

    /// Ends the sessions that requests find.
    pub(crate) fn close_sessions(&self) {
        for session in self.open_sessions() {
            session.close_with(CloseReason::ServerShuttingDown);
        }
    }

    /// When all sessions are closed, if they were told of it and are not yet.
    pub(crate) fn parts_by(&self) -> Option<Instant> {
        self.told.get().and_then(|told| told.due())
    }

    /// Closes all sessions if the time of those that were told is over.
    pub(crate) fn part_in_time(&self, now: Instant) {
        if self.is_closing() && self.told.get().is_some_and(|told| told.close_in_time(now)) {
            self.counters.limited(Limit::LeaveTimeout);
        }
    }

    /// Ends what is left of sessions and of our own connections at once.
    pub(crate) fn cut_off(&self) {
        self.shutdown.advance(Phase::Abort);
        if let Some(told) = self.told.get() {
            told.close();
        }
        self.all_sessions().iter().for_each(Socket::cut_off);
    }
}
