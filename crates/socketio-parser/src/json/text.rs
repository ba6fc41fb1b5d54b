//! JSON strings: finding their end, escapes in both directions.
//!
//! Long strings are the bulk of large packets. All walks over string contents go through
//! [`plain_len`], which looks at words, and at many bytes at once in what is longer.

use std::borrow::Cow;

use memchr::memchr2;

/// The contents of a JSON string, valid, as written between the quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a str,
    pub(crate) escaped: bool,
}

impl<'a> Text<'a> {
    /// The text meant; a lone surrogate becomes U+FFFD.
    pub(crate) fn unescape(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        loop {
            // A validated string contains nothing special but backslashes.
            let plain = plain_len(rest.as_bytes());
            let Some((head, tail)) = rest.split_at_checked(plain) else { break };
            out.push_str(head);
            let Some((escape, len)) = read_escape(tail.as_bytes()) else { break };
            out.push(match escape {
                Escape::Char(char) => char,
                Escape::LoneSurrogate => char::REPLACEMENT_CHARACTER,
            });
            rest = tail.get(len..).unwrap_or_default();
        }
        Cow::Owned(out)
    }
}

/// What an escape sequence stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    Char(char),
    /// Half of a surrogate pair, which JavaScript strings may contain and Rust's may not.
    LoneSurrogate,
}

/// Reads the escape sequence at the beginning of `bytes`: what it means, and its length.
pub(crate) fn read_escape(bytes: &[u8]) -> Option<(Escape, usize)> {
    let [b'\\', kind, ..] = bytes else { return None };
    let char = match kind {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode_escape(bytes),
        _ => return None,
    };
    Some((Escape::Char(char), 2))
}

fn read_unicode_escape(bytes: &[u8]) -> Option<(Escape, usize)> {
    let first = hex4(bytes.get(2..6)?)?;
    if let Some(char) = char::from_u32(first) {
        return Some((Escape::Char(char), 6));
    }
    let low = match bytes.get(6..12) {
        Some([b'\\', b'u', digits @ ..]) => hex4(digits),
        _ => None,
    };
    match (first, low) {
        (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            Some((Escape::Char(char::from_u32(code)?), 12))
        }
        _ => Some((Escape::LoneSurrogate, 6)),
    }
}

fn hex4(digits: &[u8]) -> Option<u32> {
    let mut code = 0;
    for &digit in digits {
        code = code << 4 | char::from(digit).to_digit(16)?;
    }
    Some(code)
}

/// Valid JSON with every lone surrogate escape rewritten to `\ufffd`: same length, same offsets.
pub(crate) fn repair(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((plain, tail)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(plain);
        // Outside of strings valid JSON has no backslash.
        let Some((escape, len)) = read_escape(tail.as_bytes()) else { break };
        let Some((written, after)) = tail.split_at_checked(len) else { break };
        out.push_str(if escape == Escape::LoneSurrogate { "\\ufffd" } else { written });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    // at once, with what may follow it: a long text then moves the buffer once
    out.reserve(text.len() + CLOSING);
    out.push(b'"');
    write_escaped(text, out);
    out.push(b'"');
}

/// Appends `text` as the contents of a JSON string.
///
/// Only what must be escaped is: quotes, backslashes and control characters.
pub(crate) fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, tail) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let [special, after @ ..] = tail else { return };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                let digit = |half: u8| HEX[usize::from(half & 0x0f)];
                out.extend_from_slice(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    digit(control >> 4),
                    digit(*control),
                ]);
            }
        }
        rest = after;
    }
}

/// How many bytes there are before the first quote, backslash or control character.
///
/// Most strings are short: the first bytes are looked at word by word.
#[inline]
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    let by_words = if bytes.len() < 2 * SHORT { bytes.len() } else { SHORT };
    let (short, long) = bytes.split_at(by_words);
    let len = plain_len_by_words(short);
    if len < short.len() || long.is_empty() { len } else { len + plain_len_by_pieces(long) }
}

/// Quotes and backslashes are searched for with the vectors that the machine has; whether there is
/// a control character before them is then asked of all bytes at once, without a branch per byte.
fn plain_len_by_pieces(bytes: &[u8]) -> usize {
    let mut len = 0;
    for piece in bytes.chunks(PIECE) {
        let end = memchr2(b'"', b'\\', piece).unwrap_or(piece.len());
        let (clean, _) = piece.split_at(end);
        if clean.iter().fold(u8::MAX, |least, &byte| least.min(byte)) < 0x20 {
            return len + plain_len_by_words(clean);
        }
        len += end;
        if end < piece.len() {
            break;
        }
    }
    len
}

/// Eight bytes at a time. In `word - 0x01..` a byte borrows if it is zero (or one above a zero),
/// so that of the marked top bits the lowest is always a true one; likewise for 0x20, below which
/// are the control characters. A byte is made zero by XOR with what is looked for.
#[inline]
fn plain_len_by_words(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let special = (below(word, 0x20) | is(b'"') | is(b'\\')) & TOPS;
        if special != 0 {
            return bytes.len() - rest.len() + special.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    let tail = rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len());
    bytes.len() - rest.len() + tail
}

const fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// So much is looked at by words, and up to twice of it: vectors are quicker only for more.
const SHORT: usize = 32;

/// Room behind a string: its quotes, and the ends of what it stands in.
const CLOSING: usize = 8;

/// A piece is walked over twice: it stays in the nearest cache meanwhile.
const PIECE: usize = 4096;

const HEX: &[u8; 16] = b"0123456789abcdef";
