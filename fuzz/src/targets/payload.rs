//! Polling payloads of all three forms, against a naive decoder, and there and back.

use bytes::Bytes;
use engineio_proto::payload::{ContentType, Decoder, Form, encode};
use engineio_proto::{Message, Outgoing, Packet, PacketType, Protocol};

use crate::input::Input;
use crate::meter::Meter;

/// A byte says which form, the next how many packets there may be; the rest is the body.
pub fn payload(input: &[u8]) {
    let mut input = Input(input);
    let form = [Form::V4, Form::V3Text, Form::V3Binary][usize::from(input.byte() % 3)];
    let max_packets = match input.byte() {
        0 => usize::MAX,
        max => usize::from(max),
    };
    let body = Bytes::copy_from_slice(input.0);

    let meter = Meter::start();
    let mut decoder = Decoder::new(form, body.clone(), max_packets);
    let mut steps = 0;
    while let Some(packet) = decoder.next() {
        drop(packet);
        steps += 1;
    }
    assert!(steps <= body.len() + 1, "more packets than bytes, and an error");
    assert!(decoder.next().is_none(), "the end is the end");
    // a byte that is no text becomes three, in a text that has grown; base64 in lines is copied
    meter.check(body.len(), 12, 256);

    let mut decoder = Decoder::new(form, body.clone(), max_packets);
    let (mut packets, mut failed) = (Vec::new(), false);
    while let Some(packet) = decoder.next() {
        match packet {
            Ok(Packet { kind, data: Message::Text(text) }) => packets.push(Plain::text(kind, text)),
            Ok(Packet { kind, data: Message::Binary(bytes) }) => {
                packets.push(Plain { kind, data: Err(bytes.to_vec()) });
            }
            Err(_) => failed = true,
        }
    }
    let (expected, fails) = naive(form, &body, max_packets);
    assert_eq!((&packets, failed), (&expected, fails));

    for protocol in [Protocol::V3, Protocol::V4] {
        for b64 in [false, true] {
            there_and_back(protocol, b64, &packets);
        }
    }
}

/// A packet that borrows nothing: its data is text or bytes.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    kind: PacketType,
    data: Result<String, Vec<u8>>,
}

impl Plain {
    fn text(kind: PacketType, text: &str) -> Self {
        Self { kind, data: Ok(text.to_owned()) }
    }

    fn read(protocol: Protocol, text: &str) -> Option<Self> {
        let packet = Packet::from_text(protocol, text).ok()?;
        Some(match packet.data {
            Message::Text(text) => Self::text(packet.kind, text),
            Message::Binary(bytes) => Self { kind: packet.kind, data: Err(bytes.to_vec()) },
        })
    }
}

/// The packets in front of the first error, and whether there is one.
fn naive(form: Form, body: &[u8], max_packets: usize) -> (Vec<Plain>, bool) {
    let text = String::from_utf8_lossy(body);
    let (mut packets, mut fails) = match form {
        _ if body.is_empty() => (Vec::new(), true),
        Form::V4 => {
            let mut read = text.split('\u{1e}').map(|text| Plain::read(Protocol::V4, text));
            let packets = read.by_ref().map_while(|packet| packet).collect();
            (packets, !text.split('\u{1e}').all(|text| Plain::read(Protocol::V4, text).is_some()))
        }
        Form::V3Text => {
            let units: Vec<u16> = text.encode_utf16().collect();
            let (mut packets, mut at, mut bytes_left) = (Vec::new(), 0, text.len());
            while at < units.len() {
                let rest = &units[at..];
                let Some((len, head)) = length(rest, bytes_left, u16::from(b'0'), u16::from(b':'))
                else {
                    return end(packets, true, max_packets);
                };
                let packet = rest.get(head..head.saturating_add(len));
                // a cut through a pair is no text
                let Some(packet) = packet.and_then(|units| String::from_utf16(units).ok()) else {
                    return end(packets, true, max_packets);
                };
                at += head + len;
                bytes_left -= head + packet.len();
                if packet.is_empty() {
                    continue;
                }
                match Plain::read(Protocol::V3, &packet) {
                    Some(packet) => packets.push(packet),
                    None => return end(packets, true, max_packets),
                }
            }
            (packets, false)
        }
        Form::V3Binary => {
            let (mut packets, mut rest) = (Vec::new(), body);
            while let Some((&kind, behind)) = rest.split_first() {
                let found = length(behind, behind.len(), 0, 255).and_then(|(len, head)| {
                    let packet = behind.get(head..head.checked_add(len)?)?;
                    let read = match (kind, packet) {
                        (0, packet) => {
                            Plain::read(Protocol::V3, std::str::from_utf8(packet).ok()?)?
                        }
                        (1, [kind, bytes @ ..]) => Plain {
                            kind: PacketType::from_number(*kind)?,
                            data: Err(bytes.to_vec()),
                        },
                        _ => return None,
                    };
                    Some((read, head + len))
                });
                let Some((packet, len)) = found else { return end(packets, true, max_packets) };
                packets.push(packet);
                rest = &behind[len..];
            }
            (packets, false)
        }
    };
    if packets.len() > max_packets {
        packets.truncate(max_packets);
        fails = true;
    }
    (packets, fails)
}

/// The same with the limit on packets.
fn end(mut packets: Vec<Plain>, fails: bool, max_packets: usize) -> (Vec<Plain>, bool) {
    packets.truncate(max_packets);
    (packets, fails)
}

/// A length, and how many places it takes with its terminator. It has no more digits than the
/// number of bytes that are left.
fn length<T: Copy + PartialEq + Into<u64>>(
    units: &[T],
    bytes_left: usize,
    zero: T,
    terminator: T,
) -> Option<(usize, usize)> {
    let head = units.iter().position(|&unit| unit == terminator)?;
    if head == 0 || head > bytes_left.to_string().len() {
        return None;
    }
    let mut len = 0_usize;
    for &unit in &units[..head] {
        let digit = unit.into().checked_sub(zero.into()).filter(|&digit| digit <= 9)?;
        len = len.checked_mul(10)?.checked_add(digit as usize)?;
    }
    Some((len, head + 1))
}

/// What a server would send comes back, packet by packet.
fn there_and_back(protocol: Protocol, b64: bool, packets: &[Plain]) {
    let mut expected = Vec::new();
    let mut outgoing = Vec::new();
    for packet in packets {
        match &packet.data {
            // such a text would be two packets
            Ok(text) if protocol == Protocol::V4 && text.contains('\u{1e}') => continue,
            Ok(text) => outgoing.push(Outgoing::packet(packet.kind, text)),
            Err(bytes) if packet.kind == PacketType::Message && !bytes.is_empty() => {
                outgoing.push(Outgoing::binary_message(bytes.clone().into()));
            }
            Err(_) => continue,
        }
        expected.push(packet.clone());
    }
    if outgoing.is_empty() {
        return;
    }
    let mut body = Vec::new();
    let content = encode(protocol, b64, &outgoing, &mut body);
    let form = match (protocol, content) {
        (Protocol::V4, ContentType::TextPlain) => Form::V4,
        (Protocol::V3, ContentType::TextPlain) => Form::V3Text,
        (Protocol::V3, ContentType::OctetStream) if !b64 => Form::V3Binary,
        other => panic!("{other:?}"),
    };
    assert_eq!(naive(form, &body, usize::MAX), (expected, false));
}
