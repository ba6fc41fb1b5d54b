//! A panic in code of the user ends its own connection, with `forced server close`, and no other.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::Outgoing;
use socketio::adapter::{Adapter, AdapterFactory, SocketId};
use socketio::events::IncomingEvent;
use socketio::{Binary, Data, Reply, Server, Socket, Value};
use socketio_adapter::{
    BroadcastOptions, Completion, Delivered, EnterError, JoinError, LocalAdapter, Member, Room,
};
use testkit::{Connector, Eio, settle};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tracing_subscriber::fmt::format::FmtSpan;

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
        socket.use_fn(async |event: IncomingEvent| {
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

/// Panics when it is dropped, also while it is what somebody panicked with.
#[derive(Clone, Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any(Self);
        }
    }
}

impl std::fmt::Display for Bomb {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        explode();
        Ok(())
    }
}

impl std::error::Error for Bomb {}

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        &[1, 2, 3]
    }
}

fn throw() {
    std::panic::panic_any(Bomb);
}

/// A server of two namespaces whose sockets' ends are logged, after `add` has seen them.
fn two(io: &Server, add: impl Fn(&Socket) + Clone + Send + Sync + 'static) -> Log {
    let log = Log::default();
    for name in ["/", "/other"] {
        let (add, log) = (add.clone(), log.clone());
        io.of(name).on_connection(move |socket: Socket| {
            add(&socket);
            log.watch(&socket);
            drop(socket.join("a room"));
        });
    }
    log
}

/// Both sockets of a client were told of the end, and of the rooms, once.
#[track_caller]
fn both_told(happened: &[String], why: &str) {
    let expected = ["/", "/other"].map(|name| {
        [
            format!("{name} disconnecting: {why}, 2 rooms"),
            format!("{name} disconnect: {why}, 0 rooms"),
        ]
    });
    assert_eq!(happened, expected.as_flattened());
}

/// Whatever panics as a connection ends, and whatever it panics with.
#[tokio::test(start_paused = true)]
async fn an_end_with_panics() {
    type Add = fn(&Socket);
    let of_listener: Add = |socket| {
        let (one, other) = (Bomb, Bomb);
        socket.on("x", move || _ = &one);
        socket.on_any(move || _ = &other);
    };
    let of_extensions: Add = |socket| {
        #[derive(Clone)]
        struct Another(Bomb);
        socket.extensions().insert(Bomb);
        socket.extensions().insert(Another(Bomb));
        assert!(socket.extensions().get::<Another>().map(|it| std::mem::forget(it.0)).is_some());
    };
    let of_middleware: Add = |socket| {
        for bomb in [Bomb, Bomb] {
            socket.use_fn(async move |event: IncomingEvent| {
                let _captured = &bomb;
                Ok::<_, String>(event)
            });
        }
    };
    let of_error: Add = |socket| _ = socket.on_disconnect(|| Err::<(), _>(Bomb));
    let of_attachments: Add = |socket| {
        let bomb = || Binary(Bytes::from_owner(Bomb));
        for _ in 0..3 {
            let _ = socket.emit("x", (bomb(), bomb()));
        }
    };
    let all: [(&str, Add); 10] = [
        ("disconnect", |socket| _ = socket.on_disconnect(throw)),
        ("disconnecting", |socket| _ = socket.on_disconnecting(throw)),
        ("async disconnect", |socket| _ = socket.on_disconnect(async || throw())),
        ("later", |socket| {
            socket.on_disconnect(async || {
                tokio::task::yield_now().await;
                throw();
            });
        }),
        ("callback", |socket| {
            socket.emit_with_ack::<Value>("q", ()).callback(|_| throw());
            socket.emit_with_ack::<Value>("q", ()).callback(|_| throw());
        }),
        ("listener", of_listener),
        ("extensions", of_extensions),
        ("middleware", of_middleware),
        ("error", of_error),
        ("attachments", of_attachments),
    ];
    for eio in BOTH {
        for (what, add) in all {
            let io = Server::new();
            let log = two(&io, add);
            let mut peer = Peer::open(&connector(&io), eio).await;
            if eio == Eio::V4 {
                peer.send("40").await;
            }
            peer.send("40/other,").await;
            settle().await;
            assert_eq!(io.stats().sockets, 2, "{what}");
            leave_nothing(&io, [peer]).await;
            both_told(&log.take().await, "transport close");
        }
    }
}

/// Handlers that go on when their connection has ended are counted like any other.
#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_after_its_connection_has_ended() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("wait", async || {
                tokio::time::sleep(Duration::from_secs(1)).await;
                explode();
            });
            socket.on_disconnect(async || {
                tokio::time::sleep(Duration::from_secs(2)).await;
                explode();
            });
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"42["wait"]"#).await;
        settle().await;
        drop(peer);
        settle().await;
        assert_eq!((io.stats().detached_handlers, io.stats().handler_panics), (2, 0));
        tokio::time::advance(Duration::from_secs(1)).await;
        settle().await;
        assert_eq!(io.stats().handler_panics, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        settle().await;
        assert_eq!((io.stats().detached_handlers, io.stats().handler_panics), (0, 2));
    }
}

