//! The class `Server`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use socketio::adapter::{Adapter, AdapterFactory, LocalAdapterFactory};
use socketio::options::{BuildError, Origins, Refused, TransportKind};
use socketio::serve::Request;
use socketio::{Client, ConnectError, Namespace, Server, Socket};
use testkit::{Connector, Eio, Polling, WebSocket, open_websocket, request};

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing, nothing_left};

#[test]
fn handles_are_clone_send_sync() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Server>();
    check::<Namespace>();
    check::<Socket>();
    check::<Client>();
    check::<socketio::emit::BroadcastOperator>();
    check::<socketio::emit::SocketOperator>();
    check::<socketio::Ack>();
}

#[tokio::test(start_paused = true)]
async fn server_new() {
    let io = Server::new();
    assert_eq!(io.path(), "/socket.io");
    assert!(io.serve_client());
    assert!(io.origins().is_any());
    assert_eq!(io.adapter().name(), "local");
    let server = connector(&io);
    let polling = Polling::open(&server, Eio::V3, "").await;
    let handshake = polling.handshake();
    assert_eq!(handshake["upgrades"], json!(["websocket"]));
    assert_eq!(handshake["pingInterval"], json!(25_000));
    assert_eq!(handshake["pingTimeout"], json!(60_000));
    assert_eq!(handshake["maxPayload"], json!(1_000_000));
    let response = request(&server, testkit::Request::get("/elsewhere")).await;
    assert_eq!(response.status, 404);
}

#[tokio::test(start_paused = true)]
async fn server_options() {
    let io = Server::builder()
        .path("/ws/")
        .serve_client(false)
        .ping_interval(Duration::from_secs(3))
        .ping_timeout(Duration::from_secs(2))
        .max_http_buffer_size(500)
        .transports([TransportKind::WebSocket])
        .allow_eio3(false)
        .build()
        .unwrap();
    let server = connector(&io).with_path("/ws/");
    let (mut ws, handshake) = open_websocket(&server, Eio::V4, "").await;
    assert_eq!(handshake["pingInterval"], json!(3000));
    assert_eq!(handshake["pingTimeout"], json!(2000));
    assert_eq!(handshake["maxPayload"], json!(500));
    ws.send_text("40").await;
    ws.next().await;
    tokio::time::advance(Duration::from_secs(3)).await;
    ws.expect_text("2").await;
    tokio::time::advance(Duration::from_secs(2)).await;
    ws.expect_close().await;
    let polling = testkit::Request::get(&server.target(Eio::V4, "polling", ""));
    assert_eq!(request(&server, polling).await.json()["code"], 0);
    let old = WebSocket::connect(&server, &server.target(Eio::V3, "websocket", ""), &[]).await;
    assert_eq!(old.unwrap_err().status, 400);
    leave_nothing(&io, [ws]).await;
}

/// What the first answer of a server says of its options, to a page of another site.
async fn handshake_answer(io: &Server, eio: Eio) -> testkit::Response {
    let server = connector(io);
    let polling = testkit::Request::get(&server.target(eio, "polling", ""));
    request(&server, polling.header("Origin", "http://page.test")).await
}

