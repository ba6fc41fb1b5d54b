//! The end of sockets: reasons, order, and that nothing is left.

use std::sync::Arc;
use std::time::Duration;

use socketio::{Reason, Server, Socket};
use testkit::{Eio, Polling};

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing, nothing_left};

/// A server with the namespaces `/`, `/a` and `/b` whose sockets' ends are logged.
fn watched() -> (Server, Log) {
    let (io, log) = (Server::new(), Log::default());
    for nsp in ["/", "/a", "/b"] {
        let log = log.clone();
        io.of(nsp).on_connection(move |socket: Socket| {
            log.watch(&socket);
            _ = socket.join("room");
        });
    }
    (io, log)
}

/// Each namespace's two events, in order.
fn ends(namespaces: &[&str], reason: &str) -> Vec<String> {
    let end = |nsp: &&str| {
        [
            format!("{nsp} disconnecting: {reason}, 2 rooms"),
            format!("{nsp} disconnect: {reason}, 0 rooms"),
        ]
    };
    namespaces.iter().flat_map(end).collect()
}

#[tokio::test(start_paused = true)]
async fn socket_disconnect() {
    for eio in BOTH {
        let (io, log) = watched();
        let mut sockets = arrivals(&io.of("/a"));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/a").await;
        let socket = sockets.next().await;
        socket.emit("before", ()).unwrap();
        socket.disconnect(false);
        assert!(!socket.is_connected());
        peer.expect(r#"42/a,["before"]"#).await;
        peer.expect("41/a,").await;
        assert_eq!(log.take().await, ends(&["/a"], "server namespace disconnect"));
        // again does nothing, and the connection goes on
        socket.disconnect(false);
        peer.send(r#"42/a,["crossed it"]"#).await;
        io.emit("still here", ()).unwrap();
        peer.expect(r#"42["still here"]"#).await;
        peer.silence().await;
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
        assert_eq!(log.take().await, ends(&["/"], "transport close"));
    }
}

#[tokio::test(start_paused = true)]
async fn socket_disconnect_close() {
    for eio in BOTH {
        let (io, log) = watched();
        let mut sockets = arrivals(&io.of("/a"));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/b").await;
        peer.enter("/a").await;
        let socket = sockets.next().await;
        socket.emit("before", ()).unwrap();
        socket.disconnect(true);
        // in order of joining, then the connection is closed
        peer.expect(r#"42/a,["before"]"#).await;
        peer.expect("41").await;
        peer.expect("41/b,").await;
        peer.expect("41/a,").await;
        peer.closed().await;
        assert_eq!(log.take().await, ends(&["/", "/b", "/a"], "server namespace disconnect"));
        leave_nothing(&io, [peer]).await;
        assert_eq!(log.take().await, [""; 0]);
    }
}

/// Over polling: the DISCONNECT in one poll, a close packet in the next.
#[tokio::test(start_paused = true)]
async fn socket_disconnect_close_over_polling() {
    for eio in BOTH {
        let (io, log) = watched();
        let mut sockets = arrivals(io.sockets());
        let mut polling = Polling::open(&connector(&io), eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        let socket = sockets.next().await;
        socket.emit("before", ()).unwrap();
        socket.disconnect(true);
        assert_eq!(polling.next().await, r#"42["before"]"#);
        assert_eq!(polling.next().await, "41");
        let last = polling.poll().await;
        assert_eq!(last.last().unwrap(), &"1", "{last:?}");
        assert_eq!(polling.poll_response().await.json()["code"], 1);
        assert_eq!(log.take().await, ends(&["/"], "server namespace disconnect"));
        nothing_left(&io).await;
    }
}

/// What was emitted before a client broke the protocol goes with its next poll, and then the end.
#[tokio::test(start_paused = true)]
async fn a_violation_over_polling_is_an_orderly_end() {
    for (packets, reason) in [
        (vec!["40", "40"], "forced server close"),
        (vec!["40", r#"42/a,["not joined"]"#], "forced server close"),
        (vec!["40", "4x"], "forced close"),
        (vec![r#"42["before CONNECT"]"#], ""),
    ] {
        let (io, log) = watched();
        io.on_connection(|socket: Socket| drop(socket.emit("welcome", ())));
        let mut polling = Polling::open(&connector(&io), Eio::V4, "").await;
        polling.post(packets.clone()).await;
        if !reason.is_empty() {
            let answers = polling.poll().await;
            assert_eq!(answers.len(), 2, "{packets:?}: {answers:?}");
            assert_eq!(answers[1], r#"42["welcome"]"#, "{packets:?}");
            assert_eq!(log.take().await, ends(&["/"], reason), "{packets:?}");
        }
        assert_eq!(polling.poll().await, ["1"], "{packets:?}");
        assert_eq!(polling.poll_response().await.json()["code"], 1);
        nothing_left(&io).await;
    }
}

/// In its connection handler, before anything else: one CONNECT, one DISCONNECT, all events.
#[tokio::test(start_paused = true)]
async fn disconnect_in_the_connection_handler() {
    for eio in BOTH {
        let (io, log) = watched();
        io.of("/a").on_connection(|socket: Socket| {
            socket.emit("welcome", ()).unwrap();
            socket.disconnect(false);
            socket.emit("never", ()).unwrap_err();
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/a").await;
        peer.expect(r#"42/a,["welcome"]"#).await;
        peer.expect("41/a,").await;
        peer.silence().await;
        assert_eq!(log.take().await, ends(&["/a"], "server namespace disconnect"));
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn event_disconnect() {
    for eio in BOTH {
        // by the client, from one namespace
        let (io, log) = watched();
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        peer.enter("/a").await;
        peer.send("41/a,").await;
        assert_eq!(log.take().await, ends(&["/a"], "client namespace disconnect"));
        // with a close frame; sockets of one connection end in order of joining
        peer.enter("/b").await;
        peer.enter("/a").await;
        peer.ws.send_close(Some(1000)).await;
        assert_eq!(peer.ws.expect_close().await, Some(1000));
        peer.ws.expect_eof().await;
        assert_eq!(log.take().await, ends(&["/", "/b", "/a"], "transport close"));
        // without a word
        let peer = Peer::join(&server, eio).await;
        leave_nothing(&io, [peer]).await;
        assert_eq!(log.take().await, ends(&["/"], "transport close"));
        // over polling
        let mut polling = Polling::open(&server, eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        polling.post(["1"]).await;
        assert_eq!(log.take().await, ends(&["/"], "transport close"));
        nothing_left(&io).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_times_out() {
    for eio in BOTH {
        let (io, log) = watched();
        let mut peer = Peer::join(&connector(&io), eio).await;
        tokio::time::advance(Duration::from_secs(25)).await;
        if eio == Eio::V4 {
            peer.expect("2").await;
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        peer.closed().await;
        assert_eq!(log.take().await, ends(&["/"], "ping timeout"));
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reasons_of_the_engine() {
    for eio in BOTH {
        let (io, log) = watched();
        let server = connector(&io);
        // a packet that is none
        let mut peer = Peer::join(&server, eio).await;
        peer.send("x").await;
        peer.ws.expect_close().await;
        assert_eq!(log.take().await, ends(&["/"], "parse error"));
        leave_nothing(&io, [peer]).await;
        // a message that is too large, with what more is known
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&server, eio).await;
        let details = log.clone();
        sockets.next().await.on_disconnect(move |Reason(why): Reason| {
            details.add(format!("{:?}", why.detail()));
        });
        peer.ws.send_raw(&testkit::frame(true, 1, Some([0; 4]), &[b'4'; 1_000_001])).await;
        assert_eq!(peer.ws.expect_close().await, Some(1009));
        let mut expected = ends(&["/"], "transport error");
        expected.push("Some(TooLarge)".to_owned());
        assert_eq!(log.take().await, expected);
        leave_nothing(&io, [peer]).await;
    }
}

/// The rooms are still there, and others can be told; the socket itself is not any more.
#[tokio::test(start_paused = true)]
async fn event_disconnecting() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            _ = socket.join("room");
            socket.on_disconnecting(|socket: Socket, Reason(why): Reason| {
                for room in socket.rooms().into_iter().skip(1) {
                    socket.to(room).emit("leaving", why.as_str()).unwrap();
                }
                socket.emit("nobody", ()).unwrap_err();
            });
            // `on` with the event's name is the same
            socket.on("disconnect", |socket: Socket| socket.to("room").emit("left", ()));
        });
        let server = connector(&io);
        let mut leaving = Peer::join(&server, eio).await;
        let mut staying = Peer::join(&server, eio).await;
        leaving.send("41").await;
        staying.expect(r#"42["leaving","client namespace disconnect"]"#).await;
        staying.expect(r#"42["left"]"#).await;
        leaving.silence().await;
        leave_nothing(&io, [leaving, staying]).await;
    }
}

/// What an async handler does before its first await sees the rooms; it goes on afterwards.
#[tokio::test(start_paused = true)]
async fn async_disconnect_handlers_finish() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            _ = socket.join("room");
            let logged = logged.clone();
            socket.on_disconnecting(async move |socket: Socket| {
                logged.add(format!("{} rooms", socket.rooms().len()));
                tokio::time::sleep(Duration::from_secs(3)).await;
                logged.add(format!("{} rooms", socket.rooms().len()));
            });
        });
        let peer = Peer::join(&connector(&io), eio).await;
        drop(peer);
        nothing_left(&io).await;
        assert_eq!(log.take().await, ["2 rooms"]);
        assert_eq!(io.stats().detached_handlers, 1);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(log.take().await, ["0 rooms"]);
        assert_eq!(io.stats().detached_handlers, 0);
    }
}

/// Handlers that end other sockets of the same connection: each still ends once.
#[tokio::test(start_paused = true)]
async fn handlers_that_disconnect_others() {
    for eio in BOTH {
        let (io, log) = watched();
        io.of("/a").on_connection(|socket: Socket| {
            socket.on_disconnecting(|socket: Socket| {
                for other in socket.client().sockets() {
                    other.disconnect(false);
                }
                socket.disconnect(true);
            });
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/a").await;
        peer.enter("/b").await;
        // bytes that live as long as the socket itself
        let held = Arc::new([1]);
        let bytes = bytes::Bytes::from_owner(SharedBytes(Arc::clone(&held)));
        let other = io.of("/b").connected().get(&peer.id).unwrap();
        other.set_data(&socketio::Binary(bytes)).unwrap();
        drop(other);
        assert_eq!(Arc::strong_count(&held), 2);
        leave_nothing(&io, [peer]).await;
        let mut ended = log.take().await;
        ended.retain(|what| !what.starts_with("/ "));
        assert_eq!(ended.len(), 4, "{ended:?}");
        assert_eq!(Arc::strong_count(&held), 1, "the socket is dropped");
    }
}

struct SharedBytes(Arc<[u8; 1]>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &*self.0
    }
}

/// What handlers that go on after the disconnection register is dropped, not kept for ever.
#[tokio::test(start_paused = true)]
async fn listeners_added_after_the_disconnection() {
    for eio in BOTH {
        let io = Server::new();
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        io.on_connection(async move |socket: Socket| {
            // as of a database
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (own, kept) = (socket.clone(), Arc::clone(&holds));
            socket.on("e", move || _ = (own.id(), &kept));
            let (own, kept) = (socket.clone(), Arc::clone(&holds));
            socket.once("e", move || _ = (own.id(), &kept));
            let (own, kept) = (socket.clone(), Arc::clone(&holds));
            socket.use_fn(async move |event: socketio::events::IncomingEvent| {
                _ = (own.id(), kept);
                Ok::<_, String>(event)
            });
            socket.extensions().insert((socket.clone(), Arc::clone(&holds)));
        });
        let peer = Peer::join(&connector(&io), eio).await;
        leave_nothing(&io, [peer]).await;
        assert_eq!(io.stats().detached_handlers, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        testkit::settle().await;
        assert_eq!(io.stats().detached_handlers, 0);
        assert_eq!(Arc::strong_count(&held), 2, "held by the connection handler only");
    }
}

/// A socket that its own handlers hold is dropped after the last of them.
#[tokio::test(start_paused = true)]
async fn no_circles_are_left() {
    for eio in BOTH {
        let io = Server::new();
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        io.of("/chat").on_connection(move |socket: Socket| {
            for event in ["e", "disconnect", "disconnecting", "error"] {
                let (own, holds) = (socket.clone(), Arc::clone(&holds));
                socket.on(event, move || _ = (own.id(), &holds));
            }
            let (own, kept) = (socket.clone(), Arc::clone(&holds));
            socket.use_fn(async move |event: socketio::events::IncomingEvent| {
                _ = (own.id(), kept);
                Ok::<_, String>(event)
            });
            socket.extensions().insert(socket.clone());
            let (own, holds) = (socket.clone(), Arc::clone(&holds));
            socket.emit_with_ack::<u32>("q", ()).callback(move |_| _ = (own.id(), &holds));
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        assert!(Arc::strong_count(&held) > 2);
        peer.send("41/chat,").await;
        testkit::settle().await;
        assert_eq!(Arc::strong_count(&held), 2, "held by the connection handler only");
        leave_nothing(&io, [peer]).await;
    }
}
