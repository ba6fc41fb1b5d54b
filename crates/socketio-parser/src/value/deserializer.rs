//! Typed values out of a `Value`, as serde_json gives them out of JSON text.
//!
//! Bytes are bytes, or a sequence of numbers (`Vec<u8>`), never text, and text is never bytes: the
//! type of a value does not depend on what stands in it. serde's own types for text would take
//! bytes that are UTF-8 by chance.

use std::borrow::Cow;
use std::str::FromStr;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use bytes::Bytes;

use crate::binary::visit_shared;
use crate::methods::alias_methods;
#[cfg(feature = "serde_json")]
use crate::value::serde_json::{is_raw_value, raw_value};
use crate::{ArgsError, Value};

impl<'de> Deserializer<'de> for Value {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(bool) => visitor.visit_bool(bool),
            Self::Int(int) => visitor.visit_i64(int),
            Self::UInt(int) => visitor.visit_u64(int),
            Self::Float(float) => visitor.visit_f64(float),
            Self::String(text) => visitor.visit_string(*text),
            Self::Binary(bytes) => Attachment(*bytes).deserialize_any(visitor),
            Self::Array(items) => visit_seq(items.into_iter(), visitor),
            Self::Object(members) => {
                let members = members.into_iter().map(|(key, value)| (Key::new(key.into()), value));
                let mut members = MapDeserializer::new(members);
                let value = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self {
            Self::Binary(bytes) => Attachment(*bytes).deserialize_seq(visitor),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self {
            Self::String(_) => Err(ArgsError::invalid_type(self.unexpected(), &visitor)),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self {
            Self::Binary(bytes) => Attachment(*bytes).deserialize_str(visitor),
            other => other.deserialize_any(visitor),
        }
    }

    alias_methods! {}

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self {
            Self::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        match self {
            Self::String(name) => visitor.visit_enum(Variant { name: *name, value: None }),
            Self::Object(members) if members.len() == 1 => {
                let (name, value) = members.into_iter().next().unwrap_or_default();
                visitor.visit_enum(Variant { name, value: Some(value) })
            }
            other => Err(no_variant(other.unexpected())),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 unit unit_struct map struct
    }
}

impl IntoDeserializer<'_, ArgsError> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Value {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(bool) => Unexpected::Bool(*bool),
            Self::Int(int) => Unexpected::Signed(*int),
            Self::UInt(int) => Unexpected::Unsigned(*int),
            Self::Float(float) => Unexpected::Float(*float),
            Self::String(text) => Unexpected::Str(text),
            Self::Binary(bytes) => Unexpected::Bytes(bytes),
            Self::Array(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }
}

/// Bytes as what a type asks for.
#[derive(Debug)]
pub(crate) struct Attachment(pub(crate) Bytes);

impl<'de> Deserializer<'de> for Attachment {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visit_shared(self.0, visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        Err(ArgsError::invalid_type(Unexpected::Bytes(&self.0), &visitor))
    }

    alias_methods! {}

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visit_seq(self.0.into_iter(), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, ArgsError> {
        Err(no_variant(Unexpected::Bytes(&self.0)))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct map
        struct
    }
}

fn no_variant(unexpected: Unexpected<'_>) -> ArgsError {
    ArgsError::invalid_type(unexpected, &"the name of a variant, or an object with one member")
}

fn visit_seq<'de, I, V>(items: I, visitor: V) -> Result<V::Value, ArgsError>
where
    I: Iterator<Item: IntoDeserializer<'de, ArgsError>>,
    V: Visitor<'de>,
{
    let mut items = SeqDeserializer::new(items);
    let value = visitor.visit_seq(&mut items)?;
    items.end()?;
    Ok(value)
}

/// The name of a member, which a type may want as a number or a `bool`.
pub(crate) struct Key<'de>(Cow<'de, str>);

impl<'de> Key<'de> {
    pub(crate) const fn new(text: Cow<'de, str>) -> Self {
        Self(text)
    }

    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }
}

macro_rules! parsed_key {
    ($($method:ident: $type:ty => $visit:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
            match <$type>::from_str(&self.0) {
                Ok(parsed) => visitor.$visit(parsed),
                Err(_) => self.visit(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        self.visit(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        Err(ArgsError::invalid_type(Unexpected::Str(&self.0), &visitor))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_enum(Variant { name: self.0.into_owned(), value: None })
    }

    parsed_key! {
        deserialize_bool: bool => visit_bool;
        deserialize_i8: i8 => visit_i8;
        deserialize_i16: i16 => visit_i16;
        deserialize_i32: i32 => visit_i32;
        deserialize_i64: i64 => visit_i64;
        deserialize_i128: i128 => visit_i128;
        deserialize_u8: u8 => visit_u8;
        deserialize_u16: u16 => visit_u16;
        deserialize_u32: u32 => visit_u32;
        deserialize_u64: u64 => visit_u64;
        deserialize_u128: u128 => visit_u128;
    }

    forward_to_deserialize_any! {
        f32 f64 char str string unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

impl<'de> IntoDeserializer<'de, ArgsError> for Key<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// One variant of an enum: its name, and its contents if it has any.
struct Variant {
    name: String,
    value: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = ArgsError;
    type Variant = Contents;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Contents), ArgsError> {
        Ok((seed.deserialize(Key(self.name.into()))?, Contents(self.value)))
    }
}

struct Contents(Option<Value>);

impl Contents {
    fn required(self, expected: &'static str) -> Result<Value, ArgsError> {
        self.0.ok_or_else(|| ArgsError::invalid_type(Unexpected::UnitVariant, &expected))
    }
}

impl<'de> VariantAccess<'de> for Contents {
    type Error = ArgsError;

    fn unit_variant(self) -> Result<(), ArgsError> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(other) => Err(ArgsError::invalid_type(other.unexpected(), &"unit variant")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ArgsError> {
        seed.deserialize(self.required("newtype variant")?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.required("tuple variant")?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.required("struct variant")?.deserialize_any(visitor)
    }
}
