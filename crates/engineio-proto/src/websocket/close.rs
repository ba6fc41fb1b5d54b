//! Close codes, and the frame that carries one.

use super::frame::{self, Opcode};
use crate::error::Violation;

/// Whether a peer may send this code.
// RFC 6455 7.4; 1012 to 1014 from the IANA registry
#[must_use]
pub const fn is_valid(code: u16) -> bool {
    // 1004 is reserved; 1005, 1006 and 1015 stand for what was not received
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// A close frame. Without a code it is empty, as the reference sends it to end a session.
///
/// A reason that does not fit is cut between two characters; without a code there is no place
/// for one.
// RFC 6455 5.5.1
#[must_use]
pub fn frame(code: Option<u16>, reason: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(code) = code {
        let mut end = reason.len().min(frame::MAX_CONTROL - 2);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(&reason.as_bytes()[..end]);
    }
    let mut out = Vec::with_capacity(2 + payload.len());
    frame::write_frame(Opcode::Close, &payload, &mut out);
    out
}

/// The code and reason of a close frame's payload; `None` if it is empty.
// RFC 6455 5.5.1
pub(super) fn parse(payload: &[u8]) -> Result<Option<(u16, &str)>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(Violation::protocol("close frame with half a code"))
        };
    };
    let code = u16::from_be_bytes(*code);
    if !is_valid(code) {
        return Err(Violation::protocol("invalid close code"));
    }
    // RFC 6455 8.1
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok(Some((code, reason))),
        Err(_) => Err(Violation::data("close reason is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let valid = |code: &u16| is_valid(*code);
        let edges = [0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000];
        assert!(edges.iter().filter(|code| valid(code)).eq(&[1000, 1003, 1007, 1014, 3000]));
        assert!([4999, 5000, u16::MAX].iter().filter(|code| valid(code)).eq(&[4999]));
    }

    #[test]
    fn frames() {
        assert_eq!(frame(None, ""), b"\x88\x00");
        assert_eq!(frame(None, "no place"), b"\x88\x00");
        assert_eq!(frame(Some(1000), ""), b"\x88\x02\x03\xe8");
        assert_eq!(frame(Some(1002), "bye"), b"\x88\x05\x03\xeabye");
        let long = frame(Some(1008), &"é".repeat(100)); // 61 of them fit 123 bytes
        assert_eq!((long.len(), &long[..4]), (2 + 2 + 122, &b"\x88\x7c\x03\xf0"[..]));
    }

    #[track_caller]
    fn payload(payload: &[u8], expected: Result<Option<(u16, &str)>, u16>) {
        assert_eq!(parse(payload).map_err(|violation| violation.code()), expected, "{payload:?}");
    }

    #[test]
    fn payloads() {
        payload(b"", Ok(None));
        payload(b"\x03", Err(1002));
        payload(b"\x03\xe8", Ok(Some((1000, ""))));
        payload(b"\x03\xe8bye", Ok(Some((1000, "bye"))));
        payload(b"\x0b\xb8", Ok(Some((3000, ""))));
        payload(b"\x13\x87", Ok(Some((4999, ""))));
        payload(b"\x03\xe7", Err(1002)); // 999
        payload(b"\x03\xed", Err(1002)); // 1005
        payload(b"\x03\xee", Err(1002)); // 1006
        payload(b"\x03\xf7", Err(1002)); // 1015
        payload(b"\x0b\xb7", Err(1002)); // 2999
        payload(b"\x13\x88", Err(1002)); // 5000
        payload(b"\x03\xe8\xff\xfe", Err(1007));
    }
}
