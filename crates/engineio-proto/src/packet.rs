//! Engine.IO packets and their text and binary forms.
//!
//! A packet is one character of type and data. The text form is the same in both protocols; binary
//! messages differ: protocol 3 puts the type in front as a *byte* (number four, not the digit),
//! protocol 4 sends the bytes bare, since only messages can be binary there. Where only text can
//! travel, binary is base64 behind `b4` (protocol 3) or `b` (protocol 4).
//!
//! Sits between the transports (WebSocket messages, polling payloads) and [`crate::Session`].

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::error::DecodeError;

/// A generation of the Engine.IO protocol, the `EIO` parameter of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two protocols that exist")]
pub enum Protocol {
    /// Clients 1.x and 2.x: the client pings, text payloads carry lengths.
    V3,
    /// Clients 3.x and 4.x: the server pings, payloads are joined by a separator.
    V4,
}

impl Protocol {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::V3, Self::V4];

    /// The number that the `EIO` parameter has.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }
}

/// How a session's packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// HTTP long polling.
    Polling,
    /// WebSocket (RFC 6455).
    WebSocket,
    /// Packets behind their lengths on a stream of bytes, as on the one stream of a WebTransport
    /// session: see [`crate::webtransport`]. Protocol 4 only.
    WebTransport,
}

impl TransportKind {
    /// All of them, in the order in which upgrades go.
    pub const ALL: [Self; 3] = [Self::Polling, Self::WebSocket, Self::WebTransport];

    /// The name as it stands in the `transport` parameter and in `upgrades`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
            Self::WebTransport => "webtransport",
        }
    }

    /// Whether sessions of this protocol can travel so.
    #[must_use]
    pub const fn carries(self, protocol: Protocol) -> bool {
        !matches!((self, protocol), (Self::WebTransport, Protocol::V3))
    }

    /// The transport of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.as_str() == name)
    }
}

/// The type of an Engine.IO packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocols define these seven")]
pub enum PacketType {
    /// Server to client, the first packet: the session's id and times.
    Open,
    /// Either side ends the session.
    Close,
    /// Heartbeat question.
    Ping,
    /// Heartbeat answer.
    Pong,
    /// Data for the layer above.
    Message,
    /// The client switches to the probed transport.
    Upgrade,
    /// Nothing; answers a poll that must end.
    Noop,
}

impl PacketType {
    /// The type behind a digit `0`..`6`.
    #[must_use]
    pub const fn from_digit(digit: u8) -> Option<Self> {
        Self::from_number(digit.wrapping_sub(b'0'))
    }

    /// The type behind a number 0..6, the first byte of a binary packet of protocol 3.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Open,
            1 => Self::Close,
            2 => Self::Ping,
            3 => Self::Pong,
            4 => Self::Message,
            5 => Self::Upgrade,
            6 => Self::Noop,
            _ => return None,
        })
    }

    /// The ASCII digit of this type.
    #[must_use]
    pub const fn digit(self) -> u8 {
        b'0' + self as u8
    }
}

/// The data of a packet: what a session delivers if the packet is a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocols have text and binary, nothing else")]
pub enum Message<'a> {
    /// Text, without the type digit.
    Text(&'a str),
    /// Bytes, without a type byte.
    Binary(Bytes),
}

impl Message<'_> {
    /// Its bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One decoded packet. Text is borrowed from what the transport read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "type and data are all there is")]
pub struct Packet<'a> {
    /// The type.
    pub kind: PacketType,
    /// What follows the type.
    pub data: Message<'a>,
}

impl<'a> Packet<'a> {
    /// Decodes the text form, as in a WebSocket text message or between the marks of a payload.
    ///
    /// # Errors
    /// An empty text, an unknown type, or base64 that is none.
    #[inline]
    pub fn from_text(protocol: Protocol, text: &'a str) -> Result<Self, DecodeError> {
        let first = *text.as_bytes().first().ok_or(DecodeError::EmptyPacket)?;
        if first == b'b' {
            return Self::from_base64(protocol, &text.as_bytes()[1..]);
        }
        let kind = PacketType::from_digit(first).ok_or(DecodeError::UnknownType(first))?;
        Ok(Self { kind, data: Message::Text(&text[1..]) })
    }

    /// Decodes the binary form, as in a WebSocket binary message.
    ///
    /// # Errors
    /// Protocol 3 only: no byte at all, or a first byte that is no type.
    pub fn from_binary(protocol: Protocol, mut bytes: Bytes) -> Result<Self, DecodeError> {
        let kind = match protocol {
            Protocol::V4 => PacketType::Message,
            Protocol::V3 => {
                let first = *bytes.first().ok_or(DecodeError::EmptyPacket)?;
                bytes = bytes.slice(1..);
                PacketType::from_number(first).ok_or(DecodeError::UnknownType(first))?
            }
        };
        Ok(Self { kind, data: Message::Binary(bytes) })
    }

