//! Capsules: what is said on the stream of a CONNECT, in its DATA frames. Of all there are, one
//! matters: the one that closes the session.
//!
//! ```text
//!   | type (varint) | length (varint) | payload ...                            |
//!     0x2843                            code (4 bytes), reason (at most 1024)
//! ```
// RFC 9297 3.2, draft-ietf-webtrans-http3 5

use super::frame::{self, Frames, Part};
use super::{Code, Error};

/// The longest capsule that is skipped; a longer one ends the session.
pub const MAX_LENGTH: u64 = 64 * 1024;

const CLOSE_SESSION: u64 = 0x2843;
const MAX_REASON: u64 = 1024;
const LONGEST_CLOSE: u64 = 4 + MAX_REASON;

/// What a peer said when it closed its session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "all that the capsule has")]
pub struct Close {
    /// The application's code.
    pub code: u32,
    /// The application's words.
    pub reason: String,
}

/// Bytes as they arrive to the capsule that closes.
#[derive(Debug, Default)]
pub struct Capsules {
    frames: Frames,
    /// The payload of the capsule that closes, so far.
    close: Option<Vec<u8>>,
}

impl Capsules {
    /// Takes the payload of a DATA frame; yields the end of the session.
    ///
    /// # Errors
    /// A capsule that is too long, or closes with anything but a code and a text.
    pub fn feed(&mut self, mut input: &[u8]) -> Result<Option<Close>, Error> {
        while let Some(part) = self.frames.next(&mut input) {
            match part {
                Part::Begin(CLOSE_SESSION, 4..=LONGEST_CLOSE) => {
                    self.close = Some(Vec::new());
                }
                Part::Begin(CLOSE_SESSION, _) => return Err(Error::Stream(Code::MESSAGE_ERROR)),
                Part::Begin(_, length) if length > MAX_LENGTH => {
                    return Err(Error::Stream(Code::EXCESSIVE_LOAD));
                }
                Part::Begin(..) => {}
                Part::Payload(bytes) => {
                    if let Some(close) = &mut self.close {
                        close.extend_from_slice(bytes);
                    }
                }
                Part::End => {
                    if let Some(close) = self.close.take() {
                        return close_of(&close).map(Some);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether no capsule is cut.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        self.frames.is_between()
    }
}

fn close_of(payload: &[u8]) -> Result<Close, Error> {
    let malformed = Error::Stream(Code::MESSAGE_ERROR);
    let (code, reason) = payload.split_first_chunk().ok_or(malformed)?;
    let reason = std::str::from_utf8(reason).map_err(|_| malformed)?;
    Ok(Close { code: u32::from_be_bytes(*code), reason: reason.to_owned() })
}

/// The DATA frame with the capsule that closes a session in good order: code 0, no reason.
pub const CLOSE: &[u8] = b"\x00\x07\x68\x43\x04\x00\x00\x00\x00";

/// Writes the capsule that closes a session. Of the reason goes what fits.
pub fn encode_close(code: u32, reason: &str, out: &mut Vec<u8>) {
    let mut end = reason.len().min(MAX_REASON as usize);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    frame::header(CLOSE_SESSION, 4 + end, out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&reason.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expected: Result<Option<(u32, &str)>, Code>) {
        let expected = expected
            .map(|close| close.map(|(code, reason)| Close { code, reason: reason.to_owned() }))
            .map_err(Error::Stream);
        assert_eq!(Capsules::default().feed(input), expected);
        let mut capsules = Capsules::default();
        let mut last = Ok(None);
        for byte in input.chunks(1) {
            last = capsules.feed(byte);
            if last != Ok(None) {
                break;
            }
        }
        assert_eq!(last, expected, "byte by byte");
    }

    #[test]
    fn capsules() {
        check(b"", Ok(None));
        check(b"\x68\x43\x04\0\0\0\0", Ok(Some((0, ""))));
        check(b"\x68\x43\x0e\0\0\x10\x92had enough", Ok(Some((4242, "had enough"))));
        // others before it are skipped
        check(b"\x80\x00\x12\x34\x03abc\x17\x00\x68\x43\x04\0\0\0\x01", Ok(Some((1, ""))));
        // not all of it
        check(b"\x68\x43\x08\0\0\0\0abc", Ok(None));
        check(b"\x17\x80\x01\x00\x00", Ok(None));
        check(b"\x17\x80\x01\x00\x01", Err(Code::EXCESSIVE_LOAD));
        check(b"\x17\xff\xff\xff\xff\xff\xff\xff\xff", Err(Code::EXCESSIVE_LOAD));
        for wrong in [&b"\x68\x43\x00"[..], b"\x68\x43\x03\0\0\0", b"\x68\x43\x05\0\0\0\0\xff"] {
            check(wrong, Err(Code::MESSAGE_ERROR));
        }
        let mut longest = b"\x68\x43\x44\x04\0\0\0\x07".to_vec();
        longest.resize(longest.len() + 1024, b'x');
        check(&longest, Ok(Some((7, &"x".repeat(1024)))));
        check(b"\x68\x43\x44\x05", Err(Code::MESSAGE_ERROR));
    }

    #[test]
    fn the_close_that_is_written() {
        let mut out = Vec::new();
        encode_close(0, "", &mut out);
        assert_eq!(out, CLOSE[2..]);
        assert_eq!(usize::from(CLOSE[1]), out.len());
        for (reason, length) in
            [("bye".to_owned(), 3), ("é".repeat(600), 1024), ("x".repeat(2000), 1024)]
        {
            let mut out = Vec::new();
            encode_close(9, &reason, &mut out);
            let close = Capsules::default().feed(&out).unwrap().unwrap();
            assert_eq!((close.code, close.reason.len()), (9, length));
            assert!(reason.starts_with(&close.reason));
        }
        let mut out = Vec::new();
        encode_close(9, &format!("x{}", "é".repeat(600)), &mut out);
        assert_eq!(Capsules::default().feed(&out).unwrap().unwrap().reason.len(), 1023);
    }
}
