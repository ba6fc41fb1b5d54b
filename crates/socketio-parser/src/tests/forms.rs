//! Values and events as the nodes of a cluster exchange them.

use bytes::Bytes;

use crate::{DataForm, EventData, Value, date_to_text, value_from_json, value_to_json};

#[test]
fn events_as_json() {
    let check = |args: &dyn Fn() -> EventData, expected: &str| {
        let data = args();
        assert_eq!((data.form, data.has_binary), (DataForm::Json, false));
        assert_eq!(data.bytes, expected.as_bytes());
    };
    check(&|| EventData::new(DataForm::Json, "hi", &(1, "é")).unwrap(), r#"["hi",1,"é"]"#);
    check(&|| EventData::new(DataForm::Json, "a\"b", &()).unwrap(), r#"["a\"b"]"#);
    check(&|| EventData::new(DataForm::Json, "n", &[f64::NAN]).unwrap(), r#"["n",null]"#);
}

#[test]
fn bytes_in_json_are_as_node_writes_them() {
    let value: Value = vec![Value::from(Bytes::from_static(&[1, 255])), Value::Null].into();
    let mut out = Vec::new();
    value_to_json(&value, &mut out).unwrap();
    assert_eq!(out, br#"[{"type":"Buffer","data":[1,255]},null]"#);
}

#[test]
fn json_that_stands_alone() {
    assert_eq!(value_from_json(br#" {"a":[1]} "#, 2).unwrap().get("a"), Some(&[1].into()));
    for (json, depth) in
        [(&b""[..], 9), (b"{", 9), (b"{} x", 9), (b"\"\xff\"", 9), (br#"{"a":[1]}"#, 1)]
    {
        assert!(value_from_json(json, depth).is_err(), "{json:?}");
    }
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    assert!(value_from_json(&deep, 500).is_err());
}

#[test]
fn dates() {
    assert_eq!(date_to_text(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
    assert_eq!(date_to_text(i64::MAX), None);
}

#[cfg(feature = "msgpack")]
mod msgpack {
    use super::*;
    use crate::{value_from_msgpack, value_to_msgpack};

    #[test]
    fn events_as_msgpack() {
        let data = EventData::new(DataForm::Msgpack, "hi", &(1, 2.0, 0.5)).unwrap();
        assert_eq!((data.form, data.has_binary), (DataForm::Msgpack, false));
        // a whole number is an integer
        assert_eq!(&data.bytes[..], b"\x94\xa2hi\x01\x02\xcb\x3f\xe0\0\0\0\0\0\0");
        let binary = crate::Binary(Bytes::from_static(&[1, 2]));
        for form in [DataForm::Msgpack, DataForm::Json] {
            let data = EventData::new(form, "b", &[&binary]).unwrap();
            assert_eq!((data.form, data.has_binary), (DataForm::Msgpack, true));
            assert_eq!(&data.bytes[..], b"\x92\xa1b\xc4\x02\x01\x02");
        }
    }

    #[test]
    fn numbers_beyond_doubles_stay_what_they_are() {
        for (value, expected) in [
            (Value::from(9_007_199_254_740_992.0), &b"\xcf\0\x20\0\0\0\0\0\0"[..]),
            (Value::from(1e300), b"\xcb\x7e\x37\xe4\x3c\x88\0\x75\x9c"),
            (Value::from(-1e300), b"\xcb\xfe\x37\xe4\x3c\x88\0\x75\x9c"),
        ] {
            let mut out = Vec::new();
            value_to_msgpack(&value, &mut out).unwrap();
            assert_eq!(out, expected, "{value:?}");
        }
    }

    #[test]
    fn msgpack_that_stands_alone() {
        let date = Value::from("2020-02-29T12:00:00.250Z");
        for (bytes, expected) in [
            // undefined
            (&b"\xd4\0\0"[..], Value::Null),
            // bytes of JavaScript's own
            (b"\xc7\x03\0\x01\x02\x03", Value::from(Bytes::from_static(&[1, 2, 3]))),
            // dates of both releases of notepack: milliseconds, and a timestamp
            (b"\xd7\0\0\0\x01\x70\x90\xd1\x4a\xfa", date.clone()),
            (b"\xd7\xff\x3b\x9a\xca\0\x5e\x5a\x52\x40", date.clone()),
            (b"\xd6\xff\x5e\x5a\x52\x40", Value::from("2020-02-29T12:00:00.000Z")),
            (b"\xc7\x0c\xff\x0e\xe6\xb2\x80\0\0\0\0\x5e\x5a\x52\x40", date),
        ] {
            assert_eq!(value_from_msgpack(bytes, 9).unwrap(), expected, "{bytes:02x?}");
        }
        for bytes in [
            &b""[..],
            b"\xc1",
            b"\x01\x01",
            b"\xd4\x05\0",
            b"\x91\xd4\x07\0",
            b"\xdd\xff\xff\xff\xff",
        ] {
            assert!(value_from_msgpack(bytes, 9).is_err(), "{bytes:02x?}");
        }
        assert!(value_from_msgpack(&[0x91; 200_000], 500).is_err());
    }
}
