//! The packets of the npm package socket.io-msgpack-parser, byte by byte.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::show;
use crate::{
    Args, Binary, Decoded, Decoder, EncodeError, Encoded, Encoder, Limits, One, Parser, Revision,
    Spread, Value, from_value,
};

fn decoder(revision: Revision) -> Decoder {
    Parser::msgpack().decoder(revision, Arc::new(Limits::default()))
}

fn encoder() -> Encoder {
    Parser::msgpack().encoder()
}

/// Bytes from hexadecimal digits and, between bars, ASCII: `82 a4|type|02`.
fn bytes(notation: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, part) in notation.split('|').enumerate() {
        if number % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(|byte| *byte != b' ').collect();
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            bytes.push(u8::from_str_radix(pair, 16).expect("hexadecimal"));
        }
    }
    bytes
}

fn decode(revision: Revision, message: &[u8]) -> String {
    match decoder(revision).binary(Bytes::copy_from_slice(message)) {
        Ok(decoded) => show(decoded),
        Err(error) => format!("! {error}"),
    }
}

#[track_caller]
fn v5(notation: &str, expected: &str) {
    assert_eq!(decode(Revision::V5, &bytes(notation)), expected, "protocol 5, {notation}");
}

#[track_caller]
fn v4(notation: &str, expected: &str) {
    assert_eq!(decode(Revision::V4, &bytes(notation)), expected, "protocol 4, {notation}");
}

#[track_caller]
fn check(notation: &str, expected: &str) {
    v4(notation, expected);
    v5(notation, expected);
}

/// Protocol 4 ignores what protocol 5 refuses.
#[track_caller]
fn lenient(notation: &str, error: &str) {
    v4(notation, "ignored");
    v5(notation, error);
}

#[track_caller]
fn text(revision: Revision, message: &str, expected: &str) {
    let shown = match decoder(revision).text(message) {
        Ok(decoded) => show(decoded),
        Err(error) => format!("! {error}"),
    };
    assert_eq!(shown, expected, "{message}");
}

/// An event `e` in `/` with one argument.
fn event(argument: &[u8]) -> Vec<u8> {
    [&bytes("83 a4|type|02 a4|data|92 a1|e|"), argument, &bytes("a3|nsp|a1|/|")].concat()
}

/// The argument of an event.
fn argument(notation: &str) -> Args<'static> {
    let message = event(&bytes(notation));
    match decoder(Revision::V5).binary(message.into()) {
        Ok(Some(Decoded::Event { args, .. })) => args.into_owned(),
        other => panic!("{notation}: {other:?}"),
    }
}

#[track_caller]
fn value(notation: &str, expected: impl Into<Value>) {
    let (args, expected) = (argument(notation), expected.into());
    assert_eq!(args.to_values(), [expected.clone()], "{notation}");
    assert_eq!(args.deserialize::<Value>(), Ok(expected), "{notation}");
}

#[track_caller]
fn refused(notation: &str, error: &str) {
    let shown = decode(Revision::V5, &event(&bytes(notation)));
    assert!(shown.starts_with(error), "{notation}: {shown}");
}

