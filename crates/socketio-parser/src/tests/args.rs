//! Arguments and values to types.

#![allow(clippy::needless_pass_by_value, reason = "tables read better with plain values")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::decoder;
use crate::{
    ArgsError, Binary, Decoded, One, RawArgs, Revision, Spread, Value, from_value, to_value,
};

/// Arguments as a client sends them: `json` is what follows the event's name.
pub(super) fn received(json: &str, attachments: &[&'static [u8]]) -> RawArgs<'static> {
    let comma = if json.is_empty() { "" } else { "," };
    let mut decoder = decoder(Revision::V5);
    let text = match attachments.len() {
        0 => format!("2[\"e\"{comma}{json}]"),
        count => format!("5{count}-[\"e\"{comma}{json}]"),
    };
    let Some((last, first)) = attachments.split_last() else {
        match decoder.text(&text) {
            Ok(Some(Decoded::Event { args, .. })) => return args.into_owned(),
            other => panic!("{text}: {other:?}"),
        }
    };
    assert_eq!(decoder.text(&text), Ok(None));
    for bytes in first {
        assert_eq!(decoder.binary(Bytes::from_static(bytes)), Ok(None));
    }
    match decoder.binary(Bytes::from_static(last)) {
        Ok(Some(Decoded::Event { args, .. })) => args.into_owned(),
        other => panic!("{other:?}"),
    }
}

/// Reads straight from the text, and from values made of it: both must agree.
#[track_caller]
fn check<T: DeserializeOwned + PartialEq + Debug>(json: &str, expected: T) {
    let args = received(json, &[]);
    assert_eq!(args.deserialize::<T>().as_ref(), Ok(&expected), "{json}");
    let values = RawArgs::from_values(args.to_values());
    assert_eq!(values.len(), args.len());
    assert_eq!(values.deserialize::<T>().as_ref(), Ok(&expected), "values of {json}");
}

#[track_caller]
fn binary<T: DeserializeOwned + PartialEq + Debug>(
    json: &str,
    attachments: &[&'static [u8]],
    expected: T,
) {
    assert_eq!(received(json, attachments).deserialize::<T>(), Ok(expected), "{json}");
}

#[track_caller]
fn refused<T: DeserializeOwned + Debug>(json: &str, index: usize, expected: &str) {
    let args = received(json, &[]);
    for args in [RawArgs::from_values(args.to_values()), args] {
        let error: ArgsError = args.deserialize::<T>().expect_err(json);
        assert_eq!(error.index(), Some(index), "{json}: {error}");
        assert!(error.to_string().starts_with(expected), "{json}: {error}");
        assert!(error.to_string().len() < 250, "{json}: {error}");
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    #[serde(default)]
    y: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Name(String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Both((u8, u8));

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(u32),
    Line(u8, u8),
    Rect { w: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Tagged {
    File { name: String, bytes: Bytes },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Photo {
    title: String,
    plain: Bytes,
    own: Binary,
    vec: Vec<u8>,
    list: Vec<Bytes>,
    any: Value,
}

#[test]
fn one_argument() {
    check(r#""text""#, String::from("text"));
    check(r#""é\n\ud83d\ude00""#, String::from("é\n😀"));
    check("7, 8, 9", 7_u8);
    check("-7", -7_i64);
    check("18446744073709551615", u64::MAX);
    check("-170141183460469231731", -170_141_183_460_469_231_731_f64);
    check("1.5", 1.5_f32);
    check("2", 2.0_f64);
    check("-0", Value::Float(-0.0)); // no integer has its sign
    // Exact in all digits, whichever way it is read.
    check("-2.5e+35", -2.5e35_f64);
    check("0.30000000000000004", 0.1 + 0.2);
    check("true", true);
    check(r#""x""#, 'x');
    check(r#"{"x":1,"y":2.5,"z":[]}"#, Point { x: 1, y: Some(2.5) });
    check(r#"{"x":1,"y":null}"#, Point { x: 1, y: None });
    check("[1,2,3],4", vec![1, 2, 3]);
    check(r#""n""#, Name("n".into()));
    check(r#"{"1":"a","-2":"b"}"#, BTreeMap::from([(-2, "b".to_owned()), (1, "a".to_owned())]));
    check(r#"{"true":1}"#, HashMap::from([(true, 1)]));
    check(r#"[[1,"a"],[2,"b"]]"#, vec![Pair(1, "a".into()), Pair(2, "b".into())]);
    check(r#""Dot""#, Shape::Dot);
    check(r#"{"Dot":null}"#, Shape::Dot);
    check(r#"{"Circle":5}"#, Shape::Circle(5));
    check(r#"{"Line":[1,2]}"#, Shape::Line(1, 2));
    check(r#"{"Rect":{"w":3}}"#, Shape::Rect { w: 3 });
    check("null", None::<String>);
    check("1", Some(1));
    check("", None::<String>);
    check("", Value::Null);
    check("1", Value::Int(1));
    check(
        r#"{"b":1,"a":[null,"x"]}"#,
        Value::from_iter([
            ("b", Value::Int(1)),
            ("a", Value::from(vec![Value::Null, Value::from("x")])),
        ]),
    );
}

#[test]
fn several_arguments() {
    check("", ());
    check("1,2", ());
    check("1,2", Nothing);
    check("1", (1_u8,));
    check(r#"1,"a""#, (1_u8, "a".to_owned()));
    check(r#" 1 , "a" , {} "#, (1_u8, "a".to_owned()));
    check(r#"1,"a""#, Pair(1, "a".into()));
    check("1,2,3", [1_u8, 2, 3]);
    check("1,2", Both((1, 2)));
    check("1", (1_u8, None::<String>, Value::Null));
    check("", (None::<u8>, None::<u8>));
    check("[1,2],3", ([1_u8, 2], 3_u8));
    check("[1,2],3", (One([1_u8, 2]), 3_u8));
    check("[1,2],3", One([1_u8, 2]));
    check("[1,2],3", One((1_u8, 2_u8)));
    check("null", One(()));
    check("1,2,3", Spread(vec![1_u8, 2, 3]));
    check("", Spread(Vec::<u8>::new()));
    check("[1,2],3", (Spread(vec![1_u8, 2]), 3_u8));
    check(
        r#""],[","}{\"",[{"a":"]"}],1"#,
        ("],[".to_owned(), "}{\"".to_owned(), Value::from(vec![Value::from_iter([("a", "]")])]), 1),
    );
}

#[test]
fn refusals() {
    refused::<String>("1", 0, "argument 0: invalid type: integer `1`, expected a string");
    refused::<String>("", 0, "argument 0: missing");
    refused::<Point>("", 0, "argument 0: missing");
    refused::<Point>("{}", 0, "argument 0: missing field `x`");
    refused::<(u8, u8)>("1", 1, "argument 1: missing");
    refused::<(u8, u8)>(r#"1,"a""#, 1, "argument 1: invalid type: string \"a\", expected u8");
    refused::<(u8, u8)>("300,1", 0, "argument 0: invalid value: integer `300`, expected u8");
    refused::<[u8; 3]>("1,2", 2, "argument 2: missing");
    refused::<One<[u8; 2]>>("1,2", 0, "argument 0: invalid type: integer `1`");
    refused::<One<[u8; 2]>>("[1]", 0, "argument 0: invalid length 1");
    refused::<Shape>(r#""Square""#, 0, "argument 0: unknown variant `Square`");
    refused::<Shape>("1", 0, "argument 0: ");
    refused::<Shape>(r#"{"Dot":1}"#, 0, "argument 0: invalid type: integer `1`");
    refused::<Shape>(r#""Circle""#, 0, "argument 0: invalid type: unit variant");
    refused::<Spread<u8>>(r#"1,2,"x""#, 2, "argument 2: invalid type: string");
    let long = format!("\"{}\"", "é".repeat(5_000));
    refused::<u8>(&long, 0, "argument 0: invalid type: string \"é");
}

#[test]
fn attachments() {
    const BYTES: Bytes = Bytes::from_static(b"\x01\x02");
    let one = r#"{"_placeholder":true,"num":0}"#;
    binary(one, &[b"\x01\x02"], BYTES);
    binary(one, &[b"\x01\x02"], Binary(BYTES));
    binary(one, &[b"\x01\x02"], vec![1_u8, 2]);
    binary(one, &[b"\x01\x02"], One([1_u8, 2]));
    binary(one, &[b"\x01\x02"], Some(BYTES));
    binary(one, &[b"\x01\x02"], Value::from(BYTES));
    binary(one, &[b"\x01\x02"], (BYTES, None::<u8>));
    binary(one, &[b"\x01\x02"], Spread(vec![BYTES]));
    binary(r#"{"num":0,"_placeholder":true}"#, &[b"\x01\x02"], BYTES);
    binary(r#"{"_placeholder":true,"num":0 } "#, &[b"\x01\x02"], BYTES);
    binary(r#"{"_placeholder":true,"num":0,"a":{}}"#, &[b"\x01\x02"], BYTES);
    binary(
        r#"{"_placeholder":true,"num":1},{"_placeholder":true,"num":0},7"#,
        &[b"\x03", b"\x01\x02"],
        (BYTES, Bytes::from_static(b"\x03"), 7),
    );
    binary(
        r#""a",{"kind":"file","name":"n","bytes":{"_placeholder":true,"num":0}}"#,
        &[b"\x01\x02"],
        ("a".to_owned(), Tagged::File { name: "n".into(), bytes: BYTES }),
    );
    let photo = Photo {
        title: "t".into(),
        plain: BYTES,
        own: Binary(Bytes::from_static(b"\x03")),
        vec: vec![4],
        list: vec![BYTES, Bytes::new()],
        any: Value::from_iter([("x", Bytes::from_static(b"\x03"))]),
    };
    let at = |num: u8| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let json = format!(
        r#"{{"title":"t","plain":{},"own":{},"vec":{},"list":[{},{}],"any":{{"x":{}}}}}"#,
        at(0),
        at(1),
        at(2),
        at(5),
        at(3),
        at(4),
    );
    binary(&json, &[b"\x01\x02", b"\x03", b"\x04", b"", b"\x03", b"\x01\x02"], photo);
    // Bytes that came as numbers.
    check("[1,2]", BYTES);
    check("[1,2]", vec![1_u8, 2]);
    let error = received(one, &[b"\x01"]).deserialize::<u8>().unwrap_err();
    assert_eq!(error.to_string(), "argument 0: invalid type: byte array, expected u8");
}

/// Types of ours share the memory of an attachment, wherever it stands; `Bytes` has to copy it.
#[test]
fn attachments_are_shared() {
    static ATTACHMENT: &[u8] = b"\x01\x02";
    let json = r#"{"_placeholder":true,"num":0},{"a":[{"_placeholder":true,"num":1}]}"#;
    let args = received(json, &[ATTACHMENT, ATTACHMENT]);
    let Value::Binary(bytes) = &args.to_values()[0] else { panic!("an attachment") };
    let is_shared = |other: &Bytes| std::ptr::eq(&raw const **other, ATTACHMENT);
    let (first, Value::Object(second)) = args.deserialize::<(Binary, Value)>().unwrap() else {
        panic!("an object")
    };
    assert!(is_shared(bytes) && is_shared(&first.0));
    assert!(
        matches!(&second["a"], Value::Array(a) if matches!(&a[..], [Value::Binary(b)] if is_shared(b)))
    );
    let (_, second) = args.deserialize::<(Value, BTreeMap<String, Vec<Binary>>)>().unwrap();
    assert!(is_shared(&second["a"][0].0));
    let copy = args.deserialize::<Bytes>().unwrap();
    assert!(copy == **bytes && !is_shared(&copy));
    // bytes that nobody shares are given away
    let own = Bytes::from(vec![1, 2, 3]);
    let place = own.as_ptr();
    assert_eq!(from_value::<Bytes>(Value::from(own)).unwrap().as_ptr(), place);
    // and what is no attachment is read as `Bytes` reads it
    let args = received("[1,2]", &[]);
    assert_eq!(args.deserialize::<Binary>().map(Bytes::from), args.deserialize::<Bytes>());
    let error = received("7", &[]).deserialize::<Binary>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument 0: invalid type: integer `7`, expected byte array at line 1 column 1"
    );
}

/// As the types of crates for bytes ask for them.
#[derive(Debug, PartialEq)]
struct Foreign(Vec<u8>);

impl<'de> Deserialize<'de> for Foreign {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyBytes;
        impl serde::de::Visitor<'_> for AnyBytes {
            type Value = Foreign;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Foreign, E> {
                Ok(Foreign(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Foreign, E> {
                Ok(Foreign(text.into()))
            }
        }
        deserializer.deserialize_bytes(AnyBytes)
    }
}

#[derive(Debug, PartialEq, Deserialize)]
enum Named {
    #[serde(rename = "text")]
    Text,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Adjacent {
    #[serde(rename = "text")]
    Photo { bytes: Bytes },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Either {
    Bytes(Binary),
    Text(String),
    Both(Vec<Self>),
}

/// Text is text and bytes are bytes, whatever stands in them.
#[test]
fn bytes_and_texts_are_told_apart() {
    /// Two arguments, `text` as a text and as bytes, in all forms that arguments have.
    fn forms(nested: bool) -> Vec<RawArgs<'static>> {
        let [text, bytes] = match nested {
            false => [r#""text""#, r#"{"_placeholder":true,"num":0}"#],
            true => [r#"{"a":["text"]}"#, r#"{"a":[{"_placeholder":true,"num":0}]}"#],
        };
        let args = received(&format!("{text},{bytes}"), &[b"text"]);
        let values = args.to_values();
        #[cfg(not(feature = "msgpack"))]
        return vec![args, RawArgs::from_values(values)];
        #[cfg(feature = "msgpack")]
        {
            let mut forms = vec![args, RawArgs::from_values(values.clone())];
            let msgpack = crate::Parser::msgpack();
            let encoded = msgpack.encoder().event(0, "/", None, "e", &Spread(values)).unwrap();
            let crate::Encoded::Binary(message) = encoded else { panic!("msgpack") };
            let mut decoder = msgpack.decoder(Revision::V5, std::sync::Arc::default());
            match decoder.binary(message) {
                Ok(Some(Decoded::Event { args, .. })) => forms.push(args.into_owned()),
                other => panic!("{other:?}"),
            }
            forms
        }
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Deep<T> {
        a: (T,),
    }
    #[track_caller]
    fn check<T: DeserializeOwned + PartialEq + Debug>(of_text: Option<T>, of_bytes: Option<T>) {
        for args in forms(false) {
            let text = args.deserialize::<T>();
            assert_eq!(text.as_ref().ok(), of_text.as_ref(), "{text:?} of a text in {args:?}");
            let bytes = args.deserialize::<(Value, T)>().map(|(_, bytes)| bytes);
            assert_eq!(bytes.as_ref().ok(), of_bytes.as_ref(), "{bytes:?} of bytes in {args:?}");
        }
        let alone = received(r#""text""#, &[]).deserialize::<T>();
        assert_eq!(alone.as_ref().ok(), of_text.as_ref(), "{alone:?} of a text in JSON");
        let escaped = received(r#""\u0074ext""#, &[]).deserialize::<T>();
        assert_eq!(escaped.as_ref().ok(), of_text.as_ref(), "{escaped:?} of a text in JSON");
        let deep = |args: &RawArgs<'_>| args.deserialize::<Deep<T>>().ok().map(|deep| deep.a.0);
        for args in forms(true).iter().chain([&received(r#"{"a":["text"]}"#, &[])]) {
            assert_eq!(deep(args), of_text, "of a text in {args:?}");
        }
        for args in forms(true) {
            let bytes = args.deserialize::<(Value, Deep<T>)>().ok().map(|(_, deep)| deep.a.0);
            assert_eq!(bytes, of_bytes, "of bytes in {args:?}");
        }
    }
    const BYTES: Bytes = Bytes::from_static(b"text");
    let text = || Some("text".to_owned());
    check(text(), None);
    check(text().map(std::borrow::Cow::<str>::Owned), None);
    check(text().map(String::into_boxed_str), None);
    check(text().map(std::path::PathBuf::from), None);
    check(Some(text()), None);
    check(text().map(Name), None);
    check(Some(Named::Text), None);
    check::<char>(None, None);
    check(None, Some(BYTES));
    check(None, Some(Binary(BYTES)));
    check(None, Some(Some(Binary(BYTES))));
    check(None, Some(BYTES.to_vec()));
    check(None, Some(Foreign(BYTES.to_vec())));
    check(None, Some(One(*b"text")));
    check(Some(Value::from("text")), Some(Value::from(BYTES)));
    check(text().map(Either::Text), Some(Either::Bytes(Binary(BYTES))));
    // names of members are texts, and so are those of variants
    let member = r#"{"text":1}"#;
    for args in [received(member, &[]), RawArgs::from_values(received(member, &[]).to_values())] {
        assert!(args.deserialize::<HashMap<String, u8>>().is_ok());
        assert!(args.deserialize::<HashMap<Bytes, u8>>().is_err());
        assert!(args.deserialize::<HashMap<Binary, u8>>().is_err());
    }
    let at = |num: u8| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let photo = format!(r#"{{"kind":"text","of":{{"bytes":{}}}}}"#, at(0));
    let expected = Adjacent::Photo { bytes: BYTES };
    assert_eq!(received(&photo, &[b"text"]).deserialize::<Adjacent>(), Ok(expected));
    let photo = format!(r#"{{"kind":{},"of":{{"bytes":{}}}}}"#, at(0), at(1));
    assert!(received(&photo, &[b"text", b"text"]).deserialize::<Adjacent>().is_err());
    let both = format!(r#"["text",{}]"#, at(0));
    assert_eq!(
        received(&both, &[b"text"]).deserialize::<Either>(),
        Ok(Either::Both(vec![Either::Text("text".to_owned()), Either::Bytes(Binary(BYTES))]))
    );
    // and an array of numbers is what it was
    for args in [received("[1,2]", &[]), RawArgs::from_values(received("[1,2]", &[]).to_values())] {
        assert_eq!(args.deserialize::<Binary>(), Ok(vec![1, 2].into()));
        assert!(args.deserialize::<String>().is_err());
    }
}

#[test]
fn values_and_types() {
    #[track_caller]
    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(typed: T, value: Value) {
        assert_eq!(to_value(&typed).as_ref(), Ok(&value));
        assert_eq!(from_value::<T>(value), Ok(typed));
    }
    check((), Value::Null);
    check(7_u64, Value::Int(7));
    check(u64::MAX, Value::UInt(u64::MAX));
    check("x".to_owned(), Value::from("x"));
    check((1_u8, 2.5), Value::from(vec![Value::Int(1), Value::Float(2.5)]));
    check(Point { x: 1, y: None }, Value::from_iter([("x", Value::Int(1)), ("y", Value::Null)]));
    check(
        vec![Binary(Bytes::from_static(b"\x01")), Binary(Bytes::new())],
        Value::from(vec![Bytes::from_static(b"\x01"), Bytes::new()]),
    );
    assert_eq!(to_value(&f64::NAN), Ok(Value::Null));
    let placeholder = Value::from_iter([("_placeholder", Value::Bool(true))]);
    check(placeholder.clone(), placeholder);
}

#[test]
fn value_by_serde_json() {
    let json = r#"{"a":[1,-1,18446744073709551615,1.5,null,true,"x"],"b":{}}"#;
    let value: Value = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
}

#[test]
fn accessors() {
    let value = Value::from_iter([("a", Value::from(vec![1, 2])), ("b", Value::from(u64::MAX))]);
    assert_eq!(value.get("a").and_then(Value::as_array).map(<[Value]>::len), Some(2));
    assert_eq!(value.get("b").and_then(Value::as_u64), Some(u64::MAX));
    assert_eq!(value.get("b").and_then(Value::as_i64), None);
    assert_eq!(value.get("c"), None);
    assert_eq!(Value::from(-1).as_u64(), None);
    assert_eq!(Value::from(2).as_f64(), Some(2.0));
    assert_eq!(Value::from(Some(true)).as_bool(), Some(true));
    assert!(Value::from(None::<bool>).is_null());
    assert_eq!(Value::from(5_u64), Value::Int(5));
}

#[test]
fn ownership() {
    let args = received(r#"1,{"a":"x"}"#, &[]);
    assert_eq!(args.clone().into_values(), args.to_values());
    let values = RawArgs::from_values(args.to_values());
    assert_eq!(values.clone().into_values(), values.to_values());
    assert_eq!(values.clone().into_owned(), values);
}
