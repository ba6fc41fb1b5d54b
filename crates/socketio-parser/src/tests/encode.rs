//! Values to messages.

#![allow(clippy::needless_pass_by_value, reason = "tables read better with plain values")]

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::{decode, decoder, encoder, show};
use crate::{Binary, Decoded, EncodeError, Encoded, One, RawArgs, Revision, Spread, Value};

fn text(encoded: &Encoded) -> &str {
    let Encoded::Text { buffer, start, .. } = encoded else { panic!("JSON is text") };
    std::str::from_utf8(&buffer[*start..]).expect("packets are UTF-8")
}

fn start(encoded: &Encoded) -> usize {
    let Encoded::Text { start, .. } = encoded else { panic!("JSON is text") };
    *start
}

fn attached(encoded: &Encoded) -> &[Bytes] {
    let Encoded::Text { attachments, .. } = encoded else { panic!("JSON is text") };
    attachments
}

/// An event `e` in `/` whose arguments are `args`: what stands between name and bracket.
#[track_caller]
fn check<T: Serialize>(args: T, expected: &str) {
    let encoded = encoder().event(14, "/", None, "e", &args).expect("serialisable");
    assert!(start(&encoded) >= 14);
    assert_eq!(text(&encoded), format!("2[\"e\"{expected}]"));
    assert!(attached(&encoded).is_empty());
    // The acknowledgement has the same arguments, and what we say we understand.
    let ack = encoder().ack(14, "/", 7, &args).expect("serialisable");
    assert_eq!(text(&ack), format!("37[{}]", expected.strip_prefix(',').unwrap_or("")));
    assert!(decode(Revision::V5, text(&ack), &[]).starts_with("ack / #7 "));
}

