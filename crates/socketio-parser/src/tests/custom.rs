//! Custom parsers: what they are given, and that the rules of all parsers hold for them.

use std::sync::Arc;

use bytes::Bytes;

use super::show;
use crate::{
    Binary, CustomDecoder, CustomParser, DecodeError, Encoded, Limits, Messages, Packet,
    PacketType, Parser, Revision, Spread, Value,
};

/// A text with the fields one behind the other, then a binary message for each argument that is
/// bytes.
struct Fields;

impl CustomParser for Fields {
    fn encode(&self, packet: Packet) -> Messages {
        let Packet { kind, nsp, id, data } = packet;
        let elements = data.as_ref().and_then(Value::as_array).unwrap_or_default();
        let attachments: Vec<Bytes> =
            elements.iter().filter_map(Value::as_bytes).cloned().collect();
        let id = id.map_or(String::new(), |id| id.to_string());
        let data = serde_json::to_string(&data).expect("values have text keys");
        let text = format!("{}|{nsp}|{id}|{}|{data}", kind as u8, attachments.len());
        Messages::Text { text, attachments }
    }

    fn decoder(&self, _: Revision) -> Box<dyn CustomDecoder> {
        Box::new(FieldsDecoder { packet: None, missing: 0 })
    }
}

struct FieldsDecoder {
    packet: Option<Packet>,
    missing: usize,
}

impl FieldsDecoder {
    fn finished(&mut self) -> Option<Packet> {
        if self.missing == 0 { self.packet.take() } else { None }
    }
}

impl CustomDecoder for FieldsDecoder {
    fn text(&mut self, text: &str) -> Result<Option<Packet>, DecodeError> {
        let fields: Vec<&str> = text.splitn(5, '|').collect();
        let [kind, nsp, id, missing, data] = fields[..] else {
            return Err(DecodeError::custom(format!("{} fields", fields.len())));
        };
        let kind = kind.parse().ok().and_then(PacketType::from_number);
        let kind = kind.ok_or(DecodeError::InvalidField("type"))?;
        self.missing = missing.parse().map_err(DecodeError::custom)?;
        let data = if let Some(depth) = data.strip_prefix('^') {
            let depth: usize = depth.parse().map_err(DecodeError::custom)?;
            Some((0..depth).fold(Value::Null, |inner, _| Value::from(vec![inner])))
        } else {
            serde_json::from_str(data).map_err(DecodeError::custom)?
        };
        self.packet = Some(Packet { kind, nsp: nsp.into(), id: id.parse().ok(), data });
        Ok(self.finished())
    }

    fn binary(&mut self, bytes: Bytes) -> Result<Option<Packet>, DecodeError> {
        let Some(Packet { data: Some(Value::Array(elements)), .. }) = &mut self.packet else {
            return Err(DecodeError::UnexpectedBinary);
        };
        elements.push(bytes.into());
        self.missing = self.missing.saturating_sub(1);
        Ok(self.finished())
    }
}

#[track_caller]
fn decode(revision: Revision, text: &str, binary: &[&[u8]], expected: &str) {
    let mut decoder = Parser::custom(Fields).decoder(revision, Arc::new(Limits::default()));
    let mut decoded = decoder.text(text).map(show);
    for bytes in binary {
        assert_eq!(decoded.as_deref(), Ok("waiting"), "{text}");
        decoded = decoder.binary(Bytes::copy_from_slice(bytes)).map(show);
    }
    assert_eq!(decoder.is_waiting() && decoded.is_ok(), expected == "waiting");
    assert_eq!(decoded.unwrap_or_else(|error| format!("! {error}")), expected, "{text}");
}

#[track_caller]
fn v5(text: &str, expected: &str) {
    decode(Revision::V5, text, &[], expected);
}

#[track_caller]
fn lenient(text: &str, error: &str) {
    v5(text, error);
    decode(Revision::V4, text, &[], "ignored");
}

