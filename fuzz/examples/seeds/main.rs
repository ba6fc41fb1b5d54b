//! Writes the seeds anew: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! Each is a small case of what must be read, or refused: the rules of the protocols, and what
//! clients got wrong or tried. What a fuzzer found is added to `corpus/` by hand, as `found-*`, and
//! stays.

mod server;

use std::fs;
use std::path::{Path, PathBuf};

use engineio_proto::websocket::deflate::{Deflation, WindowBits};
use engineio_proto::{HEADROOM, Outgoing, Protocol};
use socketio_fuzz::seeds;
use socketio_parser::{Binary, Encoded, Parser, Revision, Spread, Value};

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("packets", packets()),
        ("payload", payload()),
        ("jsonp", jsonp()),
        ("handshake", handshake()),
        ("websocket", websocket()),
        ("deflate", deflate()),
        ("json", json()),
        ("msgpack", msgpack()),
        ("session", session()),
        ("recovery", rooms()),
        ("rooms", rooms()),
        ("server", server::seeds()),
        ("http3", text(seeds::http3())),
        ("http3_control", text(seeds::http3_control())),
        ("qpack", text(seeds::qpack())),
    ] {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        remove_old(&folder)?;
        for (number, seed) in seeds.into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}

fn remove_old(folder: &Path) -> std::io::Result<()> {
    let files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|file| file.map(|file| file.path())).collect::<Result<_, _>>()?;
    let is_seed = |file: &PathBuf| {
        file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-"))
    };
    files.iter().filter(|file| is_seed(file)).try_for_each(fs::remove_file)
}

/// Those that may be files as texts are: the replay has the others.
fn text(mut seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    seeds.retain(|seed| !seed.contains(&0));
    seeds
}

/// A first byte and text.
fn flagged(flags: u8, text: impl AsRef<[u8]>) -> Vec<u8> {
    [&[flags], text.as_ref()].concat()
}

fn packets() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for protocol in [0, 1] {
        for text in [
            "0{}",
            "1",
            "2probe",
            "3",
            "4é😀",
            "5",
            "6",
            "7",
            "bAQID",
            "bAQI=",
            "b",
            "b4",
            "b4AQID",
            "b!!!!",
            "b9AQID",
            "\u{feff}4a",
            "42[\"e\",1]\u{1e}4",
        ] {
            seeds.push(flagged(protocol, text));
        }
        seeds.push(flagged(protocol | 2, [4, 1, 2, 3]));
        seeds.push(flagged(protocol | 2, [9, 1]));
        seeds.push(flagged(protocol | 2, [0xff; 20]));
    }
    seeds
}

fn payload() -> Vec<Vec<u8>> {
    let body = |form: u8, max: u8, body: &[u8]| [&[form, max], body].concat();
    vec![
        body(0, 0, b""),
        body(0, 0, b"\x1e\x1e\x1e"),
        body(0, 0, b"42[\"e\",1]\x1e"),
        body(0, 0, b"42[\"e\",1]\x1e2\x1e3\x1ebAQID\x1eb\x1e6\x1e1"),
        body(0, 0, b"xyz"),
        body(0, 0, b"42[\"e\",\"\xff\xfe\"]"),
        body(0, 0, b"\xef\xbb\xbf42[\"e\",1]"),
        body(0, 2, b"6\x1e6\x1e6\x1e6"),
        body(1, 0, b"::"),
        body(1, 0, b"42[\"e\",1]"),
        body(1, 0, b"9:42[\"e\",1]7:b4AQIDA2:42"),
        body(1, 0, b"99:42[\"e\",1]"),
        body(1, 0, b"-1:4"),
        body(1, 0, b"1000000000:4"),
        body(1, 0, b"2.0:4a"),
        body(1, 0, b"9:42[\"e\",1]12"),
        body(1, 0, "12:42[\"e\",\"😀\"]2:4a".as_bytes()),
        body(1, 0, "2:4😀".as_bytes()),
        body(1, 0, "3:4\u{80}\u{ffff}3:4😀".as_bytes()),
        body(1, 0, b"0:0:2:42"),
        body(1, 0, b"01:4"),
        body(1, 3, &b"2:42".repeat(30)),
        body(1, 0, format!("130:4{}", "é".repeat(129)).as_bytes()),
        body(2, 0, b"\x00\x09\xff42[\"e\",1]"),
        body(2, 0, b"\x00\x09"),
        body(2, 0, &[&[0][..], &[9; 40], b"\xff4"].concat()),
        body(2, 0, b"\x00\x05\x00\xff42"),
        body(2, 0, b"\x00\xfe\xff4"),
        body(2, 0, b"\x02\x01\xff4"),
        body(2, 0, b"\x01\x04\xff\x04\x01\x02\x03\x00\x02\xff4a\x01\x01\xff\x04"),
        body(2, 0, b"\x01\x00\xff"),
        body(2, 0, b"\x00\x02\xff4\xff"),
    ]
}

