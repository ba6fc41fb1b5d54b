//! Clients that do not take what they are sent: bounds, policies, stalls.

use bytes::Bytes;
use engineio::{HEADROOM, Limit, Message, Options, Outgoing, OverflowPolicy, Push, Socket};
use testkit::{Eio, Frame, HttpConnection, Polling, WebSocket, open_websocket, settle};

use crate::host::{Host, Log, Road, advance, ms, s};

/// A client whose stream holds a few bytes only.
async fn narrow(host: &Host) -> WebSocket {
    let net = host.net.clone().with_capacity(256);
    open_websocket(&net, Eio::V4, "").await.0
}

fn event(text: &str) -> Outgoing {
    state(text).droppable(true)
}

fn state(text: &str) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    Outgoing::message(buffer, HEADROOM, Vec::new())
}

/// Fills the stream, so that what comes next stays in the queue.
async fn fill(socket: &Socket) {
    assert_eq!(socket.push(state(&"x".repeat(999))), Push::Queued);
    settle().await;
}

/// Reads messages until nothing comes any more.
async fn rest(client: &mut WebSocket) -> Vec<String> {
    let mut texts = Vec::new();
    while let Ok(frame) = tokio::time::timeout(s(1), client.next()).await {
        match frame {
            Frame::Text(text) => texts.push(text),
            Frame::Close(..) | Frame::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    texts
}

/// 400 MB for a client that reads nothing.
async fn send_400_mb(road: Road) {
    let log = Log::default();
    let host = Host::on(road, Options::default(), log.clone(), log.application(|_, _| {})).await;
    let (client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let socket = host.socket();
    let bound = host.server.options().max_outbound_bytes;
    let megabyte = "x".repeat(1_000_000);
    let mut sent = 0;
    for _ in 0..400 {
        if socket.send(Message::Text(&megabyte)).is_err() {
            break;
        }
        sent += 1;
        assert!(socket.queued_bytes() <= bound, "{}", socket.queued_bytes());
        tokio::task::yield_now().await;
    }
    assert!(sent < 100, "{sent} megabytes were taken");
    assert_eq!(log.closed().await, ["open", "close: transport error, SlowConsumer"]);
    assert_eq!((socket.queued_bytes(), host.stats().slow_consumers), (0, 1));
    host.expect_no_sessions().await;
    drop(client);
    host.end().await;
}

roads! {
    async fn memory_is_bounded(road: Road) {
        send_400_mb(road).await;
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_count_bytes_and_packets() {
    for (bytes, packets) in [(10_000, 1_000_000), (1_000_000, 10)] {
        let mut options = Options::default();
        options.max_outbound_bytes = bytes;
        options.max_outbound_packets = packets;
        let host = Host::silent(options);
        let client = narrow(&host).await;
        let socket = host.socket();
        fill(&socket).await;
        let packet = event(&"x".repeat(999)); // 1000 with its type
        for _ in 0..9 {
            assert_eq!(socket.push(packet.clone()), Push::Queued);
        }
        // the tenth, with the one that is being written
        assert_eq!(socket.push(packet.clone()), Push::Closed);
        settle().await;
        host.expect(&["open", "close: transport error, SlowConsumer"]);
        host.expect_no_sessions().await;
        assert!(socket.writable().await.is_err());
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_alone_may_be_larger_than_the_bound() {
    let mut options = Options::default();
    options.max_outbound_bytes = 100;
    let host = Host::silent(options);
    let mut client = narrow(&host).await;
    let large = "x".repeat(5000);
    assert_eq!(host.socket().push(event(&large)), Push::Queued);
    client.expect_text(&format!("4{large}")).await;
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_or_the_oldest_are_dropped() {
    for (policy, expected) in [
        (OverflowPolicy::DropNewest, ["4s0", "4e1", "4e2", "4e3", "4s8"]),
        (OverflowPolicy::DropOldest, ["4s0", "4e5", "4e6", "4e7", "4s8"]),
    ] {
        let mut options = Options::default();
        options.max_outbound_packets = 5;
        options.slow_consumer = policy;
        let host = Host::silent(options);
        let mut client = narrow(&host).await;
        let socket = host.socket();
        fill(&socket).await;
        assert_eq!(socket.push(state("s0")), Push::Queued);
        let pushed: Vec<Push> = (1..8).map(|n| socket.push(event(&format!("e{n}")))).collect();
        let dropped = pushed.iter().filter(|push| **push == Push::Dropped).count();
        assert_eq!(dropped, if policy == OverflowPolicy::DropNewest { 4 } else { 0 });
        // what carries state is queued beyond the bound
        assert_eq!(socket.push(state("s8")), Push::Queued);
        assert_eq!(rest(&mut client).await[1..], expected);
        let counted = host.stats().queue_dropped;
        assert_eq!(counted, 4, "{policy:?}");
        // and then it goes on as before
        assert_eq!(socket.push(event("later")), Push::Queued);
        client.expect_text("4later").await;
        host.expect(&["open"]);
        drop(client);
        host.end().await;
    }
}

/// A packet's own policy counts for it; it is no reason to drop one that must not be.
#[tokio::test(start_paused = true)]
async fn a_packet_may_have_a_policy_of_its_own() {
    use OverflowPolicy::{Disconnect, DropNewest, DropOldest};
    let mut options = Options::default();
    options.max_outbound_packets = 5;
    let host = Host::silent(options);
    let mut client = narrow(&host).await;
    let socket = host.socket();
    let push = |text, policy| socket.push(event(text).when_full(policy));
    fill(&socket).await;
    assert_eq!(push("e1", None), Push::Queued);
    assert_eq!(push("e2", Some(DropNewest)), Push::Queued);
    assert_eq!(push("e3", Some(DropOldest)), Push::Queued);
    assert_eq!(push("e4", Some(Disconnect)), Push::Queued);
    assert_eq!(push("e5", Some(DropNewest)), Push::Dropped);
    assert_eq!(push("e6", Some(DropOldest)), Push::Queued); // for e2
    assert_eq!(push("e7", Some(DropOldest)), Push::Queued); // for e3
    assert_eq!(push("e8", Some(DropOldest)), Push::Queued); // for e6
    assert_eq!(host.stats().queue_dropped, 4);
    assert_eq!(host.stats().limits.get(Limit::OutboundPackets), 4);
    assert_eq!(rest(&mut client).await[1..], ["4e1", "4e4", "4e7", "4e8"]);
    host.expect(&["open"]);

    fill(&socket).await;
    for _ in 0..4 {
        assert_eq!(push("e", Some(Disconnect)), Push::Queued);
    }
    assert_eq!(push("e", Some(DropOldest)), Push::Dropped);
    assert_eq!(push("e", None), Push::Closed);
    settle().await;
    host.expect(&["close: transport error, SlowConsumer"]);
    assert_eq!(host.stats().limits.get(Limit::OutboundPackets), 6);
    assert_eq!(host.stats().limits.get(Limit::OutboundBytes), 0);
    drop(client);
    host.end().await;
}

/// Of all that waits in the server, the longest queue is cut, and no more than needed.
#[tokio::test(start_paused = true)]
async fn what_waits_in_the_whole_server_is_bounded() {
    let mut options = Options::default();
    options.max_total_outbound_bytes = 100_000;
    let host = Host::silent(options);
    let mut clients = Vec::new();
    let mut sockets = Vec::new();
    for kilobytes in [20, 40, 30] {
        clients.push(narrow(&host).await);
        let socket = host.socket();
        settle().await;
        for _ in 0..kilobytes {
            assert_eq!(socket.push(event(&"x".repeat(999))), Push::Queued);
            settle().await; // what cannot be written is counted
        }
        sockets.push(socket);
    }
    assert_eq!(host.stats().outbound_bytes, 90_000);
    host.expect(&["open", "open", "open"]);
    for _ in 0..11 {
        assert_eq!(sockets[0].push(event(&"x".repeat(999))), Push::Queued);
    }
    settle().await;
    host.expect(&["close: transport error, SlowConsumer"]);
    let open: Vec<bool> = sockets.iter().map(Socket::is_open).collect();
    assert_eq!(open, [true, false, true]);
    assert_eq!(host.stats().outbound_bytes, 61_000);
    assert_eq!(host.stats().limits.get(Limit::TotalOutboundBytes), 1);
    assert_eq!(host.stats().slow_consumers, 1);
    // the others lose nothing
    assert_eq!(rest(&mut clients[0]).await.len(), 31);
    assert_eq!(rest(&mut clients[2]).await.len(), 30);
    assert_eq!(host.stats().outbound_bytes, 0);
    drop(clients);
    host.end().await;
}

/// A packet for many is in memory once, and counts once.
#[tokio::test(start_paused = true)]
async fn what_waits_for_many_counts_once() {
    let mut options = Options::default();
    options.max_total_outbound_bytes = 100_000;
    let host = Host::silent(options);
    let packet = event(&"x".repeat(59_999));
    let mut websockets = Vec::new();
    let mut pollings = Vec::new();
    for _ in 0..5 {
        websockets.push(narrow(&host).await);
        assert_eq!(host.socket().push(packet.clone()), Push::Queued);
        pollings.push(Polling::open(&host.net, Eio::V4, "").await);
        assert_eq!(host.socket().push(packet.clone()), Push::Queued);
    }
    settle().await;
    drop(packet);
    assert_eq!(host.stats().outbound_bytes, 60_000);
    host.expect(&["open"; 10]);
    for client in &mut pollings {
        assert!(client.next().await == format!("4{}", "x".repeat(59_999)).as_str());
    }
    assert_eq!(host.stats().outbound_bytes, 60_000);
    for client in &mut websockets {
        assert!(matches!(client.next().await, Frame::Text(text) if text.len() == 60_000));
    }
    settle().await;
    assert_eq!(host.stats().outbound_bytes, 0);
    // polling clients are cut as well
    let socket = host.socket();
    assert_eq!(socket.push(event(&"x".repeat(60_000))), Push::Queued);
    assert_eq!(socket.push(event(&"x".repeat(60_000))), Push::Queued);
    settle().await;
    host.expect(&["close: transport error, SlowConsumer"]);
    assert_eq!(host.stats().outbound_bytes, 0);
    drop(websockets);
    host.end().await;
}

roads! {
    /// What is written at once is not counted, what cannot be written is; on each road.
    async fn only_what_waits_is_counted(road: Road) {
        let mut options = Options::default();
        options.max_total_outbound_bytes = 4_000_000;
        let log = Log::default();
        let host = Host::on(road, options, log.clone(), log.application(|_, _| {})).await;
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        for _ in 0..100 {
            host.say("at once");
            client.expect_text("4at once").await;
        }
        assert_eq!(host.stats().outbound_bytes, 0);
        let text = "x".repeat(1_000_000);
        for _ in 0..30 {
            if host.socket().send(Message::Text(&text)).is_err() {
                break;
            }
            tokio::time::sleep(ms(1)).await;
            assert!(host.stats().outbound_bytes <= 5_000_000);
        }
        assert_eq!(log.closed().await, ["open", "close: transport error, SlowConsumer"]);
        assert_eq!(host.stats().limits.get(Limit::TotalOutboundBytes), 1);
        host.expect_no_sessions().await;
        assert_eq!(host.stats().outbound_bytes, 0);
        drop(client);
        host.end().await;
    }
}

/// A volatile packet that could leave at once and did not is the first to go.
#[tokio::test(start_paused = true)]
async fn what_is_volatile_goes_first() {
    let mut options = Options::default();
    options.max_outbound_packets = 3;
    let host = Host::silent(options);
    let mut client = narrow(&host).await;
    let socket = host.socket();
    settle().await;
    // nothing is written before this task waits
    assert_eq!(socket.push(event("v").volatile(true)), Push::Queued);
    for text in ["e1", "e2", "e3"] {
        assert_eq!(socket.push(event(text)), Push::Queued, "{text}");
    }
    assert_eq!((host.stats().volatile_dropped, host.stats().queue_dropped), (1, 0));
    assert_eq!(host.stats().limits.get(Limit::OutboundPackets), 1);
    assert_eq!(rest(&mut client).await, ["4e1", "4e2", "4e3"]);
    host.expect(&["open"]);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn state_queues_beyond_the_bound_but_not_for_ever() {
    let mut options = Options::default();
    options.max_outbound_packets = 5;
    options.slow_consumer = OverflowPolicy::DropNewest;
    let host = Host::silent(options);
    let client = narrow(&host).await;
    let socket = host.socket();
    fill(&socket).await;
    let queued = (0..100).take_while(|_| socket.push(state("s")) == Push::Queued).count();
    assert_eq!(queued, 10);
    settle().await;
    host.expect(&["open", "close: transport error, SlowConsumer"]);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_does_not_poll() {
    let host = Host::silent(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let packet = event(&"x".repeat(1000));
    let socket = host.socket();
    let queued = (0..20_000).take_while(|_| socket.push(packet.clone()) == Push::Queued).count();
    assert_eq!(queued, 10_000);
    settle().await;
    host.expect(&["open", "close: transport error, SlowConsumer"]);
    assert_eq!(client.poll_response().await.status, 400);
    host.expect_no_sessions().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_for_too_long() {
    let mut options = Options::default();
    options.write_timeout = s(3);
    let host = Host::silent(options);
    let mut client = narrow(&host).await;
    fill(&host.socket()).await;
    // a packet after the other keeps it alive, however slow
    for _ in 0..5 {
        advance(ms(2500)).await;
        fill(&host.socket()).await;
        assert!(matches!(client.next().await, Frame::Text(_)));
    }
    host.expect(&["open"]);
    advance(ms(2900)).await;
    host.expect(&[]);
    advance(ms(3200)).await; // progress is looked at once per timeout
    host.expect(&["close: transport error, SlowConsumer"]);
    assert_eq!(host.stats().slow_consumers, 1);
    host.expect_no_sessions().await;
    drop(client);
    host.end().await;
}

roads! {
    async fn a_stall_is_found_on_each_road(road: Road) {
        let mut options = Options::default();
        options.write_timeout = ms(300);
        let log = Log::default();
        let host = Host::on(road, options, log.clone(), log.application(|_, _| {})).await;
        let (client, _) = open_websocket(&host.net, Eio::V4, "").await;
        let text = "x".repeat(1_000_000);
        for _ in 0..15 {
            host.say(&text);
        }
        assert_eq!(log.closed().await, ["open", "close: transport error, SlowConsumer"]);
        host.expect_no_sessions().await;
        drop(client);
        host.end().await;
    }
}

roads! {
    async fn a_slow_client_gets_everything_in_order(road: Road) {
        let log = Log::default();
        let host = Host::on(road, Options::default(), log.clone(), log.application(|_, _| {})).await;
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        let socket = host.socket();
        let sending = tokio::spawn(async move {
            for number in 0..60_u32 {
                socket.writable().await.unwrap();
                let size = [10, 40_000, 700_000][number as usize % 3];
                let text = format!("{number}:{}", "x".repeat(size));
                let attachments = vec![Bytes::from(vec![number as u8; size / 2]), Bytes::from_static(b"!")];
                let mut buffer = vec![0; HEADROOM];
                buffer.extend_from_slice(text.as_bytes());
                let packet = Outgoing::message(buffer, HEADROOM, attachments);
                assert_eq!(socket.push(packet.droppable(true)), Push::Queued);
            }
        });
        for number in 0..60_u32 {
            let Frame::Text(text) = client.next().await else { panic!() };
            let size = [10, 40_000, 700_000][number as usize % 3];
            assert!(text.starts_with(&format!("4{number}:x")));
            assert_eq!(text.len(), size + 2 + number.to_string().len());
            client.expect_binary(&vec![number as u8; size / 2]).await;
            client.expect_binary(b"!").await;
        }
        sending.await.unwrap();
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn producers_may_wait_for_room() {
    let mut options = Options::default();
    options.max_outbound_packets = 10;
    let host = Host::silent(options);
    let mut client = narrow(&host).await;
    let socket = host.socket();
    socket.writable().await.unwrap();
    fill(&socket).await;
    for number in 0..5 {
        assert_eq!(socket.push(event(&number.to_string())), Push::Queued);
    }
    let waiting = tokio::spawn(async move { socket.writable().await });
    advance(s(1)).await;
    assert!(!waiting.is_finished());
    assert!(matches!(client.next().await, Frame::Text(_)));
    settle().await;
    assert_eq!(waiting.await.unwrap(), Ok(()));
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn volatile_packets_go_at_once_or_not_at_all() {
    let host = Host::silent(Options::default());
    let mut client = narrow(&host).await;
    let socket = host.socket();
    assert_eq!(socket.push(event("one").volatile(true)), Push::Queued);
    client.expect_text("4one").await;
    fill(&socket).await;
    assert_eq!(socket.push(event("two").volatile(true)), Push::Dropped);
    assert!(matches!(client.next().await, Frame::Text(text) if text.len() == 1000));
    settle().await;
    assert_eq!(socket.push(event("three").volatile(true)), Push::Queued);
    client.expect_text("4three").await;
    assert_eq!(host.stats().volatile_dropped, 1);
    drop(client);

    // by polling: while a poll waits
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let socket = host.socket();
    assert_eq!(socket.push(event("one").volatile(true)), Push::Dropped);
    let mut poll = client.poll_later().await;
    assert_eq!(socket.push(event("two").volatile(true)), Push::Queued);
    assert_eq!(socket.push(event("three").volatile(true)), Push::Queued);
    assert_eq!(poll.read_response().await.text(), "4two\u{1e}4three");
    assert_eq!(socket.push(event("four").volatile(true)), Push::Dropped);
    host.end().await;
}

roads! {
    async fn volatile_packets_reach_an_upgraded_session(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = client.upgrade().await;
        while host.stats().upgraded == 0 {
            settle().await;
        }
        settle().await;
        assert_eq!(host.socket().push(event("now").volatile(true)), Push::Queued);
        websocket.expect_text("4now").await;
        drop(websocket);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads() {
    let mut options = Options::default();
    options.write_timeout = s(3);
    let host = Host::silent(options);
    let client = Polling::open(&host.net, Eio::V4, "").await;
    host.say(&"x".repeat(10_000));
    let mut connection = HttpConnection::open(&host.net.clone().with_capacity(256));
    connection
        .send(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", client.target()).as_bytes())
        .await;
    advance(ms(3100)).await;
    let read = connection.read_to_end().await;
    assert!(read.len() < 1000, "{}", read.len());
    host.end().await;
}
