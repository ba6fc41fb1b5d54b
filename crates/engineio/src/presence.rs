//! What brings streams without HTTP, as the end of the server sees it: a listener that no
//! [`Listener`](crate::Listener) is, and its connections.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::shutdown::{Phase, ShutdownGuard};
use crate::limits::Limit;
use crate::limits::addresses::PeerPermit;

/// Something that the end of the server waits for: a listener of another crate, or one of its
/// connections. It is to be dropped when it has come to its end; [`Server::close`] resolves no
/// earlier, but for what is [cut off](crate::Closing::within).
///
/// [`Server::close`]: crate::Server::close
pub struct Presence {
    guard: ShutdownGuard,
    /// The place of a connection among those of its address.
    place: Option<PeerPermit>,
}

impl Presence {
    pub(crate) fn of_listener(engine: &Arc<Engine>) -> Self {
        Self { guard: ShutdownGuard::new(&engine.shutdown), place: None }
    }

    pub(crate) fn of_connection(engine: &Arc<Engine>, peer: SocketAddr) -> Option<Self> {
        match engine.connection_of(peer) {
            Ok(place) => Some(Self { guard: ShutdownGuard::new(&engine.shutdown), place }),
            Err(()) => {
                engine.counters.limited(Limit::AddressConnections);
                None
            }
        }
    }

    /// The connection carries a session now, and does not count any more among those of its address
    /// that [do not](crate::Options::max_connections_per_address).
    pub fn carries_session(&mut self) {
        self.place = None;
    }

    /// Resolves when the server is closed: nothing new is to be accepted. Cancel safe.
    pub async fn closing(&mut self) {
        self.reaches(Phase::Linger).await;
    }

    /// Resolves when all sessions were closed or fetched by their clients: what is left has no
    /// session, and is to end. Cancel safe.
    pub async fn finishing(&mut self) {
        self.reaches(Phase::Finish).await;
    }

    /// Resolves when the time of [`Closing::within`](crate::Closing::within) is over: what is left is
    /// to end at once. Cancel safe.
    pub async fn cut_off(&mut self) {
        self.reaches(Phase::Abort).await;
    }

    async fn reaches(&mut self, phase: Phase) {
        // the sender lives as long as the guard
        let _ = self.guard.phase().wait_for(|now| *now >= phase).await;
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").finish_non_exhaustive()
    }
}
