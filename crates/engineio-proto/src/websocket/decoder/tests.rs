//! Tables of bytes from a client and the events they make, each fed whole, byte by byte, and cut in
//! two at every place. Most masks are zero, so that the payload can be read.

use super::*;

mod deflate;

const MAX_MESSAGE: usize = 100;
const MAX_FRAMES: usize = 5;

/// Expects events, in their `Debug` form, and then the end of the input or a close code.
#[track_caller]
fn check(input: &[u8], events: &[&str], end: Result<(), u16>) {
    let mut pieces: Vec<Vec<&[u8]>> = vec![vec![input], input.chunks(1).collect()];
    pieces.extend((0..input.len()).map(|at| vec![&input[..at], &input[at..]]));
    for pieces in pieces {
        let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES);
        let (got, got_end) = feed(&mut decoder, &pieces);
        assert_eq!(got, events, "{pieces:?}");
        assert_eq!(got_end, end, "{pieces:?}");
    }
}

fn feed(decoder: &mut Decoder, pieces: &[&[u8]]) -> (Vec<String>, Result<(), u16>) {
    let (mut events, mut end) = (Vec::new(), Ok(()));
    for piece in pieces {
        let mut buffer = piece.to_vec();
        let mut messages = decoder.feed(&mut buffer);
        loop {
            match messages.next() {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(violation) => {
                    assert_eq!(end, Ok(()), "one violation is enough");
                    end = Err(violation.code());
                }
            }
        }
    }
    (events, end)
}

/// A frame with a mask of zeros. `first` is FIN and opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
}

