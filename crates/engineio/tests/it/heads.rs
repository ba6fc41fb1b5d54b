//! Heads of requests that our own HTTP server refuses, and what is said then.

use engineio::{Limit, Options};
use serde_json::json;
use testkit::{Eio, HttpConnection, Polling};

use crate::host::{Host, Road, advance, ms, s};

/// A request that a proxy and the server could take for two different ones is refused, the first
/// of a connection and later ones.
#[tokio::test(start_paused = true)]
async fn requests_of_two_lengths_are_refused() {
    const GET: &str = "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n";
    const POST: &str = "POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na\n\n";
    const BOTH: &str = "POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n";
    let other = BOTH
        .replace("Content-Length: 4\r\n", "")
        .replace("\r\n\r\n2", "\r\ncontent-length:5\r\n\r\n2");
    for before in [vec![], vec![GET], vec![POST, GET, POST]] {
        for both in [BOTH, &other] {
            let host = Host::echo(Options::default());
            let mut connection = HttpConnection::open(&host.net);
            let input = format!("{}{both}{GET}", before.concat());
            connection.send(input.as_bytes()).await;
            for _ in &before {
                assert_eq!(connection.read_response().await.status, 404);
            }
            let answer = connection.read_response().await;
            assert_eq!(answer.status, 400);
            assert_eq!(answer.json(), json!({"code": 3, "message": "Bad request"}));
            assert!(connection.read_to_end().await.is_empty(), "nothing of it is a second request");
            host.end().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_request_is_bounded() {
    for (bytes, fields) in [(16 * 1024, 100), (2_000, 20), (100_000, 1_000)] {
        let mut options = Options::default();
        (options.max_header_bytes, options.max_header_fields) = (bytes, fields);
        let host = Host::echo(options);
        let get = |fields: usize| {
            let fields = "a: b\r\n".repeat(fields - 1);
            format!("GET /elsewhere HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
        };
        let long = |bytes: usize| {
            let head = "GET /elsewhere HTTP/1.1\r\nHost: x\r\nA: ";
            format!("{head}{}\r\n\r\n", "x".repeat(bytes - head.len() - 4))
        };
        let larger = format!("Request head larger than {bytes} bytes");
        let more = format!("More than {fields} header fields");
        for (input, refusal) in [
            (get(fields), None),
            (get(fields + 1), Some(&more)),
            (get(3 * fields), Some(&more)),
            (long(bytes), None),
            (long(bytes + 1), Some(&larger)),
            (long(bytes + 20_000), Some(&larger)),
            (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(bytes)), Some(&larger)),
            ("\r\n".repeat(bytes), Some(&larger)),
        ] {
            for size in [1, 1_000, usize::MAX] {
                let mut connection = HttpConnection::open(&host.net);
                for piece in input.as_bytes().chunks(size.max(input.len() / 50)) {
                    connection.send(piece).await;
                    tokio::task::yield_now().await;
                }
                let answer = connection.read_response().await;
                let Some(refusal) = refusal else {
                    assert_eq!(answer.status, 404, "{}", input.len());
                    continue;
                };
                assert_eq!(answer.status, 431, "{}", input.len());
                assert_eq!(answer.json(), json!({"code": 3, "message": refusal}));
                assert!(connection.read_to_end().await.is_empty());
            }
        }
        let limits = host.stats().limits;
        assert_eq!((limits.get(Limit::HeaderBytes), limits.get(Limit::HeaderFields)), (12, 6));
        assert_eq!(host.stats().refused, 18);
        host.end().await;
    }
}

/// Byte for byte, but for the date.
#[tokio::test(start_paused = true)]
async fn a_refusal_on_the_wire() {
    let mut options = Options::default();
    options.max_header_fields = 1;
    let host = Host::echo(options);
    let mut connection = HttpConnection::open(&host.net);
    connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n").await;
    let answer = String::from_utf8(connection.read_to_end().await.to_vec()).unwrap();
    let (before, rest) = answer.split_once("date: ").unwrap();
    assert_eq!(
        before,
        "HTTP/1.1 431 Request Header Fields Too Large\r\n\
         content-type: application/json\r\n\
         connection: close\r\n\
         content-length: 48\r\n"
    );
    let (date, body) = rest.split_once("\r\n\r\n").unwrap();
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    assert_eq!(body, r#"{"code":3,"message":"More than 1 header fields"}"#);
    host.end().await;
}

/// Who is too slow with a head is told so; who sent none of it is not, as a client that keeps a
/// connection for later could take that for the answer to what it sends next.
#[tokio::test(start_paused = true)]
async fn a_head_that_takes_too_long() {
    const GET: &str = "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n";
    let (head, idle) = ((s(30), Limit::HeaderTimeout), (s(75), Limit::KeepAliveTimeout));
    for (input, answers, is_begun, (time, limit)) in [
        (String::new(), 0, false, head),
        (GET.to_owned(), 1, false, idle),
        (format!("{GET}\r\n"), 1, false, idle),
        ("G".to_owned(), 0, true, head),
        (GET[..GET.len() - 1].to_owned(), 0, true, head),
        (format!("{GET}{GET}{}", &GET[..30]), 2, true, head),
    ] {
        let host = Host::echo(Options::default());
        let mut connection = HttpConnection::open(&host.net);
        connection.send(input.as_bytes()).await;
        for _ in 0..answers {
            assert_eq!(connection.read_response().await.status, 404);
        }
        let start = tokio::time::Instant::now();
        advance(time - s(1)).await;
        if is_begun {
            let answer = connection.read_response().await;
            assert_eq!(answer.status, 408);
            assert_eq!(answer.json(), json!({"code": 3, "message": "Request timeout"}));
            assert_eq!(answer.header("connection"), Some("close"));
        }
        assert!(connection.read_to_end().await.is_empty());
        let waited = start.elapsed();
        assert!(waited >= time && waited < time + s(1), "{waited:?}");
        assert_eq!(host.stats().limits.get(limit), 1);
        let both = [Limit::HeaderTimeout, Limit::KeepAliveTimeout];
        assert_eq!(both.map(|limit| host.stats().limits.get(limit)).iter().sum::<u64>(), 1);
        host.end().await;
    }
}

/// A proxy that keeps connections for a minute never meets the end of one; a head that begins late
/// has its own time.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept() {
    const GET: &str = "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n";
    let host = Host::echo(Options::default());
    let mut connection = HttpConnection::open(&host.net);
    for _ in 0..3 {
        connection.send(GET.as_bytes()).await;
        assert_eq!(connection.read_response().await.status, 404);
        advance(s(70)).await;
    }
    connection.send(&GET.as_bytes()[..10]).await;
    advance(s(29)).await;
    connection.send(&GET.as_bytes()[10..]).await;
    assert_eq!(connection.read_response().await.status, 404);
    advance(s(70)).await;
    connection.send(&GET.as_bytes()[..10]).await;
    advance(s(29)).await;
    let start = tokio::time::Instant::now();
    assert_eq!(connection.read_response().await.status, 408);
    assert!(start.elapsed() <= s(2));
    host.end().await;

    // while a poll is parked nothing is idle
    let mut options = Options::default();
    (options.ping_interval, options.keep_alive_timeout) = (s(100), s(1));
    let host = Host::echo(options);
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut poll = client.poll_later().await;
    advance(s(99)).await;
    host.say("x");
    assert_eq!(poll.read_response().await.text(), "4x");
    host.end().await;
}

/// Over TCP: who is refused for its head sees that behind all of its body, too.
#[tokio::test]
async fn a_body_behind_a_refused_head() {
    let host = Host::echo_on(Road::Tcp, Options::default()).await;
    for (head, status) in [
        (format!("POST / HTTP/1.1\r\n{}", "a: b\r\n".repeat(200)), 431),
        (format!("POST / HTTP/1.1\r\na: {}\r\n", "b".repeat(20_000)), 431),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n".to_owned(), 400),
        // what hyper refuses itself
        ("POST / HTTP/1.1\r\nHost : x\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\n".to_owned(), 400),
        // paths that nobody serves
        ("POST /elsewhere HTTP/1.1\r\nHost: x\r\n".to_owned(), 404),
    ] {
        let mut connection = HttpConnection::open(&host.net);
        connection.send(format!("{head}Content-Length: 900000\r\n\r\n").as_bytes()).await;
        for _ in 0..90 {
            connection.send(&[b'x'; 10_000]).await;
        }
        assert_eq!(connection.read_response().await.status, status, "{head}");
    }
    host.end().await;
}

/// The requests in front of a head that is refused are answered first, also when that takes long.
#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_its_turn() {
    let host = Host::silent(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let poll = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", client.target());
    let fields = "a: b\r\n".repeat(200);
    let mut connection = HttpConnection::open(&host.net);
    connection.send(format!("{poll}GET / HTTP/1.1\r\n{fields}\r\n").as_bytes()).await;
    advance(s(20)).await;
    host.say("x");
    assert_eq!(connection.read_response().await.text(), "4x");
    assert_eq!(connection.read_response().await.status, 431);
    assert!(connection.read_to_end().await.is_empty());
    client.post(["4y"]).await;
    host.expect(&["open", "y"]);
    host.end().await;
}

/// What the peer still sends is read for a while, so that it sees the answer, but not for ever; and
/// it does not hold up the end of the server.
#[tokio::test(start_paused = true)]
async fn after_a_refusal() {
    let host = Host::echo(Options::default());
    for (sent, every, ends_after) in [(500, s(1), s(30)), (100_000, ms(1), ms(2))] {
        let mut connection = HttpConnection::open(&host.net);
        connection.send(&[b'x'; 20_000]).await;
        assert_eq!(connection.read_response().await.status, 431);
        let start = tokio::time::Instant::now();
        while host.stats().http_connections > 0 {
            connection.send(&vec![b'x'; sent]).await;
            advance(every).await;
        }
        let open = start.elapsed();
        assert!(open >= ends_after && open < ends_after + s(2), "{open:?}");
    }
    let mut connection = HttpConnection::open(&host.net);
    connection.send(&[b'x'; 20_000]).await;
    assert_eq!(connection.read_response().await.status, 431);
    let start = tokio::time::Instant::now();
    host.end().await;
    assert!(start.elapsed() < s(1));
}
