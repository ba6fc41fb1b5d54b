//! Heartbeats, on a clock that the tests move.

use engineio::{Limit, Options};
use testkit::{Eio, Polling, WebSocket, open_websocket};

use crate::host::{Host, advance, ms, s};

/// A ping each 300 ms, and 200 ms of patience.
fn fast() -> Options {
    let mut options = Options::default();
    options.ping_interval = ms(300);
    options.ping_timeout = ms(200);
    options
}

async fn open(host: &Host, eio: Eio) -> WebSocket {
    open_websocket(&host.net, eio, "").await.0
}

#[tokio::test(start_paused = true)]
async fn the_server_pings_and_waits_for_the_pong() {
    let host = Host::echo(fast());
    let mut client = open(&host, Eio::V4).await;
    for _ in 0..5 {
        client.expect_silence(ms(295)).await;
        client.expect_text("2").await;
        client.send_text("3").await;
    }
    client.expect_silence(ms(295)).await;
    client.expect_text("2").await;
    client.expect_silence(ms(195)).await;
    client.expect_close().await;
    host.expect(&["open", "close: ping timeout"]);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn other_packets_prolong_the_wait_for_a_pong_once() {
    let host = Host::silent(fast());
    let mut client = open(&host, Eio::V4).await;
    client.expect_silence(ms(295)).await;
    client.expect_text("2").await;
    for _ in 0..3 {
        advance(ms(95)).await;
        client.send_text("4x").await;
    }
    client.expect_silence(ms(5)).await; // at 590: 95 + 200 after the ping at 300
    client.expect_close().await;
    host.expect(&["open", "x", "x", "x", "close: ping timeout"]);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn pings_travel_by_polling_too() {
    let host = Host::echo(fast());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    for _ in 0..3 {
        client.expect_silence(ms(290)).await;
        assert_eq!(client.next().await, "2");
        client.post(["3"]).await;
    }
    let mut poll = client.poll_later().await;
    assert_eq!(poll.read_response().await.text(), "2");
    let mut poll = client.poll_later().await;
    poll.expect_silence(ms(190)).await;
    assert_eq!(poll.read_response().await.text(), "1");
    host.expect(&["open", "close: ping timeout"]);
    assert_eq!(client.poll_response().await.status, 400);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_client_pings_in_protocol_3_and_anything_is_life() {
    let host = Host::echo(fast());
    let mut client = open(&host, Eio::V3).await;
    client.expect_silence(ms(480)).await;
    client.send_text("2").await;
    client.expect_text("3").await;
    client.expect_silence(ms(480)).await;
    client.send_text("4x").await;
    client.expect_text("4x").await;
    client.expect_silence(ms(490)).await;
    client.expect_close().await;
    host.expect(&["open", "x", "close: ping timeout"]);

    let mut client = Polling::open(&host.net, Eio::V3, "").await;
    let mut poll = client.poll_later().await;
    poll.expect_silence(ms(490)).await;
    assert_eq!(poll.read_response().await.text(), "1:1");
    host.expect(&["open", "close: ping timeout"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_no_more_is_forgotten() {
    let host = Host::echo(Options::default());
    Polling::open(&host.net, Eio::V4, "").await;
    Polling::open(&host.net, Eio::V3, "").await;
    advance(s(84)).await;
    assert_eq!(host.stats().sessions, 2);
    advance(s(2)).await;
    host.expect(&["open", "open", "close: ping timeout", "close: ping timeout"]);
    host.expect_no_sessions().await;
    host.end().await;
}

/// Who has been silent for so long will not answer a close frame either.
#[tokio::test(start_paused = true)]
async fn after_a_ping_timeout_nobody_is_waited_for() {
    let host = Host::echo(fast());
    let mut four = open(&host, Eio::V4).await;
    let mut three = open(&host, Eio::V3).await;
    Polling::open(&host.net, Eio::V4, "").await;
    // a peer that reads nothing, either
    let stalled = open(&host, Eio::V4).await;
    host.socket().send(engineio::Message::Binary(vec![7; 1_000_000].into())).unwrap();
    advance(ms(550)).await;
    host.expect(&[["open"; 4], ["close: ping timeout"; 4]].concat());
    assert_eq!(host.stats().sessions, 0);
    assert_eq!(host.stats().limits.get(Limit::CloseTimeout), 0);
    // but it is said to a peer that was only too busy
    four.expect_text("2").await;
    four.expect_close().await;
    three.expect_close().await;
    drop(stalled);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn sessions_live_as_long_as_their_heartbeat() {
    let host = Host::echo(Options::default());
    let mut four = open(&host, Eio::V4).await;
    let mut three = open(&host, Eio::V3).await;
    for _ in 0..200 {
        advance(s(25)).await;
        four.expect_text("2").await;
        four.send_text("3").await;
        three.send_text("2").await;
        three.expect_text("3").await;
    }
    host.expect(&["open", "open"]);
    // traffic does not wake the timers; each beat takes a few turns
    assert!(host.log.polls() < 200 * 12, "{}", host.log.polls());
    drop((three, four));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_upgraded_session_keeps_its_beat() {
    let host = Host::echo(fast());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    advance(ms(100)).await;
    let mut websocket = client.upgrade().await;
    websocket.expect_silence(ms(190)).await;
    websocket.expect_text("2").await;
    websocket.send_text("3").await;
    websocket.expect_silence(ms(290)).await;
    websocket.expect_text("2").await;
    websocket.expect_silence(ms(190)).await;
    websocket.expect_close().await;
    drop(websocket);
    host.end().await;
}
