//! How much memory arguments take, told before they are read.

use std::mem::size_of;
use std::sync::Arc;

use bytes::Bytes;
use socketio_parser::{Decoded, Limits, Parser, RawArgs, Revision, Value};

const VALUE: usize = size_of::<Value>();
const TEXT: usize = VALUE + size_of::<String>();
const LIST: usize = VALUE + size_of::<Vec<Value>>();

/// The arguments of an event of a client, with one attachment if there is a placeholder.
fn received(json: &str, attachment: Option<&'static [u8]>) -> RawArgs<'static> {
    let mut decoder = Parser::json().decoder(Revision::V5, Arc::new(Limits::default()));
    let head = if attachment.is_some() { "51-" } else { "2" };
    let text = format!("{head}[\"e\",{json}]");
    let decoded = match attachment {
        None => decoder.text(&text),
        Some(bytes) => {
            assert_eq!(decoder.text(&text), Ok(None));
            decoder.binary(Bytes::from_static(bytes))
        }
    };
    match decoded {
        Ok(Some(Decoded::Event { args, .. })) => args.into_owned(),
        other => panic!("{json}: {other:?}"),
    }
}

fn of_json(json: &str) -> usize {
    received(json, None).value_bytes()
}

#[test]
fn values() {
    for (json, expected) in [
        ("null", VALUE),
        ("true", VALUE),
        ("-1.5e3", VALUE),
        ("\"\"", TEXT),
        ("\"abc\"", TEXT + 3),
        ("[]", LIST),
        ("[1,2,3]", LIST + 3 * VALUE),
        ("[[1],\"ab\"]", LIST + (LIST + VALUE) + (TEXT + 2)),
        (" 1 , [ 2 ] ,\"x\" ", VALUE + (LIST + VALUE) + (TEXT + 1)),
        ("1,2,3", 3 * VALUE),
    ] {
        assert_eq!(of_json(json), expected, "{json}");
    }
}

/// A member takes its value, its name, and the same for each besides.
#[test]
fn members() {
    let empty = of_json("{}");
    assert!(empty > VALUE);
    let one = of_json(r#"{"a":1}"#) - empty - VALUE - "a".len();
    assert!((size_of::<String>()..=100).contains(&one), "{one}");
    for (json, members, names, values) in [
        (r#"{"abc":null}"#, 1, 3, VALUE),
        (r#"{"a":1,"bcd":"text"}"#, 2, 4, VALUE + TEXT + 4),
        (r#"{"a":[1,2],"b":{},"c":[]}"#, 3, 3, LIST + 2 * VALUE + empty + LIST),
    ] {
        assert_eq!(of_json(json), empty + members * one + names + values, "{json}");
    }
}

/// What is read takes what was told, whichever form it came in.
#[test]
fn forms_agree() {
    for (json, members) in [
        ("null", 0),
        ("1,\"text\",[]", 0),
        (r#"{"a":[1,2,{"b":"c"}],"long name":{}}"#, 3),
        (r#"[["x"],{"a":true,"b":[null]}],"y""#, 2),
    ] {
        let args = received(json, None);
        let values = RawArgs::from_values(args.to_values());
        assert_eq!(args.value_bytes(), values.value_bytes(), "{json}");
        assert_eq!(values.kept_bytes(), values.value_bytes());
        #[cfg(feature = "msgpack")]
        {
            // there a name counts as a text, too
            let (weight, message) = msgpack(&values);
            assert_eq!(weight, message + args.value_bytes() + members * TEXT, "{json}");
        }
        #[cfg(not(feature = "msgpack"))]
        let _ = members;
    }
}

/// What arguments take that come as msgpack, and the length of what they come as: it is kept.
#[cfg(feature = "msgpack")]
fn msgpack(args: &RawArgs<'_>) -> (usize, usize) {
    use socketio_parser::Encoded;

    let parser = Parser::msgpack();
    let event = parser.encoder().event(0, "/", None, "e", args).expect("serialisable");
    let Encoded::Binary(bytes) = event else { panic!("msgpack is binary") };
    let mut decoder = parser.decoder(Revision::V5, Arc::new(Limits::default()));
    let Ok(Some(Decoded::Event { args, .. })) = decoder.binary(bytes) else { panic!("an event") };
    (args.value_bytes(), args.kept_bytes())
}

#[test]
fn attachments() {
    const BYTES: &[u8] = &[7; 100];
    let json = r#"{"_placeholder":true,"num":0}"#;
    let args = received(json, Some(BYTES));
    assert!(args.value_bytes() >= of_json(json) + VALUE + size_of::<Bytes>() + 100);
    let one = received(json, Some(b"x")).value_bytes();
    assert_eq!(args.value_bytes(), one + 99, "a byte is a byte");
    assert_eq!(args.kept_bytes(), received(json, Some(b"x")).kept_bytes() + 99);
    assert!(args.kept_bytes() >= json.len() + 100);

    let value = |bytes| RawArgs::from_values(vec![Value::from(Bytes::from_static(bytes))]);
    let empty = value(b"").value_bytes();
    assert!(empty >= VALUE + size_of::<Bytes>());
    assert_eq!(value(BYTES).value_bytes(), empty + 100);
    #[cfg(feature = "msgpack")]
    {
        // bytes are slices of the message, which is kept whole
        let (weight, message) = msgpack(&value(BYTES));
        assert_eq!(weight, message + empty);
    }
}

/// What a connection keeps while a packet is not whole.
#[test]
fn packets_that_have_begun() {
    let mut decoder = Parser::json().decoder(Revision::V5, Arc::new(Limits::default()));
    assert_eq!(decoder.kept_bytes(), 0);
    let text = r#"52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    assert_eq!(decoder.text(text), Ok(None));
    let kept = decoder.kept_bytes();
    assert!((50..=text.len()).contains(&kept), "{kept}");
    assert_eq!(decoder.binary(Bytes::from_static(&[7; 100])), Ok(None));
    assert_eq!(decoder.kept_bytes(), kept + 100);
}

#[test]
fn arguments_that_are_changed() {
    let mut args = received("1,[2]", None);
    args.values_mut().push(Value::from("x"));
    let expected = [Value::Int(1), Value::from([2]), Value::from("x")];
    assert_eq!(args.to_values(), expected);
    args.values_mut().remove(0);
    assert_eq!(args.into_values(), expected[1..]);
}
