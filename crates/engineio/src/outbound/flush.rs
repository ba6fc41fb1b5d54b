//! What pushes and flushes leave to their callers.

use tokio::runtime::Handle;

/// What the caller of a push has to see to. Of two pushes the greater covers both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FlushAction {
    Nothing,
    /// Put the session into the turn's list.
    List,
    /// Flush at once.
    Flush,
    /// Wake the driver.
    Wake,
}

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Flushed {
    pub(crate) state: WriteState,
    /// The driver must go on: the socket is full or broken, or only the driver can write.
    pub(crate) needs_driver: bool,
    /// Packets that were written; control frames of the WebSocket are none.
    pub(crate) packets: usize,
}

/// The state of the way to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteState {
    /// Nothing waits.
    Idle,
    /// Something waits, or is being written.
    Busy,
    /// The socket takes no more for now.
    Blocked,
    /// The socket is broken.
    Broken,
}

/// Something that writes what waits for it: a session's handle.
pub(crate) trait Flush: Send + Sync {
    /// Writes what can be written from here.
    fn flush(&self);

    /// Where tasks are spawned that write for it.
    fn runtime(&self) -> &Handle;
}
