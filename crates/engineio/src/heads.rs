//! Watches the request heads on their way to the HTTP server, for what it lets pass.
//!
//! A request with both `Content-Length` and `Transfer-Encoding` may be taken for two different
//! ones by a proxy in front and by the server behind: the way to smuggle a second request past the
//! proxy. hyper reads it by the latter and hides that there was the former; it is to be refused.
//!
//! ```text
//!   Head ──Content-Length──▶ Body ──all of it──▶ Head ...
//!    ├──────both───────────▶ the head is spoiled, so that hyper answers 400 and closes
//!    └──Transfer-Encoding, Upgrade, anything odd──▶ Done
//! ```
//!
//! Nothing is held back or copied: when the end of a head arrives, the server has not seen it yet.
//! A connection is watched until its last request, see [`is_last`]; so bodies of unknown length need
//! not be understood here.

use http::Method;
use http::header::{self, HeaderMap};
use memchr::{memchr, memchr2};

/// The heads of one connection.
#[derive(Debug)]
pub(crate) struct Heads {
    state: State,
    head: Head,
    line: Line,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// That many bytes of a body are to come.
    Body(u64),
    Done,
}

/// What is known of a head so far.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    bytes: usize,
    fields: usize,
    has_request_line: bool,
    length: Option<u64>,
    has_encoding: bool,
    is_last: bool,
    is_too_much: bool,
}

/// What is known of a line so far.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    name: [u8; LONGEST_NAME],
    /// Bytes of the line, up to the colon.
    len: usize,
    value: Option<Field>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Length,
    Encoding,
    Upgrade,
    Other,
}

const LONGEST_NAME: usize = "transfer-encoding".len();

/// What a head has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooMuch {
    Bytes,
    Fields,
}

/// Whether nothing may follow a request on its connection, for the heads of what follows would not
/// be watched.
pub(crate) fn is_last(method: &Method, headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
        || headers.contains_key(header::TRANSFER_ENCODING)
        || method.as_str().eq_ignore_ascii_case("CONNECT")
}

impl Heads {
    pub(crate) fn new() -> Self {
        Self { state: State::Head, head: Head::default(), line: Line::default() }
    }

    /// Looks at what was read, before the server does. `max` bounds the bytes and the fields of a
    /// head; that they are too many is told once, to be counted: the server refuses them itself.
    pub(crate) fn watch(&mut self, bytes: &mut [u8], max: (usize, usize)) -> Option<TooMuch> {
        let (mut at, mut told) = (0, None);
        while at < bytes.len() {
            match self.state {
                State::Done => break,
                State::Body(left) => {
                    let rest = bytes.len() - at;
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(rest);
                    at += skipped;
                    let left = left - skipped as u64;
                    self.state = if left == 0 { State::Head } else { State::Body(left) };
                }
                State::Head => {
                    let skipped = self.skip(&bytes[at..]);
                    at += skipped;
                    let is_end = bytes.get(at).is_some_and(|byte| self.is_end(*byte));
                    let is_too_long = self.head.bytes > max.0;
                    if (is_too_long || self.head.fields > max.1) && !self.head.is_too_much {
                        self.head.is_too_much = true;
                        told = Some(if is_too_long { TooMuch::Bytes } else { TooMuch::Fields });
                    }
                    if is_end && self.end() {
                        // neither the end of a line nor part of a name
                        bytes[at] = 0;
                        break;
                    }
                    at += 1;
                }
            }
        }
        told
    }

    /// Takes what need not be looked at byte by byte: a name that is there to its end, and values.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        let is_new = self.line.len == 0 && self.line.value.is_none();
        let skipped = match self.line.value {
            None if self.head.has_request_line && is_new => match memchr2(b':', b'\n', bytes) {
                Some(colon) if bytes[colon] == b':' => {
                    self.begin_value(Field::named(&bytes[..colon]));
                    colon + 1
                }
                _ => 0,
            },
            // behind the method
            None if !self.head.has_request_line && self.line.len > LONGEST_NAME => {
                memchr(b'\n', bytes).unwrap_or(bytes.len())
            }
            None | Some(Field::Length) => 0,
            Some(_) => memchr(b'\n', bytes).unwrap_or(bytes.len()),
        };
        self.head.bytes += skipped;
        skipped
    }

    fn begin_value(&mut self, field: Field) {
        self.line.value = Some(field);
        match field {
            Field::Encoding => self.head.has_encoding = true,
            Field::Upgrade => self.head.is_last = true,
            Field::Length => self.head.length = Some(0), // of two, which must be the same, the second counts
            Field::Other => {}
        }
    }

    /// Takes a byte of a head; whether it is the last.
    // RFC 9112 2.1, 2.2, 5
    fn is_end(&mut self, byte: u8) -> bool {
        let Self { head, line, .. } = self;
        head.bytes += 1;
        match byte {
            b'\n' => {
                let is_empty = line.len == 0 && line.value.is_none();
                *line = Line::default();
                if !is_empty {
                    head.fields += usize::from(head.has_request_line);
                    head.has_request_line = true;
                }
                // empty lines in front of a request are skipped
                return is_empty && head.has_request_line;
            }
            b'\r' => {}
            // CONNECT: what follows may be another protocol
            b' ' if !head.has_request_line => {
                head.is_last |= line.len == 7 && line.name.starts_with(b"connect");
                line.len = LONGEST_NAME + 1;
            }
            b':' if head.has_request_line && line.value.is_none() => {
                let field = line.name.get(..line.len).map_or(Field::Other, Field::named);
                self.begin_value(field);
            }
            byte => match line.value {
                None => {
                    if let Some(place) = line.name.get_mut(line.len) {
                        *place = byte.to_ascii_lowercase();
                    }
                    line.len += 1;
                }
                Some(Field::Length) => match byte {
                    b' ' | b'\t' => {}
                    b'0'..=b'9' => {
                        let digit = u64::from(byte - b'0');
                        let length = head.length.and_then(|length| length.checked_mul(10));
                        head.length = length.and_then(|length| length.checked_add(digit));
                        head.is_last |= head.length.is_none();
                    }
                    // the server refuses it
                    _ => head.is_last = true,
                },
                Some(_) => {}
            },
        }
        false
    }

    /// A head is complete. True: it is to be refused.
    // RFC 9112 6.1
    fn end(&mut self) -> bool {
        let Head { length, has_encoding, is_last, .. } = std::mem::take(&mut self.head);
        self.state = match length {
            _ if has_encoding || is_last => State::Done,
            None | Some(0) => State::Head,
            Some(length) => State::Body(length),
        };
        has_encoding && length.is_some()
    }
}

