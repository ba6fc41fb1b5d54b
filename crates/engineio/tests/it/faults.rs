//! Networks that fail: peers that vanish without a word, connections that are cut anywhere, parts
//! that come late, clients that are stopped.

use std::any::Any;

use bytes::Bytes;
use engineio::{HEADROOM, Options, Outgoing, Push, Socket};
use testkit::{Connector, Eio, Frame, HttpConnection, Polling, frame, open_websocket, settle};

use crate::host::{Host, Log, Road, advance, s};

/// What a peer was doing when it vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    WebSocket,
    InAFrame,
    BetweenPolls,
    InAPoll,
    InABody,
    InAProbe,
    Upgraded,
}

/// A session whose peer has just vanished. Its connections stay open as long as this is kept.
async fn half_open(net: &Connector, eio: Eio, at: At) -> Vec<Box<dyn Any>> {
    match at {
        At::WebSocket => vec![Box::new(open_websocket(net, eio, "").await)],
        At::InAFrame => {
            let (mut client, _) = open_websocket(net, eio, "").await;
            client.send_raw(&frame(true, 1, Some([7; 4]), b"4hello")[..9]).await;
            vec![Box::new(client)]
        }
        At::BetweenPolls => vec![Box::new(Polling::open(net, eio, "").await)],
        At::InAPoll => {
            let mut client = Polling::open(net, eio, "").await;
            let poll = client.poll_later().await;
            vec![Box::new(client), Box::new(poll)]
        }
        At::InABody => {
            let client = Polling::open(net, eio, "").await;
            let mut post = HttpConnection::open(net);
            let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
            post.send(format!("{head}Content-Length: 9\r\n\r\n4hell").as_bytes()).await;
            vec![Box::new(client), Box::new(post)]
        }
        At::InAProbe => {
            let client = Polling::open(net, eio, "").await;
            let target = client.target().replace("polling", "websocket");
            let mut probe = testkit::WebSocket::connect(net, &target, &[]).await.unwrap();
            probe.send_text("2probe").await;
            probe.expect_text("3probe").await;
            vec![Box::new(client), Box::new(probe)]
        }
        At::Upgraded => {
            let mut client = Polling::open(net, eio, "").await;
            let websocket = client.upgrade().await;
            vec![Box::new(client), Box::new(websocket)]
        }
    }
}

/// Within pingInterval + pingTimeout + 1 s, in both protocols, wherever it was.
#[tokio::test(start_paused = true)]
async fn half_open_peers_are_found() {
    use At::{BetweenPolls, InABody, InAFrame, InAPoll, InAProbe, Upgraded, WebSocket};
    for eio in [Eio::V3, Eio::V4] {
        for at in [WebSocket, InAFrame, BetweenPolls, InAPoll, InABody, InAProbe, Upgraded] {
            let host = Host::silent(Options::default());
            let kept = half_open(&host.net, eio, at).await;
            settle().await;
            host.expect(&["open"]);
            // a body has a time of its own
            let (found, told) = match at {
                InABody => (s(60), "close: transport error"),
                _ => (s(85), "close: ping timeout"),
            };
            advance(found - s(1)).await;
            host.expect(&[]);
            advance(s(2)).await;
            assert_eq!(host.log.take(), [told], "{eio:?} {at:?}");
            // whom it tells does not listen: that has its time too
            advance(s(31)).await;
            assert_eq!(host.stats().sessions, 0, "{eio:?} {at:?}");
            drop(kept);
            host.end().await;
        }
    }
}

