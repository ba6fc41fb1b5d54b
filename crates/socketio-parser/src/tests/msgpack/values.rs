//! Arguments to values and types.

#![allow(clippy::needless_pass_by_value, reason = "tables read better with plain values")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Flat, Point, Shape, argument, decoder, encoder, refused, value};
use crate::{Binary, Decoded, Encoded, One, RawArgs, Revision, Spread, Value};

#[test]
fn values() {
    for (notation, expected) in [
        ("00", 0_i64),
        ("7f", 127),
        ("ff", -1),
        ("e0", -32),
        ("cc ff", 255),
        ("cd ff ff", 65_535),
        ("ce ff ff ff ff", 4_294_967_295),
        ("cf 7f ff ff ff ff ff ff ff", i64::MAX),
        ("d0 80", -128),
        ("d0 05", 5),
        ("d1 80 00", -32_768),
        ("d2 80 00 00 00", -2_147_483_648),
        ("d3 80 00 00 00 00 00 00 00", i64::MIN),
    ] {
        value(notation, Value::Int(expected));
        assert_eq!(argument(notation).deserialize::<i64>(), Ok(expected), "{notation}");
        assert_eq!(argument(notation).deserialize::<f64>(), Ok(expected as f64), "{notation}");
    }
    value("cf ff ff ff ff ff ff ff ff", u64::MAX);
    value("ca 3f c0 00 00", 1.5);
    value("cb c0 04 00 00 00 00 00 00", -2.5);
    value("c0", Value::Null);
    value("c2", false);
    value("c3", true);
    value("a0", "");
    value("d9 02 c3 a9", "é");
    value("da 00 01|x|", "x");
    value("c4 00", Bytes::new());
    value("c5 00 01 07", Bytes::from_static(&[7]));
    value("c6 00 00 00 01 07", Bytes::from_static(&[7]));
    value("90", Value::Array(Box::default()));
    value("92 01 91 c0", Value::from(vec![Value::Int(1), vec![Value::Null].into()]));
    value("80", Value::Object(Box::default()));
    // Keys that JavaScript would make names of; of a key given twice the last counts.
    value(
        "84 01 a1|a| ff a1|b| c3 a1|c| a1|1| a1|d|",
        Value::from_iter([("1", "d"), ("-1", "b"), ("true", "c")]),
    );
    for key in ["c0", "90", "80", "c4 01 00", "ca 3f c0 00 00", "d4 00 00"] {
        refused(&format!("81 {key} 01"), "! invalid packet: key of a map is not text");
        refused(&format!("91 82 a1|a|01 {key} 01"), "! invalid packet: key of a map is not text");
    }
}

