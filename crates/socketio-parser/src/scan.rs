//! The one pass over a packet's payload: validates all of it, notes where the arguments are.
//!
//! Nearly all packets begin with plain elements (strings without escapes, placeholders as clients
//! write them), which are taken in a few steps, and many consist of nothing else. What follows is
//! for the tokens, whatever it is.
//!
//! After it the text is known to be JSON within the limits, so that later readers need no depth
//! limit of their own. Objects are looked at only where they can be placeholders.

use std::borrow::Cow;

use crate::check::{First, Payload, Shape};
use crate::json::{JsonError, Token, Tokens};
use crate::packet::split_digits;
use crate::text::{Text, plain_len};
use crate::{Args, DecodeError, Limits};

/// What the pass found.
#[derive(Debug)]
struct Scan<'a> {
    shape: Shape,
    /// The first element of the array, if it is a string.
    first_text: Option<Text<'a>>,
    /// Elements of the array.
    count: usize,
    /// Offsets of the first and the second element, and of the closing bracket.
    first: usize,
    second: usize,
    end: usize,
    /// Whether the text contains an escape that no Rust string can hold.
    lone_surrogate: bool,
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
        Ok(Self { text, scan: scan(text, attachments, limits)? })
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
        self.scan.first_text.map(Text::unescape)
    }

    fn elements(self, first: First) -> Args<'a> {
        let Scan { count, first: start, second, end, lone_surrogate, .. } = self.scan;
        let (start, len) = match first {
            First::Element => (start, count),
            First::BehindName => (second, count.saturating_sub(1)),
        };
        Args::from_json(self.text, start, end, len, lone_surrogate)
    }

    fn whole(self) -> Args<'a> {
        Args::from_json(self.text, 0, self.text.len(), 1, self.scan.lone_surrogate)
    }
}

/// Validates `payload`; placeholders only if the packet has attachments.
fn scan<'a>(
    payload: &'a str,
    attachments: usize,
    limits: &Limits,
) -> Result<Scan<'a>, DecodeError> {
    // The name of an event comes on top of its arguments.
    let max_count = limits.max_args.saturating_add(1);
    let mut scan = Scan {
        shape: Shape::Other,
        first_text: None,
        count: 0,
        first: 0,
        second: 0,
        end: 0,
        lone_surrogate: false,
    };
    let mut tokens = Tokens::new(payload, limits.max_depth);
    if payload.starts_with('[') && limits.max_depth >= PLACEHOLDER_DEPTH {
        let position = scan.plain_elements(payload, attachments, max_count);
        if payload.get(position..) == Some("]") {
            scan.close(position);
            return Ok(scan);
        }
        tokens = Tokens::within_array(payload, position, limits.max_depth);
    }
    let mut placeholders = (attachments > 0).then(|| Placeholders::new(attachments));
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
            (0, Token::BeginArray) => scan.shape = Shape::Array,
            (0, Token::BeginObject) => scan.shape = Shape::Object,
            (0, _) => scan.close(tokens.token_start()),
            (1, Token::Key(_) | Token::EndArray | Token::EndObject) => {}
            (1, _) if scan.shape == Shape::Array => {
                scan.element(tokens.token_start());
                if let (1, Token::String(text)) = (scan.count, token) {
                    scan.first_text = Some(text);
                }
                if scan.count > max_count {
                    return Err(DecodeError::TooManyArguments { max: limits.max_args });
                }
            }
            _ => {}
        }
    }
    tokens.finish()?;
    scan.lone_surrogate = tokens.lone_surrogate();
    Ok(scan)
}

impl<'a> Scan<'a> {
    /// Takes the plain elements that the array `payload` begins with; where the rest begins. Elements
    /// of other kinds, placeholders that point nowhere and one element too many are not taken.
    fn plain_elements(&mut self, payload: &'a str, attachments: usize, max_count: usize) -> usize {
        self.shape = Shape::Array;
        let mut position = 1;
        while self.count < max_count {
            let rest = payload.get(position..).unwrap_or_default();
            let rest = if self.count == 0 { Some(rest) } else { rest.strip_prefix(',') };
            let Some(rest) = rest else { break };
            let start = payload.len() - rest.len();
            if let Some(raw) = plain_string(rest) {
                if self.count == 0 {
                    self.first_text = Some(Text { raw, escaped: false });
                }
                position = start + raw.len() + 2;
            } else if let Some((num, len)) = plain_placeholder(rest) {
                if num >= attachments {
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

/// The number of the placeholder that `text` begins with, and its length in bytes, if it is spelled
/// as all clients do.
pub(crate) fn plain_placeholder(text: &str) -> Option<(usize, usize)> {
    let number = text.strip_prefix(r#"{"_placeholder":true,"num":"#)?;
    let (digits, rest) = split_digits(number);
    // RFC 8259 6
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
    if has_leading_zero || !rest.starts_with('}') {
        return None;
    }
    Some((digits.parse().ok()?, text.len() - rest.len() + 1))
}

/// Checks every `{"_placeholder":true,"num":N}` of a binary packet.
///
/// As the reference does, an object counts as a placeholder by the value `true` of that key alone,
/// whatever else it holds; of a key given twice the last one counts.
// Socket.IO v5: binary packets
#[derive(Debug)]
struct Placeholders {
    attachments: usize,
    /// The open objects.
    open: Vec<Mark>,
    /// What the value that follows belongs to.
    member: Member,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    flag: bool,
    valid_num: bool,
}

#[derive(Clone, Copy, Debug)]
enum Member {
    Flag,
    Num,
    Other,
}

impl Placeholders {
    const fn new(attachments: usize) -> Self {
        Self { attachments, open: Vec::new(), member: Member::Other }
    }

    fn on_token(&mut self, token: Token<'_>) -> Result<(), DecodeError> {
        match (self.member, self.open.last_mut()) {
            (Member::Flag, Some(mark)) => mark.flag = token == Token::Bool(true),
            (Member::Num, Some(mark)) => {
                mark.valid_num =
                    matches!(token, Token::Number(num) if points_to(num, self.attachments));
            }
            _ => {}
        }
        self.member = Member::Other;
        match token {
            Token::Key(key) => {
                self.member = match &*key.unescape() {
                    PLACEHOLDER => Member::Flag,
                    NUM => Member::Num,
                    _ => Member::Other,
                };
            }
            Token::BeginObject => self.open.push(Mark { flag: false, valid_num: false }),
            Token::EndObject => {
                let mark = self.open.pop();
                let lost = mark.is_some_and(|mark| mark.flag && !mark.valid_num);
                return if lost { Err(DecodeError::InvalidPlaceholder) } else { Ok(()) };
            }
            _ => {}
        }
        Ok(())
    }
}

fn points_to(num: &str, attachments: usize) -> bool {
    num.parse::<usize>().is_ok_and(|num| num < attachments)
}

/// Where the element at the beginning of `text` ends. The text has passed the validating pass.
pub(crate) fn element_end(text: &str) -> Result<usize, JsonError> {
    let mut tokens = Tokens::of_valid(text);
    tokens.skip()?;
    Ok(tokens.position())
}

/// How deep a placeholder lies at least: in the array of the arguments.
const PLACEHOLDER_DEPTH: usize = 2;

pub(crate) const PLACEHOLDER: &str = "_placeholder";
pub(crate) const NUM: &str = "num";
