//! The formats, by bytes that were recorded from Node servers.

mod messages;
mod sharded;

use std::sync::Arc;

use socketio_parser::{Binary, DataForm, EventData, IndexMap, Spread, Value};

use super::codec::Codec;
use super::formats::channels::{RoomChannels, ShardedNames};
use super::formats::classic::{Classic, Dialect};
use super::formats::message::MessageFormat;
use super::formats::wire::{msgpack, object, parse};
use super::message::{
    Answer, Change, Event, Expected, Incoming, Line, Message, Request, Requester, Sender, Sign,
};
use crate::{BroadcastOptions, IntoRooms, SocketDetails, SocketId};

const NONE: [&str; 0] = [];

fn hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn classic(dialect: Dialect, nsp: &str, uid: &str) -> Classic {
    Classic::new("socket.io", nsp, dialect, uid.to_owned())
}

fn named(uid: &str) -> MessageFormat {
    let naming = ShardedNames { prefix: "socket.io".to_owned(), rooms: RoomChannels::Joined };
    MessageFormat::new(Arc::new(naming), DataForm::Json, false, "/", uid.to_owned())
}

fn sharded() -> MessageFormat {
    named("8051dc776f5acee0")
}

fn to(rooms: impl IntoRooms, except: impl IntoRooms) -> BroadcastOptions {
    BroadcastOptions {
        rooms: rooms.into_rooms(),
        except: except.into_rooms(),
        ..BroadcastOptions::default()
    }
}

fn from(sender: &str, rooms: impl IntoRooms) -> BroadcastOptions {
    BroadcastOptions { sender: Some(sender.into()), ..to(rooms, NONE) }
}

fn a_is_e() -> Value {
    object([("a", "é".into())])
}

fn bytes(content: &[u8]) -> Value {
    Binary(content.to_vec().into()).0.into()
}

fn data(codec: &dyn Codec, name: &str, args: &[Value]) -> EventData {
    EventData::new(codec.form(), name, &Spread(args.to_vec())).unwrap()
}

#[track_caller]
fn check(message: &Message, channel: &str, payload: &[u8]) {
    let Message::Published { channel: at, payload: is } = message else { panic!("{message:?}") };
    let texts = [&is[..], payload].map(String::from_utf8_lossy);
    assert_eq!((at.as_str(), &is[..]), (channel, payload), "{texts:?}");
}

/// Checks what a codec sends for a broadcast.
#[track_caller]
fn sends(
    codec: &dyn Codec,
    event: (&str, &[Value]),
    options: &BroadcastOptions,
    channel: &str,
    payload: &[u8],
) {
    let data = data(codec, event.0, event.1);
    check(&codec.broadcast(&data, options), channel, payload);
}

/// What a codec reads; nobody is in a room but of this name.
#[track_caller]
fn read(codec: &dyn Codec, channel: &str, payload: &[u8]) -> Option<Incoming> {
    codec.decode(channel, payload, &|room| room == "r1").unwrap().incoming
}

#[track_caller]
fn reads(
    codec: &dyn Codec,
    channel: &str,
    payload: &[u8],
    event: (&str, &[Value]),
    options: &BroadcastOptions,
) {
    let Some(Incoming::Broadcast { event: read, options: how }) = read(codec, channel, payload)
    else {
        panic!("no broadcast");
    };
    assert_eq!(read, Event { name: event.0.to_owned(), args: event.1.to_vec() });
    let key = |o: &BroadcastOptions| (o.rooms.clone(), o.except.clone(), o.volatile, o.compress);
    assert_eq!(key(&how), key(options));
}