/// The content of the open packet, which is all that an answer of protocol 4 has.
fn open_packet(answer: &testkit::Response) -> serde_json::Value {
    serde_json::from_str(answer.text().strip_prefix('0').unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn defaults_of_4x() {
    // Node 2.0: defaults of 2.0
    let io = Server::new();
    let answer = handshake_answer(&io, Eio::V4).await;
    assert_eq!(open_packet(&answer)["pingTimeout"], 60_000);
    assert_eq!(open_packet(&answer)["pingInterval"], 25_000);
    assert_eq!(open_packet(&answer)["maxPayload"], 1_000_000);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://page.test"));
    assert!(answer.header("set-cookie").unwrap().starts_with("io="));
    assert_eq!(handshake_answer(&io, Eio::V3).await.status, 200);

    // Node: defaults of 4.8
    let io = Server::builder().defaults_of_4x().build().unwrap();
    let answer = handshake_answer(&io, Eio::V4).await;
    assert_eq!(open_packet(&answer)["pingTimeout"], 20_000);
    assert_eq!(open_packet(&answer)["pingInterval"], 25_000);
    assert_eq!(open_packet(&answer)["maxPayload"], 1_000_000);
    assert_eq!(open_packet(&answer)["upgrades"], json!(["websocket"]));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("set-cookie"), None);
    let old = handshake_answer(&io, Eio::V3).await;
    assert_eq!((old.status, &old.json()["code"]), (400, &json!(5)));

    // what is set later stays
    let builder = Server::builder().defaults_of_4x().ping_timeout(Duration::from_secs(7));
    let io = builder.build().unwrap();
    assert_eq!(open_packet(&handshake_answer(&io, Eio::V4).await)["pingTimeout"], 7_000);

    // clients 2.x, where they are allowed, need not be in `/` before another namespace
    let io = Server::builder().defaults_of_4x().allow_eio3(true).build().unwrap();
    let _chat = io.of("/chat");
    io.use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("nobody gets in here")));
    let mut peer = Peer::open(&connector(&io), Eio::V3).await;
    peer.expect(r#"44"nobody gets in here""#).await;
    peer.enter("/chat").await;
    leave_nothing(&io, [peer]).await;
}

#[test]
fn options_that_make_no_sense_are_refused() {
    #[track_caller]
    fn check(build: Result<Server, BuildError>, message: &str) {
        assert_eq!(build.unwrap_err().to_string(), message);
    }
    let long = Duration::MAX;
    check(
        Server::builder().path("chat").build(),
        "option path: \"chat\" must begin with a slash and have no query",
    );
    check(
        Server::builder().connect_timeout(Duration::ZERO).build(),
        "option connect_timeout must not be zero or empty",
    );
    check(
        Server::builder().connect_timeout(long).build(),
        "option connect_timeout must be at most a year",
    );
    check(Server::builder().transports([]).build(), "option transports must not be zero or empty");
    check(
        Server::builder().trusted_proxies(["127.0.0.1", "10.0.0.0/40"]).build(),
        "option trusted_proxies: \"10.0.0.0/40\" is neither an address nor a network such as \
         10.0.0.0/8",
    );
    check(
        Server::builder().limits(|limits| limits.max_rooms = 0).build(),
        "option max_rooms must not be zero or empty",
    );
    let files = socketio::options::ClientFiles::dir("/no/such/directory");
    let missing = Server::builder().serve_client(files).build().unwrap_err();
    assert!(matches!(missing, BuildError::ClientFiles(_)), "{missing}");
}

