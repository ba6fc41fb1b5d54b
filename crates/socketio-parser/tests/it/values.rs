//! Values: what they are made of, and what can be taken out.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor, value};
use serde::forward_to_deserialize_any;
use socketio_parser::{Binary, Value};

/// Whether it is `null`, and what it is as a `bool` and as numbers.
type Taken = (bool, Option<bool>, Option<i64>, Option<u64>, Option<f64>);

#[test]
fn what_can_be_taken_out() {
    let taken = |value: &Value| -> Taken {
        (value.is_null(), value.as_bool(), value.as_i64(), value.as_u64(), value.as_f64())
    };
    let nothing: Taken = (false, None, None, None, None);
    let large = 1_u64 << 63;
    for (value, expected) in [
        (Value::Null, (true, None, None, None, None)),
        (Value::Bool(true), (false, Some(true), None, None, None)),
        (Value::Bool(false), (false, Some(false), None, None, None)),
        (Value::Int(-7), (false, None, Some(-7), None, Some(-7.0))),
        (Value::Int(7), (false, None, Some(7), Some(7), Some(7.0))),
        // not as this crate makes it
        (Value::UInt(7), (false, None, Some(7), Some(7), Some(7.0))),
        (Value::UInt(large), (false, None, None, Some(large), Some(large as f64))),
        (Value::Float(1.5), (false, None, None, None, Some(1.5))),
        (Value::from("1"), nothing),
        (Value::from([1]), nothing),
        (Value::from(Bytes::from_static(b"1")), nothing),
    ] {
        assert_eq!(taken(&value), expected, "{value:?}");
    }
}

#[test]
fn what_they_are_made_of() {
    for (value, expected) in [
        (Value::from(()), Value::Null),
        (Value::from(None::<u8>), Value::Null),
        (Value::from(Some(1_u8)), Value::Int(1)),
        (Value::from(usize::MAX), Value::UInt(u64::MAX)),
        (Value::from(7_usize), Value::Int(7)),
        (Value::from(-7_isize), Value::Int(-7)),
        (Value::from(1.5_f32), Value::Float(1.5)),
        (Value::from(Box::<str>::from("text")), Value::from("text")),
        (Value::from(Cow::Borrowed("text")), Value::from("text")),
        (Value::from('é'), Value::from("é")),
        (Value::from(Binary(Bytes::from_static(b"x"))), Value::from(Bytes::from_static(b"x"))),
    ] {
        assert_eq!(value, expected);
    }
}

#[test]
fn bytes_and_their_wrapper() {
    let bytes = Bytes::from_static(b"\x01\x02");
    assert_eq!(Binary::from(bytes.clone()), Binary(bytes.clone()));
    assert_eq!(Binary::from(vec![1, 2]), Binary(bytes.clone()));
    assert_eq!(Bytes::from(Binary(bytes.clone())), bytes);
}

/// What a format says that it has.
#[derive(Clone)]
enum Says {
    Unit,
    None,
    Some(i64),
    Newtype(i64),
    I128(i128),
    U128(u128),
    Owned(Vec<u8>),
    Enum,
}

impl<'de> Deserializer<'de> for Says {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self {
            Self::Unit => visitor.visit_unit(),
            Self::None => visitor.visit_none(),
            Self::Some(int) => visitor.visit_some(int.into_deserializer()),
            Self::Newtype(int) => visitor.visit_newtype_struct(int.into_deserializer()),
            Self::I128(int) => visitor.visit_i128(int),
            Self::U128(int) => visitor.visit_u128(int),
            Self::Owned(bytes) => visitor.visit_byte_buf(bytes),
            Self::Enum => visitor.visit_enum(value::StrDeserializer::new("Variant")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

#[test]
fn values_of_other_formats() {
    let beyond = i128::from(u64::MAX) + 1;
    for (says, expected) in [
        (Says::Unit, Value::Null),
        (Says::None, Value::Null),
        (Says::Some(7), Value::Int(7)),
        (Says::Newtype(7), Value::Int(7)),
        (Says::I128(-7), Value::Int(-7)),
        (Says::I128(i64::MAX.into()), Value::Int(i64::MAX)),
        (Says::I128(u64::MAX.into()), Value::UInt(u64::MAX)),
        (Says::I128(beyond), Value::Float(beyond as f64)),
        (Says::U128(7), Value::Int(7)),
        (Says::U128(u64::MAX.into()), Value::UInt(u64::MAX)),
        (Says::U128(beyond as u128), Value::Float(beyond as f64)),
        (Says::Owned(vec![1, 2]), Value::from(Bytes::from_static(b"\x01\x02"))),
    ] {
        assert_eq!(Value::deserialize(says), Ok(expected));
    }
    let error = Value::deserialize(Says::Enum).expect_err("it has no contents");
    assert_eq!(error.to_string(), "invalid type: enum, expected any value");
    let binary = Binary::deserialize(Says::Owned(vec![1, 2])).expect("bytes");
    assert_eq!(binary, Binary(Bytes::from_static(b"\x01\x02")));
}

/// Members of other formats need not have texts for names.
#[test]
fn names_of_members() {
    fn object<'de, K: IntoDeserializer<'de, value::Error>>(key: K) -> Result<Value, value::Error> {
        Value::deserialize(MapDeserializer::new([(key, 1_u8)].into_iter()))
    }
    let named = |name: &str| Ok(Value::from_iter([(name, 1)]));
    assert_eq!(object("a"), named("a"));
    assert_eq!(object(-7_i64), named("-7"));
    assert_eq!(object(u64::MAX), named("18446744073709551615"));
    assert_eq!(object(true), named("true"));
    let error = object(1.5_f64).expect_err("it is no name");
    assert_eq!(error.to_string(), "key of a map is not text");
}
