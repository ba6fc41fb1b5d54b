//! The common message form over the channels of the sharded adapter.

use super::*;

#[test]
fn sharded_messages_are_sent() {
    let codec = sharded();
    let all = to(NONE, NONE);
    let end = r#""uid":"8051dc776f5acee0","nsp":"/"}"#;
    let broadcast = |data: &str, rooms: &str| {
        format!(
            r#"{{"type":3,"data":{{"packet":{{"type":2,"data":{data}}},"opts":{{"rooms":[{rooms}],"except":[],"flags":{{}}}}}},{end}"#
        )
    };
    let hi = broadcast(r#"["hi",1,{"a":"é"}]"#, "");
    sends(&codec, ("hi", &[1.into(), a_is_e()]), &all, "socket.io#/#", hi.as_bytes());
    sends(&codec, ("bin", &[bytes(&[1, 2, 3])]), &all, "socket.io#/#", &hex(D_BIN));
    let one = broadcast(r#"["one"]"#, "\"r1\"");
    sends(&codec, ("one", &[]), &to("r1", NONE), "socket.io#/#r1#", one.as_bytes());
    // a name of twenty units is taken for an id
    let twenty = broadcast(r#"["one"]"#, "\"aaaaaaaaaaaaaaaaaaaa\"");
    let to_twenty = to("a".repeat(20), NONE);
    sends(&codec, ("one", &[]), &to_twenty, "socket.io#/#", twenty.as_bytes());

    let event = data(&codec, "ask", &[1.into()]);
    let ask = Request::Ask { event: &event, options: &all, timeout: 500 };
    let plan = codec.plan(Some("2e7f5cc39984cdb1"), &ask).unwrap();
    let payload = format!(
        r#"{{"type":3,"data":{{"packet":{{"type":2,"data":["ask",1]}},"requestId":"2e7f5cc39984cdb1","opts":{{"rooms":[],"except":[],"flags":{{"timeout":500}}}}}},{end}"#
    );
    check(&plan.messages[0], "socket.io#/#", payload.as_bytes());
    let plan = codec.plan(Some("2a"), &Request::Sockets { options: &all }).unwrap();
    let payload = format!(
        r#"{{"type":7,"data":{{"opts":{{"rooms":[],"except":[],"flags":{{}}}},"requestId":"2a"}},{end}"#
    );
    check(&plan.messages[0], "socket.io#/#", payload.as_bytes());
    let join = Change::Join(["j1", "j2"].into_rooms());
    let payload = format!(
        r#"{{"type":4,"data":{{"opts":{{"rooms":["r1"],"except":[],"flags":{{}}}},"rooms":["j1","j2"]}},{end}"#
    );
    let message = codec.change(&join, &to("r1", NONE)).unwrap();
    check(&message, "socket.io#/#", payload.as_bytes());
    let event = Request::ServerEvent { event: "hello", args: &[1.into()] };
    let plan = codec.plan(None, &event).unwrap();
    let payload = format!(r#"{{"type":9,"data":{{"packet":["hello",1]}},{end}"#);
    check(&plan.messages[0], "socket.io#/#", payload.as_bytes());
    let to = Requester {
        id: "q".to_owned(),
        node: Some("0f55d409273ff52c".to_owned()),
        line: Line::New,
    };
    let count = codec.answer(&to, Answer::ClientCount(1)).unwrap();
    let payload = format!(r#"{{"type":11,"data":{{"requestId":"q","clientCount":1}},{end}"#);
    check(&count, "socket.io#/#0f55d409273ff52c#", payload.as_bytes());
}

#[test]
fn sharded_messages_are_read() {
    let codec = named("aa");
    let all = to(NONE, NONE);
    // on whatever channel: a room may have the name of a node
    for channel in ["socket.io#/#", "socket.io#/#aa#", "socket.io#/#r1#"] {
        let bin: (&str, &[Value]) = ("bin", &[bytes(&[1, 2, 3])]);
        reads(&codec, channel, &hex(D_BIN), bin, &all);
    }
    let message = |kind: i64, data: &str| {
        let json = format!(r#"{{"type":{kind},"data":{data},"uid":"bb","nsp":"/"}}"#);
        read(&codec, "socket.io#/#", json.as_bytes())
    };
    let opts = r#""opts":{"rooms":["r1"],"except":[],"flags":{"timeout":500}}"#;
    let ask =
        message(3, &format!(r#"{{"packet":{{"type":2,"data":["e"]}},"requestId":"q",{opts}}}"#));
    assert!(matches!(ask, Some(Incoming::Ask { timeout: Some(500), .. })), "{ask:?}");
    let fetch = message(7, &format!(r#"{{{opts},"requestId":"q"}}"#));
    assert!(matches!(fetch, Some(Incoming::Sockets { .. })), "{fetch:?}");
    let answer = message(11, r#"{"requestId":"q","clientCount":2}"#);
    let Some(Incoming::Answer { node, answer, .. }) = answer else { panic!("no answer") };
    assert_eq!((node.as_deref(), answer), (Some("bb"), Answer::ClientCount(2)));
    // signs of nodes, and what comes with later releases
    for kind in [1, 2, 13, 99] {
        assert!(message(kind, "{}").is_none());
    }
    for json in [
        "",
        "{}",
        r#"{"type":3}"#,
        r#"{"type":3,"nsp":"/","uid":"x"}"#,
        r#"{"type":3,"nsp":"/","uid":"x","data":{"packet":{"type":2},"opts":{}}}"#,
        r#"{"type":4,"nsp":"/","uid":"x","data":{"rooms":["a"]}}"#,
        r#"{"type":7,"nsp":"/","uid":"x","data":{"requestId":"q"}}"#,
        r#"{"type":9,"nsp":"/","uid":"x","data":{"packet":7}}"#,
    ] {
        let read = codec.decode("socket.io#/#", json.as_bytes(), &|_| true);
        assert!(read.is_err(), "{json}");
    }
}

/// As recorded over Postgres.
#[test]
fn nodes_show_themselves() {
    let signs = [(Sign::Hello, 1), (Sign::Alive, 2), (Sign::Farewell, 13)];
    for (sign, kind) in signs {
        let message = sharded().sign(sign).expect("it has heartbeats");
        let payload = format!(r#"{{"type":{kind},"uid":"8051dc776f5acee0","nsp":"/"}}"#);
        check(&message, "socket.io#/#", payload.as_bytes());
        let other = named("aa");
        let read = other.decode("socket.io#/#", payload.as_bytes(), &|_| true).unwrap();
        let sender = Sender { node: "8051dc776f5acee0".to_owned(), sign };
        assert_eq!(read.sender, Some(sender));
        assert!(read.incoming.is_none());
        // of this node, and of another namespace
        let chat = payload.replace(r#""nsp":"/""#, r#""nsp":"/chat""#);
        for (codec, payload) in [(&sharded(), &payload), (&other, &chat)] {
            let read = codec.decode("socket.io#/#", payload.as_bytes(), &|_| true).unwrap();
            assert_eq!(read.sender, None);
        }
    }
    // every message is a sign, an unknown one too
    for kind in [3, 99] {
        let data = r#"{"packet":{"type":2,"data":["e"]},"opts":{}}"#;
        let json = format!(r#"{{"type":{kind},"data":{data},"uid":"bb","nsp":"/"}}"#);
        let read = sharded().decode("socket.io#/#", json.as_bytes(), &|_| true).unwrap();
        let sender = Sender { node: "bb".to_owned(), sign: Sign::Alive };
        assert_eq!(read.sender, Some(sender));
    }
    assert_eq!(classic(Dialect::New, "/", "aaaaaa").sign(Sign::Alive), None);
}
