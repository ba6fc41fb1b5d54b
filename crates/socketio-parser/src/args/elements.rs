//! The elements of an array in JSON that was found valid, and what they are as values.

use bytes::Bytes;

use crate::Value;
use crate::json::placeholder::plain_placeholder;
use crate::json::tokens::{JsonError, Tokens};
use crate::value::build::build;

/// One value of validated text.
pub(crate) fn value(json: &str, attachments: &[Bytes]) -> Value {
    if let Some(bytes) = lone_attachment(json, attachments) {
        return Value::from(bytes.clone());
    }
    let value = build(&mut Tokens::of_valid(json), attachments);
    debug_assert!(value.is_ok(), "text that passed the validating pass: {value:?}");
    value.unwrap_or_default()
}

/// The attachment, if the text begins with its placeholder as all clients write it. Then no object
/// is built only to find that it is one; any other spelling is for [`build`].
pub(crate) fn lone_attachment<'b>(json: &str, attachments: &'b [Bytes]) -> Option<&'b Bytes> {
    let (num, _) = plain_placeholder(json)?;
    attachments.get(num)
}

/// The elements of validated text, one slice each.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a str,
}

impl<'a> Elements<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// All that is left, which begins with the next element: enough for a reader that stops at
    /// its end, and spares the search for it.
    pub(crate) const fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let (element, after) = rest.split_at_checked(element_end(rest).ok()?)?;
        let after = after.trim_ascii_start();
        self.rest = after.strip_prefix(',').unwrap_or(after);
        Some(element)
    }
}

/// Where the element at the beginning of `text` ends. The text has passed the validating pass.
fn element_end(text: &str) -> Result<usize, JsonError> {
    let mut tokens = Tokens::of_valid(text);
    tokens.skip()?;
    Ok(tokens.position())
}
