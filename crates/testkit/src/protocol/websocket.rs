//! The client's side of RFC 6455: frames, right ones and wrong ones.
//!
//! What the server sends is checked: it must not mask, must use the shortest length and must send
//! UTF-8. Extensions are left to the caller, who sees the reserved bits.

use bytes::{Buf, Bytes, BytesMut};

use super::Violation;

/// What comes out of a WebSocket. Complete: RFC 6455 has no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A close frame with its status, if it has one, and its reason.
    Close(Option<u16>, String),
    /// The end of the connection.
    Eof,
}

/// A frame as it was sent, fragment or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// Whether it is the last frame of its message.
    pub fin: bool,
    /// The three reserved bits; 4 is the first, which marks a compressed message.
    pub rsv: u8,
    /// The opcode: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub opcode: u8,
    /// The content.
    pub payload: Bytes,
}

/// A frame of the server as it stands in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedFrame<'a> {
    /// Whether it is the last frame of its message.
    pub fin: bool,
    /// The three reserved bits; 4 is the first, which marks a compressed message.
    pub rsv: u8,
    /// The opcode.
    pub opcode: u8,
    /// The content.
    pub payload: &'a [u8],
    /// How many bytes of the buffer it takes.
    pub size: usize,
}

impl<'a> ParsedFrame<'a> {
    /// The frame that `bytes` begin with; none until all of it is there.
    ///
    /// # Errors
    ///
    /// If it is masked, or its length not in the shortest form.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        // RFC 6455 5.1
        if second & 0x80 != 0 {
            return Err(Violation::new("the server masks its frames"));
        }
        let (header, size) = match (second, rest) {
            (126, &[a, b, ..]) => (4, usize::from(u16::from_be_bytes([a, b]))),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize)
            }
            (126 | 127, _) => return Ok(None),
            (size, _) => (2, usize::from(size)),
        };
        // RFC 6455 5.2: the minimal number of bytes
        if (header == 4 && size < 126) || (header == 10 && size <= 0xffff) {
            return Err(Violation::new(format!("a length of {size} in {} bytes", header - 2)));
        }
        let Some(payload) = bytes[header..].get(..size) else { return Ok(None) };
        let (fin, rsv, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        Ok(Some(Self { fin, rsv, opcode, payload, size: header + size }))
    }
}

/// Takes the first frame off the buffer, once it is complete.
///
/// # Errors
///
/// As [`ParsedFrame::parse`].
pub fn take_frame(buffer: &mut BytesMut) -> Result<Option<RawFrame>, Violation> {
    let Some(ParsedFrame { fin, rsv, opcode, payload, size }) = ParsedFrame::parse(buffer)? else {
        return Ok(None);
    };
    let length = payload.len();
    buffer.advance(size - length);
    Ok(Some(RawFrame { fin, rsv, opcode, payload: buffer.split_to(length).freeze() }))
}

/// Puts messages together from their fragments, with the control frames between them.
#[derive(Debug, Default)]
pub struct Fragments {
    /// Opcode and content of a message of which fragments have arrived.
    partial: Option<(u8, BytesMut)>,
}

impl Fragments {
    /// Takes a frame in; gives what is complete with it.
    ///
    /// # Errors
    ///
    /// If RFC 6455 forbids the frame at this place.
    pub fn add(&mut self, raw: RawFrame) -> Result<Option<Frame>, Violation> {
        if raw.rsv != 0 {
            let what = format!("reserved bits without an extension: {raw:?}");
            return Err(Violation::new(what));
        }
        if raw.opcode >= CLOSE {
            return control(raw).map(Some);
        }
        let (opcode, content) = match (raw.opcode, self.partial.take()) {
            (CONTINUATION, Some((opcode, mut content))) => {
                content.extend_from_slice(&raw.payload);
                (opcode, content)
            }
            (TEXT | BINARY, None) if raw.fin => return message(raw.opcode, raw.payload).map(Some),
            (TEXT | BINARY, None) => (raw.opcode, raw.payload.as_ref().into()),
            _ => return Err(Violation::new(format!("a fragment out of order: {raw:?}"))),
        };
        if raw.fin {
            return message(opcode, content.freeze()).map(Some);
        }
        self.partial = Some((opcode, content));
        Ok(None)
    }
}

fn message(opcode: u8, content: Bytes) -> Result<Frame, Violation> {
    match opcode {
        TEXT => text(&content).map(Frame::Text),
        _ => Ok(Frame::Binary(content)),
    }
}

fn control(raw: RawFrame) -> Result<Frame, Violation> {
    // RFC 6455 5.5
    if !raw.fin || raw.payload.len() > 125 {
        let what = format!("a control frame in fragments, or too long: {raw:?}");
        return Err(Violation::new(what));
    }
    match (raw.opcode, &raw.payload[..]) {
        (CLOSE, []) => Ok(Frame::Close(None, String::new())),
        (CLOSE, [a, b, reason @ ..]) => {
            Ok(Frame::Close(Some(u16::from_be_bytes([*a, *b])), text(reason)?))
        }
        (PING, _) => Ok(Frame::Ping(raw.payload)),
        (PONG, _) => Ok(Frame::Pong(raw.payload)),
        _ => Err(Violation::new(format!("no such control frame: {raw:?}"))),
    }
}

