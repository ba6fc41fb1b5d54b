//! What waits to be sent to one client: the bounded queue, how packets look on the way out, and the
//! direct way to the socket.

pub(crate) mod backlog;
pub(crate) mod batch;
mod encoding;
pub(crate) mod gate;
pub(crate) mod outbox;
mod overflow;
mod queue;
mod removed;
mod write;
