//! Typed values out of arguments: which argument a type takes, and from what it is read.
//!
//! Without attachments an argument is read straight from its JSON text. Its depth is bounded by
//! the validating pass, so serde_json's own limit is off. With attachments it is built as a value
//! first, because placeholders can stand anywhere. Msgpack is read straight from its bytes.

use bytes::Bytes;
use memchr::memchr2;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::args::elements::{Elements, lone_attachment, value};
use crate::args::repr::Repr;
use crate::args::spread::{ONE, SPREAD};
use crate::json::strict::Strict;
use crate::methods::{byte_methods, spread_methods, text_methods, value_methods};
#[cfg(feature = "msgpack")]
use crate::msgpack;
use crate::value::deserializer::Attachment;
use crate::{ArgsError, Value};

/// Reads one type from all the arguments.
#[derive(Debug)]
pub(crate) struct ArgsDeserializer<'a> {
    source: Source<'a>,
    /// The next argument to read.
    index: usize,
    len: usize,
}

#[derive(Debug)]
enum Source<'a> {
    Json {
        elements: Elements<'a>,
        attachments: &'a [Bytes],
    },
    #[cfg(feature = "msgpack")]
    Msgpack(msgpack::Elements<'a>),
    Values(std::slice::Iter<'a, Value>),
}

impl<'a> ArgsDeserializer<'a> {
    pub(crate) fn new(args: &'a Repr<'_>) -> Self {
        let source = match args {
            Repr::Json { text, attachments, .. } => {
                Source::Json { elements: Elements::new(text), attachments }
            }
            #[cfg(feature = "msgpack")]
            Repr::Msgpack { bytes, .. } => Source::Msgpack(msgpack::Elements::new(bytes)),
            Repr::Values(values) => Source::Values(values.iter()),
        };
        Self { source, index: 0, len: args.len() }
    }

    /// The next argument; missing ones are `null`.
    fn next(&mut self) -> Argument<'a> {
        let index = self.index;
        self.index += 1;
        let content = match &mut self.source {
            _ if index >= self.len => return Argument { index, missing: true, content: NULL },
            // The last argument is all that is left, and serde_json stops at its end.
            Source::Json { elements, attachments } if index + 1 == self.len => {
                Some(Content::of_json(elements.rest(), attachments))
            }
            Source::Json { elements, attachments } => {
                elements.next().map(|json| Content::of_json(json, attachments))
            }
            // A reader of msgpack stops at the end of a value, too.
            #[cfg(feature = "msgpack")]
            Source::Msgpack(elements) if index + 1 == self.len => {
                Some(Content::Msgpack(elements.rest()))
            }
            #[cfg(feature = "msgpack")]
            Source::Msgpack(elements) => elements.next().map(Content::Msgpack),
            Source::Values(values) => values.next().cloned().map(Content::Value),
        };
        let Some(content) = content else {
            return Argument { index, missing: false, content: NULL };
        };
        Argument { index, missing: false, content }
    }
}

/// Methods that read the first argument.
macro_rules! first {
    ($($method:ident($($name:ident: $type:ty),*);)+) => {$(
        fn $method<V: Visitor<'de>>(
            mut self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            self.next().$method($($name,)* visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for ArgsDeserializer<'de> {
    type Error = ArgsError;

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_seq(Spreading { args: self, end: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        match name {
            ONE => visitor.visit_newtype_struct(self.next()),
            SPREAD => {
                let end = self.len;
                visitor.visit_seq(Spreading { args: self, end })
            }
            #[cfg(feature = "serde_json")]
            _ if crate::value::serde_json::is_raw_value(name) => {
                self.next().deserialize_newtype_struct(name, visitor)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    text_methods! { first }
    byte_methods! { first }
    value_methods! { first }
}

/// Hands out the arguments before `end`, one per element.
struct Spreading<'a> {
    args: ArgsDeserializer<'a>,
    end: usize,
}

impl<'de> SeqAccess<'de> for Spreading<'de> {
    type Error = ArgsError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ArgsError> {
        if self.args.index >= self.end {
            return Ok(None);
        }
        seed.deserialize(self.args.next()).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // Never more than there are: a type may ask for any number of elements.
        Some(self.end.min(self.args.len).saturating_sub(self.args.index))
    }
}

/// One argument. Errors name it.
#[derive(Debug)]
struct Argument<'a> {
    index: usize,
    missing: bool,
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    Json(&'a str),
    #[cfg(feature = "msgpack")]
    Msgpack(&'a [u8]),
    /// Apart from other values, in which bytes are boxed.
    Attachment(Bytes),
    Value(Value),
}

const NULL: Content<'static> = Content::Value(Value::Null);

impl<'a> Content<'a> {
    fn of_json(json: &'a str, attachments: &[Bytes]) -> Self {
        if attachments.is_empty() {
            return Self::Json(json);
        }
        match lone_attachment(json, attachments) {
            Some(bytes) => Self::Attachment(bytes.clone()),
            None => Self::Value(value(json, attachments)),
        }
    }
}

/// Methods that read the argument; `$text` finds what can be read as text without a JSON parser.
macro_rules! forward {
    ($text:ident: $($method:ident($($name:ident: $type:ty),*);)+) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            let result = match self.content {
                Content::Json(json) => 'json: {
                    if let Some(text) = $text(json) {
                        break 'json visitor.visit_borrowed_str(text);
                    }
                    let mut deserializer = serde_json::Deserializer::from_str(json);
                    deserializer.disable_recursion_limit();
                    let strict = Strict(&mut deserializer);
                    strict.$method($($name,)* visitor).map_err(|error| ArgsError::new(&error))
                }
                #[cfg(feature = "msgpack")]
                Content::Msgpack(bytes) => msgpack::Reader::new(bytes).$method($($name,)* visitor),
                Content::Attachment(bytes) => Attachment(bytes).$method($($name,)* visitor),
                Content::Value(value) => value.$method($($name,)* visitor),
            };
            result.map_err(|error| {
                if self.missing { ArgsError::missing(self.index) } else { error.at(self.index) }
            })
        }
    )+};
}

impl<'de> Deserializer<'de> for Argument<'de> {
    type Error = ArgsError;

    text_methods! { forward plain_text: }
    byte_methods! { forward no_text: }
    value_methods! { forward no_text: }
    spread_methods! { forward no_text: }
}

/// The contents of a string without escapes, of which the validating pass has seen the end: a long
/// one is then not looked at byte by byte again.
#[inline]
fn plain_text(json: &str) -> Option<&str> {
    let text = json.trim_start_matches([' ', '\t', '\n', '\r']).strip_prefix('"')?;
    let end = memchr2(b'"', b'\\', text.as_bytes())?;
    text.get(..end).filter(|_| text.as_bytes()[end] == b'"')
}

const fn no_text(_: &str) -> Option<&str> {
    None
}
