//! Namespaces by a rule: made on demand, and gone when nobody has them.

use std::net::SocketAddr;
use std::time::Duration;

use socketio::namespaces::{Candidate, ParentNamespace};
use socketio::observe::Limit;
use socketio::options::Limits;
use socketio::{ConnectError, Reason, Reply, Server, Socket};
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
                "/game-over" => Err(ConnectError::new("over")),
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
        // as `of`, a pattern gets the slash that it lacks
        let logged = log.clone();
        io.of_matching("pattern-*").on_connect(move || logged.add("by pattern"));
        let later = io.of_matching(async |candidate: Candidate| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            candidate.auth().is_some() && candidate.conn.is_open()
        });
        let logged = log.clone();
        by_name.on_connect(move || logged.add("by name"));
        let logged = log.clone();
        later.on_connect(move || logged.add("later"));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/by-name").await;
        peer.enter("/pattern-1").await;
        peer.send(match eio {
            Eio::V3 => "40/x?token=y",
            Eio::V4 => r#"40/x,{"token":"y"}"#,
        })
        .await;
        peer.entered("/x").await;
        assert_eq!(log.take().await, ["by name", "by pattern", "later"]);
        drop(peer);
        nothing_left(&io).await;
        assert_eq!(io.stats().namespaces, 1);
    }
}

/// A server whose `/game-*` want a password, and listeners that say that they are the rule's.
fn games(rule_is_async: bool) -> (Server, ParentNamespace) {
    let io = Server::new();
    let games = match rule_is_async {
        false => io.of_matching("/game-*"),
        true => io.of_matching(async |candidate: Candidate| {
            tokio::task::yield_now().await;
            candidate.name.starts_with("/game-")
        }),
    };
    games.use_fn(async |socket: Socket| match socket.handshake().auth() {
        Some(auth) if auth.get("password").is_some() => Ok(()),
        _ => Err(ConnectError::new("no password")),
    });
    games.on_event("who", || Reply("a game"));
    (io, games)
}

