//! Payloads: the packets in the body of a poll or a POST, and their JSONP wrapping.

use super::{Eio, Packet, RawPacket, Violation};

/// The packets in the body of an answer to a poll, as they stand there. JSONP is not unwrapped.
///
/// It ends after the first error.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    form: Form,
    /// None at the end.
    rest: Option<&'a [u8]>,
}

/// How packets stand beside each other.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Protocol 3, text.
    Lengths,
    /// Protocol 3 with bytes.
    Digits,
    /// Protocol 4.
    Separated,
}

impl<'a> Packets<'a> {
    /// The packets in this body. `content_type` tells the two forms of protocol 3 apart.
    #[must_use]
    pub fn new(eio: Eio, content_type: &str, body: &'a [u8]) -> Self {
        let form = match eio {
            Eio::V3 if content_type == "application/octet-stream" => Form::Digits,
            Eio::V3 => Form::Lengths,
            Eio::V4 => Form::Separated,
        };
        // an empty body has a packet that is empty, where packets are separated
        let is_over = body.is_empty() && !matches!(form, Form::Separated);
        Self { form, rest: (!is_over).then_some(body) }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<RawPacket<'a>, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.rest.take()?;
        let taken = match self.form {
            Form::Lengths => take_text(body),
            Form::Digits => take_binary(body),
            Form::Separated => match body.iter().position(|&byte| byte == SEPARATOR) {
                None => return Some(Ok(RawPacket::Text(body))),
                Some(at) => {
                    self.rest = Some(&body[at + 1..]);
                    return Some(Ok(RawPacket::Text(&body[..at])));
                }
            },
        };
        let Some((packet, rest)) = taken else {
            let body = String::from_utf8_lossy(body);
            return Some(Err(Violation::new(format!("not a payload: {body:?}"))));
        };
        self.rest = (!rest.is_empty()).then_some(rest);
        Some(Ok(packet))
    }
}

/// The packets in the body of an answer to a poll, apart from it, unwrapped from JSONP.
///
/// # Errors
///
/// If it is no payload, or something in it no packet.
pub fn decode_payload(eio: Eio, content_type: &str, body: &[u8]) -> Result<Vec<Packet>, Violation> {
    let unwrapped;
    let body = if body.starts_with(b"___eio[") {
        let wrong = || Violation::new(format!("not JSONP: {:?}", String::from_utf8_lossy(body)));
        unwrapped = unwrap_jsonp(body).ok_or_else(wrong)?;
        unwrapped.as_bytes()
    } else {
        body
    };
    Packets::new(eio, content_type, body).map(|packet| packet?.to_packet(eio)).collect()
}

/// The text in `___eio[0]("...");`. What the server escapes, JSON escapes in the same way.
fn unwrap_jsonp(body: &[u8]) -> Option<String> {
    let (_, literal) = std::str::from_utf8(body).ok()?.strip_suffix(");")?.split_once('(')?;
    serde_json::from_str(literal).ok()
}

// Engine.IO v3: payload, text; the length is that of a JavaScript string
fn take_text(body: &[u8]) -> Option<(RawPacket<'_>, &[u8])> {
    let colon = body.iter().position(|&byte| byte == b':')?;
    let length: usize = std::str::from_utf8(&body[..colon]).ok()?.parse().ok()?;
    let rest = &body[colon + 1..];
    let end = match rest.get(..length) {
        Some(packet) if packet.is_ascii() => length,
        _ => end_of_units(rest, length)?,
    };
    let (packet, rest) = rest.split_at(end);
    Some((RawPacket::Text(packet), rest))
}

/// The place where so many UTF-16 units have passed; none if it is inside of a character.
fn end_of_units(bytes: &[u8], length: usize) -> Option<usize> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut units = 0;
    text.char_indices().chain([(text.len(), '\0')]).find_map(|(at, c)| {
        let here = (units == length).then_some(at);
        units += c.len_utf16();
        here
    })
}

// Engine.IO v3: payload, binary
//
//     0 text or 1 binary | length, one digit 0..9 per byte | 255 | content
fn take_binary(body: &[u8]) -> Option<(RawPacket<'_>, &[u8])> {
    let end = body.iter().position(|&byte| byte == 255)?;
    let digits = body.get(1..end)?;
    let length = digits.iter().try_fold(0_usize, |length, &digit| {
        length.checked_mul(10)?.checked_add(usize::from(digit)).filter(|_| digit < 10)
    })?;
    let (packet, rest) = body[end + 1..].split_at_checked(length)?;
    match (body[0], packet) {
        (0, text) => Some((RawPacket::Text(text), rest)),
        // The number 4, not the digit: the type "message".
        (1, [4, content @ ..]) => Some((RawPacket::Binary(content), rest)),
        _ => None,
    }
}

