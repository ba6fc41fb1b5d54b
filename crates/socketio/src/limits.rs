//! The bounds of the Socket.IO level, with their reasons.

/// Bounds per connection and per server beyond those of the engine. All are finite by default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// What one packet may hold.
    pub packet: socketio_parser::Limits,
    /// Namespaces that one connection may join (1,000), `/` included: each is a socket.
    pub max_namespaces: usize,
    /// Dynamic namespaces at a time, of the whole server (10,000): clients make them.
    pub max_dynamic_namespaces: usize,
    /// Rooms that one socket may join (16,384).
    pub max_rooms: usize,
    /// Acknowledgements that a socket's client may owe (10,000): beyond, the oldest is given up.
    pub max_pending_acks: usize,
    /// Handlers of one connection that may wait at a time (1,000): beyond, the connection is not
    /// read until some have finished. Those of one read are started in any case.
    pub max_pending_handlers: usize,
    /// Handlers that may go on after their connections ended, of the whole server (100,000):
    /// beyond, the unfinished handlers of a connection are dropped with it.
    pub max_detached_handlers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet: socketio_parser::Limits::default(),
            max_namespaces: 1_000,
            max_dynamic_namespaces: 10_000,
            max_rooms: 16_384,
            max_pending_acks: 10_000,
            max_pending_handlers: 1_000,
            max_detached_handlers: 100_000,
        }
    }
}
