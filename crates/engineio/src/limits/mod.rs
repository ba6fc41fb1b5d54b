//! The limits of the engine by name, and how often each acted.
//!
//! A limit is an option; its name is the option's, which also says what happens.

pub(crate) mod addresses;
pub(crate) mod bucket;
pub(crate) mod connections;
pub(crate) mod fair;
pub(crate) mod named;

crate::named_limits! {
    /// A limit of the engine: each is an option, a field of [`Options`](crate::Options), and each
    /// counts how often it acted.
    pub enum Limit {
        /// Bytes of a message or of a request's body.
        HttpBufferSize = "max_http_buffer_size",
        /// Packets in one polling payload.
        PacketsPerPayload = "max_packets_per_payload",
        /// Packets in the answer to a poll: the rest left for the next one.
        PacketsPerPoll = "max_packets_per_poll",
        /// Frames of one WebSocket message.
        FramesPerMessage = "max_frames_per_message",
        /// Bytes that wait to be sent to one client: packets dropped, sessions ended.
        OutboundBytes = "max_outbound_bytes",
        /// Packets that wait to be sent to one client: packets dropped, sessions ended.
        OutboundPackets = "max_outbound_packets",
        /// Answers to WebSocket pings that wait: a new one takes the place of the newest.
        PendingPongs = "max_pending_pongs",
        /// Bytes that wait to be sent in the whole server: the longest queues cut.
        TotalOutboundBytes = "max_total_outbound_bytes",
        /// Bytes kept of what clients sent, in the whole server: sessions ended for which most is kept.
        TotalInboundBytes = "max_total_inbound_bytes",
        /// How long a client may take nothing while bytes wait for it.
        WriteTimeout = "write_timeout",
        /// How long the application may leave a client unread.
        ReadPause = "max_read_pause",
        /// Sessions at a time: handshakes refused.
        Sessions = "max_sessions",
        /// Sessions of one address at a time: handshakes refused.
        AddressSessions = "max_sessions_per_address",
        /// Connections of our own listeners at a time: connections refused.
        Connections = "max_connections",
        /// Connections of one address that are no WebSockets: connections refused.
        AddressConnections = "max_connections_per_address",
        /// Messages of one session in a time: reading paused, or the session ended.
        MessageRate = "max_message_rate",
        /// Bytes of one session in a time: as above.
        ByteRate = "max_byte_rate",
        /// Messages of all sessions of one address in a time: as above.
        AddressMessageRate = "max_message_rate_per_address",
        /// Bytes of all sessions of one address in a time: as above.
        AddressByteRate = "max_byte_rate_per_address",
        /// Handshakes of one address in a time: handshakes refused.
        AddressConnectRate = "max_connect_rate_per_address",
        /// How long a client may be too fast: sessions ended.
        RateGrace = "rate_grace",
        /// Bytes of a request's head; our own listener only.
        HeaderBytes = "max_header_bytes",
        /// Fields of a request's head; our own listener only.
        HeaderFields = "max_header_fields",
        /// How long a client may take for the head of a request.
        HeaderTimeout = "header_timeout",
        /// How long a connection may be idle between two requests.
        KeepAliveTimeout = "keep_alive_timeout",
        /// How long a client may take for the body of a request.
        BodyTimeout = "body_timeout",
        /// How long a client may take to decide an upgrade.
        UpgradeTimeout = "upgrade_timeout",
        /// How long a ping may stay unanswered.
        PingTimeout = "ping_timeout",
        /// How long a closed session waits for its peer to notice.
        CloseTimeout = "close_timeout",
        /// How long a closing server waits for what its applications do when they are told.
        LeaveTimeout = "leave_timeout",
    }
}

/// How often each limit acted since the start, by the name of its option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitCounts(Vec<(&'static str, u64)>);

impl LimitCounts {
    /// How often a limit acted; 0 if it is not one of these.
    #[must_use]
    pub fn get(&self, limit: impl Into<&'static str>) -> u64 {
        let option = limit.into();
        self.iter().find(|(name, _)| *name == option).map_or(0, |(_, count)| count)
    }

    /// All limits and how often they acted, those that never did as well.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().copied()
    }

    /// Adds the counts of another engine.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for (name, count) in other.iter() {
            match self.0.iter_mut().find(|(mine, _)| *mine == name) {
                Some((_, mine)) => *mine += count,
                None => self.0.push((name, count)),
            }
        }
    }
}

impl FromIterator<(&'static str, u64)> for LimitCounts {
    fn from_iter<I: IntoIterator<Item = (&'static str, u64)>>(counts: I) -> Self {
        Self(counts.into_iter().collect())
    }
}

/// For the layer above, which has limits of its own.
impl Extend<(&'static str, u64)> for LimitCounts {
    fn extend<I: IntoIterator<Item = (&'static str, u64)>>(&mut self, counts: I) {
        self.0.extend(counts);
    }
}
