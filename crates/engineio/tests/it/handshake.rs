//! Opening a session: the checks in their order, and what is answered.

use engineio::{
    Application, Context, Message, NotFound, Options, Protocol, Server, Socket, TransportKind,
};
use serde_json::json;
use testkit::{
    Connector, Eio, HttpConnection, Polling, Request, Response, WebSocket, open_websocket, request,
};

use crate::host::{Host, Log, Road, ms, s};

async fn get(host: &Host, query: &str) -> Response {
    request(&host.net, Request::get(&format!("/engine.io/{query}"))).await
}

/// Expects a refusal: the status, and a body of the protocol's table.
#[track_caller]
fn refused(response: &Response, status: u16, code: u8, message: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.text(), format!(r#"{{"code":{code},"message":"{message}"}}"#));
    assert_eq!(response.header("content-type"), Some("application/json"));
}

/// Tries to open a WebSocket, and expects the answer to be a refusal in plain text, and the end of
/// the connection.
async fn refused_upgrade(
    host: &Host,
    query: &str,
    headers: &[(&str, &str)],
    expected: (u16, &str),
) {
    let target = format!("/engine.io/{query}");
    let response = WebSocket::connect(&host.net, &target, headers).await.unwrap_err();
    assert_eq!((response.status, response.text()), expected, "{query}");
    assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(response.header("connection"), Some("close"));
}

#[tokio::test(start_paused = true)]
async fn plain_requests_are_checked_in_the_order_of_the_reference() {
    let host = Host::echo(Options::default());
    for (query, code, message) in [
        ("", 0, "Transport unknown"),
        ("?EIO=4", 0, "Transport unknown"),
        ("?EIO=4&transport=foo", 0, "Transport unknown"),
        ("?EIO=4&transport=__proto__", 0, "Transport unknown"),
        ("?EIO=4&transport=foo&sid=none", 0, "Transport unknown"), // before the session
        ("?EIO=4&transport=polling&sid=none", 1, "Session ID unknown"),
        ("?EIO=4&transport=polling&sid=__proto__", 1, "Session ID unknown"),
        ("?EIO=4&transport=polling&sid=constructor", 1, "Session ID unknown"),
        ("?EIO=4&transport=polling&sid=%00%00", 1, "Session ID unknown"),
        ("?EIO=4&transport=polling&sid=%zz", 1, "Session ID unknown"),
        ("?EIO=4&transport=polling&sid=%ff%fe", 1, "Session ID unknown"),
        ("?EIO=4&transport=websocket", 3, "Bad request"),
        ("?EIO=4&transport=websocket&sid=none", 1, "Session ID unknown"),
    ] {
        refused(&get(&host, query).await, 400, code, message);
    }
    for (method, code, message) in [
        ("POST", 2, "Bad handshake method"),
        ("PUT", 2, "Bad handshake method"),
        ("OPTIONS", 2, "Bad handshake method"),
    ] {
        let response =
            request(&host.net, Request::new(method, "/engine.io/?EIO=4&transport=polling")).await;
        refused(&response, 400, code, message);
    }
    assert_eq!((host.stats().opened, host.stats().refused), (0, 16));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn upgrade_requests_are_refused_in_plain_text() {
    let host = Host::echo(Options::default());
    refused_upgrade(&host, "?EIO=4&transport=foo", &[], (400, "Transport unknown")).await;
    refused_upgrade(&host, "?EIO=4&transport=polling", &[], (400, "Bad request")).await;
    let unknown = (400, "Session ID unknown");
    refused_upgrade(&host, "?EIO=4&transport=websocket&sid=none", &[], unknown).await;
    let bad = (400, "Bad request");
    let query = "?EIO=4&transport=websocket";
    refused_upgrade(&host, query, &[("Sec-WebSocket-Key", "abc")], bad).await;
    refused_upgrade(&host, query, &[("Connection", "keep-alive")], bad).await;
    refused_upgrade(&host, query, &[("Sec-WebSocket-Version", "12")], (426, "Bad request")).await;

    let upgrade = Request::new("POST", &format!("/engine.io/{query}"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let response = request(&host.net, upgrade).await;
    assert_eq!((response.status, response.text()), (400, "Bad handshake method"));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn another_websocket_version_is_told_ours() {
    let host = Host::echo(Options::default());
    let target = host.net.target(Eio::V4, "websocket", "");
    let version = [("Sec-WebSocket-Version", "12")];
    let response = WebSocket::connect(&host.net, &target, &version).await.unwrap_err();
    assert_eq!(response.header("sec-websocket-version"), Some("13"));
    host.end().await;
}

roads! {
    async fn a_polling_session_opens(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let response = get(&host, "?EIO=4&transport=polling&t=abc").await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("set-cookie"), None);
        let open: serde_json::Value = serde_json::from_str(&response.text()[1..]).unwrap();
        let sid = open["sid"].as_str().unwrap();
        assert_eq!(sid.len(), 20);
        assert_eq!(
            open,
            json!({
                "sid": sid,
                "upgrades": ["websocket"],
                "pingInterval": 25000,
                "pingTimeout": 60000,
                "maxPayload": 1_000_000,
            })
        );
        let socket = host.server.session(sid).unwrap();
        assert_eq!(socket.id(), host.socket().id());
        assert_eq!((socket.protocol(), socket.transport()), (Protocol::V4, TransportKind::Polling));
        assert!(socket.is_open());
        host.expect(&["open"]);
        host.end().await;
    }
}

roads! {
    async fn a_websocket_session_opens(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let (mut client, open) = open_websocket(&host.net, Eio::V4, "").await;
        assert_eq!(open["upgrades"], json!([]));
        assert_eq!(client.response().header("set-cookie"), None);
        client.send_text("4hello").await;
        client.expect_text("4hello").await;
        client.send_binary(b"\x01\x02").await;
        client.expect_binary(b"\x01\x02").await;
        let socket = host.socket();
        assert_eq!(socket.transport(), TransportKind::WebSocket);
        assert_eq!(Some(socket.id()), open["sid"].as_str());
        drop(client);
        let told = ["open", "hello", r#"b"\x01\x02""#, "close: transport close"];
        assert_eq!(host.log.closed().await, told);
        host.expect_no_sessions().await;
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn protocol_3_is_what_is_not_4() {
    let host = Host::echo(Options::default());
    for query in ["EIO=3", "EIO=5", "EIO=04", "EIO=4&EIO=3", "x=1"] {
        let response = get(&host, &format!("?{query}&transport=polling")).await;
        let body = response.text();
        let (length, packet) = body.split_once(':').unwrap();
        assert_eq!(length.parse(), Ok(packet.len()), "{query}");
        assert!(packet.starts_with("0{\"sid\":"), "{query}");
        assert_eq!(host.socket().protocol(), Protocol::V3, "{query}");
    }
    assert_eq!(host.stats().opened, 5);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn protocol_3_can_be_switched_off() {
    let mut options = Options::default();
    options.allow_eio3 = false;
    let host = Host::echo(options);
    for query in ["?EIO=3&transport=polling", "?transport=polling"] {
        refused(&get(&host, query).await, 400, 5, "Unsupported protocol version");
    }
    let unsupported = (400, "Unsupported protocol version");
    refused_upgrade(&host, "?EIO=3&transport=websocket", &[], unsupported).await;
    Polling::open(&host.net, Eio::V4, "").await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_sid_is_none() {
    let host = Host::echo(Options::default());
    assert_eq!(get(&host, "?EIO=4&transport=polling&sid=").await.status, 200);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_speaks_the_protocol_that_it_began_with() {
    let host = Host::echo(Options::default());
    let mut four = Polling::open(&host.net, Eio::V4, "").await;
    let three = Polling::open(&host.net, Eio::V3, "").await;
    for (sid, other) in [(four.sid(), "3"), (four.sid(), "x"), (three.sid(), "4")] {
        let query = format!("?EIO={other}&sid={sid}&transport=");
        refused(&get(&host, &format!("{query}polling")).await, 400, 3, "Bad request");
        refused_upgrade(&host, &format!("{query}websocket"), &[], (400, "Bad request")).await;
    }
    // by the way: a plain request for a WebSocket of a polling session
    let query = format!("?EIO=4&transport=websocket&sid={}", four.sid());
    refused(&get(&host, &query).await, 400, 3, "Bad request");
    four.post(["4still here"]).await;
    assert_eq!(four.next().await, "4still here");
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn other_paths_are_not_ours() {
    let host = Host::echo(Options::default());
    for path in ["/", "/engine.iox/?EIO=4&transport=polling", "/engine.io?EIO=4&transport=polling"]
    {
        let response = request(&host.net, Request::get(path)).await;
        assert_eq!((response.status, response.body.len()), (404, 0), "{path}");
    }
    // what follows the slash does not matter
    let path = "/engine.io/any/thing?EIO=4&transport=polling";
    assert_eq!(request(&host.net, Request::get(path)).await.status, 200);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn handshakes_can_be_pipelined() {
    let host = Host::echo(Options::default());
    let mut connection = HttpConnection::open(&host.net);
    let handshake = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n\r\n";
    connection.send(handshake.repeat(2).as_bytes()).await;
    let first = connection.read_response().await;
    let second = connection.read_response().await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_ne!(first.body, second.body);
    assert_eq!(host.stats().sessions, 2);
    drop(connection);
    host.end().await;
}

/// Sends a request that is none, and expects a status and the end of the connection.
async fn malformed(host: &Host, head: &str, statuses: &[u16]) {
    let mut connection = HttpConnection::open(&host.net);
    connection.send(head.as_bytes()).await;
    let status = connection.read_response().await.status;
    assert!(statuses.contains(&status), "{status} for {:?}", &head[..head.len().min(200)]);
    connection.read_to_end().await;
}

#[tokio::test(start_paused = true)]
async fn malformed_requests_end_their_connection() {
    let host = Host::echo(Options::default());
    let get =
        |rest: &str| format!("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n{rest}\r\n");
    let long = "x".repeat(20_000);
    malformed(&host, &get(&format!("Host: test\r\nX-Long: {long}\r\n")), &[431]).await;
    let fields: String = (0..3000).map(|i| format!("x{i:04}: 1\r\n")).collect();
    malformed(&host, &get(&format!("Host: test\r\n{fields}")), &[431, 400]).await;
    let target = format!("GET /engine.io/?{long} HTTP/1.1\r\nHost: test\r\n\r\n");
    malformed(&host, &target, &[414, 431, 400]).await;
    malformed(&host, &get("Host : test\r\n"), &[400]).await;
    malformed(&host, &get("Host: test\r\nContent-Length: 2\r\nContent-Length: 3\r\n"), &[400])
        .await;
    malformed(&host, &get("Host: test\r\nContent-Length: +2\r\n"), &[400]).await;
    malformed(&host, &get("Host: test\r\nOrigin: http://a\u{1}b\r\n"), &[400]).await;
    malformed(&host, "\x16\x03\x01\x02\x00\x01\x00 / HTTP/1.1\r\n\r\n", &[400]).await;
    assert_eq!(host.stats().opened, 0);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_needs_a_host() {
    let host = Host::echo(Options::default());
    let mut connection = HttpConnection::open(&host.net);
    connection.send(b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n\r\n").await;
    refused(&connection.read_response().await, 400, 3, "Bad request");
    drop(connection);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_ends_its_connection() {
    let mut options = Options::default();
    options.header_timeout = s(3);
    let host = Host::echo(options);
    let mut silent = HttpConnection::open(&host.net);
    let mut slow = HttpConnection::open(&host.net);
    slow.send(b"GET /engine.io/").await;
    silent.expect_silence(ms(2900)).await;
    silent.read_to_end().await;
    slow.read_to_end().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_request_of_a_session_is_kept() {
    let host = Host::echo(Options::default());
    let net = host.net.clone().with_header("X-Token", "abc");
    Polling::open(&net, Eio::V4, "user=1").await;
    let socket = host.socket();
    let request = socket.request();
    assert_eq!(request.header("x-token"), Some("abc"));
    assert_eq!(request.uri(), "/engine.io/?EIO=4&transport=polling&user=1");
    assert_eq!(request.method(), "GET");
    assert_eq!(socket.remote_addr(), Some(([203, 0, 113, 7], 5000).into()));
    host.end().await;
}

/// What the application sends when it is told of the session is in the first answer.
#[tokio::test(start_paused = true)]
async fn first_words() {
    struct Greets(Socket);
    impl Application for Greets {
        fn on_open(&mut self, _: &mut Context<'_>) {
            self.0.send(Message::Text("hello")).unwrap();
        }
        fn on_message(&mut self, _: Message<'_>, _: &mut Context<'_>) {}
    }
    let greets = |socket: &Socket| -> Box<dyn Application> { Box::new(Greets(socket.clone())) };
    let host = Host::memory(Options::default(), Log::default(), greets);
    let response = get(&host, "?EIO=3&transport=polling").await;
    assert!(response.text().ends_with("}6:4hello"), "{response:?}");
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    client.expect_text("4hello").await;
    drop(client);
    host.end().await;
}

/// Without a layer above sessions open, and what they send is dropped.
#[tokio::test(start_paused = true)]
async fn a_server_without_an_application() {
    let server = Server::new(Options::default()).unwrap();
    let engine = server.clone();
    let net = Connector::new(move |stream| {
        let engine = engine.clone();
        let peer = ([127, 0, 0, 1], 1).into();
        tokio::spawn(async move {
            engine.serve_connection(stream, peer, engine.fallback(NotFound)).await;
        });
    });
    let (mut client, _) = open_websocket(&net.with_path("/engine.io/"), Eio::V4, "").await;
    client.send_text("4x").await;
    client.expect_silence(s(1)).await;
    drop(client);
    // the first layer counts
    let nobody = |_: &Socket| -> Box<dyn Application> { unreachable!() };
    assert!(server.on_connection(nobody));
    assert!(!server.on_connection(nobody));
    server.close().await;
    assert_eq!(server.stats().messages_in, 1);
}