/// How a client is told that it may not join.
fn refusal(eio: Eio, name: &str, text: &str) -> String {
    match eio {
        Eio::V3 => format!("44{name},{text:?}"),
        Eio::V4 => format!(r#"44{name},{{"message":{text:?}}}"#),
    }
}

/// A client without the password, and one with it, which asks who hears it.
async fn check_guarded(io: &Server, eio: Eio, name: &str) {
    let mut peer = Peer::join(&connector(io), eio).await;
    peer.send(&format!("40{name},")).await;
    peer.expect(&refusal(eio, name, "no password")).await;
    peer.send(&match eio {
        Eio::V3 => format!("40{name}?password=x"),
        Eio::V4 => format!(r#"40{name},{{"password":"x"}}"#),
    })
    .await;
    peer.entered(name).await;
    peer.send(&format!(r#"42{name},1["who"]"#)).await;
    peer.expect(&format!(r#"43{name},1["a game"]"#)).await;
    leave_nothing(io, [peer]).await;
}

/// A name that a rule allows is the rule's, whoever names it first.
#[tokio::test(start_paused = true)]
async fn a_rule_guards_what_the_program_names() {
    for eio in BOTH {
        for is_async in [false, true] {
            let (io, games) = games(is_async);
            // what a task does that tells a game something, whether there is anybody or not
            io.of("/game-1").emit("news", 1).unwrap();
            io.of("game-2").to("room").emit("news", 1).unwrap();
            let kept = io.of("/game-3");
            for name in ["/game-1", "/game-2", "/game-3", "/game-4"] {
                check_guarded(&io, eio, name).await;
                // and after the last has left
                io.of(name).emit("news", 1).unwrap();
                check_guarded(&io, eio, name).await;
            }
            assert!(games.namespaces().iter().any(|game| game.name() == kept.name()));
            drop(kept);
            // each that is made looks for some that nobody has any more
            for n in 0..1_000 {
                io.of(&format!("/game-{n}")).emit("news", 1).unwrap();
            }
            assert!(io.stats().namespaces < 10, "{}", io.stats().namespaces);
        }
    }
}

/// A rule that sees clients is asked for each, until it has allowed one; what it refuses is not
/// let in because the program named it.
#[tokio::test(start_paused = true)]
async fn a_rule_that_refuses_clients_of_a_namespace_that_the_program_named() {
    for eio in BOTH {
        let io = Server::new();
        let before = io.of("/before");
        io.of_matching(async |candidate: Candidate| candidate.auth().is_some());
        let after = io.of("/after");
        after.on_connection(|socket: Socket| socket.emit("hello", ()));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter(before.name()).await;
        peer.send("40/after,").await;
        peer.expect(&refusal(eio, "/after", "Invalid namespace")).await;
        peer.send(if eio == Eio::V3 { "40/after?a=b" } else { r#"40/after,{"a":"b"}"# }).await;
        peer.entered("/after").await;
        peer.expect(r#"42/after,["hello"]"#).await;
        drop(after);
        leave_nothing(&io, [peer]).await;
        // what was added to it is still there
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/after").await;
        peer.expect(r#"42/after,["hello"]"#).await;
        leave_nothing(&io, [peer]).await;
    }
}

/// The first rule that allows a name counts, as for clients, also for what the program names.
#[tokio::test(start_paused = true)]
async fn the_first_of_several_rules() {
    for eio in BOTH {
        let io = Server::new();
        for (rule, name) in [("/a-*", "first"), ("/a-b-*", "second"), ("/*", "third")] {
            io.of_matching(rule).on_event("which", move || Reply(name));
        }
        let last = io.of_matching(async |_: Candidate| true);
        last.on_event("which", || Reply("last"));
        let io_names = ["/a-b-1", "/x", "/x/y"].map(|name| io.of(name));
        let mut peer = Peer::join(&connector(&io), eio).await;
        for (name, rule) in [("/a-b-1", "first"), ("/x", "third"), ("/x/y", "last")] {
            peer.enter(name).await;
            peer.send(&format!(r#"42{name},1["which"]"#)).await;
            peer.expect(&format!(r#"43{name},1["{rule}"]"#)).await;
        }
        assert_eq!(last.namespaces().len(), 1);
        drop(io_names);
        leave_nothing(&io, [peer]).await;
        assert_eq!(io.stats().namespaces, 1);
    }
}

/// What was there before a rule keeps what it has.
#[tokio::test(start_paused = true)]
async fn a_namespace_made_before_the_rule() {
    for eio in BOTH {
        let io = Server::new();
        io.of("/game-0").on_event("who", || Reply("no game"));
        io.of_matching("/game-*").use_fn(async |_: Socket| Err::<(), _>("no"));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/game-0").await;
        peer.send(r#"42/game-0,1["who"]"#).await;
        peer.expect(r#"43/game-0,1["no game"]"#).await;
        leave_nothing(&io, [peer]).await;
        assert_eq!(io.stats().namespaces, 2);
    }
}

/// The clients of one address do not take the places of all, and learn why; what the program names
/// is not counted.
#[tokio::test(start_paused = true)]
async fn max_dynamic_namespaces_per_address() {
    for eio in BOTH {
        let limits = |limits: &mut Limits| {
            limits.max_dynamic_namespaces = 5;
            limits.max_dynamic_namespaces_per_address = 3;
        };
        let io = Server::builder().limits(limits).build().unwrap();
        io.of_matching("/dyn-*");
        io.of_matching(async |candidate: Candidate| candidate.name.starts_with("/later-"));
        let of_address = |address: [u8; 4]| {
            let io = io.clone();
            testkit::Connector::new(move |stream| {
                let io = io.clone();
                let peer = SocketAddr::from((address, 40_000));
                tokio::spawn(async move { io.serve_connection(stream, peer).await });
            })
        };
        let named = io.of("/dyn-0");
        let first = of_address([192, 0, 2, 1]);
        let (mut one, mut other) = (Peer::join(&first, eio).await, Peer::join(&first, eio).await);
        one.enter("/dyn-0").await;
        one.enter("/dyn-1").await;
        one.enter("/later-2").await;
        other.enter("/dyn-3").await;
        other.enter("/dyn-1").await;
        for name in ["/dyn-4", "/later-4"] {
            other.send(&format!("40{name},")).await;
            let text = "Too many dynamic namespaces of this address";
            other.expect(&refusal(eio, name, text)).await;
        }
        let mut second = Peer::join(&of_address([192, 0, 2, 2]), eio).await;
        second.enter("/dyn-4").await;
        second.enter("/dyn-5").await;
        second.send("40/dyn-6,").await;
        second.expect(&refusal(eio, "/dyn-6", "Too many dynamic namespaces")).await;
        let counts = io.stats().limits;
        assert_eq!(counts.get(Limit::AddressDynamicNamespaces), 2);
        assert_eq!(counts.get(Limit::DynamicNamespaces), 1);
        // a place is free again when its namespace is gone
        one.send("41/later-2,").await;
        testkit::settle().await;
        other.enter("/dyn-4").await;
        other.enter("/dyn-7").await;
        drop(named);
        leave_nothing(&io, [one, other, second]).await;
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
    let limits = |limits: &mut Limits| limits.max_namespaces = 100;
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