fn jsonp() -> Vec<Vec<u8>> {
    vec![
        flagged(0, "d=9%3A42%5B%22e%22%2C1%5D"),
        flagged(0, "a=1&d=2:4a&d=2:4b&&=&d"),
        flagged(0, "d=3:4%5Cn4:4%5C%5Cn+"),
        flagged(0, "d=%zz%ff%0"),
        flagged(0, ""),
        flagged(1, "12a(]\0a\"b\\c\nd\re\tf\u{2028}g\u{2029}h\u{1}"),
        flagged(1, "alert(1)//\x004{}"),
        flagged(1, "0\0a\\nb\\\\n\nc"),
    ]
}

fn handshake() -> Vec<Vec<u8>> {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let lines = |query: &str, offers: &str, list: &str| format!("{query}\n{offers}\n{key}\n{list}");
    vec![
        flagged(0, lines("EIO=4&transport=polling", "", "")),
        flagged(3, lines("EIO=4&EIO=3&transport=websocket&sid=abc", "permessage-deflate", "a")),
        flagged(8, lines("transport=__proto__&sid=%00%00&j=alert(1)//", ",;constructor", "a, b")),
        flagged(
            8,
            lines(
                "sid=%zz&sid=%ff%fe&b64=1",
                "permessage-deflate; server_max_window_bits=7",
                "a            x",
            ),
        ),
        flagged(
            15,
            lines(
                "sid=&b64=0&t=a+b%20c",
                "x-webkit; a=\"b\", permessage-deflate; client_max_window_bits; server_max_window_bits=15, \
             permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                "keep-alive, Upgrade",
            ),
        ),
        flagged(3, "\n\nabc\n,,"),
        flagged(
            3,
            lines(
                "&&=&a",
                "permessage-deflate; client_max_window_bits=\"10\"; client_max_window_bits",
                "",
            ),
        ),
    ]
}

/// A frame of a client, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let head: &[u8] = match payload.len() {
        len @ 0..=125 => &[0x80 | len as u8],
        len => &[0x80 | 126, (len >> 8) as u8, len as u8],
    };
    [&[first], head, &[0; 4], payload].concat()
}

fn websocket() -> Vec<Vec<u8>> {
    let masked =
        [&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d][..], &[0x7f, 0x9f, 0x4d, 0x51, 0x58]].concat();
    let cases: Vec<Vec<u8>> = vec![
        vec![0x81, 0x01, 0x32],
        frame(0xc1, b"2"),
        frame(0xa1, b"2"),
        frame(0x83, b"x"),
        frame(0x89, &[7; 126]),
        frame(0x09, b""),
        [frame(0x89, &[7; 125]), frame(0x89, b""), frame(0x8a, b"x")].concat(),
        frame(0x80, b"x"),
        [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
        [frame(0x01, b"42[\"e\""), frame(0x89, b"p"), frame(0x80, b",1]")].concat(),
        [frame(0x01, b""), frame(0x00, b""), frame(0x00, b""), frame(0x80, b"42[\"e\",1]")]
            .concat(),
        frame(0x81, b"42[\"e\",\"\xff\"]"),
        [frame(0x01, b"\xed\xa0"), frame(0x80, b"\x80")].concat(),
        [frame(0x01, b"4\xc3"), frame(0x80, b"\xa9")].concat(),
        [frame(0x01, b"4\xf0\x9f"), frame(0x00, b"\x98"), frame(0x80, b"\x80")].concat(),
        vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        vec![0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0, 1, 2, 3],
        [&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 2][..], &frame(0x82, b"")].concat(),
        [frame(0x88, b""), frame(0x81, b"4")].concat(),
        frame(0x88, b"\x03\xe8bye"),
        frame(0x88, b"\x03"),
        frame(0x88, b"\x03\xed"),
        frame(0x88, b"\x0b\xb8"),
        frame(0x88, b"\x03\xe8\xff\xfe"),
        [frame(0x02, &[1; 200]), frame(0x80, &[2; 60])].concat(),
        masked,
    ];
    let mut seeds: Vec<_> = cases.iter().map(|case| [&[0, 0, 3], &**case].concat()).collect();
    seeds.push([&[1, 0, 5], &*frame(0x82, &[1; 201])].concat());
    let parts: Vec<u8> = (0..4).flat_map(|_| frame(0x02, b"x")).collect();
    seeds.push([&[2, 1, 2], &*parts].concat());
    seeds
}

