//! Acknowledgements, in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socketio::emit::{AckError, EmitError};
use socketio::{Ack, Binary, Data, Reply, Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing};

#[tokio::test(start_paused = true)]
async fn socket_emit_with_ack() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(&io.of("/chat"));
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        let socket = sockets.next().await;
        let asking = socket.clone();
        let answer = tokio::spawn(async move {
            asking.emit_with_ack::<(String, u32)>("ferret", ("tobi", 1)).await
        });
        peer.expect(r#"42/chat,0["ferret","tobi",1]"#).await;
        assert_eq!(io.stats().pending_acks, 1);
        peer.send(r#"43/chat,0["woot",2]"#).await;
        assert_eq!(answer.await.unwrap().unwrap(), ("woot".to_owned(), 2));
        assert_eq!(io.stats().pending_acks, 0);

        let log = Log::default();
        let logged = log.clone();
        socket.send_with_ack::<String>("hi").callback(move |answer| {
            logged.add(answer.unwrap());
        });
        peer.expect(r#"42/chat,1["message","hi"]"#).await;
        peer.send(r#"43/chat,1["hello"]"#).await;
        assert_eq!(log.take().await, ["hello"]);
        leave_nothing(&io, [peer]).await;
    }
}

/// A process that stood still reads what was answered in time before it gives up.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_not_read_in_time_counts() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        let log = Log::default();
        for id in 0..2 {
            let logged = log.clone();
            let asking = socket.emit_with_ack::<u32>("ask", ()).timeout(Duration::from_secs(5));
            asking.callback(move |answer| logged.add(format!("{answer:?}")));
            peer.expect(&format!(r#"42{id}["ask"]"#)).await;
        }
        testkit::settle().await;
        tokio::time::advance(Duration::from_secs(9)).await;
        peer.send("430[7]").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(log.take().await, ["Ok(7)", "Err(Timeout)"]);
        leave_nothing(&io, [peer]).await;
    }
}

/// Answers with binary, of another type, and none at all.
#[tokio::test(start_paused = true)]
async fn answers_of_all_kinds() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        let asking = socket.clone();
        let answer = tokio::spawn(async move { asking.emit_with_ack::<Binary>("b", ()).await });
        peer.expect(r#"420["b"]"#).await;
        peer.send(r#"461-0[{"_placeholder":true,"num":0}]"#).await;
        peer.send_binary(&[1, 2]).await;
        assert_eq!(answer.await.unwrap().unwrap().0[..], [1, 2]);

        let asking = socket.clone();
        let answer = tokio::spawn(async move { asking.emit_with_ack::<u32>("n", ()).await });
        peer.expect(r#"421["n"]"#).await;
        peer.send(r#"431["text"]"#).await;
        let error = answer.await.unwrap().unwrap_err();
        assert!(matches!(error, AckError::Decode(_)), "{error:?}");

        let asking = socket.clone();
        let answer = tokio::spawn(async move { asking.emit_with_ack::<()>("none", ()).await });
        peer.expect(r#"422["none"]"#).await;
        peer.send("432[]").await;
        answer.await.unwrap().unwrap();
        leave_nothing(&io, [peer]).await;
    }
}

/// The first answer counts; others, and those that nobody asked for, do nothing.
#[tokio::test(start_paused = true)]
async fn an_ack_is_taken_once() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        let mut other = Peer::join(&server, eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        let logged = log.clone();
        socket.emit_with_ack::<u32>("q", ()).callback(move |answer| {
            logged.add(format!("{answer:?}"));
        });
        peer.expect(r#"420["q"]"#).await;
        other.send("430[666]").await; // of another client
        let many = vec!["1"; 1000].join(",");
        peer.send_all(&["4399[1]", &format!("430[{many}]"), "430[2]", "430[3]"]).await;
        assert_eq!(log.take().await, ["Ok(1)"]);
        peer.silence().await;
        other.silence().await;
        leave_nothing(&io, [peer, other]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ack_timeout() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        // the nearer one is asked for later
        for seconds in [3, 1, 2] {
            let log = log.clone();
            let question = socket.emit_with_ack::<u32>("q", seconds);
            question.timeout(Duration::from_secs(seconds)).callback(move |answer| {
                log.add(format!("{seconds}: {answer:?}"));
            });
        }
        for packet in [r#"420["q",3]"#, r#"421["q",1]"#, r#"422["q",2]"#] {
            peer.expect(packet).await;
        }
        tokio::time::advance(Duration::from_millis(900)).await;
        assert_eq!(log.take().await, [""; 0]);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(log.take().await, ["1: Err(Timeout)"]);
        peer.send("431[1]").await; // too late
        peer.send("422[]").await; // an event without a name: see below
        peer.send("432[2]").await;
        match eio {
            // ignored, and the ack behind it taken
            Eio::V3 => assert_eq!(log.take().await, ["2: Ok(2)"]),
            Eio::V4 => {
                let mut ended = log.take().await;
                ended.sort();
                assert_eq!(ended, ["2: Err(Disconnected)", "3: Err(Disconnected)"]);
            }
        }
        if eio == Eio::V3 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(log.take().await, ["3: Err(Timeout)"]);
        }
        assert_eq!(io.stats().pending_acks, 0);
        leave_nothing(&io, [peer]).await;
    }
}

/// As long as can be is for ever.
#[tokio::test(start_paused = true)]
async fn an_ack_timeout_beyond_all_time() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let (socket, log) = (sockets.next().await, Log::default());
    let logged = log.clone();
    socket.emit_with_ack::<u32>("q", ()).timeout(Duration::MAX).callback(move |answer| {
        logged.add(format!("{answer:?}"));
    });
    peer.expect(r#"420["q"]"#).await;
    peer.send("430[5]").await;
    assert_eq!(log.take().await, ["Ok(5)"]);
    leave_nothing(&io, [peer]).await;
}

/// 10,000 that are never answered end in time, and nothing of them is left.
#[tokio::test(start_paused = true)]
async fn many_acks_time_out() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    let failed = Arc::new(AtomicUsize::new(0));
    for n in 0..10_000 {
        let failed = Arc::clone(&failed);
        let question = socket.emit_with_ack::<u32>("q", ()).timeout(Duration::from_secs(1));
        question.callback(move |answer| {
            assert!(matches!(answer, Err(AckError::Timeout)), "{answer:?}");
            failed.fetch_add(1, Ordering::Relaxed);
        });
        peer.expect(&format!(r#"42{n}["q"]"#)).await;
    }
    assert_eq!(io.stats().pending_acks, 10_000);
    tokio::time::advance(Duration::from_secs(1)).await;
    testkit::settle().await;
    assert_eq!(failed.load(Ordering::Relaxed), 10_000);
    assert_eq!(io.stats().pending_acks, 0);
    leave_nothing(&io, [peer]).await;
}

/// Beyond the limit the oldest is given up.
#[tokio::test(start_paused = true)]
async fn pending_acks_are_limited() {
    for eio in BOTH {
        let io = Server::builder().limits(|limits| limits.max_pending_acks = 2).build().unwrap();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        for n in 0..3 {
            let log = log.clone();
            socket.emit_with_ack::<u32>("q", n).callback(move |answer| {
                log.add(format!("{n}: {answer:?}"));
            });
            peer.expect(&format!(r#"42{n}["q",{n}]"#)).await;
        }
        assert_eq!(log.take().await, ["0: Err(Timeout)"]);
        assert_eq!(io.stats().pending_acks, 2);
        peer.send_all(&["430[10]", "431[11]", "432[12]"]).await;
        assert_eq!(log.take().await, ["1: Ok(11)", "2: Ok(12)"]);
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn acks_fail_on_disconnect() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        log.watch(&socket);
        let (asking, logged) = (socket.clone(), log.clone());
        tokio::spawn(async move {
            let answer = asking.emit_with_ack::<u32>("future", ()).await;
            logged.add(format!("future: {answer:?}"));
        });
        peer.expect(r#"420["future"]"#).await;
        let logged = log.clone();
        let question = socket.emit_with_ack::<u32>("callback", ());
        question.timeout(Duration::from_secs(60)).callback(move |answer| {
            logged.add(format!("callback: {answer:?}"));
        });
        peer.expect(r#"421["callback"]"#).await;
        peer.send_all(&["41", "431[1]"]).await;
        assert_eq!(
            log.take().await,
            [
                "/ disconnecting: client namespace disconnect, 1 rooms",
                "callback: Err(Disconnected)",
                "/ disconnect: client namespace disconnect, 0 rooms",
                "future: Err(Disconnected)",
            ]
        );
        // none is asked for any more
        let answer = socket.emit_with_ack::<u32>("late", ()).await;
        assert!(matches!(answer, Err(AckError::Disconnected | AckError::Emit(EmitError::Closed))));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
    }
}

/// An event that is not awaited is not sent; one whose future is dropped is forgotten.
#[tokio::test(start_paused = true)]
async fn acks_nobody_waits_for() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    drop(socket.emit_with_ack::<u32>("not sent", ()));
    drop(socket.emit_with_ack::<u32>("sent", ()).into_future());
    peer.expect(r#"421["sent"]"#).await;
    peer.send("431[1]").await;
    peer.silence().await;
    leave_nothing(&io, [peer]).await;
}

#[tokio::test(start_paused = true)]
async fn broadcast_with_ack() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io);
        let mut peers = Vec::new();
        for _ in 0..3 {
            peers.push(Peer::join(&server, eio).await);
            sockets.next().await.join("room").await.unwrap();
        }
        let without = io.to("room").emit_with_ack::<u32>("q", ()).await.unwrap_err();
        assert!(matches!(without, EmitError::NoTimeout));
        assert_eq!(
            without.to_string(),
            "a broadcast that asks for acknowledgements needs a timeout"
        );
        let asking = io.to("room").timeout(Duration::from_secs(1));
        let answers =
            tokio::spawn(async move { asking.emit_with_ack::<u32>("q", 5).await.unwrap() });
        for peer in &mut peers {
            // one id for all
            peer.expect(r#"420["q",5]"#).await;
        }
        peers[1].send("430[11]").await;
        peers[0].send(r#"430["wrong"]"#).await;
        testkit::settle().await;
        tokio::time::advance(Duration::from_secs(1)).await;
        let answers = answers.await.unwrap();
        assert!(!answers.is_complete() && answers.error.is_none() && answers.remote.is_empty());
        let of =
            |peer: &Peer| answers.local.iter().find(|(id, _)| *id == *peer.id.as_str()).unwrap();
        assert_eq!(answers.local.len(), 3);
        assert!(matches!(of(&peers[0]).1, Err(AckError::Decode(_))));
        assert!(matches!(of(&peers[1]).1, Ok(11)));
        assert!(matches!(of(&peers[2]).1, Err(AckError::Timeout)));
        assert_eq!(answers.answers().collect::<Vec<_>>(), [&11]);
        assert_eq!(answers.map(|answer: u32| answer + 1).into_answers(), [12]);
        leave_nothing(&io, peers).await;
        let nobody = io.timeout(Duration::from_secs(1)).emit_with_ack::<u32>("q", ()).await;
        let nobody = nobody.unwrap();
        assert!(nobody.local.is_empty() && nobody.is_complete());
    }
}

// ---- the other way ----------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_client_is_acknowledged_once() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            logged.watch_errors(&socket);
            let of_both = logged.clone();
            let logged = logged.clone();
            socket.on("e", move |ack: Ack, Data(n): Data<u32>| {
                logged.add(format!("wanted: {}", ack.is_wanted()));
                ack.send((n, "x")).unwrap();
                let again = ack.send(0);
                logged.add(format!("{again:?}"));
            });
            socket.on("reply", |ack: Ack| {
                _ = ack.send("first");
                Reply("second")
            });
            socket.on("both", || Reply(1));
            socket.on("both", || Reply(2));
            socket.on("both", move |ack: Ack| of_both.add(format!("{:?}", ack.send(3))));
            socket.on("both", async || Reply(4));
            socket.on("binary", || Reply((Binary(vec![1].into()), 2)));
            socket.on("empty", || Reply(()));
            socket.on("silent", || ());
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"429007199254740991["e",1]"#).await;
        peer.expect(r#"439007199254740991[1,"x"]"#).await;
        assert_eq!(log.take().await, ["wanted: true", "Err(AlreadyAcknowledged)"]);
        // without a callback answers go nowhere
        peer.send(r#"42["e",1]"#).await;
        assert_eq!(log.take().await, ["wanted: false", "Ok(())"]);
        peer.send(r#"425["reply"]"#).await;
        peer.expect(r#"435["first"]"#).await;
        assert_eq!(log.take().await, ["error: the event was acknowledged before"]);
        // the first counts, however the handlers answer
        peer.send(r#"426["both"]"#).await;
        peer.expect("436[1]").await;
        let late = "error: the event was acknowledged before";
        assert_eq!(log.take().await, [late, "Err(AlreadyAcknowledged)", late]);
        peer.send(r#"426["binary"]"#).await;
        peer.expect(r#"461-6[{"_placeholder":true,"num":0},2]"#).await;
        peer.expect_binary(&[1]).await;
        peer.send(r#"427["empty"]"#).await;
        peer.expect("437[]").await;
        peer.send(r#"428["silent"]"#).await;
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
    }
}

/// An ack that is kept beyond the end of the socket does no harm.
#[tokio::test(start_paused = true)]
async fn an_ack_after_the_disconnection() {
    for eio in BOTH {
        let io = Server::new();
        let (sender, mut acks) = tokio::sync::mpsc::unbounded_channel();
        io.of("/chat").on_connection(move |socket: Socket| {
            let sender = sender.clone();
            socket.on("e", move |ack: Ack| _ = sender.send(ack));
        });
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        peer.send(r#"42/chat,1["e"]"#).await;
        let ack = acks.recv().await.unwrap();
        peer.send("41/chat,").await;
        testkit::settle().await;
        assert!(matches!(ack.send(1), Err(EmitError::Closed)));
        peer.silence().await;
        drop(ack);
        leave_nothing(&io, [peer]).await;
    }
}
