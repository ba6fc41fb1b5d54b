//! Packets of Engine.IO, and how each transport carries them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::websocket::{BINARY, TEXT, write_frame};
use super::{Frame, Violation};

/// A version of Engine.IO. Complete: the two protocols in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eio {
    /// Protocol 3, with Socket.IO protocol 4: clients 1.x and 2.x.
    V3,
    /// Protocol 4, with Socket.IO protocol 5: clients 3.x and 4.x.
    V4,
}

impl Eio {
    /// Both, for tests that try the one and the other: `for eio in Eio::BOTH`.
    pub const BOTH: [Self; 2] = [Self::V3, Self::V4];
}

/// The path and query of an Engine.IO request, without the session. `query` is appended as it is:
/// `b64=1&token=x`.
#[must_use]
pub fn target(path: &str, eio: Eio, transport: &str, query: &str) -> String {
    let and = if query.is_empty() { "" } else { "&" };
    let number = match eio {
        Eio::V3 => 3,
        Eio::V4 => 4,
    };
    format!("{path}?EIO={number}&transport={transport}{and}{query}")
}

/// An Engine.IO packet. Complete: a packet has one of two forms.
///
/// A text compares with `&str`, so `assert_eq!(polling.next().await, "40")` works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A packet as text, its type in front: `2probe`, `4hello`.
    Text(String),
    /// A binary message, without the type that some forms have.
    Binary(Bytes),
}

/// An Engine.IO packet as it stands in a buffer. Complete: a packet has one of two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawPacket<'a> {
    /// A packet as text, its type in front. A binary message may be in it as base64. It need not be
    /// UTF-8.
    Text(&'a [u8]),
    /// A binary message, without the type that protocol 3 sends.
    Binary(&'a [u8]),
}

impl<'a> RawPacket<'a> {
    /// The packet in a WebSocket message with this opcode.
    ///
    /// # Errors
    ///
    /// If the opcode is not that of a message, or bytes of protocol 3 are without the type.
    pub fn from_message(eio: Eio, opcode: u8, content: &'a [u8]) -> Result<Self, Violation> {
        match (opcode, eio, content) {
            (TEXT, _, text) => Ok(Self::Text(text)),
            (BINARY, Eio::V4, bytes) => Ok(Self::Binary(bytes)),
            // Engine.IO v3: the number 4, not the digit, is the type "message"
            (BINARY, Eio::V3, [4, bytes @ ..]) => Ok(Self::Binary(bytes)),
            _ => Err(Violation::new(format!("not a packet: {opcode} {content:02x?}"))),
        }
    }

    /// The packet apart from its buffer, freed from base64.
    ///
    /// # Errors
    ///
    /// If it has no type, is not UTF-8, or wrong base64.
    pub fn to_packet(self, eio: Eio) -> Result<Packet, Violation> {
        let text = match self {
            Self::Binary(bytes) => return Ok(Packet::Binary(Bytes::copy_from_slice(bytes))),
            Self::Text(text) => std::str::from_utf8(text)
                .map_err(|_| Violation::new(format!("text is not UTF-8: {text:02x?}")))?,
        };
        match text.strip_prefix(base64_mark(eio)) {
            Some(base64) => match STANDARD.decode(base64) {
                Ok(content) => Ok(Packet::Binary(content.into())),
                Err(error) => Err(Violation::new(format!("{text:?}: {error}"))),
            },
            None if text.starts_with(|c| matches!(c, '0'..='6')) => {
                Ok(Packet::Text(text.to_owned()))
            }
            None => Err(Violation::new(format!("not a packet: {text:?}"))),
        }
    }
}

impl Packet {
    /// The packet in a message of a WebSocket.
    ///
    /// # Errors
    ///
    /// If it is no packet, or the frame no message.
    pub fn from_frame(eio: Eio, frame: &Frame) -> Result<Self, Violation> {
        match frame {
            Frame::Text(text) => RawPacket::from_message(eio, TEXT, text.as_bytes()),
            Frame::Binary(content) => RawPacket::from_message(eio, BINARY, content),
            other => Err(Violation::new(format!("not a packet: {other:?}"))),
        }?
        .to_packet(eio)
    }

    /// The text form, where a binary message is in base64.
    #[must_use]
    pub fn to_text(&self, eio: Eio) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Binary(content) => format!("{}{}", base64_mark(eio), STANDARD.encode(content)),
        }
    }

    /// Appends the packet to `out` as a masked WebSocket message.
    pub fn write_frame(&self, out: &mut Vec<u8>, eio: Eio, mask: [u8; 4]) {
        let (opcode, kind, content) = match (self, eio) {
            (Self::Text(text), _) => (TEXT, &b""[..], text.as_bytes()),
            // Engine.IO v3: the type precedes bytes, too
            (Self::Binary(content), Eio::V3) => (BINARY, &[4][..], &content[..]),
            (Self::Binary(content), Eio::V4) => (BINARY, &b""[..], &content[..]),
        };
        write_frame(out, 0x80 | opcode, Some(mask), &[kind, content]);
    }

    /// The packet for [`Session::on_packet`](super::Session::on_packet).
    #[must_use]
    pub fn as_raw(&self) -> RawPacket<'_> {
        match self {
            Self::Text(text) => RawPacket::Text(text.as_bytes()),
            Self::Binary(content) => RawPacket::Binary(content),
        }
    }
}