/// Byte for byte what servers 4.x send.
#[test]
fn broadcasts_of_the_4x_line_are_sent() {
    let codec = classic(Dialect::New, "/", "Wz6fFg");
    let all = to(NONE, NONE);
    sends(&codec, ("hi", &[1.into(), a_is_e()]), &all, "socket.io#/#", &hex(B_HI));
    sends(&codec, ("bin", &[bytes(&[1, 2, 3])]), &all, "socket.io#/#", &hex(B_BIN));
    sends(&codec, ("one", &[]), &to("r1", NONE), "socket.io#/#r1#", &hex(B_ONE));
    let two = BroadcastOptions { volatile: true, compress: Some(false), ..to(["r1", "r2"], "r3") };
    sends(&codec, ("two", &[]), &two, "socket.io#/#", &hex(B_TWO));
    let by_socket = from("FPfDWciJ9l0cxpkYAAAB", "r1");
    sends(&codec, ("sb", &[]), &by_socket, "socket.io#/#r1#", &hex(B_SB));
    let chat = classic(Dialect::New, "/chat", "DZlzFR");
    sends(&chat, ("c", &[]), &all, "socket.io#/chat#", &hex(B_CHAT));
}

/// Byte for byte what servers 2.x send.
#[test]
fn broadcasts_of_the_2x_line_are_sent() {
    let codec = classic(Dialect::Old, "/", "mQOlIs");
    let all = to(NONE, NONE);
    sends(&codec, ("hi", &[1.into(), a_is_e()]), &all, "socket.io#/#", &hex(A_HI));
    sends(&codec, ("bin", &[bytes(&[1, 2, 3])]), &all, "socket.io#/#", &hex(A_BIN));
    let by_socket = from(SB_ID, "r1");
    sends(&codec, ("sb", &[]), &by_socket, "socket.io#/#r1#", &hex(A_SB));
    let plain = BroadcastOptions { compress: Some(false), ..from(SB_ID, NONE) };
    sends(&codec, ("sb2", &[]), &plain, "socket.io#/#", &hex(A_SB2));
}

/// Whoever sent it.
#[test]
fn broadcasts_of_all_lines_are_read() {
    for dialect in [Dialect::New, Dialect::Old, Dialect::Mixed] {
        let codec = classic(dialect, "/", "ownuid");
        let all = to(NONE, NONE);
        let hi: (&str, &[Value]) = ("hi", &[1.into(), a_is_e()]);
        let bin: (&str, &[Value]) = ("bin", &[bytes(&[1, 2, 3])]);
        for payload in [B_HI, A_HI] {
            reads(&codec, "socket.io#/#", &hex(payload), hi, &all);
        }
        // of either type
        for payload in [B_BIN, A_BIN] {
            reads(&codec, "socket.io#/#", &hex(payload), bin, &all);
        }
        let two =
            BroadcastOptions { volatile: true, compress: Some(false), ..to(["r1", "r2"], "r3") };
        reads(&codec, "socket.io#/#", &hex(B_TWO), ("two", &[]), &two);
        reads(&codec, "socket.io#/#r1#", &hex(A_SB), ("sb", &[]), &to("r1", SB_ID));
        reads(&codec, "socket.io#/#", &hex(B_EM), ("fromem", &[1.into()]), &all);
        reads(&codec, "socket.io#/#r1#", &hex(B_EM1), ("fromem1", &[bytes(&[9])]), &to("r1", NONE));
        let of_3: (&str, &[Value]) = ("fromem", &[1.into(), bytes(&[7])]);
        reads(&codec, "socket.io#/#", &hex(A_EM), of_3, &all);
    }
}

