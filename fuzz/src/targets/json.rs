//! The JSON parser of both revisions, with the reassembly of binary packets; against serde_json.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Deserializer;
use socketio_parser::{DecodeError, Decoded, Parser, RawArgs, Revision, Value};

use super::values;
use crate::input::Input;
use crate::meter::Meter;

/// A byte of flags, then messages of one connection: the first is text, behind 0xff follows
/// another text, behind 0xfe an attachment. Neither byte is in any UTF-8.
pub fn json(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let revision = if flags & 1 == 0 { Revision::V5 } else { Revision::V4 };
    let limits = values::limits(flags & 2 != 0);
    let parser = Parser::json();
    let mut decoder = parser.decoder(revision, Arc::new(limits.clone()));
    let (mut is_text, mut len) = (true, 0);
    loop {
        let end = input.0.iter().position(|&byte| byte >= 0xfe);
        let message = input.take(end.unwrap_or(input.0.len()));
        let waiting = decoder.is_waiting();
        len = if waiting { len } else { 0 } + message.len();
        if is_text {
            let Ok(text) = std::str::from_utf8(message) else { return };
            let meter = Meter::start();
            let decoded = decoder.text(text);
            // a copy is made of what must wait, or be repaired; and one bit per bracket is kept
            meter.check(text.len(), 4, 1024);
            compare(text, &decoded);
            assert!(!waiting || decoded == Err(DecodeError::UnexpectedText));
            let Ok(decoded) = decoded else { return };
            if let Some(packet) = &decoded {
                values::check(&parser, &limits, len, packet);
            }
        } else {
            let bytes = Bytes::copy_from_slice(message);
            let meter = Meter::start();
            let decoded = decoder.binary(bytes);
            meter.check(0, 0, 1024);
            assert!(waiting || decoded == Err(DecodeError::UnexpectedBinary));
            let Ok(decoded) = decoded else { return };
            if let Some(packet) = &decoded {
                assert!(len <= limits.max_packet_bytes);
                values::check(&parser, &limits, len, packet);
            }
        }
        if input.is_empty() {
            return;
        }
        is_text = input.byte() == 0xff;
    }
}

/// What JSON is, and what its values are, is no matter of opinion.
fn compare(text: &str, decoded: &Result<Option<Decoded<'_>>, DecodeError>) {
    // of an event or acknowledgement without attachments, in `/`
    if !text.starts_with(['2', '3']) {
        return;
    }
    let payload = text[1..].trim_start_matches(|char: char| char.is_ascii_digit());
    if !payload.starts_with('[') {
        return;
    }
    match decoded {
        Ok(Some(Decoded::Event { args, .. })) => compare_values(payload, args, 1),
        Ok(Some(Decoded::Ack { args, .. })) => compare_values(payload, args, 0),
        Err(DecodeError::InvalidJson { .. }) => {
            let theirs = serde_json::from_str::<serde_json::Value>(payload);
            assert!(theirs.is_err(), "{text:?} is JSON");
        }
        _ => {}
    }
}

fn compare_values(payload: &str, args: &RawArgs<'_>, skipped: usize) {
    let mut theirs = Deserializer::from_str(payload);
    theirs.disable_recursion_limit();
    let theirs = <Vec<serde_json::Value> as serde::Deserialize>::deserialize(&mut theirs);
    let theirs = match theirs {
        Ok(theirs) => theirs,
        // half a surrogate pair, and numbers that are too large: there we follow JavaScript
        Err(error) => {
            let message = error.to_string();
            let known = ["surrogate", "hex escape", "out of range"];
            assert!(known.iter().any(|known| message.contains(known)), "{payload:?}: {message}");
            return;
        }
    };
    let ours = args.to_values();
    assert_eq!(theirs.len(), ours.len() + skipped);
    for (theirs, ours) in theirs[skipped..].iter().zip(&ours) {
        assert!(same(theirs, ours), "{theirs:?} and {ours:?}");
    }
}

fn same(theirs: &serde_json::Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (serde_json::Value::Null, Value::Null) => true,
        (serde_json::Value::Bool(theirs), Value::Bool(ours)) => theirs == ours,
        (serde_json::Value::Number(theirs), ours) => {
            theirs.as_u64() == ours.as_u64() && theirs.as_i64() == ours.as_i64() || {
                theirs.as_f64() == ours.as_f64()
            }
        }
        (serde_json::Value::String(theirs), Value::String(ours)) => {
            theirs.as_str() == ours.as_str()
        }
        (serde_json::Value::Array(theirs), Value::Array(ours)) => {
            theirs.len() == ours.len() && theirs.iter().zip(ours.iter()).all(|(t, o)| same(t, o))
        }
        (serde_json::Value::Object(theirs), Value::Object(ours)) => {
            theirs.len() == ours.len()
                && theirs.iter().all(|(key, theirs)| ours.get(key).is_some_and(|o| same(theirs, o)))
        }
        _ => false,
    }
}
