//! What can be wrong with input, by who can act on it.
//!
//! [`HandshakeError`] is told to an HTTP client that asked for a session, [`DecodeError`] ends a
//! session with the reason `parse error`, [`Violation`] ends a WebSocket with a close code, and
//! [`CloseReason`] is what the application learns in all cases.

use std::borrow::Cow;
use std::fmt;

/// Why a request is refused: the error table of Engine.IO.
// Engine.IO v4: Handshake; Node: order of checks and errors
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The `transport` parameter names no allowed transport.
    TransportUnknown,
    /// The `sid` parameter names no session.
    UnknownSession,
    /// A handshake must be a GET request.
    BadMethod,
    /// The request does not fit the session or the transport.
    BadRequest,
    /// The origin or the application refused; with the application's own words, if it has any.
    Forbidden(Option<Cow<'static, str>>),
    /// Protocol 3 is switched off.
    UnsupportedProtocol,
}

impl HandshakeError {
    /// The number in the answer's JSON body.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::UnknownSession => 1,
            Self::BadMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden(_) => 4,
            Self::UnsupportedProtocol => 5,
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Forbidden(_) => 403,
            _ => 400,
        }
    }

    /// The text in the answer's JSON body, or the whole body of a refused upgrade.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::UnknownSession => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden(None) => "Forbidden",
            Self::Forbidden(Some(message)) => message,
            Self::UnsupportedProtocol => "Unsupported protocol version",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for HandshakeError {}

/// Input that is no Engine.IO packet or payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A packet without a type.
    EmptyPacket,
    /// A payload without a packet.
    EmptyPayload,
    /// A first character or byte that is no packet type.
    UnknownType(u8),
    /// Base64 that cannot be decoded.
    Base64,
    /// A length that is no number, or does not end where a packet ends.
    Length,
    /// Text that is not UTF-8.
    Utf8,
    /// More packets in one payload than allowed.
    TooManyPackets,
    /// A packet larger than allowed, where its length is told before it.
    TooLarge,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyPacket => f.write_str("packet without a type"),
            Self::EmptyPayload => f.write_str("payload without a packet"),
            Self::UnknownType(byte) => write!(f, "unknown packet type {byte:#04x}"),
            Self::Base64 => f.write_str("invalid base64"),
            Self::Length => f.write_str("invalid packet length"),
            Self::Utf8 => f.write_str("invalid UTF-8"),
            Self::TooManyPackets => f.write_str("too many packets in one payload"),
            Self::TooLarge => f.write_str("packet larger than allowed"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The peer broke the WebSocket protocol, one of its limits, or the protocol of a layer above.
// RFC 6455 7.4.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The code of the close frame that answers it.
    code: u16,
    /// What was wrong, also the reason in the close frame; at most 123 bytes.
    message: &'static str,
}

impl Violation {
    /// 1002: the framing rules are broken.
    #[must_use]
    pub const fn protocol(message: &'static str) -> Self {
        Self { code: 1002, message }
    }

    /// 1007: text that is not UTF-8, or data that does not inflate.
    #[must_use]
    pub const fn data(message: &'static str) -> Self {
        Self { code: 1007, message }
    }

    /// 1008: a limit that is not about size.
    #[must_use]
    pub const fn policy(message: &'static str) -> Self {
        Self { code: 1008, message }
    }

    /// 1009: too large.
    #[must_use]
    pub const fn size(message: &'static str) -> Self {
        Self { code: 1009, message }
    }

    /// 1011: not the peer but this side failed.
    #[must_use]
    pub const fn internal(message: &'static str) -> Self {
        Self { code: 1011, message }
    }

    /// The code for the close frame.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// What was wrong.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (close code {})", self.message, self.code)
    }
}

impl std::error::Error for Violation {}

/// Why a session ended; prints as the word that the `disconnect` event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The transport failed, or the peer broke its rules: `transport error`.
    TransportError,
    /// The peer closed the transport or sent a close packet: `transport close`.
    TransportClose,
    /// The heartbeat stayed out: `ping timeout`.
    PingTimeout,
    /// An undecodable packet or payload: `parse error`.
    ParseError,
    /// This side closed the session: `forced close`.
    ForcedClose,
    /// This side closed the session for a packet that did not fit: `forced server close`.
    ForcedServerClose,
    /// The whole server closes: `server shutting down`.
    ServerShuttingDown,
}

impl CloseReason {
    /// The word of the reference.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::ServerShuttingDown => "server shutting down",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