#[test]
fn what_does_not_concern_the_node_is_skipped() {
    let codec = classic(Dialect::New, "/", "Wz6fFg");
    // its own
    assert!(read(&codec, "socket.io#/#", &hex(B_HI)).is_none());
    // to a room that nobody here is in: not even looked at
    assert!(read(&codec, "socket.io#/#r2#", b"no message").is_none());
    // of another namespace
    assert!(read(&codec, "socket.io#/#", &hex(B_CHAT)).is_none());
    assert!(read(&codec, "other#/#", b"no message").is_none());
    // requests of types that nobody knows
    assert!(read(&codec, "socket.io-request#/#", br#"{"uid":"x","type":99}"#).is_none());
    assert!(read(&codec, "socket.io-request#/#", br#"{"requestid":"x","type":98}"#).is_none());
    // answers to others
    assert!(read(&codec, "socket.io-response#/#", br#"{"requestId":"x","sockets":[]}"#).is_none());
    assert!(read(&codec, "socket.io-response#/#", br#"{"data":null}"#).is_none());
}

#[test]
fn a_broadcast_with_acknowledgements() {
    let codec = classic(Dialect::New, "/", "Wz6fFg");
    let event = data(&codec, "ask", &[1.into()]);
    let request = Request::Ask { event: &event, options: &to(NONE, NONE), timeout: 500 };
    let plan = codec.plan(Some("N3x3JT"), &request).unwrap();
    check(&plan.messages[0], "socket.io-request#/#", &hex(B_ASK));
    assert_eq!(plan.expected, Expected::All);
    let other = classic(Dialect::New, "/", "ownuid");
    let Some(Incoming::Ask { event, timeout, from, .. }) =
        read(&other, "socket.io-request#/#", &hex(B_ASK))
    else {
        panic!("no request");
    };
    assert_eq!(event, Event { name: "ask".to_owned(), args: vec![1.into()] });
    assert_eq!((timeout, from.id.as_str()), (Some(500), "N3x3JT"));
    let answer = Answer::Client("ans-from-B-client".into());
    let message = other.answer(&from, answer.clone()).unwrap();
    check(&message, "socket.io-response#/#", &hex(B_ACK));
    let count = other.answer(&from, Answer::ClientCount(2)).unwrap();
    let payload = br#"{"type":8,"requestId":"N3x3JT","clientCount":2}"#;
    check(&count, "socket.io-response#/#", payload);

    // where nodes 2.x listen, no msgpack: or where they do not
    let mixed = classic(Dialect::Mixed, "/", "ownuid");
    let message = mixed.answer(&from, answer).unwrap();
    let payload = br#"{"type":9,"requestId":"N3x3JT","packet":"ans-from-B-client"}"#;
    check(&message, "socket.io-response#/#", payload);
    let message = mixed.answer(&from, Answer::Client(bytes(&[1]))).unwrap();
    let Message::Published { channel, payload } = message else { panic!("{message:?}") };
    assert_eq!((channel.as_str(), payload[0]), ("socket.io-response#/#Wz6fFg#", 0x83));
    let nameless = Requester { node: None, ..from };
    assert!(mixed.answer(&nameless, Answer::Client(bytes(&[1]))).is_none());
    for dialect in [Dialect::Mixed, Dialect::Old] {
        let codec = classic(dialect, "/", "ownuid");
        assert!(codec.plan(Some("q"), &request).is_err(), "ends processes of the 2.x line");
    }
}

/// Checks the requests that a codec sends, and that the others read in them what was meant.
#[track_caller]
fn asks(dialect: Dialect, request: &Request<'_>, payloads: &[&str], expected: Expected) {
    let plan = classic(dialect, "/", "ownuid").plan(Some("ownuid0"), request).unwrap();
    assert_eq!(plan.messages.len(), payloads.len());
    for (message, payload) in plan.messages.iter().zip(payloads) {
        check(message, "socket.io-request#/#", payload.as_bytes());
    }
    assert_eq!(plan.expected, expected);
}

#[test]
fn requests_that_are_sent() {
    use Dialect::{Mixed, New, Old};
    let rooms = "z".into_rooms();
    let z = to("z", NONE);
    let join = Change::Join("x".into_rooms());
    let leave = Change::Leave("x".into_rooms());
    let end = Change::Disconnect { close: true };
    let sid = SocketId::from("S");
    let custom = object([("q", 1.into())]);
    let ids = Request::Ids { rooms: &rooms };
    let uid = r#""uid":"ownuid","requestId":"ownuid0""#;
    asks(New, &ids, &[&format!(r#"{{{uid},"type":0,"rooms":["z"]}}"#)], Expected::All);
    asks(Old, &ids, &[r#"{"requestid":"ownuid0","type":0,"rooms":["z"]}"#], Expected::All);
    let both = format!(r#"{{{uid},"type":0,"requestid":"ownuid0","rooms":["z"]}}"#);
    asks(Mixed, &ids, &[&both], Expected::All);

    let sockets = Request::Sockets { options: &z };
    let opts = r#""opts":{"rooms":["z"],"except":[]}"#;
    let fetch = format!(r#"{{{uid},"type":5,{opts}}}"#);
    asks(New, &sockets, &[&fetch], Expected::All);
    asks(Mixed, &sockets, &[&fetch], Expected::New);
    asks(Old, &sockets, &[r#"{"requestid":"ownuid0","type":0,"rooms":["z"]}"#], Expected::All);

    let rooms = format!(r#"{{{uid},"type":1}}"#);
    asks(New, &Request::Rooms, &[&rooms], Expected::All);
    asks(Old, &Request::Rooms, &[r#"{"requestid":"ownuid0","type":2}"#], Expected::All);
    let twin = r#"{"requestid":"ownuid0","type":2,"uid":"ownuid"}"#;
    asks(Mixed, &Request::Rooms, &[twin, &rooms], Expected::All);

    for dialect in [Old, Mixed] {
        let one = |change| Request::ChangeOne { change, id: &sid };
        let old =
            |kind, more| format!(r#"{{"requestid":"ownuid0","type":{kind},"sid":"S",{more}}}"#);
        asks(dialect, &one(&join), &[&old(3, r#""room":"x""#)], Expected::One);
        asks(dialect, &one(&leave), &[&old(4, r#""room":"x""#)], Expected::One);
        asks(dialect, &one(&end), &[&old(6, r#""close":true"#)], Expected::One);
    }
    let event = Request::ServerEvent { event: "e", args: &[1.into()] };
    let payload = format!(r#"{{{uid},"type":6,"data":["e",1]}}"#);
    asks(New, &event, &[&payload], Expected::New);
    asks(Mixed, &event, &[&payload], Expected::New);
    let custom = Request::Custom { data: &custom };
    asks(Old, &custom, &[r#"{"requestid":"ownuid0","type":5,"data":{"q":1}}"#], Expected::All);
    for dialect in [New, Mixed] {
        let refused = classic(dialect, "/", "ownuid").plan(Some("q"), &custom);
        assert!(refused.is_err(), "ends processes of the 4.x line");
    }
    assert!(classic(Old, "/", "ownuid").plan(Some("q"), &event).is_err());

    for (change, payload) in [
        (join, r#"{"uid":"ownuid","type":2,"opts":{"rooms":["z"],"except":[]},"rooms":["x"]}"#),
        (leave, r#"{"uid":"ownuid","type":3,"opts":{"rooms":["z"],"except":[]},"rooms":["x"]}"#),
        (end, r#"{"uid":"ownuid","type":4,"opts":{"rooms":["z"],"except":[]},"close":true}"#),
    ] {
        for dialect in [New, Mixed] {
            let message = classic(dialect, "/", "ownuid").change(&change, &z).unwrap();
            check(&message, "socket.io-request#/#", payload.as_bytes());
        }
        assert_eq!(classic(Old, "/", "ownuid").change(&change, &z), None);
    }
}

/// The same numbers mean different things in the two lines.
#[test]
fn requests_of_both_lines_are_told_apart() {
    let codec = classic(Dialect::New, "/", "ownuid");
    let read = |json: &str| read(&codec, "socket.io-request#/#", json.as_bytes());
    let old = |kind: u8, more: &str| read(&format!(r#"{{"requestid":"q","type":{kind}{more}}}"#));
    let new = |kind: u8, more: &str| {
        read(&format!(r#"{{"uid":"u","requestId":"q","type":{kind}{more}}}"#))
    };
    let opts = r#","opts":{"rooms":["z"]}"#;
    let sid = r#","sid":"S","room":"x""#;
    assert!(matches!(old(0, r#","rooms":["z"]"#), Some(Incoming::Ids { .. })));
    assert!(matches!(old(1, sid), Some(Incoming::RoomsOf { .. })));
    assert!(matches!(old(2, ""), Some(Incoming::Rooms { .. })));
    let one = |incoming| match incoming {
        Some(Incoming::ChangeOne { change, .. }) => change,
        other => panic!("{other:?}"),
    };
    assert_eq!(one(old(3, sid)), Change::Join("x".into_rooms()));
    assert_eq!(one(old(4, sid)), Change::Leave("x".into_rooms()));
    assert!(matches!(old(5, ""), Some(Incoming::Custom { data: Value::Null, .. })));
    assert_eq!(one(old(6, sid)), Change::Disconnect { close: false });

    assert!(matches!(new(0, r#","rooms":["z"]"#), Some(Incoming::Ids { .. })));
    assert!(matches!(new(1, ""), Some(Incoming::Rooms { .. })));
    assert_eq!(one(new(2, sid)), Change::Join("x".into_rooms()));
    assert_eq!(one(new(3, sid)), Change::Leave("x".into_rooms()));
    assert_eq!(one(new(4, sid)), Change::Disconnect { close: false });
    assert!(matches!(new(4, opts), Some(Incoming::Change { .. })));
    assert!(matches!(new(5, opts), Some(Incoming::Sockets { .. })));
    assert!(matches!(
        new(6, r#","data":["e"]"#),
        Some(Incoming::ServerEvent { from: Some(_), .. })
    ));
    // of an emitter, which has neither id nor name
    let emitted = r#"{"type":2,"opts":{"rooms":[5],"except":[]},"rooms":["j"]}"#;
    let Some(Incoming::Change { change, options }) = read(emitted) else { panic!("no change") };
    assert_eq!((change, options.rooms), (Change::Join("j".into_rooms()), "5".into_rooms()));
    // in both spellings: answered in that of 4.x
    let both = r#"{"uid":"u","requestId":"q","requestid":"q","type":0,"rooms":[]}"#;
    let Some(Incoming::Ids { from, .. }) = read(both) else { panic!("no request") };
    assert_eq!(from.line, Line::New);
    // the other spelling of a request that comes in this one as well
    assert!(read(r#"{"requestid":"q","type":2,"uid":"u"}"#).is_none());
    // its own
    assert!(read(r#"{"requestid":"ownuid7","type":0,"rooms":[]}"#).is_none());
    assert!(read(r#"{"uid":"ownuid","requestId":"ownuid7","type":1}"#).is_none());
}

#[test]
fn answers_are_in_the_line_of_the_request() {
    let codec = classic(Dialect::New, "/", "ownuid");
    let requester = |line| Requester { id: "q".to_owned(), node: Some("u".to_owned()), line };
    let answers = |line, answer, payload: &str| {
        let message = codec.answer(&requester(line), answer).unwrap();
        check(&message, "socket.io-response#/#", payload.as_bytes());
    };
    let ids = || Answer::Ids(vec!["S".into()]);
    answers(Line::Old, ids(), r#"{"requestid":"q","clients":["S"]}"#);
    answers(Line::New, ids(), r#"{"requestId":"q","sockets":["S"]}"#);
    answers(Line::Old, Answer::Done, r#"{"requestid":"q"}"#);
    answers(Line::New, Answer::Done, r#"{"requestId":"q"}"#);
    answers(Line::Old, Answer::Value(1.into()), r#"{"requestid":"q","data":1}"#);
    answers(Line::New, Answer::Value(1.into()), r#"{"type":6,"requestId":"q","data":1}"#);
    answers(Line::New, Answer::Rooms("r".into_rooms()), r#"{"requestId":"q","rooms":["r"]}"#);
    let mut socket = SocketDetails::new("S".into());
    socket.rooms = "S".into_rooms();
    socket.handshake = IndexMap::new().into();
    let payload =
        r#"{"requestId":"q","sockets":[{"id":"S","handshake":{},"rooms":["S"],"data":null}]}"#;
    answers(Line::New, Answer::Sockets(vec![socket]), payload);
}

#[test]
fn answers_are_read_on_both_channels() {
    let codec = classic(Dialect::New, "/", "ownuid");
    for channel in ["socket.io-response#/#", "socket.io-response#/#ownuid#"] {
        let read = |payload: &[u8]| match read(&codec, channel, payload) {
            Some(Incoming::Answer { id, answer, .. }) => {
                assert_eq!(id, "ownuid0");
                Some(answer)
            }
            None => None,
            other => panic!("{other:?}"),
        };
        let json = |more: &str| read(format!(r#"{{"requestId":"ownuid0"{more}}}"#).as_bytes());
        assert_eq!(json(""), Some(Answer::Done));
        assert_eq!(json(r#","type":6,"data":null"#), Some(Answer::Value(Value::Null)));
        assert_eq!(json(r#","type":8,"clientCount":3"#), Some(Answer::ClientCount(3)));
        for count in ["-1", "1e308", "\"x\"", "null", "{}", "0.5"] {
            assert_eq!(json(&format!(r#","type":8,"clientCount":{count}"#)), None, "{count}");
        }
        // what is no socket is skipped
        let sockets = json(r#","sockets":[5,null,"S",{},{"id":7},{"id":"T","rooms":["T"]}]"#);
        let Some(Answer::Sockets(sockets)) = sockets else { panic!("no sockets") };
        let ids: Vec<&str> = sockets.iter().map(|socket| socket.id.as_str()).collect();
        assert_eq!(ids, ["S", "T"]);
        assert_eq!(json(r#","sockets":5"#), None);
        let ids = read(br#"{"requestid":"ownuid0","clients":["S"]}"#);
        assert_eq!(ids, Some(Answer::Ids(vec!["S".into()])));
        let ack =
            object([("type", 9.into()), ("requestId", "ownuid0".into()), ("packet", bytes(&[1]))]);
        assert_eq!(read(&msgpack(&ack)), Some(Answer::Client(bytes(&[1]))));
    }
}

/// Nothing that is no message is taken for one.
#[test]
fn malformed_messages() {
    let codec = classic(Dialect::New, "/", "ownuid");
    let is_refused = |channel: &str, payload: &[u8]| {
        assert!(codec.decode(channel, payload, &|_| true).is_err(), "{payload:02x?}");
    };
    let good = hex(B_HI);
    for end in 0..good.len() {
        is_refused("socket.io#/#", &good[..end]);
    }
    for length in ["ddffffffff", "dfffffffff", "dbffffffff61", "c6ffffffff00", "c9ffffffff05"] {
        is_refused("socket.io#/#", &hex(length));
    }
    is_refused("socket.io#/#", &[0x91; 200_000]);
    let packet = |kind: i64, data: Value| {
        let packet = object([("type", kind.into()), ("data", data), ("nsp", "/".into())]);
        let opts = object([("rooms", Value::Array(Box::default()))]);
        msgpack(&Value::from(vec!["u".into(), packet, opts]))
    };
    for kind in [0, 1, 3, 4, 6, 7, -1, 255] {
        is_refused("socket.io#/#", &packet(kind, ["e"].into()));
    }
    for name in ["connect", "connect_error", "disconnect", "disconnecting"] {
        is_refused("socket.io#/#", &packet(2, [name].into()));
    }
    for data in [Value::Null, "e".into(), Value::Array(Box::default()), [true].into()] {
        is_refused("socket.io#/#", &packet(2, data));
    }
    // a number is a name, as JavaScript prints it
    let payload = packet(2, vec![Value::Float(1.5), "x".into()].into());
    reads(&codec, "socket.io#/#", &payload, ("1.5", &["x".into()]), &to(NONE, NONE));
    for request in [
        "",
        "{",
        "[]",
        "null",
        "5",
        "{}",
        r#"{"type":null}"#,
        r#"{"uid":"x","requestId":"q","type":"five"}"#,
        r#"{"uid":"x","requestId":"q","type":5}"#,
        r#"{"uid":"x","requestId":"q","type":5,"opts":{"rooms":"r1"}}"#,
        r#"{"uid":"x","type":5,"opts":{}}"#,
        r#"{"uid":"x","type":2,"opts":{"rooms":[]}}"#,
        r#"{"uid":"x","type":6,"data":[]}"#,
        r#"{"uid":"x","requestId":"q","type":7,"packet":5,"opts":{}}"#,
        r#"{"requestid":"q","type":3}"#,
        r#"{"requestid":"q","type":6,"sid":{"a":1}}"#,
        r#"{"requestid":7,"type":0}"#,
    ] {
        is_refused("socket.io-request#/#", request.as_bytes());
    }
}

// ---- sharded ----------------------------------------------------------------------------------

#[test]
fn values_of_messages_are_bounded() {
    assert!(parse(&[0x91; 1_000]).is_err());
    assert!(parse("[".repeat(1_000).as_bytes()).is_err());
    assert!(parse(br#"{"a":1}"#).is_ok());
}

// ---- recorded ---------------------------------------------------------------------------------

const B_HI: &str = "93a6577a3666466783a47479706502a46461746193a268690181a161a2c3a9a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380";
const B_BIN: &str = "93a6577a3666466783a47479706502a46461746192a362696ec403010203a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380";
const B_ONE: &str = "93a6577a3666466783a47479706502a46461746191a36f6e65a36e7370a12f83a5726f6f6d7391a27231a665786365707490a5666c61677380";
const B_TWO: &str = "93a6577a3666466783a47479706502a46461746191a374776fa36e7370a12f83a5726f6f6d7392a27231a27232a665786365707491a27233a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2";
const B_SB: &str = "93a6577a3666466783a47479706502a46461746191a27362a36e7370a12f83a5726f6f6d7391a27231a665786365707491b4465066445763694a396c306378706b5941414142a5666c61677380";
const B_CHAT: &str = "93a6445a6c7a465283a47479706502a46461746191a163a36e7370a52f6368617483a5726f6f6d7390a665786365707490a5666c61677380";
const B_EM: &str = "93a7656d697474657283a47479706502a46461746192a666726f6d656d01a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490";
const B_EM1: &str = "93a7656d697474657283a47479706502a46461746192a766726f6d656d31c40109a36e7370a12f83a5726f6f6d7391a27231a5666c61677380a665786365707490";
const A_HI: &str = "93a66d514f6c497383a47479706502a46461746193a268690181a161a2c3a9a36e7370a12f82a5726f6f6d7390a5666c61677380";
const A_BIN: &str = "93a66d514f6c497383a47479706505a46461746192a362696ec403010203a36e7370a12f82a5726f6f6d7390a5666c61677380";
const A_SB: &str = "93a66d514f6c497383a47479706502a46461746191a27362a36e7370a12f83a665786365707491b45052336178385347324c4a777a57593941414142a5726f6f6d7391a27231a5666c61677381a962726f616463617374c3";
const A_SB2: &str = "93a66d514f6c497383a47479706502a46461746191a3736232a36e7370a12f83a665786365707491b45052336178385347324c4a777a57593941414142a5726f6f6d7390a5666c61677382a8636f6d7072657373c2a962726f616463617374c3";
const A_EM: &str = "93a7656d697474657283a47479706502a46461746193a666726f6d656d01c40107a36e7370a12f82a5726f6f6d7390a5666c61677380";
const B_ASK: &str = "85a3756964a6577a36664667a9726571756573744964a64e3378334a54a47479706507a67061636b657483a47479706502a46461746192a361736b01a36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd01f4";
const B_ACK: &str = "83a47479706509a9726571756573744964a64e3378334a54a67061636b6574b1616e732d66726f6d2d422d636c69656e74";
const D_BIN: &str = "84a47479706503a46461746182a67061636b657482a47479706502a46461746192a362696ec403010203a46f70747383a5726f6f6d7390a665786365707490a5666c61677380a3756964b038303531646337373666356163656530a36e7370a12f";

/// The sender of what servers 2.x were recorded with.
const SB_ID: &str = "PR3ax8SG2LJwzWY9AAAB";
