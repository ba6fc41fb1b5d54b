//! The class `Socket`: what it is. Events, acks, rooms and its end have modules of their own.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use socketio::options::{PerMessageDeflate, TransportKind};
use socketio::{Auth, Data, Server, Socket, Value};
use testkit::{Connector, Eio, Polling, open_websocket};

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing, nothing_left};

#[tokio::test(start_paused = true)]
async fn socket_id() {
    for eio in BOTH {
        let io = Server::new();
        let (mut in_root, mut in_chat) = (arrivals(io.sockets()), arrivals(&io.of("/chat")));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/chat").await;
        let (root, chat) = (in_root.next().await, in_chat.next().await);
        match eio {
            Eio::V3 => {
                assert_eq!(root.id(), &*peer.sid);
                assert_eq!(chat.id(), &*format!("/chat#{}", peer.sid));
            }
            // the id is public, the session's id is a secret
            Eio::V4 => {
                assert_eq!(chat.id(), &*peer.id);
                assert!(root.id() != chat.id() && root.id() != &*peer.sid);
                assert_eq!(root.id().len(), 20);
            }
        }
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_client() {
    for eio in BOTH {
        let io = Server::new();
        let (mut in_root, mut in_chat) = (arrivals(io.sockets()), arrivals(&io.of("/chat")));
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        peer.enter("/chat").await;
        let other = Peer::join(&server, eio).await;
        let (root, chat) = (in_root.next().await, in_chat.next().await);
        assert!(root.client().is_same(chat.client()), "namespaces share the client");
        assert!(!root.client().is_same(in_root.next().await.client()));
        leave_nothing(&io, [peer, other]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_conn() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut polling = Polling::open(&connector(&io), eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        let socket = sockets.next().await;
        let conn = socket.conn();
        assert!(conn.is_same(socket.client().conn()));
        assert_eq!(conn.id(), polling.sid());
        assert_eq!(conn.transport(), TransportKind::Polling);
        assert_eq!(conn.remote_addr().unwrap().port(), 40_000);
        polling.next().await;
        let mut ws = polling.upgrade().await;
        testkit::settle().await;
        assert_eq!(conn.transport(), TransportKind::WebSocket);
        // the connection itself speaks messages, below all namespaces
        conn.send(engineio::Message::Text("raw")).unwrap();
        ws.expect_text("4raw").await;
        assert!(conn.is_open());
        drop(ws);
        nothing_left(&io).await;
        assert!(!conn.is_open());
    }
}

#[tokio::test(start_paused = true)]
async fn socket_request() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(&io.of("/chat"));
        let server = connector(&io).with_header("Cookie", "user=ann");
        let peer = Peer::join_namespace(&server, eio, "/chat").await;
        let socket = sockets.next().await;
        let request = socket.request();
        assert_eq!(request.header("cookie"), Some("user=ann"));
        assert_eq!(request.method(), "GET");
        assert_eq!(request.uri(), server.target(eio, "websocket", ""));
        leave_nothing(&io, [peer]).await;
    }
}

/// Compression is the default; it shows where answers to polls are compressed.
#[tokio::test(start_paused = true)]
async fn socket_compress() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io).with_header("Accept-Encoding", "gzip");
        let mut polling = Polling::open(&server, eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        let socket = sockets.next().await;
        let text = "x".repeat(2000);
        let encoding = async |polling: &mut Polling| {
            let response = polling.poll_response().await;
            response.header("content-encoding").map(str::to_owned)
        };
        socket.emit("big", &text).unwrap();
        assert_eq!(encoding(&mut polling).await.as_deref(), Some("gzip"));
        socket.compress(false).emit("big", &text).unwrap();
        assert_eq!(encoding(&mut polling).await, None);
        socket.compress(true).send(&text).unwrap();
        assert_eq!(encoding(&mut polling).await.as_deref(), Some("gzip"));
        io.compress(false).emit("big", &text).unwrap();
        assert_eq!(encoding(&mut polling).await, None);
        io.compress(true).emit("big", &text).unwrap();
        assert_eq!(encoding(&mut polling).await.as_deref(), Some("gzip"));
        polling.post(["1"]).await;
        nothing_left(&io).await;
    }
}

