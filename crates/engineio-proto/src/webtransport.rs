//! The packets of a WebTransport stream: each behind its length, on any stream of bytes.
//!
//! ```text
//!   | binary? length (1, 3 or 9 bytes) | payload ...            |
//!     ^ the first bit                    a packet as in a text message of a WebSocket, or, if binary,
//!                                        the bytes of a message, without a type
//! ```
//!
//! The length is written as in a WebSocket frame without a mask: the header of a text is that of its
//! frame without the first byte, which [`Outgoing`](crate::Outgoing) makes use of. Only protocol 4
//! travels so. There are no control frames, no fragments, and no packet without a byte.
//!
//! Invariants: a length is checked when its header is complete, before its payload is waited for;
//! nothing is reserved for announced bytes alone; nothing is yielded after an error.
// Node: createPacketEncoderStream, createPacketDecoderStream

use std::mem;

use bytes::Bytes;

use crate::error::DecodeError;
use crate::packet::{Packet, Protocol};
use crate::websocket::frame::{self, Opcode};

/// The longest header: the mark and eight bytes of length.
pub const MAX_HEADER: usize = 9;

const BINARY: u8 = 0x80;

/// Bytes as they arrive to packets: the decoder of one stream.
#[derive(Debug)]
pub struct Decoder {
    max_payload: usize,
    cut: Option<Box<Cut>>,
    is_over: bool,
}

/// What is not complete at the end of a buffer.
#[derive(Debug, Default)]
struct Cut {
    /// The first `header_len` bytes of a header.
    header: [u8; MAX_HEADER],
    header_len: usize,
    /// The header, once all of it is there.
    announced: Option<Announced>,
    /// The payload so far.
    payload: Vec<u8>,
}

/// What a header says.
#[derive(Clone, Copy, Debug)]
struct Announced {
    is_binary: bool,
    len: usize,
}

/// The packets in one buffer of input; see [`Decoder::feed`].
#[derive(Debug)]
pub struct Packets<'d, 'b> {
    decoder: &'d mut Decoder,
    input: &'b [u8],
    /// What the last packet borrows from, if it was cut off.
    current: Vec<u8>,
}

impl Decoder {
    /// A decoder at the first byte of a stream. `max_payload` bounds the bytes behind a header.
    #[must_use]
    pub const fn new(max_payload: usize) -> Self {
        Self { max_payload, cut: None, is_over: false }
    }

    /// Yields nothing any more, and frees what was begun.
    pub fn skip_packets(&mut self) {
        self.is_over = true;
        self.cut = None;
    }

    /// Bytes kept of a packet that is not complete.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.cut.as_ref().map_or(0, |cut| size_of::<Cut>() + cut.payload.capacity())
    }

    /// Takes what was read. The packets must be taken until there is none, or [`Packets::rest`] fed
    /// again.
    pub fn feed<'d, 'b>(&'d mut self, input: &'b [u8]) -> Packets<'d, 'b> {
        Packets { decoder: self, input, current: Vec::new() }
    }

    fn read_header(&self, bytes: &[u8]) -> Result<Option<(Announced, usize)>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let (len, count) = match (first & !BINARY, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 3),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), MAX_HEADER)
            }
            (126 | 127, _) => return Ok(None),
            (len, _) => (u64::from(len), 1),
        };
        if len == 0 {
            return Err(DecodeError::EmptyPacket);
        }
        match usize::try_from(len) {
            Ok(len) if len <= self.max_payload => {
                Ok(Some((Announced { is_binary: first & BINARY != 0, len }, count)))
            }
            _ => Err(DecodeError::TooLarge),
        }
    }
}

