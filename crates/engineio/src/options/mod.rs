//! Every option of the engine, with its default and its unit.

use std::sync::Arc;
use std::time::Duration;

use engineio_proto::{Limits, OverflowPolicy, Times, TransportKind};

use crate::options::cookie::Cookie;
use crate::options::cors::Cors;
use crate::options::deflate::PerMessageDeflate;
use crate::options::error::OptionsError;
use crate::options::functions::{AllowRequest, GenerateId};
use crate::options::origins::Origins;
use crate::options::rate::Rate;
use crate::options::subprotocols::Subprotocols;
use crate::request::proxies::{NoNetwork, TrustedProxies};

pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod deflate;
pub(crate) mod error;
pub(crate) mod functions;
pub(crate) mod origins;
pub(crate) mod rate;
pub(crate) mod refused;
pub(crate) mod subprotocols;

/// The options of a [`crate::Server`]. Start from the default and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The path whose requests are the engine's (`/engine.io`); a trailing slash is dropped. It is
    /// compared as requests have it: percent-encoded, and with case.
    pub path: String,
    /// The transports that may be used (polling, websocket; webtransport, if the application brings
    /// its streams, see [`Server::admit`](crate::Server::admit)). The order is that of the list that
    /// clients are offered for an upgrade.
    pub transports: Vec<TransportKind>,
    /// Whether clients of protocol 3 (1.x and 2.x) are served (true).
    pub allow_eio3: bool,
    /// Whether a polling session may change to another transport (true).
    pub allow_upgrades: bool,
    /// From a pong to the next ping, or between the client's pings in protocol 3 (25 s).
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered (60 s).
    pub ping_timeout: Duration,
    /// How long a client may take to decide an upgrade (10 s).
    pub upgrade_timeout: Duration,
    /// How long a closed session waits for its peer to notice: the next poll, or the answer to a
    /// close frame (30 s).
    pub close_timeout: Duration,
    /// How long a closing server's applications may take for what they do when they are
    /// [told](crate::Application::on_server_close), until the first connection is closed (1 s).
    pub leave_timeout: Duration,
    /// Bytes of the largest message and the largest request body (1,000,000).
    pub max_http_buffer_size: usize,
    /// Packets in one polling payload (500,000).
    pub max_packets_per_payload: usize,
    /// Packets in the answer to a poll, each attachment being one; the rest goes with the next poll
    /// (no bound). Clients in Python refuse an answer of more than 16; where they poll, this is to be
    /// 16.
    ///
    /// A burst takes a round trip per answer then: with 16, and 50 ms for a round trip, 1,000 events
    /// take a client in JavaScript 3.9 s instead of 0.13 s.
    pub max_packets_per_poll: Option<usize>,
    /// Frames of one WebSocket message (16,384).
    pub max_frames_per_message: usize,
    /// Bytes that may wait to be sent to one client (16 MiB).
    pub max_outbound_bytes: usize,
    /// Packets that may wait to be sent to one client (10,000).
    pub max_outbound_packets: usize,
    /// Answers to WebSocket pings that may wait to be sent to one client (64); of more, a new one
    /// takes the place of the newest.
    pub max_pending_pongs: usize,
    /// Bytes that may wait to be sent in the whole server (1 GiB): beyond, the sessions with the
    /// longest queues end until an eighth is free again, whatever `slow_consumer` says. A packet
    /// that waits for many clients counts once, as it is in memory once. To be set to what the
    /// machine can spare.
    pub max_total_outbound_bytes: usize,
    /// Bytes of what clients sent that may be kept in the whole server (1 GiB): messages and bodies
    /// that have begun, packets that wait for handlers or attachments, what clients authenticated
    /// with, heads of requests. Beyond, the sessions for which most is kept end until an eighth is
    /// free again: of the address that has most, the largest first. To be set to what the machine
    /// can spare.
    pub max_total_inbound_bytes: usize,
    /// What happens to a client that does not take what it is sent ([`OverflowPolicy::Disconnect`]).
    pub slow_consumer: OverflowPolicy,
    /// How long a client may take nothing while bytes wait for it (30 s).
    pub write_timeout: Duration,
    /// How long the application may leave a client unread before the session ends (60 s).
    pub max_read_pause: Duration,
    /// Connections of our own listeners at a time, whatever they do: idle ones, those in the middle
    /// of a request, polls and WebSockets. Further ones are answered 503 and closed; a client that
    /// polls has up to two.
    ///
    /// `None`, the default: as many as the process may have file descriptors (`ulimit -n`, read when
    /// the server is made), but for a sixteenth of them, at least 32 and at most 64, that is left to
    /// the rest of the process. Without them nothing could be accepted, and nobody be told. Where
    /// the system does not tell (other than Linux) there is no bound by default.
    pub max_connections: Option<usize>,
    /// Connections of one address, the TCP peer's, to our own listeners that are not, or not yet,
    /// WebSockets: those that were opened and say nothing, those in the middle of a request, and
    /// polls; further ones are answered 503 and closed (no bound). A client that polls has up to
    /// two, and a browser opens some more in advance. Those of `trusted_proxies` are not bounded.
    pub max_connections_per_address: Option<usize>,
    /// Sessions at a time, waiting and closing ones included; further handshakes are answered 503
    /// (no bound).
    pub max_sessions: Option<usize>,
    /// Sessions of one address at a time; further handshakes are answered 503 (no bound).
    ///
    /// This and the other bounds per address are for the address that [`Request::remote_addr`]
    /// tells: set `trusted_proxies` if clients come through a proxy, or they all are one. Under
    /// another HTTP server the address must be told by [`RemoteAddr`]; clients without one are not
    /// bounded.
    ///
    /// [`Request::remote_addr`]: crate::Request::remote_addr
    /// [`RemoteAddr`]: crate::RemoteAddr
    pub max_sessions_per_address: Option<usize>,
    /// How many messages one session may send in a time (no bound). A client that is too fast is not
    /// read for a while, and the application [told](crate::Application::on_rate_limited).
    pub max_message_rate: Option<Rate>,
    /// How many bytes one session may send in a time (no bound).
    pub max_byte_rate: Option<Rate>,
    /// How many messages all sessions of one address may send in a time (no bound).
    pub max_message_rate_per_address: Option<Rate>,
    /// How many bytes all sessions of one address may send in a time (no bound).
    pub max_byte_rate_per_address: Option<Rate>,
    /// How many handshakes may come from one address in a time; more are answered 429 (no bound).
    pub max_connect_rate_per_address: Option<Rate>,
    /// How long a client may be too fast, that is without its buckets being half full in between,
    /// until its session ends (10 s).
    pub rate_grace: Duration,
    /// Bits of an IPv6 address that count as one address (64: the network of one subscriber, who
    /// has all addresses of it).
    pub ipv6_prefix: u8,
    /// Addresses without sessions that are remembered (65,536), for their rates; of more, those
    /// that were seen longest ago are forgotten.
    pub max_addresses: usize,
    /// Bytes of a request's head (16 KiB); our own listener only, which answers 431.
    pub max_header_bytes: usize,
    /// Fields of a request's head (100); our own listener only, which answers 431.
    pub max_header_fields: usize,
    /// How long a client may take for the head of a request (30 s), of the first one from the
    /// connection's beginning on; our own listener only, which answers 408 if a part of it came.
    pub header_timeout: Duration,
    /// How long a connection may be idle between two requests (75 s); our own listener only.
    /// Load balancers keep connections for 60 s, and should not meet the end of one with a request.
    pub keep_alive_timeout: Duration,
    /// How long a client may take for the body of a request (60 s). The rest of a body that is not
    /// wanted, as the request is refused, is read and dropped for so long at most.
    pub body_timeout: Duration,
    /// Which origins may open a session (any).
    pub origins: Origins,
    /// The reverse proxies that may say whom a request comes from: addresses and networks, as
    /// `127.0.0.1` and `10.0.0.0/8` (none).
    ///
    /// If the TCP peer is one of them, the client's address is the rightmost in `X-Forwarded-For`
    /// that is not a trusted proxy's, and `X-Forwarded-Proto` says whether its connection is
    /// encrypted. Without `X-Forwarded-For`, `Forwarded` is read. A trusted proxy must write the
    /// former, or remove it: it is read first, and may come from the client. What other peers say
    /// is ignored.
    pub trusted_proxies: Vec<String>,
    /// Decides about each handshake instead of `origins` (none); [`Options::set_allow_request`]
    /// takes a function.
    pub allow_request: Option<Arc<dyn AllowRequest>>,
    /// Which CORS headers answers carry (those that `origins` calls for).
    pub cors: Cors,
    /// The cookie of the first answer (none).
    pub cookie: Option<Cookie>,
    /// Bytes from which on answers to polls are compressed, if the client can (1024); `None`:
    /// never.
    pub http_compression: Option<usize>,
    /// Which of the subprotocols that a client offers is selected for its WebSocket (the first).
    pub subprotocols: Subprotocols,
    /// How WebSocket messages are compressed with clients that can (`None`: they are not).
    pub per_message_deflate: Option<PerMessageDeflate>,
    /// Makes the ids of sessions (120 random bits); [`Options::set_generate_id`] takes a function.
    pub generate_id: Option<Arc<dyn GenerateId>>,
}

