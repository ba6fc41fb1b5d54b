//! How a socket leaves when the server closes: its handlers are told long before others cease to
//! reach it.

use std::sync::atomic::Ordering;

use super::Socket;

/// The steps by which a socket leaves when the server closes. Its handlers believe that it left, but
/// what those of others send still reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leaving {
    /// It is disconnected, and still in its rooms.
    Disconnecting = 1,
    /// It is in no room.
    Left,
}

impl Socket {
    pub(crate) fn leave_by_steps(&self, step: Leaving) {
        self.0.leaving.store(step as u8, Ordering::Relaxed);
    }
}
