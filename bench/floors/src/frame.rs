//! The least of RFC 6455 that a server needs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

pub(crate) fn accept_key(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// The answer to a whole request for an upgrade.
pub(crate) fn upgrade_answer(request: &[u8]) -> Vec<u8> {
    let request = String::from_utf8_lossy(request);
    let key = request
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map_or("", |(_, key)| key.trim());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.as_bytes())
    )
    .into_bytes()
}

/// What the frames of a buffer come to.
pub(crate) struct Handled {
    /// Bytes of whole frames.
    pub(crate) used: usize,
    pub(crate) closes: bool,
}

/// Handles all whole frames of a buffer: appends the answers, and whole frames for everybody to
/// `casts`.
pub(crate) fn handle(
    bytes: &mut [u8],
    answers: &mut Vec<u8>,
    mut cast: impl FnMut(Vec<u8>),
) -> Handled {
    let mut used = 0;
    while let Some(frame) = parse(&bytes[used..]) {
        let payload = &mut bytes[used + frame.start..used + frame.end];
        used += frame.end;
        unmask(payload, frame.mask);
        match frame.opcode {
            CLOSE => {
                put(answers, CLOSE, payload);
                return Handled { used, closes: true };
            }
            PING => put(answers, PONG, payload),
            TEXT | BINARY => {
                if frame.opcode == TEXT && std::str::from_utf8(payload).is_err() {
                    return Handled { used, closes: true };
                }
                if payload.first() == Some(&b'B') {
                    let mut frame_for_all = Vec::with_capacity(payload.len() + 10);
                    put(&mut frame_for_all, frame.opcode, payload);
                    cast(frame_for_all);
                } else {
                    put(answers, frame.opcode, payload);
                }
            }
            _ => {}
        }
    }
    Handled { used, closes: false }
}

struct Frame {
    opcode: u8,
    start: usize,
    end: usize,
    mask: [u8; 4],
}

fn parse(bytes: &[u8]) -> Option<Frame> {
    let &[first, second, ..] = bytes else { return None };
    let (length, at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 10),
        length => (usize::from(length), 2_usize),
    };
    let mask = *bytes.get(at..)?.first_chunk()?;
    let (start, end) = (at + 4, (at + 4).checked_add(length)?);
    (bytes.len() >= end).then_some(Frame { opcode: first & 0x0f, start, end, mask })
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let mut chunks = bytes.chunks_exact_mut(8);
    let wide = u64::from(u32::from_ne_bytes(mask));
    let wide = wide << 32 | wide;
    for chunk in &mut chunks {
        let value = u64::from_ne_bytes(*chunk.first_chunk().expect("chunks of 8")) ^ wide;
        chunk.copy_from_slice(&value.to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        length @ ..=125 => out.push(length as u8),
        length @ ..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        let mut bytes = Vec::new();
        let message = b"hello, world";
        bytes.extend([0x81, 0x80 | message.len() as u8, 1, 2, 3, 4]);
        bytes.extend(message.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, m)| byte ^ m));
        bytes.push(0x81);
        let mut answers = Vec::new();
        let handled = handle(&mut bytes, &mut answers, |_| panic!("is for its sender alone"));
        assert_eq!((handled.used, handled.closes), (18, false));
        assert_eq!(answers, [&[0x81, 12], &message[..]].concat());
    }

    #[test]
    fn the_key() {
        // RFC 6455 1.3
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
