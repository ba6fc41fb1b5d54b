//! What stands in JSON for an attachment: `{"_placeholder":true,"num":0}`.

use std::collections::BTreeSet;

use crate::DecodeError;
use crate::json::tokens::Token;
use crate::packet::split_digits;

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
/// whatever else it holds; of a key given twice the last one counts. No attachment is named twice,
/// which no client does: whoever passes the arguments on would send it that often.
// Socket.IO v5: binary packets
#[derive(Debug)]
pub(crate) struct Placeholders {
    attachments: usize,
    named: Named,
    /// The open objects.
    open: Vec<Mark>,
    /// What the value that follows belongs to.
    member: Member,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    flag: bool,
    num: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Member {
    Flag,
    Num,
    Other,
}

impl Placeholders {
    pub(crate) const fn new(attachments: usize) -> Self {
        let named = Named { first: 0, rest: BTreeSet::new() };
        Self { attachments, named, open: Vec::new(), member: Member::Other }
    }

    /// A placeholder points to this attachment.
    #[inline]
    pub(crate) fn name(&mut self, num: usize) -> Result<(), DecodeError> {
        if num >= self.attachments {
            return Err(DecodeError::InvalidPlaceholder);
        }
        if !self.named.insert(num) {
            return Err(DecodeError::RepeatedPlaceholder);
        }
        Ok(())
    }

    pub(crate) fn on_token(&mut self, token: Token<'_>) -> Result<(), DecodeError> {
        match (self.member, self.open.last_mut()) {
            (Member::Flag, Some(mark)) => mark.flag = token == Token::Bool(true),
            (Member::Num, Some(mark)) => {
                mark.num = match token {
                    Token::Number(digits) => digits.parse().ok(),
                    _ => None,
                };
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
            Token::BeginObject => self.open.push(Mark { flag: false, num: None }),
            Token::EndObject => {
                if let Some(Mark { flag: true, num }) = self.open.pop() {
                    return self.name(num.unwrap_or(usize::MAX));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The attachments that were named; a packet seldom has more than a few.
#[derive(Debug)]
struct Named {
    /// A bit each.
    first: u64,
    rest: BTreeSet<usize>,
}

impl Named {
    /// False: it was named before.
    fn insert(&mut self, num: usize) -> bool {
        if num >= u64::BITS as usize {
            return self.rest.insert(num);
        }
        let bit = 1 << num;
        let is_new = self.first & bit == 0;
        self.first |= bit;
        is_new
    }
}

pub(crate) const PLACEHOLDER: &str = "_placeholder";
pub(crate) const NUM: &str = "num";
