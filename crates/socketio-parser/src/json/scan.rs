//! The one pass over a packet's payload: validates all of it, notes where the arguments are.
//!
//! Nearly all packets begin with plain elements (strings without escapes, numbers of digits alone,
//! placeholders as clients write them), which are taken in a few steps, and many consist of nothing
//! else. What follows is for the tokens, whatever it is.
//!
//! After it the text is known to be JSON within the limits, so that later readers need no depth
//! limit of their own. Objects are looked at only where they can be placeholders.

use std::borrow::Cow;

use crate::check::{First, Payload, Shape};
use crate::json::placeholder::{Placeholders, plain_placeholder};
use crate::json::text::{Text, plain_len};
use crate::json::tokens::{Token, Tokens};
use crate::number::number_to_text;
use crate::{DecodeError, Limits, RawArgs};

/// What the pass found.
#[derive(Debug)]
struct Scan<'a> {
    shape: Shape,
    /// The first element of the array, if an event can be named so.
    name: Option<Name<'a>>,
    /// Elements of the array.
    count: usize,
    /// Offsets of the first and the second element, and of the closing bracket.
    first: usize,
    second: usize,
    end: usize,
    /// Whether the text contains an escape that no Rust string can hold.
    lone_surrogate: bool,
}

/// The name of an event, as written.
#[derive(Clone, Copy, Debug)]
enum Name<'a> {
    Text(Text<'a>),
    Number(&'a str),
}

/// The payload of a packet, scanned.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    text: &'a str,
    scan: Scan<'a>,
}

impl<'a> Json<'a> {
    pub(crate) fn scan(
        text: &'a str,
        attachments: usize,
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        let mut json = Self { text, scan: Scan::new() };
        match attachments {
            0 => json.scan.read(text, None, limits)?,
            _ => json.scan_with(attachments, limits)?,
        }
        Ok(json)
    }
}

impl Json<'_> {
    /// Apart from packets without attachments, as most are.
    #[inline(never)]
    fn scan_with(&mut self, attachments: usize, limits: &Limits) -> Result<(), DecodeError> {
        self.scan.read(self.text, Some(&mut Placeholders::new(attachments)), limits)
    }
}

impl<'a> Payload<'a> for Json<'a> {
    fn shape(&self) -> Shape {
        self.scan.shape
    }

    fn len(&self) -> usize {
        self.scan.count
    }

    fn take_name(&mut self) -> Option<Cow<'a, str>> {
        Some(match self.scan.name? {
            Name::Text(text) => text.unescape(),
            // a valid number in JSON is one in Rust; beyond all doubles it is infinite in both
            Name::Number(digits) => number_to_text(digits.parse().ok()?).into(),
        })
    }

    fn elements(self, first: First) -> RawArgs<'a> {
        let Scan { count, first: start, second, end, lone_surrogate, .. } = self.scan;
        let (start, len) = match first {
            First::Element => (start, count),
            First::BehindName => (second, count.saturating_sub(1)),
        };
        RawArgs::from_json(self.text, start, end, len, lone_surrogate)
    }

    fn whole(self) -> RawArgs<'a> {
        RawArgs::from_json(self.text, 0, self.text.len(), 1, self.scan.lone_surrogate)
    }
}

impl<'a> Scan<'a> {
    const fn new() -> Self {
        Self {
            shape: Shape::Other,
            name: None,
            count: 0,
            first: 0,
            second: 0,
            end: 0,
            lone_surrogate: false,
        }
    }

