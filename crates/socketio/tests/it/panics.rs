//! A panic in code of the user ends its own connection, with `forced server close`, and no other.

use socketio::{Data, Event, Reply, Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, connector, leave_nothing};

/// A server whose handlers panic on demand, and whose sockets' ends are logged.
fn panicking() -> (Server, Log) {
    let (io, log) = (Server::new(), Log::default());
    let logged = log.clone();
    io.of("/other").on_connection(move |socket: Socket| logged.watch(&socket));
    let logged = log.clone();
    io.on_connection(move |socket: Socket| {
        logged.watch(&socket);
        logged.watch_errors(&socket);
        socket.on("echo", |Data(n): Data<u32>| Reply(n));
        socket.on("sync", explode);
        socket.on("async at once", async || explode());
        socket.on("async later", async || {
            tokio::task::yield_now().await;
            explode();
        });
        socket.on("deserialize", |_: Data<Explosive>| ());
        socket.on("serialize", |socket: Socket| socket.emit("x", Explosive));
        socket.on("drop", || drop(Explosive));
        socket.on("error handler", |socket: Socket| {
            socket.on_error(explode);
            Err::<(), _>("an error")
        });
        socket.on("ack", |socket: Socket| {
            socket.emit_with_ack::<u32>("q", ()).callback(|_| explode());
        });
        socket.use_fn(async |event: Event| {
            if event.name == "middleware" {
                explode();
            }
            if event.name == "middleware later" {
                tokio::task::yield_now().await;
                explode();
            }
            Ok::<_, String>(event)
        });
    });
    (io, log)
}

#[expect(clippy::panic, reason = "what is tested")]
fn explode() {
    panic!("a panic on purpose");
}

/// Panics whatever is done with it.
struct Explosive;

impl<'de> serde::Deserialize<'de> for Explosive {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        explode();
        Err(serde::de::Error::custom("not reached"))
    }
}

impl serde::Serialize for Explosive {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        explode();
        Err(serde::ser::Error::custom("not reached"))
    }
}

