//! What a packet on its way says of itself.

use bytes::Bytes;
use engineio_proto::websocket::deflate::{Deflation, WindowBits};
use engineio_proto::{HEADROOM, Outgoing, OverflowPolicy, PacketType, Part, Protocol};

fn message(text: &str, attachments: &[&'static [u8]]) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    let attachments = attachments.iter().map(|bytes| Bytes::from_static(bytes)).collect();
    Outgoing::message(buffer, HEADROOM, attachments)
}

#[test]
fn flags() {
    let plain = message("2[\"e\"]", &[]);
    assert!(!plain.is_droppable());
    assert_eq!(plain.policy(), None);
    assert!(plain.wants_compression());

    assert!(message("2[\"e\"]", &[]).droppable(true).is_droppable());
    assert!(!message("2[\"e\"]", &[]).droppable(true).droppable(false).is_droppable());
    assert!(!message("2[\"e\"]", &[]).compress(false).wants_compression());
    for policy in
        [OverflowPolicy::Disconnect, OverflowPolicy::DropNewest, OverflowPolicy::DropOldest]
    {
        assert_eq!(message("2[\"e\"]", &[]).when_full(Some(policy)).policy(), Some(policy));
    }
}

#[test]
fn kinds() {
    assert!(Outgoing::control_frame(b"\x89\x00".to_vec()).is_control_frame());
    for packet in [
        message("2[\"e\"]", &[]),
        Outgoing::binary_message(Bytes::from_static(b"x")),
        Outgoing::packet(PacketType::Ping, ""),
    ] {
        assert!(!packet.is_control_frame());
    }
}

#[test]
fn parts() {
    let packet = message("51-[]", &[b"\x01\x02", b""]);
    let parts: Vec<_> = packet.parts().collect();
    let [Part::Text(text), Part::Binary(first), Part::Binary(second)] = parts[..] else {
        panic!("{parts:?}");
    };
    assert_eq!((text, first, second), (&b"451-[]"[..], &b"\x01\x02"[..], &b""[..]));
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [6, 2, 0]);
}

#[test]
#[should_panic(expected = "no room for the frame header")]
fn a_text_without_headroom() {
    let _ = Outgoing::message(vec![0; HEADROOM + 5], HEADROOM - 1, Vec::new());
}

/// A binary message has another form in each protocol, compressed as well.
#[test]
fn compressed_forms_of_binary() {
    let packet = Outgoing::binary_message(Bytes::from_static(&[7; 500]));
    let deflation = Deflation { threshold: 100, level: 6 };
    let forms = [Protocol::V3, Protocol::V4].map(|protocol| {
        let form = packet.deflated(protocol, deflation, WindowBits::MAX).expect("it gets smaller");
        form.ready_frame().expect("it is one frame").to_vec()
    });
    assert_ne!(forms[0], forms[1], "protocol 3 has a byte 4 in front");
}
