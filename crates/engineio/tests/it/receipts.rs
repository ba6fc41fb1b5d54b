//! Receipts: the pong of a ping that follows what was sent.

use std::pin::pin;

use engineio::{HEADROOM, Message, Options, Outgoing, OverflowPolicy, Push, ReceiptError, Socket};
use testkit::{Eio, Polling, open_websocket, settle};
use tokio::time::{Instant, timeout};

use crate::host::{Host, Log, Road, advance, ms, s};

roads! {
    async fn the_pong_of_the_ping_behind_it(road: Road) {
        let log = Log::default();
        let host = Host::on(road, Options::default(), log.clone(), log.application(|_, _| {})).await;
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        let socket = host.socket();
        host.say("one");
        host.say("two");
        let receipt = socket.receipt();
        let waiting = tokio::spawn(receipt.clone());
        for packet in ["4one", "4two", "2"] {
            client.expect_text(packet).await;
        }
        client.send_text("4no pong").await;
        log.until(|event| event == "no pong").await;
        assert!(!receipt.is_done());
        client.send_text("3").await;
        assert_eq!(waiting.await.unwrap().unwrap().dropped, 0);
        assert!(receipt.is_done());
        drop(client);
        log.closed().await;
        assert_eq!(receipt.await.map(|received| received.dropped), Ok(0), "what is known stays");
        assert_eq!(socket.received().await, Err(ReceiptError::Gone));
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn by_polling_and_after_the_upgrade() {
    let host = Host::silent(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let socket = host.socket();
    host.say("one");
    let receipt = socket.receipt();
    settle().await;
    assert_eq!(client.poll().await, ["4one", "2"]);
    client.post(["3"]).await;
    receipt.await.unwrap();
    // asked for by polling, and answered by WebSocket
    host.say("two");
    advance(ms(100)).await;
    let receipt = socket.receipt();
    settle().await;
    let mut client = client.upgrade().await;
    client.expect_text("4two").await;
    client.expect_text("2").await;
    assert!(!receipt.is_done());
    client.send_text("3").await;
    receipt.await.unwrap();
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_ask_and_one_ping_is_sent() {
    let host = Host::silent(Options::default());
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let socket = host.socket();
    let first: Vec<_> = (0..1000).map(|_| tokio::spawn(socket.receipt())).collect();
    client.expect_text("2").await;
    let second: Vec<_> = (0..1000).map(|_| tokio::spawn(socket.receipt())).collect();
    client.expect_silence(s(1)).await;
    assert!(first.iter().chain(&second).all(|waiter| !waiter.is_finished()));
    client.send_text("3").await;
    for waiter in first {
        waiter.await.unwrap().unwrap();
    }
    assert!(second.iter().all(|waiter| !waiter.is_finished()));
    client.expect_text("2").await;
    client.send_text("3").await;
    for waiter in second {
        waiter.await.unwrap().unwrap();
    }
    client.expect_silence(s(1)).await;
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn ten_pings_a_second() {
    let host = Host::silent(Options::default());
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let socket = host.socket();
    let start = Instant::now();
    let asking = tokio::spawn(async move {
        for _ in 0..21 {
            socket.received().await.unwrap();
        }
    });
    for _ in 0..21 {
        client.expect_text("2").await;
        client.send_text("3").await;
    }
    asking.await.unwrap();
    let took = start.elapsed();
    assert!((ms(2000)..ms(2100)).contains(&took), "{took:?}");
    drop(client);
    host.end().await;
}

/// Also when the first one to ask gives up, and when all do.
#[tokio::test(start_paused = true)]
async fn who_gives_up_takes_nothing_from_others() {
    let host = Host::silent(Options::default());
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let socket = host.socket();
    socket.receipt().await_briefly().await;
    client.expect_text("2").await;
    let other = socket.receipt();
    drop(socket.receipt());
    for _ in 0..100 {
        socket.receipt().await_briefly().await;
    }
    client.send_text("3").await;
    client.expect_text("2").await;
    client.send_text("3").await;
    other.await.unwrap();
    // nobody wants to know
    drop(socket.receipt());
    client.expect_silence(s(1)).await;
    drop(client);
    host.end().await;
}

trait AwaitBriefly {
    async fn await_briefly(self);
}

impl<F: Future> AwaitBriefly for F {
    async fn await_briefly(self) {
        assert!(timeout(ms(1), self).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_is_out_is_answered_first() {
    let mut options = Options::default();
    options.ping_interval = s(1);
    options.ping_timeout = s(2);
    let host = Host::silent(options);
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    client.send_text("3").await; // nobody asked for it
    client.expect_text("2").await;
    let receipt = host.socket().receipt();
    client.expect_text("2").await;
    client.send_text("3").await;
    settle().await;
    assert!(!receipt.is_done());
    client.send_text("3").await;
    receipt.await.unwrap();
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn silence_ends_within_the_ping_timeout() {
    let mut options = Options::default();
    options.ping_interval = s(25);
    options.ping_timeout = s(2);
    let host = Host::silent(options);
    let (client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let start = Instant::now();
    assert_eq!(host.socket().received().await, Err(ReceiptError::Gone));
    assert!((s(2)..ms(2100)).contains(&start.elapsed()));
    host.expect(&["open", "close: ping timeout"]);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_session_and_of_the_server() {
    for transport in ["websocket", "polling"] {
        let host = Host::silent(Options::default());
        let mut websocket = None;
        let mut polling = None;
        match transport {
            "websocket" => websocket = Some(open_websocket(&host.net, Eio::V4, "").await.0),
            _ => polling = Some(Polling::open(&host.net, Eio::V4, "").await),
        }
        let socket = host.socket();
        let mut waits = pin!(socket.receipt());
        assert!(timeout(ms(1), &mut waits).await.is_err());
        let never_polled = socket.receipt();
        socket.close();
        assert_eq!(waits.await, Err(ReceiptError::Gone), "{transport}");
        settle().await;
        assert!(never_polled.is_done());
        assert_eq!(socket.received().await, Err(ReceiptError::Gone));
        drop((websocket, polling));
        host.end().await;
    }
    let host = Host::silent(Options::default());
    let (client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let waits = tokio::spawn(host.socket().receipt());
    settle().await;
    drop(client);
    host.end().await;
    assert_eq!(waits.await.unwrap(), Err(ReceiptError::Gone));
}

#[tokio::test(start_paused = true)]
async fn clients_of_protocol_3_give_none() {
    let host = Host::silent(Options::default());
    let (mut client, _) = open_websocket(&host.net, Eio::V3, "").await;
    let receipt = host.socket().receipt();
    assert!(receipt.is_done());
    assert_eq!(receipt.await, Err(ReceiptError::Unsupported));
    client.expect_silence(s(1)).await;
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_full_queue_dropped_is_told_once() {
    for policy in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let mut options = Options::default();
        options.max_outbound_packets = 4;
        options.slow_consumer = policy;
        let host = Host::silent(options);
        let net = host.net.clone().with_capacity(256);
        let (mut client, _) = open_websocket(&net, Eio::V4, "").await;
        let socket = host.socket();
        let push = |text: &str| {
            let mut buffer = vec![0; HEADROOM];
            buffer.extend_from_slice(text.as_bytes());
            socket.push(Outgoing::message(buffer, HEADROOM, Vec::new()).droppable(true))
        };
        assert_eq!(push(&"x".repeat(999)), Push::Queued);
        settle().await;
        for _ in 0..8 {
            let _ = push("event");
        }
        let dropped = host.stats().queue_dropped;
        assert!(dropped >= 4, "{dropped}");
        let receipt = socket.receipt();
        while client.next().await != testkit::Frame::Text("2".to_owned()) {}
        client.send_text("3").await;
        assert_eq!(u64::from(receipt.await.unwrap().dropped), dropped, "{policy:?}");
        let receipt = socket.receipt();
        client.expect_text("2").await;
        client.send_text("3").await;
        assert_eq!(receipt.await.unwrap().dropped, 0, "{policy:?}");
        drop(client);
        host.end().await;
    }
}

/// A handler may ask in the session's own task, and a waker may do what it likes.
#[tokio::test(start_paused = true)]
async fn asked_for_in_a_turn() {
    let log = Log::default();
    let noted = log.clone();
    let ask = move |socket: &Socket, _: Message<'_>| {
        let _ = socket.send(Message::Text("answer"));
        let (receipt, noted) = (socket.receipt(), noted.clone());
        tokio::spawn(async move { noted.note(format!("taken: {}", receipt.await.is_ok())) });
    };
    let host = Host::memory(Options::default(), log.clone(), log.application(ask));
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    client.send_text("4ask").await;
    client.expect_text("4answer").await;
    client.expect_text("2").await;
    client.send_text("3").await;
    let noted = log.until(|event| event.starts_with("taken")).await;
    assert_eq!(noted, ["open", "ask", "taken: true"]);
    drop(client);
    host.end().await;
}