impl Field {
    fn named(name: &[u8]) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match name.len() {
            14 if is("content-length") => Self::Length,
            17 if is("transfer-encoding") => Self::Encoding,
            7 if is("upgrade") => Self::Upgrade,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: (usize, usize) = (400, 10);

    /// Feeds the input in pieces of each size; where it is spoiled must not depend on it.
    #[track_caller]
    fn spoiled(input: &str) -> Option<usize> {
        let mut found = None;
        for size in 1..=input.len() {
            let mut heads = Heads::new();
            let mut seen = Vec::new();
            for piece in input.as_bytes().chunks(size) {
                let mut piece = piece.to_vec();
                assert_eq!(heads.watch(&mut piece, MAX), None);
                seen.extend(piece);
            }
            let at = seen.iter().position(|byte| *byte == 0);
            let rest = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != 0).count();
            assert_eq!(rest(&seen), input.len() - usize::from(at.is_some()));
            assert!(size == 1 || at == found, "{size}");
            found = at;
        }
        found
    }

    #[track_caller]
    fn refused(head: &str, rest: &str) {
        assert_eq!(spoiled(&format!("{head}{rest}")), Some(head.len() - 1));
    }

    #[test]
    fn both_lengths_are_refused() {
        const HEAD: &str =
            "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
        refused(HEAD, "0\r\n\r\n");
        refused(&HEAD.to_uppercase(), "");
        refused(&HEAD.replace("\r\n", "\n"), "");
        refused(
            "POST / HTTP/1.1\r\nTransfer-Encoding:chunked\r\nA: b\r\ncontent-length:0\r\n\r\n",
            "",
        );
        refused("\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding:x\r\ncontent-length: x\r\n\r\n", "");
        // the second and the third request of a connection
        let get =
            "GET /content-length: HTTP/1.1\r\nHost: x\r\nX: transfer-encoding: chunked\r\n\r\n";
        refused(&format!("{get}{HEAD}"), "");
        let post = "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\na:\r\n\r\nb: c\n\n";
        refused(&format!("{post}{post}{get}{HEAD}"), get);
    }

    #[test]
    fn others_are_left_alone() {
        for input in [
            "GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n4abcGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na\r\n\r\nb\r\n0\r\n\r\n",
            // a body, not a head
            "POST / HTTP/1.1\r\nContent-Length: 73\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 4\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nX-Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encodings: chunked\r\n\r\n",
            // after an upgrade it is another protocol
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\nA\nContent-Length: 1\nTransfer-Encoding: x\n\n",
            "CONNECT x:1 HTTP/1.1\r\n\r\nA\nContent-Length: 1\nTransfer-Encoding: x\n\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        ] {
            assert_eq!(spoiled(input), None, "{input}");
        }
    }

    #[test]
    fn what_is_too_much_is_told_once() {
        let watch = |input: String| {
            let mut heads = Heads::new();
            let (one, two) = input.split_at(input.len() - 2);
            let first = heads.watch(&mut one.to_owned().into_bytes(), MAX);
            let second = heads.watch(&mut two.to_owned().into_bytes(), MAX);
            assert!(first.is_none() || second.is_none());
            first.or(second)
        };
        let fields = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert_eq!(watch(fields(10)), None);
        assert_eq!(watch(fields(11)), Some(TooMuch::Fields));
        let long = |count| format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(count));
        assert_eq!(watch(long(400 - 18)), None);
        assert_eq!(watch(long(400 - 17)), Some(TooMuch::Bytes));
        assert_eq!(watch(fields(10).repeat(100)), None);
    }
}
