//! Settings: what each side says of itself at the beginning of its control stream.
// RFC 9114 7.2.4, RFC 9220 3, RFC 9297 2.1.1, draft-ietf-webtrans-http3 3.1 and older ones

use super::frame;
use super::{Code, Error, varint};

/// The most bytes of a client's settings that are read.
pub const MAX_BYTES: usize = 4096;

/// Type of the control stream, which the settings are the first frame of.
const CONTROL_STREAM: u64 = 0x00;

const MAX_FIELD_SECTION_SIZE: u64 = 0x06;
const ENABLE_CONNECT_PROTOCOL: u64 = 0x08;
const H3_DATAGRAM: u64 = 0x33;
/// Datagrams as of draft 4, which some clients look for.
const H3_DATAGRAM_04: u64 = 0xff_d277;
/// WebTransport as of draft 2, which Chromium looks for.
const ENABLE_WEBTRANSPORT: u64 = 0x2b60_3742;
/// WebTransport as of draft 7: sessions at a time. More than one would ask for flow control of
/// sessions, in three more settings.
const MAX_SESSIONS_07: u64 = 0xc671_706a;
/// WebTransport as of drafts 13 and 14, without which Safari refuses.
const MAX_SESSIONS_13: u64 = 0x14e9_cd29;
/// WebTransport as of draft 15.
const ENABLED_15: u64 = 0x2c7c_f000;
const QPACK_MAX_TABLE_CAPACITY: u64 = 0x01;
const QPACK_BLOCKED_STREAMS: u64 = 0x07;

/// The beginning of the server's control stream: its type, and all settings that clients look for.
/// `max_field_section` is told as what a header section may have.
#[must_use]
pub fn control_stream(max_field_section: u64) -> Vec<u8> {
    let mut settings = Vec::with_capacity(64);
    for (id, value) in [
        (QPACK_MAX_TABLE_CAPACITY, 0),
        (MAX_FIELD_SECTION_SIZE, max_field_section.min(varint::MAX)),
        (QPACK_BLOCKED_STREAMS, 0),
        (ENABLE_CONNECT_PROTOCOL, 1),
        (H3_DATAGRAM, 1),
        (H3_DATAGRAM_04, 1),
        (MAX_SESSIONS_13, 1),
        (ENABLE_WEBTRANSPORT, 1),
        (ENABLED_15, 1),
        (MAX_SESSIONS_07, 1),
    ] {
        varint::encode(id, &mut settings);
        varint::encode(value, &mut settings);
    }
    let mut out = Vec::with_capacity(settings.len() + 4);
    varint::encode(CONTROL_STREAM, &mut out);
    frame::header(frame::SETTINGS, settings.len(), &mut out);
    out.extend_from_slice(&settings);
    out
}

/// Checks the settings of a client; none of them changes what a server without tables and pushes does.
///
/// # Errors
/// [`Code::FRAME_ERROR`] for a payload that ends within a setting; [`Code::SETTINGS_ERROR`] for a
/// setting that comes twice, one of HTTP/2, and a value other than 0 and 1 where there are these two.
pub fn check(payload: &[u8]) -> Result<(), Error> {
    let mut rest = payload;
    let mut seen: Vec<u64> = Vec::new();
    while !rest.is_empty() {
        let mut number = || {
            let (number, count) =
                varint::decode(rest).ok_or(Error::Connection(Code::FRAME_ERROR))?;
            rest = &rest[count..];
            Ok(number)
        };
        let (id, value) = (number()?, number()?);
        let is_valid = match id {
            // RFC 9114 7.2.4.1
            0x00 | 0x02..=0x05 => false,
            ENABLE_CONNECT_PROTOCOL | H3_DATAGRAM => value <= 1,
            _ => true,
        };
        if !is_valid {
            return Err(Error::Connection(Code::SETTINGS_ERROR));
        }
        seen.push(id);
    }
    seen.sort_unstable();
    match seen.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Error::Connection(Code::SETTINGS_ERROR)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_those_that_browsers_look_for() {
        let expected: &[u8] = &[
            0x00, // control stream
            0x04, 53, // SETTINGS
            0x01, 0x00, // no table
            0x06, 0x80, 0x00, 0x40, 0x00, // header sections of 16 KiB
            0x07, 0x00, // no blocked streams
            0x08, 0x01, // extended CONNECT
            0x33, 0x01, // datagrams
            0x80, 0xff, 0xd2, 0x77, 0x01, // older datagrams
            0x94, 0xe9, 0xcd, 0x29, 0x01, // drafts 13 and 14
            0xab, 0x60, 0x37, 0x42, 0x01, // draft 2
            0xac, 0x7c, 0xf0, 0x00, 0x01, // draft 15
            0xc0, 0x00, 0x00, 0x00, 0xc6, 0x71, 0x70, 0x6a, 0x01, // draft 7
        ];
        let stream = control_stream(16_384);
        assert_eq!(stream[3..].len(), usize::from(stream[2]));
        assert_eq!(stream[3..], expected[3..]);
        assert_eq!(stream[..2], expected[..2]);
        assert_eq!(check(&stream[3..]), Ok(()));
    }

    #[test]
    fn settings_of_clients() {
        let wrong = |code| Err(Error::Connection(code));
        for (payload, expected) in [
            (&b""[..], Ok(())),
            (b"\x01\x40\x64\x07\x10\x33\x01", Ok(())),
            // one that nobody knows
            (b"\x40\x40\x05", Ok(())),
            (b"\x08\x02", wrong(Code::SETTINGS_ERROR)),
            (b"\x33\x02", wrong(Code::SETTINGS_ERROR)),
            (b"\x01\x00\x06\x01\x01\x00", wrong(Code::SETTINGS_ERROR)),
            // of HTTP/2
            (b"\x02\x00", wrong(Code::SETTINGS_ERROR)),
            (b"\x04\x01", wrong(Code::SETTINGS_ERROR)),
            // cut
            (b"\x01", wrong(Code::FRAME_ERROR)),
            (b"\x01\x40", wrong(Code::FRAME_ERROR)),
        ] {
            assert_eq!(check(payload), expected, "{payload:?}");
        }
    }
}
