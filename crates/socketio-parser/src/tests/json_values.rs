//! The values of serde_json, and its raw text.

use serde_json::json;
use serde_json::value::RawValue;

use super::args::received;
use crate::explain;
use crate::{Binary, One, RawArgs, Value, from_value};

#[test]
fn there_and_back() {
    for json in [
        "null",
        "true",
        "7",
        "-9223372036854775808",
        "18446744073709551615",
        "0.5",
        "-0.0",
        "1e300",
        r#""\u00e9\n""#,
        r#"[1,[],{}]"#,
        r#"{"a":{"b":[null]}}"#,
    ] {
        let theirs: serde_json::Value = serde_json::from_str(json).unwrap();
        let ours = received(json, &[]).into_values().pop().unwrap();
        assert_eq!(Value::from(theirs.clone()), ours, "{json}");
        assert_eq!(serde_json::Value::from(ours), theirs, "{json}");
    }
}

#[test]
fn what_json_does_not_have() {
    let value = Value::from_iter([
        ("file", Value::from(Binary::from(vec![0, 255]))),
        ("none", Value::Float(f64::NAN)),
        ("endless", Value::Float(f64::NEG_INFINITY)),
    ]);
    let expected =
        json!({ "file": { "type": "Buffer", "data": [0, 255] }, "none": null, "endless": null });
    assert_eq!(serde_json::Value::from(value), expected);
}

/// A type of serde_json takes no bytes: where they are is told.
#[test]
fn bytes_where_json_is_wanted() {
    let args = received(r#"{"a":1},{"b":[{"_placeholder":true,"num":0}]}"#, &[b"x"]);
    let error = args.deserialize::<(serde_json::Value, serde_json::Value)>().unwrap_err();
    assert_eq!(error.index(), Some(1));
    let told = explain::arguments::<(serde_json::Value, serde_json::Value)>(&args).unwrap();
    assert_eq!(told.at, "/1/b/0");
    assert_eq!(told.message.as_deref(), Some("expected any valid JSON value, got bytes"));
}

#[track_caller]
fn check(args: &RawArgs<'_>, expected: &str) {
    let raw: Box<RawValue> = args.deserialize().unwrap();
    assert_eq!(raw.get(), expected);
    let One(raw): One<Box<RawValue>> = args.deserialize().unwrap();
    assert_eq!(raw.get(), expected);
    let (raw, _): (Box<RawValue>, Option<Value>) = args.deserialize().unwrap();
    assert_eq!(raw.get(), expected);
    assert!(explain::arguments::<Box<RawValue>>(args).is_none());
}

#[test]
fn raw_text() {
    // as it came
    check(&received(r#"{ "b": 1.50, "a":[ ] } , 2"#, &[]), r#"{ "b": 1.50, "a":[ ] }"#);
    check(&received(r#" "text" "#, &[]), r#""text""#);
    check(&received("", &[]), "null");
    // not any more
    let values = vec![Value::from_iter([("b", 1.5), ("a", 2.0)])];
    check(&RawArgs::from_values(values), r#"{"b":1.5,"a":2.0}"#);
    // beside an attachment, and with one
    check(&received(r#"{"a": 1},{"_placeholder":true,"num":0}"#, &[b"x"]), r#"{"a":1}"#);
    let bytes = json!({ "type": "Buffer", "data": [1, 2] }).to_string();
    check(&received(r#"{"_placeholder":true,"num":0}"#, &[b"\x01\x02"]), &bytes);
    check(&received(r#"[{"_placeholder":true,"num":0}]"#, &[b"\x01\x02"]), &format!("[{bytes}]"));
}

#[test]
fn raw_text_within_a_type() {
    #[derive(serde::Deserialize)]
    struct Envelope {
        kind: String,
        body: Box<RawValue>,
    }
    for args in [
        received(r#"{"kind":"move","body":[1,2]}"#, &[]),
        received(r#"{"kind":"move","body":[1,2]},{"_placeholder":true,"num":0}"#, &[b"x"]),
    ] {
        let envelope: Envelope = args.deserialize().unwrap();
        assert_eq!((&*envelope.kind, envelope.body.get()), ("move", "[1,2]"));
    }
    let raw: Box<RawValue> = from_value(Value::from([1, 2])).unwrap();
    assert_eq!(raw.get(), "[1,2]");
    // the place of what does not fit is behind it
    let args = received(r#"{"body":[1,2],"kind":7}"#, &[]);
    assert!(args.deserialize::<Envelope>().is_err());
    assert_eq!(explain::arguments::<Envelope>(&args).unwrap().at, "/0/kind");
}
