//! Tables for both protocols' payloads: bytes in, packets or an error out, and back.

use super::*;
use crate::outgoing::HEADROOM;
use crate::packet::{Message, PacketType};

const MAX_PACKETS: usize = 8;

/// Expects packets, written as text or as `b:` and the bytes of a binary message, then the end.
#[track_caller]
fn decode(form: Form, body: &[u8], packets: &[&str], end: Result<(), DecodeError>) {
    let mut decoder = Decoder::new(form, Bytes::copy_from_slice(body), MAX_PACKETS);
    for expected in packets {
        match decoder.next() {
            Some(Ok(packet)) => assert_eq!(show(&packet), *expected, "{}", body.escape_ascii()),
            other => panic!("{other:?} instead of {expected:?} in {}", body.escape_ascii()),
        }
    }
    let last = decoder.next().transpose().map(|packet| assert_eq!(packet, None));
    assert_eq!(last, end, "{}", body.escape_ascii());
    assert_eq!(decoder.next(), None, "nothing follows the end");
}

fn show(packet: &Packet<'_>) -> String {
    let digit = packet.kind.digit() - b'0';
    match &packet.data {
        Message::Text(text) => format!("{digit}{text}"),
        Message::Binary(bytes) => format!("b{digit}:{}", bytes.escape_ascii()),
    }
}

#[test]
fn v4_bodies() {
    let check = |body: &str, packets: &[&str], end| decode(Form::V4, body.as_bytes(), packets, end);
    check("2", &["2"], Ok(()));
    check("4a\x1e4b\x1e6", &["4a", "4b", "6"], Ok(()));
    check("4é😀\x1ebAQID\x1e3", &["4é😀", r"b4:\x01\x02\x03", "3"], Ok(()));
    check("", &[], Err(DecodeError::EmptyPayload));
    check("\x1e", &[], Err(DecodeError::EmptyPacket));
    check("\x1e\x1e\x1e", &[], Err(DecodeError::EmptyPacket));
    check("4a\x1e", &["4a"], Err(DecodeError::EmptyPacket));
    check("4a\x1e\x1e4b", &["4a"], Err(DecodeError::EmptyPacket));
    check("\x1e4a", &[], Err(DecodeError::EmptyPacket));
    check("4a\x1e7\x1e4b", &["4a"], Err(DecodeError::UnknownType(b'7'))); // nothing after it
    check("xyz", &[], Err(DecodeError::UnknownType(b'x')));
    check("\u{feff}4a", &[], Err(DecodeError::UnknownType(0xef))); // a byte order mark
    check("4a\x1eb\x1e6", &["4a", "b4:", "6"], Ok(())); // no byte at all
    check("4a\x1eb!!!!", &["4a"], Err(DecodeError::Base64));
}

#[test]
fn invalid_utf8_is_replaced() {
    decode(Form::V4, b"4\xff\xfe\x1e4b", &["4\u{fffd}\u{fffd}", "4b"], Ok(()));
    // a replacement counts as one unit, as it does for a JavaScript decoder
    decode(Form::V3Text, b"3:4\xff\xfe2:4b", &["4\u{fffd}\u{fffd}", "4b"], Ok(()));
    decode(Form::V3Binary, b"\x00\x02\xff4\xff", &[], Err(DecodeError::Utf8));
}

#[test]
fn v3_text_bodies() {
    let check =
        |body: &str, packets: &[&str], end| decode(Form::V3Text, body.as_bytes(), packets, end);
    let length = Err(DecodeError::Length);
    check("1:2", &["2"], Ok(()));
    check("6:2probe10:4::\u{e9}12:3:a2:4b", &["2probe", "4::\u{e9}12:3:a", "4b"], Ok(()));
    check("12:42[\"e\",\"😀\"]1:6", &["42[\"e\",\"😀\"]", "6"], Ok(())); // the emoji counts two
    check("24:42[\"echo\",1,\"é€😀\",null]", &["42[\"echo\",1,\"é€😀\",null]"], Ok(()));
    check("6:b4AQID2:b4", &[r"b4:\x01\x02\x03", "b4:"], Ok(()));
    check("0:", &[], Ok(()));
    check("0:0:2:4a0:", &["4a"], Ok(()));
    check("", &[], Err(DecodeError::EmptyPayload));
    check("::", &[], length);
    check(":4", &[], length);
    check("42[\"e\",1]", &[], length);
    check("garbage", &[], length);
    check("99:4x", &[], length);
    check("3:4", &[], length);
    check("2:4a99:42", &["4a"], length); // the digits fit the body, the number does not
    check("1000000000:4", &[], length);
    check("99999999999999999999999999:4", &[], length);
    check("-1:4", &[], length);
    check("+1:4", &[], length);
    check("NaN:4", &[], length);
    check("2.0:4a", &[], length);
    check("0x2:4a", &[], length);
    check("1e1:42[\"e\",123]", &[], length);
    check(" 2:4a", &[], length);
    check("9:42[\"e\",1]12", &["42[\"e\",1]"], length);
    check("2", &[], length);
    check("2:😀", &[], Err(DecodeError::UnknownType(0xf0)));
    check("2:4😀", &[], length); // ends inside the pair
    check("3:4😀", &["4😀"], Ok(()));
    check("2:4é", &["4é"], Ok(()));
    check("1:x", &[], Err(DecodeError::UnknownType(b'x')));
    check("1:7", &[], Err(DecodeError::UnknownType(b'7')));
    check("\u{feff}1:6", &[], length);
    check("\u{661}:6", &[], length); // an Arabic digit one
}

