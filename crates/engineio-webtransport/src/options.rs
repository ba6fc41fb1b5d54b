//! What can be said about a listener; all else is an option of the engine.

use std::time::Duration;

/// The options of a listener. Start from the default and change fields.
///
/// The server's own options count, too: its path, heartbeat, `upgrade_timeout` (from the beginning
/// of a connection to its CONNECT, and from there to the first packet), `max_http_buffer_size`,
/// `max_header_bytes`, `max_header_fields`, origins, `allow_request`, rates, queues and
/// `write_timeout`. QUIC's idle timeout is `ping_interval` and `ping_timeout` together, and five seconds
/// more: the heartbeat is the judge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Connections that have no session, at a time (1000); further ones are refused. A handshake
    /// takes half a millisecond of a core.
    pub max_pending: usize,
    /// How many connections without a session there must be for clients to be asked for a proof of
    /// their address (100), which costs them a round trip: so forged addresses cost no handshakes.
    pub retry_above: usize,
    /// Bytes of a stream that a client may send ahead (128 KiB). A larger message streams through.
    pub stream_receive_window: u32,
    /// Bytes of a connection that a client may send ahead (256 KiB).
    pub receive_window: u32,
    /// Bytes of a connection that were written and not acknowledged (256 KiB); what waits beyond is
    /// in the session's queue, which has bounds of its own.
    pub send_window: u32,
    /// How long a connection is quiet until it is kept alive by QUIC (20 s), if the heartbeat is
    /// slower: browsers give up connections that are quiet for 30 s.
    pub keep_alive: Duration,
    /// Bytes of the UDP socket's buffers, each way (2 MiB). The system may give less, and says
    /// nothing: on Linux `net.core.rmem_max` and `wmem_max` are to be as large.
    pub socket_buffer: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_pending: 1000,
            retry_above: 100,
            stream_receive_window: 128 * 1024,
            receive_window: 256 * 1024,
            send_window: 256 * 1024,
            keep_alive: Duration::from_secs(20),
            socket_buffer: 2 * 1024 * 1024,
        }
    }
}
