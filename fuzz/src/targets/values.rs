//! What both parsers of Socket.IO have to hold to: a packet that was read is sound, can be read by
//! any type, and comes back if it is sent.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use socketio_parser::{
    Binary, Decoded, Encoded, Limits, One, Parser, RESERVED_EVENTS, RawArgs, Revision, Spread,
    Value,
};

use crate::meter::Meter;

/// The limits of a server, or others that inputs reach.
pub(crate) fn limits(small: bool) -> Limits {
    let mut limits = Limits::default();
    if small {
        limits.max_depth = 4;
        limits.max_args = 3;
        limits.max_attachments = 2;
        limits.max_packet_bytes = 100;
        limits.max_namespace_len = 5;
        limits.max_event_len = 5;
    }
    limits
}

/// Checks a packet that was made of `len` bytes.
pub(crate) fn check(parser: &Parser, limits: &Limits, len: usize, packet: &Decoded<'_>) {
    let encoder = parser.encoder();
    let encoded = match packet {
        Decoded::Connect { nsp, query, auth } => {
            assert!(nsp.starts_with('/'));
            assert!(query.is_none() || auth.is_none(), "one of them belongs to each protocol");
            if let Some(auth) = auth {
                let values = arguments(auth, limits, len);
                assert!(matches!(values[..], [Value::Object(_)]));
            }
            return;
        }
        Decoded::Disconnect { nsp } => {
            assert!(is_namespace(nsp, limits));
            return;
        }
        Decoded::Error { nsp, data } => {
            assert!(is_namespace(nsp, limits));
            if let Some(data) = data {
                assert_eq!(arguments(data, limits, len).len(), 1);
            }
            return;
        }
        Decoded::Event { nsp, id, name, args } => {
            assert!(is_namespace(nsp, limits));
            assert!(name.len() <= limits.max_event_len);
            assert!(!RESERVED_EVENTS.contains(&&**name) && name != "error");
            arguments(args, limits, len);
            encoder.event(0, nsp, *id, name, args)
        }
        Decoded::Ack { nsp, id, args } => {
            assert!(is_namespace(nsp, limits));
            arguments(args, limits, len);
            encoder.ack(0, nsp, *id, args)
        }
        Decoded::Ignored => return,
    };
    let encoded = encoded.expect("what was read is not too deep to be sent");
    let again = there_and_back(parser, packet, &encoded);
    assert_eq!(again, encoded, "the second time nothing changes");
}

fn is_namespace(name: &str, limits: &Limits) -> bool {
    name.starts_with('/') && name.len() <= limits.max_namespace_len
}

/// Reads arguments as several types.
fn arguments(args: &RawArgs<'_>, limits: &Limits, len: usize) -> Vec<Value> {
    // acknowledgements are granted one for the name that they do not have
    assert!(args.len() <= limits.max_args + 1);
    let meter = Meter::start();
    let values = args.to_values();
    // a byte or two may be a whole value, in a vector of its own
    meter.check(len, 128, 4096);
    assert_eq!(values.len(), args.len());
    assert!(values.iter().all(|value| depth(value) <= limits.max_depth));

    // whether a type fits is not the question
    let _ = args.deserialize::<(String, u8, Option<f32>)>();
    let _ = args.deserialize::<(Bytes, Binary)>();
    let _ = args.deserialize::<Spread<i64>>();
    let _ = args.deserialize::<HashMap<String, Vec<bool>>>();
    let _ = args.deserialize::<[char; 2]>();
    let _ = args.deserialize::<One<(u64, i8)>>();
    let _ = args.deserialize::<()>();
    let meter = Meter::start();
    match args.deserialize::<Spread<Value>>() {
        Ok(spread) => assert_same(&spread.0, &values),
        // what is infinite for JavaScript is no number for serde_json
        Err(error) => assert!(error.to_string().contains("number out of range"), "{error}"),
    }
    meter.check(len, 128, 4096);
    let owned = args.clone().into_owned().into_values();
    assert_same(&owned, &values);
    values
}

/// Not by `==`: not-a-number is not equal to itself.
fn assert_same(left: &[Value], right: &[Value]) {
    assert_eq!(format!("{left:?}"), format!("{right:?}"));
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Reads what was encoded, and encodes what was read.
fn there_and_back(parser: &Parser, packet: &Decoded<'_>, encoded: &Encoded) -> Encoded {
    let mut limits = Limits::default();
    // of msgpack there may be any number
    limits.max_attachments = usize::MAX;
    limits.max_packet_bytes = usize::MAX;
    let mut decoder = parser.decoder(Revision::V5, Arc::new(limits));
    let text;
    let again = match encoded {
        Encoded::Binary(bytes) => decoder.binary(bytes.clone()),
        Encoded::Text { buffer, start, attachments } => {
            text = std::str::from_utf8(&buffer[*start..]).expect("text");
            match attachments.split_last() {
                None => decoder.text(text),
                Some((last, others)) => {
                    assert_eq!(decoder.text(text), Ok(None), "{text}");
                    for attachment in others {
                        assert_eq!(decoder.binary(attachment.clone()), Ok(None));
                    }
                    decoder.binary(last.clone())
                }
            }
        }
    };
    let again = again.expect("a packet of ours is right").expect("and complete");
    match (packet, &again) {
        (
            Decoded::Event { nsp, id, name, .. },
            Decoded::Event { nsp: nsp2, id: id2, name: name2, args },
        ) => {
            assert_eq!((nsp, id, name), (nsp2, id2, name2));
            parser.encoder().event(0, nsp, *id, name, args)
        }
        (Decoded::Ack { nsp, id, .. }, Decoded::Ack { nsp: nsp2, id: id2, args }) => {
            assert_eq!((nsp, id), (nsp2, id2));
            parser.encoder().ack(0, nsp, *id, args)
        }
        _ => panic!("{packet:?} came back as {again:?}"),
    }
    .expect("as before")
}