#[track_caller]
fn binary<T: Serialize>(args: T, expected: &str, attachments: &[&'static [u8]]) {
    let encoded = encoder().event(0, "/", None, "e", &args).expect("serialisable");
    assert_eq!(text(&encoded), expected);
    assert_eq!(attached(&encoded), attachments);
}

#[track_caller]
fn refused<T: Serialize>(args: T, expected: &EncodeError) {
    assert_eq!(encoder().event(0, "/", None, "e", &args).as_ref(), Err(expected));
}

#[test]
fn heads() {
    let encoder = encoder();
    let event = |nsp: &str, id: Option<u64>| {
        let encoded = encoder.event(14, nsp, id, "e", &1).unwrap();
        assert!(start(&encoded) >= 14);
        text(&encoded).to_owned()
    };
    assert_eq!(event("/", None), r#"2["e",1]"#);
    assert_eq!(event("/", Some(0)), r#"20["e",1]"#);
    assert_eq!(event("/chat", None), r#"2/chat,["e",1]"#);
    assert_eq!(event("/chat", Some(u64::MAX)), r#"2/chat,18446744073709551615["e",1]"#);
    let bytes = Binary(Bytes::from_static(b"\x01"));
    let encoded = encoder.event(14, "/chat", Some(7), "e", &bytes).unwrap();
    assert_eq!(text(&encoded), r#"51-/chat,7["e",{"_placeholder":true,"num":0}]"#);
    let many = Spread(vec![bytes.clone(); 12]);
    let encoded = encoder.event(14, "/chat", Some(u64::MAX), "e", &many).unwrap();
    assert!(text(&encoded).starts_with(r#"512-/chat,18446744073709551615["e",{"#));
    assert!(start(&encoded) >= 14);
    let encoded = encoder.ack(14, "/chat", 7, &(1, bytes)).unwrap();
    assert_eq!(text(&encoded), r#"61-/chat,7[1,{"_placeholder":true,"num":0}]"#);
    assert_eq!(text(&encoder.ack(0, "/", 7, &()).unwrap()), "37[]");
    let encoded = encoder.event(0, "/", None, "a\"\n", &()).unwrap();
    assert_eq!(text(&encoded), r#"2["a\"\n"]"#);
}

#[test]
fn control_packets() {
    let encoder = encoder();
    let data = Value::from_iter([("code", 7)]);
    for (encoded, expected) in [
        (encoder.connect(14, "/", Revision::V4, None, None), "0"),
        (encoder.connect(14, "/chat", Revision::V4, Some("x"), None), "0/chat,"),
        (encoder.connect(14, "/", Revision::V5, Some("x\""), None), r#"0{"sid":"x\""}"#),
        (encoder.connect(14, "/chat", Revision::V5, Some("x"), None), r#"0/chat,{"sid":"x"}"#),
        (encoder.connect(14, "/", Revision::V5, Some("x"), Some("y")), r#"0{"sid":"x","pid":"y"}"#),
        (encoder.disconnect(14, "/", Revision::V5), "1"),
        (encoder.disconnect(14, "/chat", Revision::V5), "1/chat,"),
        (encoder.error(14, "/", Revision::V4, "no", None), r#"4"no""#),
        (encoder.error(14, "/chat", Revision::V4, "no", Some(&data)), r#"4/chat,{"code":7}"#),
        (encoder.error(14, "/chat", Revision::V5, "no", None), r#"4/chat,{"message":"no"}"#),
        (
            encoder.error(14, "/", Revision::V5, "no", Some(&data)),
            r#"4{"message":"no","data":{"code":7}}"#,
        ),
    ] {
        assert_eq!(text(&encoded), expected);
        assert!(start(&encoded) >= 14);
        assert!(attached(&encoded).is_empty());
    }
}

#[derive(Serialize)]
struct Point {
    x: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<f64>,
}

#[derive(Serialize)]
struct Pair(u8, &'static str);

#[derive(Serialize)]
struct Name(&'static str);

#[derive(Serialize)]
struct Both((u8, u8));

#[derive(Serialize)]
struct Nothing;

#[derive(Serialize)]
enum Shape {
    Dot,
    Circle(u32),
    Line(u8, u8),
    Rect { w: u8, h: u8 },
}

#[derive(Serialize)]
struct Flat {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<&'static str, u8>,
}

/// What serde_json's type of this name serialises as.
#[derive(Serialize)]
#[serde(rename = "$serde_json::private::RawValue")]
struct RawValue {
    #[serde(rename = "$serde_json::private::RawValue")]
    json: &'static str,
}

#[test]
fn number_of_arguments() {
    check((), "");
    check(Nothing, "");
    check((1, "a", None::<u8>), r#",1,"a",null"#);
    check([1, 2], ",1,2");
    check([0_u8; 0], "");
    check(Pair(1, "a"), r#",1,"a""#);
    check(Both((1, 2)), ",1,2");
    check(Box::new((1, 2)), ",1,2");
    check(vec![1, 2], ",[1,2]");
    check(&[1, 2][..], ",[1,2]");
    check(Some((1, 2)), ",[1,2]");
    check(None::<u8>, ",null");
    check(Name("n"), r#","n""#);
    check(((1, 2), [3]), ",[1,2],[3]");
    check(((), Nothing), ",null,null");
    check(One([1, 2]), ",[1,2]");
    check(One((1, 2)), ",[1,2]");
    check(One(()), ",null");
    check((One([1, 2]), 3), ",[1,2],3");
    check(Spread(vec![1, 2]), ",1,2");
    check(Spread(Vec::<u8>::new()), "");
    check(vec![Spread(vec![1])], ",[[1]]");
    check(Value::from(vec![1, 2]), ",[1,2]");
    check(Value::Null, ",null");
    check(RawArgs::from_values(vec![Value::Null, Value::from("x")]), r#",null,"x""#);
    check((RawArgs::from_values(vec![Value::Int(1)]), 2), ",[1],2");
}

#[test]
fn types() {
    check("text", r#","text""#);
    check('é', ",\"é\"");
    check(true, ",true");
    check((i8::MIN, i16::MIN, i32::MIN, i64::MIN), ",-128,-32768,-2147483648,-9223372036854775808");
    check((u8::MAX, u16::MAX, u32::MAX, u64::MAX), ",255,65535,4294967295,18446744073709551615");
    check(i128::MIN, ",-170141183460469231731687303715884105728");
    check(u128::MAX, ",340282366920938463463374607431768211455");
    check((1.5_f32, 0.1_f32, 0.1_f64, 1.0, -0.0, 1e300), ",1.5,0.1,0.1,1.0,-0.0,1e+300");
    check((f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f32::NAN), ",null,null,null,null");
    check(Point { x: 1, y: Some(2.5) }, r#",{"x":1,"y":2.5}"#);
    check(Point { x: 1, y: None }, r#",{"x":1}"#);
    check(Flat { a: 1, rest: BTreeMap::from([("b", 2), ("c", 3)]) }, r#",{"a":1,"b":2,"c":3}"#);
    check(Shape::Dot, r#","Dot""#);
    check(Shape::Circle(5), r#",{"Circle":5}"#);
    check(Shape::Line(1, 2), r#",{"Line":[1,2]}"#);
    check(Shape::Rect { w: 3, h: 4 }, r#",{"Rect":{"w":3,"h":4}}"#);
    check((RawValue { json: r#"{"a": "\""}"# }, "b\""), r#",{"a": "\""},"b\"""#);
    check(Vec::<u8>::new(), ",[]");
    check(HashMap::<u8, u8>::new(), ",{}");
    check(vec![vec![1], vec![], vec![2, 3]], ",[[1],[],[2,3]]");
    check(format_args!("{}-\"{}\"", 1, 2), r#","1-\"2\"""#);
    check(
        serde_json::json!({"a": [1, 2.5, null, "x"], "b": {}}),
        r#",{"a":[1,2.5,null,"x"],"b":{}}"#,
    );
}

#[test]
fn keys() {
    check(BTreeMap::from([("a\"", 1)]), r#",{"a\"":1}"#);
    check(BTreeMap::from([(-1, 1), (2, 2)]), r#",{"-1":1,"2":2}"#);
    check(BTreeMap::from([(u64::MAX, 1)]), r#",{"18446744073709551615":1}"#);
    check(BTreeMap::from([(false, 1), (true, 2)]), r#",{"false":1,"true":2}"#);
    check(BTreeMap::from([('é', 1)]), r#",{"é":1}"#);
    check(vec![("k", 1)].into_iter().collect::<HashMap<_, _>>(), r#",{"k":1}"#);
    refused(BTreeMap::from([((1, 2), 1)]), &EncodeError::Key);
    refused(BTreeMap::from([((), 1)]), &EncodeError::Key);
    refused(BTreeMap::from([(None::<u8>, 1)]), &EncodeError::Key);
}

#[test]
fn strings() {
    #[track_caller]
    fn string(text: &str) {
        // serde_json writes the same escapes.
        check(text, &format!(",{}", serde_json::to_string(text).unwrap()));
        let encoded = encoder().event(0, "/", None, "e", text).unwrap();
        let mut decoder = decoder(Revision::V5);
        let decoded = decoder.text(self::text(&encoded));
        let Ok(Some(Decoded::Event { args, .. })) = decoded else { panic!("{decoded:?}") };
        assert_eq!(args.to_values(), [Value::from(text)]);
        assert_eq!(args.deserialize::<String>().as_deref(), Ok(text));
    }
    string("");
    string("\"");
    string("\\");
    string("\u{2028}\u{2029}\u{7f}é😀/");
    string(&(0..0x20).map(char::from).collect::<String>());
    // Specials on every place of a block, and around its end.
    for length in [1, 7, 8, 31, 32, 33, 64, 65, 100] {
        for place in 0..length {
            for special in ["\"", "\\", "\n", "\u{1f}", "é", "\u{fffd}"] {
                let (before, after) = ("a".repeat(place), "b".repeat(length - place - 1));
                string(&format!("{before}{special}{after}"));
            }
        }
    }
}

#[test]
fn attachments() {
    const ONE: &[u8] = b"\x01";
    let bytes = Bytes::from_static(ONE);
    let event = r#"51-["e",{"_placeholder":true,"num":0}]"#;
    binary(Binary(bytes.clone()), event, &[ONE]);
    binary(bytes.clone(), event, &[ONE]);
    binary(Value::from(bytes.clone()), event, &[ONE]);
    binary(Some(&bytes), event, &[ONE]);
    binary(RawArgs::from_values(vec![Value::from(bytes.clone())]), event, &[ONE]);
    binary(Binary::default(), event, &[b""]);
    binary(vec![1_u8], r#"2["e",[1]]"#, &[]);
    // In the order of their appearance, at any depth.
    binary(
        (BTreeMap::from([("a", vec![bytes.clone()]), ("b", vec![Bytes::new()])]), Binary(bytes)),
        concat!(
            r#"53-["e",{"a":[{"_placeholder":true,"num":0}],"b":[{"_placeholder":true,"num":1}]},"#,
            r#"{"_placeholder":true,"num":2}]"#
        ),
        &[ONE, b"", ONE],
    );
}

#[test]
fn own_bytes_are_not_copied() {
    let bytes = Bytes::from(vec![7; 100]);
    let value = Value::from(vec![bytes.clone()]);
    for encoded in [
        encoder().event(0, "/", None, "e", &Binary(bytes.clone())).unwrap(),
        encoder().event(0, "/", None, "e", &value).unwrap(),
    ] {
        assert_eq!(attached(&encoded)[0].as_ptr(), bytes.as_ptr());
    }
    // Others are, whatever lay there before.
    let encoded = encoder().event(0, "/", None, "e", &(Binary(bytes.clone()), &bytes)).unwrap();
    assert_eq!(attached(&encoded)[0].as_ptr(), bytes.as_ptr());
    assert_ne!(attached(&encoded)[1].as_ptr(), bytes.as_ptr());
    assert_eq!(attached(&encoded)[1], bytes);
}

#[test]
fn errors_of_the_value() {
    struct Unwilling;
    impl Serialize for Unwilling {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    refused((1, vec![Unwilling]), &EncodeError::Message("no".into()));
}

#[test]
fn one_allocation() {
    // The buffer never grew: a usual event fits what was reserved.
    let args = ("general", Point { x: 1, y: Some(2.5) }, vec![1, 2, 3]);
    let encoded = encoder().event(14, "/chat", Some(7), "message", &args).unwrap();
    let front = 14 + 1 + 11 + "/chat,".len() + 20;
    let Encoded::Text { buffer, attachments, .. } = encoded else { panic!() };
    assert_eq!(buffer.capacity(), front + "message".len() + 96);
    assert_eq!(attachments.capacity(), 0);
}

#[test]
fn received_and_sent_again() {
    let text = r#"52-/c,7["e",{"a":{"_placeholder":true,"num":0},"b":[1,2.5,null,"\n"]},{"_placeholder":true,"num":1}]"#;
    let mut decoder = decoder(Revision::V5);
    assert_eq!(decoder.text(text), Ok(None));
    assert_eq!(decoder.binary(Bytes::from_static(b"\x01")), Ok(None));
    let decoded = decoder.binary(Bytes::from_static(b"\x02")).unwrap();
    let shown = show(decoded.clone());
    let Some(Decoded::Event { nsp, id, name, args }) = decoded else { panic!("{shown}") };
    let encoded = encoder().event(0, nsp, id, &name, &args).unwrap();
    assert_eq!(self::text(&encoded), text);
    assert_eq!(attached(&encoded), [&b"\x01"[..], b"\x02"]);
}

/// Strings are walked over in words, and in pieces where they are long: whatever is special is found
/// in each place, in both directions.
#[test]
fn strings_of_all_lengths() {
    #[track_caller]
    fn check_text(text: &str) {
        let json = serde_json::to_string(text).unwrap();
        check(text, &format!(",{json}"));
        let packet = format!("2[\"e\",{json},1]");
        let mut decoder = decoder(Revision::V5);
        let Ok(Some(Decoded::Event { args, .. })) = decoder.text(&packet) else {
            panic!("{text:?}")
        };
        assert_eq!(args.deserialize(), Ok((text.to_owned(), 1)));
        // not escaped it is no JSON, unless there is nothing to escape
        let unescaped = format!("2[\"e\",\"{text}\",1]");
        let shown = decode(Revision::V5, &unescaped, &[]);
        assert_eq!(shown.starts_with('!'), json.len() != text.len() + 2, "{text:?}: {shown}");
    }
    let ends = [62, 63, 64, 65, 127, 4_127, 4_128, 4_129, 8_224, 8_225];
    for len in (0..=40).chain(ends) {
        let plain = "x".repeat(len);
        check_text(&plain);
        for at in (0..len).filter(|at| len < 200 || matches!(at % 4096, 30..=34) || at + 2 > len) {
            let (head, tail) = (&plain[..at], &plain[at + 1..]);
            for special in ["\n", "\x1f", "\\", "\"", "\x7f", "é"] {
                check_text(&format!("{head}{special}{tail}"));
            }
            // what is found first is not what comes first
            check_text(&format!("{head}\x01\\{tail}"));
        }
    }
}

#[test]
fn an_offset_is_the_last_argument() {
    #[track_caller]
    fn check(args: impl Serialize, expected: &str) {
        let encoder = crate::Parser::json().encoder();
        let encoded = encoder.event_with_offset(14, "/chat", "e", &args, "o1").unwrap();
        let (Encoded::Text { buffer, start, .. }, None) = encoded else { panic!("a text") };
        assert_eq!(std::str::from_utf8(&buffer[start..]), Ok(expected));
    }
    check((), r#"2/chat,["e","o1"]"#);
    check((1, "x"), r#"2/chat,["e",1,"x","o1"]"#);
    check(Binary(Bytes::from_static(b"x")), r#"51-/chat,["e",{"_placeholder":true,"num":0},"o1"]"#);
}

#[test]
fn the_text_at_the_end_of_a_packet_is_found() {
    let ends = |packet: &'static str| crate::trailing_text(packet.as_bytes());
    for text in ["x", "", "a\"b", "a\\", "\\\"", "\u{1}é😀", "[\"]"] {
        let encoder = crate::Parser::json().encoder();
        for args in [vec![text.to_owned()], vec!["y".to_owned(), text.to_owned()]] {
            let encoded = encoder.event(14, "/", None, "e", &Spread(args)).unwrap();
            let Encoded::Text { buffer, start, .. } = encoded else { panic!("a text") };
            assert_eq!(crate::trailing_text(&buffer[start..]), Some(&*crate::quote(text)));
        }
    }
    assert_eq!(ends(r#"2["tick"]"#), Some(&b"\"tick\""[..]));
    for none in [r#"2["e",1]"#, r#"2["e",["x"]]"#, r#"2["e",{"a":"x"}]"#, "", "2", r#""]"#] {
        assert_eq!(ends(none), None, "{none}");
    }
}
