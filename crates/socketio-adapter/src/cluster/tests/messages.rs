//! The common message form over a log with channels beside it (`@socket.io/redis-streams-adapter`
//! 0.3.1 and its emitter), and over one channel for all (`@socket.io/postgres-adapter` 0.5.0).

use super::*;
use crate::cluster::formats::channels::Naming;
use crate::cluster::log::{Entry, Offset};
use crate::cluster::message::{Change, Malformed, Received};
use crate::cluster::peers::EMITTER;

const UID: &str = "27dc0be9b32c8807";

fn streams(uid: &str) -> MessageFormat {
    let naming = ShardedNames { prefix: "socket.io".to_owned(), rooms: RoomChannels::None };
    MessageFormat::new(Arc::new(naming), DataForm::Msgpack, true, "/", uid.to_owned())
}

/// One channel for all, as over Postgres.
#[derive(Debug)]
struct OneChannel;

impl Naming for OneChannel {
    fn all(&self, namespace: &str) -> String {
        format!("socket.io#{namespace}")
    }

    fn implies_namespace(&self) -> bool {
        true
    }
}

fn one_channel(uid: &str) -> MessageFormat {
    MessageFormat::new(Arc::new(OneChannel), DataForm::Json, false, "/", uid.to_owned())
}

#[track_caller]
fn entry(message: Option<Message>, kind: u8, text: &str) {
    let Some(Message::Appended { kind: is, data }) = message else { panic!("{message:?}") };
    assert_eq!((is, std::str::from_utf8(&data).unwrap()), (kind, text));
}

fn read_entry(uid: &str, kind: &str, data: Option<&str>) -> Result<Received, Malformed> {
    let entry = Entry {
        part: 0,
        offset: Offset(1, 0),
        namespace: "/".to_owned(),
        uid: Some(uid.into()),
        kind: Some(kind.into()),
        data: data.map(|data| data.as_bytes().to_vec()),
    };
    streams(UID).decode_entry(&entry, false)
}

#[test]
fn what_tells_something_is_an_entry() {
    let codec = streams(UID);
    let broadcast = |name: &str, args: &[Value], options: &BroadcastOptions| {
        Some(codec.broadcast(&data(&codec, name, args), options))
    };
    entry(
        broadcast("hi", &[1.into(), a_is_e()], &to(NONE, NONE)),
        3,
        r#"{"packet":{"type":2,"data":["hi",1,{"a":"é"}]},"opts":{"rooms":[],"except":[],"flags":{}}}"#,
    );
    entry(
        broadcast("bin", &[bytes(&[1, 2, 3])], &to(NONE, NONE)),
        3,
        "gqZwYWNrZXSCpHR5cGUCpGRhdGGSo2JpbsQDAQIDpG9wdHODpXJvb21zkKZleGNlcHSQpWZsYWdzgA==",
    );
    let mut options = to(["r1", "r2"], "r3");
    (options.volatile, options.compress) = (true, Some(false));
    entry(
        broadcast("two", &[], &options),
        3,
        r#"{"packet":{"type":2,"data":["two"]},"opts":{"rooms":["r1","r2"],"except":["r3"],"flags":{"volatile":true,"compress":false}}}"#,
    );
    let said = BroadcastOptions { compress: Some(true), ..to(NONE, NONE) };
    entry(
        broadcast("c", &[], &said),
        3,
        r#"{"packet":{"type":2,"data":["c"]},"opts":{"rooms":[],"except":[],"flags":{"compress":true}}}"#,
    );
    entry(
        broadcast("sb", &[], &from("7JdcJSa0sFdE-nEvAAAA", "r1")),
        3,
        r#"{"packet":{"type":2,"data":["sb"]},"opts":{"rooms":["r1"],"except":["7JdcJSa0sFdE-nEvAAAA"],"flags":{}}}"#,
    );
    let join = Change::Join(["j1", "j2"].into_rooms());
    entry(
        codec.change(&join, &to("r1", NONE)),
        4,
        r#"{"opts":{"rooms":["r1"],"except":[],"flags":{}},"rooms":["j1","j2"]}"#,
    );
    entry(
        codec.change(&Change::Leave("j1".into_rooms()), &to("r1", NONE)),
        5,
        r#"{"opts":{"rooms":["r1"],"except":[],"flags":{}},"rooms":["j1"]}"#,
    );
    entry(
        codec.change(&Change::Disconnect { close: true }, &to("nobody", NONE)),
        6,
        r#"{"opts":{"rooms":["nobody"],"except":[],"flags":{}},"close":true}"#,
    );
}

