//! WebSocket frames of a client, against a naive decoder, however they are cut.

use engineio_proto::Violation;
use engineio_proto::websocket::{Decoder, Event, close};

use crate::input::Input;
use crate::meter::Meter;

/// Bytes that say the limits and where to cut, then what a client sends.
pub fn websocket(input: &[u8]) {
    let mut input = Input(input);
    let max_message = [1_000_000, 200, 16, 0][usize::from(input.byte() % 4)];
    let max_frames = [16_384, 3, 1, 0][usize::from(input.byte() % 4)];
    let piece = usize::from(input.byte()).max(1);
    let bytes = input.0;

    // the limits stand in for those of a server, which are below what a test can send
    let mut whole = bytes.to_vec();
    let meter = Meter::start();
    let mut decoder = Decoder::new(max_message, max_frames);
    let mut messages = decoder.feed(&mut whole);
    while let Ok(Some(_)) = messages.next() {}
    meter.check(bytes.len(), 2, 4096);

    let mut decoder = Decoder::new(max_message, max_frames);
    let outcome = read(&mut decoder, &mut bytes.to_vec());
    assert_eq!(outcome, naive(bytes, max_message, max_frames));
    for piece in [piece, 1] {
        let mut decoder = Decoder::new(max_message, max_frames);
        let (mut events, mut failed) = (Vec::new(), None);
        for piece in bytes.chunks(piece) {
            let (more, violation) = read(&mut decoder, &mut piece.to_vec());
            assert!(failed.is_none() || (more.is_empty() && violation.is_none()));
            events.extend(more);
            failed = failed.or(violation);
        }
        assert_eq!((events, failed), outcome, "in pieces of {piece}");
    }
}

/// What a decoder finds: an event in plain form each, and the code of what broke a rule.
pub(super) type Outcome = (Vec<Plain>, Option<u16>);

/// An event that borrows nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<(u16, String)>),
}

/// Feeds bytes and collects what is found.
pub(super) fn read(decoder: &mut Decoder, bytes: &mut [u8]) -> Outcome {
    let mut messages = decoder.feed(bytes);
    let mut events = Vec::new();
    loop {
        events.push(match messages.next() {
            Ok(None) => return (events, None),
            Err(violation) => {
                assert!(violation.message().len() <= 123);
                assert!(matches!(messages.next(), Ok(None)), "nothing follows a violation");
                return (events, Some(violation.code()));
            }
            Ok(Some(Event::Text(text))) => Plain::Text(text.to_owned()),
            Ok(Some(Event::Binary(bytes))) => Plain::Binary(bytes.to_vec()),
            Ok(Some(Event::Ping(bytes))) => Plain::Ping(bytes.to_vec()),
            Ok(Some(Event::Pong)) => Plain::Pong,
            Ok(Some(Event::Close(reason))) => {
                Plain::Close(reason.map(|(code, reason)| (code, reason.to_owned())))
            }
        });
    }
}

/// A decoder that has all bytes at hand: RFC 6455, without extensions.
fn naive(mut bytes: &[u8], max_message: usize, max_frames: usize) -> Outcome {
    let mut events = Vec::new();
    // opcode and payload of the message that has begun, and its frames
    let mut message: Option<(u8, Vec<u8>, usize)> = None;
    let mut announced = 0_usize;
    let failed = loop {
        let [first, second, rest @ ..] = bytes else { break None };
        let (fin, opcode, short) = (first & 0x80 != 0, first & 0x0f, second & 0x7f);
        let is_control = opcode >= 8;
        let broken = !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10)
            || first & 0x70 != 0
            || second & 0x80 == 0
            || is_control && (!fin || short > 125);
        if broken {
            break Some(1002);
        }
        let width = [0, 2, 8][usize::from(short.saturating_sub(125))];
        let Some(len) = rest.get(..width) else { break None };
        let len = match width {
            0 => u64::from(short),
            _ => len.iter().fold(0, |len, &byte| len << 8 | u64::from(byte)),
        };
        if len > u64::MAX / 2 {
            break Some(1002);
        }
        let rest = &rest[width..];
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { break None };
        let len = len as usize;
        if !is_control {
            if message.is_some() != (opcode == 0) {
                break Some(1002);
            }
            announced = if opcode == 0 { announced.saturating_add(len) } else { len };
            if announced > max_message {
                break Some(1009);
            }
            let frames = message.as_ref().map_or(0, |(_, _, frames)| *frames);
            if frames >= max_frames {
                break Some(1008);
            }
        }
        let payload: Vec<u8> =
            rest.iter().take(len).enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
        let complete = rest.len() >= len;
        if is_control {
            if !complete {
                break None;
            }
            match opcode {
                9 => events.push(Plain::Ping(payload)),
                10 => events.push(Plain::Pong),
                _ => match closed(&payload) {
                    Ok(reason) => {
                        events.push(Plain::Close(reason));
                        break None;
                    }
                    Err(violation) => break Some(violation.code()),
                },
            }
        } else {
            let (kind, all, frames) = message.get_or_insert((opcode, Vec::new(), 0));
            all.extend(payload);
            *frames += 1;
            if *kind == 1 {
                // an error as soon as it cannot become text any more
                if std::str::from_utf8(all).is_err_and(|error| error.error_len().is_some()) {
                    break Some(1007);
                }
            }
            if complete && fin {
                let (kind, all, _) = message.take().expect("it was just put there");
                events.push(match (kind, String::from_utf8(all)) {
                    (1, Ok(text)) => Plain::Text(text),
                    (1, Err(_)) => break Some(1007),
                    (_, all) => Plain::Binary(
                        all.map_or_else(|error| error.into_bytes(), String::into_bytes),
                    ),
                });
            }
        }
        if !complete {
            break None;
        }
        bytes = &rest[len..];
    };
    (events, failed)
}

fn closed(payload: &[u8]) -> Result<Option<(u16, String)>, Violation> {
    let [high, low, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::protocol("half a code")) };
    };
    let code = u16::from_be_bytes([*high, *low]);
    if !close::is_valid(code) {
        return Err(Violation::protocol("no such code"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::data("no text"))?;
    Ok(Some((code, reason.to_owned())))
}
