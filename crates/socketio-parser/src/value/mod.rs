//! JSON plus bytes: a value where no type is at hand.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::Binary;
use crate::binary::{attachment, serialize_shared};

pub(crate) mod build;
pub(crate) mod deserializer;
#[cfg(feature = "serde_json")]
pub(crate) mod serde_json;

/// Any value that an argument can have.
///
/// Members of objects keep their order. Integers written without point or exponent are `Int` if
/// they fit `i64`, else `UInt` if they fit `u64`, else `Float`, as is `-0`; the conversions from Rust
/// integers keep to this too. Not a number and the infinities are sent as `null`; `1e999` is infinite
/// in [`RawArgs::to_values`](crate::RawArgs::to_values), and out of range where a type is read.
///
/// A `Value` can be serialised, deserialised, and deserialised from ([`from_value`]).
///
/// It is 16 bytes: a client sends two for a number in a list, so what is larger is on the heap.
/// Values are made with `from` and `collect`, and what is boxed is taken out with `*`:
///
/// ```
/// # use socketio_parser::Value;
/// let value = Value::from_iter([("seats", Value::from([1, 2]))]);
/// let Value::Object(mut members) = value else { panic!("an object") };
/// let Some(Value::Array(seats)) = members.swap_remove("seats") else { panic!("an array") };
/// let seats: Vec<Value> = *seats;
/// assert_eq!(seats, [Value::Int(1), Value::Int(2)]);
/// ```
///
/// [`from_value`]: crate::from_value
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "JSON and bytes, nothing else")]
pub enum Value {
    /// `null`, and what is missing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer beyond `i64::MAX`.
    UInt(u64),
    /// A number with a fraction or an exponent, or too large for an integer.
    Float(f64),
    /// Text.
    String(Box<String>),
    /// Bytes, an attachment.
    Binary(Box<Bytes>),
    /// A sequence of values.
    Array(Box<Vec<Self>>),
    /// Values by name.
    Object(Box<IndexMap<String, Self>>),
}

const _: () = assert!(size_of::<Value>() == 16, "see the type's documentation");

impl Value {
    /// Whether it is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value, if it is a `bool`.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// The value, if it is an integer in this range.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            Self::UInt(int) => i64::try_from(*int).ok(),
            _ => None,
        }
    }

    /// The value, if it is an integer in this range.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(int) => u64::try_from(*int).ok(),
            Self::UInt(int) => Some(*int),
            _ => None,
        }
    }

    /// The value, if it is a number; large integers are rounded.
    #[must_use]
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(*int as f64),
            Self::UInt(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// The value, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value, if it is bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members, if it is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The member of this name, if it is an object that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // As a missing value, not as `()`, which would be no argument at all.
            Self::Null => serializer.serialize_none(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Int(int) => serializer.serialize_i64(*int),
            Self::UInt(int) => serializer.serialize_u64(*int),
            Self::Float(float) => serializer.serialize_f64(*float),
            Self::String(text) => serializer.serialize_str(text),
            Self::Binary(bytes) => serialize_shared(bytes, serializer),
            Self::Array(items) => serializer.collect_seq(items.iter()),
            Self::Object(members) => serializer.collect_map(members.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        Value::deserialize(inner)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Value, E> {
        Ok(Value::Int(int))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Value, E> {
        Ok(Value::from(int))
    }

    fn visit_i128<E>(self, int: i128) -> Result<Value, E> {
        Ok(match (i64::try_from(int), u64::try_from(int)) {
            (Ok(int), _) => Value::Int(int),
            (_, Ok(int)) => Value::UInt(int),
            _ => Value::Float(int as f64),
        })
    }

    fn visit_u128<E>(self, int: u128) -> Result<Value, E> {
        Ok(u64::try_from(int).map_or(Value::Float(int as f64), Value::from))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(Value::Float(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::from(attachment(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::from(Bytes::from(bytes)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Some(first) = seq.next_element()? else { return Ok(Value::Array(Box::default())) };
        let mut items = Vec::with_capacity(capacity(seq.size_hint()));
        items.push(first);
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        // What a format without a hint made the list grow to may be twice of what it needs.
        items.shrink_to_fit();
        Ok(Value::Array(Box::new(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some((Key(key), value)) = map.next_entry()? else {
            return Ok(Value::Object(Box::default()));
        };
        let mut members = IndexMap::with_capacity(capacity(map.size_hint()));
        members.insert(key, value);
        while let Some((key, value)) = map.next_entry::<Key, _>()? {
            members.insert(key.0, value);
        }
        members.shrink_to_fit();
        Ok(Value::Object(Box::new(members)))
    }
}

/// Room for one value, and for those of which a format knows that they follow.
///
/// Without it a list begins with room for four values, which is most of the memory of a message of
/// many short lists.
fn capacity(following: Option<usize>) -> usize {
    1 + following.unwrap_or(0).min(MAX_FOLLOWING)
}

/// Values to make room for on the word of a format that may be anybody's.
const MAX_FOLLOWING: usize = 1024;

/// The name of a member; formats other than JSON have integers here too.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(*text)),
            Value::Int(int) => Ok(Self(int.to_string())),
            Value::UInt(int) => Ok(Self(int.to_string())),
            Value::Bool(bool) => Ok(Self(bool.to_string())),
            _ => Err(de::Error::custom("key of a map is not text")),
        }
    }
}

macro_rules! from {
    ($($variant:ident as $wide:ty: $($type:ty),+;)+) => {$($(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(<$wide>::from(value).into())
            }
        }
    )+)+};
}

from! {
    Bool as bool: bool;
    Int as i64: i8, i16, i32, i64, u8, u16, u32;
    Float as f64: f32, f64;
    String as String: &str, String, Cow<'_, str>, char;
    Binary as Bytes: Bytes, Binary;
}

impl From<Box<str>> for Value {
    fn from(text: Box<str>) -> Self {
        Self::from(String::from(text))
    }
}

impl From<u64> for Value {
    fn from(int: u64) -> Self {
        i64::try_from(int).map_or(Self::UInt(int), Self::Int)
    }
}

impl From<usize> for Value {
    fn from(int: usize) -> Self {
        Self::from(int as u64)
    }
}

impl From<isize> for Value {
    fn from(int: isize) -> Self {
        Self::Int(int as i64)
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        items.into_iter().collect()
    }
}

impl From<IndexMap<String, Self>> for Value {
    fn from(members: IndexMap<String, Self>) -> Self {
        Self::Object(Box::new(members))
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::Array(Box::new(items.into_iter().map(Into::into).collect()))
    }
}

impl<K: Into<String>, T: Into<Self>> FromIterator<(K, T)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(members: I) -> Self {
        let members = members.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self::Object(Box::new(members.collect()))
    }
}
