//! Watches the request heads on their way to the HTTP server, for what it lets pass, and for what it
//! would refuse without a word.
//!
//! A request with both `Content-Length` and `Transfer-Encoding` may be taken for two different
//! ones by a proxy in front and by the server behind: the way to smuggle a second request past the
//! proxy. hyper reads it by the latter and hides that there was the former; it is to be refused. So
//! is a head with too many bytes or fields, for which hyper has an answer without a body.
//!
//! ```text
//!   Head ──Content-Length──▶ Body ──all of it──▶ Head ...
//!    ├──both, too much─────▶ refused: hyper sees the head's beginning, and then the end of the stream
//!    └──Transfer-Encoding, Upgrade, anything odd──▶ Done
//! ```
//!
//! Nothing is held back or copied: when the end of a head arrives, the server has not seen it yet.
//! A connection is watched until its last request, see [`is_last`]; so bodies of unknown length need
//! not be understood here.

use http::Method;
use http::header::{self, HeaderMap};
use memchr::{memchr, memchr_iter, memchr2};

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

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    TooLarge,
    TooManyFields,
    TwoLengths,
    TooSlow,
}

/// Whether nothing may follow a request on its connection, for the heads of what follows would not
/// be watched. That is so behind one for an upgrade, too.
pub(crate) fn is_last(method: &Method, headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || method.as_str().eq_ignore_ascii_case("CONNECT")
}

impl Heads {
    pub(crate) fn new() -> Self {
        Self { state: State::Head, head: Head::default(), line: Line::default() }
    }

