//! What clients must not send: packets that are none, attachments that lie, limits that are broken.
//!
//! Each row is a session of its own. A witness in the same server sees nothing of it, and nothing
//! is left of it.

use std::time::Duration;

use socketio::{Ack, Args, ConnectError, Server, Socket};
use testkit::{Eio, Frame, Polling};

use crate::support::{Log, Peer, SECOND, connector, leave_nothing, nothing_left};

/// What becomes of a client.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It is told this, and goes on.
    Answer(&'static str),
    /// Nothing comes, and it goes on.
    Nothing,
    /// Its connection ends, with this reason.
    End(&'static str),
}

use Then::{Answer, End, Nothing};

const FORCED: Then = End("forced close");
const STATE: Then = End("forced server close");

/// The application: `e` comes back as `r`, and is acknowledged with its own arguments.
fn application() -> (Server, Log) {
    let (io, log) = (Server::new(), Log::default());
    for nsp in ["/", "/chat"] {
        let log = log.clone();
        io.of(nsp).on_connection(move |socket: Socket| {
            log.watch(&socket);
            socket.on(
                "e",
                |socket: Socket, args: Args, ack: Ack| {
                    if ack.is_wanted() { ack.send(args) } else { socket.emit("r", args) }
                },
            );
        });
    }
    io.of("/admin").use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("nope")));
    (io, log)
}

