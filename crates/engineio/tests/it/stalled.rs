//! A process that stood still: what came in time counts, though it is read late.
//!
//! The clock jumps as it does for such a process: all at once, over deadlines.

use engineio::{CloseDetail, CloseReason, Limit, Message, Options};
use testkit::{Eio, HttpConnection, Polling, WebSocket, open_websocket, settle};
use tokio::time::advance as jump;

use crate::host::{Host, advance, ms, s};

/// A ping each 300 ms, and 200 ms of patience.
fn fast() -> Options {
    let mut options = Options::default();
    options.ping_interval = ms(300);
    options.ping_timeout = ms(200);
    options
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_was_not_read_in_time_counts() {
    for eio in [Eio::V4, Eio::V3] {
        let host = Host::echo(fast());
        let (mut websocket, _) = open_websocket(&host.net, eio, "").await;
        let mut client = Polling::open(&host.net, eio, "").await;
        let mut poll = client.poll_later().await;
        for _ in 0..3 {
            if eio == Eio::V4 {
                websocket.expect_text("2").await;
                assert_eq!(poll.read_response().await.text(), "2");
                jump(s(1)).await;
                // a poll is no sign of life, but no reason to be sent away, either
                poll = client.poll_later().await;
                websocket.send_text("3").await;
                client.post(["3"]).await;
            } else {
                jump(s(1)).await;
                websocket.send_text("2").await;
                client.post(["2"]).await;
                websocket.expect_text("3").await;
                assert_eq!(poll.read_response().await.text(), "1:3");
                poll = client.poll_later().await;
            }
        }
        host.expect(&["open", "open"]);
        drop(websocket);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_dead_is_found_all_the_same() {
    let host = Host::echo(fast());
    let (mut websocket, _) = open_websocket(&host.net, Eio::V4, "").await;
    Polling::open(&host.net, Eio::V4, "").await;
    websocket.expect_text("2").await;
    jump(s(1)).await;
    advance(ms(900)).await;
    host.expect(&["open", "open", "close: ping timeout", "close: ping timeout"]);
    // and in a process that is always late
    let (mut websocket, _) = open_websocket(&host.net, Eio::V4, "").await;
    websocket.expect_text("2").await;
    for _ in 0..3 {
        jump(s(3)).await;
        settle().await;
    }
    host.expect(&["open", "close: ping timeout"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_was_decided_in_time_counts() {
    let mut options = Options::default();
    options.upgrade_timeout = s(3);
    let host = Host::echo(options);
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let target = client.target().replace("transport=polling", "transport=websocket");
    let mut websocket = WebSocket::connect(&host.net, &target, &[]).await.unwrap();
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    jump(s(5)).await;
    websocket.send_text("5").await;
    websocket.send_text("4up").await;
    websocket.expect_text("4up").await;
    assert_eq!(host.stats().limits.get(Limit::UpgradeTimeout), 0);
    drop(websocket);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn heads_and_bodies_that_were_sent_in_time_count() {
    let mut options = Options::default();
    options.header_timeout = s(5);
    options.body_timeout = s(5);
    let host = Host::echo(options);
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut connection = HttpConnection::open(&host.net);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-", client.target());
    connection.send(head.as_bytes()).await;
    advance(s(1)).await;
    jump(s(8)).await;
    connection.send(b"Length: 3\r\n\r\n4").await;
    advance(s(1)).await;
    jump(s(8)).await;
    connection.send(b"hi").await;
    assert_eq!(connection.read_response().await.text(), "ok");
    host.expect(&["open", "hi"]);
    // but not for ever
    connection.send(head.as_bytes()).await;
    advance(s(1)).await;
    jump(s(8)).await;
    advance(s(3)).await;
    assert_eq!(connection.read_response().await.status, 408);
    host.end().await;
}

/// The peer may have taken everything meanwhile, and nobody has tried to write.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_what_waits_is_no_slow_consumer() {
    let mut options = Options::default();
    options.write_timeout = s(5);
    options.ping_interval = s(1000);
    let host = Host::echo(options);
    let (mut websocket, _) = open_websocket(&host.net, Eio::V4, "").await;
    let large = vec![7; 500_000];
    host.socket().send(Message::Binary(large.clone().into())).unwrap();
    advance(s(1)).await;
    jump(s(8)).await;
    websocket.expect_binary(&large).await;
    advance(s(10)).await;
    host.expect(&["open"]);
    host.socket().send(Message::Binary(large.into())).unwrap();
    advance(s(1)).await;
    jump(s(8)).await;
    advance(s(3)).await;
    let slow = format!("close: {}, {:?}", CloseReason::TransportError, CloseDetail::SlowConsumer);
    host.expect(&[slow.as_str()]);
    drop(websocket);
    host.end().await;
}