impl Default for Options {
    fn default() -> Self {
        let (times, limits) = (Times::default(), Limits::default());
        Self {
            path: "/engine.io".to_owned(),
            transports: vec![TransportKind::Polling, TransportKind::WebSocket],
            allow_eio3: true,
            allow_upgrades: true,
            ping_interval: times.ping_interval,
            ping_timeout: times.ping_timeout,
            upgrade_timeout: times.upgrade_timeout,
            close_timeout: Duration::from_secs(30),
            leave_timeout: Duration::from_secs(1),
            max_http_buffer_size: limits.max_payload,
            max_packets_per_payload: limits.max_packets_per_payload,
            max_packets_per_poll: None,
            max_frames_per_message: limits.max_frames_per_message,
            max_outbound_bytes: 16 * 1024 * 1024,
            max_outbound_packets: 10_000,
            max_pending_pongs: 64,
            max_total_outbound_bytes: 1024 * 1024 * 1024,
            max_total_inbound_bytes: 1024 * 1024 * 1024,
            slow_consumer: OverflowPolicy::Disconnect,
            write_timeout: Duration::from_secs(30),
            max_read_pause: Duration::from_secs(60),
            max_connections: None,
            max_connections_per_address: None,
            max_sessions: None,
            max_sessions_per_address: None,
            max_message_rate: None,
            max_byte_rate: None,
            max_message_rate_per_address: None,
            max_byte_rate_per_address: None,
            max_connect_rate_per_address: None,
            rate_grace: Duration::from_secs(10),
            ipv6_prefix: 64,
            max_addresses: 65_536,
            max_header_bytes: 16 * 1024,
            max_header_fields: 100,
            header_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            origins: Origins::any(),
            trusted_proxies: Vec::new(),
            allow_request: None,
            cors: Cors::default(),
            cookie: None,
            http_compression: Some(1024),
            subprotocols: Subprotocols::first(),
            per_message_deflate: None,
            generate_id: None,
        }
    }
}

