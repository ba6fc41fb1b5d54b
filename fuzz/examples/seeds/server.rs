//! Conversations with the target `server`: the smallest of each kind as bytes, and whole ones that lead
//! far into it, by [`Script`].

use engineio_proto::websocket::deflate::{Deflation, WindowBits};
use engineio_proto::{HEADROOM, Outgoing, Protocol};

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = small();
    for flags in [0, DEFLATE, SMALL_OUTBOX, DEFLATE | PAGES | LOGIN] {
        seeds.extend([0, 1, 7].map(|piece| all_over_websocket(Script::new(flags, piece)).0));
        seeds.extend([3, 4].map(|protocol| rooms(Script::new(flags, 0), protocol).0));
        seeds.extend([3, 4].map(|protocol| polling(Script::new(flags, 0), protocol).0));
        seeds.extend([3, 4].map(|protocol| upgrade(Script::new(flags, 0), protocol).0));
    }
    seeds.extend(scripts().into_iter().map(|script| script.0));
    seeds
}

/// What the target's first byte switches on.
const DEFLATE: u8 = 1;
const MSGPACK: u8 = 2;
const SMALL_OUTBOX: u8 = 8;
const PAGES: u8 = 32;
const LOGIN: u8 = 64;

/// Kinds of requests, and what is said with them.
const OPEN_POLL: u8 = 0;
const OPEN_WEBSOCKET: u8 = 1;
const OPEN_JSONP: u8 = 6;
const POLL: u8 = 2;
const WEBSOCKET: u8 = 3;
const POST: u8 = 4;
const JSONP_POLL: u8 = 5;
const JSONP_POST: u8 = 7;
const BYTES: u8 = 0x10;
const ORIGIN: u8 = 0x20;
const LAST: u8 = 0x40;
const BASE64: u8 = 0x80;

/// What clients send, in the target's form.
struct Script(Vec<u8>);

impl Script {
    fn new(flags: u8, piece: u8) -> Self {
        Self(vec![flags, piece])
    }