#[tokio::test(start_paused = true)]
async fn per_message_deflate() {
    let io = Server::builder().per_message_deflate(PerMessageDeflate::default()).build().unwrap();
    let mut sockets = arrivals(io.sockets());
    let server = connector(&io).with_header("Sec-WebSocket-Extensions", "permessage-deflate");
    let (mut websocket, _) = open_websocket(&server, Eio::V3, "").await;
    websocket.expect_text("40").await;
    let socket = sockets.next().await;
    let text = "x".repeat(1100);
    // whether it is marked as compressed, and whether it is small
    let mut sent = async || {
        let frame = websocket.next_raw().await.expect("a message");
        assert_eq!(frame.opcode, 1);
        (frame.rsv == 4, frame.payload.len() < 100)
    };
    socket.emit("big", &text).unwrap();
    assert_eq!(sent().await, (true, true));
    socket.compress(false).emit("big", &text).unwrap();
    assert_eq!(sent().await, (false, false));
    io.emit("big", &text).unwrap();
    assert_eq!(sent().await, (true, true));
    io.compress(false).emit("big", &text).unwrap();
    assert_eq!(sent().await, (false, false));
    socket.emit("small", "x").unwrap();
    assert_eq!(sent().await, (false, true));
    drop(websocket);
    nothing_left(&io).await;
}

