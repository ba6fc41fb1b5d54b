//! Namespaces by a rule: made on demand, and gone when nobody has them.

use std::time::Duration;

use socketio::{Candidate, Reason, Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, connector, leave_nothing, nothing_left};

#[tokio::test(start_paused = true)]
async fn server_of_matching() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let games = io.of_matching("/game-*");
        let logged = log.clone();
        games.use_fn(async move |socket: Socket| {
            logged.add("middleware");
            match socket.namespace().name() {
                "/game-over" => Err("over"),
                _ => Ok(()),
            }
        });
        let logged = log.clone();
        games.on_connection(move |socket: Socket| {
            logged.add(format!("{} connection", socket.namespace().name()));
            let logged = logged.clone();
            socket.on_disconnect(move |Reason(why): Reason| logged.add(why.as_str()));
        });
        games.on_event("e", |socket: Socket| socket.emit("r", socket.namespace().name()));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/game-1").await;
        peer.enter("/game-2").await;
        assert_eq!(
            log.take().await,
            ["middleware", "/game-1 connection", "middleware", "/game-2 connection"]
        );
        peer.send(r#"42/game-2,["e"]"#).await;
        peer.expect(r#"42/game-2,["r","/game-2"]"#).await;
        games.emit("all", ()).unwrap();
        let both = [peer.next().await, peer.next().await];
        assert!(both.contains(&r#"42/game-1,["all"]"#.to_owned()), "{both:?}");
        assert!(both.contains(&r#"42/game-2,["all"]"#.to_owned()), "{both:?}");
        assert_eq!(io.stats().namespaces, 3);
        // what no rule allows, and what middleware refuses
        for (name, old, new) in [
            ("/other", r#""Invalid namespace""#, r#"{"message":"Invalid namespace"}"#),
            ("/game-1/x", r#""Invalid namespace""#, r#"{"message":"Invalid namespace"}"#),
            ("/game-over", r#""over""#, r#"{"message":"over"}"#),
        ] {
            peer.send(&format!("40{name},")).await;
            let answer = if eio == Eio::V3 { old } else { new };
            peer.expect(&format!("44{name},{answer}")).await;
        }
        log.take().await;
        peer.send("41/game-1,").await;
        assert_eq!(log.take().await, ["client namespace disconnect"]);
        leave_nothing(&io, [peer]).await;
        assert_eq!(log.take().await, ["transport close"]);
        assert_eq!(io.stats().namespaces, 1, "they are gone with their sockets");
        assert!(games.namespaces().is_empty());
    }
}

/// By the name, or by a function that takes its time; the first rule that allows it counts.
#[tokio::test(start_paused = true)]
async fn rules_of_all_kinds() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let by_name = io.of_matching(|name: &str| name.ends_with("-name"));
        let later = io.of_matching(async |candidate: Candidate| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            candidate.auth.is_some() && candidate.conn.is_open()
        });
        let logged = log.clone();
        by_name.on_connect(move || logged.add("by name"));
        let logged = log.clone();
        later.on_connect(move || logged.add("later"));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/by-name").await;
        peer.send(match eio {
            Eio::V3 => "40/x?token=y",
            Eio::V4 => r#"40/x,{"token":"y"}"#,
        })
        .await;
        peer.entered("/x").await;
        assert_eq!(log.take().await, ["by name", "later"]);
        drop(peer);
        nothing_left(&io).await;
        assert_eq!(io.stats().namespaces, 1);
    }
}

/// A panic in a rule ends the connection that asked.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_rule() {
    let io = Server::new();
    io.of_matching(|name: &str| name.parse::<u32>().expect("a panic on purpose") > 0);
    let server = connector(&io);
    let mut witness = Peer::join(&server, Eio::V4).await;
    let mut peer = Peer::join(&server, Eio::V4).await;
    peer.send("40/boom,").await;
    peer.closed().await;
    witness.silence().await;
    leave_nothing(&io, [peer, witness]).await;
}

/// 5,000 names by one client: as many as it may join, and nothing is left of them.
#[tokio::test(start_paused = true)]
async fn a_client_that_asks_for_everything() {
    let limits = |limits: &mut socketio::Limits| limits.max_namespaces = 100;
    let io = Server::builder().limits(limits).build().unwrap();
    io.of_matching("/dyn-*");
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    for n in 1..=5_000 {
        peer.send(&format!("40/dyn-{n},")).await;
        let answer = peer.next().await;
        assert_eq!(answer.starts_with("40/"), n <= 100, "{answer}");
    }
    assert_eq!(io.stats().sockets, 100);
    assert!(io.stats().namespaces <= 101);
    leave_nothing(&io, [peer]).await;
    assert_eq!(io.stats().namespaces, 1);
}
