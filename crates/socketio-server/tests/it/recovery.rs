//! Clients come back to their sessions after their connections broke.

use std::time::Duration;

use socketio::adapter::LocalAdapterFactory;
use socketio::events::{NotRecovered, Recovery};
use socketio::observe::{EngineLimit, Limit};
use socketio::options::ConnectionStateRecovery;
use socketio::serve::Request;
use socketio::{Builder, ConnectError, Server, Socket, Value};
use testkit::{Connector, Eio, settle};

use crate::support::{Arrivals, BOTH, Log, Peer, arrivals, connector};

fn server(change: impl FnOnce(&mut ConnectionStateRecovery)) -> (Server, Connector, Arrivals) {
    let mut recovery = ConnectionStateRecovery::default();
    change(&mut recovery);
    built(Server::builder().connection_state_recovery(recovery))
}

fn built(builder: Builder) -> (Server, Connector, Arrivals) {
    let io = builder.build().unwrap();
    let (server, arrivals) = (connector(&io), arrivals(io.sockets()));
    (io, server, arrivals)
}

/// A client with what the server told it.
struct Phone {
    peer: Peer,
    sid: String,
    pid: String,
}

impl Phone {
    async fn connect(server: &Connector, auth: &str) -> Self {
        let mut peer = Peer::open(server, Eio::V4).await;
        peer.send(&format!("40{auth}")).await;
        let answer = peer.next().await;
        let answer: serde_json::Value =
            serde_json::from_str(answer.strip_prefix("40").unwrap()).unwrap();
        let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
        Self { peer, sid: text("sid"), pid: text("pid") }
    }

    /// The next event without its offset, and that.
    async fn event(&mut self) -> (String, String) {
        let packet = self.peer.next().await;
        let (event, offset) = packet.rsplit_once(",\"").expect("it ends with a text");
        (event.to_owned(), offset.strip_suffix("\"]").unwrap().to_owned())
    }

