//! The beginning of a client's stream: what it is, and the request, if it is one.

use super::frame::{self, Frames, Part};
use super::qpack::{self, Section};
use super::request::Head;
use super::varint::Gather;
use super::{Code, Error};

/// What a bidirectional stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete")]
pub enum Opened {
    /// The stream of a session: the id of its CONNECT's. What follows is the application's.
    Session(u64),
    /// A request.
    Request(Head),
    /// A request whose header section is larger than allowed.
    TooLarge,
}

/// Bytes at the beginning of a bidirectional stream.
#[derive(Debug)]
pub struct Opening {
    /// Bytes of a header section, on the wire and decoded.
    max: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Kind(Gather),
    Session(Gather),
    Frames(Frames, Option<Vec<u8>>),
}

impl Opening {
    /// The beginning of a stream, whose header section may be so large.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max, state: State::Kind(Gather::EMPTY) }
    }

    /// Whether nothing came yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(&self.state, State::Kind(gather) if gather.is_empty())
    }

    /// How many bytes may be read: of a session's stream nothing is to be read too much.
    #[must_use]
    pub const fn wants(&self) -> usize {
        match self.state {
            State::Kind(_) | State::Session(_) => 1,
            State::Frames(..) => 1024,
        }
    }

    /// Takes what was read, at most what it [wants](Opening::wants); yields what the stream is. What
    /// was read behind a header section is yielded, too.
    ///
    /// # Errors
    /// Frames that may not be there, and header sections that cannot be read.
    pub fn feed<'b>(&mut self, input: &'b [u8]) -> Result<Option<(Opened, &'b [u8])>, Error> {
        let mut input = input;
        if let State::Kind(gather) = &mut self.state {
            let Some(kind) = gather.take(&mut input) else { return Ok(None) };
            self.state = match kind {
                frame::SESSION_STREAM => State::Session(Gather::EMPTY),
                kind => State::Frames(Frames::behind_kind(kind), None),
            };
        }
        match &mut self.state {
            State::Kind(_) => Ok(None),
            State::Session(gather) => {
                Ok(gather.take(&mut input).map(|id| (Opened::Session(id), input)))
            }
            State::Frames(frames, section) => {
                while let Some(part) = frames.next(&mut input) {
                    match part {
                        Part::Begin(frame::HEADERS, length) => {
                            if usize::try_from(length).map_or(true, |length| length > self.max) {
                                return Ok(Some((Opened::TooLarge, input)));
                            }
                            *section = Some(Vec::new());
                        }
                        Part::Begin(kind, _) => frame::refuse_misplaced(kind)?,
                        Part::Payload(bytes) => {
                            if let Some(section) = section {
                                section.extend_from_slice(bytes);
                            }
                        }
                        Part::End => {
                            let Some(section) = section.take() else { continue };
                            let opened = match qpack::decode(&section, self.max)? {
                                Section::Fields(fields) => Opened::Request(Head::parse(fields)?),
                                Section::TooLarge => Opened::TooLarge,
                            };
                            return Ok(Some((opened, input)));
                        }
                    }
                }
                Ok(None)
            }
        }
    }
}

/// What a unidirectional stream of a client is, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete")]
pub enum Unidirectional {
    /// The control stream.
    Control,
    /// Instructions of the client's encoder.
    Encoder,
    /// Instructions of the client's decoder.
    Decoder,
    /// A type that says nothing, to keep servers tolerant.
    Reserved,
    /// A session's stream, and whatever else there may be.
    Other,
}

impl Unidirectional {
    /// What the type of a stream says.
    ///
    /// # Errors
    /// A push, which only servers make.
    // RFC 9114 6.2
    pub const fn of_type(kind: u64) -> Result<Self, Error> {
        Ok(match kind {
            0x00 => Self::Control,
            0x01 => return Err(Error::Connection(Code::STREAM_CREATION_ERROR)),
            0x02 => Self::Encoder,
            0x03 => Self::Decoder,
            kind if kind >= 0x21 && (kind - 0x21) % 0x1f == 0 => Self::Reserved,
            _ => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(input: &[u8], at_once: usize) -> Result<Option<(Opened, Vec<u8>)>, Error> {
        let mut opening = Opening::new(130);
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(opening.wants().min(at_once).min(rest.len()));
            rest = later;
            if let Some((opened, unused)) = opening.feed(now)? {
                return Ok(Some((opened, [unused, rest].concat())));
            }
        }
        Ok(None)
    }

    #[track_caller]
    fn check(input: &[u8], expected: Result<Option<(Opened, &[u8])>, Error>) {
        let expected = expected.map(|opened| opened.map(|(opened, rest)| (opened, rest.to_vec())));
        assert_eq!(feed(input, usize::MAX), expected);
        assert_eq!(feed(input, 1), expected, "byte by byte");
    }

    fn get() -> Opened {
        let pseudo = [(":method", "GET"), (":scheme", "https"), (":path", "/")];
        let owned = |(name, value): (&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
        Opened::Request(Head::parse(pseudo.into_iter().map(owned).collect()).unwrap())
    }

    #[test]
    fn streams_of_sessions_and_requests() {
        check(b"", Ok(None));
        check(b"\x40", Ok(None));
        check(b"\x40\x41", Ok(None));
        check(b"\x40\x41\x00\x010", Ok(Some((Opened::Session(0), b"\x010"))));
        check(b"\x40\x41\x41\x90x", Ok(Some((Opened::Session(400), b"x"))));
        check(b"\x01\x05\0\0\xd1\xd7\xc1\x00\x01a", Ok(Some((get(), b"\x00\x01a"))));
        // behind a frame that nobody knows
        check(b"\x21\x02ab\x01\x05\0\0\xd1\xd7\xc1", Ok(Some((get(), b""))));
        check(b"\x01\x05\0\0\xd1\xd7", Ok(None));
        check(b"\x01\x40\x83", Ok(Some((Opened::TooLarge, b""))));
        // small on the wire only
        check(b"\x01\x06\0\0\xd1\xd7\xc1\xd1", Ok(Some((Opened::TooLarge, b""))));
        for misplaced in [&b"\x00\x01a"[..], b"\x04\x00", b"\x07\x01\x00", b"\x21\x00\x0d\x01\x00"]
        {
            check(misplaced, Err(Error::Connection(Code::FRAME_UNEXPECTED)));
        }
        check(b"\x01\x01\0", Err(Error::Connection(Code::QPACK_DECOMPRESSION_FAILED)));
        check(b"\x01\x02\0\0", Err(Error::Stream(Code::MESSAGE_ERROR)));
    }

    #[test]
    fn unidirectional_streams() {
        use Unidirectional::{Control, Decoder, Encoder, Other, Reserved};
        for (kind, expected) in [
            (0x00, Control),
            (0x02, Encoder),
            (0x03, Decoder),
            (0x04, Other),
            (0x20, Other),
            (0x21, Reserved),
            (0x22, Other),
            (0x40, Reserved),
            (0x54, Other),
            (0x5f, Reserved),
        ] {
            assert_eq!(Unidirectional::of_type(kind), Ok(expected), "{kind:#x}");
        }
        let push = Error::Connection(Code::STREAM_CREATION_ERROR);
        assert_eq!(Unidirectional::of_type(0x01), Err(push));
    }
}
