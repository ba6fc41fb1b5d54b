//! How a server gives its sessions away little by little.

use engineio::{CloseReason, Options};
use testkit::{Eio, Polling, Request, WebSocket, open_websocket, request, settle};

use crate::host::{Host, advance, s};

/// A server whose clients need not say anything.
fn patient() -> Host {
    let mut options = Options::default();
    options.ping_interval = s(3600);
    Host::echo(options)
}

/// Opens sessions whose clients take what they get, and do not answer.
async fn open_many(host: &Host, count: usize) -> Vec<WebSocket> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(open_websocket(&host.net, Eio::V4, "").await.0);
    }
    clients
}

fn closed(host: &Host) -> usize {
    let closed = host.stats().closed;
    let (_, count) =
        closed.into_iter().find(|(why, _)| *why == CloseReason::ServerShuttingDown).unwrap();
    count as usize
}

async fn handshake(host: &Host) -> testkit::Response {
    request(&host.net, Request::get(&host.net.target(Eio::V4, "polling", ""))).await
}

#[tokio::test(start_paused = true)]
async fn sessions_are_closed_one_by_one() {
    const COUNT: usize = 200;
    let host = patient();
    let clients = open_many(&host, COUNT).await;
    let draining = tokio::spawn(host.server.drain(s(20)).into_future());
    settle().await;
    let mut before = closed(&host);
    for _ in 0..10 {
        advance(s(2)).await;
        settle().await;
        let portion = closed(&host) - before;
        before += portion;
        // 20 on average; outside of this once in a million runs
        assert!((3..60).contains(&portion), "{portion}");
    }
    assert_eq!(before, COUNT);
    assert!(!draining.is_finished(), "their clients have not answered");
    drop(clients);
    draining.await.unwrap();
    // what was drained stays empty until it is closed
    assert_eq!(handshake(&host).await.status, 503);
    assert!(host.server.is_draining());
    assert!(!host.server.is_closing());
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn new_sessions_are_refused_while_old_ones_go_on() {
    let host = Host::echo(Options::default());
    let mut polling = Polling::open(&host.net, Eio::V4, "").await;
    let draining = host.server.drain(s(4)); // its work begins when it is awaited
    let refused = handshake(&host).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(refused.json()["message"], "Server is draining");
    let target = host.net.target(Eio::V4, "websocket", "");
    let refused = WebSocket::connect(&host.net, &target, &[]).await.unwrap_err();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    advance(s(20)).await;
    polling.post(["4still here"]).await;
    assert_eq!(polling.next().await, "4still here");
    let mut websocket = polling.upgrade().await;
    websocket.send_text("4and upgraded").await;
    websocket.expect_text("4and upgraded").await;
    let draining = tokio::spawn(draining.into_future());
    assert_eq!(websocket.expect_close().await, None);
    websocket.send_close(None).await;
    draining.await.unwrap();
    host.end().await;
}

/// There is time to tell a client that is between two polls.
#[tokio::test(start_paused = true)]
async fn a_client_that_polls_is_told_by_its_next_poll() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let draining = tokio::spawn(host.server.drain(s(0)).into_future());
    host.log.closed().await;
    advance(s(1)).await;
    assert_eq!(host.stats().sessions, 1);
    assert_eq!(client.poll().await, ["1"]);
    draining.await.unwrap();
    host.end().await;
}

/// One that the draining server waits for is not waited for by one that closes.
#[tokio::test(start_paused = true)]
async fn closing_ends_draining() {
    let host = Host::echo(Options::default());
    let told = Polling::open(&host.net, Eio::V4, "").await;
    let soon = tokio::spawn(host.server.drain(s(0)).into_future());
    host.log.closed().await;
    host.server.close().await;
    soon.await.unwrap();
    drop(told);

    let host = patient();
    let clients = open_many(&host, 20).await;
    let draining = tokio::spawn(host.server.drain(s(3600)).into_future());
    settle().await;
    let start = tokio::time::Instant::now();
    let closing = host.server.close();
    settle().await;
    assert_eq!(closed(&host), 20);
    drop(clients);
    closing.await;
    draining.await.unwrap();
    assert!(start.elapsed() < s(1), "{:?}", start.elapsed());
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_it_stops_draining() {
    let host = patient();
    let clients = open_many(&host, 100).await;
    // a second one that is there for a moment only
    drop(host.server.drain(s(1)));
    assert!(!host.server.is_draining());
    let cut_short = tokio::time::timeout(s(10), host.server.drain(s(20)).into_future()).await;
    assert!(cut_short.is_err());
    settle().await;
    let count = closed(&host);
    assert!((20..80).contains(&count), "{count}");
    advance(s(20)).await;
    assert_eq!(closed(&host), count, "the others stay");
    assert_eq!(handshake(&host).await.status, 200);
    assert!(!host.server.is_draining());
    drop(clients);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_without_sessions_is_drained_at_once() {
    let host = Host::echo(Options::default());
    let start = tokio::time::Instant::now();
    host.server.drain(s(60)).await;
    assert_eq!(start.elapsed(), s(0));
    assert_eq!(handshake(&host).await.status, 503);
    host.end().await;
}

/// One client takes what it was sent, one does not, and one cannot say.
#[tokio::test(start_paused = true)]
async fn receipts_are_waited_for() {
    let host = patient();
    let (mut takes, _) = open_websocket(&host.net, Eio::V4, "").await;
    let (mut silent, _) = open_websocket(&host.net, Eio::V4, "").await;
    let (mut old, _) = open_websocket(&host.net, Eio::V3, "").await;
    for socket in host.log.sockets() {
        socket.send(engineio::Message::Text("last")).unwrap();
    }
    let start = tokio::time::Instant::now();
    let draining = tokio::spawn(host.server.drain(s(1)).after_receipts(s(5)).into_future());
    old.expect_text("4last").await;
    old.expect_close().await;
    assert!(start.elapsed() <= s(1));
    takes.expect_text("4last").await;
    takes.expect_text("2").await;
    takes.expect_silence(s(3)).await;
    takes.send_text("3").await;
    takes.expect_close().await;
    assert!(start.elapsed() < s(5), "{:?}", start.elapsed());
    silent.expect_text("4last").await;
    silent.expect_text("2").await;
    silent.expect_close().await;
    assert!((s(5)..=s(6)).contains(&start.elapsed()), "{:?}", start.elapsed());
    drop((takes, silent, old));
    draining.await.unwrap();
    host.end().await;
}