fn text(bytes: &[u8]) -> Result<String, Violation> {
    let text = String::from_utf8(bytes.to_vec());
    text.map_err(|_| Violation::new(format!("text is not UTF-8: {bytes:02x?}")))
}

/// The bytes of a frame with the shortest form of the length.
///
/// ```text
/// fin rsv opcode | mask length | length, 0, 2 or 8 bytes | mask, 0 or 4 bytes | payload
///  1   3    4    |  1     7    |
/// ```
///
/// Other wrong frames are made by changing the first bytes of the result: `bytes[0] |= 0x40` sets
/// the first reserved bit.
pub fn frame(fin: bool, opcode: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    write_frame(&mut bytes, if fin { 0x80 | opcode } else { opcode }, mask, &[payload]);
    bytes
}

/// Appends a frame with the shortest form of the length to `out`.
///
/// `first` is its first byte: the opcode, and 0x80 for the last frame of a message. The payload is
/// put together from `parts`.
pub fn write_frame(out: &mut Vec<u8>, first: u8, mask: Option<[u8; 4]>, parts: &[&[u8]]) {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    out.push(first);
    match parts.iter().map(|part| part.len()).sum::<usize>() {
        size @ ..=125 => out.push(mask_bit | size as u8),
        size @ 126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend((size as u16).to_be_bytes());
        }
        size => {
            out.push(mask_bit | 127);
            out.extend((size as u64).to_be_bytes());
        }
    }
    out.extend(mask.into_iter().flatten());
    let mask = mask.unwrap_or_default();
    let mut mask = mask.iter().cycle();
    for part in parts {
        out.extend(part.iter().zip(&mut mask).map(|(byte, mask)| byte ^ mask));
    }
}

/// Checks the response to a WebSocket handshake. `key` is the one that was sent; the answer to it is
/// checked if it is that of [`UPGRADE_HEADERS`].
///
/// # Errors
///
/// If the response does not say that the connection is a WebSocket from then on.
pub fn check_upgrade<'a>(
    key: &str,
    status: u16,
    header: impl Fn(&str) -> Option<&'a str>,
) -> Result<(), Violation> {
    let is =
        |name, value: &str| header(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    // RFC 6455 4.1
    if status != 101 || !is("upgrade", "websocket") || !is("connection", "upgrade") {
        return Err(Violation::new("not the answer to a WebSocket handshake"));
    }
    if key == KEY && header("sec-websocket-accept") != Some(ACCEPT) {
        return Err(Violation::new(format!("Sec-WebSocket-Accept should be {ACCEPT}")));
    }
    Ok(())
}

/// A fragment that goes on.
pub const CONTINUATION: u8 = 0;
/// A text message, or its first fragment.
pub const TEXT: u8 = 1;
/// A binary message, or its first fragment.
pub const BINARY: u8 = 2;
/// The last frame of a side.
pub const CLOSE: u8 = 8;
/// A ping.
pub const PING: u8 = 9;
/// A pong.
pub const PONG: u8 = 10;

/// The headers that ask for a WebSocket. `Host` is to be added.
///
/// The key and its answer are the example of RFC 6455 1.3, so that no SHA-1 is needed.
pub const UPGRADE_HEADERS: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
];

/// The key among them.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[cfg(test)]
mod tests {
    use super::*;

