//! When handlers run: in the order of arrival, none held up by another.

use std::sync::Arc;
use std::time::Duration;

use socketio::emit::AckError;
use socketio::{Data, Reply, Server, Socket};
use testkit::{Eio, Polling};
use tokio::sync::Semaphore;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing, nothing_left};

/// Sync and async handlers of one segment, mixed: what precedes the first await runs in order.
#[tokio::test(start_paused = true)]
async fn handlers_start_in_order_of_arrival() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        let logged = log.clone();
        socket.on("sync", move |Data(n): Data<u32>| logged.add(format!("{n}")));
        let logged = log.clone();
        socket.on("async", async move |Data(n): Data<u32>| {
            logged.add(format!("{n} begins"));
            tokio::time::sleep(Duration::from_millis(100 - u64::from(n))).await;
            logged.add(format!("{n} ends"));
        });
        let events: Vec<String> = (0..50)
            .map(|n| format!(r#"42["{}",{n}]"#, if n % 2 == 0 { "async" } else { "sync" }))
            .collect();
        peer.send_all(&events.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let begun: Vec<String> = (0..50)
            .map(|n| if n % 2 == 0 { format!("{n} begins") } else { format!("{n}") })
            .collect();
        assert_eq!(log.take().await, begun);
        tokio::time::advance(Duration::from_millis(100)).await;
        // they end as they can
        let mut ended = log.take().await;
        assert_eq!(ended.len(), 25);
        ended.sort();
        assert_eq!(ended[0], "0 ends");
        leave_nothing(&io, [peer]).await;
    }
}

/// Also over polling, where one payload holds all.
#[tokio::test(start_paused = true)]
async fn handlers_start_in_order_over_polling() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(async move |socket: Socket| {
            let logged = logged.clone();
            socket.on("n", move |Data(n): Data<u32>| logged.add(format!("{n}")));
        });
        let mut polling = Polling::open(&connector(&io), eio, "").await;
        let mut packets: Vec<String> = (0..100).map(|n| format!(r#"42["n",{n}]"#)).collect();
        if eio == Eio::V4 {
            packets.insert(0, "40".to_owned());
        }
        packets.push("1".to_owned());
        polling.post(packets).await;
        let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(log.take().await, expected);
        nothing_left(&io).await;
    }
}

/// A listener that an async connection handler adds before its first await gets what the client
/// sends along with its CONNECT.
#[tokio::test(start_paused = true)]
async fn code_before_the_first_await_misses_nothing() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(async move |socket: Socket| {
            let early = logged.clone();
            socket.on("e", move |Data(n): Data<u32>| early.add(format!("early {n}")));
            socket.join("room").await.unwrap(); // does not wait here
            let soon = logged.clone();
            socket.on("e", move |Data(n): Data<u32>| soon.add(format!("soon {n}")));
            tokio::time::sleep(Duration::from_secs(1)).await;
            let late = logged.clone();
            socket.on("e", move |Data(n): Data<u32>| late.add(format!("late {n}")));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send_all(&["40/chat,", r#"42/chat,["e",1]"#]).await;
        assert_eq!(log.take().await, ["early 1", "soon 1"]);
        tokio::time::advance(Duration::from_secs(1)).await;
        testkit::settle().await;
        peer.entered("/chat").await;
        peer.send(r#"42/chat,["e",2]"#).await;
        assert_eq!(log.take().await, ["early 2", "soon 2", "late 2"]);
        leave_nothing(&io, [peer]).await;
    }
}

/// The same behind a middleware that waits.
#[tokio::test(start_paused = true)]
async fn code_before_the_first_await_misses_nothing_after_middleware() {
    let io = Server::new();
    let log = Log::default();
    io.use_fn(async |_: Socket| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, String>(())
    });
    let logged = log.clone();
    io.on_connection(async move |socket: Socket| {
        let logged = logged.clone();
        socket.on("e", move || logged.add("e"));
        std::future::pending::<()>().await;
    });
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    peer.send("40").await;
    peer.entered("/").await;
    peer.send(r#"42["e"]"#).await;
    assert_eq!(log.take().await, ["e"]);
    drop(peer);
    nothing_left(&io).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_await_an_ack_from_its_own_client() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(async |socket: Socket| {
            let name: String = socket.emit_with_ack("who are you?", ()).await?;
            socket.emit("welcome", &name)?;
            socket.on("age", async |socket: Socket| {
                let age: u32 = socket.emit_with_ack("how old are you?", ()).await?;
                Ok::<_, AckError>(Reply(age + 1))
            });
            Ok::<_, socketio::BoxError>(())
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.expect(r#"420["who are you?"]"#).await;
        peer.send(r#"430["ann"]"#).await;
        peer.expect(r#"42["welcome","ann"]"#).await;
        peer.send(r#"427["age"]"#).await;
        peer.expect(r#"421["how old are you?"]"#).await;
        peer.send("431[30]").await;
        peer.expect("437[31]").await;
        leave_nothing(&io, [peer]).await;
    }
}

/// A handler that waits for ever: later events go on, of this socket and of others, and the
/// heartbeat does.
#[tokio::test(start_paused = true)]
async fn later_events_are_not_held_up() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("stuck", async || std::future::pending::<()>().await);
            socket.on("quick", |Data(n): Data<u32>| Reply(n));
        });
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        let mut other = Peer::join(&server, eio).await;
        peer.send_all(&[r#"42["stuck"]"#, r#"421["quick",1]"#]).await;
        peer.expect("431[1]").await;
        other.send(r#"421["quick",2]"#).await;
        other.expect("431[2]").await;
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(25)).await;
            for peer in [&mut peer, &mut other] {
                match eio {
                    Eio::V3 => {
                        peer.send("2").await;
                        peer.expect("3").await;
                    }
                    Eio::V4 => {
                        peer.expect("2").await;
                        peer.send("3").await;
                    }
                }
                testkit::settle().await;
            }
        }
        peer.send(r#"422["quick",3]"#).await;
        peer.expect("432[3]").await;
        leave_nothing(&io, [peer, other]).await;
        assert_eq!(io.stats().detached_handlers, 1);
    }
}

/// Beyond the limit of waiting handlers a client is not read, until some have finished.
#[tokio::test(start_paused = true)]
async fn waiting_handlers_are_limited() {
    for eio in BOTH {
        let limits = |limits: &mut socketio::options::Limits| limits.max_pending_handlers = 2;
        let io = Server::builder().limits(limits).build().unwrap();
        let (gate, log) = (Arc::new(Semaphore::new(0)), Log::default());
        let (passes, logged) = (Arc::clone(&gate), log.clone());
        io.on_connection(move |socket: Socket| {
            log_ends(&logged, &socket);
            let (passes, logged) = (Arc::clone(&passes), logged.clone());
            socket.on("e", async move |Data(n): Data<u32>| {
                logged.add(format!("{n} begins"));
                passes.acquire().await.unwrap().forget();
            });
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        let events: Vec<String> = (0..5).map(|n| format!(r#"42["e",{n}]"#)).collect();
        peer.send_all(&events.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(log.take().await, ["0 begins", "1 begins"]);
        gate.add_permits(1);
        assert_eq!(log.take().await, ["2 begins"]);
        gate.add_permits(2);
        assert_eq!(log.take().await, ["3 begins", "4 begins"]);
        // not for ever
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(log.take().await, ["disconnect: transport error Some(NotRead)"]);
        if eio == Eio::V4 {
            peer.expect("2").await; // not waited for, while it is not read
        }
        peer.ws.expect_close().await;
        leave_nothing(&io, [peer]).await;
    }
}

fn log_ends(log: &Log, socket: &Socket) {
    let log = log.clone();
    socket.on_disconnect(move |socketio::Reason(why): socketio::Reason| {
        log.add(format!("disconnect: {why} {:?}", why.detail()));
    });
}

/// Handlers that are not finished when their connection ends go on; middleware does not.
#[tokio::test(start_paused = true)]
async fn handlers_go_on_after_the_end() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/slow").use_fn({
            let logged = log.clone();
            async move |_: Socket| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                logged.add("middleware");
                Ok::<_, String>(())
            }
        });
        io.on_connection(move |socket: Socket| {
            let logged = logged.clone();
            socket.on("save", async move |socket: Socket| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                logged.add(format!("saved, {:?}", socket.emit("saved", ())));
                Err::<(), _>("nobody to tell")
            });
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send_all(&[r#"42["save"]"#, r#"42["save"]"#, "40/slow,"]).await;
        testkit::settle().await;
        drop(peer);
        nothing_left(&io).await;
        assert_eq!(io.stats().detached_handlers, 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(log.take().await, ["saved, Err(Closed)", "saved, Err(Closed)"]);
        assert_eq!(io.stats().detached_handlers, 0);
    }
}

/// They are counted, and limited: beyond, they end with their connection.
#[tokio::test(start_paused = true)]
async fn detached_handlers_are_limited() {
    let limits = |limits: &mut socketio::options::Limits| limits.max_detached_handlers = 3;
    let io = Server::builder().limits(limits).build().unwrap();
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    io.on_connection(move |socket: Socket| {
        let holds = Arc::clone(&holds);
        socket.on("stuck", async move || {
            std::future::pending::<()>().await;
            drop(holds);
        });
    });
    let server = connector(&io);
    for expected in [2, 2] {
        let mut peer = Peer::join(&server, Eio::V4).await;
        peer.send_all(&[r#"42["stuck"]"#, r#"42["stuck"]"#]).await;
        testkit::settle().await;
        drop(peer);
        nothing_left(&io).await;
        assert_eq!(io.stats().detached_handlers, expected);
        assert_eq!(Arc::strong_count(&held), 2 + expected);
    }
}

/// A burst of answers to a client that reads is no slow consumer.
#[tokio::test(start_paused = true)]
async fn a_burst_of_echoes() {
    for eio in BOTH {
        let io = Server::builder().max_outbound_packets(100).build().unwrap();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        sockets.next().await.on("e", |Data(n): Data<u32>| Reply(n));
        let events: Vec<String> = (0..5_000).map(|n| format!(r#"42{n}["e",{n}]"#)).collect();
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        for part in events.chunks(500) {
            peer.send_all(part).await;
        }
        for n in 0..5_000 {
            peer.expect(&format!("43{n}[{n}]")).await;
        }
        leave_nothing(&io, [peer]).await;
    }
}