    fn auth(&self, offset: Option<&str>) -> String {
        let offset = offset.map(|offset| format!(r#","offset":"{offset}""#)).unwrap_or_default();
        format!(r#"{{"pid":"{}"{offset}}}"#, self.pid)
    }
}

/// The id, the rooms and the data; what was missed comes behind the answer, and before what is new.
#[tokio::test(start_paused = true)]
async fn a_client_comes_back_to_its_session() {
    let (io, server, mut arrivals) = server(|_| {});
    let mut phone = Phone::connect(&server, "").await;
    let socket = arrivals.next().await;
    assert!(!socket.recovered());
    _ = socket.join("r");
    socket.set_data(&[1, 2]).unwrap();
    socket.on_disconnecting(|socket: Socket| _ = socket.join("late"));
    socket.emit("a", 1).unwrap();
    let (event, offset) = phone.event().await;
    assert_eq!(event, r#"42["a",1"#);
    let auth = phone.auth(Some(&offset));
    let (sid, pid) = (phone.sid.clone(), phone.pid.clone());
    drop(phone);
    settle().await;
    assert!(io.sockets().connected().is_empty());
    io.emit("b", 2).unwrap();
    io.to("late").emit("c", ()).unwrap();
    io.to("other").emit("d", ()).unwrap();
    io.sockets().except("r").emit("e", ()).unwrap();
    io.sockets().volatile().emit("f", ()).unwrap();
    let mut phone = Phone::connect(&server, &auth).await;
    assert_eq!((&phone.sid, &phone.pid), (&sid, &pid));
    io.emit("g", ()).unwrap();
    let mut last = String::new();
    for expected in [r#"42["b",2"#, r#"42["c""#, r#"42["g""#] {
        let (event, offset) = phone.event().await;
        assert_eq!(event, expected);
        assert!(offset > last);
        last = offset;
    }
    let back = arrivals.next().await;
    assert_eq!(back.recovery(), Recovery::Recovered { missed: 2 });
    assert_eq!((back.id(), back.data()), (socket.id(), Some([1, 2])));
    assert_eq!(back.rooms().len(), 3);
    // the handle of before is of a socket that left
    assert!(!socket.is_connected() && socket.rooms().is_empty());
    assert!(socket.emit("nothing", ()).is_err());
    _ = socket.leave("r");
    assert_eq!(back.rooms().len(), 3);
    phone.peer.silence().await;
}

/// A connection of which nobody said that it broke is ended, and what it had not delivered comes.
#[tokio::test(start_paused = true)]
async fn a_half_open_connection_is_taken_over() {
    let (io, server, mut arrivals) = server(|_| {});
    let old = Phone::connect(&server, "").await;
    let socket = arrivals.next().await;
    let log = Log::default();
    log.watch(&socket);
    socket.emit("a", 1).unwrap(); // never read
    let mut phone = Phone::connect(&server, &old.auth(None)).await;
    assert_eq!(
        log.take().await,
        ["/ disconnecting: transport close, 1 rooms", "/ disconnect: transport close, 0 rooms"]
    );
    assert_eq!((phone.event().await.0, &phone.sid), (r#"42["a",1"#.to_owned(), &old.sid));
    assert_eq!(io.sockets().connected().len(), 1);
    assert_eq!(arrivals.next().await.recovery(), Recovery::Recovered { missed: 1 });
}

/// Who is refused has nothing of what was missed; what is sent meanwhile is not lost.
#[tokio::test(start_paused = true)]
async fn middleware_runs_before_anything_is_sent_again() {
    for skips in [true, false] {
        let (io, server, mut arrivals) = server(|recovery| recovery.skip_middlewares = skips);
        io.use_fn(async |socket: Socket| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let refused = socket.handshake().auth().is_some_and(|auth| auth.get("no").is_some());
            if refused { Err(ConnectError::new("no")) } else { Ok(()) }
        });
        let phone = Phone::connect(&server, "").await;
        arrivals.next().await;
        let auth = phone.auth(None);
        drop(phone);
        settle().await;
        io.emit("a", ()).unwrap();
        let mut peer = Peer::open(&server, Eio::V4).await;
        peer.send(&format!("40{}", auth.replace('}', r#","no":1}"#))).await;
        if skips {
            assert!(peer.next().await.starts_with("40"));
            drop(peer);
            settle().await;
            arrivals.next().await;
        } else {
            peer.expect(r#"44{"message":"no"}"#).await;
            peer.silence().await;
        }
        let mut peer = Peer::open(&server, Eio::V4).await;
        peer.send(&format!("40{auth}")).await;
        settle().await;
        io.emit("b", ()).unwrap();
        assert!(peer.next().await.starts_with("40"));
        assert!(peer.next().await.starts_with(r#"42["a","#));
        assert!(peer.next().await.starts_with(r#"42["b","#));
        assert!(arrivals.next().await.recovered());
        peer.silence().await;
    }
}

#[tokio::test(start_paused = true)]
async fn why_a_client_did_not_come_back() {
    let (io, server, mut arrivals) = server(|recovery| {
        recovery.max_kept_packets = 2;
        recovery.max_away_sessions = 1;
        *recovery = recovery.clone().bind_to(|_: &Request, auth: &Value| {
            auth.get("user").and_then(Value::as_str).unwrap_or_default().to_owned()
        });
    });
    let mut check = async |auth: &str, why| {
        let phone = Phone::connect(&server, auth).await;
        let socket = arrivals.next().await;
        assert_eq!(socket.recovery(), Recovery::NotRecovered(why), "{auth}");
        assert!(!auth.contains(&phone.pid));
        phone
    };
    let away = async |phone: Phone| {
        let auth = phone.auth(None);
        drop(phone);
        settle().await;
        auth
    };
    let auth = away(check("", NotRecovered::NoPid).await).await;
    let held = [
        check(r#"{"pid":"x"}"#, NotRecovered::UnknownSession).await,
        check(r#"{"pid":1}"#, NotRecovered::NoPid).await,
        check(&auth.replace('}', r#","user":"eve"}"#), NotRecovered::Identity).await,
        check(&auth.replace('}', r#","offset":"none of its own"}"#), NotRecovered::Evicted).await,
        check(&auth.replace('}', r#","offset":7}"#), NotRecovered::Evicted).await,
    ];
    (0..3).for_each(|n| io.emit("e", n).unwrap());
    let last = check(&auth, NotRecovered::Evicted).await;
    // one session is kept
    drop(held);
    settle().await;
    drop(check(&auth, NotRecovered::UnknownSession).await);
    drop(last);
    settle().await;
    let auth = away(check("", NotRecovered::NoPid).await).await;
    tokio::time::sleep(Duration::from_secs(121)).await;
    drop(check(&auth, NotRecovered::Expired).await);
    let phone = check("", NotRecovered::NoPid).await;
    let auth = phone.auth(None);
    io.sockets().connected().get(&phone.sid).unwrap().disconnect(false);
    settle().await;
    check(&auth, NotRecovered::UnknownSession).await;
    let limits = io.stats().limits;
    assert_eq!(limits.get(Limit::KeptPackets), 1);
    assert!(limits.get(Limit::AwaySessions) > 3);
    assert_eq!(limits.get(EngineLimit::Sessions), 0);
}

/// A namespace with nobody in it keeps nothing, and events for nobody are not kept.
#[tokio::test(start_paused = true)]
async fn clients_of_before_are_told_nothing_of_it() {
    let (io, server, _arrivals) = server(|_| {});
    let mut old = Peer::join(&server, Eio::V3).await;
    let mut new = Phone::connect(&server, "").await;
    io.emit("a", 1).unwrap();
    io.emit("b", socketio::Binary(vec![1].into())).unwrap();
    io.sockets().connected().get(&old.id).unwrap().emit("c", ()).unwrap();
    old.expect(r#"42["a",1]"#).await;
    old.expect(r#"451-["b",{"_placeholder":true,"num":0}]"#).await;
    old.expect_binary(&[1]).await;
    old.expect(r#"42["c"]"#).await;
    assert_eq!(new.event().await.0, r#"42["a",1"#);
    assert_eq!(new.event().await.0, r#"451-["b",{"_placeholder":true,"num":0}"#);
}

/// As long as it is off, and with an adapter that cannot do it.
#[tokio::test(start_paused = true)]
async fn without_recovery_nothing_of_it_is_seen() {
    let on = Server::builder().connection_state_recovery(ConnectionStateRecovery::default());
    let cannot = on.adapter(LocalAdapterFactory::default());
    for builder in [Server::builder().connection_state_recovery(None), cannot] {
        let (io, server, mut arrivals) = built(builder);
        for eio in BOTH {
            let mut peer = Peer::open(&server, eio).await;
            if eio == Eio::V4 {
                peer.send(r#"40{"pid":"x","offset":"y"}"#).await;
            }
            assert!(!peer.next().await.contains("pid"));
            let why = Recovery::NotRecovered(NotRecovered::Unsupported);
            let socket = arrivals.next().await;
            assert_eq!(socket.recovery(), why);
            io.emit("a", 1).unwrap();
            socket.emit("b", ()).unwrap();
            peer.expect(r#"42["a",1]"#).await;
            peer.expect(r#"42["b"]"#).await;
        }
    }
}

#[test]
fn options_that_make_no_sense() {
    let check = |change: fn(&mut ConnectionStateRecovery), option: &str| {
        let mut recovery = ConnectionStateRecovery::default();
        change(&mut recovery);
        let error = Server::builder().connection_state_recovery(recovery).build().unwrap_err();
        assert!(error.to_string().contains(option), "{error}");
    };
    check(|r| r.max_disconnection_duration = Duration::ZERO, "max_disconnection_duration");
    check(|r| r.max_kept_age = Some(Duration::ZERO), "max_kept_age");
    check(|r| r.max_kept_packets = 0, "max_kept_packets");
    check(|r| r.max_kept_bytes = 0, "max_kept_bytes");
    check(|r| r.max_away_sessions = 0, "max_away_sessions");
}

/// A pong says that all before its ping was taken: it is not sent again, and not kept.
#[tokio::test(start_paused = true)]
async fn what_a_receipt_confirms_is_not_kept() {
    for receipts in [true, false] {
        let (io, server, mut arrivals) = server(|recovery| recovery.max_kept_packets = 4);
        let mut phones = Vec::new();
        for _ in 0..2 {
            phones.push((Phone::connect(&server, "").await, arrivals.next().await));
        }
        let emit = |n: std::ops::Range<u32>| n.for_each(|n| io.emit("e", n).unwrap());
        emit(0..4);
        for (phone, socket) in &mut phones {
            let receipt = receipts.then(|| socket.receipt());
            for n in 0..4 {
                assert_eq!(phone.event().await.0, format!(r#"42["e",{n}"#));
            }
            if let Some(receipt) = receipt {
                phone.peer.expect("2").await;
                phone.peer.send("3").await;
                receipt.await.unwrap();
            }
        }
        let (phone, _) = phones.remove(0);
        let auth = phone.auth(None); // it had not noticed what it has
        drop(phone);
        settle().await;
        emit(4..8);
        let mut phone = Phone::connect(&server, &auth).await;
        let outcome = arrivals.next().await.recovery();
        assert_eq!(io.stats().limits.get(Limit::KeptPackets), if receipts { 0 } else { 4 });
        if receipts {
            assert_eq!(outcome, Recovery::Recovered { missed: 4 });
            for n in 4..8 {
                assert_eq!(phone.event().await.0, format!(r#"42["e",{n}"#));
            }
        } else {
            assert_eq!(outcome, Recovery::NotRecovered(NotRecovered::Evicted));
        }
        phone.peer.silence().await;
        let recoveries = io.stats().recoveries;
        let count = |name| recoveries.iter().find(|(known, _)| *known == name).unwrap().1;
        let names = ["recovered", "evicted", "no pid", "expired"];
        let expected = if receipts { [1, 0, 2, 0] } else { [0, 1, 2, 0] };
        assert_eq!(names.map(count), expected);
        assert_eq!(io.stats().recovered_events, if receipts { 4 } else { 0 });
        assert_eq!(io.stats().engine.receipts, if receipts { 2 } else { 0 });
    }
}

/// The offset is the last argument in msgpack as well; clients of before do not see it, whatever the
/// number of arguments.
#[cfg(feature = "msgpack")]
#[tokio::test(start_paused = true)]
async fn sessions_are_recovered_in_msgpack() {
    let recovery = ConnectionStateRecovery::default();
    let builder = Server::builder().parser(socketio::parser::Parser::msgpack());
    let (io, server, mut arrivals) = built(builder.connection_state_recovery(recovery));
    let mut old = Peer::open(&server, Eio::V3).await;
    old.expect(r#"4{"type":0,"nsp":"/"}"#).await;
    arrivals.next().await;
    let binary = async |peer: &mut Peer| match peer.ws.next().await {
        testkit::Frame::Binary(bytes) => bytes.to_vec(),
        other => panic!("not binary: {other:?}"),
    };
    let joined = async |peer: &mut Peer, auth: &[u8]| {
        let connect = [b"\x83\xa4type\x00\xa4data", auth, b"\xa3nsp\xa1/"].concat();
        peer.send_binary(&connect).await;
        let answer = binary(peer).await;
        let at = answer.windows(5).position(|key| key == b"\xa3pid\xb4").expect("a private id");
        answer[at + 5..at + 25].to_vec()
    };
    let mut new = Peer::open(&server, Eio::V4).await;
    let pid = joined(&mut new, b"\x80").await;
    let socket = arrivals.next().await;

    let head = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data";
    let text = |text: &'static str| [&[0xa0 | text.len() as u8], text.as_bytes()].concat();
    let mut offset = Vec::new();
    // with the name and the offset: 3, and 16 of which 15 would have a shorter head
    for (args, plain, tracked) in [
        (vec![Value::from("x")], &[0x92][..], &[0x93][..]),
        (vec![Value::from("x"); 14], &[0xdc, 0, 15], &[0xdc, 0, 16]),
    ] {
        let content: Vec<u8> =
            [text("e")].into_iter().chain(args.iter().map(|_| text("x"))).flatten().collect();
        io.emit("e", socketio::emit::Spread(args)).unwrap();
        old.expect_binary(&[head, plain, &content].concat()).await;
        let event = binary(&mut new).await;
        let (event, end) = event.split_at(event.len() - 13);
        assert_eq!(event, [head, tracked, &content].concat());
        assert_eq!(end[0], 0xac);
        offset = end[1..].to_vec();
    }
    // a volatile one ends with a text that the client takes for its offset
    socket.volatile().emit("v", "passing").unwrap();
    binary(&mut new).await;
    drop(new);
    settle().await;
    io.emit("missed", ()).unwrap();
    for offered in [&b"passing"[..], &offset] {
        let mut back = Peer::open(&server, Eio::V4).await;
        let field = [&[0xa0 | offered.len() as u8], offered].concat();
        let auth = [b"\x82\xa3pid\xb4", &pid[..], b"\xa6offset", &field].concat();
        assert_eq!(joined(&mut back, &auth).await, pid);
        assert_eq!(arrivals.next().await.recovery(), Recovery::Recovered { missed: 1 });
        let event = binary(&mut back).await;
        let content = [&head[..], &[0x92], &text("missed")].concat();
        assert_eq!(event[..event.len() - 13], content);
        drop(back); // it did not notice that it had it
        settle().await;
    }
}
