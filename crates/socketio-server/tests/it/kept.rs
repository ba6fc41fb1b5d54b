//! What the server keeps of what clients sent: `auth`, packets that wait, arguments of handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use socketio::events::IncomingEvent;
use socketio::observe::Limit;
use socketio::{Args, Auth, ConnectError, Data, Server, Socket, Value};
use testkit::Eio;
use tokio::sync::Semaphore;

use crate::support::{BOTH, Log, Peer, SECOND, connector, nothing_left};

/// A list of so many numbers, two bytes each.
fn numbers(count: usize) -> String {
    format!("[{}]", vec!["0"; count].join(","))
}

/// What waiting handlers keep counts as what it takes, not as what came over the wire: as values if
/// it is read, and not at all if no handler waits.
#[tokio::test(start_paused = true)]
async fn arguments_count_as_what_they_take() {
    for eio in BOTH {
        let io = Server::builder().limits(|limits| limits.max_pending_bytes = 100_000);
        let io = io.build().unwrap();
        let (log, gate) = (Log::default(), Arc::new(Semaphore::new(0)));
        let (begun, opened) = (log.clone(), gate.clone());
        io.on_connection(move |socket: Socket| {
            let (begun, opened) = (begun.clone(), opened.clone());
            socket.on("now", |Data(_): Data<Value>| {});
            socket.on("wait", async move |args: Args| {
                begun.add(format!("{}", args.0.len()));
                opened.acquire().await.unwrap().forget();
                drop(args);
            });
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        let idle = io.stats().engine.inbound_bytes;
        for _ in 0..10 {
            peer.send(&format!(r#"42["now",{}]"#, numbers(1000))).await;
        }
        let event = format!(r#"42["wait",{}]"#, numbers(1000));
        for _ in 0..10 {
            peer.send(&event).await;
        }
        // 16 kB each, of 2 kB: the seventh goes beyond
        assert_eq!(log.take().await, ["1"; 7]);
        assert_eq!(io.stats().limits.get(Limit::PendingBytes), 1);
        let kept = io.stats().engine.inbound_bytes - idle;
        assert!(kept >= 7 * 16_000, "{kept}");
        gate.add_permits(100);
        assert_eq!(log.take().await, ["1"; 3]);
        testkit::settle().await;
        assert_eq!(io.stats().engine.inbound_bytes, idle);
        drop(peer);
        nothing_left(&io).await;
        assert_eq!(io.stats().engine.inbound_bytes, 0);
    }
}

/// What a handler made of `auth` counts, too, however small its event was.
#[tokio::test(start_paused = true)]
async fn what_an_extractor_took_counts() {
    let io = Server::builder().limits(|limits| limits.max_pending_bytes = 100_000);
    let io = io.build().unwrap();
    let (log, gate) = (Log::default(), Arc::new(Semaphore::new(0)));
    let (begun, opened) = (log.clone(), gate.clone());
    io.on_connection(move |socket: Socket| {
        let (begun, opened) = (begun.clone(), opened.clone());
        socket.on("e", async move |Auth(auth): Auth<Value>| {
            begun.add("begun");
            opened.acquire().await.unwrap().forget();
            drop(auth);
        });
    });
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    peer.send(&format!(r#"40{{"a":{}}}"#, numbers(2_000))).await;
    peer.entered("/").await;
    for _ in 0..20 {
        peer.send(r#"42["e"]"#).await;
    }
    assert_eq!(log.take().await, ["begun"; 4]);
    gate.add_permits(100);
    assert_eq!(log.take().await, ["begun"; 16]);
    drop(peer);
    nothing_left(&io).await;
}

/// A middleware that waits holds the packet, not a tree of it.
#[tokio::test(start_paused = true)]
async fn a_packet_waits_as_it_came() {
    for eio in BOTH {
        let (io, log, gate) = (Server::new(), Log::default(), Arc::new(Semaphore::new(0)));
        let (seen, opened) = (log.clone(), gate.clone());
        io.on_connection(move |socket: Socket| {
            let opened = opened.clone();
            socket.use_fn(
                async move |event: IncomingEvent| -> Result<IncomingEvent, ConnectError> {
                    let first: u8 = event.data::<(Vec<u8>,)>().unwrap().0[0];
                    assert_eq!(first, 0);
                    opened.acquire().await.unwrap().forget();
                    Ok(event)
                },
            );
            let seen = seen.clone();
            socket.on("e", move |Data(list): Data<Vec<u8>>| seen.add(format!("{}", list.len())));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        let idle = io.stats().engine.inbound_bytes;
        peer.send(&format!(r#"42["e",{}]"#, numbers(10_000))).await;
        testkit::settle().await;
        let kept = io.stats().engine.inbound_bytes - idle;
        assert!((20_000..21_000).contains(&kept), "{kept}");
        gate.add_permits(1);
        assert_eq!(log.take().await, ["10000"]);
        drop(peer);
        nothing_left(&io).await;
    }
}

/// `auth` is kept as it came, while the socket is there: counted with its bytes.
#[tokio::test(start_paused = true)]
async fn auth_is_kept_as_it_came() {
    let io = Server::new();
    io.of("/chat").on_connection(|socket: Socket| {
        let auth = socket.handshake().auth().unwrap();
        assert_eq!(auth.get("a").and_then(Value::as_array).map(<[Value]>::len), Some(10_000));
    });
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let idle = io.stats().engine.inbound_bytes;
    peer.send(&format!(r#"40/chat,{{"a":{}}}"#, numbers(10_000))).await;
    peer.entered("/chat").await;
    let kept = io.stats().engine.inbound_bytes - idle;
    assert!((20_000..21_000).contains(&kept), "{kept}");
    peer.send("41/chat,").await;
    testkit::settle().await;
    assert_eq!(io.stats().engine.inbound_bytes, idle);
    drop(peer);
    nothing_left(&io).await;
}

/// Clients that leave do not get a new account for what their handlers keep: beyond the bound those
/// of the address that has most are dropped, and nobody else's.
#[tokio::test(start_paused = true)]
async fn what_is_left_behind_is_bounded() {
    let io = Server::builder()
        .limits(|limits| limits.max_detached_bytes = 200_000)
        .trusted_proxies(["127.0.0.1"])
        .build()
        .unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&running);
    io.on_connection(move |socket: Socket| {
        let counted = Arc::clone(&counted);
        socket.on("e", async move |Data(list): Data<Value>| {
            let running = Running::new(&counted);
            tokio::time::sleep(100 * SECOND).await;
            drop((running, list));
        });
    });
    let server = connector(&io);
    let leave = async |address: &str, count: usize| {
        let server = server.clone().with_header("X-Forwarded-For", address);
        let mut peer = Peer::join(&server, Eio::V4).await;
        peer.send(&format!(r#"42["e",{}]"#, numbers(count))).await;
        testkit::settle().await;
        drop(peer);
        nothing_left(&io).await;
    };
    leave("192.0.2.1", 5_000).await; // 80 kB
    for _ in 0..20 {
        leave("192.0.2.2", 1_000).await; // 16 kB each
        assert!(io.stats().detached_bytes <= 200_000);
    }
    // those of the crowd that were beyond are gone, the large one is not
    let stats = io.stats();
    let dropped = usize::try_from(stats.dropped_handlers).unwrap();
    assert_eq!(stats.detached_handlers, 21 - dropped);
    assert!((12..17).contains(&dropped), "{dropped}");
    assert_eq!(stats.limits.get(Limit::DetachedBytes), stats.dropped_handlers);
    assert_eq!(running.load(Ordering::Relaxed), stats.detached_handlers);
    leave("192.0.2.3", 100).await;
    assert_eq!(io.stats().detached_handlers, stats.detached_handlers + 1);
    tokio::time::sleep(101 * SECOND).await;
    assert_eq!((io.stats().detached_handlers, io.stats().detached_bytes), (0, 0));
    assert_eq!(running.load(Ordering::Relaxed), 0);
}

/// A handler that has not ended.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Over the bound for all, the client for whom most is kept is disconnected, and told why.
#[tokio::test(start_paused = true)]
async fn who_has_most_kept_is_cut() {
    let io = Server::builder().max_total_inbound_bytes(100_000).build().unwrap();
    let log = Log::default();
    let noted = log.clone();
    io.on_connection(move |socket: Socket| {
        let noted = noted.clone();
        socket.on_disconnect(move |reason: socketio::Reason| {
            noted.add(format!("{} {:?}", reason.0, reason.0.detail()));
        });
    });
    let server = connector(&io);
    let mut peers = Vec::new();
    for count in [10_000, 30_000, 15_000] {
        let mut peer = Peer::open(&server, Eio::V4).await;
        peer.send(&format!(r#"40{{"a":{}}}"#, numbers(count))).await;
        peer.entered("/").await;
        peers.push(peer);
    }
    assert_eq!(log.take().await, ["transport error Some(KeptTooMuch)"]);
    assert_eq!(peers[1].ws.expect_close().await, Some(1008));
    assert_eq!(io.stats().sockets, 2);
    assert_eq!(io.stats().limits.get(socketio::observe::EngineLimit::TotalInboundBytes), 1);
    drop(peers);
    nothing_left(&io).await;
}
