//! Payloads: the packets in the body of a poll or a POST, and their JSONP wrapping.

use bytes::Bytes;

use crate::engine::{Eio, Packet};
use crate::http::Response;

/// The text form of several packets.
pub(crate) fn encode(eio: Eio, packets: &[Packet]) -> String {
    let texts: Vec<_> = packets.iter().map(|packet| packet.to_text(eio)).collect();
    match eio {
        // Engine.IO v3: payload, text; the length is that of a JavaScript string
        Eio::V3 => texts.iter().map(|t| format!("{}:{t}", t.encode_utf16().count())).collect(),
        Eio::V4 => texts.join("\u{1e}"),
    }
}

/// The body of a POST by JSONP.
pub(crate) fn encode_form(payload: &str) -> String {
    let escaped = payload.replace("\\n", "\\\\n").replace('\n', "\\n");
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    format!("d={}", escaped.bytes().map(encode).collect::<String>())
}

/// The packets in the answer to a poll.
pub(crate) fn decode(eio: Eio, response: &Response) -> Result<Vec<Packet>, String> {
    if response.status != 200 {
        return Err(format!("the server refused: {response:?}"));
    }
    let kind = response.header("content-type").unwrap_or_default();
    if eio == Eio::V3 && kind == "application/octet-stream" {
        return decode_binary(&response.body);
    }
    let text = std::str::from_utf8(&response.body).map_err(|e| e.to_string())?;
    let unwrapped;
    let text = if text.starts_with("___eio[") {
        unwrapped = unwrap_jsonp(text).ok_or_else(|| format!("not JSONP: {text:?}"))?;
        &unwrapped
    } else {
        text
    };
    match eio {
        Eio::V3 => decode_text(text),
        Eio::V4 => text.split('\u{1e}').map(|packet| Packet::from_text(eio, packet)).collect(),
    }
}

/// The text in `___eio[0]("...");`. What the server escapes, JSON escapes in the same way.
fn unwrap_jsonp(text: &str) -> Option<String> {
    let (_, literal) = text.strip_suffix(");")?.split_once('(')?;
    serde_json::from_str(literal).ok()
}

// Engine.IO v3: payload, text
fn decode_text(mut text: &str) -> Result<Vec<Packet>, String> {
    let mut packets = Vec::new();
    while !text.is_empty() {
        let wrong = || format!("not a payload: {text:?}");
        let (length, rest) = text.split_once(':').ok_or_else(wrong)?;
        let length: usize = length.parse().map_err(|_| wrong())?;
        // The place where so many UTF-16 units have passed; none if it is inside of a character.
        let mut units = 0;
        let end = rest.char_indices().chain([(rest.len(), '\0')]).find_map(|(at, c)| {
            let here = (units == length).then_some(at);
            units += c.len_utf16();
            here
        });
        let (packet, rest) = rest.split_at(end.ok_or_else(wrong)?);
        packets.push(Packet::from_text(Eio::V3, packet)?);
        text = rest;
    }
    Ok(packets)
}

// Engine.IO v3: payload, binary
//
//     0 text or 1 binary | length, one digit 0..9 per byte | 255 | content
fn decode_binary(mut bytes: &[u8]) -> Result<Vec<Packet>, String> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let wrong = || format!("not a binary payload: {bytes:02x?}");
        let end = bytes.iter().position(|&byte| byte == 255).ok_or_else(wrong)?;
        let mut length = 0_usize;
        for &digit in bytes.get(1..end).ok_or_else(wrong)? {
            let longer = length.checked_mul(10).and_then(|n| n.checked_add(usize::from(digit)));
            length = longer.filter(|_| digit < 10).ok_or_else(wrong)?;
        }
        let (packet, rest) = bytes[end + 1..].split_at_checked(length).ok_or_else(wrong)?;
        packets.push(match (bytes[0], packet) {
            (0, packet) => {
                let text = std::str::from_utf8(packet).map_err(|_| wrong())?;
                Packet::from_text(Eio::V3, text)?
            }
            // The number 4, not the digit: the type "message".
            (1, [4, content @ ..]) => Packet::Binary(Bytes::copy_from_slice(content)),
            _ => return Err(wrong()),
        });
        bytes = rest;
    }
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(eio: Eio, kind: &str, body: &[u8], expected: &[Packet]) {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        let response = Response { status: 200, headers, body: Bytes::copy_from_slice(body) };
        let found = decode(eio, &response).ok();
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
        check(Eio::V3, octets, b"\x00\x09\xff40", &[]);
        check(Eio::V3, octets, b"\xff", &[]);
        check(Eio::V4, text, b"40\x1ebAQI=", &["40".into(), binary()]);
        check(Eio::V4, text, b"40\x1e", &[]);
        check(Eio::V4, text, br#"___eio[0]("42[\"x\"]");"#, &["42[\"x\"]".into()]);
    }

    #[test]
    fn payloads_are_written() {
        let packets = [Packet::from("4€😀"), Packet::Binary(Bytes::from_static(&[1, 2]))];
        assert_eq!(encode(Eio::V3, &packets), "4:4€😀6:b4AQI=");
        assert_eq!(encode(Eio::V4, &packets), "4€😀\u{1e}bAQI=");
        // A newline becomes `\n`, a backslash before an n is doubled.
        assert_eq!(encode_form("4a\n\\n"), "d=4a%5Cn%5C%5Cn");
    }
}