impl Drop for Explosive {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            explode();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_connection_only() {
    for eio in BOTH {
        for event in [
            "sync",
            "async at once",
            "async later",
            "deserialize",
            "serialize",
            "drop",
            "error handler",
            "middleware",
            "middleware later",
        ] {
            let (io, log) = panicking();
            let server = connector(&io);
            let mut witness = Peer::join(&server, eio).await;
            let mut peer = Peer::join(&server, eio).await;
            peer.enter("/other").await;
            // what stands behind it is not handled any more
            peer.send_all(&[&format!(r#"42["{event}",1]"#), r#"421["echo",1]"#]).await;
            if event.ends_with("later") {
                peer.expect("431[1]").await;
            }
            peer.closed().await;
            let happened = log.take().await;
            let ends = [
                "/ disconnecting: forced server close, 1 rooms",
                "/ disconnect: forced server close, 0 rooms",
                "/other disconnecting: forced server close, 1 rooms",
                "/other disconnect: forced server close, 0 rooms",
            ];
            assert!(happened.ends_with(&ends.map(str::to_owned)), "{event}: {happened:?}");
            assert_eq!(io.stats().handler_panics, 1, "{event}");
            witness.send(r#"421["echo",2]"#).await;
            witness.expect("431[2]").await;
            leave_nothing(&io, [peer, witness]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_callback_of_an_ack() {
    for eio in BOTH {
        let (io, log) = panicking();
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"42["ack"]"#).await;
        peer.expect(r#"420["q"]"#).await;
        peer.send("430[1]").await;
        peer.closed().await;
        assert_eq!(
            log.take().await,
            [
                "/ disconnecting: forced server close, 1 rooms",
                "/ disconnect: forced server close, 0 rooms"
            ]
        );
        assert_eq!(io.stats().handler_panics, 1);
        leave_nothing(&io, [peer]).await;
        // of one that fails as its socket ends: the others are told as well
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"42["ack"]"#).await;
        peer.expect(r#"421["q"]"#).await;
        leave_nothing(&io, [peer]).await;
        assert_eq!(log.take().await.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_middleware_of_a_namespace() {
    for eio in BOTH {
        let (io, log) = panicking();
        io.of("/mw").use_fn(async |_: Socket| {
            explode();
            Ok::<_, String>(())
        });
        io.of("/mw later").use_fn(async |_: Socket| {
            tokio::task::yield_now().await;
            explode();
            Ok::<_, String>(())
        });
        let server = connector(&io);
        for nsp in ["/mw", "/mw later"] {
            let mut peer = Peer::join(&server, eio).await;
            peer.send(&format!("40{nsp},")).await;
            peer.closed().await;
            assert_eq!(
                log.take().await,
                [
                    "/ disconnecting: forced server close, 1 rooms",
                    "/ disconnect: forced server close, 0 rooms"
                ]
            );
            leave_nothing(&io, [peer]).await;
        }
        assert_eq!(io.stats().handler_panics, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_connection_handler() {
    for eio in BOTH {
        let (io, log) = panicking();
        let logged = log.clone();
        io.of("/bad").on_connect(move |socket: Socket| logged.watch(&socket));
        io.of("/bad").on_connection(explode);
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/bad").await;
        peer.closed().await;
        let happened = log.take().await;
        let ends = [
            "/bad disconnecting: forced server close, 1 rooms",
            "/bad disconnect: forced server close, 0 rooms",
        ];
        assert!(happened.ends_with(&ends.map(str::to_owned)), "{happened:?}");
        leave_nothing(&io, [peer]).await;
    }
}

/// In a handler of `disconnecting` or `disconnect`: all others still run, of all namespaces.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_disconnect_handler() {
    for eio in BOTH {
        for event in ["disconnecting", "disconnect"] {
            let (io, log) = panicking();
            io.of("/bad").on_connection({
                let log = log.clone();
                move |socket: Socket| {
                    socket.on(event, explode);
                    log.watch(&socket);
                }
            });
            let server = connector(&io);
            let mut peer = Peer::join_namespace(&server, eio, "/bad").await;
            peer.enter("/other").await;
            peer.send("41/bad,").await;
            peer.closed().await;
            let mut happened = log.take().await;
            happened.retain(|what| !what.starts_with("/ "));
            assert_eq!(
                happened,
                [
                    "/bad disconnecting: client namespace disconnect, 1 rooms",
                    "/bad disconnect: client namespace disconnect, 0 rooms",
                    "/other disconnecting: forced server close, 1 rooms",
                    "/other disconnect: forced server close, 0 rooms",
                ]
            );
            leave_nothing(&io, [peer]).await;
            // and if the connection ends by itself
            let mut peer = Peer::join_namespace(&server, eio, "/bad").await;
            peer.enter("/other").await;
            leave_nothing(&io, [peer]).await;
            let mut happened = log.take().await;
            happened.retain(|what| !what.starts_with("/ "));
            assert_eq!(happened.len(), 4, "{happened:?}");
            assert_eq!(io.stats().handler_panics, 2);
        }
    }
}

/// What a listener captured panics when it is dropped, as its socket has left: nothing ends by it.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_listener() {
    for eio in BOTH {
        let (io, log) = panicking();
        io.of("/bad").on_connection(|socket: Socket| {
            let explosive = Explosive;
            socket.on("x", move || {
                let _captured = &explosive;
            });
        });
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        peer.enter("/bad").await;
        peer.send("41/bad,").await;
        peer.send(r#"421["echo",1]"#).await;
        peer.expect("431[1]").await;
        // and when the connection ends: the sockets of other namespaces are told as well
        peer.enter("/bad").await;
        peer.enter("/other").await;
        leave_nothing(&io, [peer]).await;
        let ends = log.take().await;
        assert_eq!(
            ends.iter().filter(|end| end.contains("transport close")).count(),
            4,
            "{ends:?}"
        );
    }
}

/// A broadcast of what panics is the panic of who broadcasts.
#[tokio::test(start_paused = true)]
async fn a_panic_while_encoding_a_broadcast() {
    let (io, _) = panicking();
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let broadcasting = io.clone();
    let panicked = std::thread::spawn(move || {
        let explosive = std::mem::ManuallyDrop::new(Explosive);
        broadcasting.emit("x", &*explosive)
    });
    panicked.join().unwrap_err();
    io.emit("fine", ()).unwrap();
    peer.expect(r#"42["fine"]"#).await;
    leave_nothing(&io, [peer]).await;
}
