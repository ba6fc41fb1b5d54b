//! Handlers: sync and async, what they take, what they return, and what their errors do.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;
use socketio::emit::{EmitError, One};
use socketio::events::{
    ErrorEvent, EventContext, EventName, Extension, ExtractError, FromEvent, Query,
};
use socketio::{Ack, Args, Auth, BoxError, Data, Reason, Reply, Server, Socket, State, Value};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing};

#[derive(Debug, Deserialize)]
struct Point {
    x: i32,
    #[serde(default)]
    y: i32,
}

/// One request, one answer, for each kind of argument.
#[tokio::test(start_paused = true)]
async fn extractors() {
    /// The number of arguments.
    struct Count(usize);
    impl FromEvent for Count {
        fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
            Ok(Self(event.args().map_or(0, |args| args.len())))
        }
    }

    for eio in BOTH {
        let io = Server::builder().with_state(7_u32).with_state("s").build().unwrap();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        socket.on("none", || Reply("none"));
        socket.on("socket", |socket: Socket| Reply(socket.id().to_string()));
        socket.on("typed", |Data(p): Data<Point>| Reply(p.x + p.y));
        socket.on("tuple", |Data((a, b)): Data<(String, Option<u32>)>| Reply((b, a)));
        socket.on("spread", |Data([a, b]): Data<[u32; 2]>| Reply(a + b));
        socket.on("one", |Data(One([a, b])): Data<One<[u32; 2]>>| Reply(a + b));
        socket.on("unit", |Data(()): Data<()>| Reply("unit"));
        socket.on("option", |Data(x): Data<Option<u32>>| Reply(x.is_none()));
        socket.on("bytes", |Data(b): Data<Vec<u8>>| Reply(b.len()));
        socket.on("args", |Args(args): Args| Reply(args.len()));
        socket.on("name", |EventName(name): EventName| Reply(name));
        socket.on("ack", |ack: Ack| ack.send("by hand"));
        socket.on("state", |State(n): State<u32>, State(s): State<&'static str>| Reply((n, s)));
        socket.on("auth", |Auth(auth): Auth<Option<Value>>| Reply(auth.is_none()));
        socket.on("own", |Count(count): Count| Reply(count));
        socket.on(
            "eight",
            |_: Socket,
             _: Args,
             _: Args,
             _: Ack,
             _: EventName,
             _: Count,
             _: Count,
             Count(n): Count| { Reply(n) },
        );
        let id = socket.id().clone();
        for (event, answer) in [
            (r#"["none",1,2]"#, r#"["none"]"#.to_owned()),
            (r#"["socket"]"#, format!(r#"["{id}"]"#)),
            (r#"["typed",{"x":3,"y":4,"z":5}]"#, "[7]".to_owned()),
            (r#"["tuple","a",1,"more"]"#, r#"[1,"a"]"#.to_owned()),
            (r#"["tuple","a"]"#, r#"[null,"a"]"#.to_owned()),
            (r#"["spread",1,2]"#, "[3]".to_owned()),
            (r#"["one",[1,2]]"#, "[3]".to_owned()),
            (r#"["unit",1]"#, r#"["unit"]"#.to_owned()),
            (r#"["option"]"#, "[true]".to_owned()),
            (r#"["option",1]"#, "[false]".to_owned()),
            (r#"["args",1,[2,3],{}]"#, "[3]".to_owned()),
            (r#"["name"]"#, r#"["name"]"#.to_owned()),
            (r#"["ack"]"#, r#"["by hand"]"#.to_owned()),
            (r#"["state"]"#, r#"[7,"s"]"#.to_owned()),
            (r#"["auth"]"#, "[true]".to_owned()),
            (r#"["own",1,2]"#, "[2]".to_owned()),
            (r#"["eight",1]"#, "[1]".to_owned()),
        ] {
            peer.send(&format!("420{event}")).await;
            peer.expect(&format!("430{answer}")).await;
        }
        peer.send(r#"451-1["bytes",{"_placeholder":true,"num":0}]"#).await;
        peer.send_binary(&[1, 2, 3]).await;
        peer.expect("431[3]").await;
        leave_nothing(&io, [peer]).await;
    }
}

/// What could not be made, and why, for the handlers of `error`.
#[tokio::test(start_paused = true)]
async fn causes_of_arguments_that_cannot_be_made() {
    struct Never;
    impl FromEvent for Never {
        fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
            Err(ExtractError::new(event, "never"))
        }
    }

    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        socket.on("args", |_: Data<u32>| ());
        socket.on("auth", |_: Auth<u32>| ());
        socket.on("query", |_: Query<Point>| ());
        socket.on("extension", |_: Extension<u32>| ());
        socket.on("own", |_: Never| ());
        let logged = log.clone();
        socket.on_error(move |ErrorEvent(error): ErrorEvent| {
            let error: &ExtractError = error.downcast_ref().unwrap();
            let kind = match error {
                ExtractError::Args(_) => "args",
                ExtractError::Auth(_) => "auth",
                ExtractError::Query(_) => "query",
                ExtractError::Missing { of, .. } => of,
                _ => "other",
            };
            logged.add(format!("{kind} of {}: {error}", error.event()));
            assert_eq!(error.source().is_none(), matches!(kind, "query" | "u32"));
            assert_eq!(error.as_invalid().is_none(), matches!(kind, "u32" | "other"));
        });
        for event in ["args", "auth", "query", "extension", "own"] {
            peer.send(&format!(r#"42["{event}","x"]"#)).await;
        }
        let told = log.take().await;
        let begin = |at: usize, text: &str| assert!(told[at].starts_with(text), "{}", told[at]);
        begin(0, r#"args of args: event "args": "#);
        begin(1, r#"auth of auth: event "auth": auth: "#);
        begin(2, r#"query of query: event "query": query: "#);
        begin(3, r#"u32 of extension: event "extension": there is no extension of type u32"#);
        assert_eq!(told[4], r#"other of own: event "own": never"#);
        leave_nothing(&io, [peer]).await;
    }
}

async fn named(socket: Socket, Data(n): Data<u32>) -> Result<Reply<u32>, EmitError> {
    socket.emit("seen", n)?;
    tokio::task::yield_now().await;
    Ok(Reply(n + 1))
}

/// What handlers return: nothing, a reply, or a result of these; sync and async, named or not.
#[tokio::test(start_paused = true)]
async fn replies() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        log.watch_errors(&socket);
        socket.on("named", named);
        socket.on("async", async |Data(n): Data<u32>| Reply(n * 2));
        socket.on("ok", async || Ok::<_, BoxError>(Reply("ok")));
        socket.on("tuple", || Reply((1, "two")));
        socket.on("nothing", async || ());
        socket.on("moved", {
            let held = String::from("held");
            async move |Data(n): Data<u32>| Reply(format!("{held} {n}"))
        });
        peer.send(r#"421["named",1]"#).await;
        peer.expect(r#"42["seen",1]"#).await;
        peer.expect("431[2]").await;
        for (event, answer) in [
            (r#"422["async",21]"#, "432[42]"),
            (r#"423["ok"]"#, r#"433["ok"]"#),
            (r#"424["tuple"]"#, r#"434[1,"two"]"#),
            (r#"425["moved",1]"#, r#"435["held 1"]"#),
            (r#"426["moved",2]"#, r#"436["held 2"]"#),
        ] {
            peer.send(event).await;
            peer.expect(answer).await;
        }
        peer.send(r#"427["nothing"]"#).await;
        // who did not ask is not answered
        peer.send(r#"42["ok"]"#).await;
        peer.silence().await;
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
    }
}

/// `Err`, sync or async, at once or later, raises the socket's `error`; so does a failed extraction,
/// and the handler is then not called. The socket stays.
#[tokio::test(start_paused = true)]
async fn event_error() {
    for eio in BOTH {
        let io = Server::new();
        let (log, called) = (Log::default(), Arc::new(AtomicUsize::new(0)));
        let (logged, counted) = (log.clone(), Arc::clone(&called));
        io.of("/chat").on_connection(move |socket: Socket| {
            logged.watch_errors(&socket);
            socket.on("sync", || Err::<(), _>(BoxError::from("sync failed")));
            socket.on("async", async || -> Result<Reply<()>, BoxError> {
                tokio::task::yield_now().await;
                Err("async failed".into())
            });
            let counted = Arc::clone(&counted);
            socket.on("typed", move |Data(_): Data<u32>| {
                _ = counted.fetch_add(1, Ordering::Relaxed);
            });
            socket.on("reason", |_: Reason| ());
            socket.on("reserved", |socket: Socket| socket.emit("connect", ()));
            Err::<(), _>(BoxError::from("connection failed"))
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        assert_eq!(log.take().await, ["error: connection failed"]);
        #[track_caller]
        fn check(happened: &[String], start: &str) {
            assert!(matches!(happened, [one] if one.starts_with(start)), "{happened:?}");
        }
        for (event, error) in [
            ("sync", "error: sync failed"),
            ("async", "error: async failed"),
            ("typed", r#"error: event "typed": "#),
            ("reason", r#"error: event "reason": only disconnections have a reason"#),
            ("reserved", r#"error: "connect" is a reserved event name"#),
        ] {
            peer.send(&format!(r#"42/chat,1["{event}","text"]"#)).await;
            check(&log.take().await, error);
        }
        assert_eq!(called.load(Ordering::Relaxed), 0);
        // who asked is told, but not what the handlers say among themselves
        let failed =
            r#"{"error":{"code":"failed","at":"","message":"the event could not be handled"}}"#;
        let invalid =
            r#"{"error":{"code":"invalid","at":"/0","message":"expected u32, got a string"}}"#;
        for error in [failed, failed, invalid, failed, failed] {
            peer.expect(&format!("43/chat,1[{error}]")).await;
        }
        peer.silence().await;
        assert_eq!(io.of("/chat").connected().len(), 1);
        leave_nothing(&io, [peer]).await;
    }
}

/// Nobody listens to `error`, or its own handler fails: no harm is done.
#[tokio::test(start_paused = true)]
async fn errors_without_a_listener() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        socket.on("fails", || Err::<(), _>("failed"));
        socket.on("works", || Reply(1));
        peer.send(r#"42["fails"]"#).await;
        testkit::settle().await;
        socket.on_error(|| Err::<(), _>("this too"));
        socket.on_error(|ErrorEvent(error): ErrorEvent, socket: Socket| {
            socket.emit("failed", error.to_string())
        });
        peer.send(r#"42["fails"]"#).await;
        peer.expect(r#"42["failed","failed"]"#).await;
        // a client cannot raise it
        peer.send(r#"42["error","boo"]"#).await;
        peer.send(r#"42["error",{}]"#).await;
        peer.send(r#"420["works"]"#).await;
        peer.expect("430[1]").await;
        leave_nothing(&io, [peer]).await;
    }
}

/// An ERROR packet goes to the `error` handlers of old clients; new clients must not send one.
#[tokio::test(start_paused = true)]
async fn error_packets_of_clients() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            logged.watch_errors(&socket);
            logged.watch(&socket);
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"44"boo""#).await;
        match eio {
            Eio::V3 => assert_eq!(log.take().await, ["error: boo"]),
            Eio::V4 => {
                peer.closed().await;
                assert_eq!(
                    log.take().await,
                    [
                        "/ disconnecting: forced server close, 1 rooms",
                        "/ disconnect: forced server close, 0 rooms"
                    ]
                );
            }
        }
        leave_nothing(&io, [peer]).await;
    }
}