/// A future that waits when its connection ends, and panics as it is dropped.
#[tokio::test(start_paused = true)]
async fn a_future_that_panics_as_it_is_dropped() {
    for eio in BOTH {
        let io =
            Server::builder().limits(|limits| limits.max_detached_handlers = 0).build().unwrap();
        let log = two(&io, |socket| {
            for name in ["one", "another"] {
                socket.on(name, async || {
                    let _bomb = Bomb;
                    std::future::pending::<()>().await;
                });
            }
            socket.use_fn(async |event: IncomingEvent| {
                let _bomb = Bomb;
                if event.name == "middleware" {
                    std::future::pending::<()>().await;
                }
                std::mem::forget(_bomb);
                Ok::<_, String>(event)
            });
        });
        io.of("/waits").use_fn(async |_: Socket| {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
            Ok::<_, String>(())
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/other").await;
        for event in ["one", "another", "middleware"] {
            peer.send(&format!(r#"42["{event}"]"#)).await;
        }
        peer.send("40/waits,").await;
        settle().await;
        leave_nothing(&io, [peer]).await;
        both_told(&log.take().await, "transport close");
    }
}

/// An adapter that panics as a socket leaves it.
#[derive(Debug)]
struct Careless(LocalAdapter, At);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Enter,
    Leave,
}

#[derive(Debug)]
struct CarelessFactory(At);

impl AdapterFactory for CarelessFactory {
    fn create(&self, _: &str) -> Arc<dyn Adapter> {
        Arc::new(Careless(LocalAdapter::new(10), self.0))
    }

    fn name(&self) -> &'static str {
        "careless"
    }
}

impl Adapter for Careless {
    fn enter(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
    ) -> Result<Completion, EnterError> {
        let entered = self.0.enter(id, member, rooms, answer);
        if self.1 == At::Enter {
            throw();
        }
        entered
    }

    fn leave_all(&self, id: &SocketId) {
        self.0.leave_all(id);
        if self.1 == At::Leave {
            throw();
        }
    }

    fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError> {
        self.0.join(id, rooms)
    }

    fn leave(&self, id: &SocketId, room: &Room) -> Completion {
        self.0.leave(id, room)
    }

    fn socket_rooms(&self, id: &SocketId) -> Vec<Room> {
        self.0.socket_rooms(id)
    }

    fn broadcast(&self, packet: &Outgoing, options: &BroadcastOptions) -> Delivered {
        self.0.broadcast(packet, options)
    }

    fn local_sockets(&self, rooms: &[Room], except: &[Room]) -> Vec<SocketId> {
        self.0.local_sockets(rooms, except)
    }

    fn local_rooms(&self) -> Vec<Room> {
        self.0.local_rooms()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn room_count(&self) -> usize {
        self.0.room_count()
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics() {
    for eio in BOTH {
        let io = Server::builder().adapter(CarelessFactory(At::Leave)).build().unwrap();
        let log = two(&io, |_| {});
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/other").await;
        leave_nothing(&io, [peer]).await;
        both_told(&log.take().await, "transport close");
    }
}

/// Nobody learns of a socket that did not get in, and its connection ends.
#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics_as_a_socket_enters() {
    for eio in BOTH {
        let io = Server::builder().adapter(CarelessFactory(At::Enter)).build().unwrap();
        let log = two(&io, |_| {});
        let peer = Peer::join(&connector(&io), eio).await;
        leave_nothing(&io, [peer]).await;
        let stats = io.stats();
        assert_eq!((stats.handler_panics, stats.connected), (1, 0));
        assert_eq!(log.take().await, [""; 0]);
    }
}

/// A stream of another's that panics as it is read.
struct Breaking(DuplexStream, Arc<AtomicBool>);

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.1.load(Ordering::Relaxed) {
            throw();
        }
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_panics() {
    for eio in BOTH {
        let io = Server::new();
        let log = two(&io, |_| {});
        let breaks = Arc::new(AtomicBool::new(false));
        let (server, broken) = (io.clone(), Arc::clone(&breaks));
        let server = Connector::new(move |stream| {
            let (io, stream) = (server.clone(), Breaking(stream, Arc::clone(&broken)));
            let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
            tokio::spawn(async move { io.serve_connection(stream, peer).await });
        });
        let mut peer = Peer::join(&server, eio).await;
        peer.enter("/other").await;
        breaks.store(true, Ordering::Relaxed);
        peer.send(r#"42["x"]"#).await;
        both_told(&log.take().await, "forced server close");
        leave_nothing(&io, [peer]).await;
    }
}

/// A log that nobody reads any more: whoever writes it panics.
struct Dead;

impl Write for Dead {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        throw();
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// At any level, with events for spans: clients come, are served and go as with any other log.
#[tokio::test]
async fn a_log_that_cannot_be_written() {
    for level in ["error", "debug", "trace"] {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(level)
            .with_span_events(FmtSpan::FULL)
            .with_writer(|| Dead)
            .finish();
        let _subscriber = tracing::subscriber::set_default(subscriber);
        for eio in BOTH {
            let io = Server::new();
            let log = two(&io, |socket| {
                socket.on("echo", |Data(n): Data<u32>| Reply(n));
                socket.on("sync", explode);
                socket.on("later", async || {
                    tokio::task::yield_now().await;
                    explode();
                });
                socket.on("error", || Err::<(), _>("an error"));
            });
            let attached = io.listen("127.0.0.1:0").await.unwrap();
            let tcp = Connector::tcp(attached.local_addr());
            for server in [connector(&io), tcp] {
                for event in ["sync", "later"] {
                    let mut peer = Peer::join(&server, eio).await;
                    peer.enter("/other").await;
                    peer.send(r#"421["echo",1]"#).await;
                    peer.expect("431[1]").await;
                    peer.send(r#"42["error"]"#).await;
                    peer.send(&format!(r#"42["{event}"]"#)).await;
                    peer.closed().await;
                    leave_nothing(&io, [peer]).await;
                    both_told(&log.take().await, "forced server close");
                }
                // what is no packet
                let mut peer = Peer::join(&server, eio).await;
                peer.send("4{").await;
                leave_nothing(&io, [peer]).await;
                log.take().await;
            }
            io.close().await;
            attached.closed().await;
        }
    }
}