fn deflate() -> Vec<Vec<u8>> {
    let hello: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let cases: Vec<Vec<u8>> = vec![
        frame(0xc1, hello),
        [frame(0x41, &hello[..3]), frame(0x80, &hello[3..])].concat(),
        [frame(0xc1, hello), frame(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])].concat(),
        // the last block of a stream, and another message
        [frame(0xc1, &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), frame(0xc1, hello)].concat(),
        // without compression
        frame(0xc1, &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]),
        frame(0xc1, &[0xff; 4]),
        frame(0xc1, b""),
        frame(0xc0, hello),
        frame(0xc9, b"x"),
        [frame(0x81, b"plain"), frame(0xc2, hello)].concat(),
        frame(0xc1, &[0x03, 0x00].repeat(70)),
        // a message that is much longer than its frame
        frame(0xc1, &bomb()),
    ];
    let mut seeds = Vec::new();
    for flags in [0, 1, 2, 5] {
        seeds.extend(cases.iter().map(|case| flagged(flags, case)));
    }
    // messages of compressed data, in the target's own form
    for how in [0, 1, 4, 6, 8, 12] {
        let message = [&[hello.len() as u8, how], hello].concat();
        seeds.push(flagged(8 | how & 1, message.repeat(2)));
    }
    // packets of a server: flags, then length, text, attachment
    for flags in [0x00, 0x01, 0x12, 0x93] {
        let packets = b"\x1651-[\"e\",\"aaaaaaaa\"]\0\x01\x02\x0b51-[\"e\"]\0zz\x00";
        seeds.push([&[0x18, flags], &packets[..]].concat());
        seeds.push([&[0x19, flags], &packets[..]].concat());
    }
    seeds
}

/// Some hundred bytes that inflate to many.
fn bomb() -> Vec<u8> {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend([b'a'; 150_000]);
    let packet = Outgoing::message(buffer, HEADROOM, Vec::new());
    let deflation = Deflation { threshold: 1, level: 9 };
    let deflated = packet.deflated(Protocol::V4, deflation, WindowBits::MAX);
    let deflated = deflated.expect("it gets smaller");
    // a header of four bytes: its length needs sixteen bits
    deflated.frame(0).expect("its only frame")[4..].to_vec()
}