#[test]
fn v3_text_lengths_across_blocks() {
    for filler in 0..140 {
        for wide in ["é", "€", "😀", "a"] {
            let packet = format!("4{}{}", "x".repeat(filler), wide.repeat(70));
            let units = packet.encode_utf16().count();
            let body = format!("{units}:{packet}2:4z");
            decode(Form::V3Text, body.as_bytes(), &[&packet, "4z"], Ok(()));
            assert_eq!(v3_text(&[text(&packet[1..])]), format!("{units}:{packet}").as_bytes());
        }
    }
}

#[test]
fn v3_binary_bodies() {
    let check = |body: &[u8], packets: &[&str], end| decode(Form::V3Binary, body, packets, end);
    let length = Err(DecodeError::Length);
    check(b"\x00\x01\xff2", &["2"], Ok(()));
    check(b"\x00\x09\xff42[\"e\",1]", &["42[\"e\",1]"], Ok(()));
    check(
        b"\x00\x03\xff4\xc3\xa9\x01\x05\xff\x04\x01\x02\x03\xff",
        &["4é", r"b4:\x01\x02\x03\xff"],
        Ok(()),
    );
    check(b"\x00\x01\x00\xff4xxxxxxxxx", &["4xxxxxxxxx"], Ok(())); // two digits
    check(b"", &[], Err(DecodeError::EmptyPayload));
    check(b"\x00", &[], length);
    check(b"\x00\xff", &[], length);
    check(b"\x00\x09", &[], length); // no terminator
    check(b"\x00\x05\x00\xff42", &[], length); // beyond the body
    check(b"\x00\x09\xff4", &[], length);
    check(b"\x00\xfe\xff4", &[], length); // no digit
    check(b"\x00\x0a\xff4xxxxxxxxx", &[], length); // ten is no digit
    check(b"\x002:42", &[], length); // the text form
    check(&[&[0][..], &[9; 400], b"\xff4"].concat(), &[], length);
    check(&[&[0][..], &[0; 400], b"\x01\xff4"].concat(), &[], length); // zeros in front
    check(b"\x02\x01\xff4", &[], Err(DecodeError::UnknownType(2)));
    check(b"\x00\x00\xff", &[], Err(DecodeError::EmptyPacket));
    check(b"\x01\x00\xff", &[], Err(DecodeError::EmptyPacket));
    check(b"\x01\x01\xff\x04", &["b4:"], Ok(()));
    check(b"\x01\x01\xff\x09", &[], Err(DecodeError::UnknownType(9)));
    check(b"\x00\x01\xff7", &[], Err(DecodeError::UnknownType(b'7')));
    check(b"\x00\x01\xff6\x00", &["6"], length);
}

#[test]
fn too_many_packets() {
    let sixes = ["6"; MAX_PACKETS];
    let check = |form, packet: &[u8], separator: &[u8]| {
        let body = [packet; MAX_PACKETS].join(separator);
        decode(form, &body, &sixes, Ok(()));
        let body = [packet; MAX_PACKETS + 1].join(separator);
        decode(form, &body, &sixes, Err(DecodeError::TooManyPackets));
    };
    check(Form::V4, b"6", b"\x1e");
    check(Form::V3Text, b"1:6", b"");
    check(Form::V3Binary, b"\x00\x01\xff6", b"");
}