    /// What follows the `b`. Apart from the text that most packets are.
    #[inline(never)]
    fn from_base64(protocol: Protocol, mut rest: &[u8]) -> Result<Self, DecodeError> {
        let mut kind = PacketType::Message;
        if protocol == Protocol::V3 {
            let first = *rest.first().ok_or(DecodeError::EmptyPacket)?;
            kind = PacketType::from_digit(first).ok_or(DecodeError::UnknownType(first))?;
            rest = &rest[1..];
        }
        let mut digits = Cow::Borrowed(rest);
        // one call for both forms: the decoder is large, and would not be inlined in two
        let bytes = loop {
            match (BASE64.decode(&digits), &digits) {
                (Ok(bytes), _) => break bytes,
                (Err(_), Cow::Borrowed(_)) => digits = Cow::Owned(to_standard_base64(rest)),
                (Err(_), Cow::Owned(_)) => return Err(DecodeError::Base64),
            }
        };
        Ok(Self { kind, data: Message::Binary(bytes.into()) })
    }
}

/// Base64 as some clients write it: in lines, with one at the end (the Java client), or in the
/// alphabet for URLs. Anything else is not passed over: bytes would be lost.
// Node: reads all of that
#[cold]
fn to_standard_base64(text: &[u8]) -> Vec<u8> {
    let digits = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let standard = digits.map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    });
    let mut digits = Vec::with_capacity(text.len());
    digits.extend(standard);
    digits
}

/// Standard alphabet; clients pad, but a missing pad loses nothing, nor do bits that no byte has.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn text(
        protocol: Protocol,
        input: &str,
        expected: Result<(PacketType, Message<'_>), DecodeError>,
    ) {
        let expected = expected.map(|(kind, data)| Packet { kind, data });
        assert_eq!(Packet::from_text(protocol, input), expected, "{input:?}");
    }

    #[track_caller]
    fn binary(
        protocol: Protocol,
        input: &'static [u8],
        expected: Result<(PacketType, &'static [u8]), DecodeError>,
    ) {
        let expected = expected
            .map(|(kind, data)| Packet { kind, data: Message::Binary(Bytes::from_static(data)) });
        assert_eq!(Packet::from_binary(protocol, Bytes::from_static(input)), expected, "{input:?}");
    }

    fn bytes(bytes: &'static [u8]) -> Message<'static> {
        Message::Binary(Bytes::from_static(bytes))
    }

    #[test]
    fn text_packets() {
        for protocol in [Protocol::V3, Protocol::V4] {
            text(protocol, "0{}", Ok((PacketType::Open, Message::Text("{}"))));
            text(protocol, "1", Ok((PacketType::Close, Message::Text(""))));
            text(protocol, "2probe", Ok((PacketType::Ping, Message::Text("probe"))));
            text(protocol, "3", Ok((PacketType::Pong, Message::Text(""))));
            text(protocol, "4é😀", Ok((PacketType::Message, Message::Text("é😀"))));
            text(protocol, "5", Ok((PacketType::Upgrade, Message::Text(""))));
            text(protocol, "6", Ok((PacketType::Noop, Message::Text(""))));
            text(protocol, "", Err(DecodeError::EmptyPacket));
            text(protocol, "7", Err(DecodeError::UnknownType(b'7')));
            text(protocol, "/", Err(DecodeError::UnknownType(b'/'))); // the character before `0`
            text(protocol, "😀", Err(DecodeError::UnknownType(0xf0)));
        }
    }

    #[test]
    fn base64_packets() {
        text(Protocol::V4, "bAQID", Ok((PacketType::Message, bytes(&[1, 2, 3]))));
        text(Protocol::V4, "bAQI=", Ok((PacketType::Message, bytes(&[1, 2]))));
        text(Protocol::V4, "bAQI", Ok((PacketType::Message, bytes(&[1, 2])))); // no padding
        text(Protocol::V4, "b", Ok((PacketType::Message, bytes(&[])))); // no byte at all
        text(Protocol::V4, "b!!!!", Err(DecodeError::Base64));
        text(Protocol::V4, "bAQ\r\nI D\n", Ok((PacketType::Message, bytes(&[1, 2, 3])))); // lines
        text(Protocol::V3, "b4+/-_\n", Ok((PacketType::Message, bytes(&[0xfb, 0xff, 0xbf]))));
        text(Protocol::V4, "bAQJ=", Ok((PacketType::Message, bytes(&[1, 2])))); // a bit too many
        text(Protocol::V4, "bAQ.ID", Err(DecodeError::Base64));
        text(Protocol::V3, "b4AQID", Ok((PacketType::Message, bytes(&[1, 2, 3]))));
        text(Protocol::V3, "b4", Ok((PacketType::Message, bytes(&[]))));
        text(Protocol::V3, "b", Err(DecodeError::EmptyPacket));
        text(Protocol::V3, "b9AQID", Err(DecodeError::UnknownType(b'9')));
    }

    #[test]
    fn binary_packets() {
        binary(Protocol::V4, &[4, 1], Ok((PacketType::Message, &[4, 1]))); // no type in protocol 4
        binary(Protocol::V4, &[], Ok((PacketType::Message, &[])));
        binary(Protocol::V3, &[4, 1], Ok((PacketType::Message, &[1])));
        binary(Protocol::V3, &[4], Ok((PacketType::Message, &[])));
        binary(Protocol::V3, &[], Err(DecodeError::EmptyPacket));
        binary(Protocol::V3, &[9, 1], Err(DecodeError::UnknownType(9)));
    }
}