#[tokio::test(start_paused = true)]
async fn flag_volatile() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut polling = Polling::open(&connector(&io), eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        let socket = sockets.next().await;
        // dropped, which is no error; a binary event as a whole
        socket.volatile().emit("lost", ()).unwrap();
        socket.volatile().emit("lost", socketio::Binary(vec![1].into())).unwrap();
        socket.emit("kept", 1).unwrap();
        socket.volatile().send("lost").unwrap();
        socket.emit("kept", 2).unwrap();
        assert_eq!(polling.poll().await, [r#"42["kept",1]"#, r#"42["kept",2]"#]);
        let mut poll = polling.poll_later().await;
        socket.volatile().emit("in time", ()).unwrap();
        let answer = poll.read_response().await;
        assert_eq!(polling.packets(&answer), [r#"42["in time"]"#]);
        polling.post(["1"]).await;
        nothing_left(&io).await;
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Token {
    token: String,
}

/// `auth` of new clients, and the query of a namespace that old ones give in its place.
#[tokio::test(start_paused = true)]
async fn handshake_auth() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket, Auth(auth): Auth<Token>| {
            logged.add(auth.token);
            let token = socket.handshake().auth().and_then(|auth| auth.get("token").cloned());
            assert_eq!(token, Some(Value::from("secret")));
        });
        let (connect, anonymous) = match eio {
            Eio::V3 => ("40/chat?token=secret", "40/chat,"),
            Eio::V4 => (r#"40/chat,{"token":"secret"}"#, "40/chat,"),
        };
        let server = connector(&io);
        let mut peer = Peer::open(&server, eio).await;
        if eio == Eio::V3 {
            peer.enter("/").await;
        }
        peer.send(connect).await;
        peer.entered("/chat").await;
        assert_eq!(log.take().await, ["secret"]);
        // without it the handler could not be called: the socket is refused, and its client told why
        peer.send("41/chat,").await;
        peer.send(anonymous).await;
        let told = r#"{"code":"invalid","at":"/token","message":"missing"}"#;
        match eio {
            Eio::V3 => peer.expect(&format!("44/chat,{told}")).await,
            Eio::V4 => {
                let message = r#"{"message":"auth: /token: missing","data":"#;
                peer.expect(&format!("44/chat,{message}{told}}}")).await;
            }
        }
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
        assert_eq!(io.stats().handler_panics, 0);
    }
}

/// The query of the request, with that of the namespace, which wins.
#[tokio::test(start_paused = true)]
async fn handshake_query() {
    let io = Server::new();
    let mut sockets = arrivals(&io.of("/chat"));
    let server = connector(&io).with_header("Origin", "http://a.test");
    let (mut ws, _) = open_websocket(&server, Eio::V3, "room=one&user=ann%20b").await;
    ws.expect_text("40").await;
    ws.send_text("40/chat?room=two&x=1").await;
    ws.expect_text("40/chat,").await;
    let socket = sockets.next().await;
    let handshake = socket.handshake();
    assert_eq!(handshake.param("room").as_deref(), Some("two"));
    assert_eq!(handshake.param("user").as_deref(), Some("ann b"));
    assert_eq!(handshake.param("x").as_deref(), Some("1"));
    assert_eq!(handshake.param("EIO").as_deref(), Some("3"));
    assert_eq!(handshake.param("nothing"), None);
    assert_eq!(handshake.query().filter(|(name, _)| name == "room").count(), 1);
    assert_eq!(handshake.header("origin"), Some("http://a.test"));
    assert!(handshake.is_xdomain());
    assert!(!handshake.is_secure());
    assert_eq!(handshake.address().unwrap().to_string(), "127.0.0.1");
    assert!(handshake.issued().elapsed().is_ok());
    leave_nothing(&io, [ws]).await;
}

#[tokio::test(start_paused = true)]
async fn handshake_behind_a_trusted_proxy() {
    let io = Server::builder().trusted_proxies(["127.0.0.1"]).build().unwrap();
    let mut sockets = arrivals(io.sockets());
    let server = connector(&io).with_header("X-Forwarded-For", "192.0.2.1");
    let peer = Peer::join(&server.with_header("X-Forwarded-Proto", "https"), Eio::V4).await;
    let socket = sockets.next().await;
    assert_eq!(socket.handshake().address().unwrap().to_string(), "192.0.2.1");
    assert!(socket.handshake().is_secure());
    assert_eq!(socket.request().peer_addr().unwrap().port(), 40_000);
    leave_nothing(&io, [peer]).await;
}

#[tokio::test(start_paused = true)]
async fn data_and_extensions() {
    let io = Server::new();
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let (sender, mut sockets) = tokio::sync::mpsc::unbounded_channel();
    io.use_fn(async move |socket: Socket| {
        socket.set_data(&json!({"name": "ann"}))?;
        socket.extensions().insert(7_u32);
        Ok::<_, socketio::BoxError>(())
    });
    io.on_connection(move |socket: Socket| sender.send(socket));
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.recv().await.unwrap();
    let data: Option<serde_json::Value> = socket.data();
    assert_eq!(data, Some(json!({"name": "ann"})));
    assert_eq!(socket.data::<u32>(), None);
    assert_eq!(socket.extensions().get::<u32>(), Some(7));
    assert_eq!(socket.extensions().insert(8_u32), Some(7));
    assert_eq!(socket.extensions().remove::<u32>(), Some(8));
    socket.extensions().insert(held);
    leave_nothing(&io, [peer]).await;
    assert!(weak.upgrade().is_none(), "extensions end with the connection");
    socket.extensions().insert(Arc::new(()));
    assert!(socket.extensions().get::<Arc<()>>().is_none(), "nothing is kept afterwards");
}

/// Events over polling, and across the change to WebSocket.
#[tokio::test(start_paused = true)]
async fn a_session_over_polling_and_its_upgrade() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("echo", |socket: Socket, Data(n): Data<u32>| socket.emit("echo", n));
        });
        let mut polling = Polling::open(&connector(&io), eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        polling.post([r#"42["echo",1]"#, r#"42["echo",2]"#]).await;
        assert_eq!(polling.poll().await, [r#"42["echo",1]"#, r#"42["echo",2]"#]);
        let mut ws = polling.upgrade().await;
        ws.send_text(r#"42["echo",3]"#).await;
        ws.expect_text(r#"42["echo",3]"#).await;
        io.emit("all", ()).unwrap();
        ws.expect_text(r#"42["all"]"#).await;
        leave_nothing(&io, [ws]).await;
    }
}

/// Byte for byte, the session is the same.
#[tokio::test(start_paused = true)]
async fn a_session_in_the_smallest_pieces() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("echo", |socket: Socket, args: socketio::Args| socket.emit("echo", args));
        });
        let server: Connector = connector(&io).with_capacity(1);
        let mut peer = Peer::join(&server, eio).await;
        peer.send(r#"451-["echo",{"_placeholder":true,"num":0},"ü"]"#).await;
        peer.send_binary(&[1, 2, 3]).await;
        peer.expect(r#"451-["echo",{"_placeholder":true,"num":0},"ü"]"#).await;
        peer.expect_binary(&[1, 2, 3]).await;
        leave_nothing(&io, [peer]).await;
    }
}

/// Cloning a value is code of the user, and may use the socket that holds it.
#[tokio::test(start_paused = true)]
async fn socket_extensions_are_cloned_outside_of_the_lock() {
    struct Curious(Socket);
    impl Clone for Curious {
        fn clone(&self) -> Self {
            assert_eq!(self.0.extensions().get::<u8>(), Some(7));
            Self(self.0.clone())
        }
    }
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    socket.extensions().insert(7_u8);
    assert!(socket.extensions().insert(Curious(socket.clone())).is_none());
    assert!(socket.extensions().get::<Curious>().is_some());
    assert!(socket.extensions().remove::<Curious>().is_some());
    assert!(socket.extensions().get::<Curious>().is_none());
    assert_eq!(socket.extensions().insert(8_u8), Some(7));
    drop((socket, sockets));
    leave_nothing(&io, [peer]).await;
}
