//! Texts that users read, and names that nobody may use.

use serde::Serialize;
use serde::de::{Deserialize, Error as _, IntoDeserializer};
use serde::ser::Error as _;
use socketio_parser::{
    ArgsError, DecodeError, EncodeError, One, Parser, RESERVED_EVENTS, RawArgs, Spread, Value,
    date_to_text, is_reserved_event,
};

#[test]
fn values_that_cannot_be_sent() {
    for (error, text) in [
        (EncodeError::TooDeep, "value nested too deep"),
        (EncodeError::Key, "key of a map is not text"),
        (EncodeError::TooLarge, "value too large"),
        (EncodeError::custom("no"), "no"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

/// What may quote a whole argument is cut, between two characters.
#[test]
fn long_messages() {
    for (message, expected) in [
        ("a".repeat(200), "a".repeat(200)),
        ("a".repeat(201), format!("{}...", "a".repeat(200))),
        (format!("{}é", "a".repeat(198)), format!("{}é", "a".repeat(198))),
        (format!("{}é", "a".repeat(199)), format!("{}...", "a".repeat(199))),
        (format!("{}😀a", "a".repeat(197)), format!("{}...", "a".repeat(197))),
    ] {
        assert_eq!(ArgsError::custom(&message).to_string(), expected);
        assert_eq!(EncodeError::custom(&message).to_string(), expected);
        assert_eq!(DecodeError::custom(&message).to_string(), expected);
    }
}

#[test]
fn what_was_expected() {
    let unit = || IntoDeserializer::<ArgsError>::into_deserializer(());
    let error = One::<u8>::deserialize(unit()).expect_err("it is no number");
    assert_eq!(error.to_string(), "invalid type: unit value, expected one argument");
    let error = Spread::<u8>::deserialize(unit()).expect_err("it is no list");
    assert_eq!(error.to_string(), "invalid type: unit value, expected arguments");
}

#[test]
fn names_of_the_protocol() {
    for name in RESERVED_EVENTS {
        assert!(is_reserved_event(name), "{name}");
    }
    for name in ["", "e", "error", "message", "Connect", "connecting", "newlistener"] {
        assert!(!is_reserved_event(name), "{name}");
    }
}

#[test]
fn parsers() {
    assert_eq!(format!("{:?}", Parser::json()), "Parser::json");
    assert_eq!(format!("{:?}", Parser::default()), "Parser::json");
    #[cfg(feature = "msgpack")]
    assert_eq!(format!("{:?}", Parser::msgpack()), "Parser::msgpack");
}

// ECMA-262: Date.prototype.toISOString
#[test]
fn dates() {
    const DAY: i64 = 86_400_000;
    for (days, text) in [
        (0, "1970-01-01"),
        (58, "1970-02-28"),
        (59, "1970-03-01"),
        (424, "1971-03-01"),
        (789, "1972-02-29"),
        (790, "1972-03-01"),
        (11_016, "2000-02-29"),
        (11_017, "2000-03-01"),
        (11_382, "2001-03-01"),
        (-25_509, "1900-02-28"),
        (-25_508, "1900-03-01"),
        (47_540, "2100-02-28"),
        (47_541, "2100-03-01"),
        (-1, "1969-12-31"),
    ] {
        assert_eq!(date_to_text(days * DAY), Some(format!("{text}T00:00:00.000Z")), "{days}");
    }
}

#[test]
fn errors_of_arguments_name_them() {
    #[derive(Serialize)]
    struct Point {
        x: i32,
    }
    let args = RawArgs::from_serialize(&(Point { x: 1 }, "text")).expect("serialisable");
    let error = args.deserialize::<(Value, u8)>().expect_err("a text is no number");
    assert_eq!(error.index(), Some(1));
    assert_eq!(error.to_string(), "argument 1: invalid type: string \"text\", expected u8");
    let error = args.deserialize::<(Value, String, u8)>().expect_err("there are two");
    assert_eq!((error.index(), error.to_string()), (Some(2), "argument 2: missing".to_owned()));
}
