//! Arguments: how many there are, and what becomes of them.

use std::sync::Arc;

use bytes::Bytes;
use socketio_parser::{Binary, Decoded, Limits, Parser, RawArgs, Revision, Spread, Value};

/// The arguments of an event of a client.
fn received(json: &str) -> RawArgs<'static> {
    let mut decoder = Parser::json().decoder(Revision::V5, Arc::new(Limits::default()));
    match decoder.text(&format!("2[\"e\"{json}]")) {
        Ok(Some(Decoded::Event { args, .. })) => args.into_owned(),
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn how_many_there_are() {
    for (args, len) in [
        (received(""), 0),
        (received(",1"), 1),
        (received(",1,[2,3]"), 2),
        (RawArgs::from_values(Vec::new()), 0),
        (RawArgs::from_values(vec![Value::Null, Value::Null]), 2),
    ] {
        assert_eq!((args.len(), args.is_empty()), (len, len == 0), "{args:?}");
    }
}

#[test]
fn what_a_client_would_receive() {
    let values = |args: &RawArgs<'_>| args.to_values();
    let args = RawArgs::from_serialize(&(1, "x", None::<u8>)).expect("serialisable");
    assert_eq!(values(&args), [Value::Int(1), Value::from("x"), Value::Null]);
    let bytes = Binary(Bytes::from_static(b"\x01"));
    let args = RawArgs::from_serialize(&bytes).expect("serialisable");
    assert_eq!(values(&args), [Value::from(bytes)]);
    assert!(RawArgs::from_serialize(&()).expect("serialisable").is_empty());
    // arguments are arguments again, whichever form they have
    for args in [received(",1,\"x\""), RawArgs::from_values(vec![1.into(), "x".into()])] {
        let again = RawArgs::from_serialize(&args).expect("serialisable");
        assert_eq!(again.clone().into_values(), [Value::Int(1), Value::from("x")]);
        assert_eq!(again, RawArgs::from_values(args.into_values()));
    }
}

/// A list gets no more room than there are arguments, and as much as they need.
#[test]
fn all_arguments_as_a_list() {
    for len in [0_usize, 1, 2, 100] {
        let args = RawArgs::from_values((0..len).map(Value::from).collect());
        let Spread(list) = args.deserialize::<Spread<u64>>().expect("numbers");
        assert_eq!(list, (0..len as u64).collect::<Vec<_>>());
    }
}