    fn add(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Up to the end of what a command takes.
    fn ended(self, command: &[u8], bytes: &[u8]) -> Self {
        assert!(!bytes.contains(&0xfa), "the end within {bytes:?}");
        self.add(command).add(bytes).add(b"\xfa")
    }

    /// A request of a protocol for no session.
    fn opens(self, kind: u8, protocol: u8) -> Self {
        self.add(&[0xf7, number(kind, protocol)]).add(b"\xfa")
    }

    /// A request for a session, without a body.
    fn asks(self, kind: u8, protocol: u8, session: u8) -> Self {
        self.add(&[0xf7, number(kind, protocol), session]).add(b"\xfa")
    }

    fn posts(self, kind: u8, protocol: u8, session: u8, body: &[u8]) -> Self {
        self.ended(&[0xf7, number(kind, protocol), session], body)
    }

    fn text(self, packet: &str) -> Self {
        self.ended(b"\xf6\x00", packet.as_bytes())
    }

    fn texts(self, packets: &[&str]) -> Self {
        packets.iter().fold(self, |script, packet| script.text(packet))
    }

    fn binary(self, bytes: &[u8]) -> Self {
        self.ended(b"\xf5\x00", bytes)
    }

    /// A text in two frames.
    fn fragments(self, first: &str, second: &str) -> Self {
        self.ended(b"\xf6\x80", first.as_bytes())
            .add(&[0xf9, 0x80, 0x80 | second.len() as u8, 0, 0, 0, 0])
            .add(second.as_bytes())
            .add(b"\xfa")
    }

    /// A text as compressed message.
    fn compressed(self, packet: &str) -> Self {
        let mut buffer = vec![0; HEADROOM];
        // the packet's type is put before it
        buffer.extend_from_slice(&packet.as_bytes()[1..]);
        let packet = Outgoing::message(buffer, HEADROOM, Vec::new());
        let deflated =
            packet.deflated(Protocol::V4, Deflation { threshold: 1, level: 9 }, WindowBits::MAX);
        let deflated = deflated.expect("it gets smaller");
        let frame = deflated.frame(0).expect("its only frame");
        // the header is two bytes, four for a length of sixteen bits
        let payload = if frame[1] < 126 { &frame[2..] } else { &frame[4..] };
        self.ended(b"\xf6\x40", payload)
    }

    fn ends(self) -> Self {
        self.add(b"\xf4")
    }

    fn reads_no_more(self) -> Self {
        self.add(b"\xf8")
    }

    fn sends_no_more(self) -> Self {
        self.add(b"\xfc")
    }

    fn connection(self) -> Self {
        self.add(b"\xfe")
    }

    fn at(self, connection: u8) -> Self {
        self.add(&[0xfb, connection])
    }

    /// Fifths of a second.
    fn later(self, fifths: u8) -> Self {
        self.add(&[0xfd, fifths])
    }

    fn act(self, action: u8) -> Self {
        self.add(&[0xff, action])
    }
}

/// The target's number of a request.
fn number(kind: u8, protocol: u8) -> u8 {
    kind & 0xf0 | (kind & 7) << 1 | u8::from(protocol == 4)
}

/// A body of protocol 3.
fn counted(packets: &[&str]) -> Vec<u8> {
    packets.iter().map(|packet| format!("{}:{packet}", packet.len())).collect::<String>().into()
}

/// What one client can do in several namespaces, with attachments and acknowledgements both ways.
fn all_over_websocket(script: Script) -> Script {
    script
        .opens(OPEN_WEBSOCKET | BASE64 | ORIGIN, 4)
        .text("40{\"as\":\"in\"}")
        .text("40/chat,{\"token\":\"a\"}")
        .texts(&["40/dyn-1,", "40/admin,", "40/nowhere,"])
        .texts(&["42[\"e\",1,\"two\",{\"three\":[3.5,null,true]}]", "4217[\"e\",{\"a\":1}]", "42[\"7\",7]", "42[7]"])
        .text("42/chat,[\"refused\"]")
        .text("42/chat,3[\"delayed\",[]]")
        .later(6)
        .text("452-[\"e\",{\"_placeholder\":true,\"num\":0},{\"x\":{\"_placeholder\":true,\"num\":1}}]")
        .binary(&[1, 2, 3])
        .binary(&[])
        .text("451-/chat,5[\"e\",{\"_placeholder\":true,\"num\":0}]")
        .binary(&[0; 200])
        .text("42[\"bytes\",{\"b\":1}]")
        .text("42[\"ask\",\"question\"]")
        .text("461-0[{\"_placeholder\":true,\"num\":0}]")
        .binary(b"answer")
        .text("42[\"ask-all\",1]")
        .text("431[\"one\"]")
        .text("42/chat,[\"ask\",2]")
        .text("43/chat,0[]")
        .texts(&["42[\"once\"]", "42[\"once\"]", "42[\"watch\"]", "42[\"volatile\",1]", "42[\"nobody hears\"]"])
        .fragments("42[\"e\",\"in two", " frames\"]")
        .later(125)
        .text("3")
        .texts(&["41/chat,", "42/chat,[\"e\"]", "40/chat,", "42/dyn-1,[\"bye\"]"])
        .text("42[\"end\"]")
}

/// Four clients in rooms: broadcasts with exceptions, questions to all, ends of every kind.
fn rooms(script: Script, protocol: u8) -> Script {
    let (chat, root) = match protocol {
        4 => ("40/chat,", "40{\"as\":\"late\"}"),
        _ => ("40/chat?token=a,", "2"),
    };
    let mut script =
        script.opens(OPEN_WEBSOCKET | BASE64 | ORIGIN, protocol).texts(&[root, chat]).later(6);
    for _ in 1..4 {
        script = script
            .connection()
            .opens(OPEN_WEBSOCKET | BASE64 | ORIGIN, protocol)
            .texts(&[root, chat]);
        script = script.later(6).texts(&["42[\"join\",\"a\"]", "42/chat,[\"join\",\"a\"]"]);
    }
    script
        .text("42[\"join\",\"b\"]")
        .at(0)
        .texts(&[
            "42[\"room\",\"a\",\"hello\"]",
            "42[\"all\",{\"n\":1}]",
            "42[\"who\"]",
            "42[\"ask-all\",1]",
        ])
        .act(1)
        .act(6)
        .act(2)
        .at(1)
        .texts(&["430[1]", "42[\"leave\",\"a\"]", "42[\"bytes\"]"])
        .at(2)
        .texts(&["430[2]", "42[\"volatile\",\"x\"]"])
        .at(0)
        .later(26)
        .text("42/chat,[\"kick\",\"a\"]")
        .at(1)
        .ends()
        .at(2)
        .text("41")
        .sends_no_more()
        .at(3)
        .add(b"\x88\x82\x00\x00\x00\x00\x03\xe8\xfa")
        .at(0)
        .act(5)
        .act(3)
        .text("42[\"e\"]")
        .act(7)
}

/// Polls and POSTs of one session, with several packets and attachments; a poll that waits; the end.
fn polling(script: Script, protocol: u8) -> Script {
    let script = script.opens(OPEN_POLL | BASE64 | ORIGIN, protocol);
    let script = match protocol {
        4 => script
            .posts(
                POST | ORIGIN,
                4,
                0,
                b"40{\"as\":\"in\"}\x1e40/chat,\x1e42[\"e\",1]\x1e421[\"e\"]",
            )
            .asks(POLL | ORIGIN, 4, 0)
            .posts(
                POST,
                4,
                0,
                b"451-[\"e\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID\x1e42[\"bytes\"]",
            )
            .asks(POLL | ORIGIN, 4, 0)
            .asks(POLL, 4, 0)
            .asks(POLL, 4, 0),
        _ => script
            .posts(
                POST | ORIGIN,
                3,
                0,
                &counted(&["42[\"e\",1]", "40/chat?token=a%20,", "421[\"e\",1]", "2"]),
            )
            .asks(POLL | ORIGIN, 3, 0)
            .posts(
                POST,
                3,
                0,
                &counted(&[
                    "451-[\"e\",{\"_placeholder\":true,\"num\":0}]",
                    "b4AQID",
                    "42[\"bytes\"]",
                ]),
            )
            .asks(POLL | BASE64, 3, 0)
            .posts(POST | BYTES, 3, 0, b"\x00\x03\x09\xff451-[\"e\",{\"_placeholder\":true,\"num\":0}]\x01\x03\xff\x04\x01\x02")
            .asks(POLL, 3, 0)
            .asks(POLL, 3, 0),
    };
    let body: &[u8] = if protocol == 4 { b"42[\"ask\",1]" } else { b"11:42[\"ask\",1]" };
    let pong: &[u8] = if protocol == 4 { b"3" } else { b"1:2" };
    let end: &[u8] = if protocol == 4 { b"1" } else { b"1:1" };
    script
        .connection()
        .posts(POST, protocol, 0, body)
        .at(0)
        .asks(POLL, protocol, 0)
        .act(0)
        .asks(POLL, protocol, 0)
        .later(125)
        .connection()
        .posts(POST, protocol, 0, pong)
        .act(5)
        .asks(POLL | ORIGIN, protocol, 0)
        .asks(POLL, protocol, 0)
        .connection()
        .posts(POST | LAST, protocol, 0, end)
        .asks(POLL, protocol, 0)
}

/// A session that goes over to WebSocket while a poll waits and packets are sent, and is used on.
fn upgrade(script: Script, protocol: u8) -> Script {
    let connect: &[u8] = if protocol == 4 { b"40{\"as\":\"in\"}" } else { b"9:42[\"e\",1]" };
    script
        .opens(OPEN_POLL | BASE64 | ORIGIN, protocol)
        .posts(POST, protocol, 0, connect)
        .asks(POLL, protocol, 0)
        .asks(POLL, protocol, 0)
        .act(0)
        .asks(POLL, protocol, 0)
        .connection()
        .asks(WEBSOCKET | LAST | ORIGIN, protocol, 0)
        .text("2probe")
        .act(0)
        .text("2probe")
        .text("5")
        .texts(&["42[\"e\",\"after\"]", "42[\"ask\",1]", "430[{\"a\":[1]}]"])
        .text("451-[\"e\",{\"_placeholder\":true,\"num\":0}]")
        .binary(if protocol == 4 { &[1, 2] } else { &[4, 1, 2] })
        .later(125)
        .text(if protocol == 4 { "3" } else { "2" })
        .later(125)
        .act(4)
}

fn scripts() -> Vec<Script> {
    let websocket = |flags| Script::new(flags, 0).opens(OPEN_WEBSOCKET, 4).text("40");
    let polling = |protocol| Script::new(0, 0).opens(OPEN_POLL, protocol);
    let long = format!("42[\"e\",\"{}\"]", "long ".repeat(60));
    let many = "42[\"all\",\"0123456789012345678901234567890123456789\"]";
    vec![
        // compressed both ways
        websocket(DEFLATE).compressed(&long).compressed(&long).text(&long),
        websocket(DEFLATE).compressed(&long).act(5).act(5).later(125).text("3").ends(),
        websocket(DEFLATE)
            .connection()
            .opens(OPEN_WEBSOCKET | LAST, 4)
            .text("40")
            .compressed(&format!("42[\"all\",\"{}\"]", "all of ".repeat(40))),
        // compressed for somebody who did not agree
        websocket(0).compressed(&long),
        // a slow reader among others, until it is cut
        websocket(SMALL_OUTBOX)
            .reads_no_more()
            .connection()
            .opens(OPEN_WEBSOCKET, 4)
            .text("40")
            .texts(&[many; 30])
            .act(5)
            .text("42[\"e\"]"),
        websocket(SMALL_OUTBOX).reads_no_more().act(2).act(5).act(2).act(5).act(5).later(50),
        // who is let in late, not at all, or leaves before
        Script::new(LOGIN, 0).opens(OPEN_WEBSOCKET, 4).texts(&["40{\"as\":\"late\"}", "42[\"e\"]"]).later(6).text("42[\"e\"]"),
        Script::new(LOGIN, 0).opens(OPEN_WEBSOCKET, 4).texts(&["40{\"as\":\"late\"}", "40/chat,", "41"]).later(6),
        Script::new(LOGIN, 0).opens(OPEN_WEBSOCKET, 4).texts(&["40{\"as\":\"no\"}", "40{\"as\":\"in\"}", "42[\"e\"]"]),
        Script::new(LOGIN, 0).opens(OPEN_WEBSOCKET, 3).texts(&["40/chat,", "42/chat,[\"e\"]"]).later(2),
        Script::new(LOGIN, 0).opens(OPEN_WEBSOCKET | BASE64 | ORIGIN, 3).texts(&["40/chat,", "42/chat,1[\"e\"]", "41/chat"]),
        Script::new(LOGIN, 0).opens(OPEN_WEBSOCKET, 4).text("40/slow,").later(6).text("42/slow,[\"e\"]").later(6).act(3),
        // rooms, namespaces, acknowledgements, handlers beyond their limits
        (0..10).fold(websocket(0), |script, room| script.text(&format!("42[\"join\",\"r{room}\"]"))),
        (0..5).fold(websocket(0), |script, name| script.text(&format!("40/dyn-{name},"))).text("41/dyn-0,").text("40/dyn-9,"),
        (0..10).fold(websocket(0), |script, _| script.text("42[\"ask\"]")).text("430[]").later(30),
        (0..6).fold(websocket(0), |script, _| script.text("42[\"wait\"]")).later(16).text("42[\"e\"]"),
        websocket(0)
            .texts(&["40/dyn-0,", "40/dyn-1,"])
            .connection()
            .opens(OPEN_WEBSOCKET, 4)
            .texts(&["40/dyn-2,", "40/dyn-3,", "40/dyn-4,"]),
        (0..25).fold(polling(4).posts(POST, 4, 0, b"40"), |script, _| script.act(0)).later(2),
        (0..25).fold(Script::new(SMALL_OUTBOX, 0).opens(OPEN_POLL, 4).posts(POST, 4, 0, b"40"), |script, _| script.act(0)),
        // parts of packets that are too long, too deep, too many
        websocket(0).text(&format!("42[\"e\",{}0{}]", "[".repeat(40), "]".repeat(40))),
        websocket(0).text(&format!("42[\"e\"{}]", ",0".repeat(20))),
        websocket(0).text(&format!("42[\"{}\"]", "n".repeat(80))),
        websocket(0).text(&format!("42[\"join\",\"{}\"]", "r".repeat(80))),
        websocket(0).text(&format!("40/dyn-{},", "n".repeat(80))),
        websocket(0).text(&format!("40/chat,{{\"a\":\"{}\"}}", "x".repeat(300))),
        websocket(0).text("459-[\"e\"]"),
        (0..120).fold(websocket(0).ended(b"\xf6\x80", b"42["), |script, _| script.add(&[0, 0x80, 0, 0, 0, 0])).add(b"\xfa"),
        polling(4).posts(POST, 4, 0, &b"6\x1e".repeat(60)),
        polling(4).add(b"GET / HTTP/1.1\r\n").add(&b"a:b\r\n".repeat(120)).add(b"\r\n\xfa"),
        polling(4).add(b"POST /socket.io/?EIO=4&transport=polling&sid=s0 HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n4\xfa").later(255),
        // pings whose answers nobody reads
        websocket(0).reads_no_more().add(&[&b"\x89\xf9\xe4\x00\x00\x00\x00"[..], &[b'p'; 100]].concat().repeat(50)).add(b"\xfa"),
        // methods and heads that do not fit their session
        polling(4).add(b"PUT /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n\xfa"),
        polling(4).add(b"GET /socket.io/?EIO=4&transport=websocket&sid=s0 HTTP/1.1\r\nHost: h\r\n\r\n\xfa"),
        polling(4).add(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\n\r\n\xfa"),
        Script::new(PAGES, 0).add(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nOrigin: http://b\r\n\r\n\xfa"),
        // CONNECT twice; events of nobody; packets that only servers send; acknowledgements of nothing
        websocket(0).text("40"),
        Script::new(0, 0).opens(OPEN_WEBSOCKET, 4).text("42[\"e\"]"),
        websocket(0).text("44{\"message\":\"no\"}"),
        websocket(0).texts(&["4399[1]", "430[]", "42/chat,[\"e\"]"]),
        // no CONNECT in time; no pong in time; no ping of protocol 3
        Script::new(0, 0).opens(OPEN_WEBSOCKET, 4).later(255),
        websocket(0).later(200).later(200),
        Script::new(0, 0).opens(OPEN_WEBSOCKET, 3).text("42[\"e\"]").later(200).text("2").later(200).later(200),
        // JSONP: opened, polled, posted, ended
        Script::new(0, 0)
            .opens(OPEN_JSONP, 3)
            .posts(JSONP_POST, 3, 0, b"d=9%3A42%5B%22e%22%2C1%5D")
            .asks(JSONP_POLL, 3, 0)
            .asks(JSONP_POLL, 3, 0)
            .act(5)
            .connection()
            .posts(JSONP_POST, 3, 0, b"d=1:1"),
        Script::new(0, 0).opens(OPEN_JSONP, 4).posts(JSONP_POST, 4, 0, b"d=40\\n").asks(JSONP_POLL, 4, 0),
        // two polls, two POSTs, a POST that ends the session of a poll, a poll that is left
        polling(4).asks(POLL, 4, 0).connection().asks(POLL, 4, 0),
        polling(4).asks(POLL, 4, 0).ends().later(200),
        polling(4).posts(POST, 4, 0, b"40").asks(POLL, 4, 0).asks(POLL, 4, 0).act(4),
        polling(4).posts(POST, 4, 0, b"40").asks(POLL, 4, 0).asks(POLL, 4, 0).act(7),
        polling(4).posts(POST, 4, 0, b"40\x1e40\x1e42[\"e\"]").asks(POLL, 4, 0).asks(POLL, 4, 0),
        polling(3).posts(POST, 3, 0, b"3:42[").asks(POLL, 3, 0),
        // upgrades: without a probe, of nobody, twice, left half way, and an end meanwhile
        polling(4).connection().asks(WEBSOCKET, 4, 0).text("5").text("40").text("42[\"e\"]"),
        polling(4).connection().asks(WEBSOCKET, 4, 3),
        polling(4).connection().asks(WEBSOCKET, 4, 0).text("2probe").connection().asks(WEBSOCKET, 4, 0).text("2probe"),
        polling(4).connection().asks(WEBSOCKET, 4, 0).text("2probe").ends().at(0).asks(POLL, 4, 0).later(60),
        polling(4).posts(POST, 4, 0, b"40").connection().asks(WEBSOCKET, 4, 0).text("2probe").act(4).text("5"),
        polling(4).posts(POST, 4, 0, b"40").connection().asks(WEBSOCKET, 4, 0).text("2probe").act(7),
        polling(4).connection().asks(WEBSOCKET, 4, 0).text("2probe").text("42[\"e\"]").later(255),
        // msgpack: CONNECT, events with bytes and an id, an answer, the end
        Script::new(MSGPACK, 0)
            .opens(OPEN_WEBSOCKET, 4)
            .binary(b"\x82\xa4type\x00\xa3nsp\xa1/")
            .binary(b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x05\xa4data\x93\xa1e\xc4\x02\x01\x02\x81\xa1a\xc0")
            .binary(b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa3ask\x01")
            .binary(b"\x84\xa4type\x03\xa3nsp\xa1/\xa2id\x00\xa4data\x91\x02")
            .binary(b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xa5bytes")
            .binary(b"\x83\xa4type\x00\xa3nsp\xa5/chat\xa4data\x81\xa1a\x01")
            .binary(b"\x83\xa4type\x01\xa3nsp\xa1/\xa4data\xc0"),
        Script::new(MSGPACK, 0)
            .opens(OPEN_POLL, 4)
            .posts(POST, 4, 0, b"bgqR0eXBlAKNuc3ChLw==\x1ebg6R0eXBlAqNuc3ChL6RkYXRhkqFlAQ==")
            .asks(POLL, 4, 0)
            .asks(POLL, 4, 0),
    ]
}

fn small() -> Vec<Vec<u8>> {
    let websocket = b"\xf7\x03\xfa"; // protocol 4, at once
    let old = b"\xf7\x02\xfa"; // protocol 3
    let polling = b"\xf7\x01\xfa"; // protocol 4, and its session is s0
    let case = |flags: u8, piece: u8, parts: &[&[u8]]| {
        [&[flags, piece], parts.concat().as_slice()].concat()
    };
    vec![
        case(0, 0, &[websocket, b"\xf6\x0040\xfa\xf6\x0042[\"e\",1]\xfa\xf6\x00420[\"e\",2]\xfa\xf6\x003\xfa\xf6\x0041\xfa"]),
        case(0, 3, &[websocket, b"\xf6\x0040/chat,{\"a\":1}\xfa\xf6\x0042/chat,[\"join\",\"a\"]\xfa\xff\x01\xf6\x0042/chat,[\"all\",1]\xfa\xfc"]),
        case(0, 0, &[websocket, b"\xf6\x0040\xfa\xf6\x00451-[\"e\",{\"_placeholder\":true,\"num\":0}]\xfa\xf5\x00\x01\x02\xfa\xf4"]),
        case(0, 0, &[websocket, b"\xf6\x0040/admin,\xfa\xf6\x0040/slow,\xfa\xf6\x0040/dyn-1,\xfa\xf6\x0040/dyn-2,\xfa\xf6\x0040/x,\xfa\xfd\x20"]),
        case(0, 0, &[websocket, b"\xf6\x0040\xfa\xf6\x0042[\"ask\",1]\xfa\xf6\x00430[2]\xfa\xf6\x0042[\"wait\"]\xfa\xf6\x0042[\"end\"]\xfa"]),
        case(0, 0, &[websocket, b"\xf6\x0040\xfa\xf6\x0042[\"bye\"]\xfa\xf6\x0040\xfa\xf6\x0040\xfa"]),
        case(0, 1, &[old, b"\xf6\x002\xfa\xf6\x0042[\"e\",1]\xfa\xf5\x00\x04\x01\xfa"]),
        case(0, 0, &[old, b"\xf6\x0040/chat?a=b,\xfa\xf6\x0042/chat,1[\"e\"]\xfa\xfd\xff\xfd\xff"]),
        case(0, 0, &[polling, b"\xf7\x09\x0040\xfa\xf7\x05\x00\xfa\xf7\x09\x0042[\"e\",1]\x1e3\xfa\xf7\x05\x00\xfa"]),
        case(0, 0, &[polling, b"\xf7\x09\x0040\xfa\xf7\x05\x00\xfa\xfe\xf7\x05\x00\xfa\xfb\x00\xf7\x09\x001\xfa"]),
        case(0, 0, &[polling, b"\xf7\x09\x0040\xfa\xfe\xf7\x07\x00\xfa\xf6\x002probe\xfa\xf6\x005\xfa\xf6\x0042[\"e\"]\xfa"]),
        case(0, 0, &[polling, b"\xfe\xf7\x07\x00\xfa\xf6\x002probe\xfa\xfd\xff\xfb\x00\xf7\x05\x00\xfa"]),
        case(0, 0, &[polling, b"\xf7\x19\x00\x04\x01\xfa\xf7\x05\x00\xfa"]),
        case(0, 0, &[b"\xf7\x00\xfa\xf7\x08\x009:42[\"e\",1]\xfa\xf7\x18\x00\x00\xf9\x09\xf9\xff42[\"e\",1]\xfa\xf7\x04\x00\xfa"]),
        case(0, 0, &[b"\xf7\x0c\xfa\xf7\x0e\x00d=2:40\xfa\xf7\x04\x00\xfa"]),
        case(0, 0, &[b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n"]),
        case(0, 0, &[b"GET /socket.io/?EIO=4&transport=foo HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\n\r\nOPTIONS /socket.io/ HTTP/1.1\r\nHost: h\r\n\r\n"]),
        case(0, 0, &[b"POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n"]),
        case(0, 0, &[polling, b"POST /socket.io/?EIO=4&transport=polling&sid=s0 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\nffffffffffffffff1\r\n"]),
        case(0, 0, &[polling, b"POST /socket.io/?EIO=4&transport=polling&sid=s0 HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n4\xfd\xff"]),
        case(4, 0, &[polling, b"\xf7\x09\x004", &[b'x'; 120], b"\xfa\xf7\x05\x00\xfa"]),
        case(0, 0, &[b"\x16\x03\x01\x02\x00\x01\x00\xfd\xff"]),
        case(1, 0, &[websocket, b"\xf6\x0040\xfa\xf6\x0042[\"e\",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\xfa\xff\x05\xf5\x40\xf2\x48\xcd\xc9\xc9\x07\x00\xfa"]),
        case(8, 0, &[websocket, b"\xf6\x0040\xfa\xf8\xff\x05\xff\x05\xff\x05\xff\x02\xfd\xff"]),
        case(8, 0, &[polling, b"\xf7\x09\x0040\xfa\xff\x05\xff\x05\xff\x05\xff\x00"]),
        case(16, 0, &[old, b"\xf7\x00\xfa"]),
        case(2, 0, &[websocket, b"\xf5\x00\x82\xa4type\x00\xa3nsp\xa1/\xfa\xf5\x00\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e\x01\xfa"]),
        case(0, 0, &[websocket, b"\xf6\x0040\xfa\xff\x07\xf6\x0042[\"e\"]\xfa"]),
        case(0, 0, &[websocket, b"\xf6\x0040\xfa\x89\x80\x00\x00\x00\x00\x88\x82\x00\x00\x00\x00\x03\xe8\xfa"]),
        case(0, 0, &[websocket, b"\xf6\x0040\xfa\xf6\x0042[\"join\",\"a\"]\xfa\xf6\x0042[\"room\",\"a\",\"b\"]\xfa\xf6\x0042[\"leave\",\"a\"]\xfa\xff\x03\xff\x04"]),
    ]
}
