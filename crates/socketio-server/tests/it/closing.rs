//! `Server::close`: all sockets' handlers run before the first connection is closed.

use std::time::Duration;

use socketio::{Data, Server, Socket};
use testkit::{Connector, Eio, Polling};
use tokio::time::Instant;

use crate::support::{BOTH, Log, Peer, arrivals, connector, nothing_left};

/// Each socket tells the others that it leaves, and logs what it is itself by then.
fn tells(io: &Server, log: &Log) {
    for nsp in ["/", "/a"] {
        let log = log.clone();
        io.of(nsp).on_connection(move |socket: Socket| {
            log.watch(&socket);
            _ = socket.join("room");
            let log = log.clone();
            socket.on_disconnect(move |socket: Socket| {
                let namespace = socket.namespace();
                socket.to("room").emit("left", namespace.name()).unwrap();
                if socket.is_connected() {
                    log.add("is connected");
                }
                if namespace.connected().contains(socket.id().as_str()) {
                    log.add("is listed");
                }
            });
        });
    }
}

#[tokio::test(start_paused = true)]
async fn last_words_reach_all_others() {
    for eio in BOTH {
        let (io, log) = (Server::new(), Log::default());
        tells(&io, &log);
        let server = connector(&io);
        let mut peers = Vec::new();
        for _ in 0..3 {
            let mut peer = Peer::join(&server, eio).await;
            peer.enter("/a").await;
            peers.push(peer);
        }
        let mut polling = Polling::open(&server, eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        let closing = io.close();
        for peer in &mut peers {
            let mut heard = [0, 0];
            for _ in 0..3 + 2 {
                match peer.next().await.as_str() {
                    r#"42["left","/"]"# => heard[0] += 1,
                    r#"42/a,["left","/a"]"# => heard[1] += 1,
                    other => panic!("{other}"),
                }
            }
            assert_eq!(heard, [3, 2]);
            peer.closed().await;
        }
        assert_eq!(polling.poll().await, [r#"42["left","/"]"#; 3]);
        assert_eq!(polling.poll().await, ["1"]);
        closing.await;
        let mut told = log.take().await;
        told.sort();
        let mut expected: Vec<String> = Vec::new();
        for (nsp, count) in [("/", 4), ("/a", 3)] {
            for (event, rooms) in [("disconnect", 0), ("disconnecting", 2)] {
                let line = format!("{nsp} {event}: server shutting down, {rooms} rooms");
                expected.extend(vec![line; count]);
            }
        }
        assert_eq!(told, expected);
        nothing_left(&io).await;
    }
}

/// Also those of a client behind another engine.
#[tokio::test(start_paused = true)]
async fn last_words_pass_from_engine_to_engine() {
    let (io, log) = (Server::new(), Log::default());
    tells(&io, &log);
    let mut options = engineio::Options::default();
    options.path = "/other".into();
    let other = engineio::Server::new(options).unwrap();
    io.bind(&other).unwrap();
    let engine = other.clone();
    let behind_other = Connector::new(move |stream| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let service = engine.fallback(engineio::NotFound);
            engine.serve_connection(stream, ([127, 0, 0, 1], 40_000).into(), service).await;
        });
    });
    let mut one = Peer::join(&connector(&io), Eio::V4).await;
    let mut two = Peer::join(&behind_other.with_path("/other/"), Eio::V4).await;
    let closing = io.close();
    for peer in [&mut one, &mut two] {
        peer.expect(r#"42["left","/"]"#).await;
        peer.closed().await;
    }
    closing.await;
}

/// What follows an `.await` counts, too; but who does not come to an end is not waited for.
#[tokio::test(start_paused = true)]
async fn handlers_that_wait_are_waited_for_to_a_bound() {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("wait", |socket: Socket, Data(ms): Data<u64>| {
            socket.on_disconnect(async move |socket: Socket| {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                socket.broadcast().emit("left", ms).unwrap();
            });
        });
    });
    let mut sockets = arrivals(io.sockets());
    let server = connector(&io);
    let mut witness = Peer::join(&server, Eio::V4).await;
    sockets.next().await;
    for ms in [0, 300, 1_000_000] {
        let mut peer = Peer::join(&server, Eio::V4).await;
        peer.send(&format!(r#"42["wait",{ms}]"#)).await;
        testkit::settle().await;
        if ms < 1_000_000 {
            // stays to the end
            tokio::spawn(async move { peer.ws.expect_eof().await });
            continue;
        }
        let start = Instant::now();
        let closing = io.close();
        witness.expect(r#"42["left",0]"#).await;
        witness.expect(r#"42["left",300]"#).await;
        witness.ws.expect_close().await;
        assert_eq!(start.elapsed().as_millis() / 10, 100, "`leave_timeout`");
        assert_eq!(io.stats().limits.get(engineio::Limit::LeaveTimeout), 1);
        drop(peer);
        drop(closing);
    }
}

/// Packets that cross the end are nobody's fault.
#[tokio::test(start_paused = true)]
async fn packets_that_cross_the_end_are_dropped() {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("e", |socket: Socket| socket.emit("r", ()));
        socket.on_disconnect(async || tokio::time::sleep(Duration::from_millis(300)).await);
    });
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    io.close();
    testkit::settle().await;
    for packet in [r#"42["e"]"#, "40", "41", r#"42/a,["e"]"#] {
        peer.send(packet).await;
    }
    assert_eq!(peer.ws.expect_close().await, None);
    drop(peer);
    nothing_left(&io).await;
}