#[test]
fn a_text_body_needs_no_second_buffer() {
    let body = Bytes::from(b"4hello".to_vec());
    let address = body.as_ptr();
    let mut decoder = Decoder::new(Form::V4, body, MAX_PACKETS);
    let Some(Ok(Packet { data: Message::Text(text), .. })) = decoder.next() else { panic!() };
    assert_eq!(text.as_ptr(), address.wrapping_add(1));
}

#[test]
fn binary_packets_share_the_body() {
    let body = Bytes::from_static(b"\x01\x03\xff\x04ab");
    let mut decoder = Decoder::new(Form::V3Binary, body.clone(), MAX_PACKETS);
    let Some(Ok(Packet { data: Message::Binary(bytes), .. })) = decoder.next() else { panic!() };
    assert_eq!((&bytes[..], bytes.as_ptr()), (&b"ab"[..], body[4..].as_ptr()));
}

fn text(text: &str) -> Outgoing {
    with_attachments(text, &[])
}

fn with_attachments(text: &str, attachments: &[&'static [u8]]) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    let attachments = attachments.iter().map(|bytes| Bytes::from_static(bytes)).collect();
    Outgoing::message(buffer, HEADROOM, attachments)
}

fn v3_text(packets: &[Outgoing]) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(encode(Protocol::V3, true, packets, &mut out), ContentType::TextPlain);
    out
}

#[track_caller]
fn encoded(protocol: Protocol, b64: bool, packets: &[Outgoing], kind: ContentType, bytes: &[u8]) {
    let mut out = b"in front".to_vec();
    assert_eq!(encode(protocol, b64, packets, &mut out), kind);
    assert_eq!(out.strip_prefix(b"in front"), Some(bytes), "{}", out.escape_ascii());
}

#[test]
fn encoding() {
    use ContentType::{OctetStream, TextPlain};
    use Protocol::{V3, V4};

    let ping = [Outgoing::packet(PacketType::Ping, "")];
    encoded(V4, false, &ping, TextPlain, b"2");
    encoded(V3, false, &ping, TextPlain, b"1:2");

    let texts = [text("2[\"é€😀\"]"), Outgoing::packet(PacketType::Noop, ""), text("")];
    encoded(V4, false, &texts, TextPlain, "42[\"é€😀\"]\x1e6\x1e4".as_bytes());
    encoded(V3, false, &texts, TextPlain, "10:42[\"é€😀\"]1:61:4".as_bytes());

    let binary = [with_attachments("51-[]", &[b"\x01\x02\x03\xff", b""]), text("é")];
    encoded(V4, false, &binary, TextPlain, "451-[]\x1ebAQID/w==\x1eb\x1e4é".as_bytes());
    encoded(V4, true, &binary, TextPlain, "451-[]\x1ebAQID/w==\x1eb\x1e4é".as_bytes());
    encoded(V3, true, &binary, TextPlain, "6:451-[]10:b4AQID/w==2:b42:4é".as_bytes());
    encoded(
        V3,
        false,
        &binary,
        OctetStream,
        b"\x00\x06\xff451-[]\x01\x05\xff\x04\x01\x02\x03\xff\x01\x01\xff\x04\x00\x03\xff4\xc3\xa9",
    );
    let long = [Outgoing::binary_message(Bytes::from_static(&[7; 104]))];
    encoded(V3, false, &long, OctetStream, &[&b"\x01\x01\x00\x05\xff\x04"[..], &[7; 104]].concat());

    encoded(V4, false, &[], TextPlain, b"");
    encoded(V3, false, &[], TextPlain, b"0:");
}

#[test]
fn the_rest_of_a_payload_goes_on_in_another_decoder() {
    for (form, body, first, rest) in [
        (Form::V4, "4a\x1e4b", "a", Some("4b")),
        (Form::V4, "4a", "a", None),
        (Form::V3Text, "2:4a2:4b", "a", Some("2:4b")),
    ] {
        let decoder = Decoder::new(form, body.into(), 9);
        assert_eq!(decoder.into_rest(), Some((form, body.into())), "{body:?}");
        let mut decoder = Decoder::new(form, body.into(), 9);
        assert_eq!(decoder.next().unwrap().unwrap().data, Message::Text(first));
        assert_eq!(decoder.into_rest(), rest.map(|rest| (form, rest.into())), "{body:?}");
    }
    let mut decoder = Decoder::new(Form::V4, "".into(), 9);
    assert!(decoder.next().unwrap().is_err());
    assert_eq!(decoder.into_rest(), None);
}