/// A message of which the last byte is missing was not sent.
#[tokio::test(start_paused = true)]
async fn a_websocket_that_is_cut_anywhere() {
    let mask = Some([1, 2, 3, 4]);
    let long = format!("4{}", "x".repeat(200));
    let rest = [
        frame(false, 1, mask, long.as_bytes()),
        frame(true, 9, mask, b"ping"),
        frame(true, 0, mask, b"end"),
    ];
    let bytes = [frame(true, 1, mask, b"4whole"), rest.concat()].concat();
    let first = bytes.len() - rest.concat().len();
    for size in 0..bytes.len() {
        let host = Host::silent(Options::default());
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        client.send_raw(&bytes[..size]).await;
        drop(client);
        let told = host.log.closed().await;
        let whole: &[&str] = if size >= first { &["whole"] } else { &[] };
        let expected = [&["open"], whole, &["close: transport close"]].concat();
        assert_eq!(told, expected, "after {size} bytes");
        host.expect_no_sessions().await;
        host.end().await;
    }
}

/// Nothing of a body is delivered before its end; a request without its head is none.
#[tokio::test(start_paused = true)]
async fn a_post_that_is_cut_anywhere() {
    for (eio, body) in [(Eio::V4, "4one\u{1e}4two"), (Eio::V3, "4:4one4:4two")] {
        let host = Host::silent(Options::default());
        let client = Polling::open(&host.net, eio, "").await;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            client.target(),
            body.len()
        );
        let request = format!("{head}{body}");
        for size in 0..head.len() {
            let mut post = HttpConnection::open(&host.net);
            post.send(&request.as_bytes()[..size]).await;
            drop(post);
            settle().await;
        }
        host.expect(&["open"]);
        host.end().await;
        for size in head.len()..request.len() {
            let host = Host::silent(Options::default());
            let client = Polling::open(&host.net, eio, "").await;
            let own = request.replace(&sid(&request), client.sid());
            let mut post = HttpConnection::open(&host.net);
            post.send(&own.as_bytes()[..own.len() - request.len() + size]).await;
            settle().await;
            drop(post);
            let told = host.log.closed().await;
            assert_eq!(told, ["open", "close: transport error"], "after {size} bytes");
            host.expect_no_sessions().await;
            host.end().await;
        }
    }
}

fn sid(request: &str) -> String {
    let (_, rest) = request.split_once("sid=").unwrap();
    rest.split([' ', '&']).next().unwrap().to_owned()
}

/// A POST that is late is overtaken by polls, and a poll that is late by POSTs; nothing is lost.
#[tokio::test(start_paused = true)]
async fn polls_and_posts_that_overtake_each_other() {
    for eio in [Eio::V3, Eio::V4] {
        let host = Host::echo(Options::default());
        let mut client = Polling::open(&host.net, eio, "").await;
        let mut late = HttpConnection::open(&host.net);
        let body = if eio == Eio::V3 { "6:4first7:4second" } else { "4first\u{1e}4second" };
        let post = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            client.target(),
            body.len()
        );
        let (head, rest) = post.split_at(post.len() - 9);
        late.send(head.as_bytes()).await;
        // two polls come and go meanwhile
        for said in ["a", "b"] {
            advance(s(1)).await;
            let mut poll = client.poll_later().await;
            host.say(said);
            let response = poll.read_response().await;
            assert_eq!(client.packets(&response), [format!("4{said}").as_str()]);
        }
        host.expect(&["open"]);
        late.send(rest.as_bytes()).await;
        assert_eq!(late.read_response().await.text(), "ok");
        host.expect(&["first", "second"]);
        // now a poll: half of its head comes late, behind two POSTs
        let poll = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", client.target());
        let (start, rest) = poll.split_at(30);
        late.send(start.as_bytes()).await;
        client.post(["4third"]).await;
        advance(s(1)).await;
        client.post(["4fourth"]).await;
        late.send(rest.as_bytes()).await;
        let response = late.read_response().await;
        assert_eq!(client.packets(&response), ["4first", "4second", "4third", "4fourth"]);
        // and one whose answer is read late: the server has long sent the next
        let mut unread = client.poll_later().await;
        host.say("early");
        settle().await;
        host.say("later");
        let next = client.poll_response().await;
        assert_eq!(client.packets(&next), ["4later"]);
        let response = unread.read_response().await;
        assert_eq!(client.packets(&response), ["4early"]);
        host.end().await;
    }
}