#[test]
fn what_is_answered_goes_over_channels() {
    let codec = streams(UID);
    let plan = |request: &Request<'_>, id: &str| {
        let mut plan = codec.plan((!id.is_empty()).then_some(id), request).unwrap();
        assert_eq!(plan.messages.len(), 1);
        plan.messages.remove(0)
    };
    let all = to(NONE, NONE);
    check(
        &plan(&Request::Sockets { options: &all }, "b220a13324c40e7e"),
        "socket.io#/#",
        &hex(
            "84a47479706507a46461746182a46f70747383a5726f6f6d7390a665786365707490a5666c61677380a9726571756573744964b062323230613133333234633430653765a3756964b032376463306265396233326338383037a36e7370a12f",
        ),
    );
    check(
        &plan(&Request::ServerEvent { event: "hello", args: &[1.into()] }, ""),
        "socket.io#/#",
        &hex(
            "84a47479706509a46461746181a67061636b657492a568656c6c6f01a3756964b032376463306265396233326338383037a36e7370a12f",
        ),
    );
    let sum = Request::ServerEvent { event: "sum", args: &[1.into(), 2.into()] };
    check(
        &plan(&sum, "b83e35b2b197e3c1"),
        "socket.io#/#",
        &hex(
            "84a47479706509a46461746182a9726571756573744964b062383365333562326231393765336331a67061636b657493a373756d0102a3756964b032376463306265396233326338383037a36e7370a12f",
        ),
    );
    let event = data(&codec, "ask", &[1.into()]);
    let ask = Request::Ask { event: &event, options: &all, timeout: 500 };
    check(
        &plan(&ask, "1b870e02f8798e78"),
        "socket.io#/#",
        &hex(
            "84a47479706503a46461746183a67061636b657482a47479706502a46461746192a361736b01a9726571756573744964b031623837306530326638373938653738a46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd01f4a3756964b032376463306265396233326338383037a36e7370a12f",
        ),
    );
    // answers of the other node, to the channel of the one that asked
    let other = streams("f1cdd4214cd1d4ae");
    let requester =
        |id: &str| Requester { id: id.to_owned(), node: Some(UID.to_owned()), line: Line::New };
    let channel = format!("socket.io#/#{UID}#");
    for (id, answer, payload) in [
        (
            "b83e35b2b197e3c1",
            Answer::Value(3.into()),
            "84a4747970650aa46461746182a9726571756573744964b062383365333562326231393765336331a67061636b657403a3756964b066316364643432313463643164346165a36e7370a12f",
        ),
        (
            "1b870e02f8798e78",
            Answer::ClientCount(1),
            "84a4747970650ba46461746182a9726571756573744964b031623837306530326638373938653738ab636c69656e74436f756e7401a3756964b066316364643432313463643164346165a36e7370a12f",
        ),
        (
            "1b870e02f8798e78",
            Answer::Client("ans".into()),
            "84a4747970650ca46461746182a9726571756573744964b031623837306530326638373938653738a67061636b6574a3616e73a3756964b066316364643432313463643164346165a36e7370a12f",
        ),
    ] {
        check(&other.answer(&requester(id), answer).unwrap(), &channel, &hex(payload));
    }
}

