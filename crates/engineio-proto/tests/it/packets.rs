//! Packets, and the words of the handshake.

use bytes::Bytes;
use engineio_proto::payload::ContentType;
use engineio_proto::{Message, PacketType, Protocol, TransportKind};

#[test]
fn types_and_their_digits() {
    let types = [
        PacketType::Open,
        PacketType::Close,
        PacketType::Ping,
        PacketType::Pong,
        PacketType::Message,
        PacketType::Upgrade,
        PacketType::Noop,
    ];
    for (number, kind) in (0..).zip(types) {
        assert_eq!(kind.digit(), b'0' + number);
        assert_eq!(PacketType::from_digit(b'0' + number), Some(kind));
        assert_eq!(PacketType::from_number(number), Some(kind));
    }
    for number in 7..=u8::MAX {
        assert_eq!(PacketType::from_number(number), None);
        assert_eq!(PacketType::from_digit(number.wrapping_add(b'0')), None);
    }
}

#[test]
fn words_of_the_handshake() {
    assert_eq!([Protocol::V3, Protocol::V4].map(Protocol::number), [3, 4]);
    assert_eq!(
        [TransportKind::Polling, TransportKind::WebSocket].map(TransportKind::as_str),
        ["polling", "websocket"],
    );
    assert_eq!(
        [ContentType::TextPlain, ContentType::OctetStream].map(ContentType::as_str),
        ["text/plain; charset=UTF-8", "application/octet-stream"],
    );
}

#[test]
fn lengths_of_messages() {
    for (message, len) in [
        (Message::Text(""), 0),
        (Message::Text("é"), 2), // bytes, not characters
        (Message::Text("abc"), 3),
        (Message::Binary(Bytes::new()), 0),
        (Message::Binary(Bytes::from_static(&[0, 1, 2, 3])), 4),
    ] {
        assert_eq!((message.len(), message.is_empty()), (len, len == 0), "{message:?}");
    }
}
