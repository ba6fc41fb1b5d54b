//! Long polling, protocol 4.

use bytes::Bytes;
use engineio::{HEADROOM, Limit, Options, Outgoing, Push};
use serde_json::json;
use testkit::{Eio, HttpConnection, Packet, Polling, Request, Response, request, settle};

use crate::host::{Host, Road, advance, ms, s};

const TEXT: &str = "text/plain;charset=UTF-8";

/// Posts a body, and expects `ok`.
async fn post(polling: &mut Polling, body: impl Into<Bytes>) {
    let response = polling.post_body(body, TEXT).await;
    assert_eq!((response.status, response.text()), (200, "ok"));
    assert_eq!(response.header("content-type"), Some("text/html"));
}

/// Expects that the session is known no more.
async fn expect_unknown(polling: &mut Polling) {
    let response = polling.poll_response().await;
    assert_eq!(response.json(), json!({"code": 1, "message": "Session ID unknown"}));
    assert_eq!(response.status, 400);
}

roads! {
    async fn packets_travel_in_groups(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        post(&mut client, "4one\u{1e}4\u{1e}bAQID\u{1e}4€😀").await;
        let response = client.poll_response().await;
        assert_eq!(response.text(), "4one\u{1e}4\u{1e}bAQID\u{1e}4€😀");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        host.expect(&["open", "one", "", r#"b"\x01\x02\x03""#, "€😀"]);
        drop(client);
        host.end().await;
    }
}

roads! {
    async fn a_poll_waits_for_packets(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut poll = client.poll_later().await;
        poll.expect_silence(ms(50)).await;
        host.say("news");
        let response = poll.read_response().await;
        assert_eq!(client.packets(&response), ["4news"]);
        // and the next one, over the same connection
        poll.send(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", client.target()).as_bytes()).await;
        client.post(["4more"]).await;
        assert_eq!(poll.read_response().await.text(), "4more");
        drop(poll);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_payload_ends_the_session() {
    for (body, delivered) in [
        ("", None),
        ("\u{1e}", None),
        ("\u{1e}\u{1e}\u{1e}", None),
        ("7", None),
        ("xyz", None),
        ("9abc", None),
        ("b!!!!", None),
        ("\u{feff}4x", None),
        ("4x\u{1e}", Some("x")), // what stands before is delivered
        ("4x\u{1e}9\u{1e}4y", Some("x")),
    ] {
        let host = Host::silent(Options::default());
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut poll = client.poll_later().await;
        post(&mut client, body).await;
        assert_eq!(poll.read_response().await.text(), "1", "{body:?}");
        let told: Vec<_> =
            ["open"].into_iter().chain(delivered).chain(["close: parse error"]).collect();
        host.expect(&told);
        expect_unknown(&mut client).await;
        host.expect_no_sessions().await;
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn packets_of_the_wrong_direction_are_ignored_but_for_pings() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    for body in ["0{}", "5", "6", "3", "3nobody asked"] {
        post(&mut client, body).await;
    }
    post(&mut client, "4ok").await;
    assert_eq!(client.next().await, "4ok");
    let mut poll = client.poll_later().await;
    post(&mut client, "2").await;
    assert_eq!(poll.read_response().await.text(), "1");
    host.expect(&["open", "ok", "close: transport error"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_close_packet_ends_the_session() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut poll = client.poll_later().await;
    post(&mut client, "1\u{1e}4late").await;
    assert_eq!(poll.read_response().await.text(), "6");
    host.expect(&["open", "close: transport close"]);
    expect_unknown(&mut client).await;
    host.expect_no_sessions().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn there_are_no_binary_payloads() {
    let host = Host::silent(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let response = client.post_body(&b"\x04\x01"[..], "application/octet-stream").await;
    assert_eq!((response.status, response.body.len()), (400, 0));
    host.expect(&["open", "close: transport error"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn bodies_need_no_content_type_and_are_read_as_utf_8() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let response = request(&host.net, Request::post(&client.target(), &b"4a\xff\xfe!"[..])).await;
    assert_eq!((response.status, response.text()), (200, "ok"));
    assert_eq!(client.next().await, "4a\u{fffd}\u{fffd}!");
    host.end().await;
}

async fn expect_too_large(host: &Host, response: &Response) {
    assert_eq!(response.status, 413);
    let limit = host.server.options().max_http_buffer_size;
    let message = format!("Payload larger than {limit} bytes");
    assert_eq!(response.json(), json!({"code": 3, "message": message}));
    assert_eq!(response.header("connection"), Some("close"));
    let told = host.log.closed().await;
    assert_eq!(told.last().unwrap(), "close: transport error, TooLarge");
    assert_eq!(host.stats().too_large, 1);
    assert_eq!(host.stats().limits.get(Limit::HttpBufferSize), 1);
}

roads! {
    async fn a_body_of_the_largest_size_is_taken_and_a_larger_one_not(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let body = format!("4{}", "x".repeat(999_999));
        post(&mut client, body.clone()).await;
        assert_eq!(client.next().await, body.as_str());
        host.log.take();
        let response = client.post_body(format!("{body}x"), TEXT).await;
        expect_too_large(&host, &response).await;
        expect_unknown(&mut client).await;
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunked_body_is_counted_as_it_comes() {
    let mut options = Options::default();
    options.max_http_buffer_size = 100;
    let host = Host::echo(options);
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let chunked = |body: &str| {
        Request::post(&client.target(), body.to_owned()).header("Transfer-Encoding", "chunked")
    };
    let (fits, larger) = (chunked("2\r\n4a\r\n1\r\nb\r\n0\r\n\r\n"), chunked("60\r\n"));
    assert_eq!(request(&host.net, fits).await.text(), "ok");
    assert_eq!(client.next().await, "4ab");
    host.log.take();
    let mut connection = HttpConnection::open(&host.net);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
    connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await;
    let chunk = format!("3c\r\n{}\r\n", "4".repeat(60));
    connection.send(chunk.as_bytes()).await;
    settle().await;
    host.expect(&[]);
    connection.send(chunk.as_bytes()).await;
    let response = connection.read_response().await;
    assert_eq!(response.status, 413);
    host.expect(&["close: transport error, TooLarge"]);
    drop((larger, connection));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_announced_size_is_refused_at_once() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut connection = HttpConnection::open(&host.net);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
    connection.send(format!("{head}Content-Length: 2000000\r\n\r\n").as_bytes()).await;
    expect_too_large(&host, &connection.read_response().await).await;
    drop(connection);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_ends_the_session() {
    let mut options = Options::default();
    options.body_timeout = s(4);
    let host = Host::echo(options);
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut connection = HttpConnection::open(&host.net);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
    connection.send(format!("{head}Content-Length: 9\r\n\r\n4").as_bytes()).await;
    connection.expect_silence(ms(3900)).await;
    let response = connection.read_response().await;
    assert_eq!(response.status, 408);
    host.expect(&["open", "close: transport error"]);
    connection.read_to_end().await;
    host.end().await;
}

roads! {
    async fn a_broken_body_ends_the_session(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let client = Polling::open(&host.net, Eio::V4, "").await;
        let mut connection = HttpConnection::open(&host.net);
        let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
        connection.send(format!("{head}Content-Length: 9\r\n\r\n4hell").as_bytes()).await;
        settle().await;
        drop(connection);
        assert_eq!(host.log.closed().await, ["open", "close: transport error"]);
        host.expect_no_sessions().await;
        host.end().await;
    }
}

roads! {
    async fn a_broken_poll_ends_the_session(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let poll = client.poll_later().await;
        drop(poll);
        assert_eq!(host.log.closed().await, ["open", "close: transport error"]);
        host.expect_no_sessions().await;
        host.end().await;
    }
}

roads! {
    async fn two_polls_at_a_time_end_the_session(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut first = client.poll_later().await;
        let second = client.poll_response().await;
        assert_eq!((second.status, second.body.len()), (400, 0));
        assert_eq!(first.read_response().await.text(), "1");
        let told = ["open", "close: transport error, OverlappingRequests"];
        assert_eq!(host.log.closed().await, told);
        host.expect_no_sessions().await;
        expect_unknown(&mut client).await;
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_posts_at_a_time_end_the_session() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut first = HttpConnection::open(&host.net);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
    first.send(format!("{head}Content-Length: 9\r\n\r\n4").as_bytes()).await;
    settle().await;
    let second = client.post_body("4x", TEXT).await;
    assert_eq!((second.status, second.body.len()), (400, 0));
    // the first is of no use any more, and its rest not waited for
    assert_eq!(first.read_response().await.status, 400);
    first.read_to_end().await;
    host.expect(&["open", "close: transport error, OverlappingRequests"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_and_a_post_go_together() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    for round in 0..10 {
        let mut poll = client.poll_later().await;
        let message = format!("4{round}");
        client.post([message.as_str()]).await;
        assert_eq!(poll.read_response().await.text(), message);
    }
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn other_methods_do_no_harm() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    for method in ["DELETE", "PUT", "PATCH"] {
        let response = request(&host.net, Request::new(method, &client.target())).await;
        assert_eq!((response.status, response.body.len()), (500, 0), "{method}");
    }
    client.post(["4ok"]).await;
    assert_eq!(client.next().await, "4ok");
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn large_payloads_are_taken() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let packets: Vec<String> = (0..3000).map(|i| format!("4{i}")).collect();
    client.post(packets.iter().map(String::as_str)).await;
    let echoed = client.poll().await;
    assert_eq!(echoed.len(), 3000);
    assert!(echoed.iter().zip(&packets).all(|(echo, sent)| *echo == sent.as_str()));
    host.log.take();
    // 400,000 packets that mean nothing
    post(&mut client, vec!["6"; 400_000].join("\u{1e}")).await;
    host.expect(&[]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_packets_of_a_payload_are_bounded() {
    let mut options = Options::default();
    options.max_packets_per_payload = 3;
    let host = Host::echo(options);
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    post(&mut client, "4a\u{1e}4b\u{1e}4c").await;
    post(&mut client, "4d\u{1e}6\u{1e}6\u{1e}4e").await;
    host.expect(&["open", "a", "b", "c", "d", "close: parse error"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn scripts_are_polled_across_origins() {
    let host = Host::echo(Options::default());
    let net = host.net.clone().with_header("Origin", "http://other.test");
    let mut client = Polling::open(&net, Eio::V4, "j=alert(1)3").await;
    client.post(["4a\"\n\\n\u{2028}"]).await;
    let response = client.poll_response().await;
    assert_eq!(response.text(), r#"___eio[13]("4a\"\n\\n\u2028");"#);
    assert_eq!(response.header("content-type"), Some("text/javascript; charset=UTF-8"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("access-control-allow-origin"), None);
    // a form without the field
    let form = "application/x-www-form-urlencoded";
    let response = client.post_body("x=1", form).await;
    assert_eq!((response.status, response.text()), (200, "ok"));
    // binary goes as base64
    client.post([Packet::Binary(Bytes::from_static(b"\x01"))]).await;
    assert_eq!(client.poll_response().await.text(), r#"___eio[13]("bAQ==");"#);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn old_internet_explorers_are_told_that_answers_are_no_attack() {
    let host = Host::echo(Options::default());
    let net = host.net.clone().with_header("User-Agent", "Mozilla/5.0 (x; Trident/7.0)");
    let mut client = Polling::open(&net, Eio::V4, "").await;
    assert_eq!(client.post_body("4x", TEXT).await.header("x-xss-protection"), Some("0"));
    assert_eq!(client.poll_response().await.header("x-xss-protection"), Some("0"));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_has_no_turns() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut poll = client.poll_later().await;
    let turns = host.log.polls();
    advance(s(20)).await;
    assert_eq!(host.log.polls(), turns);
    advance(s(5)).await;
    assert_eq!(poll.read_response().await.text(), "2");
    assert!(host.log.polls() <= turns + 3, "{} after {turns}", host.log.polls());
    host.end().await;
}

/// The answer to a poll has so many packets at most, attachments included; the rest goes with the
/// next one.
#[tokio::test(start_paused = true)]
async fn packets_of_a_poll_are_bounded() {
    let mut options = Options::default();
    options.max_packets_per_poll = Some(16);
    for eio in [Eio::V3, Eio::V4] {
        let host = Host::silent(options.clone());
        let mut client = Polling::open(&host.net, eio, "").await;
        let text = |text: &str| {
            let mut buffer = vec![0; HEADROOM];
            buffer.extend_from_slice(text.as_bytes());
            buffer
        };
        let mut expected = Vec::new();
        // packets of one, of some that fit or do not, and of more than one answer has
        for attachments in [0, 0, 3, 13, 0, 16, 40, 0, 15, 0, 0] {
            let n = expected.len();
            let bytes: Vec<_> =
                (0..attachments).map(|at| Bytes::from(format!("{n}.{at}"))).collect();
            expected.push(Packet::from(format!("4{n}")));
            expected.extend(bytes.iter().cloned().map(Packet::Binary));
            let packet = Outgoing::message(text(&n.to_string()), HEADROOM, bytes);
            assert_eq!(host.socket().push(packet), Push::Queued);
        }
        let mut received = Vec::new();
        let mut answers = 0;
        while received.len() < expected.len() {
            let answer = client.poll().await;
            assert!((1..=16).contains(&answer.len()), "{}", answer.len());
            received.extend(answer);
            answers += 1;
            let queued = host.stats().queued_bytes;
            assert_eq!(queued == 0, received.len() == expected.len());
        }
        assert_eq!(received, expected);
        assert!(answers <= 2 + expected.len() / 12, "{answers}");
        assert_eq!(host.stats().limits.get("max_packets_per_poll"), answers as u64 - 1);
        // nothing waits: the next packet finds a poll that is parked
        let mut poll = client.poll_later().await;
        host.say("x");
        assert!(poll.read_response().await.text().ends_with("4x"));
        // the end comes behind all that was sent before
        (0..20).for_each(|n| host.say(&n.to_string()));
        let closing = host.server.close();
        assert_eq!(client.poll().await.len(), 16);
        assert_eq!(client.poll().await.len(), 4);
        assert_eq!(client.poll().await, ["1"]);
        closing.await;
        host.end().await;
    }
}

/// What is left goes by WebSocket when the client changes to it.
#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_poll_is_upgraded() {
    let mut options = Options::default();
    options.max_packets_per_poll = Some(2);
    let host = Host::silent(options);
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut buffer = vec![0; HEADROOM];
    buffer.push(b'x');
    let bytes = (0..3).map(|at| Bytes::from(vec![at; 2])).collect();
    let _ = host.socket().push(Outgoing::message(buffer, HEADROOM, bytes));
    host.say("y");
    assert_eq!(client.poll().await, ["4x".into(), Packet::Binary(Bytes::from_static(&[0, 0]))]);
    let mut websocket = client.upgrade().await;
    websocket.expect_binary(&[1, 1]).await;
    websocket.expect_binary(&[2, 2]).await;
    websocket.expect_text("4y").await;
    drop(websocket);
    host.end().await;
}

roads! {
    /// The POST with the close packet may overtake the poll, as they go over two connections.
    async fn a_poll_that_crosses_the_close(road: Road) {
        for (eio, noop) in [(Eio::V4, "6"), (Eio::V3, "1:6")] {
            let host = Host::echo_on(road, Options::default()).await;
            let mut client = Polling::open(&host.net, eio, "").await;
            client.post(["1"]).await;
            host.expect_no_sessions().await;
            // not what is for open sessions only
            assert_eq!(client.post_body("4x", TEXT).await.status, 400);
            let other = if eio == Eio::V3 { "EIO=4" } else { "EIO=3" };
            let foreign = client.target().replace(if eio == Eio::V3 { "EIO=3" } else { "EIO=4" }, other);
            assert_eq!(request(&host.net, Request::get(&foreign)).await.status, 400);
            let answer = client.poll_response().await;
            assert_eq!((answer.status, answer.text()), (200, noop));
            expect_unknown(&mut client).await;
            host.expect(&["open", "close: transport close"]);

            // a parked one is answered as ever, and there is no second
            let mut client = Polling::open(&host.net, eio, "").await;
            let mut poll = client.poll_later().await;
            client.post(["1"]).await;
            assert_eq!(poll.read_response().await.text(), noop);
            host.expect_no_sessions().await;
            expect_unknown(&mut client).await;
            host.end().await;
        }
    }
}

/// It is late by no more than a session waits for its client.
#[tokio::test(start_paused = true)]
async fn a_poll_long_after_the_close() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    client.post(["1"]).await;
    advance(s(31)).await;
    expect_unknown(&mut client).await;
    host.end().await;
}
