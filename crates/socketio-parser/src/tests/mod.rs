//! Tables over the public interface: literal messages in, packets or errors out, and back.

mod args;
mod custom;
mod decode;
mod encode;
mod forms;
mod hostile;
#[cfg(feature = "serde_json")]
mod json_values;
#[cfg(feature = "msgpack")]
mod msgpack;

use std::sync::Arc;

use bytes::Bytes;

use crate::{Decoded, Decoder, Encoded, Encoder, Limits, Parser, RawArgs, Revision, Value};

#[test]
fn sendable() {
    fn check<T: Send + Sync>() {}
    check::<(Parser, Encoder, Encoded, RawArgs<'_>, Value)>();
    fn check_send<T: Send>() {}
    check_send::<(Decoder, Decoded<'_>)>();
}

fn decoder(revision: Revision) -> Decoder {
    Parser::json().decoder(revision, Arc::new(Limits::default()))
}

fn encoder() -> Encoder {
    Parser::json().encoder()
}

/// What the decoder makes of a text and the binary messages after it, in one line.
fn decode(revision: Revision, text: &str, binary: &[&[u8]]) -> String {
    let mut decoder = decoder(revision);
    let mut shown = match decoder.text(text) {
        Ok(decoded) => show(decoded),
        Err(error) => return format!("! {error}"),
    };
    for bytes in binary {
        if shown != "waiting" {
            shown.push_str(" then ");
        } else {
            shown.clear();
        }
        match decoder.binary(Bytes::copy_from_slice(bytes)) {
            Ok(decoded) => shown.push_str(&show(decoded)),
            Err(error) => return format!("{shown}! {error}"),
        }
    }
    shown
}

fn show(decoded: Option<Decoded<'_>>) -> String {
    let id = |id: Option<u64>| id.map_or(String::new(), |id| format!(" #{id}"));
    match decoded {
        None => "waiting".into(),
        Some(Decoded::Connect { nsp, query, auth }) => {
            let query = query.map_or(String::new(), |query| format!(" ?{query}"));
            format!("connect {nsp}{query}{}", auth.map_or(String::new(), |auth| json(&auth)))
        }
        Some(Decoded::Disconnect { nsp }) => format!("disconnect {nsp}"),
        Some(Decoded::Event { nsp, id: number, name, args }) => {
            format!("event {nsp}{} {name:?}{}", id(number), json(&args))
        }
        Some(Decoded::Ack { nsp, id: number, args }) => {
            format!("ack {nsp}{}{}", id(Some(number)), json(&args))
        }
        Some(Decoded::Error { nsp, data }) => {
            format!("error {nsp}{}", data.map_or(String::new(), |data| json(&data)))
        }
        Some(Decoded::Ignored) => "ignored".into(),
    }
}

/// The arguments by serde_json, which knows no attachments: bytes are arrays of numbers.
fn json(args: &RawArgs<'_>) -> String {
    let values = args.to_values();
    assert_eq!(values.len(), args.len());
    format!(" {}", serde_json::to_string(&values).expect("values are serialisable"))
}
