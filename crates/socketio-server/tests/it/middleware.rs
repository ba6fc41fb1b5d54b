//! Middleware of namespaces and of sockets.

use std::sync::Arc;
use std::time::Duration;

use socketio::adapter::AdapterError;
use socketio::events::IncomingEvent;
use socketio::{Args, BoxError, ConnectError, Reply, Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing};

#[tokio::test(start_paused = true)]
async fn namespace_use() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        for n in 1..=3 {
            let log = log.clone();
            io.of("/mw").use_fn(async move |socket: Socket| {
                log.add(format!("{n} begins, connected: {}", socket.is_connected()));
                tokio::time::sleep(Duration::from_millis(10)).await;
                log.add(format!("{n} ends"));
                Ok::<_, String>(())
            });
        }
        let logged = log.clone();
        io.of("/mw").on_connection(move |_: Socket| logged.add("connection"));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send("40/mw,").await;
        peer.entered("/mw").await;
        // one after the other, before all else
        assert_eq!(
            log.take().await,
            [
                "1 begins, connected: false",
                "1 ends",
                "2 begins, connected: false",
                "2 ends",
                "3 begins, connected: false",
                "3 ends",
                "connection"
            ]
        );
        // not for other namespaces
        peer.send("40").await;
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
    }
}

/// A refused socket is told why and leaves nothing; its connection stays.
#[tokio::test(start_paused = true)]
async fn namespace_use_refuses() {
    for eio in BOTH {
        let io = Server::new();
        let (log, held) = (Log::default(), Arc::new(()));
        let (logged, holds) = (log.clone(), Arc::clone(&held));
        io.of("/mw").use_fn(async move |socket: Socket| -> Result<(), BoxError> {
            logged.watch(&socket);
            let (own, holds) = (socket.clone(), Arc::clone(&holds));
            socket.on("e", move || _ = (own.id(), &holds));
            _ = socket.join("room");
            socket.emit("before", ()).unwrap_err();
            match socket.handshake().param("token").as_deref() {
                Some("text") => Err(ConnectError::from("not allowed").into()),
                Some("data") => {
                    Err(ConnectError::new("quota").data(&serde_json::json!({"code": 7})).into())
                }
                Some("box") => Err("a box of secrets".into()),
                _ => Ok(()),
            }
        });
        let logged = log.clone();
        io.of("/mw").use_fn(async move |_: Socket| {
            logged.add("second");
            Ok::<_, String>(())
        });
        let logged = log.clone();
        io.of("/mw").on_connection(move |_: Socket| logged.add("connection"));
        let kept = Arc::strong_count(&held);
        for (token, old, new) in [
            ("text", r#"44/mw,"not allowed""#, r#"44/mw,{"message":"not allowed"}"#),
            ("data", r#"44/mw,{"code":7}"#, r#"44/mw,{"message":"quota","data":{"code":7}}"#),
            ("box", r#"44/mw,"refused""#, r#"44/mw,{"message":"refused"}"#),
        ] {
            let query = format!("token={token}");
            let (mut ws, _) = testkit::open_websocket(&connector(&io), eio, &query).await;
            match eio {
                Eio::V3 => ws.expect_text("40").await,
                Eio::V4 => ws.send_text("40").await,
            }
            if eio == Eio::V4 {
                ws.next().await;
            }
            for _ in 0..2 {
                ws.send_text("40/mw,").await;
                ws.expect_text(if eio == Eio::V3 { old } else { new }).await;
            }
            assert_eq!(log.take().await, [""; 0]);
            assert_eq!(io.stats().sockets, 1);
            assert_eq!(io.stats().rooms, 0);
            assert_eq!(Arc::strong_count(&held), kept, "what its listeners held is dropped");
            leave_nothing(&io, [ws]).await;
        }
    }
}

/// If `/` refuses a client, other namespaces do not, where `/` is not to come first.
#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_root_is_its_own() {
    for eio in BOTH {
        let io = Server::builder().root_first(false).build().unwrap();
        io.use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("closed")));
        let mut sockets = arrivals(&io.of("/chat"));
        let mut peer = Peer::open(&connector(&io), eio).await;
        if eio == Eio::V4 {
            peer.send("40").await;
        }
        peer.expect(if eio == Eio::V3 { r#"44"closed""# } else { r#"44{"message":"closed"}"# })
            .await;
        peer.send("40/chat,").await;
        peer.entered("/chat").await;
        sockets.next().await;
        leave_nothing(&io, [peer]).await;
    }
}

/// Middleware that waits for one namespace holds up no other.
#[tokio::test(start_paused = true)]
async fn a_slow_middleware_holds_up_its_namespace_only() {
    for eio in BOTH {
        let io = Server::new();
        io.of("/slow").use_fn(async |_: Socket| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok::<_, String>(())
        });
        io.of("/quick").on_connection(|socket: Socket| {
            socket.on("e", || Reply(1));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send("40/slow,").await;
        peer.enter("/quick").await;
        peer.send(r#"42/quick,0["e"]"#).await;
        peer.expect("43/quick,0[1]").await;
        peer.entered("/slow").await;
        leave_nothing(&io, [peer]).await;
    }
}

/// What middleware joins takes effect when the socket is let in.
#[tokio::test(start_paused = true)]
async fn namespace_use_joins_rooms() {
    for eio in BOTH {
        let io = Server::builder().limits(|limits| limits.max_rooms = 2).build().unwrap();
        io.of("/mw").use_fn(async |socket: Socket| -> Result<(), BoxError> {
            socket.join(["staff", "guests"]).await?;
            socket.leave("guests").await?;
            assert!(socket.rooms().is_empty());
            let error = socket.join(["b", "c"]).await.unwrap_err();
            assert!(matches!(error, AdapterError::Join(_)), "{error:?}");
            Ok(())
        });
        io.of("/mw").on_connection(|socket: Socket| {
            let own = socket.id().to_string();
            let rooms: Vec<String> = socket.rooms().iter().map(ToString::to_string).collect();
            assert_eq!(rooms, [own.as_str(), "staff"]);
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send("40/mw,").await;
        peer.entered("/mw").await;
        io.of("/mw").to("staff").emit("x", ()).unwrap();
        io.of("/mw").to("guests").emit("y", ()).unwrap();
        peer.expect(r#"42/mw,["x"]"#).await;
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_use() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            let seen = logged.clone();
            socket.use_fn(async move |event: IncomingEvent| {
                seen.add(format!("1: {} {:?}", event.name, event.args().0));
                Ok::<_, String>(event)
            });
            let seen = logged.clone();
            socket.use_fn(async move |mut event: IncomingEvent| {
                seen.add("2");
                event.args_mut().push("added".into());
                if event.name == "old" {
                    event.name = "new".to_owned();
                }
                Ok::<_, String>(event)
            });
            socket.on("e", |args: Args| Reply(args));
            socket.on("new", || Reply("renamed"));
            socket.on("old", || Reply("not renamed"));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"421["e",5]"#).await;
        peer.expect(r#"431[5,"added"]"#).await;
        peer.send(r#"422["old"]"#).await;
        peer.expect(r#"432["renamed"]"#).await;
        assert_eq!(log.take().await, ["1: e [Int(5)]", "2", "1: old []", "2"]);
        // attachments, too
        peer.send(r#"451-3["e",{"_placeholder":true,"num":0}]"#).await;
        peer.send_binary(&[9]).await;
        peer.expect(r#"461-3[{"_placeholder":true,"num":0},"added"]"#).await;
        peer.expect_binary(&[9]).await;
        // acknowledgements pass it by
        log.take().await;
        io.sockets().connected().iter().for_each(|socket| {
            let logged = log.clone();
            socket.emit_with_ack::<u32>("q", ()).callback(move |answer| {
                logged.add(format!("{answer:?}"));
            });
        });
        peer.expect(r#"420["q"]"#).await;
        peer.send("430[1]").await;
        assert_eq!(log.take().await, ["Ok(1)"]);
        leave_nothing(&io, [peer]).await;
    }
}

/// A refused event reaches no listener; old clients are told, and the socket's `error` is raised.
#[tokio::test(start_paused = true)]
async fn socket_use_refuses() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket| {
            logged.watch_errors(&socket);
            socket.use_fn(async |event: IncomingEvent| match &*event.name {
                "doge" => Ok(event),
                "data" => Err(ConnectError::new("with data").data(&7)),
                _ => Err(ConnectError::new("not a doge error")),
            });
            for event in ["doge", "cat", "data"] {
                let logged = logged.clone();
                socket.on(event, move || {
                    logged.add(event);
                    Reply(())
                });
            }
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        peer.send_all(&[r#"42/chat,1["cat"]"#, r#"42/chat,2["data"]"#, r#"42/chat,3["doge"]"#])
            .await;
        if eio == Eio::V3 {
            peer.expect(r#"44/chat,"not a doge error""#).await;
            peer.expect("44/chat,7").await;
        }
        // the ack of a refused event is not called; the socket stays
        peer.expect("43/chat,3[]").await;
        peer.silence().await;
        assert_eq!(log.take().await, ["error: not a doge error", "error: with data", "doge"]);
        leave_nothing(&io, [peer]).await;
    }
}

/// A middleware that waits delays its event only: later ones overtake it.
#[tokio::test(start_paused = true)]
async fn a_slow_socket_middleware_is_overtaken() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket| {
            logged.watch(&socket);
            socket.use_fn(async |event: IncomingEvent| {
                if event.name == "slow" {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok::<_, String>(event)
            });
            for event in ["slow", "quick"] {
                let logged = logged.clone();
                socket.on(event, move || logged.add(event));
            }
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        peer.send_all(&[r#"42/chat,["slow"]"#, r#"42/chat,["quick"]"#]).await;
        assert_eq!(log.take().await, ["quick"]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(log.take().await, ["slow"]);
        // what is in it at the end is dropped
        peer.send_all(&[r#"42/chat,["slow"]"#, "41/chat,"]).await;
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(log.take().await.len(), 2, "disconnecting, disconnect");
        leave_nothing(&io, [peer]).await;
    }
}

/// Middleware added while others run concerns the next.
#[tokio::test(start_paused = true)]
async fn middleware_added_later() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let server = connector(&io);
    let mut first = Peer::join(&server, Eio::V4).await;
    let socket = sockets.next().await;
    io.use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("full")));
    let mut second = Peer::open(&server, Eio::V4).await;
    second.send("40").await;
    second.expect(r#"44{"message":"full"}"#).await;
    socket.on("e", || Reply(1));
    socket.use_fn(async |_: IncomingEvent| Err::<IncomingEvent, _>("no"));
    first.send(r#"420["e"]"#).await;
    first.silence().await;
    leave_nothing(&io, [first, second]).await;
}
