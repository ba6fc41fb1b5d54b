//! Joining namespaces: CONNECT, its answers, and what comes before and after.

use std::sync::Arc;
use std::time::Duration;

use socketio::{Server, Socket};
use testkit::{Eio, Polling};
use tokio::sync::Semaphore;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing, nothing_left};

/// Clients of Engine.IO 3 are in `/` by themselves.
#[tokio::test(start_paused = true)]
async fn old_clients_join_the_root_by_themselves() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let server = connector(&io);
    let mut peer = Peer::open(&server, Eio::V3).await;
    peer.expect("40").await;
    sockets.next().await;
    let mut polling = Polling::open(&server, Eio::V3, "").await;
    // beside the open packet, in the first answer
    assert_eq!(polling.next().await, "40");
    sockets.next().await;
    polling.post(["1"]).await;
    leave_nothing(&io, [peer]).await;
}

#[tokio::test(start_paused = true)]
async fn new_clients_join_by_connect_only() {
    let io = Server::new();
    let server = connector(&io);
    let mut peer = Peer::open(&server, Eio::V4).await;
    peer.silence().await;
    assert_eq!(io.stats().sockets, 0);
    peer.send("40/chat,").await;
    peer.expect(r#"44/chat,{"message":"Invalid namespace"}"#).await;
    peer.enter("/").await;
    assert_eq!(io.stats().sockets, 1);
    leave_nothing(&io, [peer]).await;
}

#[tokio::test(start_paused = true)]
async fn who_joins_nothing_is_disconnected_in_time() {
    let io = Server::builder().connect_timeout(Duration::from_secs(2)).build().unwrap();
    _ = io.of("/chat");
    let server = connector(&io);
    let mut idle = Peer::open(&server, Eio::V4).await;
    let mut refused = Peer::open(&server, Eio::V4).await;
    refused.send("40/nope,").await;
    refused.next().await;
    let mut joined = Peer::join_namespace(&server, Eio::V4, "/chat").await;
    let mut old = Peer::open(&server, Eio::V3).await;
    old.entered("/").await;
    tokio::time::advance(Duration::from_secs(2)).await;
    idle.closed().await;
    refused.closed().await;
    joined.silence().await;
    old.silence().await;
    leave_nothing(&io, [idle, refused, joined, old]).await;
}

#[tokio::test(start_paused = true)]
async fn one_connection_joins_several_namespaces() {
    for eio in BOTH {
        let io = Server::new();
        for nsp in ["/a", "/b"] {
            io.of(nsp).on_connection(|socket: Socket| {
                socket.on("where", |socket: Socket| {
                    socketio::Reply(socket.namespace().name().to_owned())
                });
            });
        }
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/a").await;
        peer.enter("/b").await;
        peer.send(r#"42/b,7["where"]"#).await;
        peer.expect(r#"43/b,7["/b"]"#).await;
        peer.send(r#"42/a,7["where"]"#).await;
        peer.expect(r#"43/a,7["/a"]"#).await;
        peer.send("41/a,").await;
        peer.send(r#"42/b,8["where"]"#).await;
        peer.expect(r#"43/b,8["/b"]"#).await;
        assert_eq!(io.stats().sockets, 2);
        leave_nothing(&io, [peer]).await;
    }
}

/// Without the comma, as some clients write.
#[tokio::test(start_paused = true)]
async fn the_comma_may_be_missing() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket| logged.watch(&socket));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send("40/chat").await;
        peer.entered("/chat").await;
        peer.send("41/chat").await;
        assert_eq!(
            log.take().await,
            [
                "/chat disconnecting: client namespace disconnect, 1 rooms",
                "/chat disconnect: client namespace disconnect, 0 rooms"
            ]
        );
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_can_be_joined_again() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(&io.of("/chat"));
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        let first = sockets.next().await;
        _ = first.join("room");
        peer.send("41/chat,").await;
        peer.enter("/chat").await;
        let second = sockets.next().await;
        assert_eq!(first.id() == second.id(), eio == Eio::V3);
        assert!(!first.is_connected() && second.is_connected());
        assert_eq!(second.rooms(), [second.id().as_str()], "rooms are left with the first");
        // the first does not speak for the second
        first.emit("stale", ()).unwrap_err();
        _ = first.join("room");
        _ = first.leave(second.id());
        assert_eq!(second.rooms(), [second.id().as_str()]);
        first.disconnect(false);
        peer.silence().await;
        assert!(second.is_connected());
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_root_can_be_joined_again() {
    for eio in BOTH {
        let io = Server::new();
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send("41").await;
        peer.send("40").await;
        peer.entered("/").await;
        io.emit("hello", ()).unwrap();
        peer.expect(r#"42["hello"]"#).await;
        leave_nothing(&io, [peer]).await;
    }
}

/// The client asks again before it can know that the server had it disconnected: in one segment.
#[tokio::test(start_paused = true)]
async fn a_connect_right_behind_the_servers_disconnect_joins_again() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket| {
            logged.add("connection");
            logged.watch(&socket);
            socket.on("bye", |socket: Socket| socket.disconnect(false));
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        peer.send_all(&[r#"42/chat,["bye"]"#, "40/chat,"]).await;
        peer.expect("41/chat,").await;
        peer.entered("/chat").await;
        assert_eq!(
            log.take().await,
            [
                "connection",
                "/chat disconnecting: server namespace disconnect, 1 rooms",
                "/chat disconnect: server namespace disconnect, 0 rooms",
                "connection"
            ]
        );
        assert_eq!(io.of("/chat").connected().len(), 1);
        leave_nothing(&io, [peer]).await;
    }
}

/// 200 times in and out, in one segment: connection and disconnect come in pairs.
#[tokio::test(start_paused = true)]
async fn joining_and_leaving_over_and_over() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket| {
            logged.add("in");
            let logged = logged.clone();
            socket.on_disconnect(move || logged.add("out"));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send_all(&["40/chat,", "41/chat,"].repeat(200)).await;
        for _ in 0..200 {
            peer.entered("/chat").await;
        }
        peer.silence().await;
        assert_eq!(log.take().await, ["in", "out"].repeat(200));
        leave_nothing(&io, [peer]).await;
    }
}

/// While middleware runs, a client that comes and goes holds no more than it may join.
#[tokio::test(start_paused = true)]
async fn joining_and_leaving_while_middleware_runs_is_bounded() {
    for eio in BOTH {
        let io = Server::builder().limits(|limits| limits.max_namespaces = 10).build().unwrap();
        let running = Arc::new(());
        let held = Arc::clone(&running);
        io.of("/slow").use_fn(async move |_: Socket| {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, String>(())
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send_all(&["40/slow,", "41/slow,"].repeat(50)).await;
        testkit::settle().await;
        // one of them is the middleware's own
        assert!(Arc::strong_count(&running) <= 12, "{}", Arc::strong_count(&running));
        drop(peer);
        nothing_left(&io).await;
        assert_eq!(Arc::strong_count(&running), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_namespaces_than_allowed() {
    for eio in BOTH {
        let io = Server::builder().limits(|limits| limits.max_namespaces = 3).build().unwrap();
        for nsp in ["/a", "/b", "/c"] {
            _ = io.of(nsp);
        }
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/a").await;
        peer.enter("/b").await;
        peer.send("40/c,").await;
        peer.expect(match eio {
            Eio::V3 => r#"44/c,"Too many namespaces""#,
            Eio::V4 => r#"44/c,{"message":"Too many namespaces"}"#,
        })
        .await;
        peer.send("41/a,").await;
        peer.enter("/c").await;
        leave_nothing(&io, [peer]).await;
    }
}

/// A second CONNECT never makes a second socket: old clients are ignored, new ones closed.
#[tokio::test(start_paused = true)]
async fn a_second_connect() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket| {
            logged.add("connection");
            logged.watch(&socket);
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        peer.send("40/chat,").await;
        match eio {
            Eio::V3 => {
                peer.silence().await;
                assert_eq!(log.take().await, ["connection"]);
            }
            Eio::V4 => {
                peer.closed().await;
                assert_eq!(
                    log.take().await,
                    [
                        "connection",
                        "/chat disconnecting: forced server close, 1 rooms",
                        "/chat disconnect: forced server close, 0 rooms"
                    ]
                );
            }
        }
        leave_nothing(&io, [peer]).await;
    }
}

/// Events before the namespace let the socket in: old clients' are dropped, new ones are closed.
#[tokio::test(start_paused = true)]
async fn events_before_the_connect_was_answered() {
    for eio in BOTH {
        let io = Server::new();
        let (gate, log) = (Arc::new(Semaphore::new(0)), Log::default());
        let passes = Arc::clone(&gate);
        io.of("/slow").use_fn(async move |_: Socket| {
            passes.acquire().await.map(|permit| permit.forget()).map_err(|e| e.to_string())
        });
        let logged = log.clone();
        io.of("/slow").on_connection(move |socket: Socket| {
            let logged = logged.clone();
            socket.on("e", move || logged.add("e"));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send("40/slow,").await;
        peer.send(r#"42/slow,["e"]"#).await;
        match eio {
            Eio::V3 => {
                peer.silence().await;
                gate.add_permits(1);
                peer.entered("/slow").await;
            }
            Eio::V4 => peer.closed().await,
        }
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_middleware_runs() {
    for eio in BOTH {
        let io = Server::new();
        let (gate, log, held) = (Arc::new(Semaphore::new(0)), Log::default(), Arc::new(()));
        let (passes, holds) = (Arc::clone(&gate), Arc::clone(&held));
        io.of("/slow").use_fn(async move |socket: Socket| {
            // a circle that only the end of the socket opens
            let (holds, own) = (Arc::clone(&holds), socket.clone());
            socket.on("e", move || _ = (&holds, own.id()));
            passes.acquire().await.map(|permit| permit.forget()).map_err(|e| e.to_string())
        });
        let logged = log.clone();
        io.of("/slow").on_connection(move |_: Socket| logged.add("connection"));
        let server = connector(&io);
        // one by a packet, one with its connection
        let mut leaves = Peer::join(&server, eio).await;
        leaves.send("40/slow,").await;
        let mut breaks = Peer::join(&server, eio).await;
        breaks.send("40/slow,").await;
        testkit::settle().await;
        let kept = Arc::strong_count(&held);
        leaves.send("41/slow,").await;
        drop(breaks);
        testkit::settle().await;
        gate.add_permits(2);
        leaves.silence().await;
        assert_eq!(log.take().await, [""; 0]);
        assert!(io.of("/slow").connected().is_empty());
        assert_eq!(Arc::strong_count(&held), kept - 4, "what the sockets held is dropped");
        // it may come again
        leaves.enter("/slow").await;
        leave_nothing(&io, [leaves]).await;
        assert_eq!(Arc::strong_count(&held), kept - 4);
    }
}
