//! permessage-deflate: what clients send under a limit, and what servers send, there and back.

use engineio_proto::websocket::Decoder;
use engineio_proto::websocket::deflate::{Deflater, Deflation, WindowBits};
use engineio_proto::websocket::extensions::{Agreement, Takeover};
use engineio_proto::{HEADROOM, Outgoing, Protocol};

use super::websocket::{Plain, read};
use crate::input::Input;
use crate::meter::Meter;
use crate::wire::{frame, mask};

/// A byte of flags. Then either frames as they are, or messages whose content is compressed data
/// (each behind a byte of length and one that says how it is sent), or packets of a server.
pub fn deflate(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let takeover = flags & 1 != 0;
    let limit = [100_000, 1000, 10, 0][usize::from(flags >> 1 & 3)];
    match flags >> 3 & 3 {
        0 => received(input.0, takeover, limit),
        1 | 2 => {
            let mut frames = Vec::new();
            while !input.is_empty() {
                let (len, how) = (usize::from(input.byte()), input.byte());
                message(input.take(len), how, &mut frames);
            }
            received(&frames, takeover, limit);
        }
        _ => sent(input, takeover),
    }
}

/// A compressed message, in one frame or in two.
fn message(payload: &[u8], how: u8, frames: &mut Vec<u8>) {
    let kind = 1 + (how & 1);
    // with the flush that was to be cut off, with the end of a stream, or as it is
    let tail: &[u8] = match how >> 1 & 3 {
        0 | 1 => &[],
        2 => &[0, 0, 0xff, 0xff],
        _ => &[3, 0],
    };
    let payload = [payload, tail].concat();
    if how & 8 == 0 {
        frame(0xc0 | kind, &payload, frames);
    } else {
        let (front, back) = payload.split_at(payload.len() / 2);
        frame(0x40 | kind, front, frames);
        frame(0x80, back, frames);
    }
}

fn decoder(takeover: bool, limit: usize) -> Decoder {
    let willing = Takeover { server: false, client: takeover };
    let agreement = Agreement::choose("permessage-deflate", willing).expect("an offer that fits");
    Decoder::new(limit, 16).with_deflate(&agreement)
}

fn received(frames: &[u8], takeover: bool, limit: usize) {
    let mut bytes = frames.to_vec();
    let mut decoder_of_all = decoder(takeover, limit);
    let meter = Meter::start();
    let mut messages = decoder_of_all.feed(&mut bytes);
    let mut count = 0;
    while let Ok(Some(_)) = messages.next() {
        count += 1;
    }
    // Three buffers of the limit's size may be there while one grows, and a window. In all it is
    // that many for each message, which the factor of the meter does not cover.
    if count <= 1 {
        meter.check(frames.len(), 2, 3 * limit + 64 * 1024);
    }

    let outcome = read(&mut decoder(takeover, limit), &mut bytes_again(frames));
    for event in &outcome.0 {
        let (Plain::Text(_) | Plain::Binary(_)) = event else { continue };
        let len = match event {
            Plain::Text(text) => text.len(),
            Plain::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        assert!(len <= limit, "{len} bytes, and the limit is {limit}");
    }
    // the same in pieces
    let mut cut = decoder(takeover, limit);
    let (mut events, mut failed) = (Vec::new(), None);
    for piece in frames.chunks(7) {
        let (more, code) = read(&mut cut, &mut piece.to_vec());
        events.extend(more);
        failed = failed.or(code);
    }
    assert_eq!((events, failed), outcome);
    // a server that is about to close looks at nothing
    let mut closing = decoder(takeover, limit);
    closing.skip_messages();
    let meter = Meter::start();
    let mut bytes = bytes_again(frames);
    let mut messages = closing.feed(&mut bytes);
    while let Ok(Some(_)) = messages.next() {}
    meter.check(frames.len(), 4, 4096);
}

fn bytes_again(frames: &[u8]) -> Vec<u8> {
    frames.to_vec()
}

/// A byte of flags, then packets: each a byte of length, text up to a zero, an attachment.
fn sent(mut input: Input<'_>, takeover: bool) {
    let flags = input.byte();
    let protocol = if flags & 1 == 0 { Protocol::V4 } else { Protocol::V3 };
    let deflation =
        Deflation { threshold: usize::from(flags >> 1 & 7) * 8, level: 1 + (flags >> 4) % 9 };
    let window = WindowBits::new(9 + flags % 7).expect("9 to 15");
    let mut context = Deflater::new(deflation.level, WindowBits::default());
    let (mut frames, mut expected) = (Vec::new(), Vec::new());
    while !input.is_empty() {
        let len = usize::from(input.byte());
        let mut packet = Input(input.take(len));
        let text =
            String::from_utf8_lossy(packet.until(0)).repeat(1 + usize::from(flags >> 7) * 50);
        let mut buffer = vec![0; HEADROOM];
        buffer.extend_from_slice(text.as_bytes());
        let attachment = packet.0.to_vec();
        let outgoing = Outgoing::message(buffer, HEADROOM, vec![attachment.clone().into()]);
        let before = frames.len();
        match outgoing.deflated(protocol, deflation, window) {
            _ if takeover => {
                let own = outgoing.deflated_in(&mut context, protocol, deflation.threshold);
                assert_eq!(own.size(), outgoing.size());
                own.write_frames(protocol, false, &mut frames);
                assert_eq!(own.frames_len(protocol, false), frames.len() - before);
            }
            None => outgoing.write_frames(protocol, false, &mut frames),
            Some(deflated) => {
                let plain = Outgoing::message(
                    [&[0; HEADROOM], text.as_bytes()].concat(),
                    HEADROOM,
                    Vec::new(),
                );
                match deflated.frame(0) {
                    Some(frame) => frames.extend_from_slice(frame),
                    None => plain.write_frames(protocol, false, &mut frames),
                }
                match deflated.frame(1) {
                    Some(frame) => frames.extend_from_slice(frame),
                    None => Outgoing::binary_message(attachment.clone().into()).write_frames(
                        protocol,
                        false,
                        &mut frames,
                    ),
                }
                assert_eq!(deflated.len(), frames.len() - before);
            }
        }
        expected.push(Plain::Text(format!("4{text}")));
        let kind: &[u8] = if protocol == Protocol::V3 { &[4] } else { &[] };
        expected.push(Plain::Binary([kind, &attachment].concat()));
    }
    // what one side sends the other could have sent
    let outcome = read(&mut decoder(takeover, 1_000_000), &mut mask(&frames));
    assert_eq!(outcome, (expected, None));
}
