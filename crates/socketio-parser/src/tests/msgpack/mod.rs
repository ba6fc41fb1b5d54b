//! The packets of the npm package socket.io-msgpack-parser, byte by byte.

mod hostile;
mod packets;
mod sent;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::show;
use crate::{Decoded, Decoder, Encoder, Limits, Parser, RawArgs, Revision, Value};

fn decoder(revision: Revision) -> Decoder {
    Parser::msgpack().decoder(revision, Arc::new(Limits::default()))
}

fn encoder() -> Encoder {
    Parser::msgpack().encoder()
}

/// Bytes from hexadecimal digits and, between bars, ASCII: `82 a4|type|02`.
fn bytes(notation: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, part) in notation.split('|').enumerate() {
        if number % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(|byte| *byte != b' ').collect();
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            bytes.push(u8::from_str_radix(pair, 16).expect("hexadecimal"));
        }
    }
    bytes
}

fn decode(revision: Revision, message: &[u8]) -> String {
    match decoder(revision).binary(Bytes::copy_from_slice(message)) {
        Ok(decoded) => show(decoded),
        Err(error) => format!("! {error}"),
    }
}

#[track_caller]
fn v5(notation: &str, expected: &str) {
    assert_eq!(decode(Revision::V5, &bytes(notation)), expected, "protocol 5, {notation}");
}

#[track_caller]
fn v4(notation: &str, expected: &str) {
    assert_eq!(decode(Revision::V4, &bytes(notation)), expected, "protocol 4, {notation}");
}

#[track_caller]
fn check(notation: &str, expected: &str) {
    v4(notation, expected);
    v5(notation, expected);
}

/// Protocol 4 ignores what protocol 5 refuses.
#[track_caller]
fn lenient(notation: &str, error: &str) {
    v4(notation, "ignored");
    v5(notation, error);
}

#[track_caller]
fn text(revision: Revision, message: &str, expected: &str) {
    let shown = match decoder(revision).text(message) {
        Ok(decoded) => show(decoded),
        Err(error) => format!("! {error}"),
    };
    assert_eq!(shown, expected, "{message}");
}

/// An event `e` in `/` with one argument.
fn event(argument: &[u8]) -> Vec<u8> {
    [&bytes("83 a4|type|02 a4|data|92 a1|e|"), argument, &bytes("a3|nsp|a1|/|")].concat()
}

/// The argument of an event.
fn argument(notation: &str) -> RawArgs<'static> {
    let message = event(&bytes(notation));
    match decoder(Revision::V5).binary(message.into()) {
        Ok(Some(Decoded::Event { args, .. })) => args.into_owned(),
        other => panic!("{notation}: {other:?}"),
    }
}

#[track_caller]
fn value(notation: &str, expected: impl Into<Value>) {
    let (args, expected) = (argument(notation), [expected.into()]);
    assert_eq!(args.to_values(), expected, "{notation}");
    assert_eq!(args.deserialize::<[Value; 1]>(), Ok(expected), "{notation}");
}

#[track_caller]
fn refused(notation: &str, error: &str) {
    let shown = decode(Revision::V5, &event(&bytes(notation)));
    assert!(shown.starts_with(error), "{notation}: {shown}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(u32),
    Line(u8, u8),
    Rect { w: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}
