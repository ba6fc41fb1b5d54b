//! What `stats` counts.

use engineio::{Protocol, TransportKind};
use socketio::{ConnectError, Server, Socket};
use testkit::{Eio, Polling, request};

use crate::support::{Peer, connector};

#[tokio::test(start_paused = true)]
async fn server_stats() {
    let io = Server::new();
    io.of("/secret").use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("no")));
    let server = connector(&io);
    let (mut four, three) =
        (Peer::join(&server, Eio::V4).await, Peer::join(&server, Eio::V3).await);
    let mut polling = Polling::open(&server, Eio::V4, "").await;
    polling.post(["40", "42[\"x\"]"]).await;

    let stats = io.stats();
    let open = |transport, protocol| {
        let is_it = |(t, p, _): &&(_, _, _)| (*t, *p) == (transport, protocol);
        stats.engine.open.iter().find(is_it).unwrap().2
    };
    assert_eq!(open(TransportKind::WebSocket, Protocol::V4), 1);
    assert_eq!(open(TransportKind::WebSocket, Protocol::V3), 1);
    assert_eq!(open(TransportKind::Polling, Protocol::V4), 1);
    assert_eq!(open(TransportKind::Polling, Protocol::V3), 0);
    assert_eq!((stats.engine.sessions, stats.sockets, stats.connected), (3, 3, 3));
    // the answer to the CONNECT by polling was not fetched
    assert!(stats.engine.queued_bytes > 0);
    assert_eq!(stats.engine.longest_queue, stats.engine.queued_bytes);
    assert!(stats.engine.messages_in >= 3, "{stats:?}");
    assert!(!stats.engine.draining);

    four.send("40/secret,").await;
    four.expect(r#"44/secret,{"message":"no"}"#).await;
    four.send("40/nowhere,").await;
    four.expect(r#"44/nowhere,{"message":"Invalid namespace"}"#).await;
    four.send("41").await;
    polling.post(["4nonsense"]).await;
    drop(three);
    let unknown = testkit::Request::get(&server.target(Eio::V4, "polling", "sid=unknown"));
    assert_eq!(request(&server, unknown).await.status, 400);
    testkit::settle().await;

    let stats = io.stats();
    assert_eq!((stats.connected, stats.connect_errors, stats.invalid_packets), (3, 2, 1));
    let left: Vec<_> = stats.disconnected.iter().filter(|(_, count)| *count > 0).collect();
    let expected =
        [("transport close", 1), ("forced close", 1), ("client namespace disconnect", 1)];
    assert_eq!(left, expected.iter().collect::<Vec<_>>());
    let codes: Vec<u64> = stats.engine.refused_by_code.iter().map(|(_, count)| *count).collect();
    assert_eq!(codes, [0, 1, 0, 0, 0, 0]);
    assert_eq!((stats.engine.refused, stats.engine.unavailable), (1, 0));
}