#[test]
fn packets() {
    check("82 a4|type|00 a3|nsp|a1|/|", "connect /");
    check("83 a4|type|00 a4|data|d4 00 00 a3|nsp|a5|/chat|", "connect /chat");
    v5("83 a4|type|00 a4|data|81 a1|t|01 a3|nsp|a1|/|", r#"connect / [{"t":1}]"#);
    check("82 a4|type|01 a3|nsp|a5|/chat|", "disconnect /chat");
    check("83 a4|type|01 a4|data|d4 00 00 a3|nsp|a1|/|", "disconnect /");
    check(
        "83 a4|type|02 a4|data|93 a4|echo|01 81 a1|a|c4 02 01 02 a3|nsp|a1|/|",
        r#"event / "echo" [1,{"a":[1,2]}]"#,
    );
    check(
        "84 a4|type|02 a4|data|92 a4|echo|c0 a3|nsp|a5|/chat| a2|id|07",
        r#"event /chat #7 "echo" [null]"#,
    );
    check(
        "84 a2|id|cf ff ff ff ff ff ff ff ff a4|type|03 a4|data|91 01 a3|nsp|a1|/|",
        "ack / #18446744073709551615 [1]",
    );
    check("84 a2|id|00 a4|type|03 a4|data|90 a3|nsp|a1|/|", "ack / #0 []");
    check("83 a4|type|04 a4|data|a2|no| a3|nsp|a1|/|", r#"error / ["no"]"#);
    check("83 a4|type|04 a4|data|81 a1|a|01 a3|nsp|a1|/|", r#"error / [{"a":1}]"#);
    // The order of the fields is free; other fields do not matter.
    check(
        "85 a1|x|92 01 81 a1|y|90 a3|nsp|a1|/| a2|id|d4 00 00 a4|data|91 a1|e| a4|type|02",
        r#"event / "e" []"#,
    );
    // Releases 2.1 and later mark packets with bytes.
    check("83 a4|type|05 a4|data|92 a1|e|c4 01 09 a3|nsp|a1|/|", r#"event / "e" [[9]]"#);
    check("84 a4|type|06 a4|data|91 c4 01 09 a3|nsp|a1|/| a2|id|01", "ack / #1 [[9]]");
    // Longer forms than needed, as other codecs may write.
    check(
        "df 00 00 00 03 d9 04|type|d3 00 00 00 00 00 00 00 02 da 00 04|data|dc 00 01 db 00 00 00 01|e| a3|nsp|a1|/|",
        r#"event / "e" []"#,
    );
}

#[test]
fn queries() {
    v4("82 a4|type|00 a3|nsp|ad|/chat?token=x|", "connect /chat ?token=x");
    v5("82 a4|type|00 a3|nsp|ad|/chat?token=x|", "connect /chat?token=x");
    text(Revision::V4, r#"{"type":0,"nsp":"/chat?token=x"}"#, "connect /chat ?token=x");
    text(Revision::V4, r#"{"type":0,"nsp":"/?a"}"#, "connect / ?a");
}

#[test]
fn text_forms() {
    for revision in [Revision::V4, Revision::V5] {
        text(revision, r#"{"type":0,"nsp":"/chat"}"#, "connect /chat");
        text(revision, r#" { "nsp" : "\/é" , "type" : 1 } "#, "disconnect /é");
        text(revision, r#"{"type":1,"nsp":"/","options":{"compress":[true]}}"#, "disconnect /");
        text(revision, r#"{"type":4,"nsp":"/","data":{"a":[1]}}"#, r#"error / [{"a":[1]}]"#);
        text(
            revision,
            r#"{"data":["e",[{"a":"\ud800"}],2],"id":7,"type":2,"nsp":"/"}"#,
            "event / #7 \"e\" [[{\"a\":\"\u{fffd}\"}],2]",
        );
        text(revision, r#"{"type":3,"id":7,"nsp":"/","data":[]}"#, "ack / #7 []");
        // The last counts.
        text(revision, r#"{"type":0,"nsp":"/a","type":1,"nsp":"/b"}"#, "disconnect /b");
        for message in ["", "x", "[]", "2", "\"\"", "null", r#"2["e",1]"#, r#"{"type":0,"#] {
            assert!(decoder(revision).text(message).is_err(), "{message}");
        }
        for message in [r#"{"type":0,"nsp":"/"}}"#, r#"{"type":0,"nsp":"/"} 1"#] {
            assert!(decoder(revision).text(message).is_err(), "{message}");
        }
    }
    text(Revision::V5, r#"{"type":0,"nsp":"/","data":{"t":1}}"#, r#"connect / [{"t":1}]"#);
    for (message, error) in [
        (r#"{"type":0}"#, "! invalid packet: nsp missing or wrong"),
        (r#"{"type":0,"nsp":5}"#, "! invalid packet: nsp missing or wrong"),
        (r#"{"type":0,"nsp":"chat"}"#, "! invalid packet: nsp missing or wrong"),
        (r#"{"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":"0","nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":-1,"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":7,"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":{"type":0},"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":2,"nsp":"/","data":["e"],"id":"x"}"#, "! invalid acknowledgement id"),
        (r#"{"type":2,"nsp":"/","data":["e"],"id":-1}"#, "! invalid acknowledgement id"),
        (r#"{"type":1,"nsp":"/","data":1}"#, "! invalid payload"),
        (r#"{"type":2,"nsp":"/"}"#, "! invalid payload"),
    ] {
        text(Revision::V5, message, error);
        text(Revision::V4, message, "ignored");
    }
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(512), "]".repeat(512));
    text(Revision::V5, &deep, "! invalid packet: type missing or wrong");
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(513), "]".repeat(513));
    text(Revision::V5, &deep, "! nesting too deep (limit 513)");
}

/// The rows of section 14 of the abuse cases that a decoder can answer.
#[test]
fn abuse() {
    // M01: text of another parser
    text(Revision::V5, r#"42["e",1]"#, "! invalid payload: a packet is an object at byte 0");
    // M02: no bytes, no map, no type, a wrong type
    check("", "! empty packet");
    check("c0", "! invalid packet: a packet is a map at byte 0");
    check("c1", "! invalid packet: no such type at byte 0");
    check("92 01 02", "! invalid packet: a packet is a map at byte 0");
    // M03, M04: huge lengths
    check("dd ff ff ff ff", "! invalid packet: message does not end here at byte 5");
    check("df ff ff ff ff", "! invalid packet: message does not end here at byte 5");
    check("db ff ff ff ff|aaaa|", "! invalid packet: message does not end here at byte 5");
    check("c6 80 00 00 00|aa|", "! invalid packet: message does not end here at byte 5");
    check("c9 ff ff ff ff 01|a|", "! invalid packet: message does not end here at byte 6");
    refused("df 80 00 00 00 01 02", "! invalid packet: message does not end here");
    refused("df ff ff ff ff", "! invalid packet: message does not end here");
    refused("dc 00 08 01 02 03 04 05", "! invalid packet: message does not end here");
    // M05: the data announces more than there is
    check(
        "83 a4|type|02 a4|data|dd 7f ff ff ff a1|e| a3|nsp|a1|/|",
        "! invalid packet: message does not end here at byte 17",
    );
    // M06: nested
    let mut nested = vec![0x91; 20_000];
    nested.push(1);
    assert_eq!(decode(Revision::V5, &event(&nested)), "! nesting too deep (limit 512)");
    let nested = bytes("81 a1|a|").repeat(20_000);
    assert_eq!(decode(Revision::V4, &event(&nested)), "! nesting too deep (limit 512)");
    // M07: fields
    let (kind, nsp) = ("! invalid packet: type", "! invalid packet: nsp");
    lenient("83 a4|type|09 a4|data|91 a1|e| a3|nsp|a1|/|", &format!("{kind} missing or wrong"));
    lenient("83 a4|type|a1|2| a4|data|91 a1|e| a3|nsp|a1|/|", &format!("{kind} missing or wrong"));
    lenient("82 a4|data|91 a1|e| a3|nsp|a1|/|", &format!("{kind} missing or wrong"));
    lenient("83 a4|type|02 a4|data|91 a1|e| a3|nsp|05", &format!("{nsp} missing or wrong"));
    lenient("83 a4|type|02 a4|data|91 a1|e| a3|nsp|a0", &format!("{nsp} missing or wrong"));
    lenient("82 a4|type|02 a4|data|91 a1|e|", &format!("{nsp} missing or wrong"));
    lenient("83 a4|type|02 a4|data|81 a1|e|01 a3|nsp|a1|/|", "! invalid payload");
    lenient(
        "84 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/| a2|id|a1|x|",
        "! invalid acknowledgement id",
    );
    lenient("84 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/| a2|id|ff", "! invalid acknowledgement id");
    lenient("83 a4|type|03 a4|data|90 a3|nsp|a1|/|", "! invalid acknowledgement id");
    lenient("83 a4|type|00 a4|data|c0 a3|nsp|a1|/|", "! invalid payload");
    lenient("83 a4|type|01 a4|data|c0 a3|nsp|a1|/|", "! invalid payload");
    check("81 01 02", "! invalid packet: a field has a name at byte 2");
    // M08: a byte too many
    check(
        "83 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/|00",
        "! invalid packet: nothing expected after the value at byte 21",
    );
    // M09: not UTF-8
    value("a2 ff fe", "\u{fffd}\u{fffd}");
    value("81 a1 ff 01", Value::from_iter([("\u{fffd}", 1)]));
    assert_eq!(argument("a2 ff fe").deserialize::<String>().as_deref(), Ok("\u{fffd}\u{fffd}"));
    check("83 a4|type|02 a4|data|91 a1 ff a3|nsp|a2|/|ff", "event /\u{fffd} \"\u{fffd}\" []");
    // M10: names
    lenient("83 a4|type|02 a4|data|90 a3|nsp|a1|/|", "! invalid payload");
    lenient("83 a4|type|02 a4|data|91 01 a3|nsp|a1|/|", "! invalid payload");
    lenient("83 a4|type|02 a4|data|91 c4 01|e| a3|nsp|a1|/|", "! invalid payload");
    lenient("82 a4|type|02 a3|nsp|a1|/|", "! invalid payload");
    check(
        "83 a4|type|02 a4|data|91 aa|disconnect| a3|nsp|a1|/|",
        "! reserved event name \"disconnect\"",
    );
    check("83 a4|type|02 a4|data|92 a5|error|01 a3|nsp|a1|/|", "ignored");
    // M11: the last counts
    v5("84 a4|type|02 a4|type|01 a4|data|91 a1|e| a3|nsp|a1|/|", "! invalid payload");
    v4("84 a4|type|02 a4|type|01 a4|data|91 a1|e| a3|nsp|a1|/|", "disconnect /");
    check("84 a4|type|01 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/|", r#"event / "e" []"#);
    check("84 a4|type|02 a4|data|91 a1|e| a4|data|91 a1|f| a3|nsp|a1|/|", r#"event / "f" []"#);
    // M12: not a number
    assert!(argument("cb 7f f8 00 00 00 00 00 00").deserialize::<f64>().unwrap().is_nan());
    assert!(argument("ca 7f c0 00 00").to_values()[0].as_f64().unwrap().is_nan());
    // M13: extension types
    value("91 c7 05 ff 01 02 03 04 05", vec![Bytes::from_static(&[1, 2, 3, 4, 5])]);
    refused("91 c7 ff ff 01 02", "! invalid packet: message does not end here");
}

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
    value("90", Value::Array(vec![]));
    value("92 01 91 c0", Value::Array(vec![1.into(), vec![Value::Null].into()]));
    value("80", Value::Object([].into_iter().collect()));
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
    value("92 d4 00 00 01", Value::Array(vec![Value::Null, 1.into()]));
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
struct Point {
    x: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(u32),
    Line(u8, u8),
    Rect { w: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
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
    let values = Args::from_values(args.to_values());
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

#[track_caller]
fn encoded(found: Encoded, notation: &str) {
    let expected = bytes(notation);
    match found {
        Encoded::Binary(found) => assert_eq!(found, expected, "{found:02x?}"),
        Encoded::Text { .. } => panic!("{found:?}"),
    }
}

/// An event `e` in `/`: the number of its arguments and their bytes.
#[track_caller]
fn sent<T: Serialize>(args: T, count: u8, notation: &str) {
    let data = format!("a4|data|{:02x}", 0x91 + count);
    let event = encoder().event(14, "/", None, "e", &args).expect("serialisable");
    encoded(event, &format!("83 a4|type|02 {data} a1|e| {notation} a3|nsp|a1|/|"));
    let data = format!("a4|data|{:02x}", 0x90 + count);
    let ack = encoder().ack(14, "/", 7, &args).expect("serialisable");
    encoded(ack, &format!("84 a4|type|03 {data} {notation} a3|nsp|a1|/| a2|id|07"));
}

#[test]
fn sent_arguments() {
    sent((), 0, "");
    sent(1, 1, "01");
    sent((1, "x"), 2, "01 a1|x|");
    sent([1, 2], 2, "01 02");
    sent(Spread(vec![1; 3]), 3, "01 01 01");
    sent(One((1, 2)), 1, "92 01 02");
    sent(vec![1, 2], 1, "92 01 02");
    sent(None::<u8>, 1, "c0");
    sent(((),), 1, "c0");
    sent(Value::Null, 1, "c0");
    sent(Binary(Bytes::from_static(&[1, 2])), 1, "c4 02 01 02");
    // Shortest forms of integers, 64 bits of all others.
    sent((127_u64, 128_u16, 256_i32, 65_536_i64), 4, "7f cc 80 cd 01 00 ce 00 01 00 00");
    sent((-1, -32, -33, -129), 4, "ff e0 d0 df d1 ff 7f");
    sent((1_u128, i128::MAX), 2, "01 cb 47 e0 00 00 00 00 00 00");
    sent((1.5_f32, f64::NAN), 2, "cb 3f f8 00 00 00 00 00 00 cb 7f f8 00 00 00 00 00 00");
    sent(Point { x: 1, y: None }, 1, "81 a1|x|01");
    sent(Shape::Rect { w: 1 }, 1, "81 a4|Rect|81 a1|w|01");
    sent(Shape::Line(1, 2), 1, "81 a4|Line|92 01 02");
    // A length that was not known before.
    sent(Flat { a: 1, rest: BTreeMap::new() }, 1, "81 a1|a|01");
    sent(BTreeMap::from([(1, 2)]), 1, "81 a1|1|02");
    sent(BTreeMap::from([('x', 2)]), 1, "81 a1|x|02");
    let raw = serde_json::value::RawValue::from_string(r#"{"a":[1.5]}"#.into());
    sent(raw.unwrap(), 1, "81 a1|a|91 cb 3f f8 00 00 00 00 00 00");
}

struct Unknown(usize);

impl Serialize for Unknown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for _ in 0..self.0 {
            serde::ser::SerializeSeq::serialize_element(&mut seq, &0)?;
        }
        serde::ser::SerializeSeq::end(seq)
    }
}

#[test]
fn corrected_lengths() {
    sent(Unknown(15), 1, &format!("9f {}", "00".repeat(15)));
    sent(Unknown(16), 1, &format!("dc 00 10 {}", "00".repeat(16)));
    sent(vec![Unknown(1), Unknown(300)], 1, &format!("92 91 00 dc 01 2c {}", "00".repeat(300)));
    let many = Spread(vec![0; 40]);
    let event = encoder().event(0, "/", None, "e", &many).unwrap();
    let notation = format!("83 a4|type|02 a4|data|dc 00 29 a1|e| {} a3|nsp|a1|/|", "00".repeat(40));
    encoded(event, &notation);
}

#[test]
fn refused_values() {
    let mut value = Value::Null;
    for _ in 0..1_024 {
        value = Value::Array(vec![value]);
    }
    assert!(encoder().event(0, "/", None, "e", &value).is_ok());
    let value = One(vec![value]);
    assert_eq!(encoder().event(0, "/", None, "e", &value), Err(EncodeError::TooDeep));
    let keys = BTreeMap::from([(vec![1], 1)]);
    assert_eq!(encoder().event(0, "/", None, "e", &keys), Err(EncodeError::Key));
}

#[test]
fn control_packets() {
    let encoder = encoder();
    let data = Value::from_iter([("code", 7)]);
    let v5 = Revision::V5;
    encoded(
        encoder.connect(14, "/", v5, Some("x")),
        "83 a4|type|00 a4|data|81 a3|sid|a1|x| a3|nsp|a1|/|",
    );
    encoded(encoder.disconnect(14, "/chat", v5), "82 a4|type|01 a3|nsp|a5|/chat|");
    encoded(
        encoder.error(14, "/", v5, "no", None),
        "83 a4|type|04 a4|data|81 a7|message|a2|no| a3|nsp|a1|/|",
    );
    encoded(
        encoder.error(14, "/", v5, "no", Some(&data)),
        "83 a4|type|04 a4|data|82 a7|message|a2|no| a4|data|81 a4|code|07 a3|nsp|a1|/|",
    );
    let v4 = Revision::V4;
    for (found, expected) in [
        (encoder.connect(14, "/chat", v4, Some("x")), r#"{"type":0,"nsp":"/chat"}"#),
        (encoder.disconnect(14, "/", v4), r#"{"type":1,"nsp":"/"}"#),
        (
            encoder.error(14, "/\"", v4, "Invalid namespace", None),
            r#"{"type":4,"nsp":"/\"","data":"Invalid namespace"}"#,
        ),
        (
            encoder.error(14, "/", v4, "no", Some(&data)),
            r#"{"type":4,"nsp":"/","data":{"code":7}}"#,
        ),
    ] {
        let Encoded::Text { buffer, start, attachments } = found else { panic!("{found:?}") };
        assert_eq!((start, attachments.len()), (14, 0));
        assert_eq!(std::str::from_utf8(&buffer[start..]), Ok(expected));
    }
}

#[test]
fn limits() {
    let mut limits = Limits::default();
    limits.max_packet_bytes = 30;
    limits.max_args = 2;
    limits.max_depth = 2;
    limits.max_namespace_len = 5;
    limits.max_event_len = 2;
    let limits = Arc::new(limits);
    let mut decoder = Parser::msgpack().decoder(Revision::V5, limits);
    let mut check = |notation: &str, expected: &str| {
        let shown = match decoder.binary(bytes(notation).into()) {
            Ok(decoded) => show(decoded),
            Err(error) => format!("! {error}"),
        };
        assert_eq!(shown, expected, "{notation}");
    };
    check("83 a4|type|02 a4|data|93 a1|e| 01 91 02 a3|nsp|a1|/|", r#"event / "e" [1,[2]]"#);
    check("83 a4|type|02 a4|data|94 a1|e| 01 02 03 a3|nsp|a1|/|", "! too many arguments (limit 2)");
    check("83 a4|type|02 a4|data|92 a1|e| 91 90 a3|nsp|a1|/|", "! nesting too deep (limit 2)");
    check("83 a4|type|02 a4|data|91 a3|eee| a3|nsp|a1|/|", "! event name too long (limit 2 bytes)");
    check("82 a4|type|01 a3|nsp|a6|/chats|", "! namespace too long (limit 5 bytes)");
    check("82 a4|type|00 a3|nsp|a6|/chats|", "connect /chats");
    check(
        "83 a4|type|02 a4|data|92 a1|e| ac|123456789012| a3|nsp|a1|/|",
        "! packet too large (limit 30 bytes)",
    );
    let error = decoder.text(r#"{"type":0,"nsp":"/"           }"#).unwrap_err();
    assert_eq!(error.to_string(), "packet too large (limit 30 bytes)");
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only built")]
struct Tree(Vec<Self>);

#[test]
fn the_deepest_value_fits_a_small_stack() {
    let walk = || {
        let mut nested = vec![0x91; 510];
        nested.push(0x90);
        let mut decoder = decoder(Revision::V5);
        let message = Bytes::from(event(&nested));
        let Ok(Some(Decoded::Event { args, .. })) = decoder.binary(message.clone()) else {
            panic!()
        };
        args.deserialize::<Tree>().unwrap();
        let value: Value = args.deserialize().unwrap();
        assert_eq!(value, args.to_values()[0]);
        assert_eq!(encoder().event(0, "/", None, "e", &args), Ok(Encoded::Binary(message)));
        from_value::<Tree>(value).unwrap();
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(walk).unwrap().join().unwrap();
}

#[test]
fn every_prefix_is_harmless() {
    let message = event(&bytes(
        "86 a1|a|c4 02 01 02 a1|b|d7 00 00 00 00 00 00 00 00 00 a1|c|cb 3f f8 00 00 00 00 00 00 \
         a1|d|92 d9 01|x| dc 00 01 c0 a1|e|c7 01 09 00 01 ff",
    ));
    assert!(decode(Revision::V5, &message).starts_with("event"));
    for end in 0..message.len() {
        assert!(decode(Revision::V4, &message[..end]).starts_with('!'), "{end}");
        decode(Revision::V5, &message[end..]);
        // Any byte in place of another.
        for byte in 0..=u8::MAX {
            let mut message = message.clone();
            message[end] = byte;
            decode(Revision::V5, &message);
        }
    }
}

#[test]
fn linear_in_time() {
    // Each of these takes minutes if some part is quadratic.
    let many = |count: u32, member: &[u8]| {
        [&[0xdd], &count.to_be_bytes()[..], &member.repeat(count as usize)].concat()
    };
    for argument in
        [many(3_000_000, &[0xc0]), many(1_000_000, &[0x90]), many(700_000, &[0x81, 1, 2])]
    {
        assert!(decode(Revision::V5, &event(&argument)).starts_with("event"));
    }
}
