//! Engine.IO: the payloads of polling, and WebSocket frames.

use std::hint::black_box;

use bytes::Bytes;
use engineio_proto::payload::{self, Form};
use engineio_proto::websocket::{Decoder, Event};
use engineio_proto::{HEADROOM, Message, Outgoing, Protocol};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case { name: "payload/v3/decode/16-events", count: 500, run: |n| decode(n, Form::V3Text) },
    Case { name: "payload/v4/decode/16-events", count: 500, run: |n| decode(n, Form::V4) },
    Case {
        name: "payload/v3/decode/1-KiB-binary",
        count: 1000,
        run: |n| binary(n, Form::V3Binary),
    },
    Case { name: "payload/v4/decode/1-KiB-binary", count: 1000, run: |n| binary(n, Form::V4) },
    Case { name: "payload/v3/encode/16-events", count: 500, run: |n| encode(n, Protocol::V3) },
    Case { name: "payload/v4/encode/16-events", count: 500, run: |n| encode(n, Protocol::V4) },
    Case {
        name: "websocket/decode/16-events",
        count: 500,
        run: |n| frames(n, 1, &[EVENT.as_bytes(); 16]),
    },
    Case {
        name: "websocket/decode/64-KiB-text",
        count: 50,
        run: |n| frames(n, 1, &[&[b'x'; 64 * 1024]]),
    },
    Case {
        name: "websocket/decode/64-KiB-binary",
        count: 50,
        run: |n| frames(n, 2, &[&[0; 64 * 1024]]),
    },
];

/// An event as a chat has them.
const EVENT: &str = r#"42["message",{"room":"lobby","text":"hello, world","id":7}]"#;

fn decode(n: u32, form: Form) {
    let body = match form {
        Form::V4 => [EVENT; 16].join("\u{1e}"),
        _ => format!("{}:{EVENT}", EVENT.len()).repeat(16),
    };
    read(n, form, body.as_bytes());
}

fn binary(n: u32, form: Form) {
    let packet = message("51-[]", &[Bytes::from_static(&[7; 1024])]);
    let protocol = if form == Form::V4 { Protocol::V4 } else { Protocol::V3 };
    let mut body = Vec::new();
    payload::encode(protocol, false, &[packet], &mut body);
    read(n, form, &body);
}

fn read(n: u32, form: Form, body: &[u8]) {
    for _ in 0..n {
        // a body is the decoder's own
        let mut decoder = payload::Decoder::new(form, black_box(body.to_vec()).into(), usize::MAX);
        while let Some(packet) = decoder.next() {
            black_box(packet.is_ok_and(|packet| !matches!(packet.data, Message::Text(""))));
        }
    }
}

fn encode(n: u32, protocol: Protocol) {
    let packets: Vec<Outgoing> = (0..16).map(|_| message(&EVENT[1..], &[])).collect();
    for _ in 0..n {
        let mut out = Vec::new();
        black_box(payload::encode(protocol, false, black_box(&packets), &mut out));
        black_box(out);
    }
}

fn message(text: &str, attachments: &[Bytes]) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    Outgoing::message(buffer, HEADROOM, attachments.to_vec())
}

/// Frames that arrive in one buffer. It is filled anew each time, because it is unmasked in place.
fn frames(n: u32, opcode: u8, payloads: &[&[u8]]) {
    let frame =
        |payload: &&[u8]| socketio_testkit::frame(true, opcode, Some([1, 2, 3, 4]), payload);
    let frames: Vec<u8> = payloads.iter().flat_map(frame).collect();
    let mut buffer = frames.clone();
    let mut decoder = Decoder::new(1_000_000, 1_000);
    for _ in 0..n {
        buffer.copy_from_slice(black_box(&frames));
        let mut events = decoder.feed(&mut buffer);
        while let Ok(Some(event)) = events.next() {
            black_box(matches!(event, Event::Text(_) | Event::Binary(_)));
        }
    }
}
