//! Frames on a stream: a type, a length, and a payload that is never kept here.
//!
//! ```text
//!   | type (varint) | length (varint) | payload ... |
//! ```
// RFC 9114 7.1

use super::varint::{self, Gather};
use super::{Code, Error};

/// The type of a frame.
pub type Kind = u64;

/// Bytes of the body, of a CONNECT capsules.
pub const DATA: Kind = 0x00;
/// A header section.
pub const HEADERS: Kind = 0x01;
/// Settings, on the control stream.
pub const SETTINGS: Kind = 0x04;
/// In place of a frame: the stream is a session's, whose id is where the length would be.
// draft-ietf-webtrans-http3 4.3
pub const SESSION_STREAM: Kind = 0x41;

const CANCEL_PUSH: Kind = 0x03;
const PUSH_PROMISE: Kind = 0x05;
const GOAWAY: Kind = 0x07;
const MAX_PUSH_ID: Kind = 0x0d;

/// Refuses a type that is known and has no place where it came; all others are skipped.
///
/// # Errors
/// [`Code::FRAME_UNEXPECTED`], for the connection.
pub const fn refuse_misplaced(kind: Kind) -> Result<(), Error> {
    match kind {
        DATA | HEADERS | SETTINGS | CANCEL_PUSH | PUSH_PROMISE | GOAWAY | MAX_PUSH_ID
        // types of HTTP/2
        | 0x02 | 0x06 | 0x08 | 0x09 => Err(Error::Connection(Code::FRAME_UNEXPECTED)),
        _ => Ok(()),
    }
}

/// Whether a frame may be on the control stream, behind the settings, of a client.
pub(super) const fn is_of_control(kind: Kind) -> bool {
    matches!(kind, CANCEL_PUSH | GOAWAY | MAX_PUSH_ID)
}

/// A part of a frame, or of a capsule, which looks the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "all that a frame has")]
pub enum Part<'b> {
    /// It begins: its type, and how many bytes of payload come.
    Begin(Kind, u64),
    /// Some of its payload; never empty.
    Payload(&'b [u8]),
    /// Its payload was all there.
    End,
}

/// Bytes as they arrive to parts of frames.
#[derive(Debug, Default)]
pub struct Frames {
    gather: Gather,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Kind,
    Length(Kind),
    Payload(u64),
}

impl Frames {
    /// The next part; `None`: the input is used up.
    pub fn next<'b>(&mut self, input: &mut &'b [u8]) -> Option<Part<'b>> {
        loop {
            match self.state {
                State::Kind => self.state = State::Length(self.gather.take(input)?),
                State::Length(kind) => {
                    let length = self.gather.take(input)?;
                    self.state = State::Payload(length);
                    return Some(Part::Begin(kind, length));
                }
                State::Payload(0) => {
                    self.state = State::Kind;
                    return Some(Part::End);
                }
                State::Payload(missing) => {
                    let here = usize::try_from(missing).map_or(input.len(), |m| m.min(input.len()));
                    let (part, rest) = input.split_at(here);
                    *input = rest;
                    self.state = State::Payload(missing - here as u64);
                    return (!part.is_empty()).then_some(Part::Payload(part));
                }
            }
        }
    }

    /// Whether the last frame is complete, and no other has begun.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        matches!(self.state, State::Kind) && self.gather.is_empty()
    }

    /// Frames behind a type that was read already.
    pub(super) fn behind_kind(kind: Kind) -> Self {
        Self { gather: Gather::default(), state: State::Length(kind) }
    }
}

/// Writes the header of a frame, or of a capsule.
pub fn header(kind: Kind, length: usize, out: &mut Vec<u8>) {
    varint::encode(kind, out);
    varint::encode(length as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame: its type, its length, as much of its payload as came, whether that is all.
    type Frame = (Kind, u64, Vec<u8>, bool);

    /// What a stream says, in one piece: payloads are joined.
    fn decode(parts: &[&[u8]]) -> (Vec<Frame>, bool) {
        let mut frames = Frames::default();
        let mut all: Vec<Frame> = Vec::new();
        for part in parts {
            let mut input = *part;
            while let Some(part) = frames.next(&mut input) {
                match (part, all.last_mut()) {
                    (Part::Begin(kind, length), _) => all.push((kind, length, Vec::new(), false)),
                    (Part::Payload(bytes), Some((.., payload, false))) => {
                        payload.extend_from_slice(bytes);
                    }
                    (Part::End, Some((.., is_complete))) => *is_complete = true,
                    (part, None | Some(_)) => panic!("{part:?} without a frame"),
                }
            }
            assert!(input.is_empty());
        }
        (all, frames.is_between())
    }

    #[track_caller]
    fn check(input: &[u8], expected: &[(Kind, u64, &[u8], bool)], is_between: bool) {
        let expected: Vec<_> =
            expected.iter().map(|(k, l, payload, end)| (*k, *l, payload.to_vec(), *end)).collect();
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(decode(&[input]), (expected.clone(), is_between));
        assert_eq!(decode(&bytes), (expected, is_between), "byte by byte");
    }

    #[test]
    fn frames_whole_and_byte_by_byte() {
        check(b"", &[], true);
        check(b"\x00\x03abc\x04\x00", &[(DATA, 3, b"abc", true), (SETTINGS, 0, b"", true)], true);
        // a type of four bytes, a length of two
        check(b"\x80\x00\x12\x34\x40\x02xy", &[(0x1234, 2, b"xy", true)], true);
        check(b"\x01\x05ab", &[(HEADERS, 5, b"ab", false)], false);
        check(b"\x01", &[], false);
        // the longest announcement takes no memory
        check(b"\x00\xff\xff\xff\xff\xff\xff\xff\xffz", &[(DATA, varint::MAX, b"z", false)], false);
    }

    #[test]
    fn headers() {
        let mut out = Vec::new();
        header(DATA, 3, &mut out);
        header(0x2843, 100, &mut out);
        assert_eq!(out, b"\x00\x03\x68\x43\x40\x64");
    }

    #[test]
    fn what_is_known_is_refused_where_it_may_not_be() {
        for kind in [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0d] {
            let error = Error::Connection(Code::FRAME_UNEXPECTED);
            assert_eq!(refuse_misplaced(kind), Err(error));
        }
        for kind in [0x0a, 0x0e, 0x21, 0x40, 0x1234, varint::MAX] {
            assert_eq!(refuse_misplaced(kind), Ok(()));
        }
    }
}