impl Options {
    /// Has a function decide about each handshake; see [`AllowRequest`] for its forms.
    pub fn set_allow_request<M: 'static>(&mut self, allow: impl AllowRequest<M>) {
        self.allow_request = Some(allow.shared());
    }

    /// Has a function make the ids of sessions; see [`GenerateId`] for its forms.
    pub fn set_generate_id<M: 'static>(&mut self, generate: impl GenerateId<M>) {
        self.generate_id = Some(generate.shared());
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first option that makes no sense.
    pub fn check(&self) -> Result<(), OptionsError> {
        if !self.path.starts_with('/') || self.path.contains(['?', '#']) {
            return Err(OptionsError::Path(self.path.clone()));
        }
        check_path(&self.path)?;
        if self.transports.is_empty() {
            return Err(OptionsError::Zero("transports"));
        }
        for (name, value) in [
            ("max_http_buffer_size", self.max_http_buffer_size),
            ("max_packets_per_payload", self.max_packets_per_payload),
            ("max_packets_per_poll", self.max_packets_per_poll.unwrap_or(usize::MAX)),
            ("max_frames_per_message", self.max_frames_per_message),
            ("max_outbound_bytes", self.max_outbound_bytes),
            ("max_outbound_packets", self.max_outbound_packets),
            ("max_pending_pongs", self.max_pending_pongs),
            ("max_total_outbound_bytes", self.max_total_outbound_bytes),
            ("max_total_inbound_bytes", self.max_total_inbound_bytes),
            ("max_connections", self.max_connections.unwrap_or(usize::MAX)),
            ("max_connections_per_address", self.max_connections_per_address.unwrap_or(usize::MAX)),
            ("max_sessions", self.max_sessions.unwrap_or(usize::MAX)),
            ("max_sessions_per_address", self.max_sessions_per_address.unwrap_or(usize::MAX)),
            ("max_header_bytes", self.max_header_bytes),
            ("max_header_fields", self.max_header_fields),
            ("max_addresses", self.max_addresses),
        ] {
            if value == 0 {
                return Err(OptionsError::Zero(name));
            }
        }
        for (name, rate) in [
            ("max_message_rate", self.max_message_rate),
            ("max_byte_rate", self.max_byte_rate),
            ("max_message_rate_per_address", self.max_message_rate_per_address),
            ("max_byte_rate_per_address", self.max_byte_rate_per_address),
            ("max_connect_rate_per_address", self.max_connect_rate_per_address),
        ] {
            if rate.is_some_and(|rate| !rate.makes_sense()) {
                return Err(OptionsError::Zero(name));
            }
        }
        if self.ipv6_prefix > 128 {
            return Err(OptionsError::Ipv6Prefix(self.ipv6_prefix));
        }
        for (name, value) in [
            ("ping_interval", self.ping_interval),
            ("ping_timeout", self.ping_timeout),
            ("upgrade_timeout", self.upgrade_timeout),
            ("close_timeout", self.close_timeout),
            ("leave_timeout", self.leave_timeout),
            ("write_timeout", self.write_timeout),
            ("max_read_pause", self.max_read_pause),
            ("rate_grace", self.rate_grace),
            ("header_timeout", self.header_timeout),
            ("keep_alive_timeout", self.keep_alive_timeout),
            ("body_timeout", self.body_timeout),
        ] {
            if value.is_zero() {
                return Err(OptionsError::Zero(name));
            }
            // the clock must be able to add it
            if value > Duration::from_secs(60 * 60 * 24 * 365) {
                return Err(OptionsError::TooLong(name));
            }
        }
        if let Some(cookie) = &self.cookie {
            cookie.check()?;
        }
        if let Some(deflate) = &self.per_message_deflate {
            deflate.check()?;
        }
        self.proxies()?;
        Ok(())
    }

    /// The proxies whose word counts.
    pub(crate) fn proxies(&self) -> Result<TrustedProxies, OptionsError> {
        let proxies = TrustedProxies::parse(&self.trusted_proxies);
        proxies.map_err(|NoNetwork(text)| OptionsError::TrustedProxies(text))
    }

    /// The path without a trailing slash: a request is ours if it goes on with a slash.
    // Node 2.0: server.path
    pub(crate) fn prefix(&self) -> &str {
        self.path.strip_suffix('/').unwrap_or(&self.path)
    }

    pub(crate) fn times(&self) -> Times {
        let mut times = Times::default();
        times.ping_interval = self.ping_interval;
        times.ping_timeout = self.ping_timeout;
        times.upgrade_timeout = self.upgrade_timeout;
        times
    }
}

/// Whether a request can have such a path.
// RFC 3986 3.3, and what URL parsers leave as it is
fn check_path(path: &str) -> Result<(), OptionsError> {
    let is_sent = |byte: u8| byte.is_ascii_graphic() && !b"\"<>`{}\\".contains(&byte);
    let is_dots = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        matches!(&*segment, "." | "..")
    };
    let why = match () {
        () if !path.bytes().all(is_sent) => {
            "requests have spaces, other letters and the like percent-encoded, as in /caf%C3%A9"
        }
        () if path.split('/').any(is_dots) => "clients resolve . and .. before they send a path",
        () => return Ok(()),
    };
    Err(OptionsError::Unusable { option: "path", value: path.to_owned(), why })
}
