//! To and from the values of serde_json, and its raw JSON text.

use serde::de::value::MapDeserializer;
use serde::de::{Deserialize as _, Deserializer, Error as _, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Number};

use crate::Value;

/// Nothing is lost: an integer stays one, a number that fits no 64 bits is the nearest double.
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(bool) => Self::Bool(bool),
            serde_json::Value::Number(number) => of_number(&number),
            serde_json::Value::String(text) => Self::from(text),
            serde_json::Value::Array(values) => values.into_iter().collect(),
            serde_json::Value::Object(members) => members.into_iter().collect(),
        }
    }
}

/// What JSON does not have is as `JSON.stringify` of Node writes it: bytes are an object,
/// `{"type":"Buffer","data":[1,2]}`, and a number that is infinite or none is `null`. The order of
/// members is kept with the feature `preserve_order` of serde_json, otherwise they are sorted.
impl From<Value> for serde_json::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Int(int) => int.into(),
            Value::UInt(int) => int.into(),
            Value::Float(float) => float.into(),
            Value::String(text) => Self::String(*text),
            Value::Binary(bytes) => buffer(&bytes),
            Value::Array(values) => values.into_iter().map(Self::from).collect(),
            Value::Object(members) => {
                let members = members.into_iter().map(|(key, value)| (key, value.into()));
                Self::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

fn of_number(number: &Number) -> Value {
    match (number.as_i64(), number.as_u64()) {
        (Some(int), _) => Value::Int(int),
        (None, Some(int)) => Value::UInt(int),
        // one of any precision, if that feature of serde_json is on, is its text
        (None, None) => Value::Float(
            number.as_f64().or_else(|| number.to_string().parse().ok()).unwrap_or(f64::NAN),
        ),
    }
}

/// Whether a newtype of this name is serde_json's `RawValue`.
pub(crate) fn is_raw_value(name: &str) -> bool {
    name == RAW_VALUE
}

/// Makes a `RawValue` of what is no JSON text, or not any more. It takes its text from a map with one
/// member, as serde_json hands it out.
pub(crate) fn raw_value<'de, D: Deserializer<'de>, V: Visitor<'de>>(
    deserializer: D,
    visitor: V,
) -> Result<V::Value, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let json = serde_json::to_string(&AsJson(&value)).map_err(D::Error::custom)?;
    visitor.visit_map(MapDeserializer::new(std::iter::once((RAW_VALUE, json))))
}

/// A value that is written as [`serde_json::Value::from`] says, its members in their order.
struct AsJson<'a>(&'a Value);

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Binary(bytes) => buffer(bytes).serialize(serializer),
            Value::Array(values) => serializer.collect_seq(values.iter().map(AsJson)),
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, AsJson(value))))
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// What `JSON.stringify` makes of a `Buffer`.
fn buffer(bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({ "type": "Buffer", "data": bytes })
}

const RAW_VALUE: &str = "$serde_json::private::RawValue";