/// Sends packets, text or `<`attachment, to a client in `/`, and looks at what becomes of it.
async fn check(eio: Eio, packets: &[&str], then: Then) {
    let (io, log) = application();
    let server = connector(&io);
    let mut witness = Peer::join(&server, eio).await;
    let mut peer = Peer::join(&server, eio).await;
    for packet in packets {
        match packet.strip_prefix('<') {
            Some(content) => peer.send_binary(content.as_bytes()).await,
            None => peer.send(packet).await,
        }
    }
    let what =
        format!("{eio:?} {:?}", packets.iter().map(|p| &p[..p.len().min(60)]).collect::<Vec<_>>());
    let next = async |peer: &mut Peer| {
        let next = tokio::time::timeout(SECOND, peer.ws.next()).await;
        next.unwrap_or_else(|_| panic!("{what}: nothing came"))
    };
    let reason = match then {
        Answer(answer) => {
            assert_eq!(next(&mut peer).await, Frame::Text(answer.to_owned()), "{what}");
            "transport close"
        }
        Nothing => "transport close",
        End(reason) => {
            let end = next(&mut peer).await;
            // it is said why
            let Frame::Close(Some(1008 | 1009), why) = &end else { panic!("{what}: {end:?}") };
            assert!(!why.is_empty(), "{what}");
            reason
        }
    };
    if !matches!(then, End(_)) {
        peer.send(r#"420["e","alive"]"#).await;
        assert_eq!(next(&mut peer).await, Frame::Text(r#"430["alive"]"#.to_owned()), "{what}");
    }
    witness.send(r#"420["e","witness"]"#).await;
    assert_eq!(witness.next().await, r#"430["witness"]"#, "{what}");
    drop(peer);
    let end = log.take().await;
    assert_eq!(end.len(), 2, "{what}: {end:?}");
    assert_eq!(end[1], format!("/ disconnect: {reason}, 0 rooms"), "{what}");
    assert_eq!(io.stats().handler_panics, 0, "{what}");
    leave_nothing(&io, [witness]).await;
}

/// What a WebSocket is closed for stands in its close frame; an ordinary end has an empty one.
#[tokio::test(start_paused = true)]
async fn the_close_frame_says_why() {
    let limits = |limits: &mut socketio::options::Limits| {
        limits.packet.max_packet_bytes = 400;
        limits.packet.max_depth = 4;
    };
    let io = Server::builder().limits(limits).build().unwrap();
    io.on_connection(|socket: Socket| {
        socket.on("panic", || -> () { panic!("as asked for") });
        socket.on("leave", |socket: Socket| socket.disconnect(true));
    });
    let server = connector(&io);
    let large = format!(r#"42["e","{}"]"#, "x".repeat(400));
    for (packet, code, why) in [
        (r#"42["e",[[[[[]]]]]]"#, Some(1008), "max_depth"),
        (&large, Some(1009), "max_packet_bytes"),
        ("4x", Some(1008), "no Socket.IO packet"),
        ("x", Some(1008), "no Engine.IO packet"),
        ("2", Some(1008), "heartbeat in the wrong direction"),
        ("40", Some(1008), "a second CONNECT"),
        (r#"42/a,["e"]"#, Some(1008), "a packet for a namespace that is not joined"),
        (r#"42["panic"]"#, Some(1011), "internal error"),
        (r#"42["leave"]"#, None, ""),
    ] {
        let mut peer = Peer::join(&server, Eio::V4).await;
        peer.send(packet).await;
        if code.is_none() {
            peer.expect("41").await;
        }
        assert_eq!(peer.ws.next().await, Frame::Close(code, why.to_owned()), "{packet}");
    }
    // who never joins
    let io = Server::builder().connect_timeout(Duration::from_secs(3)).build().unwrap();
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    assert_eq!(peer.ws.next().await, Frame::Close(Some(1008), "connect_timeout".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn packets_of_new_clients() {
    let deep = |depth: usize| format!(r#"42["e",{}{}]"#, "[".repeat(depth), "]".repeat(depth));
    let many = format!(r#"42["zz"{}]"#, ",0".repeat(200_000));
    let long_id = format!(r#"42{}["e",1]"#, "9".repeat(400));
    for (packet, then) in [
        ("4", FORCED),
        ("47", FORCED),
        ("4a", FORCED),
        ("4-1", FORCED),
        ("42", FORCED),
        ("42{}", FORCED),
        ("42[]", FORCED),
        ("42[null]", FORCED),
        ("42[{}]", FORCED),
        (r#"42"e""#, FORCED),
        (r#"42["e","#, FORCED),
        (r#"42["e",1]x"#, FORCED),
        (r#"42["e",NaN]"#, FORCED),
        (r#"42["e",01]"#, FORCED),
        ("42[\"e\",1]  \n", Answer(r#"42["r",1]"#)),
        ("42[\"e\",\"\u{1}\"]", FORCED),
        (r#"42["error","boo"]"#, Nothing),
        (r#"42["error",{}]"#, Nothing),
        (r#"42["toString"]"#, Nothing),
        (r#"42["__proto__"]"#, Nothing),
        (r#"42[""]"#, Nothing),
        (r#"42["connection"]"#, Nothing),
        ("42[1]", Nothing),
        ("42[true]", FORCED),
        (r#"42["e",1e999]"#, Answer(r#"42["r",null]"#)),
        (r#"42["e",{"a":1,"a":2}]"#, Answer(r#"42["r",{"a":2}]"#)),
        (r#"42["e","\udfff"]"#, Answer("42[\"r\",\"\u{fffd}\"]")),
        (&deep(600), FORCED),
        (&deep(5_000), FORCED),
        (&deep(100_000), FORCED),
        (&many, FORCED),
        (
            r#"42["e",{"__proto__":{"x":1},"constructor":2}]"#,
            Answer(r#"42["r",{"__proto__":{"x":1},"constructor":2}]"#),
        ),
        (r#"429007199254740991["e",1]"#, Answer("439007199254740991[1]")),
        (&long_id, FORCED),
        (r#"42-1["e",1]"#, FORCED),
        (r#"421.5["e",1]"#, FORCED),
        (r#"42 ["e",1]"#, FORCED),
        ("43[1]", Nothing),
        ("4399[1]", Nothing),
        ("431{}", FORCED),
        ("41{}", FORCED),
        (r#"44{"message":"x"}"#, STATE),
        ("40", STATE),
        (r#"42/chat,["e",1]"#, STATE),
        ("43/chat,1[]", STATE),
        ("42/chat", FORCED),
        ("40/nope,", Answer(r#"44/nope,{"message":"Invalid namespace"}"#)),
        ("40/admin,", Answer(r#"44/admin,{"message":"nope"}"#)),
        (r#"40/chat,[]"#, FORCED),
        (r#"40/chat,"x""#, FORCED),
        (r#"40/chat,null"#, FORCED),
    ] {
        check(Eio::V4, &[packet], then).await;
    }
    check(Eio::V4, &[&deep(500)], Answer(deep(500).replacen("\"e\"", "\"r\"", 1).leak())).await;
}

/// Old clients are forgiven what their server forgave.
#[tokio::test(start_paused = true)]
async fn packets_of_old_clients() {
    for (packet, then) in [
        ("4", FORCED),
        ("47", Nothing),
        ("4x", Nothing),
        ("42", Nothing),
        ("42{}", Nothing),
        (r#"42"x""#, Nothing),
        ("42[]", Nothing),
        ("42[1]", Nothing),
        ("42[null]", Nothing),
        ("42[false]", Nothing),
        (r#"42["e","#, FORCED),
        (r#"42["error","boo"]"#, Nothing),
        ("4399[1]", Nothing),
        ("45x-[1]", FORCED),
        (r#"450-["e",1]"#, Answer(r#"42["r",1]"#)),
        (r#"42 ["e",1]"#, FORCED),
        ("40", Nothing),
        (r#"42/chat,["e",1]"#, Nothing),
        (r#"44"boo""#, Nothing),
        ("40/nope", Answer(r#"44/nope,"Invalid namespace""#)),
        ("40/nope?a=b", Answer(r#"44/nope,"Invalid namespace""#)),
        ("40/admin,", Answer(r#"44/admin,"nope""#)),
        (r#"42["disconnect","spoof"]"#, FORCED),
    ] {
        check(Eio::V3, &[packet], then).await;
    }
}

#[tokio::test(start_paused = true)]
async fn attachments() {
    const ONE: &str = r#"451-["e",{"_placeholder":true,"num":0}]"#;
    for eio in [Eio::V3, Eio::V4] {
        for (packets, then) in [
            (&[r#"4511-["e"]"#][..], FORCED),
            (&[r#"451000000000-["e"]"#], FORCED),
            (&[r#"45-1-["e"]"#], FORCED),
            (&[r#"451.5-["e"]"#], FORCED),
            (&["45"], FORCED),
            (&[r#"451e1-["e"]"#], FORCED),
            (&[r#"450x1-["e"]"#], FORCED),
            (&[r#"45 1-["e"]"#], FORCED),
            (&[r#"451-["e",{"_placeholder":true,"num":1}]"#], FORCED),
            (&[r#"451-["e",{"_placeholder":true,"num":-1}]"#], FORCED),
            (&[r#"451-["e",{"_placeholder":true,"num":"splice"}]"#], FORCED),
            (&[r#"451-["e",{"_placeholder":true}]"#], FORCED),
            (&[r#"451-["e",{"_placeholder":true,"num":0.5}]"#], FORCED),
            (&[r#"451-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#], FORCED),
            // a packet that comes where attachments are awaited, and the other way round
            (&[ONE, r#"42["e",1]"#], FORCED),
            (&["<unasked"], FORCED),
            (&[r#"451-["zz",{"_placeholder":true,"num":0}]"#, "<first", "<second"], FORCED),
            (&[r#"461-1[{"_placeholder":true,"num":0}]"#, "<nobody asked"], Nothing),
            // no placeholder for it
            (&[r#"451-["e",1]"#, "<x"], Answer(r#"42["r",1]"#)),
        ] {
            check(eio, packets, then).await;
        }
    }
    check(Eio::V4, &[r#"450-["e"]"#], FORCED).await;
    check(Eio::V4, &[r#"45-["e"]"#], FORCED).await;
    check(Eio::V3, &[r#"45-["e"]"#], Answer(r#"42["r"]"#)).await;
    check(Eio::V4, &[r#"451["e"]"#], FORCED).await;
    check(Eio::V4, &[r#"451-[{"_placeholder":true,"num":0}]"#, "<name"], FORCED).await;
}

#[tokio::test(start_paused = true)]
async fn attachments_that_are_right() {
    for eio in [Eio::V3, Eio::V4] {
        let (io, _) = application();
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        // packets of the engine may come between
        peer.send(r#"451-["e",{"_placeholder":true,"num":0}]"#).await;
        peer.send(if eio == Eio::V3 { "2" } else { "3" }).await;
        if eio == Eio::V3 {
            peer.expect("3").await;
        }
        peer.send("6").await;
        peer.send_binary(&[1, 2]).await;
        peer.expect(r#"451-["r",{"_placeholder":true,"num":0}]"#).await;
        peer.expect_binary(&[1, 2]).await;
        // header and attachment in two POSTs
        let mut polling = Polling::open(&server, eio, "b64=1").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        polling.post([r#"451-["e",{"_placeholder":true,"num":0}]"#]).await;
        polling.post([testkit::Packet::Binary(vec![1, 2].into())]).await;
        assert_eq!(polling.next().await, r#"451-["r",{"_placeholder":true,"num":0}]"#);
        assert_eq!(polling.next().await, testkit::Packet::Binary(vec![1, 2].into()));
        polling.post(["1"]).await;
        leave_nothing(&io, [peer]).await;
    }
}

/// Attachments that come without end, or never.
#[tokio::test(start_paused = true)]
async fn attachments_are_bounded() {
    let limits = |limits: &mut socketio::options::Limits| limits.packet.max_packet_bytes = 1000;
    let io = Server::builder().limits(limits).build().unwrap();
    let log = Log::default();
    let logged = log.clone();
    io.on_connection(move |socket: Socket| logged.watch(&socket));
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    peer.send(r#"4510-["e",{"_placeholder":true,"num":0}]"#).await;
    for _ in 0..3 {
        peer.send_binary(&[0; 400]).await;
    }
    peer.closed().await;
    assert_eq!(log.take().await[1], "/ disconnect: forced close, 0 rooms");
    leave_nothing(&io, [peer]).await;

    let (io, log) = application();
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    peer.send(r#"4510-["e",{"_placeholder":true,"num":0}]"#).await;
    for _ in 0..9 {
        peer.send_binary(&[0; 90_000]).await;
    }
    // silence, with pongs
    tokio::time::advance(Duration::from_secs(25)).await;
    peer.expect("2").await;
    peer.send("3").await;
    peer.silence().await;
    leave_nothing(&io, [peer]).await;
    assert_eq!(log.take().await[1], "/ disconnect: transport close, 0 rooms");
}

/// Before any CONNECT of a new client.
#[tokio::test(start_paused = true)]
async fn packets_before_the_connect() {
    for packet in ["40[]", r#"40"x""#, "40null", r#"42["e",1]"#, "431[]", "41{}", "<", "4"] {
        let (io, log) = application();
        let mut peer = Peer::open(&connector(&io), Eio::V4).await;
        match packet {
            "<" => peer.send_binary(b"x").await,
            packet => peer.send(packet).await,
        }
        peer.closed().await;
        assert_eq!(log.take().await, [""; 0], "{packet}");
        leave_nothing(&io, [peer]).await;
    }
}

/// A name of 100 kB is not repeated in an answer.
#[tokio::test(start_paused = true)]
async fn a_namespace_with_a_long_name() {
    for eio in [Eio::V3, Eio::V4] {
        let name = "a".repeat(100_000);
        check(eio, &[&format!("40/{name},")], FORCED).await;
        check(eio, &[&format!("42/{name},[\"e\"]")], FORCED).await;
    }
}

/// After its own DISCONNECT a client may not speak for the namespace.
#[tokio::test(start_paused = true)]
async fn events_after_the_own_disconnect() {
    for eio in [Eio::V3, Eio::V4] {
        let (io, log) = application();
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send("41").await;
        peer.send(r#"42["e",1]"#).await;
        match eio {
            Eio::V3 => peer.silence().await,
            Eio::V4 => peer.closed().await,
        }
        assert_eq!(log.take().await[1], "/ disconnect: client namespace disconnect, 0 rooms");
        leave_nothing(&io, [peer]).await;
    }
}

/// Room names are the application's matter: any text will do that is not too long.
#[tokio::test(start_paused = true)]
async fn rooms_of_any_name() {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("join", |socket: Socket, socketio::Data(room): socketio::Data<String>| {
            drop(socket.join(room));
            socketio::Reply(socket.rooms().len())
        });
    });
    let server = connector(&io);
    let (mut peer, mut other) =
        (Peer::join(&server, Eio::V4).await, Peer::join(&server, Eio::V4).await);
    for (n, room) in ["", &"r".repeat(4_096), "__proto__", &other.id].into_iter().enumerate() {
        peer.send(&format!(r#"420["join","{room}"]"#)).await;
        peer.expect(&format!("430[{}]", n + 2)).await;
    }
    peer.send(&format!(r#"420["join","{}"]"#, "r".repeat(900_000))).await;
    peer.expect("430[5]").await;
    // the room of another's id is shared with it, and outlives it
    io.to(&other.id).emit("both", ()).unwrap();
    peer.expect(r#"42["both"]"#).await;
    other.expect(r#"42["both"]"#).await;
    drop(other);
    testkit::settle().await;
    assert_eq!(io.stats().rooms, 4);
    leave_nothing(&io, [peer]).await;
}

/// 1,000 namespaces at most, and all of them end with the connection.
#[tokio::test(start_paused = true)]
async fn a_client_that_joins_everything() {
    let (io, mut ended) = (Server::new(), 0);
    let log = Log::default();
    for n in 0..1_500 {
        let log = log.clone();
        io.of(&format!("/n{n}")).on_connection(move |socket: Socket| log.watch(&socket));
    }
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    for n in 0..1_500 {
        peer.send(&format!("40/n{n},")).await;
        let answer = peer.next().await;
        assert_eq!(answer.starts_with("40/"), n < 1_000, "{answer}");
    }
    assert_eq!(io.stats().sockets, 1_000);
    drop(peer);
    nothing_left(&io).await;
    ended += log.take().await.len();
    assert_eq!(ended, 2_000);
}

/// A burst of events in one segment is handled in order, whatever stands at its end.
#[tokio::test(start_paused = true)]
async fn what_stands_before_a_bad_packet_is_handled() {
    for eio in [Eio::V3, Eio::V4] {
        let (io, _) = application();
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send_all(&[r#"42["e",1]"#, r#"42["e",2]"#, "4", r#"42["e",3]"#]).await;
        peer.expect(r#"42["r",1]"#).await;
        peer.expect(r#"42["r",2]"#).await;
        peer.closed().await;
        leave_nothing(&io, [peer]).await;
    }
}
