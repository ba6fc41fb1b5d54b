//! What is sent, in both forms: kinds of types that the tables of bytes do not name.

use std::fmt::Debug;
use std::sync::Arc;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use socketio_parser::{
    Decoded, EncodeError, Encoded, Limits, Parser, Revision, Spread, Value, to_value,
};

fn parsers() -> Vec<Parser> {
    vec![
        Parser::json(),
        #[cfg(feature = "msgpack")]
        Parser::msgpack(),
    ]
}

/// What a client reads of one argument.
fn read(parser: &Parser, argument: &impl Serialize) -> Value {
    let encoded = parser.encoder().event(0, "/", None, "e", &Spread(vec![argument]));
    let mut decoder = parser.decoder(Revision::V5, Arc::new(Limits::default()));
    let text;
    let decoded = match encoded.expect("serialisable") {
        Encoded::Text { buffer, start, .. } => {
            text = String::from_utf8(buffer[start..].to_vec()).expect("text");
            decoder.text(&text)
        }
        Encoded::Binary(bytes) => decoder.binary(bytes),
    };
    match decoded {
        Ok(Some(Decoded::Event { args, .. })) => args.deserialize::<Value>().expect("any value"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(argument: impl Serialize + Debug, expected: impl Into<Value>) {
    let expected = expected.into();
    for parser in parsers() {
        assert_eq!(read(&parser, &argument), expected, "{parser:?} {argument:?}");
    }
    assert_eq!(to_value(&argument), Ok(expected), "{argument:?}");
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, Serialize, Deserialize)]
struct Name(String);

#[derive(Clone, Debug, Serialize)]
enum Shape {
    Dot,
    Circle(u32),
    Line(u8, u8),
    Rect { w: u8 },
}

#[test]
fn numbers() {
    check((i8::MIN, i16::MIN, i32::MIN), [-128, -32_768, -2_147_483_648_i64]);
    check((i64::MIN, i64::MAX), [i64::MIN, i64::MAX]);
    check((u8::MAX, u16::MAX, u32::MAX), [255, 65_535, 4_294_967_295_i64]);
    check((u64::MAX,), [u64::MAX]);
    check((-7_i128, i128::from(u64::MAX)), [Value::Int(-7), Value::UInt(u64::MAX)]);
    check((7_u128, u128::from(u64::MAX)), [Value::Int(7), Value::UInt(u64::MAX)]);
}

#[test]
fn structs_and_variants() {
    check((Nothing, 1), [Value::Null, Value::Int(1)]);
    check((Name("n".into()), 1), [Value::from("n"), Value::Int(1)]);
    check(Shape::Dot, "Dot");
    check(Shape::Circle(5), Value::from_iter([("Circle", 5)]));
    check(Shape::Line(1, 2), Value::from_iter([("Line", Value::from([1, 2]))]));
    check(Shape::Rect { w: 3 }, Value::from_iter([("Rect", Value::from_iter([("w", 3)]))]));
}

/// Depth is what is open at the same time, not what was ever opened.
#[test]
fn many_beside_each_other() {
    for shape in [Shape::Circle(5), Shape::Line(1, 2), Shape::Rect { w: 3 }] {
        let one = to_value(&shape).expect("serialisable");
        check(vec![shape; 2_000], vec![one; 2_000]);
    }
    check(vec![vec![vec![1]]; 2_000], vec![Value::from([Value::from([1])]); 2_000]);
    check(vec![Some(((1,),)); 2_000], vec![Value::from([Value::from([1])]); 2_000]);
}

/// A map with one name that is no text.
#[derive(Debug)]
struct Member<K>(K);

impl<K: Serialize> Serialize for Member<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.0, &1)?;
        map.end()
    }
}

#[test]
fn names_of_members() {
    let named = |name: &str| Value::from_iter([(name, 1)]);
    check(Member("a"), named("a"));
    check(Member(-7), named("-7"));
    check(Member(7_u8), named("7"));
    check(Member(-32_768_i16), named("-32768"));
    check(Member(u64::MAX), named("18446744073709551615"));
    check(Member(true), named("true"));
    check(Member(Shape::Dot), named("Dot"));
    for parser in parsers() {
        for refused in [
            parser.encoder().event(0, "/", None, "e", &Member([1])),
            parser.encoder().event(0, "/", None, "e", &Member(())),
            parser.encoder().event(0, "/", None, "e", &Member(f64::NAN)),
        ] {
            assert_eq!(refused, Err(EncodeError::Key), "{parser:?}");
        }
    }
}
