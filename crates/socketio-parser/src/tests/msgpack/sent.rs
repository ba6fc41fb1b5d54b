//! Packets to messages.

#![allow(clippy::needless_pass_by_value, reason = "tables read better with plain values")]

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::{Flat, Point, Shape, bytes, encoder};
use crate::{Binary, EncodeError, Encoded, One, Revision, Spread, Value};

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
        value = Value::from(vec![value]);
    }
    assert!(encoder().event(0, "/", None, "e", &value).is_ok());
    // as variants, which open a map each, without an array or a map of their own
    #[derive(serde::Serialize)]
    enum Chain {
        More(Box<Self>),
        End,
    }
    let chain = |len| (0..len).fold(Chain::End, |inner, _| Chain::More(Box::new(inner)));
    assert!(encoder().event(0, "/", None, "e", &chain(1_024)).is_ok());
    assert_eq!(encoder().event(0, "/", None, "e", &chain(1_025)), Err(EncodeError::TooDeep));
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
        encoder.connect(14, "/", v5, Some("x"), None),
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
        (encoder.connect(14, "/chat", v4, Some("x"), None), r#"{"type":0,"nsp":"/chat"}"#),
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
