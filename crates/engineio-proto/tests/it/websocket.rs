//! What a peer that breaks the rules reads in the close frame.

use engineio_proto::Violation;
use engineio_proto::websocket::extensions::{Agreement, Takeover};
use engineio_proto::websocket::handshake::Error;
use engineio_proto::websocket::{Decoder, Event};

fn plain() -> Decoder {
    Decoder::new(100, 2)
}

fn inflating() -> Decoder {
    let willing = Takeover { server: false, client: false };
    plain().with_deflate(&Agreement::choose("permessage-deflate", willing).expect("an offer"))
}

#[track_caller]
fn refuses(mut decoder: Decoder, input: &[u8], expected: Violation) {
    let mut input = input.to_vec();
    let mut messages = decoder.feed(&mut input);
    let violation = loop {
        match messages.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("nothing is wrong"),
            Err(violation) => break violation,
        }
    };
    assert_eq!(violation, expected);
}

#[test]
fn reasons_of_the_decoder() {
    let protocol = Violation::protocol;
    for (input, expected) in [
        (&b"\x83\x80\0\0\0\0"[..], protocol("unknown opcode")),
        (b"\xc1\x80\0\0\0\0", protocol("reserved bit without an extension")),
        (b"\x81\x00", protocol("frame without a mask")),
        (b"\x09\x80\0\0\0\0", protocol("fragmented control frame")),
        (b"\x89\xfe\x00\x7e\0\0\0\0", protocol("control frame too long")),
        (b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", protocol("length with its highest bit set")),
        (b"\x80\x80\0\0\0\0", protocol("continuation of no message")),
        (b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", protocol("message inside a fragmented message")),
        (b"\x88\x81\0\0\0\0\x03", protocol("close frame with half a code")),
        (b"\x88\x82\0\0\0\0\x03\xe7", protocol("invalid close code")),
        (b"\x88\x83\0\0\0\0\x03\xe8\xff", Violation::data("close reason is not UTF-8")),
        (b"\x82\xe5\0\0\0\0", Violation::size("message too large")),
        (
            b"\x01\x80\0\0\0\0\x00\x80\0\0\0\0\x00\x80\0\0\0\0",
            Violation::policy("too many frames in a message"),
        ),
    ] {
        refuses(plain(), input, expected);
    }
}

/// The limits hold for a message that comes in one piece, too.
#[test]
fn limits_of_whole_messages() {
    for len in [101, 127, 1_000] {
        let header = [0x82, 0xfe, (len >> 8) as u8, len as u8, 0, 0, 0, 0];
        let input = [&header[..], &vec![b'x'; len]].concat();
        refuses(plain(), &input, Violation::size("message too large"));
    }
    let none = Decoder::new(100, 0);
    let too_many = Violation::policy("too many frames in a message");
    refuses(none, b"\x81\x81\0\0\0\0x", too_many);
}

// RFC 7692 6.1
#[test]
fn reasons_with_the_extension() {
    let expected = Violation::protocol("reserved bit on a frame that begins no message");
    refuses(inflating(), b"\xc9\x80\0\0\0\0", expected);
    refuses(inflating(), b"\x01\x80\0\0\0\0\xc0\x80\0\0\0\0", expected);
    let expected = Violation::protocol("reserved bit without an extension");
    refuses(inflating(), b"\xa1\x80\0\0\0\0", expected);
    refuses(inflating(), b"\xd1\x80\0\0\0\0", expected);
    for invalid in [
        &b"\xc1\x81\0\0\0\0\xff"[..],
        b"\xc1\x82\0\0\0\0\x04\x00", // ends within the codes of a block
    ] {
        refuses(inflating(), invalid, Violation::data("invalid deflate data"));
    }
}

/// The limit holds for a message in a stream that ends with it, too.
#[test]
fn sizes_of_inflated_messages() {
    let mut input = b"\xc1\x87\0\0\0\0KL\xa4=\x00\x00\x00".to_vec();
    let mut decoder = inflating();
    let hundred = "a".repeat(100);
    assert_eq!(decoder.feed(&mut input).next(), Ok(Some(Event::Text(&hundred))));
    let too_large = Violation::size("message too large when inflated");
    refuses(inflating(), b"\xc1\x87\0\0\0\0KL\xa4\x03\x00\x00\x00", too_large);
    refuses(inflating(), b"\xc1\x86\0\0\0\0KL\xa4\x03\x00\x00", too_large);
}

#[test]
fn reasons_of_the_handshake() {
    for (error, text) in [
        (Error::NotAnUpgrade, "no upgrade to websocket"),
        (Error::Version, "unsupported websocket version"),
        (Error::Key, "missing or invalid websocket key"),
        (Error::Protocol, "malformed list of websocket subprotocols"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
