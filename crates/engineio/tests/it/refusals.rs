//! Answers to requests whose bodies nobody wants: a client that is still sending gets them.

use engineio::{NotFound, Options, Origins, Rate, Refused, Server};
use testkit::{Connector, Eio, HttpConnection, Polling, Request, Response};
use tokio::net::TcpListener;

use crate::host::{Host, Log, Road, advance, echo, ms, s};

/// As much as the largest body that is wanted, so much that no buffer of the system takes it.
const LARGE: usize = 900_000;

/// Sends a request to its end, and only then looks at the answer.
async fn exchange(net: &Connector, head: &str, body: &[u8]) -> (Response, HttpConnection) {
    let mut connection = HttpConnection::open(net);
    let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
    connection.send(head.as_bytes()).await;
    for piece in body.chunks(16 * 1024) {
        connection.send(piece).await;
    }
    (connection.read_response().await, connection)
}

/// Requests with bodies that are refused, and how.
async fn check(net: &Connector, eio: Eio, refused: &[(&str, &str, u16)]) {
    let target = net.target(eio, "polling", "");
    for (method, query, status) in refused {
        for size in [1_000, 60_000, LARGE] {
            let head = format!(
                "{method} {target}{query} HTTP/1.1\r\nHost: x\r\nOrigin: http://page.test\r\n"
            );
            let (answer, mut connection) = exchange(net, &head, &vec![b'x'; size]).await;
            assert_eq!(answer.status, *status, "{method} {query}, {size} bytes");
            if answer.header("connection") != Some("close") {
                let again = connection.request(&Request::get("/elsewhere")).await;
                assert_eq!(again.status, 404, "{method} {query}, {size} bytes: it goes on");
            }
        }
    }
}

roads! {
    async fn requests_without_a_session(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let all = [
            ("POST", "&sid=AAAAAAAAAAAAAAAAAAAA", 400),
            ("POST", "", 400),
            ("PUT", "", 400),
            ("DELETE", "&sid=AAAAAAAAAAAAAAAAAAAA", 400),
            ("OPTIONS", "", 400),
            ("POST", "&transport=none", 400),
            ("POST", "&transport=websocket", 400),
            ("POST", "&EIO=3&sid=AAAAAAAAAAAAAAAAAAAA", 400),
            // a handshake with a body: nobody asked for that, either
            ("GET", "", 200),
        ];
        check(&host.net, Eio::V4, &all).await;
        host.end().await;
    }
}

roads! {
    async fn requests_of_a_session(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let client = Polling::open(&host.net, Eio::V4, "").await;
        let sid = format!("&sid={}", client.sid());
        let all =
            [("PUT", 500), ("OPTIONS", 200)].map(|(method, status)| (method, &*sid, status));
        check(&host.net, Eio::V4, &all).await;
        for content_type in ["application/octet-stream", "text/plain"] {
            let client = Polling::open(&host.net, Eio::V4, "").await;
            let head = format!(
                "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n",
                client.target()
            );
            let mut first = HttpConnection::open(&host.net);
            if content_type == "text/plain" {
                // two at a time
                first.send(format!("{head}Content-Length: 2\r\n\r\n").as_bytes()).await;
                advance(ms(20)).await;
            }
            let (answer, mut connection) = exchange(&host.net, &head, &vec![b'4'; LARGE]).await;
            assert_eq!(answer.status, 400, "{content_type}");
            connection.read_to_end().await;
        }
        host.end().await;
    }
}

