//! Arrays that are JSON before they get here: of programs that write it themselves, such as those in
//! another language that this process runs.

use std::borrow::Cow;

use bytes::Bytes;

use crate::args::elements::{Elements, value};
use crate::args::repr::Repr;
use crate::json::tokens::Tokens;
use crate::value::build::build;
use crate::{RawArgs, Value};

/// The payload of a packet as JSON: the name and the arguments of an event, or the values of an
/// answer, with `{"_placeholder":true,"num":N}` for each attachment, counted from 0 in their order.
///
/// It is sent as it is: whoever makes one vouches that it is a JSON array, which debug builds check.
#[derive(Clone, Debug)]
pub struct JsonArray<'a> {
    text: Cow<'a, str>,
    attachments: Vec<Bytes>,
}

impl<'a> JsonArray<'a> {
    /// An array of this text, brackets and all, and its attachments.
    ///
    /// # Panics
    /// In debug builds, if it is none.
    #[must_use]
    pub fn new(text: impl Into<Cow<'a, str>>, attachments: Vec<Bytes>) -> Self {
        let text = text.into();
        debug_assert!(is_array(&text), "no JSON array: {text}");
        Self { text, attachments }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The attachments.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The array of an event taken apart, for who needs its parts: its name, and the arguments as if
    /// they had been received. `None`: it does not begin with a text.
    #[must_use]
    pub fn read(&self) -> Option<(String, RawArgs<'_>)> {
        let mut elements = Elements::new(self.inner());
        let Value::String(name) = value(elements.next()?, &[]) else { return None };
        Some((*name, self.args(elements)))
    }

    /// All elements, as if they had been received: the values of an answer.
    #[must_use]
    pub fn values(&self) -> RawArgs<'_> {
        self.args(Elements::new(self.inner()))
    }

    fn args<'s>(&'s self, elements: Elements<'s>) -> RawArgs<'s> {
        let text = Cow::Borrowed(elements.rest());
        RawArgs(Repr::Json { text, len: elements.count(), attachments: self.attachments.clone() })
    }

    fn inner(&self) -> &str {
        let text = self.text.trim_ascii();
        text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default()
    }
}

fn is_array(text: &str) -> bool {
    matches!(build(&mut Tokens::of_valid(text), &[]), Ok(Value::Array(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_apart() {
        let bytes = Bytes::from_static(b"\x01\x02");
        let text = r#"["a\n\"b", 1.50 ,{"_placeholder":true,"num":0}]"#;
        let event = JsonArray::new(text, vec![bytes.clone()]);
        let (name, args) = event.read().unwrap();
        assert_eq!(name, "a\n\"b");
        assert_eq!(args.len(), 2);
        assert_eq!(args.to_values(), [Value::from(1.5), Value::from(bytes)]);
        assert_eq!(JsonArray::new(r#"["x"]"#, Vec::new()).read().unwrap().1.len(), 0);
        assert!(JsonArray::new("[1]", Vec::new()).read().is_none());
        assert!(JsonArray::new("[]", Vec::new()).read().is_none());
        assert_eq!(JsonArray::new("[]", Vec::new()).values().len(), 0);
        assert_eq!(JsonArray::new("[null,[2,3]]", Vec::new()).values().len(), 2);
    }

    #[test]
    #[should_panic(expected = "no JSON array")]
    #[cfg(debug_assertions)]
    fn what_is_no_array_is_found_by_debug_builds() {
        let _ = JsonArray::new("{}", Vec::new());
    }
}