    /// The end, the reserved bits, the opcode and the payload of the first frame.
    type Parts<'a> = (bool, u8, u8, &'a [u8]);

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Option<Parts<'_>>, ()>) {
        let found = ParsedFrame::parse(bytes).map_err(|_| ());
        let size = found.map_or(0, |found| found.map_or(0, |found| found.size));
        let found = found.map(|found| found.map(|f| (f.fin, f.rsv, f.opcode, f.payload)));
        assert_eq!(found, expected);
        let mut buffer = BytesMut::from(bytes);
        match take_frame(&mut buffer) {
            Ok(Some(f)) => {
                assert_eq!(Ok(Some((f.fin, f.rsv, f.opcode, &f.payload[..]))), expected);
            }
            other => assert_eq!(other.map(|_| None).map_err(|_| ()), expected),
        }
        assert_eq!(buffer, bytes[size..]);
    }

    #[test]
    fn frames_of_the_server() {
        check(b"", Ok(None));
        check(b"\x81", Ok(None));
        check(b"\x81\x00", Ok(Some((true, 0, TEXT, b""))));
        check(b"\x81\x02hi\x81", Ok(Some((true, 0, TEXT, b"hi"))));
        check(b"\x01\x02hi", Ok(Some((false, 0, TEXT, b"hi"))));
        check(b"\xc2\x02hi", Ok(Some((true, 4, BINARY, b"hi"))));
        check(b"\x81\x03hi", Ok(None));
        check(b"\x82\x7e\x01", Ok(None));
        check(b"\x82\x7e\x00\x7d", Err(()));
        check(b"\x82\x7f\0\0\0\0\0\0\xff", Ok(None));
        check(b"\x82\x7f\0\0\0\0\0\0\xff\xff", Err(()));
        check(b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", Ok(None));
        // masked
        check(b"\x81\x82mask..", Err(()));
        check(&[b"\x82\x7e\0\x7e", &[7; 126][..]].concat(), Ok(Some((true, 0, BINARY, &[7; 126]))));
        let long = [b"\x82\x7f\0\0\0\0\0\x01\0\0", &[7; 65536][..]].concat();
        check(&long, Ok(Some((true, 0, BINARY, &[7; 65536]))));
    }

    #[test]
    fn frames_of_the_client() {
        let mask = Some([0x5a, 0xc3, 0x17, 0x9e]);
        let masked = [0x81, 0x85, 0x5a, 0xc3, 0x17, 0x9e, 0x5a, 0xc3, 0x17, 0x9e, 0x5a];
        assert_eq!(frame(true, TEXT, mask, &[0; 5]), masked);
        let mut parts = vec![0xff];
        write_frame(&mut parts, 0x81, mask, &[&[0; 3], &[], &[0; 2]]);
        assert_eq!(parts[1..], masked);
        assert_eq!(frame(false, BINARY, None, b"x"), [0x02, 1, b'x']);
        assert_eq!(frame(true, BINARY, mask, &[0; 126])[..4], [0x82, 0xfe, 0, 126]);
        assert_eq!(frame(true, BINARY, None, &[0; 65535])[..4], [0x82, 0x7e, 0xff, 0xff]);
        let long = frame(true, BINARY, mask, &[0; 65536]);
        assert_eq!(long[..10], [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    /// The frames, first byte and payload, and what comes out of the last one.
    #[track_caller]
    fn check_message(frames: &[(u8, &[u8])], expected: Result<Option<Frame>, &str>) {
        let mut fragments = Fragments::default();
        let outcomes = frames.iter().map(|&(first, payload)| {
            let payload = Bytes::copy_from_slice(payload);
            let (fin, rsv, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
            fragments.add(RawFrame { fin, rsv, opcode, payload })
        });
        match (outcomes.last().expect("a frame"), expected) {
            (Err(found), Err(expected)) => assert!(found.0.contains(expected), "{found}"),
            (found, expected) => assert_eq!(found.ok(), expected.ok()),
        }
    }

    #[test]
    fn messages() {
        let text = |text: &str| Ok(Some(Frame::Text(text.to_owned())));
        let bytes = |bytes| Bytes::from_static(bytes);
        check_message(&[(0x81, b"hi")], text("hi"));
        check_message(&[(0x82, b"\xff")], Ok(Some(Frame::Binary(bytes(b"\xff")))));
        // a character that is cut, with a ping between its halves
        check_message(&[(0x01, b"\xc3")], Ok(None));
        check_message(&[(0x01, b"\xc3"), (0x89, b"p")], Ok(Some(Frame::Ping(bytes(b"p")))));
        check_message(&[(0x01, b"\xc3"), (0x89, b"p"), (0x80, b"\xa4")], text("ä"));
        check_message(&[(0x02, b"a"), (0x00, b"b")], Ok(None));
        check_message(&[(0x8a, b"p")], Ok(Some(Frame::Pong(bytes(b"p")))));
        check_message(&[(0x88, b"")], Ok(Some(Frame::Close(None, String::new()))));
        let close = Frame::Close(Some(1001), "bye".to_owned());
        check_message(&[(0x88, b"\x03\xe9bye")], Ok(Some(close)));
        check_message(&[(0x88, b"\x03")], Err("no such control frame"));
        check_message(&[(0x8b, b"")], Err("no such control frame"));
        check_message(&[(0x83, b"")], Err("out of order"));
        check_message(&[(0x80, b"")], Err("out of order"));
        check_message(&[(0x01, b""), (0x81, b"")], Err("out of order"));
        check_message(&[(0xc1, b"")], Err("reserved bits"));
        check_message(&[(0x09, b"")], Err("in fragments, or too long"));
        check_message(&[(0x89, &[0; 126])], Err("in fragments, or too long"));
        check_message(&[(0x81, b"\xff")], Err("not UTF-8"));
    }

    #[test]
    fn answers_to_the_handshake() {
        let check = |key, status, upgrade, accept| {
            check_upgrade(key, status, |name| match name {
                "upgrade" => Some(upgrade),
                "connection" => Some("upgrade"),
                _ => Some(accept),
            })
            .is_ok()
        };
        assert!(check(KEY, 101, "WebSocket", ACCEPT));
        assert!(!check(KEY, 200, "WebSocket", ACCEPT));
        assert!(!check(KEY, 101, "h2c", ACCEPT));
        assert!(!check(KEY, 101, "WebSocket", "s3p"));
        assert!(check("another", 101, "WebSocket", "s3p"));
    }
}
