//! Clients that do not take what they are sent.

use socketio::emit::{EmitError, OverflowPolicy};
use socketio::observe::CloseDetail;
use socketio::{Reason, Server, Socket};
use testkit::{Connector, Eio, Polling};
use tokio::sync::mpsc;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing, nothing_left};

/// A client stops reading while 100 MB are broadcast: it is cut off, another loses nothing, and
/// what waits is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading() {
    const EVENTS: usize = 100;
    const BOUND: usize = 16 * 1024 * 1024;
    for eio in BOTH {
        let io = Server::new();
        let attached = io.listen("127.0.0.1:0").await.unwrap();
        let mut sockets = arrivals(io.sockets());
        let server = Connector::tcp(attached.local_addr());
        let slow = Peer::join(&server, eio).await;
        let slow_socket = sockets.next().await;
        let mut healthy = Peer::join(&server, eio).await;
        let healthy_socket = sockets.next().await;
        let (sender, mut ended) = mpsc::unbounded_channel();
        slow_socket.on_disconnect(move |Reason(why): Reason| sender.send(why));

        let text = "x".repeat(1_000_000);
        let packet = format!(r#"42["big","{text}"]"#);
        let reading = tokio::spawn(async move {
            for _ in 0..EVENTS {
                assert!(healthy.next().await == packet, "an event is missing or damaged");
            }
            healthy
        });
        for _ in 0..EVENTS {
            healthy_socket.writable().await.unwrap();
            io.emit("big", &text).unwrap();
            let queued = slow_socket.conn().queued_bytes();
            assert!(queued <= BOUND, "{queued} bytes wait");
        }
        let healthy = reading.await.unwrap();
        let why = tokio::time::timeout(testkit::TIMEOUT, ended.recv()).await.unwrap().unwrap();
        assert_eq!(
            (why.as_str(), why.detail()),
            ("transport error", Some(CloseDetail::SlowConsumer))
        );
        assert!(!slow_socket.is_connected());
        assert!(slow_socket.emit("more", ()).is_err());
        assert_eq!(io.stats().engine.slow_consumers, 1);
        assert_eq!(io.stats().sockets, 1);
        leave_nothing(&io, [slow, healthy]).await;
    }
}

/// The same over a stream that its driver writes, and over polling without polls.
#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full() {
    for eio in BOTH {
        let io = Server::builder().max_outbound_packets(10).build().unwrap();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            let logged = logged.clone();
            socket.on_disconnect(move |Reason(why): Reason| {
                logged.add(format!("{why}, {:?}", why.detail()));
            });
        });
        let mut polling = Polling::open(&connector(&io), eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        for n in 0..10 {
            io.emit("n", n).unwrap();
        }
        assert_eq!(polling.poll().await.len(), 10, "so many may wait");
        let mut sent = 0;
        while io.stats().engine.slow_consumers == 0 && sent < 100 {
            io.emit("n", sent).unwrap();
            sent += 1;
            testkit::settle().await;
        }
        assert_eq!(sent, 11);
        assert_eq!(log.take().await, ["transport error, Some(SlowConsumer)"]);
        assert_eq!(polling.poll_response().await.json()["code"], 1);
        nothing_left(&io).await;
    }
}

/// With a policy that drops, single emissions say so, and whoever polls again goes on.
#[tokio::test(start_paused = true)]
async fn policies_that_drop() {
    for (policy, kept) in [
        (OverflowPolicy::DropNewest, ["1", "2", "3"]),
        (OverflowPolicy::DropOldest, ["3", "4", "5"]),
    ] {
        for eio in BOTH {
            let io =
                Server::builder().max_outbound_packets(3).slow_consumer(policy).build().unwrap();
            let mut sockets = arrivals(io.sockets());
            let mut polling = Polling::open(&connector(&io), eio, "").await;
            if eio == Eio::V4 {
                polling.post(["40"]).await;
            }
            polling.next().await;
            let socket = sockets.next().await;
            for n in 1..=3 {
                socket.emit("n", n).unwrap();
            }
            let fourth = socket.emit("n", 4);
            match policy {
                OverflowPolicy::DropNewest => assert!(matches!(fourth, Err(EmitError::Full))),
                _ => fourth.unwrap(),
            }
            io.emit("n", 5).unwrap(); // a broadcast counts it
            let expected = kept.map(|n| format!(r#"42["n",{n}]"#));
            let packets = polling.poll().await;
            assert_eq!(packets, expected.each_ref().map(|packet| packet.as_str()));
            assert!(socket.is_connected());
            // state is never dropped
            for n in 1..=3 {
                socket.emit("n", n).unwrap();
            }
            socket.emit_with_ack::<u32>("q", ()).callback(drop);
            socket.disconnect(false);
            let packets = polling.poll().await;
            assert_eq!(packets[3..], [r#"420["q"]"#, "41"]);
            polling.post(["1"]).await;
            nothing_left(&io).await;
        }
    }
}

/// A producer that waits for room never fills the queue.
#[tokio::test(start_paused = true)]
async fn a_producer_that_waits() {
    for eio in BOTH {
        let io = Server::builder().max_outbound_packets(20).build().unwrap();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io).with_capacity(256);
        let mut peer = Peer::join(&server, eio).await;
        let socket = sockets.next().await;
        let producer = socket.clone();
        let producing = tokio::spawn(async move {
            for n in 0..1_000 {
                producer.writable().await?;
                producer.emit("n", n)?;
            }
            Ok::<_, EmitError>(())
        });
        for n in 0..1_000 {
            peer.expect(&format!(r#"42["n",{n}]"#)).await;
        }
        producing.await.unwrap().unwrap();
        leave_nothing(&io, [peer]).await;
        assert!(matches!(socket.writable().await, Err(EmitError::Closed)));
    }
}

/// An emission's own policy, to one socket and to many.
#[tokio::test(start_paused = true)]
async fn an_emission_says_what_happens_when_the_queue_is_full() {
    for eio in BOTH {
        let io = Server::builder().max_outbound_packets(4).build().unwrap();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io);
        let mut polling = Polling::open(&server, eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        let socket = sockets.next().await;
        for n in 1..=2 {
            socket.emit("n", n).unwrap(); // to be kept
        }
        for n in 3..=4 {
            io.when_full(OverflowPolicy::DropOldest).emit("n", n).unwrap();
        }
        let newest = socket.when_full(OverflowPolicy::DropNewest).emit("n", 5);
        assert!(matches!(newest, Err(EmitError::Full)));
        io.to(socket.id().as_str()).when_full(OverflowPolicy::DropOldest).emit("n", 6).unwrap();
        socket.when_full(OverflowPolicy::DropOldest).emit("n", 7).unwrap();
        let expected = [1, 2, 6, 7].map(|n| format!(r#"42["n",{n}]"#));
        assert_eq!(polling.poll().await, expected.each_ref().map(|packet| packet.as_str()));
        assert!(socket.is_connected());
        polling.post(["1"]).await;
        nothing_left(&io).await;
    }
}
