//! The one pass over a packet's payload: validates all of it, notes where the arguments are.
//!
//! After it the text is known to be JSON within the limits, so that later readers need no depth
//! limit of their own. Objects are looked at only where they can be placeholders.

use std::borrow::Cow;

use crate::check::{First, Payload, Shape};
use crate::json::{JsonError, Token, Tokens};
use crate::text::Text;
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
    let mut tokens = Tokens::new(payload, limits.max_depth);
    let mut placeholders = (attachments > 0).then(|| Placeholders::new(attachments));
    let mut scan = Scan {
        shape: Shape::Other,
        first_text: None,
        count: 0,
        first: 0,
        second: 0,
        end: 0,
        lone_surrogate: false,
    };
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
            (0, _) => scan.end = tokens.token_start(),
            (1, Token::Key(_) | Token::EndArray | Token::EndObject) => {}
            (1, _) if scan.shape == Shape::Array => {
                scan.count += 1;
                match scan.count {
                    1 => scan.first = tokens.token_start(),
                    2 => scan.second = tokens.token_start(),
                    _ => {}
                }
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
    // Empty ranges lie before the closing bracket.
    if scan.count < 1 {
        scan.first = scan.end;
    }
    if scan.count < 2 {
        scan.second = scan.end;
    }
    scan.lone_surrogate = tokens.lone_surrogate();
    Ok(scan)
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

pub(crate) const PLACEHOLDER: &str = "_placeholder";
pub(crate) const NUM: &str = "num";
