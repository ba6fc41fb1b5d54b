//! Socket.IO: packets to typed values, and back.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use engineio_proto::HEADROOM;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use socketio_parser::{Binary, DecodeError, Decoded, Encoded, Limits, Parser, Revision};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case { name: "parser/decode/number", count: 2000, run: |n| round::<u64>(n, JSON, &7, true) },
    Case { name: "parser/decode/event", count: 1000, run: |n| round(n, JSON, &Chat::new(), true) },
    Case { name: "parser/decode/1-KiB-text", count: 500, run: |n| text(n, "x", 1024, true) },
    Case { name: "parser/decode/64-KiB-text", count: 20, run: |n| text(n, "x", 64 * 1024, true) },
    Case {
        name: "parser/decode/64-KiB-escapes",
        count: 20,
        run: |n| text(n, "0123456789\n", 64 * 1024, true),
    },
    Case { name: "parser/decode/16-arguments", count: 200, run: |n| arguments(n, true) },
    Case { name: "parser/decode/1-KiB-binary", count: 500, run: |n| binary(n, true) },
    Case { name: "parser/encode/number", count: 2000, run: |n| round::<u64>(n, JSON, &7, false) },
    Case { name: "parser/encode/event", count: 1000, run: |n| round(n, JSON, &Chat::new(), false) },
    Case { name: "parser/encode/1-KiB-text", count: 500, run: |n| text(n, "x", 1024, false) },
    Case { name: "parser/encode/64-KiB-text", count: 20, run: |n| text(n, "x", 64 * 1024, false) },
    Case {
        name: "parser/encode/64-KiB-escapes",
        count: 20,
        run: |n| text(n, "0123456789\n", 64 * 1024, false),
    },
    Case { name: "parser/encode/16-arguments", count: 200, run: |n| arguments(n, false) },
    Case { name: "parser/encode/1-KiB-binary", count: 500, run: |n| binary(n, false) },
    Case {
        name: "parser/msgpack/decode/event",
        count: 1000,
        run: |n| round(n, Parser::msgpack, &Chat::new(), true),
    },
    Case {
        name: "parser/msgpack/encode/event",
        count: 1000,
        run: |n| round(n, Parser::msgpack, &Chat::new(), false),
    },
];

const JSON: fn() -> Parser = Parser::json;

/// What a chat sends.
#[derive(Serialize, Deserialize)]
struct Chat {
    room: String,
    text: String,
    id: u64,
}

impl Chat {
    fn new() -> Self {
        Self { room: "lobby".into(), text: "hello, world".into(), id: 7 }
    }
}

fn text(n: u32, unit: &str, size: usize, decode: bool) {
    round::<String>(n, JSON, &unit.repeat(size / unit.len()), decode);
}

fn arguments(n: u32, decode: bool) {
    round::<[u64; 16]>(n, JSON, &std::array::from_fn(|at| at as u64 * 1_000), decode);
}

fn binary(n: u32, decode: bool) {
    round(n, JSON, &Binary(Bytes::from_static(&[7; 1024])), decode);
}

/// Encodes an event of these arguments again and again, or decodes it and reads them.
fn round<T: Serialize + DeserializeOwned>(n: u32, parser: fn() -> Parser, args: &T, decode: bool) {
    let (encoder, limits) = (parser().encoder(), Arc::new(Limits::default()));
    let encode = || encoder.event(HEADROOM, "/", None, "message", black_box(args));
    if !decode {
        for _ in 0..n {
            black_box(encode().is_ok());
        }
        return;
    }
    let mut decoder = parser().decoder(Revision::V5, limits);
    let (text, binary) = match encode().expect("it can be encoded") {
        Encoded::Text { buffer, start, attachments } => (buffer[start..].to_vec(), attachments),
        Encoded::Binary(bytes) => (Vec::new(), vec![bytes]),
    };
    let text = String::from_utf8(text).expect("text is UTF-8");
    for _ in 0..n {
        if !text.is_empty() {
            consume::<T>(decoder.text(black_box(&text)));
        }
        for bytes in &binary {
            consume::<T>(decoder.binary(black_box(bytes).clone()));
        }
    }
}

/// Reads the arguments, if the packet is complete.
fn consume<T: DeserializeOwned>(decoded: Result<Option<Decoded<'_>>, DecodeError>) {
    if let Some(Decoded::Event { args, .. }) = decoded.expect("a packet of our own") {
        black_box(args.deserialize::<T>().is_ok());
    }
}
