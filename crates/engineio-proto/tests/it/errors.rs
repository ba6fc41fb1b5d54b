//! What clients are told, and what users read in logs and `disconnect` events.

use engineio_proto::{CloseReason, DecodeError, HandshakeError, Violation};

// Engine.IO v4: Handshake; Node: order of checks and errors
#[test]
fn refused_handshakes() {
    let own = |words: &'static str| HandshakeError::Forbidden(Some(words.into()));
    for (error, code, status, message) in [
        (HandshakeError::TransportUnknown, 0, 400, "Transport unknown"),
        (HandshakeError::UnknownSession, 1, 400, "Session ID unknown"),
        (HandshakeError::BadMethod, 2, 400, "Bad handshake method"),
        (HandshakeError::BadRequest, 3, 400, "Bad request"),
        (HandshakeError::Forbidden(None), 4, 403, "Forbidden"),
        (own("no guests"), 4, 403, "no guests"),
        (HandshakeError::UnsupportedProtocol, 5, 400, "Unsupported protocol version"),
    ] {
        assert_eq!((error.code(), error.status(), error.message()), (code, status, message));
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn undecodable_packets() {
    for (error, text) in [
        (DecodeError::EmptyPacket, "packet without a type"),
        (DecodeError::EmptyPayload, "payload without a packet"),
        (DecodeError::UnknownType(7), "unknown packet type 0x07"),
        (DecodeError::UnknownType(b'x'), "unknown packet type 0x78"),
        (DecodeError::Base64, "invalid base64"),
        (DecodeError::Length, "invalid packet length"),
        (DecodeError::Utf8, "invalid UTF-8"),
        (DecodeError::TooManyPackets, "too many packets in one payload"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

// RFC 6455 7.4.1
#[test]
fn violations() {
    for (violation, code) in [
        (Violation::protocol("why"), 1002),
        (Violation::data("why"), 1007),
        (Violation::policy("why"), 1008),
        (Violation::size("why"), 1009),
    ] {
        assert_eq!((violation.code(), violation.message()), (code, "why"));
        assert_eq!(violation.to_string(), format!("why (close code {code})"));
    }
}

#[test]
fn reasons() {
    for (reason, word) in [
        (CloseReason::TransportError, "transport error"),
        (CloseReason::TransportClose, "transport close"),
        (CloseReason::PingTimeout, "ping timeout"),
        (CloseReason::ParseError, "parse error"),
        (CloseReason::ForcedClose, "forced close"),
        (CloseReason::ForcedServerClose, "forced server close"),
        (CloseReason::ServerShuttingDown, "server shutting down"),
    ] {
        assert_eq!((reason.as_str(), reason.to_string()), (word, word.to_owned()));
    }
}
