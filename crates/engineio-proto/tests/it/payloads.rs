//! Bodies of polling, and the scripts that some clients want instead.

use bytes::Bytes;
use engineio_proto::payload::{Decoder, Form, jsonp};
use engineio_proto::{Message, Packet};

/// A packet with wide characters that ends early in a long body.
#[test]
fn v3_text_in_front_of_a_long_packet() {
    let long = "x".repeat(200);
    for (first, units) in [("4é", 2), ("4😀é", 4), ("4€€€", 4)] {
        let body = format!("{units}:{first}201:4{long}");
        let mut decoder = Decoder::new(Form::V3Text, Bytes::from(body), 2);
        for expected in [&first[1..], &long] {
            let Some(Ok(Packet { data: Message::Text(text), .. })) = decoder.next() else {
                panic!("{first}");
            };
            assert_eq!(text, expected);
        }
        assert_eq!(decoder.next(), None);
    }
}

/// What stands in a script need not be escaped if it is no control character, quote or backslash.
#[test]
fn scripts_keep_what_they_can() {
    let mut out = Vec::new();
    jsonp::wrap("0", b" !#[]^~\x7f/'<&", &mut out);
    assert_eq!(out, b"___eio[0](\" !#[]^~\x7f/'<&\");");
}