#[test]
fn entries_of_servers_and_emitters_are_read() {
    let incoming = |uid: &str, kind: &str, data: &str| {
        let read = read_entry(uid, kind, Some(data)).unwrap();
        read.incoming.unwrap()
    };
    let Incoming::Broadcast { event, options } = incoming(
        EMITTER,
        "3",
        "gqZwYWNrZXSDpHR5cGUCpGRhdGGSoW3EAQmjbnNwoS+kb3B0c4Olcm9vbXORonIxpWZsYWdzgah2b2xhdGlsZcOmZXhjZXB0kaJyMg==",
    ) else {
        panic!("a broadcast")
    };
    assert_eq!(event, Event { name: "m".to_owned(), args: vec![bytes(&[9])] });
    assert_eq!((&options.rooms, &options.except), (&"r1".into_rooms(), &"r2".into_rooms()));
    assert!(options.volatile);
    let text = r#"{"packet":{"type":2,"data":["fromem",1],"nsp":"/"},"opts":{"rooms":[],"flags":{},"except":[]}}"#;
    assert!(matches!(incoming(EMITTER, "3", text), Incoming::Broadcast { .. }));
    let join = r#"{"opts":{"rooms":["r1"],"flags":{},"except":[]},"rooms":["j1"]}"#;
    let Incoming::Change { change, .. } = incoming(EMITTER, "4", join) else { panic!("a join") };
    assert_eq!(change, Change::Join("j1".into_rooms()));
    let emit = r#"{"packet":["hello",1]}"#;
    assert!(matches!(incoming(EMITTER, "9", emit), Incoming::ServerEvent { from: None, .. }));
    // of the older line: signs, and requests
    assert_eq!(read_entry("a", "1", None).unwrap().sender.unwrap().sign, Sign::Hello);
    assert_eq!(read_entry("a", "13", None).unwrap().sender.unwrap().sign, Sign::Farewell);
    let fetch = r#"{"opts":{"rooms":[],"except":[],"flags":{}},"requestId":"q"}"#;
    assert!(matches!(incoming("a", "7", fetch), Incoming::Sockets { .. }));
    // of this node, and of later releases
    assert!(read_entry(UID, "3", Some(text)).unwrap().incoming.is_none());
    for kind in ["14", "99999"] {
        assert!(read_entry("a", kind, Some(text)).unwrap().incoming.is_none(), "{kind}");
    }
}

#[test]
fn entries_that_are_none() {
    let good = r#"{"packet":{"type":2,"data":["x"]},"opts":{"rooms":[],"except":[],"flags":{}}}"#;
    for kind in ["", "three", "3.5", "-3", "+3", " 3", "3 ", "18446744073709551616"] {
        assert!(read_entry("a", kind, Some(good)).is_err(), "type {kind:?}");
    }
    for data in [
        None,
        Some(""),
        Some("{"),
        Some("[]"),
        Some("null"),
        Some("%%%"),
        Some("wQ=="),
        Some("k6c="),
        Some("3////w=="),
        Some("{}"),
        Some(r#"{"packet":5,"opts":{}}"#),
        Some(r#"{"packet":{"type":2,"data":["x"]},"opts":{"rooms":5}}"#),
        Some(r#"{"packet":{"type":3,"data":["x"]},"opts":{"rooms":[]}}"#),
        Some(r#"{"packet":{"type":2,"data":["disconnect"]},"opts":{"rooms":[]}}"#),
    ] {
        assert!(read_entry("a", "3", data).is_err(), "{data:?}");
    }
    let none = Entry { namespace: "/".to_owned(), ..Entry::default() };
    assert!(streams(UID).decode_entry(&none, false).is_err());
}

#[test]
fn what_an_emitter_tells_the_servers_is_an_entry() {
    let codec = streams(EMITTER);
    let hello = Request::ServerEvent { event: "hello", args: &[1.into()] };
    let mut plan = codec.plan(None, &hello).unwrap();
    entry(plan.messages.pop(), 9, r#"{"packet":["hello",1]}"#);
    let with_bytes = Request::ServerEvent { event: "hello", args: &[bytes(&[9])] };
    let mut plan = codec.plan(None, &with_bytes).unwrap();
    entry(plan.messages.pop(), 9, "gaZwYWNrZXSSpWhlbGxvxAEJ");
}

#[test]
fn over_one_channel_the_namespace_may_be_left_out() {
    let codec = one_channel("1275a66ab38dcddf");
    assert_eq!(codec.subscriptions().len(), 1);
    let hello = codec.sign(Sign::Hello).unwrap();
    check(&hello, "socket.io#/", br#"{"type":1,"uid":"1275a66ab38dcddf","nsp":"/"}"#);
    let requester = Requester { id: "q".to_owned(), node: Some("a".to_owned()), line: Line::New };
    check(
        &codec.answer(&requester, Answer::Value(3.into())).unwrap(),
        "socket.io#/",
        br#"{"type":10,"data":{"requestId":"q","packet":3},"uid":"1275a66ab38dcddf","nsp":"/"}"#,
    );
    let emitted = br#"{"type":3,"data":{"packet":{"type":2,"data":["fromem",1],"nsp":"/"},"opts":{"rooms":[],"flags":{},"except":[]}},"uid":"emitter"}"#;
    let read = codec.decode("socket.io#/", emitted, &|_| true).unwrap();
    assert!(matches!(read.incoming, Some(Incoming::Broadcast { .. })));
    assert!(named("a").decode("socket.io#/#", emitted, &|_| true).is_err());
}
