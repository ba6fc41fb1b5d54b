//! Spans and events for `tracing`.

use socketio::{Server, Socket};
use testkit::{Connector, Eio, Polling};

use crate::lines::Lines;
use crate::support::{Peer, connector};

fn server() -> (Server, Connector) {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("secret", async || {
            tracing::info!("handled");
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            tracing::info!("finished");
        });
    });
    let server = connector(&io);
    (io, server)
}

#[tokio::test(start_paused = true)]
async fn handlers_run_in_the_span_of_their_session() {
    let lines = Lines::default();
    let _guard = lines.collect("info,engineio[session]=debug");
    let (_io, server) = server();
    let mut peer = Peer::join(&server, Eio::V4).await;
    peer.send(r#"42["secret","payload"]"#).await;
    testkit::settle().await;
    drop(peer); // the handler goes on without it, still in the span
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let text = lines.take();
    for message in ["handled", "finished"] {
        let line = text.lines().find(|line| line.contains(message)).unwrap_or(&text);
        assert!(line.contains("session{sid=\""), "{line}");
        assert!(line.contains("transport=\"websocket\" protocol=4}"), "{line}");
    }
    assert!(!text.contains("DEBUG engineio::"), "only the span was asked for:\n{text}");
}

#[tokio::test(start_paused = true)]
async fn requests_have_spans_and_payloads_are_not_logged() {
    let lines = Lines::default();
    let _guard = lines.collect("debug");
    let (_io, server) = server();
    let mut polling = Polling::open(&server, Eio::V4, "").await;
    polling.post(["40", r#"42["secret","payload"]"#]).await;
    polling.post(["4nonsense"]).await;
    let text = lines.take();
    let request = "request{method=\"POST\"";
    assert!(text.contains(request), "{text}");
    assert!(text.contains("session{"), "{text}");
    for said in ["payload", "nonsense"] {
        assert!(!text.contains(said), "{text}");
    }
}

/// At the level that programs usually have nothing is built.
#[tokio::test(start_paused = true)]
async fn there_are_no_spans_at_info() {
    let lines = Lines::default();
    let _guard = lines.collect("info");
    let (_io, server) = server();
    let mut peer = Peer::join(&server, Eio::V4).await;
    peer.send(r#"42["secret","payload"]"#).await;
    testkit::settle().await;
    let text = lines.take();
    assert!(text.contains("handled"), "{text}");
    assert!(!text.contains("session"), "{text}");
}

/// What a rule finds that it does not guard, and what waits for a rule that has to see clients.
#[test]
fn rules_tell_of_what_they_do_not_guard() {
    let lines = Lines::default();
    let _collecting = lines.collect("socketio=warn");
    let io = Server::new();
    lines.take(); // any origin may connect
    let before = io.of("/game-1");
    before.on_connection(|| {});
    let _other = io.of("/other");
    assert_eq!(lines.take(), "");
    io.of_matching("/game-*");
    let told = lines.take();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("/game-1"), "{told}");
    // one that allows everything does not mean `/`
    io.of_matching(|name: &str| !name.contains("game"));
    let told = lines.take();
    assert!(told.contains("/other") && told.lines().count() == 1, "{told}");
    io.of("/game-2").on_connection(|| {});
    assert_eq!(lines.take(), "");
    io.of_matching(async |_: socketio::namespaces::Candidate| true);
    io.of("/game/3").emit("news", 1).unwrap();
    assert_eq!(lines.take(), "");
    io.of("/game/3").on_connection(|| {});
    let told = lines.take();
    assert!(told.contains("/game/3") && told.lines().count() == 1, "{told}");
}
