//! Events that clients repeat are handled once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use socketio::adapter::{
    AdapterError, AdapterFuture, DedupeKey, DedupeStore, LocalAdapterFactory, Outcome, Turn,
};
use socketio::events::{Dedupe, Unavailable};
use socketio::observe::Limit;
use socketio::options::ConnectionStateRecovery;
use socketio::{Ack, BoxError, Data, Reply, Server, Socket, Value};
use testkit::{Connector, Eio, settle};
use tokio::sync::Semaphore;

use crate::support::{BOTH, Log, Peer, connector};

/// A server that handles `pay` once, and how often it did.
fn server(dedupe: Dedupe) -> (Server, Connector, Arc<AtomicUsize>) {
    let io = Server::new();
    io.dedupe(dedupe);
    let calls = pays(&io);
    let server = connector(&io);
    (io, server, calls)
}

/// The handler answers with the amount and how often it was called.
fn pays(io: &Server) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    io.sockets().on_event("pay", move |Data((amount, _key)): Data<(u32, Value)>| {
        Reply((amount, counted.fetch_add(1, SeqCst) + 1))
    });
    calls
}

fn repeated(io: &Server) -> Vec<u64> {
    io.stats().repeated_events.into_iter().map(|(_, count)| count).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_again_has_the_same_answer() {
    for eio in BOTH {
        let (io, server, calls) = server(Dedupe::event("pay"));
        let mut peer = Peer::join(&server, eio).await;
        peer.send_all(&[r#"420["pay",5,"a"]"#, r#"421["pay",5,"a"]"#, r#"422["pay",5,"b"]"#]).await;
        for answer in ["430[5,1]", "431[5,1]", "432[5,2]"] {
            peer.expect(answer).await;
        }
        // other arguments do not make it another event, nor does it matter who wants an answer
        peer.send(r#"423["pay",6,"a"]"#).await;
        peer.expect("433[5,1]").await;
        peer.send(r#"42["pay",7,"c"]"#).await;
        peer.send(r#"424["pay",7,"c"]"#).await;
        peer.expect("434[7,3]").await;
        assert_eq!((calls.load(SeqCst), repeated(&io)), (3, vec![3, 0, 3, 0]));
    }
}

/// A retry while the handler runs waits for its end, and both have the one answer, attachments included.
#[tokio::test(start_paused = true)]
async fn who_asks_meanwhile_waits() {
    let io = Server::new();
    io.dedupe(Dedupe::event("pay"));
    let (gate, calls) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (open, counted) = (Arc::clone(&gate), Arc::clone(&calls));
    io.sockets().on_event("pay", async move |ack: Ack| {
        counted.fetch_add(1, SeqCst);
        open.acquire().await.unwrap().forget();
        ack.send((1, socketio::Binary(vec![7, 8].into())))
    });
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    for id in 0..3 {
        peer.send(&format!(r#"42{id}["pay","k"]"#)).await;
    }
    peer.send(r#"423["other"]"#).await;
    peer.silence().await;
    gate.add_permits(1);
    for id in 0..3 {
        peer.expect(&format!(r#"461-{id}[1,{{"_placeholder":true,"num":0}}]"#)).await;
        peer.expect_binary(&[7, 8]).await;
    }
    assert_eq!((calls.load(SeqCst), repeated(&io)), (1, vec![1, 2, 2, 0]));
}

/// Who failed has not handled the event; who waited for it does then, and of these the first.
#[tokio::test(start_paused = true)]
async fn a_handler_that_failed_is_called_again() {
    let io = Server::new();
    io.dedupe(Dedupe::events(["sync", "async"]));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    io.sockets().on_event("sync", move || match counted.fetch_add(1, SeqCst) {
        0 => Err("no"),
        n => Ok(Reply(n)),
    });
    let counted = Arc::clone(&calls);
    io.sockets().on_event("async", async move || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        match counted.fetch_add(1, SeqCst) {
            2 | 3 => Err(BoxError::from("no")),
            n => Ok(Reply(n)),
        }
    });
    let failed =
        r#"[{"error":{"at":"","code":"failed","message":"the event could not be handled"}}]"#;
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let told = |answer: &str, id: u32| {
        let value: serde_json::Value =
            serde_json::from_str(answer.strip_prefix(&format!("43{id}")).unwrap()).unwrap();
        value.to_string()
    };
    peer.send(r#"420["sync","k"]"#).await;
    assert_eq!(told(&peer.next().await, 0), failed);
    peer.send(r#"421["sync","k"]"#).await;
    peer.expect("431[1]").await;
    for id in 2..6 {
        peer.send(&format!(r#"42{id}["async","k"]"#)).await;
    }
    assert_eq!(told(&peer.next().await, 2), failed);
    assert_eq!(told(&peer.next().await, 3), failed);
    peer.expect("434[4]").await;
    peer.expect("435[4]").await;
    assert_eq!(calls.load(SeqCst), 5);
}

/// A scope is what the program says, else a session, else a socket: nobody has the answer of others.
#[tokio::test(start_paused = true)]
async fn keys_are_of_a_scope() {
    let (_io, server_, calls) = server(Dedupe::event("pay"));
    let mut peers = [Peer::join(&server_, Eio::V4).await, Peer::join(&server_, Eio::V4).await];
    for (peer, answer) in peers.iter_mut().zip(["430[5,1]", "430[5,2]"]) {
        peer.send(r#"420["pay",5,"k"]"#).await;
        peer.expect(answer).await;
    }
    assert_eq!(calls.load(SeqCst), 2);

    let by_user = Dedupe::event("pay").identify(|socket: &Socket| {
        socket.handshake().auth()?.get("user")?.as_str().map(str::to_owned)
    });
    let (_io, server_, calls) = server(by_user);
    for (auth, answer) in [
        (r#"{"user":"ann"}"#, "430[5,1]"),
        (r#"{"user":"bob"}"#, "430[5,2]"),
        (r#"{"user":"ann"}"#, "430[5,1]"), // another connection of hers
        ("", "430[5,3]"),
        ("", "430[5,4]"),
    ] {
        let mut peer = Peer::open(&server_, Eio::V4).await;
        peer.send(&format!("40{auth}")).await;
        peer.entered("/").await;
        peer.send(r#"420["pay",5,"k"]"#).await;
        peer.expect(answer).await;
    }
    assert_eq!(calls.load(SeqCst), 4);
}

/// The client comes back to its session, and sends again what it has no answer for.
#[tokio::test(start_paused = true)]
async fn with_recovery_a_scope_is_a_session() {
    let recovery = ConnectionStateRecovery::default();
    let io = Server::builder().connection_state_recovery(recovery).build().unwrap();
    io.dedupe(Dedupe::event("pay"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    io.sockets().on_event("pay", async move || {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Reply(counted.fetch_add(1, SeqCst))
    });
    let server = connector(&io);
    let pid = |answer: &str| {
        let answer: serde_json::Value =
            serde_json::from_str(answer.strip_prefix("40").unwrap()).unwrap();
        answer["pid"].as_str().unwrap().to_owned()
    };
    let mut peer = Peer::open(&server, Eio::V4).await;
    peer.send("40").await;
    let session = pid(&peer.next().await);
    peer.send(r#"420["pay","k"]"#).await;
    settle().await;
    drop(peer);
    settle().await;
    let mut peer = Peer::open(&server, Eio::V4).await;
    peer.send(&format!(r#"40{{"pid":"{session}"}}"#)).await;
    assert_eq!(pid(&peer.next().await), session);
    peer.send(r#"421["pay","k"]"#).await; // the first handler still runs
    peer.expect("431[0]").await;
    // another client, of another session
    let mut other = Peer::open(&server, Eio::V4).await;
    other.send("40").await;
    pid(&other.next().await);
    other.send(r#"420["pay","k"]"#).await;
    other.expect("430[1]").await;
    assert_eq!(calls.load(SeqCst), 2);
}

/// A panic ends the connection; the event was not handled.
#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let io = Server::new();
    io.dedupe(Dedupe::event("pay").identify(|_: &Socket| Some("ann".to_owned())));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    io.sockets().on_event("pay", async move || {
        let call = counted.fetch_add(1, SeqCst);
        assert!(call > 1, "as planned");
        Reply(call)
    });
    let counted = Arc::clone(&calls);
    io.sockets()
        .on_event("panic", move || assert!(counted.fetch_add(1, SeqCst) > 100, "as planned"));
    let server = connector(&io);
    for _ in 0..2 {
        let mut peer = Peer::join(&server, Eio::V4).await;
        peer.send(r#"420["pay","k"]"#).await;
        peer.closed().await;
    }
    let mut peer = Peer::join(&server, Eio::V4).await;
    peer.send(r#"420["pay","k"]"#).await;
    peer.expect("430[2]").await;
}

#[tokio::test(start_paused = true)]
async fn an_event_without_a_key_is_invalid() {
    let (io, server, calls) = server(Dedupe::event("pay"));
    let log = Log::default();
    let errors = log.clone();
    io.on_connection(move |socket: Socket| errors.watch_errors(&socket));
    let mut peer = Peer::join(&server, Eio::V4).await;
    let long = "k".repeat(129);
    for (args, at, message) in [
        ("", "/0", "expected a key, a string"),
        (",5", "/0", "expected a key, a string"),
        (",5,6", "/1", "expected a key, a string"),
        (",5,null", "/1", "expected a key, a string"),
        (",5,{}", "/1", "expected a key, a string"),
        (r#",5,"""#, "/1", "the key is empty"),
        (&format!(r#",5,"{long}""#), "/1", "a key has 128 bytes at most"),
    ] {
        peer.send(&format!(r#"427["pay"{args}]"#)).await;
        let answer = peer.next().await;
        let answer: serde_json::Value = serde_json::from_str(&answer[3..]).unwrap();
        let error = &answer[0]["error"];
        assert_eq!((&error["code"], &error["at"]), (&"invalid".into(), &at.into()), "{args}");
        assert_eq!(error["message"], message, "{args}");
    }
    assert_eq!((calls.load(SeqCst), log.take().await.len()), (0, 7));
    peer.send(&format!(r#"427["pay",5,"{}"]"#, &long[1..])).await;
    peer.expect("437[5,1]").await;
}

#[tokio::test(start_paused = true)]
async fn a_key_may_be_elsewhere() {
    let by_id = Dedupe::event("pay")
        .key_by(|args: &[Value]| args.get(1)?.get("id")?.as_str().map(str::to_owned));
    let (_io, server, calls) = server(by_id);
    let mut peer = Peer::join(&server, Eio::V4).await;
    for (packet, answer) in [
        (r#"420["pay",1,{"id":"a"}]"#, "430[1,1]"),
        (r#"421["pay",2,{"id":"a","more":0}]"#, "431[1,1]"),
        (r#"422["pay",3,{"id":"b"},"a"]"#, "432[3,2]"),
    ] {
        peer.send(packet).await;
        peer.expect(answer).await;
    }
    peer.send(r#"423["pay",3,{"id":7}]"#).await;
    assert!(peer.next().await.contains("expected a key"));
    assert_eq!(calls.load(SeqCst), 2);
}

/// What is too large is answered once; what is forgotten is handled again.
#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded() {
    let mut dedupe = Dedupe::events(["pay", "big"]);
    dedupe.max_keys_per_scope = 3;
    dedupe.max_answer_bytes = 100;
    dedupe.keep = Duration::from_secs(10);
    let (io, server, calls) = server(dedupe);
    io.sockets().on_event("big", |Data(size): Data<usize>| Reply("x".repeat(size)));
    let mut peer = Peer::join(&server, Eio::V4).await;
    for (size, again) in [(60, true), (61, false)] {
        let answer = format!(r#"["{}"]"#, "x".repeat(size));
        for id in [0, 1] {
            peer.send(&format!(r#"42{id}["big",{size},"{size}"]"#)).await;
            let got = peer.next().await;
            match id == 0 || again {
                true => assert_eq!(got, format!("43{id}{answer}")),
                false => assert!(got.contains("already_done"), "{got}"),
            }
        }
    }
    let mut pay = async |id: u32, key: &str| {
        peer.send(&format!(r#"42{id}["pay",{id},"{key}"]"#)).await;
        peer.next().await
    };
    for (id, key, answer) in
        [(1, "a", "431[1,1]"), (2, "b", "432[2,2]"), (3, "c", "433[3,3]"), (4, "d", "434[4,4]")]
    {
        assert_eq!(pay(id, key).await, answer);
    }
    assert_eq!(pay(5, "d").await, "435[4,4]");
    assert_eq!(pay(6, "a").await, "436[6,5]");
    assert_eq!(io.stats().limits.get(Limit::DedupeScopeKeys), 4);
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(pay(7, "d").await, "437[7,6]");
    assert_eq!(calls.load(SeqCst), 6);
}

/// The rules of dynamic namespaces, and namespaces that have none.
#[tokio::test(start_paused = true)]
async fn a_rule_is_of_its_namespaces() {
    let io = Server::new();
    let games = io.of_matching("/game-*");
    games.dedupe(Dedupe::event("move"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    games.on_event("move", move || Reply(counted.fetch_add(1, SeqCst)));
    let counted = Arc::clone(&calls);
    io.of("/plain").on_event("move", move || Reply(counted.fetch_add(1, SeqCst)));
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    for (nsp, first, second) in [("/game-1", 0, 0), ("/game-2", 1, 1), ("/plain", 2, 3)] {
        peer.enter(nsp).await;
        for (id, answer) in [(0, first), (1, second)] {
            peer.send(&format!(r#"42{nsp},{id}["move","k"]"#)).await;
            peer.expect(&format!("43{nsp},{id}[{answer}]")).await;
        }
    }
}

/// A store that fails in one way or another.
#[derive(Debug)]
struct Broken {
    panics: bool,
}

impl DedupeStore for Broken {
    fn claim(&self, _: DedupeKey) -> AdapterFuture<Turn> {
        assert!(!self.panics, "as planned");
        Box::pin(async { Err(AdapterError::Timeout) })
    }

    fn settle(&self, _: &DedupeKey, _: Outcome) {}
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails() {
    for panics in [false, true] {
        for (policy, answers) in [
            (Unavailable::Run, ["430[5,1]", "431[5,2]"]),
            (Unavailable::Refuse, ["unavailable", "unavailable"]),
        ] {
            let mut dedupe = Dedupe::event("pay").store(Arc::new(Broken { panics }));
            dedupe.on_unavailable = policy;
            let (_io, server, _) = server(dedupe);
            let mut peer = Peer::join(&server, Eio::V4).await;
            for (id, answer) in [0, 1].into_iter().zip(answers) {
                peer.send(&format!(r#"42{id}["pay",5,"k"]"#)).await;
                let got = peer.next().await;
                assert!(got.contains(answer), "{got}");
            }
        }
    }
}

/// An answer that comes from elsewhere, or never.
#[tokio::test(start_paused = true)]
async fn whoever_answers() {
    let io = Server::builder().adapter(LocalAdapterFactory::default()).build().unwrap();
    io.dedupe(Dedupe::events(["spawned", "deaf", "silent"]));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    io.sockets().on_event("spawned", move |ack: Ack| {
        let counted = Arc::clone(&counted);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            ack.send(counted.fetch_add(1, SeqCst))
        });
    });
    let counted = Arc::clone(&calls);
    io.sockets().on_event("silent", move || _ = counted.fetch_add(1, SeqCst));
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    for id in [0, 1] {
        peer.send(&format!(r#"42{id}["spawned","k"]"#)).await;
    }
    peer.expect("430[0]").await;
    peer.expect("431[0]").await;
    // it was handled; nobody has said anything
    for id in [0, 1] {
        peer.send(&format!(r#"42{id}["silent","k"]"#)).await;
    }
    peer.silence().await;
    assert_eq!(calls.load(SeqCst), 2);
    // nobody listens yet
    peer.send(r#"420["deaf","k"]"#).await;
    peer.silence().await;
    io.sockets().on_event("deaf", || Reply("now"));
    peer.send(r#"421["deaf","k"]"#).await;
    peer.expect(r#"431["now"]"#).await;
}

/// A client that asks for the same again and again is slowed down, as for any handlers that wait.
#[tokio::test(start_paused = true)]
async fn a_hostile_client_keeps_within_the_bounds() {
    let io = Server::builder().limits(|limits| limits.max_pending_handlers = 10).build().unwrap();
    io.dedupe(Dedupe::event("pay"));
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    io.sockets().on_event("pay", async move || {
        open.acquire().await.unwrap().forget();
        Reply(())
    });
    let server = connector(&io);
    let mut peer = Peer::join(&server, Eio::V4).await;
    for id in 0..30 {
        peer.send(&format!(r#"42{id}["pay","k"]"#)).await;
    }
    settle().await;
    assert!(io.stats().limits.get(Limit::PendingHandlers) > 0);
    gate.add_permits(1);
    for id in 0..30 {
        peer.expect(&format!("43{id}[]")).await;
    }
    // who goes leaves nobody behind that waits
    for id in 0..5 {
        peer.send(&format!(r#"42{id}["pay","other"]"#)).await;
    }
    settle().await;
    drop(peer);
    settle().await;
    gate.add_permits(1);
    settle().await;
    assert_eq!(io.stats().detached_handlers, 0);
}
