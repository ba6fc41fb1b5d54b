//! Payloads of protocol 3, where each packet stands behind its length.
//!
//! ```text
//!   text    | length, ASCII digits | ':' | packet                  length in UTF-16 code units
//!   binary  | 0 or 1 | length, one byte 0..9 per digit | 255 | packet         length in bytes
//!             ^ text or binary packet
//! ```
//!
//! The length of the text form is the length of a JavaScript string. In UTF-8 these units can be
//! counted byte by byte, without decoding: every byte that starts a character is one, a byte that
//! starts a character of four bytes (a surrogate pair) is two, continuation bytes are none.
// Engine.IO v3: payload

use bytes::Bytes;

use crate::error::DecodeError;
use crate::outgoing::{Outgoing, Part, base64_len, write_base64};
use crate::packet::{Packet, PacketType, Protocol};

/// The packet of the text form that starts at `offset`, which moves behind it.
pub(super) fn next_text<'a>(
    body: &'a str,
    offset: &mut usize,
) -> Result<Option<Packet<'a>>, DecodeError> {
    loop {
        let rest = body.get(*offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let (units, head) = length(rest.as_bytes(), b'0', b':')?;
        let packet = &rest[head..];
        let end = utf16_end(packet, units).ok_or(DecodeError::Length)?;
        *offset += head + end;
        // Node: a packet of length 0 is skipped, `0:` is what it sends for no packet at all
        if end > 0 {
            return Packet::from_text(Protocol::V3, &packet[..end]).map(Some);
        }
    }
}

/// The packet of the binary form that starts at `offset`, which moves behind it.
// Engine.IO v3: payload, binary
pub(super) fn next_binary<'a>(
    body: &'a Bytes,
    offset: &mut usize,
) -> Result<Option<Packet<'a>>, DecodeError> {
    let Some((&kind, rest)) = body.get(*offset..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    let (length, head) = length(rest, 0, 255)?;
    let packet = rest[head..].get(..length).ok_or(DecodeError::Length)?;
    let start = *offset + 1 + head;
    *offset = start + length;
    match kind {
        0 => {
            let text = std::str::from_utf8(packet).map_err(|_| DecodeError::Utf8)?;
            Packet::from_text(Protocol::V3, text).map(Some)
        }
        1 => Packet::from_binary(Protocol::V3, body.slice(start..start + length)).map(Some),
        kind => Err(DecodeError::UnknownType(kind)),
    }
}

/// Appends the text form; binary packets as base64.
pub(super) fn encode_text(packets: &[Outgoing], out: &mut Vec<u8>) {
    if packets.is_empty() {
        out.extend_from_slice(b"0:");
    }
    for part in packets.iter().flat_map(Outgoing::parts) {
        let units = match part {
            Part::Text(text) => utf16_units(text),
            Part::Binary(bytes) => base64_len(Protocol::V3, bytes.len()),
        };
        write_length(units, b'0', b':', out);
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Binary(bytes) => write_base64(Protocol::V3, bytes, out),
        }
    }
}

/// Appends the binary form.
// Engine.IO v3: payload, binary
pub(super) fn encode_binary(packets: &[Outgoing], out: &mut Vec<u8>) {
    for part in packets.iter().flat_map(Outgoing::parts) {
        match part {
            Part::Text(text) => {
                out.push(0);
                write_length(text.len(), 0, 255, out);
                out.extend_from_slice(text);
            }
            Part::Binary(bytes) => {
                out.push(1);
                write_length(1 + bytes.len(), 0, 255, out);
                out.push(PacketType::Message as u8);
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// Reads a length and its terminator: the number, and the bytes that both take.
///
/// More digits than the rest of the body has bytes to count are refused before they are read.
fn length(bytes: &[u8], zero: u8, terminator: u8) -> Result<(usize, usize), DecodeError> {
    let max_digits = bytes.len().checked_ilog10().map_or(0, |log| log as usize + 1);
    let mut length = 0_usize;
    for (index, &byte) in bytes.iter().enumerate().take(max_digits + 1) {
        if byte == terminator && index > 0 {
            return Ok((length, index + 1));
        }
        let digit = byte.wrapping_sub(zero);
        if digit > 9 {
            break;
        }
        length = length
            .checked_mul(10)
            .and_then(|length| length.checked_add(digit.into()))
            .ok_or(DecodeError::Length)?;
    }
    Err(DecodeError::Length)
}

fn write_length(mut length: usize, zero: u8, terminator: u8, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(terminator);
    loop {
        out.push(zero + (length % 10) as u8);
        length /= 10;
        if length == 0 {
            break;
        }
    }
    out[start..].reverse();
}

/// Where `units` UTF-16 code units of `text` end; `None` beyond its end and inside a pair.
///
/// Whole blocks are counted at once as long as they cannot reach the end that is looked for. A
/// block may end inside a character: its first byte counted, its other bytes count nothing.
fn utf16_end(text: &str, units: usize) -> Option<usize> {
    // most packets: one unit per byte, which is found out many bytes at a time
    if text.as_bytes().get(..units).is_some_and(<[u8]>::is_ascii) {
        return Some(units);
    }
    let mut left = units;
    let mut end = 0;
    for block in text.as_bytes().chunks_exact(BLOCK) {
        // the last byte may start a pair, so a block has at most one unit more than bytes
        if left <= BLOCK {
            break;
        }
        left -= utf16_units(block);
        end += BLOCK;
    }
    for &byte in &text.as_bytes()[end..] {
        let units = utf16_units(&[byte]);
        if left == 0 && units > 0 {
            break;
        }
        left = left.checked_sub(units)?;
        end += 1;
    }
    (left == 0).then_some(end)
}

/// The UTF-16 code units of valid UTF-8, or of a part of it.
///
/// The sums of a block fit a byte, which lets the compiler count 16 or 32 bytes at a time.
fn utf16_units(bytes: &[u8]) -> usize {
    bytes
        .chunks(BLOCK)
        .map(|block| {
            let units: u8 = block
                .iter()
                .map(|&byte| u8::from(byte & 0xc0 != 0x80) + u8::from(byte >= 0xf0))
                .sum();
            usize::from(units)
        })
        .sum()
}

/// Bytes counted at once; twice as many must fit a `u8`.
const BLOCK: usize = 64;