roads! {
    async fn requests_that_the_server_has_no_place_for(road: Road) {
        let post = [("GET", "", 403)];
        let mut options = Options::default();
        options.origins = Origins::list("https://ok.test").unwrap();
        let host = Host::echo_on(road, options).await;
        check(&host.net, Eio::V4, &post).await;
        host.end().await;

        let mut options = Options::default();
        options.set_allow_request(|_: engineio::Request| Err::<(), _>(Refused::forbidden()));
        let host = Host::echo_on(road, options).await;
        check(&host.net, Eio::V4, &post).await;
        host.end().await;

        let mut options = Options::default();
        options.max_connect_rate_per_address = Some(Rate::new(1, s(3600)));
        let host = Host::echo_on(road, options).await;
        Polling::open(&host.net, Eio::V4, "").await;
        check(&host.net, Eio::V4, &[("GET", "", 429)]).await;
        host.end().await;

        let mut options = Options::default();
        options.max_sessions = Some(1);
        let host = Host::echo_on(road, options).await;
        Polling::open(&host.net, Eio::V4, "").await;
        check(&host.net, Eio::V4, &[("GET", "", 503)]).await;
        let draining = host.server.drain(s(0));
        check(&host.net, Eio::V4, &[("GET", "", 503)]).await;
        drop(draining);
        host.end().await;
    }
}

/// One that waits to be asked for its body gets its answer instead, and nobody waits for the body.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_100_is_not_asked() {
    let host = Host::echo(Options::default());
    let mut connection = HttpConnection::open(&host.net);
    let head = "POST /engine.io/?EIO=4&transport=polling&sid=none HTTP/1.1\r\nHost: x\r\n\
        Expect: 100-continue\r\nContent-Length: 900000\r\n\r\n";
    connection.send(head.as_bytes()).await;
    let start = tokio::time::Instant::now();
    assert_eq!(connection.read_response().await.status, 400);
    assert_eq!(start.elapsed(), s(0));
    connection.read_to_end().await;
    assert!(start.elapsed() < s(4));
    host.end().await;
}

/// What is read of a body that is not wanted has bounds.
#[tokio::test(start_paused = true)]
async fn a_body_without_end_is_cut_off() {
    let mut options = Options::default();
    options.body_timeout = s(10);
    options.max_http_buffer_size = 1_000_000;
    let host = Host::echo(options);
    let head = "POST /engine.io/?EIO=4&transport=polling&sid=none HTTP/1.1\r\nHost: x\r\n\
        Content-Length: 900000000\r\n\r\n";
    // in time
    let mut connection = HttpConnection::open(&host.net);
    connection.send(head.as_bytes()).await;
    let start = tokio::time::Instant::now();
    assert_eq!(connection.read_response().await.status, 400);
    while start.elapsed() < s(9) {
        connection.send(b"x").await;
        advance(s(1)).await;
    }
    connection.read_to_end().await;
    assert!(start.elapsed() < s(12), "{:?}", start.elapsed());
    assert_eq!(host.stats().limits.get("body_timeout"), 1);
    // in bytes: eight times the largest body that is wanted
    let mut connection = HttpConnection::open(&host.net);
    connection.send(head.as_bytes()).await;
    assert_eq!(connection.read_response().await.status, 400);
    for _ in 0..8_100 {
        connection.send(&[b'x'; 1000]).await;
    }
    connection.read_to_end().await;
    host.end().await;
}

/// Under another HTTP server, and for files that somebody else serves below the path.
#[tokio::test]
async fn under_another_server() {
    struct Files;
    impl engineio::Intercept for Files {
        fn intercept(
            &self,
            _: &http::request::Parts,
            rest: &str,
        ) -> Option<http::Response<bytes::Bytes>> {
            (rest == "file").then(|| http::Response::new("content".into()))
        }
    }
    let server = Server::new(Options::default()).unwrap();
    server.on_connection(Log::default().application(echo));
    let service = server.fallback(NotFound).intercept(std::sync::Arc::new(Files));
    let own =
        server.attach_service(TcpListener::bind("127.0.0.1:0").await.unwrap(), service.clone());
    let own = own.unwrap().local_addr();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback_service(service);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    for address in [own, other] {
        let net = Connector::tcp(address).with_path("/engine.io/");
        check(&net, Eio::V4, &[("POST", "&sid=AAAA", 400), ("PUT", "", 400)]).await;
        let head = "POST /engine.io/file HTTP/1.1\r\nHost: x\r\n";
        let (answer, _) = exchange(&net, head, &vec![b'x'; LARGE]).await;
        assert_eq!((answer.status, answer.text()), (200, "content"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    server.close().await;
    serving.abort();
}