#[test]
fn received() {
    v5("0|/||0|", "! EOF while parsing a value at line 1 column 0");
    v5("0|/||0|null", "connect /");
    v5(r#"0|/chat?a||0|{"t":1}"#, r#"connect /chat?a [{"t":1}]"#);
    decode(Revision::V4, "0|/chat?a||0|null", &[], "connect /chat ?a");
    v5("1|/chat||0|null", "disconnect /chat");
    v5(r#"2|/|7|0|["e",1]"#, r#"event / #7 "e" [1]"#);
    v5("3|/|7|0|[1]", "ack / #7 [1]");
    v5(r#"4|/||0|"no""#, r#"error / ["no"]"#);
    v5(r#"5|/||2|["e"]"#, "waiting");
    decode(Revision::V5, r#"5|/a||2|["e"]"#, &[b"\x01", b"\x02"], r#"event /a "e" [[1],[2]]"#);
    decode(Revision::V4, "6|/|1|1|[]", &[b"\x01"], "ack / #1 [[1]]");
    v5("x", "! 1 fields");
    v5("7|/||0|null", "! invalid packet: type missing or wrong");
}

#[test]
fn held_to_the_rules() {
    lenient("2|||0|[\"e\"]", "! invalid packet: nsp missing or wrong");
    lenient("2|chat||0|[\"e\"]", "! invalid packet: nsp missing or wrong");
    lenient("2|/||0|[]", "! invalid payload");
    lenient("2|/||0|[true]", "! invalid payload");
    v5("2|/||0|[1.5]", r#"event / "1.5" []"#);
    lenient("2|/||0|{}", "! invalid payload");
    lenient("2|/||0|null", "! invalid payload");
    v5("3|/||0|[]", "ignored");
    lenient("0|/||0|1", "! invalid payload");
    v5(r#"2|/||0|["connect"]"#, r#"! reserved event name "connect""#);
    v5(r#"2|/||0|["error"]"#, "ignored");
    let long = "x".repeat(5_000);
    v5(&format!("2|/||0|[\"{long}\"]"), "! event name too long (limit 4096 bytes)");
    v5(&format!("1|/{long}||0|null"), "! namespace too long (limit 512 bytes)");
    v5(&format!("3|/|1|0|[0{}]", ",0".repeat(20_000)), "! too many arguments (limit 16384)");
    v5("4|/||0|^513", "! nesting too deep (limit 512)");
    v5("4|/||0|^1000000", "! nesting too deep (limit 512)");
    // What a decoder is given for one packet is bounded.
    let ten: [&[u8]; 10] = [b""; 10];
    decode(Revision::V5, "3|/|1|10|[]", &ten, &format!("ack / #1 [{}[]]", "[],".repeat(9)));
    let eleven: [&[u8]; 11] = [b""; 11];
    decode_error("3|/|1|20|[]", &eleven, "too many attachments (limit 10)");
    decode_error("3|/|1|20|[]", &[&[0; 10_000_000]], "packet too large (limit 10000000 bytes)");
}

#[track_caller]
fn decode_error(text: &str, binary: &[&[u8]], expected: &str) {
    let limits = Arc::new(Limits::default());
    let mut decoder = Parser::custom(Fields).decoder(Revision::V5, limits);
    assert_eq!(decoder.text(text), Ok(None));
    let (last, first) = binary.split_last().expect("at least one");
    for bytes in first {
        assert_eq!(decoder.binary(Bytes::copy_from_slice(bytes)), Ok(None));
    }
    let error = decoder.binary(Bytes::copy_from_slice(last)).expect_err("beyond a limit");
    assert_eq!(error.to_string(), expected);
}

#[track_caller]
fn sent(encoded: &Encoded, expected: &str, binary: &[&[u8]]) {
    let Encoded::Text { buffer, start, attachments } = encoded else { panic!("{encoded:?}") };
    assert_eq!(*start, 14);
    assert_eq!(std::str::from_utf8(&buffer[*start..]), Ok(expected));
    assert_eq!(attachments, binary);
}

#[test]
fn encoded() {
    let encoder = Parser::custom(Fields).encoder();
    let bytes = Binary(Bytes::from_static(b"\x01"));
    let event = |args: Spread<Value>| encoder.event(14, "/a", Some(7), "e", &args).unwrap();
    sent(&event(Spread(vec![])), r#"2|/a|7|0|["e"]"#, &[]);
    sent(&event(Spread(vec![1.into(), Value::Null])), r#"2|/a|7|0|["e",1,null]"#, &[]);
    let encoded = encoder.event(14, "/", None, "e", &(1, bytes)).unwrap();
    sent(&encoded, r#"2|/||1|["e",1,[1]]"#, &[b"\x01"]);
    sent(&encoder.ack(14, "/", 0, &()).unwrap(), "3|/|0|0|[]", &[]);
    let data = Value::from_iter([("code", 7)]);
    for (encoded, expected) in [
        (encoder.connect(14, "/", Revision::V4, Some("x"), None), "0|/||0|null"),
        (encoder.connect(14, "/", Revision::V5, Some("x"), None), r#"0|/||0|{"sid":"x"}"#),
        (encoder.disconnect(14, "/", Revision::V5), "1|/||0|null"),
        (encoder.error(14, "/", Revision::V4, "no", None), r#"4|/||0|"no""#),
        (
            encoder.error(14, "/", Revision::V5, "no", Some(&data)),
            r#"4|/||0|{"message":"no","data":{"code":7}}"#,
        ),
    ] {
        sent(&encoded, expected, &[]);
    }
}
