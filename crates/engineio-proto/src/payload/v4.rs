//! Payloads of protocol 4: text packets joined by U+001E; binary is base64.
// Engine.IO v4: HTTP long-polling, payload

use memchr::memchr;

use crate::error::DecodeError;
use crate::outgoing::{Outgoing, Part, write_base64};
use crate::packet::{Packet, Protocol};

/// The packet that starts at `offset`, which moves behind the separator after it. The end of the
/// body counts as a separator: so a body that ends in a real one has an empty packet left.
pub(super) fn next<'a>(
    body: &'a str,
    offset: &mut usize,
) -> Result<Option<Packet<'a>>, DecodeError> {
    let Some(rest) = body.get(*offset..) else { return Ok(None) };
    let end = memchr(SEPARATOR, rest.as_bytes()).unwrap_or(rest.len());
    *offset += end + 1;
    Packet::from_text(Protocol::V4, &rest[..end]).map(Some)
}

pub(super) fn encode(packets: &[Outgoing], out: &mut Vec<u8>) {
    for (index, part) in packets.iter().flat_map(Outgoing::parts).enumerate() {
        if index > 0 {
            out.push(SEPARATOR);
        }
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Binary(bytes) => write_base64(Protocol::V4, bytes, out),
        }
    }
}

/// The record separator. One byte in UTF-8, so it can be searched as a byte.
const SEPARATOR: u8 = 0x1e;