#[test]
fn extension_types() {
    value("d4 00 00", Value::Null);
    assert_eq!(argument("d4 00 00").deserialize::<Option<u8>>(), Ok(None));
    value("92 d4 00 00 01", Value::from(vec![Value::Null, 1.into()]));
    for (notation, expected) in [
        ("d7 00 00 00 00 00 00 00 00 00", "1970-01-01T00:00:00.000Z"),
        ("d7 00 ff ff ff ff ff ff ff ff", "1969-12-31T23:59:59.999Z"),
        ("d7 00 00 00 01 5c 0c 1a b5 fb", "2017-05-15T12:34:56.123Z"),
        ("d7 00 00 00 00 dd 9a a6 e0 00", "2000-02-29T00:00:00.000Z"),
        ("d7 00 00 00 00 dd 9f cd 3c 00", "2000-03-01T00:00:00.000Z"),
        ("d7 00 00 00 e6 77 d2 1f db ff", "9999-12-31T23:59:59.999Z"),
        ("d7 00 00 00 e6 77 d2 1f dc 00", "+010000-01-01T00:00:00.000Z"),
        ("d7 00 00 1e b2 08 c2 dc 00 00", "+275760-09-13T00:00:00.000Z"),
        ("d7 00 ff e1 4d f7 3d 24 00 00", "-271821-04-20T00:00:00.000Z"),
    ] {
        value(notation, expected);
        assert_eq!(argument(notation).deserialize::<String>().as_deref(), Ok(expected));
    }
    // Beyond what a `Date` reaches.
    value("d7 00 00 1e b2 08 c2 dc 00 01", Value::Null);
    value("d7 00 80 00 00 00 00 00 00 00", Value::Null);
    assert_eq!(argument("d7 00 80 00 00 00 00 00 00 00").deserialize::<Option<String>>(), Ok(None));
    // Nobody knows these.
    value("d4 01 07", Bytes::from_static(&[7]));
    value("d5 00 01 02", Bytes::from_static(&[1, 2]));
    value("d6 ff 00 00 00 01", Bytes::from_static(&[0, 0, 0, 1]));
    value("c7 00 05", Bytes::new());
    value("c8 00 01 05 07", Bytes::from_static(&[7]));
    assert_eq!(argument("d5 05 01 02").deserialize::<Vec<u8>>(), Ok(vec![1, 2]));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Photo {
    own: Binary,
    plain: Bytes,
    list: Vec<Bytes>,
}

/// What is sent as `T` is read as `T` again, from the bytes and from values made of them.
#[track_caller]
fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(sent: T) {
    let Ok(Encoded::Binary(message)) = encoder().event(0, "/", None, "e", &sent) else { panic!() };
    let mut decoder = decoder(Revision::V4);
    let Ok(Some(Decoded::Event { args, .. })) = decoder.binary(message.clone()) else { panic!() };
    assert_eq!(args.deserialize::<T>().as_ref(), Ok(&sent), "{message:02x?}");
    let values = RawArgs::from_values(args.to_values());
    assert_eq!(values.deserialize::<T>().as_ref(), Ok(&sent), "{values:?}");
    // Arguments that are sent on are the same bytes; values of the same JSON form are equal.
    assert_eq!(encoder().event(0, "/", None, "e", &args), Ok(Encoded::Binary(message)));
}

#[test]
fn types() {
    there_and_back(1_u8);
    there_and_back("text".to_owned());
    there_and_back('é');
    there_and_back((1, "two".to_owned(), Some(3), None::<u8>));
    there_and_back(One((1, 2)));
    there_and_back(Spread(vec![1, 2, 3]));
    there_and_back([1, 2, 3]);
    there_and_back(vec![Some(1), None]);
    there_and_back(Point { x: -1, y: Some(0.5) });
    there_and_back(Point { x: -1, y: None });
    there_and_back(vec![Shape::Dot, Shape::Circle(7), Shape::Line(1, 2), Shape::Rect { w: 3 }]);
    there_and_back(Flat { a: 1, rest: [("b".to_owned(), Value::from(2))].into() });
    there_and_back(HashMap::from([(7_u32, true), (8, false)]));
    there_and_back(BTreeMap::from([(true, 1)]));
    there_and_back(Photo {
        own: Binary(Bytes::from_static(&[1])),
        plain: Bytes::from_static(&[2; 300]),
        list: vec![Bytes::new()],
    });
    there_and_back(vec![0_u16; 70_000]);
    there_and_back("x".repeat(70_000));
    there_and_back(vec![i64::MIN, -33, -32, -1, 0, 127, 128, 255, 256, i64::MAX]);
    there_and_back(Value::from(u64::MAX));
    there_and_back(vec![f64::MAX, f64::INFINITY, -0.0, 1.0]);
}

#[test]
fn arguments_of_another_type() {
    #[track_caller]
    fn check<T: DeserializeOwned + Debug>(notation: &str, expected: &str) {
        let error = argument(notation).deserialize::<T>().expect_err(notation);
        assert_eq!(error.index(), Some(0));
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    check::<u8>("a1|x|", "argument 0: invalid type: string \"x\", expected u8");
    check::<u8>("ff", "argument 0: invalid value: integer `-1`, expected u8");
    check::<One<(u8, u8)>>("93 01 02 03", "argument 0: invalid length 3, expected 2");
    check::<Shape>("01", "argument 0: expected the name of a variant");
    check::<Shape>("a6|Circle|", "argument 0: invalid type: unit variant");
    check::<Shape>("81 a3|Dot|01", "argument 0: invalid type");
    check::<Shape>("a1|X|", "argument 0: unknown variant `X`");
    check::<Point>("82 a1|x|01 a1|x|02", "argument 0: duplicate field `x`");
    let error = argument("01").deserialize::<(u8, u8)>().expect_err("one argument only");
    assert_eq!(error.to_string(), "argument 1: missing");
    // Further arguments, and what a type does not want, are skipped.
    assert_eq!(
        argument("83 a1|a|92 01 02 a1|x|05 a1|z|80").deserialize(),
        Ok(Point { x: 5, y: None })
    );
    assert_eq!(argument("91 01").deserialize(), Ok(()));
}
