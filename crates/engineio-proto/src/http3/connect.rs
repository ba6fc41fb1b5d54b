//! The stream of a CONNECT behind its header section: DATA frames with capsules.
// RFC 9114 4.4

use super::Error;
use super::capsule::{Capsules, Close};
use super::frame::{self, Frames, Part};

/// Bytes of the stream of a CONNECT.
#[derive(Debug, Default)]
pub struct Connect {
    frames: Frames,
    is_data: bool,
    capsules: Capsules,
}

impl Connect {
    /// Takes what was read; yields the end of the session.
    ///
    /// # Errors
    /// Frames that may not be here, and what [`Capsules::feed`] says.
    pub fn feed(&mut self, mut input: &[u8]) -> Result<Option<Close>, Error> {
        while let Some(part) = self.frames.next(&mut input) {
            match part {
                Part::Begin(kind, _) => {
                    self.is_data = kind == frame::DATA;
                    if !self.is_data {
                        frame::refuse_misplaced(kind)?;
                    }
                }
                Part::Payload(bytes) if self.is_data => {
                    if let Some(close) = self.capsules.feed(bytes)? {
                        return Ok(Some(close));
                    }
                }
                Part::Payload(_) | Part::End => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http3::Code;
    use crate::http3::capsule::CLOSE;

    #[track_caller]
    fn check(input: &[u8], expected: Result<Option<(u32, &str)>, Error>) {
        let of = |fed: Result<Option<Close>, Error>| {
            fed.map(|close| close.map(|close| (close.code, close.reason)))
        };
        let expected = expected.map(|close| close.map(|(code, reason)| (code, reason.to_owned())));
        assert_eq!(of(Connect::default().feed(input)), expected);
        let mut connect = Connect::default();
        let mut last = Ok(None);
        for byte in input.chunks(1) {
            last = of(connect.feed(byte));
            if last != Ok(None) {
                break;
            }
        }
        assert_eq!(last, expected, "byte by byte");
    }

    #[test]
    fn capsules_in_frames() {
        check(CLOSE, Ok(Some((0, ""))));
        // an unknown frame, an empty one, and a capsule that two frames share
        check(b"\x21\x02ab\x00\x00\x00\x03\x68\x43\x05\x00\x05\0\0\0\x02x", Ok(Some((2, "x"))));
        check(b"\x00\x80\x0f\x42\x40\x17\x04abcd", Ok(None));
        let unexpected = Error::Connection(Code::FRAME_UNEXPECTED);
        check(b"\x04\x00", Err(unexpected));
        check(b"\x01\x00", Err(unexpected));
        check(b"\x00\x03\x17\x01a\x07\x00", Err(unexpected));
        check(b"\x00\x05\x17\x80\x01\x00\x01", Err(Error::Stream(Code::EXCESSIVE_LOAD)));
    }
}
