//! How a socket leaves: when the server closes, its handlers are told long before others cease to
//! reach it; and what they change is kept, if its client may come back.

use std::sync::atomic::Ordering;

use super::Socket;

/// The steps by which a socket leaves. When the server closes its handlers believe that it left, but
/// what those of others send still reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leaving {
    /// It is disconnected, and still in its rooms.
    Disconnecting = 1,
    /// It is in no room.
    Left,
    /// It is disconnected, but its rooms may change: its client may come back to them.
    Saving,
}

impl Socket {
    /// Whether the rooms of the adapter's socket of this id are those of this one.
    pub(super) fn has_rooms(&self) -> bool {
        let leaving = self.0.leaving.load(Ordering::Relaxed);
        self.is_connected() || leaving == Leaving::Saving as u8
    }

    pub(crate) fn leave_by_steps(&self, step: Leaving) {
        self.0.leaving.store(step as u8, Ordering::Relaxed);
    }
}
