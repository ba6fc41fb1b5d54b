//! Seeds of the targets for HTTP/3. Almost all have zeros in them, which no text has, so they are no
//! files: the replay gives them to their targets from here, and libFuzzer finds the like with the words
//! of `dictionaries`.

use engineio_proto::http3::{capsule, qpack, settings};

const CONNECT: [(&str, &str); 7] = [
    (":method", "CONNECT"),
    (":protocol", "webtransport"),
    (":scheme", "https"),
    (":authority", "localhost:3000"),
    (":path", "/socket.io/?a=b"),
    ("origin", "https://example.com"),
    ("sec-webtransport-http3-draft02", "1"),
];

/// A frame with a payload of less than 64 bytes, or of more.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let header = match length {
        0..64 => vec![kind, length as u8],
        _ => vec![kind, 0x40 | (length >> 8) as u8, length as u8],
    };
    [&header, payload].concat()
}

/// Those of the target `http3`.
#[must_use]
pub fn http3() -> Vec<Vec<u8>> {
    let connect = frame(1, &qpack::encode(&CONNECT));
    let mut seeds = Vec::new();
    for piece in [0, 4, 60] {
        for stream in [
            &b""[..],
            b"\x00\x03abc\x04\x00\x21\x01x",
            b"\x80\x00\x12\x34\x40\x02xy\xff",
            b"\x00\xff\xff\xff\xff\xff\xff\xff\xffz",
        ] {
            seeds.push(flagged(piece << 1, stream));
        }
        for stream in [
            &connect[..],
            b"\x40\x41\x00\x010",
            b"\x40\x41\xc0\0\0\0\0\0\x01\x90",
            b"\x01\x05\0\0\xd1\xd7\xc1\x00\x01a",
            b"\x21\x02ab\x01\x05\0\0\xd1\xd7\xc1",
            b"\x01\x80\x00\x80\x00",
            b"\x04\x00",
            b"\x00\x01a",
        ] {
            seeds.push(flagged(piece << 1 | 1, stream));
        }
    }
    seeds
}

/// Those of the target `http3_control`.
#[must_use]
pub fn http3_control() -> Vec<Vec<u8>> {
    let ours = settings::control_stream(16_384);
    let mut close = Vec::new();
    capsule::encode_close(4242, "had enough", &mut close);
    let data = frame(0, &close);
    let mut seeds = Vec::new();
    for piece in [0, 5] {
        for control in
            [&ours[1..], b"\x04\x02\x08\x02", b"\x04\x00\x04\x00", b"\x21\x00", b"\x04\x50\x01"]
        {
            seeds.push(flagged(piece << 2, control));
        }
        seeds.push(flagged(piece << 2 | 1, &ours[3..]));
        seeds.push(flagged(piece << 2 | 1, b"\x01\x00\x01\x00"));
        for connect in [&data[..], capsule::CLOSE, b"\x21\x02ab\x00\x02\x17\x00", b"\x01\x00"] {
            seeds.push(flagged(piece << 2 | 2, connect));
        }
        for capsules in [
            &close[..],
            b"\x17\x03abc\x68\x43\x04\0\0\0\0",
            b"\x17\x80\x01\x00\x01",
            b"\x68\x43\x03abc",
        ] {
            seeds.push(flagged(piece << 2 | 3, capsules));
        }
    }
    seeds
}

/// Those of the target `qpack`.
#[must_use]
pub fn qpack() -> Vec<Vec<u8>> {
    let mut seeds = vec![flagged(254, qpack::encode(&CONNECT))];
    for section in [
        &b"\0\0"[..],
        b"\0\0\xcf\xd7\x51\x0b/index.html",
        b"\0\0\x50\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        b"\0\0\x2f\x01\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
        b"\0\0\xd1\xd7\xc1\x55\x03a=b\x55\x03c=d",
        b"\0\0\x51\x84\xff\xff\xff\xff",
        b"\x01\0\x80",
        b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\0\0\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1\xd1",
    ] {
        seeds.push(flagged(0x40, section));
        seeds.push(flagged(0x00, section));
    }
    for instructions in [
        &b"\x20\x20"[..],
        b"\x44\x7f\x80\x01",
        b"\x3f\x01",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        seeds.push(flagged(1, instructions));
        seeds.push(flagged(3, instructions));
    }
    seeds
}

/// A first byte and the rest.
fn flagged(flags: u8, rest: impl AsRef<[u8]>) -> Vec<u8> {
    [&[flags], rest.as_ref()].concat()
}
