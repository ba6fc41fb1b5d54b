//! What a packet's form on the way out hangs on.

use engineio_proto::Protocol;

/// How the packets of a session look on its WebSocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) protocol: Protocol,
    pub(crate) base64: bool,
}

/// One write takes about this much at most: a socket rarely takes more at a time.
pub(super) const ENOUGH: usize = 256 * 1024;