/// What Node 2.0 does with `io` itself is done with the namespace `/`.
#[tokio::test(start_paused = true)]
async fn server_sockets() {
    for eio in BOTH {
        let io = Server::new();
        assert_eq!(io.sockets().name(), "/");
        let log = Log::default();
        let logged = log.clone();
        io.use_fn(async move |_: Socket| {
            logged.add("middleware");
            Ok::<_, String>(())
        });
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            logged.add("connection");
            _ = socket.join("room");
        });
        let logged = log.clone();
        io.on_connect(move || logged.add("connect"));
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        assert_eq!(log.take().await, ["middleware", "connect", "connection"]);

        io.sockets().emit("a", 1).unwrap();
        io.emit("b", 2).unwrap();
        io.send(3).unwrap();
        io.to("room").emit("d", ()).unwrap();
        io.in_room("room").emit("e", ()).unwrap();
        io.except("room").emit("no", ()).unwrap();
        io.to("another").emit("no", ()).unwrap();
        io.compress(false).emit("f", ()).unwrap();
        io.local().emit("g", ()).unwrap();
        for packet in
            [r#"42["a",1]"#, r#"42["b",2]"#, r#"42["message",3]"#, r#"42["d"]"#, r#"42["e"]"#]
        {
            peer.expect(packet).await;
        }
        peer.expect(r#"42["f"]"#).await;
        peer.expect(r#"42["g"]"#).await;
        io.volatile().emit("h", ()).unwrap();
        peer.expect(r#"42["h"]"#).await;
        assert_eq!(io.clients().await.unwrap().items, [peer.id.as_str()]);
        let timeout = io.timeout(Duration::from_secs(1));
        let answers = timeout.emit_with_ack::<u32>("i", ()).await.unwrap();
        let [(_, Err(socketio::emit::AckError::Timeout))] = &answers.local[..] else {
            panic!("{answers:?}");
        };
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn server_of() {
    for eio in BOTH {
        let io = Server::new();
        // a slash is added; else names are compared as they are
        let mut in_chat = arrivals(&io.of("chat"));
        assert_eq!(io.of("chat").name(), "/chat");
        assert_eq!(io.of("").name(), "/");
        assert_eq!(io.of("/Chat/").name(), "/Chat/");
        assert_eq!(io.stats().namespaces, 3, "each name is one namespace");
        let server = connector(&io);
        let mut peer = Peer::join_namespace(&server, eio, "/chat").await;
        assert_eq!(in_chat.next().await.namespace().name(), "/chat");
        io.of("/chat").emit("hello", ()).unwrap();
        io.of("/Chat/").emit("elsewhere", ()).unwrap();
        peer.expect(r#"42/chat,["hello"]"#).await;
        peer.send("40/CHAT,").await;
        peer.expect(match eio {
            Eio::V3 => r#"44/CHAT,"Invalid namespace""#,
            Eio::V4 => r#"44/CHAT,{"message":"Invalid namespace"}"#,
        })
        .await;
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn server_path() {
    let io = Server::builder().path("/my/own/path/").build().unwrap();
    assert_eq!(io.path(), "/my/own/path");
    let server = connector(&io).with_path("/my/own/path/");
    let peer = Peer::join(&server, Eio::V4).await;
    let elsewhere = server.with_path("/socket.io/");
    let target = elsewhere.target(Eio::V4, "polling", "");
    assert_eq!(request(&elsewhere, testkit::Request::get(&target)).await.status, 404);
    leave_nothing(&io, [peer]).await;
}

#[tokio::test(start_paused = true)]
async fn server_engine_generate_id() {
    for eio in BOTH {
        let count = AtomicUsize::new(0);
        let generate = move |request: Request| {
            let user = request.header("x-user").ok_or("nobody")?.to_owned();
            let count = count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, &str>(format!("custom:{user}:{count}"))
        };
        let io = Server::builder().generate_id(generate).build().unwrap();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io).with_header("X-User", "ann");
        let first = Peer::join(&server, eio).await;
        assert_eq!(first.sid, "custom:ann:0");
        let socket = sockets.next().await;
        assert_eq!(socket.conn().id(), "custom:ann:0");
        // clients 3.x and later get a socket id of its own, for the session's is a secret
        assert_eq!(socket.id() == "custom:ann:0", eio == Eio::V3);
        assert!(io.engine().session("custom:ann:0").is_some());
        let second = Peer::join(&server, eio).await;
        assert_eq!(second.sid, "custom:ann:1");
        let unnamed = connector(&io);
        let target = unnamed.target(eio, "polling", "");
        let refused = request(&unnamed, testkit::Request::get(&target)).await;
        assert_eq!(refused.json(), json!({"code": 3, "message": "Bad request"}));
        leave_nothing(&io, [first, second]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn server_adapter() {
    /// Counts the namespaces that it made adapters for.
    #[derive(Debug)]
    struct Factory(LocalAdapterFactory, Arc<AtomicUsize>);

    impl AdapterFactory for Factory {
        fn create(&self, namespace: &str) -> Arc<dyn Adapter> {
            self.1.fetch_add(namespace.len(), Ordering::Relaxed);
            self.0.create(namespace)
        }

        fn name(&self) -> &'static str {
            "counting"
        }
    }

    let created = Arc::new(AtomicUsize::new(0));
    let factory = Factory(LocalAdapterFactory::default(), Arc::clone(&created));
    let io = Server::builder().adapter(factory).build().unwrap();
    assert_eq!(io.adapter().name(), "counting");
    assert_eq!(created.load(Ordering::Relaxed), "/".len());
    let chat = io.of("/chat");
    _ = io.of("/chat");
    assert_eq!(created.load(Ordering::Relaxed), "/".len() + "/chat".len());
    let mut peer = Peer::join_namespace(&connector(&io), Eio::V4, "/chat").await;
    chat.emit("through it", ()).unwrap();
    peer.expect(r#"42/chat,["through it"]"#).await;
    leave_nothing(&io, [peer]).await;
}

#[tokio::test(start_paused = true)]
async fn server_origins() {
    let origins = Origins::list("http://ok.test:* *:9000").unwrap();
    let io = Server::builder().origins(origins).build().unwrap();
    assert!(!io.origins().is_any());
    for eio in BOTH {
        assert_eq!(open_from(&io, eio, "http://ok.test").await, (200, 101));
        assert_eq!(open_from(&io, eio, "http://any.test:9000").await, (200, 101));
        assert_eq!(open_from(&io, eio, "http://evil.test").await, (403, 403));
        assert_eq!(open_from(&io, eio, "http://ok.test.evil.test").await, (403, 403));
        assert_eq!(open_from(&io, eio, "null").await, (403, 403));
    }
}

#[tokio::test(start_paused = true)]
async fn server_origins_fn() {
    let check = |origin: String, request: Request| match &*origin {
        "http://ok.test" => Ok(()),
        "http://host.test" if request.header("host") == Some("test") => Ok(()),
        "*" => Err(Refused::with("who are you?")),
        _ => Err(Refused::forbidden()),
    };
    let io = Server::builder().origins(Origins::check(check)).build().unwrap();
    assert_eq!(open_from(&io, Eio::V4, "http://ok.test").await, (200, 101));
    assert_eq!(open_from(&io, Eio::V4, "http://host.test").await, (200, 101));
    assert_eq!(open_from(&io, Eio::V3, "http://evil.test").await, (403, 403));
    let server = connector(&io);
    let target = server.target(Eio::V3, "polling", "");
    let refused = request(&server, testkit::Request::get(&target)).await;
    assert_eq!(refused.json(), json!({"code": 4, "message": "who are you?"}));
}

#[tokio::test(start_paused = true)]
async fn server_allow_request() {
    for eio in BOTH {
        let allow = |request: Request| match request.query().contains("token=good") {
            true => Ok(()),
            false => Err(Refused::with("no token")),
        };
        // it takes the place of the origins
        let origins = Origins::list("http://ok.test").unwrap();
        let io = Server::builder().origins(origins).allow_request(allow).build().unwrap();
        let server = connector(&io);
        let target = server.target(eio, "polling", "");
        let refused = request(&server, testkit::Request::get(&target)).await;
        assert_eq!(refused.status, 403);
        assert_eq!(refused.json(), json!({"code": 4, "message": "no token"}));
        Polling::open(&server, eio, "token=good").await.post(["1"]).await;
        nothing_left(&io).await;
    }
}

/// The statuses of a handshake by polling and by WebSocket.
async fn open_from(io: &Server, eio: Eio, origin: &str) -> (u16, u16) {
    let server = connector(io);
    let get = testkit::Request::get(&server.target(eio, "polling", ""));
    let polling = request(&server, get.header("Origin", origin)).await.status;
    let target = server.target(eio, "websocket", "");
    let ws = WebSocket::connect(&server, &target, &[("Origin", origin)]).await;
    (polling, ws.map_or_else(|refused| refused.status, |_| 101))
}

#[tokio::test]
async fn server_listen() {
    for eio in BOTH {
        let io = Server::new();
        let attached = io.listen("127.0.0.1:0").await.unwrap();
        let server = Connector::tcp(attached.local_addr());
        let mut peer = Peer::join(&server, eio).await;
        io.emit("over TCP", ()).unwrap();
        peer.expect(r#"42["over TCP"]"#).await;
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test]
async fn server_attach() {
    let io = Server::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let attached = io.attach(listener).unwrap();
    assert_eq!(attached.local_addr(), address);
    let peer = Peer::join(&Connector::tcp(address), Eio::V4).await;
    leave_nothing(&io, [peer]).await;
    drop(attached); // it goes on
    let peer = Peer::join(&Connector::tcp(address), Eio::V4).await;
    leave_nothing(&io, [peer]).await;
}

/// Connections of a second engine, under a path of its own.
#[tokio::test(start_paused = true)]
async fn server_bind() {
    for eio in BOTH {
        let io = Server::new();
        let mut options = engineio::Options::default();
        options.path = "/second".to_owned();
        let engine = engineio::Server::new(options).unwrap();
        io.bind(&engine).unwrap();
        let twice = io.bind(&engine).unwrap_err();
        let message = r#"the server has an engine under the path "/second" already"#;
        assert_eq!(twice.to_string(), message);
        let taken = Server::new().bind(&engine).unwrap_err();
        assert_eq!(taken.to_string(), "the engine serves something else already");
        let mut same = engineio::Options::default();
        same.path = "/socket.io/".to_owned();
        let same = io.bind(&engineio::Server::new(same).unwrap()).unwrap_err();
        assert!(matches!(same, BuildError::DuplicatePath(path) if path == "/socket.io"));
        let mut sockets = arrivals(io.sockets());
        let server = over_engine(&engine, "/second/");
        let mut peer = Peer::join(&server, eio).await;
        let mut first = Peer::join(&connector(&io), eio).await;
        sockets.next().await.broadcast().emit("to the other engine", ()).unwrap();
        first.expect(r#"42["to the other engine"]"#).await;
        peer.silence().await;
        assert_eq!(engine.session_count(), 1);
        // it is closed with the server
        let closing = io.close();
        peer.closed().await;
        first.closed().await;
        closing.await;
        assert_eq!(engine.session_count(), 0);
        nothing_left(&io).await;
    }
}

#[tokio::test(start_paused = true)]
async fn server_onconnection() {
    for eio in BOTH {
        let io = Server::new();
        let engine = engineio::Server::new(engineio::Options::default()).unwrap();
        let (taken, count) = (io.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&count);
        engine.on_connection(move |conn: &engineio::Socket| {
            counted.fetch_add(1, Ordering::Relaxed);
            taken.onconnection(conn.clone())
        });
        let mut peer = Peer::join(&over_engine(&engine, "/engine.io/"), eio).await;
        assert_eq!(count.load(Ordering::Relaxed), 1);
        io.emit("hello", ()).unwrap();
        peer.expect(r#"42["hello"]"#).await;
        leave_nothing(&io, [peer]).await;
    }
}

/// The way to an engine of its own.
fn over_engine(engine: &engineio::Server, path: &str) -> Connector {
    let engine = engine.clone();
    let server = Connector::new(move |stream| {
        let (engine, service) = (engine.clone(), engine.fallback(socketio::serve::NotFound));
        let peer = ([127, 0, 0, 1], 40_000).into();
        tokio::spawn(async move { engine.serve_connection(stream, peer, service).await });
    });
    server.with_path(path)
}

#[tokio::test(start_paused = true)]
async fn server_close() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        for nsp in ["/", "/chat"] {
            let log = log.clone();
            io.of(nsp).on_connection(move |socket: Socket| log.watch(&socket));
        }
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        peer.enter("/chat").await;
        let mut polling = Polling::open(&server, eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        let poll = polling.poll_later().await;

        let closing = io.close();
        // sockets of all namespaces; no DISCONNECT is sent
        peer.closed().await;
        let mut poll = poll;
        let answer = poll.read_response().await;
        assert_eq!(polling.packets(&answer), ["1"]);
        closing.await;
        let mut ended = log.take().await;
        ended.sort();
        assert_eq!(
            ended,
            [
                "/ disconnect: server shutting down, 0 rooms",
                "/ disconnect: server shutting down, 0 rooms",
                "/ disconnecting: server shutting down, 1 rooms",
                "/ disconnecting: server shutting down, 1 rooms",
                "/chat disconnect: server shutting down, 0 rooms",
                "/chat disconnecting: server shutting down, 1 rooms",
            ]
        );
        nothing_left(&io).await;
        // new connections are refused
        let mut late = testkit::HttpConnection::open(&server);
        late.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n\r\n").await;
        assert_eq!(late.read_to_end().await, "");
    }
}

#[tokio::test]
async fn server_close_frees_the_port_at_once() {
    let io = Server::new();
    let attached = io.listen("127.0.0.1:0").await.unwrap();
    let address = attached.local_addr();
    let peer = Peer::join(&Connector::tcp(address), Eio::V4).await;
    let closing = io.close();
    let other = Server::new();
    other.listen(address).await.expect("the port is free as soon as `close` returned");
    drop(peer);
    closing.await;
    attached.closed().await;
    let peer = Peer::join(&Connector::tcp(address), Eio::V4).await;
    leave_nothing(&other, [peer]).await;
}

/// A handler may wait for the end of the server: the server does not wait for handlers.
#[tokio::test(start_paused = true)]
async fn server_close_can_be_awaited_in_a_handler() {
    let io = Server::new();
    let log = Log::default();
    let (closing, logged) = (io.clone(), log.clone());
    io.on_connection(move |socket: Socket| {
        let (closing, logged) = (closing.clone(), logged.clone());
        socket.on("shut down", async move || {
            closing.close().await;
            logged.add("closed");
        });
    });
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    peer.send(r#"42["shut down"]"#).await;
    peer.closed().await;
    drop(peer);
    assert_eq!(log.take().await, ["closed"]);
    nothing_left(&io).await;
    assert_eq!(io.stats().detached_handlers, 0);
}

/// The engines of other paths end with the server, and are waited for and cut off with it.
#[tokio::test(start_paused = true)]
async fn server_close_ends_bound_engines() {
    let io = Server::new();
    let mut options = engineio::Options::default();
    options.path = "/other".to_owned();
    let engine = engineio::Server::new(options).unwrap();
    io.bind(&engine).unwrap();
    let peer = Peer::join(&over_engine(&engine, "/other/"), Eio::V4).await;
    assert_eq!(engine.session_count(), 1);
    let start = tokio::time::Instant::now();
    // the client does not answer the close frame
    io.close().within(Duration::from_secs(3)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!((engine.session_count(), io.stats().sockets), (0, 0));
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn server_drain() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| logged.watch(&socket));
        let mut options = engineio::Options::default();
        options.path = "/other".to_owned();
        let engine = engineio::Server::new(options).unwrap();
        io.bind(&engine).unwrap();
        let mut one = Peer::join(&connector(&io), eio).await;
        let mut other = Peer::join(&over_engine(&engine, "/other/"), eio).await;
        assert!(!io.is_draining());
        let draining = tokio::spawn(io.drain(Duration::from_secs(5)).into_future());
        testkit::settle().await;
        assert!(io.is_draining());
        assert_eq!(open_from(&io, eio, "http://any.test").await, (503, 503));
        one.closed().await;
        other.closed().await;
        drop((one, other));
        draining.await.unwrap();
        let ended = log.take().await;
        let reason = "/ disconnect: server shutting down, 0 rooms";
        assert_eq!(ended.iter().filter(|event| *event == reason).count(), 2, "{ended:?}");
        io.close().await;
    }
}