fn json() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for text in [
        r#"0"#,
        r#"0{"token":1}"#,
        r#"0/chat,{"a":[]}"#,
        r#"0/chat?a=b&c=d,"#,
        "0[]",
        "0null",
        r#"0"x""#,
        "1",
        "1/chat,",
        "1{}",
        r#"4{"message":"x"}"#,
        "4\"no\"",
        "7",
        "a",
        "-1",
        "",
        r#"2["e",1]"#,
        r#"2/chat,12["e",{"a":[1,2.5,-3e-7,true,false,null]}]"#,
        "2",
        "2{}",
        "2[]",
        "2[null]",
        r#"2["e","#,
        r#"2["e",1]x"#,
        r#"2["e",NaN]"#,
        r#"2["e",01]"#,
        "2[\"e\",1]  \n",
        "2[\"e\",\"\u{1}\"]",
        r#"2["connect"]"#,
        r#"2["newListener"]"#,
        r#"2["error",{}]"#,
        r#"2["__proto__"]"#,
        r#"2[""]"#,
        "2[1.5]",
        r#"2["e",1e999]"#,
        r#"2["e",123456789012345678901234567890,18446744073709551615,-9223372036854775808]"#,
        r#"2["e",{"a":1,"a":2}]"#,
        r#"2["e","\udfff\ud83d\ude00\ud800x"]"#,
        r#"2["e","\u0000\b\f\n\r\t\/\\\""]"#,
        r#"29007199254740991["e",1]"#,
        r#"299999999999999999999["e"]"#,
        r#"2-1["e"]"#,
        r#"21.5["e"]"#,
        r#"2 ["e"]"#,
        "3[1]",
        "399[]",
        "3",
        "31{}",
        r#"2/a,["e",1]"#,
        "2/chat",
        r#"2["\u0065\n",[[[[[{}]]]]]]"#,
        r#"2["e",-0,0.0,1E+2]"#,
        r#"2["e",{"_placeholder":true,"num":0}]"#,
    ] {
        seeds.push(flagged(0, text));
        seeds.push(flagged(1, text));
    }
    for messages in [
        &b"51-[\"e\",{\"_placeholder\":true,\"num\":0}]\xfe\x01\x02"[..],
        b"52-/chat,7[\"e\",{\"num\":1,\"_placeholder\":true},[{\"_placeholder\":true,\"num\":0}]]\xfe\x01\xfe",
        b"61-1[{\"_placeholder\":true,\"num\":0}]\xfe\x01\xff2[\"e\"]",
        b"50-[\"e\"]\xfe\x01",
        b"511-[\"e\"]",
        b"51000000000-[\"e\"]",
        b"5-[\"e\"]",
        b"51e1-[\"e\"]",
        b"51-[\"e\",{\"_placeholder\":true,\"num\":1}]",
        b"51-[\"e\",{\"_placeholder\":true,\"num\":-1}]",
        b"51-[\"e\",{\"_placeholder\":true,\"num\":0.5}]",
        b"51-[\"e\",{\"_placeholder\":true,\"num\":\"splice\"}]",
        b"51-[\"e\",{\"_placeholder\":true}]",
        b"51-[\"e\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}]\xfex",
        b"51-[\"e\",1]\xfex",
        b"51-[{\"_placeholder\":true,\"num\":0}]\xfex",
        b"51-[\"e\"]\xff2[\"e\",1]",
        b"2[\"e\"]\xfe\x01",
    ] {
        seeds.push(flagged(0, messages));
        seeds.push(flagged(1, messages));
        seeds.push(flagged(2, messages));
    }
    seeds.push(flagged(0, format!("2[\"e\",{}{}]", "[".repeat(100), "]".repeat(100))));
    seeds.push(flagged(0, format!("2[\"e\",{}", "[".repeat(600))));
    seeds.push(flagged(2, r#"2["event",1,2,3,4]"#));
    seeds.push(flagged(2, r#"2/namespace,["e"]"#));
    seeds
}

fn msgpack() -> Vec<Vec<u8>> {
    let encoder = Parser::msgpack().encoder();
    let mut seeds = Vec::new();
    let text = |text: &str| Value::from(text);
    let object = Value::from_iter([("a", Value::Null), ("b", text("é"))]);
    let values = Spread(vec![
        Value::Bool(true),
        Value::Int(-7),
        Value::Int(70_000),
        Value::UInt(u64::MAX),
        Value::Float(f64::NAN),
        text("text"),
        Binary::from(vec![1, 2, 3]).into(),
        Value::from(vec![object]),
    ]);
    let mut add = |encoded: Encoded| {
        let (bytes, kind) = match encoded {
            Encoded::Binary(bytes) => (bytes.to_vec(), 0),
            Encoded::Text { buffer, start, .. } => (buffer[start..].to_vec(), 4),
        };
        seeds.push(flagged(kind, &bytes));
        seeds.push(flagged(kind | 1, &bytes));
    };
    add(encoder.event(0, "/", None, "e", &()).expect("an event"));
    add(encoder.event(0, "/chat", Some(7), "e", &values).expect("an event"));
    add(encoder.ack(0, "/", 1, &values).expect("an acknowledgement"));
    for revision in [Revision::V4, Revision::V5] {
        add(encoder.connect(0, "/chat", revision, Some("id"), None));
        add(encoder.disconnect(0, "/", revision));
        add(encoder.error(0, "/admin", revision, "nope", None));
    }
    // {type: 2, nsp: "/", data: ..} with a tail of its own
    let event = |data: &[u8]| [b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data", data].concat();
    for bytes in [
        vec![],
        vec![0xc0],
        vec![0xc1],
        vec![0x92, 1, 2],
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xdf, 0xff, 0xff, 0xff, 0xff],
        vec![0xdb, 0xff, 0xff, 0xff, 0xff, 0x61],
        vec![0xc6, 0x80, 0, 0, 0, 0x61],
        vec![0xc9, 0xff, 0xff, 0xff, 0xff, 1, 0x61],
        event(b"\xdd\x7f\xff\xff\xff\x01"),
        event(&[&b"\x92\xa2zz"[..], &[0x91; 600], &[1]].concat()),
        event(
            b"\x92\xa1e\x93\xa2\xff\xfe\xc7\x05\xffabcde\xd7\x00\x00\x00\x01\x56\x00\x00\x00\x00",
        ),
        event(b"\x92\xa1e\xd4\x00\x00\xc0"),
        event(b"\x92\xa1e\x82\x01\x02\xa1a\x90"),
        event(b"\x91\xaadisconnect"),
        event(b"\x90"),
        event(b"\x91\x01"),
        b"\x84\xa4type\x02\xa4type\x01\xa3nsp\xa1/\xa4data\x91\xa1e".to_vec(),
        b"\x83\xa4type\xa12\xa3nsp\x05\xa2id\xa1x".to_vec(),
    ] {
        seeds.push(flagged(0, &bytes));
        seeds.push(flagged(1, &bytes));
    }
    seeds.push(flagged(4, r#"{"type":2,"nsp":"/","id":3,"data":["e",{"a":[1]}],"options":{}}"#));
    seeds.push(flagged(5, r#"{"type":0,"nsp":"/chat?a=b","data":null}"#));
    seeds.push(flagged(4, r#"42["e",1]"#));
    seeds
}

fn session() -> Vec<Vec<u8>> {
    // see the target: 0x00 packet, 0x20 probe opens, 0x40 packet on it, 0x60 its end, 0x64 reading,
    // 0x80 to the deadline, 0xa0 .. 0xe0 time passes
    vec![
        vec![0, 0x80, 0x03, 0x80, 0x03, 0x80, 0x80],
        vec![0, 0x80, 0x04, 0x80, 0x04, 0x80],
        vec![0, 0x20, 0x47, 0xa5, 0xc5, 0x45, 0x04, 0x80],
        vec![0, 0x20, 0x47, 0x80, 0x80, 0xe2, 0x80],
        vec![0, 0x20, 0x44, 0x20, 0x45, 0x20, 0x60],
        vec![0, 0x65, 0x80, 0xe1, 0x64, 0x80, 0x03],
        vec![0, 0xe2, 0x03, 0x02],
        vec![1, 0x02, 0xc9, 0x04, 0x80],
        vec![1, 0x65, 0xe3, 0x64, 0x80],
        vec![1, 0x20, 0x47, 0x45, 0x02],
        vec![2, 0x20, 0x47, 0x01, 0x80],
        vec![3, 0x03],
        vec![3, 0x7f, 0x04, 0x80],
    ]
}

/// Of the rooms, and of sessions.
fn rooms() -> Vec<Vec<u8>> {
    // Operations of no meaning but in plenty: steps through all values, by different strides.
    [3_u8, 7, 11, 13, 29, 77]
        .map(|stride| {
            (0..400_u16).map(|at| (at as u8).wrapping_mul(stride) ^ (at >> 3) as u8).collect()
        })
        .into()
}