#[test]
fn whole_messages() {
    check(b"", &[], Ok(()));
    check(b"\x81\x82\0\0\0\0hi", &[r#"Text("hi")"#], Ok(()));
    check(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &[r#"Text("Hello")"#], Ok(())); // RFC 6455 5.7
    check(b"\x82\x83\x01\x02\x03\x04\x00\x00\x00", &[r#"Binary(b"\x01\x02\x03")"#], Ok(()));
    check(b"\x81\x80\0\0\0\0", &[r#"Text("")"#], Ok(()));
    check(b"\x82\x80\x01\x02\x03\x04", &[r#"Binary(b"")"#], Ok(()));
    check(
        &frames(&[(0x81, b"a"), (0x82, b"b"), (0x81, "é€😀".as_bytes())]),
        &[r#"Text("a")"#, r#"Binary(b"b")"#, r#"Text("é€😀")"#],
        Ok(()),
    );
}

#[test]
fn lengths() {
    check(b"\x81\xfe\x00\x02\0\0\0\0hi", &[r#"Text("hi")"#], Ok(())); // not minimal
    check(b"\x81\xff\0\0\0\0\0\0\x00\x02\0\0\0\0hi", &[r#"Text("hi")"#], Ok(()));
    let limit = [&b"\x82\xfe\x00\x64\0\0\0\0"[..], &[b'x'; 100]].concat();
    check(&limit, &[&format!("Binary(b\"{}\")", "x".repeat(100))], Ok(()));
    check(b"\x82\xe5\0\0\0\0", &[], Err(1009)); // 101, before any payload
    check(b"\x81\xfe\xff\xff\0\0\0\0", &[], Err(1009));
    check(b"\x81\xff\x00\x00\x00\x00\x00\x0f\x42\x41\0\0\0\0", &[], Err(1009));
    check(b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", &[], Err(1009));
    check(b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00\0\0\0\0", &[], Err(1002)); // 2^63
    check(b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", &[], Err(1002));
}

#[test]
fn broken_frames() {
    check(b"\x81\x012", &[], Err(1002)); // no mask
    check(b"\xc1\x81\0\0\0\x002", &[], Err(1002)); // RSV1
    check(b"\xa1\x81\0\0\0\x002", &[], Err(1002)); // RSV2
    check(b"\x91\x81\0\0\0\x002", &[], Err(1002)); // RSV3
    check(b"\xc9\x80\0\0\0\0", &[], Err(1002)); // RSV1 on a ping
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        check(&frame(0x80 | opcode, b"x"), &[], Err(1002));
    }
    check(b"\x89\xfe\x00\x7e\0\0\0\0", &[], Err(1002)); // a ping of 126 bytes
    check(b"\x88\xff\0\0\0\0\0\0\0\x01\0\0\0\0x", &[], Err(1002)); // any longer form
    check(&frame(0x09, b"x"), &[], Err(1002)); // a fragmented ping
    check(&frame(0x08, b""), &[], Err(1002));
    check(&frame(0x80, b"x"), &[], Err(1002)); // a continuation first
    check(&frame(0x00, b"x"), &[], Err(1002));
    // the events in front of it are delivered, those after it are not
    check(&frames(&[(0x81, b"a"), (0x83, b""), (0x81, b"b")]), &[r#"Text("a")"#], Err(1002));
}

#[test]
fn fragments() {
    check(&frames(&[(0x01, b"ab"), (0x80, b"c")]), &[r#"Text("abc")"#], Ok(()));
    check(&frames(&[(0x02, b"ab"), (0, b"c"), (0x80, b"")]), &[r#"Binary(b"abc")"#], Ok(()));
    check(
        &frames(&[(0x01, b""), (0, b""), (0, b""), (0, b""), (0x80, b"x")]),
        &[r#"Text("x")"#],
        Ok(()),
    );
    check(&frames(&[(0x01, b""), (0x80, b"")]), &[r#"Text("")"#], Ok(()));
    check(
        &frames(&[
            (0x01, b"42"),
            (0x89, b"p"),
            (0x00, b"["),
            (0x8a, b"q"),
            (0x80, b"]"),
            (0x81, b"z"),
        ]),
        &[r"Ping([112])", "Pong", r#"Text("42[]")"#, r#"Text("z")"#],
        Ok(()),
    );
    check(&frames(&[(0x01, b"a"), (0x81, b"b")]), &[], Err(1002)); // a message inside
    check(&frames(&[(0x02, b"a"), (0x02, b"b")]), &[], Err(1002));
    check(&frames(&[(0x01, b"a"), (0x80, b"b"), (0x80, b"c")]), &[r#"Text("ab")"#], Err(1002));
    // the sum counts, at the header
    check(&[frame(0x01, &[b'x'; 60]), b"\x80\xa9\0\0\0\0".to_vec()].concat(), &[], Err(1009));
    let sum = frames(&[(0x02, &[b'x'; 60]), (0x80, &[b'x'; 40])]);
    check(&sum, &[&format!("Binary(b\"{}\")", "x".repeat(100))], Ok(()));
    let overflow = b"\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    check(&[&frame(0x02, b"x")[..], overflow].concat(), &[], Err(1009));
}

#[test]
fn too_many_frames() {
    let (first, more, last) = ((0x01, &b"x"[..]), (0x00, &b""[..]), (0x80, &b"y"[..]));
    check(&frames(&[first, more, more, more, last]), &[r#"Text("xy")"#], Ok(()));
    check(&frames(&[first, more, more, more, more, last]), &[], Err(1008));
    // control frames do not count, and each message counts anew
    let ping = (0x89, &b""[..]);
    let two = [first, more, ping, more, ping, more, last, first, more, more, more, last];
    check(&frames(&two), &["Ping([])", "Ping([])", r#"Text("xy")"#, r#"Text("xy")"#], Ok(()));
}

#[test]
fn text_is_utf8() {
    check(&frame(0x81, b"ok\xff"), &[], Err(1007));
    check(&frame(0x81, b"\xed\xa0\x80"), &[], Err(1007)); // a surrogate
    check(&frame(0x81, b"\xc0\xaf"), &[], Err(1007)); // longer than needed
    check(&frame(0x81, b"\xf4\x90\x80\x80"), &[], Err(1007)); // beyond U+10FFFF
    check(&frame(0x81, b"\xe2\x82"), &[], Err(1007)); // cut off
    check(&frames(&[(0x01, b"\xc3"), (0x80, b"\xa9")]), &[r#"Text("é")"#], Ok(()));
    check(
        &frames(&[
            (0x01, b"a\xf0"),
            (0x00, b"\x9f"),
            (0x00, b""),
            (0x00, b"\x98"),
            (0x80, b"\x80b"),
        ]),
        &[r#"Text("a😀b")"#],
        Ok(()),
    );
    check(&frames(&[(0x01, b"\xc3"), (0x80, b"x")]), &[], Err(1007));
    check(&frames(&[(0x01, b"\xe2\x82"), (0x80, b"")]), &[], Err(1007));
    check(&frame(0x82, b"\xff\xfe"), &[r#"Binary(b"\xff\xfe")"#], Ok(()));
}

/// Autobahn 6.4: the first byte that cannot be right is the last one read.
#[test]
fn bad_text_fails_at_once() {
    let fails = |input: &[u8]| {
        let (good, bad) = input.split_at(input.len() - 1);
        let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES);
        assert_eq!(feed(&mut decoder, &[good]), (vec![], Ok(())));
        assert_eq!(feed(&mut decoder, &[bad]), (vec![], Err(1007)), "{input:?}");
    };
    fails(b"\x81\xc0\0\0\0\0abc\xff"); // in a frame of 64 bytes
    fails(b"\x81\xc0\0\0\0\0abc\xf4\x90");
    fails(b"\x81\xc0\0\0\0\0abc\xed\xa0");
    fails(b"\x81\xc0\0\0\0\0abc\xe2\x82\x20");
    fails(b"\x01\x81\0\0\0\0\xce\x00\x85\0\0\0\0\xba\xf5"); // in a later fragment
}

#[test]
fn control_frames() {
    check(&frame(0x89, b""), &["Ping([])"], Ok(()));
    check(&frame(0x89, b"hi"), &["Ping([104, 105])"], Ok(()));
    let longest = [7; 125];
    check(&frame(0x89, &longest), &[&format!("Ping({longest:?})")], Ok(()));
    check(&frame(0x8a, b"hi"), &["Pong"], Ok(()));
    let tiny = &mut Decoder::new(0, 0);
    assert_eq!(feed(tiny, &[&frame(0x89, b"x")]), (vec!["Ping([120])".to_owned()], Ok(())));
}

#[test]
fn closes() {
    check(&frame(0x88, b""), &["Close(None)"], Ok(()));
    check(&frame(0x88, b"\x03\xe8bye"), &[r#"Close(Some((1000, "bye")))"#], Ok(()));
    check(&frame(0x88, b"\x0b\xb8"), &[r#"Close(Some((3000, "")))"#], Ok(()));
    check(&frame(0x88, b"\x03"), &[], Err(1002));
    check(&frame(0x88, b"\x03\xed"), &[], Err(1002)); // 1005
    check(&frame(0x88, b"\x03\xe8\xff\xfe"), &[], Err(1007));
    let close = (0x88, &b"\x03\xe8"[..]);
    check(&frames(&[close, (0x81, b"late")]), &[r#"Close(Some((1000, "")))"#], Ok(()));
    check(&frames(&[(0x01, b"a"), close, (0x80, b"b")]), &[r#"Close(Some((1000, "")))"#], Ok(()));
    check(&frames(&[close, (0x83, b"")]), &[r#"Close(Some((1000, "")))"#], Ok(())); // not even errors
}

#[test]
fn masks_across_cuts() {
    let payload = b"forty bytes of payload to cut everywhere";
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut masked = payload.to_vec();
    frame::unmask(&mut masked, mask, 0);
    let input = [&[0x81, 0x80 | 40][..], &mask, &masked].concat();
    check(&input, &[&format!("Text({:?})", std::str::from_utf8(payload).unwrap())], Ok(()));
}

#[test]
fn whole_text_is_borrowed() {
    let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES);
    let mut buffer = frame(0x81, b"hi");
    let address = buffer[6..].as_ptr();
    let mut messages = decoder.feed(&mut buffer);
    let Ok(Some(Event::Text(text))) = messages.next() else { panic!() };
    assert_eq!(text.as_ptr(), address);
}

/// A transport that stops between two events gets back what it has not seen.
#[test]
fn the_rest_can_be_fed_later() {
    let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES);
    let mut buffer = frames(&[(0x81, b"a"), (0x89, b"p"), (0x81, b"b")]);
    buffer.extend_from_slice(b"\x81"); // and the first byte of a header
    let mut messages = decoder.feed(&mut buffer);
    assert_eq!(messages.next(), Ok(Some(Event::Text("a"))));
    let rest = messages.rest().to_vec();
    assert_eq!(feed(&mut decoder, &[&rest]).0, [r#"Ping([112])"#, r#"Text("b")"#]);
    assert!(!decoder.is_idle());
}

#[test]
fn idle_connections_hold_nothing() {
    assert!(size_of::<Decoder>() <= 40, "{}", size_of::<Decoder>());
    let input = frames(&[(0x01, b"ab"), (0x89, b"p"), (0x80, b"c"), (0x82, b"d"), (0x88, b"")]);
    let between = [0, 22, 29]; // in front of the text, the binary, the close
    let mut decoder = Decoder::new(MAX_MESSAGE, MAX_FRAMES);
    for (index, byte) in input.iter().enumerate() {
        assert_eq!(decoder.is_idle(), between.contains(&index), "{index}");
        assert_eq!(feed(&mut decoder, &[&[*byte]]).1, Ok(()));
    }
    assert!(decoder.is_idle());
}

/// What is reserved follows what arrived, whatever a header announces.
#[test]
fn memory_follows_the_bytes() {
    let capacity =
        |decoder: &Decoder| decoder.cut.as_ref().unwrap().message.as_ref().unwrap().capacity();
    for opcode in [0x81, 0x82] {
        let mut decoder = Decoder::new(1_000_000, MAX_FRAMES);
        let header = [opcode, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0];
        assert_eq!(feed(&mut decoder, &[&header, b"x"]).1, Ok(()));
        let mut arrived = 1;
        while arrived < 999_001 {
            assert_eq!(feed(&mut decoder, &[&[b'x'; 1000]]).1, Ok(()));
            arrived += 1000;
            assert!(capacity(&decoder) <= 2 * arrived + 1024);
        }
        assert_eq!(capacity(&decoder), 1_000_000, "the last step is exact");
        let (events, _) = feed(&mut decoder, &[&[b'x'; 999]]);
        assert_eq!((events.len(), decoder.is_idle()), (1, true));
    }
}
