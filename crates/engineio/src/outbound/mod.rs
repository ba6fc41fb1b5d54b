//! What waits to be sent to one client: the bounded queue, how packets look on the way out, and the
//! direct way to the socket.

pub(crate) mod backlog;
pub(crate) mod bounds;
pub(crate) mod encoding;
pub(crate) mod flush;
pub(crate) mod gate;
pub(crate) mod outbox;
pub(crate) mod overflow;
mod queue;
mod removed;
pub(crate) mod turn;
pub(crate) mod wire;
mod write;