impl Packets<'_, '_> {
    /// The next packet; none: more has to be read first.
    ///
    /// # Errors
    /// An empty packet, one that is larger than allowed, text that is not UTF-8, and what
    /// [`Packet::from_text`] says. The stream is over then.
    #[expect(clippy::should_implement_trait, reason = "a packet borrows from this")]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, DecodeError> {
        if self.decoder.is_over || self.input.is_empty() {
            return Ok(None);
        }
        match self.advance() {
            Ok(None) => Ok(None),
            Ok(Some((is_binary, payload))) => {
                let packet = match (is_binary, payload) {
                    (true, Payload::Borrowed(bytes)) => {
                        Packet::from_binary(Protocol::V4, Bytes::copy_from_slice(bytes))
                    }
                    (true, Payload::Current) => {
                        // it may be kept for long
                        let mut bytes = mem::take(&mut self.current);
                        bytes.shrink_to_fit();
                        Packet::from_binary(Protocol::V4, bytes.into())
                    }
                    (false, Payload::Borrowed(text)) => from_utf8(text),
                    (false, Payload::Current) => from_utf8(&self.current),
                };
                if packet.is_err() {
                    self.decoder.skip_packets();
                }
                packet.map(Some)
            }
            Err(error) => {
                self.decoder.skip_packets();
                Err(error)
            }
        }
    }

    /// The input that was not used yet.
    #[must_use]
    pub const fn rest(&self) -> &[u8] {
        self.input
    }
}

/// Where the payload of a packet lies.
enum Payload<'b> {
    Borrowed(&'b [u8]),
    Current,
}

impl<'b> Packets<'_, 'b> {
    /// The payload of the next packet, and whether it is binary.
    fn advance(&mut self) -> Result<Option<(bool, Payload<'b>)>, DecodeError> {
        if self.decoder.cut.is_none() {
            if let Some((Announced { is_binary, len }, header)) =
                self.decoder.read_header(self.input)?
            {
                if let Some((packet, rest)) = self.input.split_at_checked(header + len) {
                    self.input = rest;
                    return Ok(Some((is_binary, Payload::Borrowed(&packet[header..]))));
                }
            }
        }
        let mut cut = self.decoder.cut.take().unwrap_or_default();
        let Announced { is_binary, len } = loop {
            if let Some(announced) = cut.announced {
                break announced;
            }
            let Some((&byte, rest)) = self.input.split_first() else {
                self.decoder.cut = Some(cut);
                return Ok(None);
            };
            self.input = rest;
            cut.header[cut.header_len] = byte;
            cut.header_len += 1;
            let header = self.decoder.read_header(&cut.header[..cut.header_len])?;
            cut.announced = header.map(|(announced, _)| announced);
        };
        let missing = len - cut.payload.len();
        let (part, rest) = self.input.split_at(missing.min(self.input.len()));
        cut.payload.extend_from_slice(part);
        self.input = rest;
        if cut.payload.len() < len {
            self.decoder.cut = Some(cut);
            return Ok(None);
        }
        self.current = cut.payload;
        Ok(Some((is_binary, Payload::Current)))
    }
}

fn from_utf8(text: &[u8]) -> Result<Packet<'_>, DecodeError> {
    let text = std::str::from_utf8(text).map_err(|_| DecodeError::Utf8)?;
    Packet::from_text(Protocol::V4, text)
}

