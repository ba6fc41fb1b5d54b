//! Clients 1.x and 2.x are in `/` before they are in any other namespace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use socketio::observe::Limit;
use socketio::options::Limits;
use socketio::{ConnectError, Server, Socket};
use testkit::Eio;

use crate::support::{Log, Peer, SECOND, connector, leave_nothing};

/// A server whose `/` takes a second to decide about each connection, first to refuse it as often
/// as is said; who comes into `/chat` is logged.
fn slow_root(io: &Server, refusals: usize, log: &Log) {
    let refusals = Arc::new(AtomicUsize::new(refusals));
    let logged = log.clone();
    io.use_fn(async move |_: Socket| {
        logged.add("middleware of /");
        tokio::time::sleep(SECOND).await;
        let left = refusals.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        if left.is_ok() { Err(ConnectError::new("not you")) } else { Ok(()) }
    });
    let logged = log.clone();
    io.on_connection(move || logged.add("in /"));
    let logged = log.clone();
    io.of("/chat").use_fn(async move |_: Socket| {
        logged.add("middleware of /chat");
        Ok::<_, &str>(())
    });
    let logged = log.clone();
    io.of("/chat").on_connection(move |socket: Socket| {
        let token = socket.handshake().param("token").unwrap_or_default().into_owned();
        logged.add(format!("in /chat {token}"));
    });
}

/// Clients of old get into no other namespace before `/` let them in.
#[tokio::test(start_paused = true)]
async fn namespaces_wait_for_the_root() {
    let (io, log) = (Server::new(), Log::default());
    slow_root(&io, 0, &log);
    let _ = (io.of("/other"), io.of("/third"));
    let mut peer = Peer::open(&connector(&io), Eio::V3).await;
    for packet in ["40/chat?token=x", "40/chat", "40/other", "40/third", "41/third", "40/nowhere"] {
        peer.send(packet).await;
    }
    peer.send(r#"42/chat,["e"]"#).await;
    // there is nothing to wait for
    peer.expect(r#"44/nowhere,"Invalid namespace""#).await;
    assert_eq!(log.take().await, ["middleware of /"]);
    peer.expect("40").await;
    let both = [peer.next().await, peer.next().await];
    assert!(both.contains(&"40/chat,".to_owned()) && both.contains(&"40/other,".to_owned()));
    assert_eq!(log.take().await, ["in /", "middleware of /chat", "in /chat x"]);
    peer.silence().await;
    leave_nothing(&io, [peer]).await;
}

/// Whom `/` refuses gets in nowhere, before, meanwhile and after, and no answer, as in 2.0.
#[tokio::test(start_paused = true)]
async fn a_refused_root_lets_nobody_into_another_namespace() {
    let (io, log) = (Server::new(), Log::default());
    slow_root(&io, 1, &log);
    io.of_matching("/game-*");
    let mut peer = Peer::open(&connector(&io), Eio::V3).await;
    peer.send("40/chat,").await;
    peer.expect(r#"44"not you""#).await;
    for packet in ["40/game-1,", "40/game-2,", "41/game-2", "40/chat", r#"42/chat,["e"]"#] {
        peer.send(packet).await;
    }
    peer.silence().await;
    // there is nothing to wait for
    peer.send("40/nowhere,").await;
    peer.expect(r#"44/nowhere,"Invalid namespace""#).await;
    assert_eq!(log.take().await, ["middleware of /"]);
    assert_eq!(io.stats().namespaces, 2);
    // it may ask again, and what waited goes on
    peer.send("40").await;
    peer.expect("40").await;
    let both = [peer.next().await, peer.next().await];
    assert!(both.contains(&"40/chat,".to_owned()) && both.contains(&"40/game-1,".to_owned()));
    // what is left waits again
    for packet in ["41", "41/chat,", "40/chat,"] {
        peer.send(packet).await;
    }
    peer.silence().await;
    peer.send("40").await;
    for packet in ["40", "40/chat,"] {
        peer.expect(packet).await;
    }
    leave_nothing(&io, [peer]).await;
}

/// A handler that throws a client out of `/` at once: what it waits for is not reached.
#[tokio::test(start_paused = true)]
async fn namespaces_wait_when_the_root_is_left_at_once() {
    let (io, log) = (Server::new(), Log::default());
    slow_root(&io, 0, &log);
    io.on_connection(|socket: Socket| socket.disconnect(false));
    let mut peer = Peer::open(&connector(&io), Eio::V3).await;
    peer.send("40/chat,").await;
    for packet in ["40", "41"] {
        peer.expect(packet).await;
    }
    peer.silence().await;
    assert_eq!(log.take().await, ["middleware of /", "in /"]);
    leave_nothing(&io, [peer]).await;
}

/// How many may wait is bounded, as how many may join.
#[tokio::test(start_paused = true)]
async fn namespaces_that_wait_are_counted() {
    let limits = |limits: &mut Limits| limits.max_namespaces = 3;
    let io = Server::builder().limits(limits).build().unwrap();
    slow_root(&io, 0, &Log::default());
    io.of_matching("/game-*");
    let mut peer = Peer::open(&connector(&io), Eio::V3).await;
    for n in 1..=5 {
        peer.send(&format!("40/game-{n},")).await;
    }
    for n in 3..=5 {
        peer.expect(&format!(r#"44/game-{n},"Too many namespaces""#)).await;
    }
    for packet in ["40", "40/game-1,", "40/game-2,"] {
        peer.expect(packet).await;
    }
    assert_eq!(io.stats().limits.get(Limit::Namespaces), 3);
    leave_nothing(&io, [peer]).await;
}

/// Off, and for new clients, namespaces have nothing to do with each other.
#[tokio::test(start_paused = true)]
async fn root_first_off() {
    for (eio, root_first) in [(Eio::V3, false), (Eio::V4, true), (Eio::V4, false)] {
        let io = Server::builder().root_first(root_first).build().unwrap();
        slow_root(&io, 1, &Log::default());
        let mut peer = Peer::open(&connector(&io), eio).await;
        if eio == Eio::V4 {
            peer.send("40").await;
        }
        peer.enter("/chat").await;
        let refusal = if eio == Eio::V3 { r#""not you""# } else { r#"{"message":"not you"}"# };
        peer.expect(&format!("44{refusal}")).await;
        peer.send("41/chat,").await;
        peer.enter("/chat").await;
        leave_nothing(&io, [peer]).await;
    }
}
