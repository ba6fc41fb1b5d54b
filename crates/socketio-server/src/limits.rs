//! The bounds of the Socket.IO level, with their reasons, and how often each acted.

use engineio::{OptionsError, Violation};
use socketio_parser::DecodeError;

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
    /// Dynamic namespaces at a time that the clients of one address made (5,000), so that none
    /// takes the places of all. Where a proxy is not [trusted](crate::Builder::trusted_proxies), its
    /// address is that of all clients.
    pub max_dynamic_namespaces_per_address: usize,
    /// Rooms that one socket may join (16,384), whoever joins it. An adapter that was given to the
    /// server has a bound of its own, `max_rooms_per_socket`.
    pub max_rooms: usize,
    /// Bytes of a room's name (4,096), as of an event's: names are often what clients say, and are
    /// kept with each socket and told to other nodes.
    pub max_room_len: usize,
    /// Acknowledgements that a socket's client may owe (10,000): beyond, the oldest is given up.
    pub max_pending_acks: usize,
    /// Handlers of one connection that may wait at a time (1,000): beyond, the connection is not
    /// read until some have finished. Those of one read are started in any case.
    pub max_pending_handlers: usize,
    /// Bytes that the waiting handlers and middleware of one connection keep (16 MiB), as above. What
    /// middleware keeps is the packet. What a handler keeps are the arguments that it was called
    /// with, which count as what they take as [`Value`](crate::Value)s, whatever their type: a number
    /// is 16 bytes, a text 40 and its own. The packet that goes beyond is the last one.
    pub max_pending_bytes: usize,
    /// Bytes of a CONNECT packet (65,536): what a client sends as `auth` is kept with its socket, and
    /// a connection may have many.
    pub max_auth_bytes: usize,
    /// Handlers that may go on after their connections ended, of the whole server (100,000):
    /// beyond, those that an ended connection left behind are dropped until an eighth is free. Of the
    /// address that has most, the largest such group goes first, and of equal ones the newest.
    pub max_detached_handlers: usize,
    /// Bytes that these handlers keep, counted as above (64 MiB). Beyond, as above.
    pub max_detached_bytes: usize,
    /// Listeners of other servers' events and requests that may be unfinished at a time, of the whole
    /// server (10,000): beyond, what comes from other servers is given to none.
    pub max_pending_server_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet: socketio_parser::Limits::default(),
            max_namespaces: 1_000,
            max_dynamic_namespaces: 10_000,
            max_dynamic_namespaces_per_address: 5_000,
            max_rooms: 16_384,
            max_room_len: 4_096,
            max_pending_acks: 10_000,
            max_pending_handlers: 1_000,
            max_pending_bytes: 16 * 1024 * 1024,
            max_auth_bytes: 65_536,
            max_detached_handlers: 100_000,
            max_detached_bytes: 64 * 1024 * 1024,
            max_pending_server_events: 10_000,
        }
    }
}

impl Limits {
    /// # Errors
    /// Nothing works with a bound of zero.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let bounds = [
            (Limit::Namespaces, self.max_namespaces),
            (Limit::DynamicNamespaces, self.max_dynamic_namespaces),
            (Limit::AddressDynamicNamespaces, self.max_dynamic_namespaces_per_address),
            (Limit::Rooms, self.max_rooms),
            (Limit::RoomLen, self.max_room_len),
            (Limit::PendingAcks, self.max_pending_acks),
            (Limit::PendingHandlers, self.max_pending_handlers),
            (Limit::PendingBytes, self.max_pending_bytes),
            (Limit::AuthBytes, self.max_auth_bytes),
            (Limit::PendingServerEvents, self.max_pending_server_events),
        ];
        match bounds.iter().find(|(_, bound)| *bound == 0) {
            Some((limit, _)) => Err(OptionsError::Zero(limit.option())),
            None => Ok(()),
        }
    }
}

