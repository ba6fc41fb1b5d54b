//! Engine.IO packets, text and binary, of both protocols; there and back, also behind their lengths.

use bytes::Bytes;
use engineio_proto::webtransport::Decoder;
use engineio_proto::{DecodeError, Message, Outgoing, Packet, PacketType, Part, Protocol};

use crate::input::Input;
use crate::meter::Meter;
use crate::wire::unframe;

/// A byte says which protocol and which form, the rest is the packet, or a stream of them.
pub fn packets(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let protocol = if flags & 1 == 0 { Protocol::V4 } else { Protocol::V3 };
    let bytes = input.0;
    if flags & 4 != 0 {
        return stream(usize::from(flags >> 3) + 1, bytes);
    }
    if flags & 2 == 0 {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let meter = Meter::start();
        let packet = Packet::from_text(protocol, text);
        // base64 in lines is copied before it is read
        meter.check(text.len(), 2, 64);
        let Ok(packet) = packet else { return };
        if let Message::Text(data) = packet.data {
            assert_eq!(text[1..], *data);
        }
        there_and_back(protocol, &packet);
    } else {
        let shared = Bytes::copy_from_slice(bytes);
        let meter = Meter::start();
        let packet = Packet::from_binary(protocol, shared.clone());
        meter.check(bytes.len(), 0, 64);
        match (protocol, packet) {
            (Protocol::V4, packet) => {
                let data = Message::Binary(shared);
                assert_eq!(packet, Ok(Packet { kind: PacketType::Message, data }));
            }
            (Protocol::V3, Ok(packet)) => there_and_back(protocol, &packet),
            (Protocol::V3, Err(_)) => assert!(bytes.first().is_none_or(|&first| first > 6)),
        }
    }
}

/// A stream says the same in one piece and in many, and keeps no more than it was given.
fn stream(piece: usize, bytes: &[u8]) {
    let whole = take_all(&[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
    assert_eq!(take_all(&pieces), whole);
}

/// The packets of a stream, and what it ends with.
fn take_all(pieces: &[&[u8]]) -> (Vec<(PacketType, Vec<u8>)>, Option<DecodeError>) {
    let mut decoder = Decoder::new(MAX_PAYLOAD);
    let (mut packets, mut fed) = (Vec::new(), 0);
    for piece in pieces {
        let mut found = decoder.feed(piece);
        loop {
            match found.next() {
                Ok(None) => break,
                Ok(Some(Packet { kind, data: Message::Text(text) })) => {
                    packets.push((kind, text.as_bytes().to_vec()));
                }
                Ok(Some(Packet { kind, data: Message::Binary(bytes) })) => {
                    packets.push((kind, bytes.to_vec()));
                }
                Err(error) => return (packets, Some(error)),
            }
        }
        fed += piece.len();
        assert!(decoder.kept_bytes() <= 2 * fed.min(MAX_PAYLOAD) + 128);
    }
    (packets, None)
}

const MAX_PAYLOAD: usize = 1000;

/// What is sent as it came is read as it was.
fn there_and_back(protocol: Protocol, packet: &Packet<'_>) {
    let outgoing = match &packet.data {
        Message::Text(text) => Outgoing::packet(packet.kind, text),
        Message::Binary(bytes) if packet.kind == PacketType::Message => {
            Outgoing::binary_message(bytes.clone())
        }
        // a server sends no other binary packet
        Message::Binary(_) => return,
    };
    for base64 in [false, true] {
        let mut frames = Vec::new();
        outgoing.write_frames(protocol, base64, &mut frames);
        assert_eq!(outgoing.frames_len(protocol, base64), frames.len());
        if let Some(ready) = outgoing.ready_frame() {
            assert_eq!(ready, frames);
        }
        let frames = unframe(&frames);
        let [(first, payload)] = frames[..] else { panic!("{} frames", frames.len()) };
        let again = match first {
            0x81 => Packet::from_text(protocol, std::str::from_utf8(payload).unwrap()),
            0x82 => Packet::from_binary(protocol, Bytes::copy_from_slice(payload)),
            first => panic!("a frame that begins with {first:#x}"),
        };
        // protocol 4 has no word for an empty binary message in text
        let unheard = base64 && protocol == Protocol::V4 && payload == b"b";
        assert!(unheard || again.as_ref() == Ok(packet), "{packet:?} came back as {again:?}");
    }
    if protocol == Protocol::V4 {
        let mut bytes = Vec::new();
        outgoing.write_prefixed(&mut bytes);
        assert_eq!(outgoing.prefixed_len(), bytes.len());
        if let Some(ready) = outgoing.ready_prefixed() {
            assert_eq!(ready, bytes);
        }
        let mut decoder = Decoder::new(usize::MAX);
        let mut found = decoder.feed(&bytes);
        assert_eq!(found.next().as_ref(), Ok(&Some(packet.clone())));
        assert_eq!(found.next(), Ok(None));
        assert!(found.rest().is_empty());
    }
    let sizes: Vec<usize> = outgoing.parts().map(Part::len).collect();
    assert_eq!(sizes, [outgoing.size()]);
}
