//! Tables of compressed messages, each fed whole, byte by byte, and cut in two at every place.

use super::super::super::deflate::{WindowBits, deflate};
use super::super::super::extensions::Takeover;
use super::*;

fn agreement(client: bool) -> Agreement {
    let willing = Takeover { server: false, client };
    Agreement::choose("permessage-deflate", willing).expect("a plain offer is accepted")
}

/// As [`super::check`], with contexts and without.
#[track_caller]
fn check(input: &[u8], events: &[&str], end: Result<(), u16>) {
    let mut pieces: Vec<Vec<&[u8]>> = vec![vec![input], input.chunks(1).collect()];
    pieces.extend((0..input.len()).map(|at| vec![&input[..at], &input[at..]]));
    for (pieces, takeover) in pieces.iter().flat_map(|pieces| [(pieces, true), (pieces, false)]) {
        let decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES);
        let mut decoder = decoder.with_deflate(&agreement(takeover));
        let (got, got_end) = feed(&mut decoder, pieces);
        assert_eq!(got, events, "{takeover} {pieces:?}");
        assert_eq!(got_end, end, "{takeover} {pieces:?}");
    }
}

/// RFC 7692 7.2.3.1
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

#[test]
fn compressed_messages() {
    check(b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00", &[r#"Text("Hello")"#], Ok(()));
    check(&frame(0xc2, HELLO), &[r#"Binary(b"Hello")"#], Ok(()));
    check(&frame(0xc1, b"\x00"), &[r#"Text("")"#], Ok(()));
    check(&frame(0xc2, b"\x00"), &[r#"Binary(b"")"#], Ok(()));
    // RFC 7692 7.2.3.1: one message in two frames, of which the first is marked
    check(
        &frames(&[(0x41, &HELLO[..3]), (0x89, b"p"), (0x80, &HELLO[3..])]),
        &["Ping([112])", r#"Text("Hello")"#],
        Ok(()),
    );
    check(&frames(&[(0x42, b""), (0x00, HELLO), (0x80, b"")]), &[r#"Binary(b"Hello")"#], Ok(()));
    // any message may be uncompressed
    check(
        &frames(&[(0x81, b"a"), (0xc1, HELLO), (0x82, b"b"), (0xc1, HELLO)]),
        &[r#"Text("a")"#, r#"Text("Hello")"#, r#"Binary(b"b")"#, r#"Text("Hello")"#],
        Ok(()),
    );
    // RFC 7692 7.2.3.4: the last block of a stream; the next message starts a new one
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    check(&frames(&[(0xc1, last), (0xc1, last), (0xc1, HELLO)]), &[r#"Text("Hello")"#; 3], Ok(()));
}

#[test]
fn the_mark_stands_on_the_first_frame_of_a_message() {
    check(&frames(&[(0x01, b"4"), (0xc0, b"2")]), &[], Err(1002));
    check(&frames(&[(0x41, &HELLO[..3]), (0xc0, &HELLO[3..])]), &[], Err(1002));
    check(&frame(0xc9, b"x"), &[], Err(1002)); // a ping
    check(&frame(0xca, b"x"), &[], Err(1002));
    check(&frame(0xc8, b""), &[], Err(1002));
    check(&frame(0xe1, HELLO), &[], Err(1002)); // RSV2
    check(&frame(0xd1, HELLO), &[], Err(1002)); // RSV3
    check(&frame(0xa1, b"x"), &[], Err(1002));
    super::check(&frame(0xc1, HELLO), &[], Err(1002)); // not agreed on
}

#[test]
fn what_does_not_inflate() {
    check(&frame(0xc1, b"\xff\xff\xff\xff"), &[], Err(1007));
    check(&frame(0xc1, b""), &[], Err(1007));
    check(&frames(&[(0x41, b""), (0x80, b"")]), &[], Err(1007));
    // \xff alone, stored
    check(&frame(0xc1, b"\x00\x01\x00\xfe\xff\xff\x00"), &[], Err(1007));
    check(&frame(0xc2, b"\x00\x01\x00\xfe\xff\xff\x00"), &[r#"Binary(b"\xff")"#], Ok(()));
    // what was before is delivered
    check(&frames(&[(0xc1, HELLO), (0xc1, b"\x07")]), &[r#"Text("Hello")"#], Err(1007));
}

#[test]
fn limits_hold_for_the_wire_and_for_what_is_inflated() {
    let of = |size| deflate(&[&vec![b'a'; size]], 9, WindowBits::MAX).expect("it gets smaller");
    check(&frame(0xc1, &of(100)), &[&format!("Text({:?})", "a".repeat(100))], Ok(()));
    check(&frame(0xc1, &of(101)), &[], Err(1009));
    check(&frame(0xc2, &of(100_000)), &[], Err(1009));
    let bomb = of(10_000);
    check(&frames(&[(0x42, &bomb[..10]), (0x80, &bomb[10..])]), &[], Err(1009));
    check(&frame(0xc1, &[0; 101]), &[], Err(1009));
    check(
        &frames(&[(0x41, b"\x00"), (0, b""), (0, b""), (0, b""), (0, b""), (0, b"")]),
        &[],
        Err(1008),
    );
}

#[test]
fn contexts_are_kept_if_that_is_agreed_on() {
    // RFC 7692 7.2.3.2: the second message refers to the first
    let messages = frames(&[(0xc1, HELLO), (0xc1, b"\xf2\x00\x11\x00\x00")]);
    let hello = r#"Text("Hello")"#;
    let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES).with_deflate(&agreement(true));
    assert_eq!(feed(&mut decoder, &[&messages]), (vec![hello.to_owned(); 2], Ok(())));
    assert!(decoder.context.is_some());
    let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES).with_deflate(&agreement(false));
    let (events, _) = feed(&mut decoder, &[&messages]);
    assert_ne!(events, [hello, hello]);
    assert!(decoder.context.is_none());
}

#[test]
fn a_closing_connection_does_not_inflate() {
    let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES).with_deflate(&agreement(true));
    decoder.skip_messages();
    let input = frames(&[(0xc1, b"\xff"), (0x41, HELLO), (0x80, b""), (0x88, b"")]);
    let events = [r#"Text("")"#, r#"Text("")"#, "Close(None)"].map(str::to_owned);
    assert_eq!(feed(&mut decoder, &[&input]), (events.to_vec(), Ok(())));
}