engineio::named_limits! {
    /// A limit of the Socket.IO level: each is an option, a field of [`Limits`], of its `packet`, of
    /// [`ConnectionStateRecovery`](crate::options::ConnectionStateRecovery) or of
    /// [`Dedupe`](crate::events::Dedupe), or a method of
    /// [`Builder`](crate::Builder), and each counts how often it acted, see
    /// [`Stats::limits`](crate::observe::Stats::limits). Those of the engine are [`EngineLimit`].
    ///
    /// [`EngineLimit`]: crate::observe::EngineLimit
    pub enum Limit {
        /// How long a client may be connected without joining a namespace.
        ConnectTimeout = "connect_timeout",
        /// Namespaces of one connection.
        Namespaces = "max_namespaces",
        /// Dynamic namespaces of the server.
        DynamicNamespaces = "max_dynamic_namespaces",
        /// Dynamic namespaces that the clients of one address made.
        AddressDynamicNamespaces = "max_dynamic_namespaces_per_address",
        /// Rooms of one socket.
        Rooms = "max_rooms",
        /// Bytes of a room's name.
        RoomLen = "max_room_len",
        /// Acknowledgements that a client owes: the oldest given up.
        PendingAcks = "max_pending_acks",
        /// Handlers of one connection that wait: reading paused.
        PendingHandlers = "max_pending_handlers",
        /// Bytes that the waiting handlers of one connection keep: reading paused.
        PendingBytes = "max_pending_bytes",
        /// Bytes of a CONNECT packet: refused.
        AuthBytes = "max_auth_bytes",
        /// Handlers that outlive their connections: dropped.
        DetachedHandlers = "max_detached_handlers",
        /// Bytes that handlers keep that outlive their connections: dropped.
        DetachedBytes = "max_detached_bytes",
        /// Unfinished listeners of other servers' events: dropped.
        PendingServerEvents = "max_pending_server_events",
        /// Events kept for clients that are away: the oldest let go of.
        KeptPackets = "max_kept_packets",
        /// Bytes of these events: the oldest let go of.
        KeptPacketBytes = "max_kept_bytes",
        /// How long these events are kept: let go of.
        KeptPacketAge = "max_kept_age",
        /// Sessions of clients that are away: the oldest let go of.
        AwaySessions = "max_away_sessions",
        /// Events of one scope that are remembered as handled: the oldest forgotten.
        DedupeScopeKeys = "max_keys_per_scope",
        /// Events that are remembered as handled: the oldest forgotten.
        DedupeKeys = "max_keys",
        /// Bytes of these events: the oldest forgotten.
        DedupeBytes = "max_bytes",
        /// Arrays and objects inside each other.
        Depth = "max_depth",
        /// Arguments of one packet.
        Args = "max_args",
        /// Attachments of one packet.
        Attachments = "max_attachments",
        /// Bytes of one packet with its attachments.
        PacketBytes = "max_packet_bytes",
        /// Bytes of a namespace's name.
        NamespaceLen = "max_namespace_len",
        /// Bytes of an event's name.
        EventLen = "max_event_len",
    }
}

impl Limit {
    /// The limit that a packet broke, if it is one.
    pub(crate) const fn broken_by(error: &DecodeError) -> Option<Self> {
        Some(match error {
            DecodeError::TooDeep { .. } => Self::Depth,
            DecodeError::TooManyArguments { .. } => Self::Args,
            DecodeError::TooManyAttachments { .. } => Self::Attachments,
            DecodeError::TooLarge { .. } => Self::PacketBytes,
            DecodeError::NamespaceTooLong { .. } => Self::NamespaceLen,
            DecodeError::EventNameTooLong { .. } => Self::EventLen,
            _ => return None,
        })
    }

    /// What a WebSocket is closed with for it: the name of the option says more than a code.
    pub(crate) const fn violation(self) -> Violation {
        match self {
            Self::PacketBytes => Violation::size(self.option()),
            _ => Violation::policy(self.option()),
        }
    }
}
