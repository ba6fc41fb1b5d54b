//! Typed values out of validated msgpack, as they come out of a `Value`.
//!
//! It recurses as deep as values are nested, which the validating pass has bounded.

use std::borrow::Cow;

use serde::de::value::SeqDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::date::to_iso;
use crate::methods::alias_methods;
use crate::msgpack::tokens::{Token, Tokens};
use crate::value::deserializer::Key;
#[cfg(feature = "serde_json")]
use crate::value::serde_json::{is_raw_value, raw_value};
use crate::{ArgsError, DecodeError, Value};

/// Reads values from the front of a message.
#[derive(Debug)]
pub(crate) struct Reader<'a>(Tokens<'a>);

impl<'de> Reader<'de> {
    pub(crate) const fn new(bytes: &'de [u8]) -> Self {
        Self(Tokens::new(bytes))
    }

    fn next(&mut self) -> Result<Token<'de>, ArgsError> {
        self.0.next().map_err(invalid)
    }

    fn peek(&self) -> Result<Token<'de>, ArgsError> {
        self.0.clone().next().map_err(invalid)
    }

    /// The value that begins with a token.
    #[inline]
    fn visit<V: Visitor<'de>>(
        &mut self,
        token: Token<'de>,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        match token {
            Token::Null | Token::Undefined => visitor.visit_unit(),
            Token::Bool(bool) => visitor.visit_bool(bool),
            Token::UInt(int) => visitor.visit_u64(int),
            Token::Int(int) => visitor.visit_i64(int),
            Token::Float(float) => visitor.visit_f64(float),
            Token::Str(text) => match String::from_utf8_lossy(text) {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Token::Bin(bytes) | Token::Ext(bytes) | Token::Unknown(bytes) => {
                visitor.visit_borrowed_bytes(bytes)
            }
            Token::Date(ms) => match to_iso(ms) {
                Some(text) => visitor.visit_string(text),
                None => visitor.visit_unit(),
            },
            Token::Array(len) => self.visit_seq(len, visitor),
            Token::Map(len) => self.visit_map(len, visitor),
        }
    }

    fn visit_seq<V: Visitor<'de>>(
        &mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        let mut members = Members { reader: self, left: len };
        let value = visitor.visit_seq(&mut members)?;
        members.finish(len)?;
        Ok(value)
    }

    fn visit_map<V: Visitor<'de>>(
        &mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        let mut members = Members { reader: self, left: len };
        let value = visitor.visit_map(&mut members)?;
        members.finish(len)?;
        Ok(value)
    }

    fn key(&mut self) -> Result<Key<'de>, ArgsError> {
        Ok(Key::new(match self.next()? {
            Token::Str(text) => String::from_utf8_lossy(text),
            Token::UInt(int) => int.to_string().into(),
            Token::Int(int) => int.to_string().into(),
            Token::Bool(bool) => bool.to_string().into(),
            _ => return Err(ArgsError::custom("key of a map is not text")),
        }))
    }
}

/// `count` values of validated bytes.
pub(crate) fn values(bytes: &[u8], count: usize) -> Vec<Value> {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let value = Value::deserialize(&mut reader);
        debug_assert!(value.is_ok(), "bytes that passed the validating pass: {value:?}");
        values.push(value.unwrap_or_default());
    }
    values
}

/// One value that stands alone.
pub(crate) fn value(bytes: &[u8], max_depth: usize) -> Result<Value, DecodeError> {
    let mut tokens = Tokens::with_timestamps(bytes);
    tokens.skip_known(max_depth)?;
    tokens.finish()?;
    Value::deserialize(&mut Reader(Tokens::with_timestamps(bytes)))
        .map_err(|_| DecodeError::InvalidMsgpack { at: 0, reason: "no value" })
}

/// The values of validated bytes, one slice each.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a>(Tokens<'a>);

impl<'a> Elements<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(Tokens::new(bytes))
    }

    /// All that is left, which begins with the next value.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0.rest()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.rest();
        self.0.skip(usize::MAX).ok()?;
        rest.get(..rest.len() - self.0.rest().len())
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        let token = self.next()?;
        self.visit(token, visitor)
    }

    // Text is text and bytes are bytes, as in a `Value`.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self.next()? {
            Token::Bin(bytes) | Token::Ext(bytes) | Token::Unknown(bytes) => {
                Err(ArgsError::invalid_type(Unexpected::Bytes(bytes), &visitor))
            }
            other => self.visit(other, visitor),
        }
    }

    alias_methods! {}

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self.next()? {
            Token::Str(text) => {
                let text = String::from_utf8_lossy(text);
                Err(ArgsError::invalid_type(Unexpected::Str(&text), &visitor))
            }
            Token::Date(_) => Err(ArgsError::invalid_type(Unexpected::Other("date"), &visitor)),
            other => self.visit(other, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        let missing = match self.peek()? {
            Token::Null | Token::Undefined => true,
            Token::Date(ms) => to_iso(ms).is_none(),
            _ => false,
        };
        if missing {
            self.next()?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        let (Token::Bin(bytes) | Token::Ext(bytes) | Token::Unknown(bytes)) = self.peek()? else {
            return self.deserialize_any(visitor);
        };
        self.next()?;
        let mut bytes = SeqDeserializer::new(bytes.iter().copied());
        let value = visitor.visit_seq(&mut bytes)?;
        bytes.end()?;
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        match self.peek()? {
            Token::Str(_) => visitor.visit_enum(Variant { reader: self, has_contents: false }),
            Token::Map(1) => {
                self.next()?;
                visitor.visit_enum(Variant { reader: self, has_contents: true })
            }
            _ => Err(ArgsError::custom(
                "expected the name of a variant, or an object with one member",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        self.0.skip(usize::MAX).map_err(invalid)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 unit unit_struct map struct
    }
}

/// Cannot happen after the validating pass.
fn invalid(error: DecodeError) -> ArgsError {
    ArgsError::custom(error)
}

/// The members of an array or a map.
struct Members<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
}

impl Members<'_, '_> {
    fn finish(self, len: usize) -> Result<(), ArgsError> {
        match self.left {
            0 => Ok(()),
            left => Err(ArgsError::invalid_length(len, &format!("{}", len - left).as_str())),
        }
    }
}

impl<'de> SeqAccess<'de> for Members<'_, 'de> {
    type Error = ArgsError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ArgsError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // No more than the message has bytes left.
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = ArgsError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ArgsError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.reader.key()?).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ArgsError> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// One variant of an enum: its name, and its contents if it has any.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
    has_contents: bool,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ArgsError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), ArgsError> {
        Ok((seed.deserialize(self.reader.key()?)?, self))
    }
}

impl<'r, 'de> Variant<'r, 'de> {
    fn contents(self, expected: &'static str) -> Result<&'r mut Reader<'de>, ArgsError> {
        match self.has_contents {
            true => Ok(self.reader),
            false => Err(ArgsError::invalid_type(Unexpected::UnitVariant, &expected)),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ArgsError;

    fn unit_variant(self) -> Result<(), ArgsError> {
        if self.has_contents { <()>::deserialize(self.reader) } else { Ok(()) }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ArgsError> {
        seed.deserialize(self.contents("newtype variant")?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.contents("tuple variant")?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.contents("struct variant")?.deserialize_any(visitor)
    }
}
