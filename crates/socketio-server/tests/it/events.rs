//! Events in both directions, and the listeners of a socket.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use socketio::emit::{EmitError, One};
use socketio::events::{EventName, IncomingEvent};
use socketio::{Binary, Data, Reply, Server, Socket, Value};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing};

#[tokio::test(start_paused = true)]
async fn socket_emit() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        let mut other = Peer::join(&server, eio).await;
        let socket = sockets.next().await;
        #[derive(Serialize)]
        struct Point {
            x: i32,
            y: Option<f64>,
        }
        // a tuple is several arguments, `()` none, anything else one
        socket.emit("none", ()).unwrap();
        peer.expect(r#"42["none"]"#).await;
        socket.emit("one", "ü€😀\u{2028}\"").unwrap();
        peer.expect("42[\"one\",\"ü€😀\u{2028}\\\"\"]").await;
        socket.emit("two", (1, Point { x: -1, y: None })).unwrap();
        peer.expect(r#"42["two",1,{"x":-1,"y":null}]"#).await;
        socket.emit("list", vec![1, 2]).unwrap();
        peer.expect(r#"42["list",[1,2]]"#).await;
        socket.emit("array", One([1, 2])).unwrap();
        peer.expect(r#"42["array",[1,2]]"#).await;
        // what JSON lacks
        socket.emit("null", (f64::NAN, f64::INFINITY)).unwrap();
        peer.expect(r#"42["null",null,null]"#).await;
        socket.emit("value", json!({"a": [true, null]})).unwrap();
        peer.expect(r#"42["value",{"a":[true,null]}]"#).await;
        other.silence().await;
        leave_nothing(&io, [peer, other]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn binary_in_both_directions() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(&io.of("/chat"));
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        let socket = sockets.next().await;
        let deep = json!({"a": [1]});
        socket.emit("b", (Binary(vec![1, 2].into()), deep, [Some(Binary(vec![].into()))])).unwrap();
        let packet = r#"452-/chat,["b",{"_placeholder":true,"num":0},{"a":[1]},[{"_placeholder":true,"num":1}]]"#;
        peer.expect(packet).await;
        peer.expect_binary(&[1, 2]).await;
        peer.expect_binary(&[]).await;

        socket.on("b", |socket: Socket, Data((n, b)): Data<(u32, Vec<Binary>)>| {
            let lengths: Vec<usize> = b.iter().map(|b| b.0.len()).collect();
            socket.emit("got", (n, lengths))
        });
        // the numbers decide, not the order
        peer.send(
            r#"452-/chat,["b",7,[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]"#,
        )
        .await;
        peer.send_binary(&[1, 2, 3]).await;
        peer.send_binary(&[4]).await;
        peer.expect(r#"42/chat,["got",7,[1,3]]"#).await;
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_send() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        socket.send(("a", 1)).unwrap();
        peer.expect(r#"42["message","a",1]"#).await;
        socket.send(()).unwrap();
        peer.expect(r#"42["message"]"#).await;
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reserved_names_are_not_emitted() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        let reserved = [
            "connect",
            "connect_error",
            "disconnect",
            "disconnecting",
            "error",
            "newListener",
            "removeListener",
        ];
        for name in reserved {
            let refused = socket.emit(name, ());
            assert!(matches!(&refused, Err(EmitError::Reserved(n)) if n == name), "{refused:?}");
            assert_eq!(
                refused.unwrap_err().to_string(),
                format!("{name:?} is a reserved event name")
            );
            socket.volatile().emit(name, ()).unwrap_err();
            socket.broadcast().emit(name, ()).unwrap_err();
            let answer = socket.emit_with_ack::<()>(name, ()).await;
            assert!(matches!(answer, Err(socketio::emit::AckError::Emit(EmitError::Reserved(_)))));
        }
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
    }
}

/// Reserved names from a client never reach a handler.
#[tokio::test(start_paused = true)]
async fn reserved_names_are_not_received() {
    for eio in BOTH {
        for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener"] {
            let io = Server::new();
            let log = Log::default();
            let logged = log.clone();
            io.on_connection(move |socket: Socket| {
                logged.watch_errors(&socket);
                let logged = logged.clone();
                socket.on(name, move |socketio::Args(args): socketio::Args| {
                    logged.add(format!("{name} handler with {} arguments", args.len()));
                });
            });
            let mut peer = Peer::join(&connector(&io), eio).await;
            peer.send(&format!(r#"42["{name}","spoof"]"#)).await;
            peer.closed().await;
            let happened = log.take().await;
            assert!(happened[0].starts_with("error: "), "{happened:?}");
            let spoofed = happened.iter().any(|what| what.contains("with 1"));
            assert!(!spoofed, "{happened:?}");
            leave_nothing(&io, [peer]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn emit_after_the_disconnection() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        socket.emit("before", 1).unwrap();
        socket.disconnect(false);
        assert!(matches!(socket.emit("after", 2), Err(EmitError::Closed)));
        assert!(matches!(socket.volatile().emit("after", 2), Err(EmitError::Closed)));
        io.emit("to all", ()).unwrap();
        peer.expect(r#"42["before",1]"#).await;
        peer.expect("41").await;
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
        assert!(matches!(socket.emit("after", 2), Err(EmitError::Closed)));
    }
}

/// Values that cannot be encoded fail alone.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_encoded() {
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    assert!(matches!(socket.emit("bad", Fails), Err(EmitError::Encode(_))));
    assert!(matches!(io.emit("bad", (1, Fails)), Err(EmitError::Encode(_))));
    socket.emit("good", ()).unwrap();
    peer.expect(r#"42["good"]"#).await;
    leave_nothing(&io, [peer]).await;
}

/// Listeners run in order of registration; what nobody listens to is dropped.
#[tokio::test(start_paused = true)]
async fn socket_on() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        for n in 0..3 {
            let log = log.clone();
            let event = if n == 1 { String::from("other") } else { String::from("e") };
            socket.on(event, move |Data(v): Data<u32>| log.add(format!("{n}: {v}")));
        }
        peer.send(r#"42["e",7]"#).await;
        peer.send(r#"42["unknown",8]"#).await;
        peer.send(r#"42["E",8]"#).await;
        peer.send(r#"42["other",9]"#).await;
        assert_eq!(log.take().await, ["0: 7", "2: 7", "1: 9"]);
        // an event that nobody answers is never acknowledged
        peer.send(r#"420["unknown"]"#).await;
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
    }
}

/// Clients may name an event by a number; it is heard, and seen, as the text of it.
#[tokio::test(start_paused = true)]
async fn names_that_are_numbers() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            let seen = logged.clone();
            socket.use_fn(async move |event: IncomingEvent| {
                seen.add(format!("middleware {:?}", event.name));
                Ok::<_, &str>(event)
            });
            let seen = logged.clone();
            socket.on_any(move |EventName(name): EventName| seen.add(format!("any {name:?}")));
            socket.on("7", |Data(text): Data<String>| Reply(text));
            socket.on("-1.5", |Data(bytes): Data<Binary>| Reply(bytes.0.len()));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"421[7,"x"]"#).await;
        peer.expect(r#"431["x"]"#).await;
        peer.send(r#"451-2[-1.5,{"_placeholder":true,"num":0}]"#).await;
        peer.send_binary(b"\x01\x02").await;
        peer.expect("432[2]").await;
        peer.send("42[1e21]").await;
        peer.silence().await;
        assert_eq!(
            log.take().await,
            [
                r#"middleware "7""#,
                r#"any "7""#,
                r#"middleware "-1.5""#,
                r#"any "-1.5""#,
                r#"middleware "1e+21""#,
                r#"any "1e+21""#,
            ]
        );
        leave_nothing(&io, [peer]).await;
    }
}

/// Whether a handler is called does not depend on what bytes a client sends, but on their being
/// bytes.
#[tokio::test(start_paused = true)]
async fn texts_and_bytes_are_told_apart() {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Either {
        Bytes(Binary),
        Text(String),
    }
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("text", |Data(_): Data<String>| Reply("delivered"));
            socket.on("binary", |Data(_): Data<Binary>| Reply("delivered"));
            socket.on("bytes", |Data(_): Data<Vec<bytes::Bytes>>| Reply("delivered"));
            socket.on("either", |Data(either): Data<Either>| match either {
                Either::Bytes(bytes) => Reply(format!("{} bytes", bytes.0.len())),
                Either::Text(text) => Reply(text),
            });
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        for (event, text, bytes) in [
            ("text", Some("delivered"), None),
            ("binary", None, Some("delivered")),
            ("either", Some("hello"), Some("5 bytes")),
        ] {
            peer.send(&format!(r#"421["{event}","hello"]"#)).await;
            answered(&mut peer, text).await;
            for attachment in [b"hello", b"\xff\x01\0\0\0"] {
                peer.send(&format!(r#"451-1["{event}",{{"_placeholder":true,"num":0}}]"#)).await;
                peer.send_binary(attachment).await;
                answered(&mut peer, bytes).await;
            }
        }
        peer.send(r#"421["bytes",["hello"]]"#).await;
        answered(&mut peer, None).await;
        leave_nothing(&io, [peer]).await;
    }
}

async fn answered(peer: &mut Peer, answer: Option<&str>) {
    match answer {
        Some(answer) => peer.expect(&format!("431[{answer:?}]")).await,
        None => {
            let answer = peer.next().await;
            assert!(answer.starts_with(r#"431[{"error":{"code":"invalid","at":"/0"#), "{answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn socket_once() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        let logged = log.clone();
        socket.once("e", move |socket: Socket| {
            // it is removed before it runs
            logged.add(format!("once, {} left", socket.listener_count("e")));
        });
        let logged = log.clone();
        socket.on("e", move || logged.add("on"));
        assert_eq!(socket.listener_count("e"), 2);
        peer.send_all(&[r#"42["e"]"#, r#"42["e"]"#]).await;
        assert_eq!(log.take().await, ["once, 1 left", "on", "on"]);
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_remove_listener() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        let ids: Vec<_> = (0..3)
            .map(|n| {
                let log = log.clone();
                socket.on("e", move || log.add(n.to_string()))
            })
            .collect();
        assert!(!socket.remove_listener("other", ids[1]), "it listens to another event");
        assert!(socket.remove_listener("e", ids[1]));
        assert!(!socket.remove_listener("e", ids[1]), "it is gone");
        let logged = log.clone();
        let removed = ids[2];
        socket.on("off", move |socket: Socket| {
            logged.add(format!("removed: {}", socket.remove_listener("e", removed)));
        });
        peer.send_all(&[r#"42["e"]"#, r#"42["off"]"#, r#"42["e"]"#]).await;
        assert_eq!(log.take().await, ["0", "2", "removed: true", "0"]);
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_remove_all_listeners() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        for event in ["a", "a", "b", "c"] {
            let log = log.clone();
            socket.on(event, move || log.add(event));
        }
        socket.remove_all_listeners(Some("a"));
        peer.send_all(&[r#"42["a"]"#, r#"42["b"]"#]).await;
        assert_eq!(log.take().await, ["b"]);
        socket.remove_all_listeners(None);
        peer.send_all(&[r#"42["b"]"#, r#"42["c"]"#]).await;
        assert_eq!(log.take().await, [""; 0]);
        assert_eq!(socket.event_names(), [""; 0]);
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_event_names() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    assert_eq!(socket.event_names(), [""; 0]);
    let first = socket.on("b", || ());
    socket.on("a", || ());
    socket.on("b", || ());
    socket.on_disconnect(|| ());
    socket.once("c", || ());
    // in order of first registration
    assert_eq!(socket.event_names(), ["b", "a", "disconnect", "c"]);
    socket.remove_listener("b", first);
    assert_eq!(socket.event_names(), ["a", "b", "disconnect", "c"]);
    leave_nothing(&io, [peer]).await;
    assert_eq!(socket.event_names(), [""; 0], "listeners end with the socket");
    socket.on("late", || ());
    assert_eq!(socket.event_names(), [""; 0]);
}

/// A socket that is over keeps nothing that could hold it, whether or not it had any of it before;
/// its data may be set for ever.
#[tokio::test(start_paused = true)]
async fn what_comes_after_the_end_is_let_go_of() {
    for had_some in [false, true] {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let peer = Peer::join(&connector(&io), Eio::V4).await;
        let socket = sockets.next().await;
        if had_some {
            socket.extensions().insert(1_u8);
        }
        leave_nothing(&io, [peer]).await;
        let probe = Arc::new(());
        let [on, prepended, any, outgoing, middleware] = [(); 5].map(|()| Arc::clone(&probe));
        socket.on("e", move || drop(on.clone()));
        socket.prepend_listener("e", move || drop(prepended.clone()));
        socket.on_any(move || drop(any.clone()));
        socket.on_any_outgoing(move |_, _| drop(outgoing.clone()));
        socket.use_fn(async move |event: IncomingEvent| {
            drop(middleware);
            Ok::<_, &str>(event)
        });
        socket.extensions().insert(Arc::clone(&probe));
        assert_eq!(Arc::strong_count(&probe), 1);
        assert_eq!(socket.extensions().get::<u8>(), None);
        socket.set_data("kept").unwrap();
        assert_eq!(socket.data::<String>().unwrap(), "kept");
    }
}

/// Numbers keep their digits, and members their order.
#[tokio::test(start_paused = true)]
async fn values_come_back_as_they_were() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("e", |socket: Socket, args: socketio::Args| socket.emit("r", args));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        for args in [
            "",
            r#",1"#,
            r#",{"z":1,"a":{"y":null,"b":[]}}"#,
            r#",18446744073709551615,-9223372036854775808,1.5,"é\n",true,[[]]"#,
        ] {
            peer.send(&format!(r#"42["e"{args}]"#)).await;
            peer.expect(&format!(r#"42["r"{args}]"#)).await;
        }
        let value = Value::from(vec![Value::Null]);
        assert_eq!(value.as_array().map(<[_]>::len), Some(1));
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_prepend_listener() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        let add = |name: &'static str| {
            let log = log.clone();
            move || log.add(name)
        };
        socket.on("e", add("on"));
        socket.prepend_listener("e", add("first"));
        socket.prepend_once_listener("e", add("once"));
        peer.send_all(&[r#"42["e"]"#, r#"42["e"]"#]).await;
        assert_eq!(log.take().await, ["once", "first", "on", "first", "on"]);
        leave_nothing(&io, [peer]).await;
    }
}

/// Catch-all listeners: what comes, before its own listeners, and what goes.
#[tokio::test(start_paused = true)]
async fn socket_on_any() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        let logged = log.clone();
        socket.on("e", move || logged.add("on"));
        let logged = log.clone();
        let any = socket.on_any(move |EventName(name): EventName, args: socketio::Args| {
            logged.add(format!("any {name} {}", args.0.len()));
        });
        let logged = log.clone();
        socket.on_any_outgoing(move |name, args| logged.add(format!("out {name} {}", args.len())));
        peer.send_all(&[r#"42["e",1]"#, r#"42["unknown"]"#]).await;
        assert_eq!(log.take().await, ["any e 1", "on", "any unknown 0"]);
        assert!(socket.off_any(any) && !socket.off_any(any));
        peer.send(r#"42["e",1]"#).await;
        socket.emit("x", (1, 2)).unwrap();
        io.emit("to all", ()).unwrap();
        assert_eq!(log.take().await, ["out x 2", "on"]);
        socket.remove_all_outgoing();
        socket.emit("y", ()).unwrap();
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
    }
}

/// A listener for all sockets of a namespace runs after the socket's own.
#[tokio::test(start_paused = true)]
async fn namespace_on_unknown_event() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        let unknown = move |EventName(name): EventName| {
            logged.add(format!("unknown {name}"));
        };
        io.of("/chat").on_unknown_event(unknown.clone());
        io.of_matching("/dyn-*").on_unknown_event(unknown);
        let (own, any, all) = (log.clone(), log.clone(), log.clone());
        io.of("/chat").on_event("namespace's", move || all.add("namespace's"));
        io.of("/chat").on_connection(move |socket: Socket| {
            let (own, any) = (own.clone(), any.clone());
            socket.once("own", move || own.add("own"));
            socket.on_any(move || any.add("any"));
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        peer.enter("/dyn-1").await;
        let events = [
            r#"42/chat,["own"]"#,
            r#"42/chat,["namespace's"]"#,
            r#"42/chat,["other"]"#,
            r#"42/chat,["own"]"#,
            r#"42/dyn-1,["other"]"#,
        ];
        peer.send_all(&events).await;
        let expected = [
            "any",
            "own",
            "any",
            "namespace's",
            "any",
            "unknown other",
            "any",
            // was there once
            "unknown own",
            "unknown other",
        ];
        assert_eq!(log.take().await, expected);
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_on_event() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_event("e", move |socket: Socket, Data(n): Data<u32>| {
            logged.add(format!("namespace {n}"));
            socket.emit("seen", n)
        });
        let mut sockets = arrivals(&io.of("/chat"));
        let server = connector(&io);
        let mut peer = Peer::join_namespace(&server, eio, "/chat").await;
        let logged = log.clone();
        sockets.next().await.on("e", move || logged.add("own"));
        let mut other = Peer::join_namespace(&server, eio, "/chat").await;
        peer.send(r#"42/chat,["e",1]"#).await;
        peer.expect(r#"42/chat,["seen",1]"#).await;
        other.send(r#"42/chat,["e",2]"#).await;
        other.expect(r#"42/chat,["seen",2]"#).await;
        assert_eq!(log.take().await, ["own", "namespace 1", "namespace 2"]);
        leave_nothing(&io, [peer, other]).await;
    }
}

/// Values of serde_json take JSON, and who sends bytes in their place is told where; ours take both.
#[cfg(feature = "serde_json")]
#[tokio::test(start_paused = true)]
async fn values_of_serde_json() {
    use serde_json::value::RawValue;

    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("json", |Data(value): Data<serde_json::Value>| Reply(value));
        socket.on("value", |Data(value): Data<Value>| Reply(serde_json::Value::from(value)));
        socket.on("raw", |Data(raw): Data<Box<RawValue>>| Reply(raw.get().to_owned()));
        socket.on("back", |Data(raw): Data<Box<RawValue>>| Reply(raw));
    });
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    for (event, answer) in [
        (r#"["json",{"a":[1,2.5]}]"#, r#"{"a":[1,2.5]}"#),
        (r#"["value",{"a":[1,2.5]}]"#, r#"{"a":[1,2.5]}"#),
        (r#"["raw",{ "a": 1.0 }]"#, r#""{ \"a\": 1.0 }""#),
        (r#"["back",{ "a": 1.0 }]"#, r#"{ "a": 1.0 }"#),
    ] {
        peer.send(&format!("421{event}")).await;
        peer.expect(&format!("431[{answer}]")).await;
    }
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    // in the order that serde_json's own feature makes of it
    let buffer = json!({ "type": "Buffer", "data": [1, 2] }).to_string();
    let text = json!(format!(r#"{{"file":{buffer}}}"#)).to_string();
    let refused = r#"{"error":{"code":"invalid","at":"/0/file","message":"expected any valid JSON value, got bytes"}}"#;
    for (name, answer) in
        [("json", refused.to_owned()), ("value", format!(r#"{{"file":{buffer}}}"#)), ("raw", text)]
    {
        peer.send(&format!(r#"451-1["{name}",{{"file":{placeholder}}}]"#)).await;
        peer.send_binary(&[1, 2]).await;
        peer.expect(&format!("431[{answer}]")).await;
    }
    leave_nothing(&io, [peer]).await;
}