/// The text form of several packets, for the body of a POST.
#[must_use]
pub fn encode_payload(eio: Eio, packets: &[Packet]) -> String {
    let texts: Vec<_> = packets.iter().map(|packet| packet.to_text(eio)).collect();
    match eio {
        // Engine.IO v3: payload, text; the length is that of a JavaScript string
        Eio::V3 => texts.iter().map(|t| format!("{}:{t}", t.encode_utf16().count())).collect(),
        Eio::V4 => texts.join("\u{1e}"),
    }
}

/// The body of a POST by JSONP.
#[must_use]
pub fn encode_form(payload: &str) -> String {
    let escaped = payload.replace("\\n", "\\\\n").replace('\n', "\\n");
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    format!("d={}", escaped.bytes().map(encode).collect::<String>())
}

const SEPARATOR: u8 = 0x1e;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[track_caller]
    fn check(eio: Eio, kind: &str, body: &[u8], expected: &[Packet]) {
        let found = decode_payload(eio, kind, body).ok();
        assert_eq!(found.as_deref().unwrap_or_default(), expected);
    }

    #[test]
    fn payloads_are_read() {
        let text = "text/plain; charset=UTF-8";
        let octets = "application/octet-stream";
        let binary = || Packet::Binary(Bytes::from_static(&[1, 2]));
        // The emoji counts as two.
        check(Eio::V3, text, "4:4€😀2:40".as_bytes(), &["4€😀".into(), "40".into()]);
        check(Eio::V3, text, b"6:b4AQI=2:40", &[binary(), "40".into()]);
        check(Eio::V3, text, b"5:b4AQI=", &[]);
        check(Eio::V3, text, "3:4€😀2:40".as_bytes(), &[]);
        check(Eio::V3, text, b"5:40", &[]);
        check(Eio::V3, text, b"x:40", &[]);
        check(Eio::V3, octets, b"\x00\x02\xff40\x01\x03\xff\x04\x01\x02", &["40".into(), binary()]);
        check(Eio::V3, octets, b"\x00\x01\x00\xff4123456789", &["4123456789".into()]);
        check(Eio::V3, octets, b"\x00\x09\xff40", &[]);
        check(Eio::V3, octets, b"\x00\x0a\xff4123456789", &[]);
        check(Eio::V3, octets, b"\x02\x02\xff40", &[]);
        check(Eio::V3, octets, b"\x01\x02\xff\x01\x02", &[]);
        check(Eio::V3, octets, b"\xff", &[]);
        check(Eio::V3, text, b"", &[]);
        check(Eio::V4, text, b"40\x1ebAQI=", &["40".into(), binary()]);
        check(Eio::V4, text, b"40\x1e", &[]);
        check(Eio::V4, text, b"", &[]);
        check(Eio::V4, text, br#"___eio[0]("42[\"x\"]");"#, &["42[\"x\"]".into()]);
        check(Eio::V4, text, br#"___eio[0]("42"#, &[]);
    }

    #[test]
    fn packets_stay_where_they_are() {
        let mut packets = Packets::new(Eio::V3, "text/plain", b"3:4\xc3\xa4x2:40");
        assert_eq!(packets.next(), Some(Ok(RawPacket::Text(b"4\xc3\xa4x"))));
        assert_eq!(packets.next(), Some(Ok(RawPacket::Text(b"40"))));
        assert_eq!(packets.next(), None);
        let mut packets = Packets::new(Eio::V3, "text/plain", b"2:406:40");
        assert_eq!(packets.next(), Some(Ok(RawPacket::Text(b"40"))));
        assert!(matches!(packets.next(), Some(Err(_))));
        assert_eq!(packets.next(), None);
    }

    #[test]
    fn payloads_are_written() {
        let packets = [Packet::from("4€😀"), Packet::Binary(Bytes::from_static(&[1, 2]))];
        assert_eq!(encode_payload(Eio::V3, &packets), "4:4€😀6:b4AQI=");
        assert_eq!(encode_payload(Eio::V4, &packets), "4€😀\u{1e}bAQI=");
        // A newline becomes `\n`, a backslash before an n is doubled.
        assert_eq!(encode_form("4a\n\\n"), "d=4a%5Cn%5C%5Cn");
    }
}