    /// Looks at what was read, before the server does. `max` bounds the bytes and the fields of a
    /// head. If one is refused it is said why, and how many of these bytes the server may see: it
    /// has at least one byte of the head then, and no more than it takes.
    pub(crate) fn watch(
        &mut self,
        bytes: &[u8],
        max: (usize, usize),
    ) -> Option<(usize, HeadError)> {
        let mut at = 0;
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
                    if self.head.bytes == 0 {
                        if let Some(len) = self.whole(&bytes[at..], max) {
                            at += len;
                            continue;
                        }
                    }
                    let start = at;
                    if self.head.fields >= max.1 && self.is_field(bytes[at]) {
                        return self.refuse(start, HeadError::TooManyFields);
                    }
                    at += self.skip(&bytes[at..]);
                    let is_end = bytes.get(at).is_some_and(|byte| self.is_end(*byte));
                    if self.head.bytes > max.0 {
                        return self.refuse(start, HeadError::TooLarge);
                    }
                    if is_end && self.end() {
                        return self.refuse(at, HeadError::TwoLengths);
                    }
                    at += 1;
                }
            }
        }
        None
    }

    /// Whether a part of a head was seen, and not its end.
    pub(crate) fn is_begun(&self) -> bool {
        self.state == State::Head && (self.head.has_request_line || self.line.len > 0)
    }

    /// Whether what was seen ends with a request, as far as can be said; what is not watched may not.
    pub(crate) fn is_between(&self) -> bool {
        self.state == State::Head && !self.is_begun()
    }

    fn refuse(&mut self, at: usize, why: HeadError) -> Option<(usize, HeadError)> {
        self.state = State::Done;
        Some((at, why))
    }

    /// Whether a field begins with this byte.
    fn is_field(&self, byte: u8) -> bool {
        let is_line = self.line.len == 0 && self.line.value.is_none();
        self.head.has_request_line && is_line && !matches!(byte, b'\r' | b'\n')
    }

    /// Takes a head that is there to its end and has nothing odd, as most are; how long it is. What is
    /// left is looked at byte by byte, and any head may be.
    fn whole(&mut self, bytes: &[u8], max: (usize, usize)) -> Option<usize> {
        let mut lines = memchr_iter(b'\n', bytes).scan(0, |start, end| {
            let line = &bytes[std::mem::replace(start, end + 1)..end];
            Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
        });
        let (request_line, _) = lines.next()?;
        match request_line.first()? {
            b'C' | b'c' => return None, // it may be CONNECT
            first if first.is_ascii_alphabetic() => {}
            _ => return None,
        }
        let mut length = None;
        for (fields, (line, end)) in lines.enumerate() {
            if end > max.0 {
                return None;
            }
            if line.is_empty() {
                self.state = match length {
                    None | Some(0) => State::Head,
                    Some(length) => State::Body(length),
                };
                return Some(end);
            }
            if fields >= max.1 || line[0] == b'\r' {
                return None;
            }
            // a value may have a colon there, too: no harm is done by looking more closely
            if Field::LENS.iter().any(|len| line.get(*len) == Some(&b':')) {
                let colon = memchr(b':', line)?;
                match (Field::named(&line[..colon]), length) {
                    (Field::Other, _) => {}
                    (Field::Length, None) => length = Some(plain_number(&line[colon + 1..])?),
                    _ => return None,
                }
            }
        }
        None
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
    /// How long the names are that count.
    const LENS: [usize; 3] = ["upgrade".len(), "content-length".len(), "transfer-encoding".len()];

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

/// A number of a few digits, and nothing else but the space in front of it.
fn plain_number(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b" ").unwrap_or(value);
    let is_plain = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_plain.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: (usize, usize) = (400, 10);

    /// Feeds the input in pieces of each size: why it is refused must not depend on it. With the
    /// most and the fewest bytes that the server sees.
    #[track_caller]
    fn watch(input: &str) -> Option<(usize, usize, HeadError)> {
        let found = (1..=input.len()).map(|size| {
            let mut heads = Heads::new();
            let mut pieces = (0..).step_by(size).zip(input.as_bytes().chunks(size));
            let refused = pieces.find_map(|(start, piece)| {
                heads.watch(piece, MAX).map(|(at, why)| (start + at, start + at, why))
            });
            assert!(refused.is_none() || !heads.is_begun());
            refused
        });
        let all: Vec<_> = found.collect();
        let why = all[0].map(|(.., why)| why);
        assert!(all.iter().all(|one| one.map(|(.., why)| why) == why), "{input}: {all:?}");
        type Seen = (usize, usize, HeadError);
        let one = |a: Seen, b: Seen| (a.0.min(b.0), a.1.max(b.1), a.2);
        all.into_iter().flatten().reduce(one)
    }

    #[track_caller]
    fn refused(head: &str, rest: &str) {
        let at = head.len() - 1;
        assert_eq!(watch(&format!("{head}{rest}")), Some((at, at, HeadError::TwoLengths)));
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

    /// A head that comes as one piece is understood as one that comes byte by byte.
    #[test]
    fn a_whole_head_is_as_its_bytes() {
        let after = |input: &str, size: usize| {
            let mut heads = Heads::new();
            let mut pieces = input.as_bytes().chunks(size);
            let refused = pieces.find_map(|piece| heads.watch(piece, MAX)).map(|(_, why)| why);
            (format!("{heads:?}"), refused)
        };
        let values = ["4", " 4", "4 ", "\t4", "04", "+4", "4,4", "", " ", "x", "4x", "1234567890"];
        let lengths = values.map(|value| format!("Content-Length:{value}"));
        let fields = [
            "",
            "\r",
            "a",
            ":",
            "a:b",
            " a: b",
            "a\r: b",
            "upgrade: x",
            "Upgrade : x",
            "aaaaaaa:b",
            "aaaaaaaaaaaaaa:b",
            "TE: a:b",
            "TRANSFER-ENCODING: x",
            "x-content-length: 4",
        ];
        let fields = fields.map(str::to_owned).into_iter().chain(lengths);
        for field in fields {
            for first in ["GET / HTTP/1.1", "POST /:", "CONNECT x:1", "connect", "x", "\r", "", ":"]
            {
                for (end, rest) in [("\r\n", ""), ("\n", "ab"), ("\r\n", "GET / HTTP/1.1\r\n\r\n")]
                {
                    for more in ["", "b: c", "content-length: 4"] {
                        let lines = [first, &field, more, ""].map(|line| format!("{line}{end}"));
                        let input = format!("{}{rest}", lines.concat());
                        assert_eq!(after(&input, input.len()), after(&input, 1), "{input:?}");
                    }
                }
            }
        }
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
            assert_eq!(watch(input), None, "{input}");
        }
    }

    /// The server sees a part of the head, so that it waits for the rest, and not what it would
    /// refuse itself.
    #[test]
    fn what_is_too_much_is_refused() {
        let fields = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert_eq!(watch(&fields(10)), None);
        let line = "GET / HTTP/1.1\r\n".len();
        let at = line + 10 * 6;
        assert_eq!(watch(&fields(11)), Some((at, at, HeadError::TooManyFields)));
        assert_eq!(watch(&fields(30)), Some((at, at, HeadError::TooManyFields)));
        let long = |count| format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(count));
        assert_eq!(watch(&long(400 - 18)), None);
        let beyond = |input: String, sent: usize| {
            let (least, most, why) = watch(&input).unwrap();
            assert_eq!((why, most), (HeadError::TooLarge, sent + 400));
            assert!(least > sent);
        };
        beyond(long(400 - 17), 0);
        beyond("\r\n".repeat(300), 0);
        beyond(format!("GET / HTTP/1.1\r\na: {}", "b".repeat(1000)), 0);
        assert_eq!(watch(&fields(10).repeat(10)), None);
        let post = "POST / HTTP/1.1\r\nContent-Length: 500\r\n\r\n".to_owned() + &"x".repeat(500);
        beyond(post.repeat(2) + &long(1000), 2 * post.len());
    }

    #[test]
    fn a_head_has_begun_or_not() {
        let is_begun = |input: &str| {
            let mut heads = Heads::new();
            assert_eq!(heads.watch(input.as_bytes(), MAX), None);
            assert_eq!(heads.is_between(), !heads.is_begun());
            heads.is_begun()
        };
        for input in ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\n\n\r\n"] {
            assert!(!is_begun(input), "{input}");
        }
        for input in ["G", "\r\nG", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\na: b\r\n", "A\n\nA"] {
            assert!(is_begun(input), "{input}");
        }
        let mut heads = Heads::new();
        heads.watch(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab", MAX);
        assert!(!heads.is_begun() && !heads.is_between());
    }
}