fn numbered(number: usize) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(format!("{number:08}{}", "x".repeat(10_000)).as_bytes());
    Outgoing::message(buffer, HEADROOM, Vec::new()).droppable(true)
}

async fn stopped(road: Road, options: Options) -> (Host, HttpConnection, Socket) {
    let log = Log::default();
    let host = Host::on(road, options, log.clone(), log.application(|_, _| {})).await;
    let mut client = HttpConnection::open(&host.net);
    let target = host.net.target(Eio::V4, "websocket", "");
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    client.send(request.as_bytes()).await;
    assert_eq!(client.read_response().await.status, 101);
    log.until(|event| event == "open").await;
    let socket = host.socket();
    (host, client, socket)
}

roads! {
    /// A client that is stopped while it is sent more than is kept for it: the policy acts, what
    /// waits stays bounded, and when it goes on it reads a beginning in order, then the end.
    async fn a_stopped_client_is_cut_off_behind_a_beginning_in_order(road: Road) {
        let mut options = Options::default();
        options.max_outbound_bytes = 1_000_000;
        let (host, mut client, socket) = stopped(road, options).await;
        let mut sent = 0;
        while socket.push(numbered(sent)) == Push::Queued {
            sent += 1;
            assert!(socket.queued_bytes() <= 1_000_000, "{}", socket.queued_bytes());
            assert!(sent < 20_000, "nobody reads, and nothing is full");
            tokio::task::yield_now().await;
        }
        assert_eq!(host.log.until(|event| event.starts_with("close")).await, [
            "close: transport error, SlowConsumer"
        ]);
        assert_eq!(socket.queued_bytes(), 0);
        // SIGCONT
        let read = client.read_to_end().await;
        let (numbers, cut) = numbers(&read);
        assert!(numbers.len() < sent);
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
        assert!(cut < 10_013, "{cut} bytes behind the last whole frame");
        host.expect_no_sessions().await;
        host.end().await;
    }
}

/// The numbers of the frames that came whole, and how many bytes followed.
fn numbers(mut bytes: &[u8]) -> (Vec<usize>, usize) {
    let mut numbers = Vec::new();
    while let [0x81, second, a, b, ..] = *bytes {
        let (header, size) = match second {
            126 => (4, usize::from(u16::from_be_bytes([a, b]))),
            size => (2, usize::from(size)),
        };
        let Some(text) = bytes.get(header..header + size) else { break };
        if let Some(number) = text.strip_prefix(b"4") {
            numbers.push(std::str::from_utf8(&number[..8]).unwrap().parse().unwrap());
        }
        bytes = &bytes[header + size..];
    }
    (numbers, bytes.len())
}

roads! {
    /// A client that is stopped for a while, and goes on in time: nothing is missing.
    async fn a_stopped_client_that_goes_on_in_time_has_everything(road: Road) {
        const COUNT: usize = 900;
        let log = Log::default();
        let host = Host::on(road, Options::default(), log.clone(), log.application(|_, _| {})).await;
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        let socket = host.socket();
        for number in 0..COUNT {
            assert_eq!(socket.push(numbered(number)), Push::Queued);
        }
        let binary = Outgoing::message(
            [&[0; HEADROOM], &b"end"[..]].concat(),
            HEADROOM,
            vec![Bytes::from_static(b"!")],
        );
        assert_eq!(socket.push(binary.clone()), Push::Queued);
        settle().await;
        assert!(socket.queued_bytes() > 0, "the kernel took it all");
        for number in 0..COUNT {
            let Frame::Text(text) = client.next().await else { panic!("after {number}") };
            assert!(text.starts_with(&format!("4{number:08}x")), "{number}");
        }
        client.expect_text("4end").await;
        client.expect_binary(b"!").await;
        host.expect(&["open"]);
        drop(client);
        host.end().await;
    }
}
