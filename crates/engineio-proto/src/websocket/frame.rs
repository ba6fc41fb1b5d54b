//! The frames that a server sends, and the mask on those that it gets.
//!
//! ```text
//!    bit  0    1   2   3    4 .. 7   8     9 .. 15
//!       +-----+---+---+---+--------+------+--------+----------------+-----------+---------
//!       | FIN | reserved  | opcode | MASK | length | longer length  | mask      | payload
//!       +-----+---+---+---+--------+------+--------+----------------+-----------+---------
//!                                           < 126: -   126: u16   127: u64   4 bytes if MASK
//! ```
// RFC 6455 5.2

/// The longest header of a frame without a mask.
pub const MAX_HEADER: usize = 10;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the RFC reserves the other codes")]
pub enum Opcode {
    /// A further part of a message.
    Continuation = 0x0,
    /// A text message, or its first part.
    Text = 0x1,
    /// A binary message, or its first part.
    Binary = 0x2,
    /// The end of the connection.
    Close = 0x8,
    /// A question for a sign of life.
    Ping = 0x9,
    /// The answer to a ping.
    Pong = 0xa,
}

impl Opcode {
    /// The opcode of a frame's first byte; `None` if it is reserved.
    #[must_use]
    pub const fn from_first_byte(byte: u8) -> Option<Self> {
        Some(match byte & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Whether this is no part of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of an unfragmented frame from the server, and how many bytes of it count.
#[must_use]
pub const fn header(
    opcode: Opcode,
    payload_len: usize,
    compressed: bool,
) -> ([u8; MAX_HEADER], usize) {
    let first = FIN | if compressed { RSV1 } else { 0 } | opcode as u8;
    let [a, b, c, d, e, f, g, h] = (payload_len as u64).to_be_bytes();
    match payload_len {
        0..=125 => ([first, h, 0, 0, 0, 0, 0, 0, 0, 0], 2),
        126..=0xffff => ([first, LENGTH_16, g, h, 0, 0, 0, 0, 0, 0], 4),
        _ => ([first, LENGTH_64, a, b, c, d, e, f, g, h], MAX_HEADER),
    }
}

/// Appends an unfragmented, uncompressed frame, such as the pong to a ping.
pub fn write_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let (header, length) = header(opcode, payload.len(), false);
    out.extend_from_slice(&header[..length]);
    out.extend_from_slice(payload);
}

/// Removes (or puts on) the mask of a part of a payload that starts at byte `offset` of it.
///
/// The mask is turned so that it begins at the part's first byte and doubled to a word; eight bytes
/// at a time, which the compiler widens further.
// RFC 6455 5.3
pub fn unmask(part: &mut [u8], mask: [u8; 4], offset: usize) {
    let turned = u32::from_be_bytes(mask).rotate_left(8 * (offset % 4) as u32);
    let mask @ [a, b, c, d] = turned.to_be_bytes();
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = part.chunks_exact_mut(8);
    for word in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// First byte: the last (or only) frame of a message.
pub(super) const FIN: u8 = 0x80;
/// First byte: the message is compressed, where that is negotiated.
// RFC 7692 6
pub(super) const RSV1: u8 = 0x40;
/// First byte: the bits that extensions may use.
pub(super) const RESERVED: u8 = 0x70;
/// Second byte: the payload is masked.
pub(super) const MASKED: u8 = 0x80;
/// Second byte: the length is in the next two bytes.
pub(super) const LENGTH_16: u8 = 126;
/// Second byte: the length is in the next eight bytes.
pub(super) const LENGTH_64: u8 = 127;
/// The longest payload of a control frame.
// RFC 6455 5.5
pub(super) const MAX_CONTROL: usize = 125;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_header(opcode: Opcode, payload_len: usize, compressed: bool, expected: &[u8]) {
        let (header, length) = header(opcode, payload_len, compressed);
        assert_eq!(header[..length], *expected);
    }

    #[test]
    fn headers() {
        check_header(Opcode::Text, 0, false, b"\x81\x00");
        check_header(Opcode::Binary, 125, false, b"\x82\x7d");
        check_header(Opcode::Text, 126, false, b"\x81\x7e\x00\x7e");
        check_header(Opcode::Text, 65_535, false, b"\x81\x7e\xff\xff");
        check_header(Opcode::Text, 65_536, false, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
        check_header(Opcode::Text, 3, true, b"\xc1\x03");
        check_header(Opcode::Close, 2, false, b"\x88\x02");
    }

    #[test]
    fn small_frames() {
        let mut out = b"x".to_vec();
        write_frame(Opcode::Pong, b"hi", &mut out);
        write_frame(Opcode::Ping, b"", &mut out);
        assert_eq!(out, b"x\x8a\x02hi\x89\x00");
    }

    #[test]
    fn masks_at_every_offset_and_length() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let payload: Vec<u8> = (0..100).collect();
        let masked: Vec<u8> =
            payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
        for start in 0..12 {
            for end in start..=payload.len() {
                let mut part = masked[start..end].to_vec();
                unmask(&mut part, mask, start);
                assert_eq!(part, payload[start..end], "{start}..{end}");
            }
        }
    }
}
