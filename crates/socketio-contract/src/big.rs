//! Integers that JavaScript cannot hold, as text.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// An integer of 64 bits or more that travels as text: a `number` of JavaScript holds 53 of them.
/// It is read from a number, too, if that is a whole one.
///
/// ```
/// use socketio_contract::Big;
///
/// let id: Big<u64> = serde_json::from_str("\"18446744073709551615\"").unwrap();
/// assert_eq!(*id, u64::MAX);
/// assert_eq!(serde_json::to_string(&id).unwrap(), "\"18446744073709551615\"");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a plain wrapper")]
pub struct Big<T>(pub T);

impl<T> Deref for Big<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Big<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Display> Display for Big<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Display> Serialize for Big<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr + TryFrom<u64> + TryFrom<i64>> Deserialize<'de> for Big<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: FromStr + TryFrom<u64> + TryFrom<i64>> Visitor<'_> for Text<T> {
            type Value = Big<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer as a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Big<T>, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Str(text), &self);
                text.parse().map(Big).map_err(wrong)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Big<T>, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Unsigned(value), &self);
                T::try_from(value).map(Big).map_err(wrong)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Big<T>, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Signed(value), &self);
                T::try_from(value).map(Big).map_err(wrong)
            }
        }
        deserializer.deserialize_any(Text(PhantomData))
    }
}

impl<T> JsonSchema for Big<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BigInteger".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^-?\\d+$" })
    }
}
