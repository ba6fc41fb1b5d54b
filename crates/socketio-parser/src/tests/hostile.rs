//! Input made to exhaust the stack, the memory or the time.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::{decode, encoder};
use crate::{Decoded, Decoder, EncodeError, Encoded, Limits, Parser, Revision, Spread, Value};

/// Text and attachments beyond the given limits.
fn limited(change: impl FnOnce(&mut Limits)) -> Decoder {
    let mut limits = Limits::default();
    change(&mut limits);
    Parser::json().decoder(Revision::V5, Arc::new(limits))
}

fn nested(depth: usize) -> String {
    format!("2[\"e\",{}{}]", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn depth() {
    for (depth, within) in
        [(0, false), (63, true), (64, true), (65, true), (500, true), (511, true)]
    {
        assert_eq!(
            decode(Revision::V5, &nested(depth), &[]).starts_with("event"),
            within,
            "{depth}"
        );
    }
    for depth in [512, 5_000, 100_000] {
        let expected = "! nesting too deep (limit 512)";
        assert_eq!(decode(Revision::V5, &nested(depth), &[]), expected, "{depth}");
        // Never closed, and as objects.
        assert_eq!(decode(Revision::V4, &format!("2[\"e\",{}", "[".repeat(depth)), &[]), expected);
        let objects = format!("51-[\"e\",{}", "{\"a\":".repeat(depth));
        assert_eq!(decode(Revision::V5, &objects, &[]), expected);
    }
    let mixed = format!("2[\"e\",{}1{}]", "[{\"a\":".repeat(250), "}]".repeat(250));
    assert!(decode(Revision::V5, &mixed, &[]).starts_with("event"));
    let crossed = format!("2[\"e\",{}1{}]", "[{\"a\":".repeat(250), "]}".repeat(250));
    assert!(decode(Revision::V5, &crossed, &[]).starts_with("! invalid payload: comma"));
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only built")]
struct Tree(Vec<Self>);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only built")]
enum Untagged {
    Number(f64),
    List(Vec<Self>),
}

/// All that is done with a value, with the deepest that comes in.
fn walk(max_depth: usize) {
    let text = nested(max_depth.min(Limits::MAX_DEPTH) - 1);
    let mut decoder = limited(|limits| limits.max_depth = max_depth);
    let Ok(Some(Decoded::Event { args, .. })) = decoder.text(&text) else { panic!() };
    args.deserialize::<Tree>().unwrap();
    args.deserialize::<Untagged>().unwrap();
    let value: Value = args.deserialize().unwrap();
    assert_eq!(value, args.to_values()[0]);
    let encoded = encoder().event(0, "/", None, "e", &args).unwrap();
    let Encoded::Text { buffer, start, .. } = encoded else { panic!() };
    assert_eq!(&buffer[start..], text.as_bytes());
    assert_eq!(value.clone(), crate::to_value(&value).unwrap());
    crate::from_value::<Tree>(value).unwrap();
}

#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a stack of a known size")]
fn with_stack(size: usize, walk: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(size).spawn(walk).unwrap().join().unwrap();
}

#[test]
fn the_deepest_value_fits_a_small_stack() {
    // Threads of tokio have 2 MiB; debug builds use the most of it.
    with_stack(2 << 20, || walk(Limits::default().max_depth));
    let size = if cfg!(debug_assertions) { 4 << 20 } else { 2 << 20 };
    with_stack(size, || walk(usize::MAX));
}

#[test]
fn depth_has_a_bound_of_its_own() {
    let mut decoder = limited(|limits| limits.max_depth = usize::MAX);
    let expected = format!("nesting too deep (limit {})", Limits::MAX_DEPTH);
    for depth in [Limits::MAX_DEPTH, 1_000_000] {
        assert_eq!(decoder.text(&nested(depth)).unwrap_err().to_string(), expected);
    }
    let json = format!("{}{}", "[".repeat(1_001), "]".repeat(1_001));
    assert!(crate::value_from_json(json.as_bytes(), usize::MAX).is_err());
    assert!(crate::value_from_json(&json.as_bytes()[1..2_001], usize::MAX).is_ok());
}

/// Without recursion: deeper than any stack.
fn take_apart(mut value: Value) {
    while let Value::Array(mut items) = value {
        value = items.pop().unwrap_or_default();
    }
}

#[test]
fn depth_of_what_is_sent() {
    let mut value = Value::Null;
    for _ in 0..1_024 {
        value = Value::from(vec![value]);
    }
    let deep = (0..1_000_000).fold(Value::Null, |inner, _| Value::from(vec![inner]));
    let args = Spread(vec![deep]);
    assert_eq!(encoder().event(0, "/", None, "e", &args), Err(EncodeError::TooDeep));
    assert_eq!(crate::to_value(&args.0[0]), Err(EncodeError::TooDeep));
    assert!(crate::value_to_json(&args.0[0], &mut Vec::new()).is_err());
    let refusal = |data| encoder().error(0, "/", Revision::V5, "no", data);
    assert_eq!(refusal(args.0.first()), refusal(None));
    args.0.into_iter().for_each(take_apart);
    assert!(encoder().event(0, "/", None, "e", &Spread(vec![value.clone()])).is_ok());
    let value = Value::from(vec![value]);
    let encoded = encoder().event(0, "/", None, "e", &Spread(vec![value]));
    assert_eq!(encoded, Err(EncodeError::TooDeep));
}

#[test]
fn number_of_arguments() {
    let many = |count: usize| format!("2[\"e\"{}]", ",0".repeat(count));
    assert!(decode(Revision::V5, &many(16_384), &[]).starts_with("event"));
    let expected = "! too many arguments (limit 16384)";
    assert_eq!(decode(Revision::V5, &many(16_385), &[]), expected);
    assert_eq!(decode(Revision::V4, &many(200_000), &[]), expected);
    assert_eq!(decode(Revision::V5, &format!("31[0{}]", ",0".repeat(200_000)), &[]), expected);
}

#[test]
fn bytes_of_a_packet() {
    let mut decoder = limited(|limits| limits.max_packet_bytes = 20);
    // 15 bytes of text.
    assert_eq!(decoder.text(r#"52-["event",1] "#), Ok(None));
    assert_eq!(decoder.binary(Bytes::from_static(&[0; 5])), Ok(None));
    assert_eq!(
        decoder.binary(Bytes::from_static(&[0; 1])).unwrap_err().to_string(),
        "packet too large (limit 20 bytes)"
    );
    let mut decoder = limited(|limits| limits.max_packet_bytes = 20);
    assert!(decoder.text(r#"2["event",12345678] "#).is_ok());
    assert_eq!(
        decoder.text(r#"2["event",123456789] "#).unwrap_err().to_string(),
        "packet too large (limit 20 bytes)"
    );
}

#[test]
fn announced_attachments_cost_nothing() {
    let mut decoder = limited(|limits| limits.max_attachments = usize::MAX);
    assert_eq!(decoder.text(&format!("5{}-[\"e\"]", usize::MAX)), Ok(None));
}

/// Lists of one element are what makes most values of a message; a long one could waste as much as
/// it needs.
#[test]
fn a_list_has_no_room_for_more() {
    let text = r#"2["e",[7],{"a":7},[],{},[1,2,3,4,5],{"a":1,"b":2}]"#;
    let mut decoder = limited(|_| {});
    let Ok(Some(Decoded::Event { args, .. })) = decoder.text(text) else { panic!() };
    let Spread(read) = args.deserialize::<Spread<Value>>().unwrap();
    for values in [read, args.to_values()] {
        let capacities: Vec<_> = values
            .iter()
            .map(|value| match value {
                Value::Array(items) => items.capacity(),
                Value::Object(members) => members.capacity(),
                _ => panic!(),
            })
            .collect();
        assert_eq!(capacities, [1, 1, 0, 0, 5, 2]);
    }
}

#[test]
fn linear_in_time() {
    // Each of these takes minutes if some part is quadratic.
    let escapes = format!("2[\"e\",\"{}\"]", "\\ud800".repeat(500_000));
    let strings = format!("2[\"e\",[\"\"{}]]", ",\"\"".repeat(500_000));
    let arguments = format!("2[\"e\"{}]", format!(",[{}1]", "1,".repeat(100)).repeat(16_000));
    let digits = format!("2[\"e\",{}]", "1".repeat(3_000_000));
    let keys = format!("51-[\"e\",{{\"\":0{}}}]", ",\"num\":0".repeat(300_000));
    for text in [escapes, strings, arguments, digits, keys] {
        assert!(!decode(Revision::V5, &text, &[b"\x01"]).starts_with('!'));
    }
}

#[test]
fn every_prefix_is_harmless() {
    let text =
        r#"52-/c,1["é\n\ud83d\ude00",{"_placeholder":true,"num":1},[-1.5e-3,true,null,{}]] "#;
    for (end, _) in text.char_indices() {
        for revision in [Revision::V4, Revision::V5] {
            decode(revision, &text[..end], &[b"\x01", b"\x02"]);
            decode(revision, &text[end..], &[b"\x01", b"\x02"]);
        }
    }
}