    /// Validates `payload`; placeholders only if the packet has attachments.
    fn read(
        &mut self,
        payload: &'a str,
        mut placeholders: Option<&mut Placeholders>,
        limits: &Limits,
    ) -> Result<(), DecodeError> {
        // The name of an event comes on top of its arguments.
        let max_count = limits.max_args.saturating_add(1);
        let mut tokens = Tokens::new(payload, limits.max_depth);
        if payload.starts_with('[') && limits.max_depth >= PLACEHOLDER_DEPTH {
            let position = self.plain_elements(payload, placeholders.as_deref_mut(), max_count);
            if payload.get(position..) == Some("]") {
                self.close(position);
                return Ok(());
            }
            tokens = Tokens::within_array(payload, position, limits.max_depth);
        }
        while let Some(token) = tokens.next()? {
            let depth = tokens.depth();
            if let Some(placeholders) = &mut placeholders {
                placeholders.on_token(token)?;
            }
            if depth > 2 {
                continue;
            }
            let outside = match token {
                Token::BeginArray | Token::BeginObject => depth - 1,
                _ => depth,
            };
            match (outside, token) {
                (0, Token::BeginArray) => self.shape = Shape::Array,
                (0, Token::BeginObject) => self.shape = Shape::Object,
                (0, _) => self.close(tokens.token_start()),
                (1, Token::Key(_) | Token::EndArray | Token::EndObject) => {}
                (1, _) if self.shape == Shape::Array => {
                    self.element(tokens.token_start());
                    if self.count == 1 {
                        self.name = match token {
                            Token::String(text) => Some(Name::Text(text)),
                            Token::Number(digits) => Some(Name::Number(digits)),
                            _ => None,
                        };
                    }
                    if self.count > max_count {
                        return Err(DecodeError::TooManyArguments { max: limits.max_args });
                    }
                }
                _ => {}
            }
        }
        tokens.finish()?;
        self.lone_surrogate = tokens.lone_surrogate();
        Ok(())
    }

    /// Takes the plain elements that the array `payload` begins with; where the rest begins. Elements
    /// of other kinds, placeholders that are wrong and one element too many are not taken.
    fn plain_elements(
        &mut self,
        payload: &'a str,
        mut placeholders: Option<&mut Placeholders>,
        max_count: usize,
    ) -> usize {
        self.shape = Shape::Array;
        let mut position = 1;
        while self.count < max_count {
            let rest = payload.get(position..).unwrap_or_default();
            let rest = if self.count == 0 { Some(rest) } else { rest.strip_prefix(',') };
            let Some(rest) = rest else { break };
            let start = payload.len() - rest.len();
            if let Some(raw) = plain_string(rest) {
                if self.count == 0 {
                    self.name = Some(Name::Text(Text { raw, escaped: false }));
                }
                position = start + raw.len() + 2;
            } else if let Some(digits) = plain_number(rest) {
                if self.count == 0 {
                    self.name = Some(Name::Number(digits));
                }
                position = start + digits.len();
            } else if let Some((num, len)) = plain_placeholder(rest) {
                let right = placeholders.as_mut().is_some_and(|all| all.name(num).is_ok());
                if !right {
                    break;
                }
                position = start + len;
            } else {
                break;
            }
            self.element(start);
        }
        position
    }

    /// Counts an element of the array, which begins at `start`.
    fn element(&mut self, start: usize) {
        self.count += 1;
        match self.count {
            1 => self.first = start,
            2 => self.second = start,
            _ => {}
        }
    }

    /// The value ends at `end`; empty ranges lie before it.
    fn close(&mut self, end: usize) {
        self.end = end;
        if self.count < 1 {
            self.first = end;
        }
        if self.count < 2 {
            self.second = end;
        }
    }
}

/// The contents of the string that `text` begins with, if nothing in it is escaped.
#[inline]
fn plain_string(text: &str) -> Option<&str> {
    let contents = text.strip_prefix('"')?;
    let len = plain_len(contents.as_bytes());
    contents.get(..len).filter(|_| contents.as_bytes().get(len) == Some(&b'"'))
}

/// The number that `text` begins with, if it is digits alone and the element ends with it.
#[inline]
fn plain_number(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let len = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let is_one = len == 1 || (len > 1 && bytes[0] != b'0');
    (is_one && matches!(bytes[len], b',' | b']')).then(|| &text[..len])
}

/// How deep a placeholder lies at least: in the array of the arguments.
const PLACEHOLDER_DEPTH: usize = 2;