/// The header of a packet, and how many bytes of it count.
#[must_use]
pub fn header(is_binary: bool, payload_len: usize) -> ([u8; MAX_HEADER], usize) {
    // the length is written as that of a frame
    let (frame, length) = frame::header(Opcode::Binary, payload_len, false);
    let mut header = [0; MAX_HEADER];
    header.copy_from_slice(&frame[1..]);
    if is_binary {
        header[0] |= BINARY;
    }
    (header, length - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Message, PacketType};

    const MAX: usize = 70_000;

    /// What a stream says: packets, and how it ends.
    fn decode(parts: &[&[u8]]) -> (Vec<(PacketType, Vec<u8>)>, Option<DecodeError>) {
        let mut decoder = Decoder::new(MAX);
        let mut packets = Vec::new();
        for part in parts {
            let mut found = decoder.feed(part);
            loop {
                match found.next() {
                    Ok(None) => break,
                    Ok(Some(Packet { kind, data: Message::Text(text) })) => {
                        packets.push((kind, text.as_bytes().to_vec()));
                    }
                    Ok(Some(Packet { kind, data: Message::Binary(bytes) })) => {
                        packets.push((kind, [b"bytes:", &bytes[..]].concat()));
                    }
                    Err(error) => {
                        assert_eq!(found.next(), Ok(None), "nothing after an error");
                        assert_eq!(decoder.kept_bytes(), 0);
                        return (packets, Some(error));
                    }
                }
            }
        }
        (packets, None)
    }

    #[track_caller]
    fn check(input: &[u8], expected: &[(PacketType, &[u8])], error: Option<DecodeError>) {
        let expected: Vec<_> = expected.iter().map(|(kind, data)| (*kind, data.to_vec())).collect();
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(decode(&[input]), (expected.clone(), error));
        assert_eq!(decode(&bytes), (expected, error), "byte by byte");
    }

    #[test]
    fn packets_whole_and_byte_by_byte() {
        use PacketType::{Message, Open, Ping, Upgrade};
        check(b"\x010", &[(Open, b"")], None);
        check(
            b"\x064hello\x83\x01\x02\x03\x015",
            &[(Message, b"hello"), (Message, b"bytes:\x01\x02\x03"), (Upgrade, b"")],
            None,
        );
        check(b"\x062probe\x064b", &[(Ping, b"probe")], None);
        // a longer header than needed
        check(b"\x7e\x00\x024a\x7f\0\0\0\0\0\0\0\x024b", &[(Message, b"a"), (Message, b"b")], None);
        // base64, as on a WebSocket
        check(b"\x05bAQID\x01b", &[(Message, b"bytes:\x01\x02\x03"), (Message, b"bytes:")], None);
    }

    #[test]
    fn lengths_at_their_bounds() {
        for len in [1, 125, 126, 65_535, 65_536, MAX] {
            for is_binary in [false, true] {
                let (header, count) = header(is_binary, len);
                let mut input = header[..count].to_vec();
                input.resize(count + len, if is_binary { 7 } else { b'4' });
                let expected: Vec<u8> = match is_binary {
                    true => b"bytes:".iter().copied().chain(vec![7; len]).collect(),
                    false => vec![b'4'; len - 1],
                };
                let packets = vec![(PacketType::Message, expected)];
                assert_eq!(decode(&[&input]), (packets.clone(), None));
                let (one, other) = input.split_at(count + len / 2);
                assert_eq!(decode(&[one, other]), (packets, None));
            }
        }
        assert_eq!(
            (header(false, 6), header(true, 3)),
            (([6, 0, 0, 0, 0, 0, 0, 0, 0], 1), ([0x83, 0, 0, 0, 0, 0, 0, 0, 0], 1))
        );
        assert_eq!(&header(true, 1_000_000).0, b"\xff\0\0\0\0\0\x0f\x42\x40");
    }

    #[test]
    fn errors_by_the_header_alone() {
        let message: &[(PacketType, &[u8])] = &[(PacketType::Message, b"")];
        for empty in [&b"\x014\0"[..], b"\x014\x80", b"\x014\x7e\0\0", b"\x014\xff\0\0\0\0\0\0\0\0"]
        {
            check(empty, message, Some(DecodeError::EmptyPacket));
        }
        let long = (MAX as u64 + 1).to_be_bytes();
        check(&[b"\x014\x7f", &long[..]].concat(), message, Some(DecodeError::TooLarge));
        check(b"\x014\xff\xff\xff\xff\xff\xff\xff\xff\xff", message, Some(DecodeError::TooLarge));
        check(b"\x014\x019", message, Some(DecodeError::UnknownType(b'9')));
        check(b"\x014\x034\xff\xff", message, Some(DecodeError::Utf8));
    }

    #[test]
    fn what_is_kept_grows_with_what_arrives() {
        let mut decoder = Decoder::new(MAX);
        assert_eq!(decoder.kept_bytes(), 0);
        assert_eq!(decoder.feed(b"\x7e\xff\xff4abc").next(), Ok(None));
        assert!((4..1024).contains(&decoder.kept_bytes()), "{}", decoder.kept_bytes());
        decoder.skip_packets();
        assert_eq!(decoder.kept_bytes(), 0);
        assert_eq!(decoder.feed(b"\x014").next(), Ok(None));
    }

    #[test]
    fn the_rest_is_what_was_not_used() {
        let mut decoder = Decoder::new(MAX);
        let mut packets = decoder.feed(b"\x010\x0240");
        assert_eq!(packets.next().unwrap().unwrap().kind, PacketType::Open);
        assert_eq!(packets.rest(), b"\x0240");
    }
}