fn base64_mark(eio: Eio) -> &'static str {
    match eio {
        Eio::V3 => "b4",
        Eio::V4 => "b",
    }
}

impl From<&str> for Packet {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Packet {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Packet {
    fn from(content: Bytes) -> Self {
        Self::Binary(content)
    }
}

impl PartialEq<&str> for Packet {
    fn eq(&self, other: &&str) -> bool {
        matches!(self, Self::Text(text) if text == other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        assert_eq!(target("/e/", Eio::V3, "polling", ""), "/e/?EIO=3&transport=polling");
        assert_eq!(target("/", Eio::V4, "websocket", "a=b"), "/?EIO=4&transport=websocket&a=b");
    }

    #[track_caller]
    fn check_text(eio: Eio, text: &[u8], expected: Option<Packet>) {
        assert_eq!(RawPacket::Text(text).to_packet(eio).ok(), expected);
        if let Some(packet) = expected {
            assert_eq!(packet.to_text(eio).as_bytes(), text);
        }
    }

    #[test]
    fn texts() {
        let binary = || Some(Bytes::from_static(&[1, 2]).into());
        check_text(Eio::V4, b"2probe", Some("2probe".into()));
        check_text(Eio::V4, b"bAQI=", binary());
        check_text(Eio::V3, b"b4AQI=", binary());
        // the type is missing; without it the rest is shorter than base64
        check_text(Eio::V3, b"bAQI=", None);
        check_text(Eio::V4, b"bAQI", None);
        check_text(Eio::V4, b"7", None);
        check_text(Eio::V4, b"", None);
        check_text(Eio::V4, b"4\xff", None);
    }

    #[track_caller]
    fn check_message(eio: Eio, frame: &Frame, expected: impl Into<Option<Packet>>) {
        assert_eq!(Packet::from_frame(eio, frame).ok(), expected.into());
    }

    #[test]
    fn messages() {
        let bytes = |bytes| Bytes::from_static(bytes);
        let binary = |content| Frame::Binary(bytes(content));
        check_message(Eio::V4, &Frame::Text("4x".to_owned()), Packet::from("4x"));
        check_message(Eio::V4, &Frame::Text("bAQ==".to_owned()), Packet::from(bytes(&[1])));
        check_message(Eio::V4, &binary(&[4, 1]), Packet::from(bytes(&[4, 1])));
        check_message(Eio::V3, &binary(&[4, 1]), Packet::from(bytes(&[1])));
        check_message(Eio::V3, &binary(&[1]), None);
        check_message(Eio::V3, &binary(&[]), None);
        check_message(Eio::V4, &Frame::Pong(bytes(b"4x")), None);
    }

    #[test]
    fn frames_of_packets() {
        let check = |packet: Packet, eio, expected: &[u8]| {
            let mut out = Vec::new();
            packet.write_frame(&mut out, eio, [0; 4]);
            assert_eq!(out, expected);
        };
        let bytes = || Bytes::from_static(&[7]).into();
        check("40".into(), Eio::V3, b"\x81\x82\0\0\0\x0040");
        check(bytes(), Eio::V3, b"\x82\x82\0\0\0\0\x04\x07");
        check(bytes(), Eio::V4, b"\x82\x81\0\0\0\0\x07");
    }
}
