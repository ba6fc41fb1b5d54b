//! Sessions over a stream of packets behind their lengths, which no HTTP server brings.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use engineio::{
    AdmitError, CloseReason, HandshakeError, Message, Options, Origins, Refused, RemoteAddr,
    Request, Secure, TransportKind,
};
use testkit::{Eio, Polling, settle};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf,
};

use crate::host::{Host, ms, s};

/// The client's end of a stream, with a codec of its own.
struct Client(DuplexStream);

impl Client {
    async fn send(&mut self, is_binary: bool, payload: &[u8]) {
        self.0.write_all(&packet(is_binary, payload)).await.unwrap();
    }

    async fn send_text(&mut self, text: &str) {
        self.send(false, text.as_bytes()).await;
    }

    /// The next packet, and whether it is binary; `None` is the end.
    async fn next(&mut self) -> Option<(bool, Vec<u8>)> {
        let first = self.0.read_u8().await.ok()?;
        let length = match first & 0x7f {
            126 => u64::from(self.0.read_u16().await.unwrap()),
            127 => self.0.read_u64().await.unwrap(),
            length => u64::from(length),
        };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.unwrap();
        Some((first & 0x80 != 0, payload))
    }

    #[track_caller]
    fn expect(&mut self, text: &str) -> impl Future<Output = ()> {
        let expected = (false, text.as_bytes().to_vec());
        async move { assert_eq!(self.within_time().await, Some(expected)) }
    }

    /// Expects the end of the stream.
    async fn expect_end(&mut self) {
        assert_eq!(self.within_time().await, None);
    }

    async fn within_time(&mut self) -> Option<(bool, Vec<u8>)> {
        tokio::time::timeout(s(120), self.next()).await.expect("a packet, or the end")
    }
}

fn packet(is_binary: bool, payload: &[u8]) -> Vec<u8> {
    let mark = if is_binary { 0x80 } else { 0 };
    let mut packet = match payload.len() {
        length @ 0..=125 => vec![mark | length as u8],
        length @ 126..=0xffff => [&[mark | 126][..], &(length as u16).to_be_bytes()].concat(),
        length => [&[mark | 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    packet.extend_from_slice(payload);
    packet
}

fn options() -> Options {
    let mut options = Options::default();
    options.transports = TransportKind::ALL.to_vec();
    options
}

fn request() -> Request {
    let connect = http::Request::connect("/engine.io/?a=b")
        .header("origin", "https://example.com")
        .extension(RemoteAddr(([203, 0, 113, 7], 4433).into()))
        .extension(Secure);
    Request::from(connect.body(()).unwrap())
}

/// A stream to a server that lets its client in.
async fn connect(host: &Host) -> Client {
    let admission = host.server.admit(request()).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(admission.serve(theirs));
    Client(ours)
}

/// A session that is open.
async fn open(host: &Host) -> Client {
    let mut client = connect(host).await;
    client.send_text("0").await;
    let (is_binary, open) = client.within_time().await.unwrap();
    assert!(!is_binary && open.starts_with(br#"0{"sid":""#), "{open:?}");
    client
}

#[tokio::test(start_paused = true)]
async fn a_session_from_its_open_packet_to_its_end() {
    let host = Host::echo(options());
    let mut client = connect(&host).await;
    // what comes with the first packet is of the session
    client.0.write_all(b"\x010\x064early").await.unwrap();
    let (_, open) = client.within_time().await.unwrap();
    let socket = host.socket();
    let (sid, times) = (socket.id(), r#""pingInterval":25000,"pingTimeout":60000"#);
    let expected = format!(r#"0{{"sid":"{sid}","upgrades":[],{times},"maxPayload":1000000}}"#);
    assert_eq!(String::from_utf8(open).unwrap(), expected);
    client.expect("4early").await;
    assert_eq!(socket.transport(), TransportKind::WebTransport);
    assert_eq!(socket.remote_addr(), Some(([203, 0, 113, 7], 4433).into()));
    let request = socket.request();
    assert_eq!((request.method(), request.query()), ("CONNECT", "a=b"));
    assert!(request.is_secure());

    client.send(true, &[1, 2, 3]).await;
    assert_eq!(client.within_time().await, Some((true, vec![1, 2, 3])));
    for length in [124, 125, 65_534, 65_535, 999_999] {
        let text = "x".repeat(length);
        client.send_text(&format!("4{text}")).await;
        client.expect(&format!("4{text}")).await;
    }
    // byte by byte, and many at once
    for byte in packet(false, b"4slow") {
        client.0.write_all(&[byte]).await.unwrap();
        settle().await;
    }
    client.expect("4slow").await;
    let many: Vec<u8> = (0..100).flat_map(|n| packet(false, format!("4{n}").as_bytes())).collect();
    client.0.write_all(&many).await.unwrap();
    for n in 0..100 {
        client.expect(&format!("4{n}")).await;
    }
    let is_it = |kind: &&(TransportKind, _, usize)| kind.0 == TransportKind::WebTransport;
    assert_eq!(host.stats().open.iter().filter(is_it).map(|kind| kind.2).collect::<Vec<_>>(), [1]);

    host.log.take();
    client.send_text("1").await;
    assert_eq!(host.log.closed().await, ["close: transport close"]);
    client.expect_end().await;
    drop(client);
    host.expect_no_sessions().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_binary_message_travels_as_text() {
    let host = Host::echo(options());
    let mut client = open(&host).await;
    client.send_text("b").await;
    client.expect("b").await;
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat() {
    let host = Host::silent(options());
    let mut client = open(&host).await;
    client.expect("2").await;
    client.send_text("3").await;
    client.expect("2").await;
    // silence from here on
    assert_eq!(host.log.until(|event| event.starts_with("open")).await, ["open"]);
    client.expect_end().await;
    assert_eq!(host.log.closed().await, ["close: ping timeout"]);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_is_written_to_its_end() {
    let host = Host::silent(options());
    let mut client = open(&host).await;
    host.say("last");
    host.socket().close();
    client.expect("4last").await;
    client.expect_end().await;
    assert_eq!(host.log.closed().await, ["open", "close: forced close"]);
    // its peer's end is waited for
    assert_eq!(host.stats().sessions, 1);
    drop(client);
    host.expect_no_sessions().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves() {
    let host = Host::silent(options());
    let mut client = open(&host).await;
    // the end in the middle of a packet: what was whole is delivered
    client.0.write_all(b"\x064whole\x064ha").await.unwrap();
    drop(client);
    assert_eq!(host.log.closed().await, ["open", "whole", "close: transport close"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_rules_ends_the_session() {
    let long = [&[0x7f][..], &1_000_001_u64.to_be_bytes()].concat();
    let rows: [(&[u8], &str); 8] = [
        (b"\0", "close: parse error"),
        (b"\x80", "close: parse error"),
        (b"\x7e\0\0", "close: parse error"),
        (b"\x019", "close: parse error"),
        (b"\x034\xff\xff", "close: parse error"),
        (&long, "close: parse error, TooLarge"),
        (b"\x012", "close: transport error"),
        (b"\x011", "close: transport close"),
    ];
    for (bytes, end) in rows {
        let host = Host::silent(options());
        let mut client = open(&host).await;
        client.0.write_all(b"\x024a").await.unwrap();
        client.0.write_all(bytes).await.unwrap();
        client.0.write_all(b"\x024b").await.unwrap();
        assert_eq!(host.log.closed().await, ["open", "a", end], "{bytes:?}");
        client.expect_end().await;
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn limits_hold() {
    let mut options = options();
    options.max_outbound_bytes = 1024;
    options.max_sessions = Some(1);
    let host = Host::silent(options);
    let client = open(&host).await;
    let refused = host.server.admit(request()).await.unwrap_err();
    assert_eq!(refused, AdmitError::Unavailable("Too many sessions"));
    assert_eq!((refused.status(), host.stats().refused), (503, 1));
    // a client that takes nothing
    let text = "x".repeat(1000);
    for _ in 0..200 {
        let _ = host.socket().send(Message::Text(&text));
        settle().await;
    }
    assert_eq!(host.log.closed().await, ["open", "close: transport error, SlowConsumer"]);
    drop(client);
    host.expect_no_sessions().await;
    host.end().await;
}

/// Who is refused has nothing in any table.
#[tokio::test(start_paused = true)]
async fn who_is_let_in() {
    let forbidden = |words: Option<&'static str>| {
        AdmitError::Refused(HandshakeError::Forbidden(words.map(Into::into)))
    };
    let refused = async |options: Options, expected: AdmitError, status| {
        let host = Host::silent(options);
        let refused = host.server.admit(request()).await.unwrap_err();
        assert_eq!((&refused, refused.status()), (&expected, status));
        assert_eq!((host.stats().refused, host.stats().opened), (1, 0));
        host.end().await;
    };
    let unknown = AdmitError::Refused(HandshakeError::TransportUnknown);
    refused(Options::default(), unknown, 400).await;
    let mut origins = options();
    origins.origins = Origins::list("https://other.example").unwrap();
    refused(origins, forbidden(None), 403).await;
    let mut decision = options();
    decision.set_allow_request(|request: Request| match request.query() {
        "a=b" => Err(Refused::with("banned")),
        _ => Ok(()),
    });
    refused(decision, forbidden(Some("banned")), 403).await;
    let mut panics = options();
    panics.set_allow_request(|_: Request| -> Result<(), Refused> { panic!("as it is tested") });
    refused(panics, AdmitError::Panicked, 500).await;

    let host = Host::silent(options());
    let admission = host.server.admit(request()).await.unwrap();
    host.server.close().await;
    let late = host.server.admit(request()).await.unwrap_err();
    assert_eq!(late, AdmitError::Unavailable("Server is closing"));
    let (mut ours, theirs) = tokio::io::duplex(64);
    ours.write_all(b"\x010").await.unwrap();
    assert_eq!(admission.serve(theirs).await.unwrap_err(), late);
    assert_eq!(host.stats().opened, 0);
}

#[tokio::test(start_paused = true)]
async fn a_first_packet_that_opens_nothing() {
    let host = Host::silent(options());
    let long = packet(false, &[b'0'; 5000]);
    let rows: [(&[u8], AdmitError); 10] = [
        (b"\x0240", AdmitError::NotOpened),
        (b"\x81\x00", AdmitError::NotOpened),
        (b"\0", AdmitError::NotOpened),
        (&long, AdmitError::NotOpened),
        (b"\x020x", AdmitError::NotOpened),
        (b"\x030{}", AdmitError::NotOpened),
        (b"\x0a0{\"sid\":1}", AdmitError::NotOpened),
        (b"\x0c0{\"sid\":\"a\"}", AdmitError::Refused(HandshakeError::UnknownSession)),
        (b"\x0c0{\"sid\":\"a\"", AdmitError::NotOpened),
        (b"", AdmitError::NotOpened),
    ];
    for (bytes, expected) in rows {
        let admission = host.server.admit(request()).await.unwrap();
        let (mut ours, theirs) = tokio::io::duplex(8192);
        ours.write_all(bytes).await.unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(admission.serve(theirs).await.unwrap_err(), expected, "{bytes:?}");
        assert_eq!(ours.read_u8().await.ok(), None, "the stream ended");
    }
    // one that never comes, of a stream that stays
    let admission = host.server.admit(request()).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(64);
    let begin = tokio::time::Instant::now();
    assert_eq!(admission.serve(theirs).await.unwrap_err(), AdmitError::NotOpened);
    assert_eq!(begin.elapsed(), s(10));
    drop(ours);
    assert_eq!((host.stats().opened, host.stats().refused), (0, 11));
    host.end().await;
}

/// A stream that names the session of a polling client.
async fn probe(host: &Host, sid: &str) -> Client {
    let mut client = connect(host).await;
    client.send_text(&format!(r#"0{{"sid":"{sid}"}}"#)).await;
    client
}

#[tokio::test(start_paused = true)]
async fn a_polling_session_is_upgraded() {
    let host = Host::echo(options());
    let mut polling = Polling::open(&host.net, Eio::V4, "").await;
    assert_eq!(polling.handshake()["upgrades"], serde_json::json!(["websocket", "webtransport"]));
    let mut client = probe(&host, polling.sid()).await;
    client.send_text("2probe").await;
    client.expect("3probe").await;
    host.say("waits");
    // no open packet, and what waits first
    client.0.write_all(b"\x015\x064hello").await.unwrap();
    client.expect("4waits").await;
    client.expect("4hello").await;
    assert_eq!(host.socket().transport(), TransportKind::WebTransport);
    assert_eq!((host.stats().upgraded, host.stats().opened), (1, 1));
    let refused = polling.poll_response().await;
    assert_eq!(refused.json(), serde_json::json!({"code": 3, "message": "Bad request"}));
    // whoever knows the id takes nothing over
    let mut other = probe(&host, polling.sid()).await;
    other.expect_end().await;
    client.send_text("4still").await;
    client.expect("4still").await;
    host.socket().close_with(CloseReason::ForcedClose);
    client.expect_end().await;
    drop(client);
    host.expect_no_sessions().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_ends_leaves_the_session_polling() {
    let host = Host::echo(options());
    let mut polling = Polling::open(&host.net, Eio::V4, "").await;
    for wrong in [&b"\x024a"[..], b"\x81\x05", b"\0", b"\x062probe\x062other", b"\x011"] {
        let mut client = probe(&host, polling.sid()).await;
        client.0.write_all(wrong).await.unwrap();
        while client.within_time().await.is_some() {}
    }
    // one at a time
    let mut first = probe(&host, polling.sid()).await;
    settle().await;
    probe(&host, polling.sid()).await.expect_end().await;
    // and not for ever
    first.send_text("2probe").await;
    first.expect("3probe").await;
    let begin = tokio::time::Instant::now();
    first.expect_end().await;
    assert!(begin.elapsed() >= s(9) && begin.elapsed() <= s(11), "{:?}", begin.elapsed());
    assert_eq!(host.socket().transport(), TransportKind::Polling);
    polling.post(["4unharmed"]).await;
    while polling.next().await != "4unharmed" {}
    host.socket().close();
    host.end().await;
}

/// It is offered, and taken, where it is allowed only.
#[tokio::test(start_paused = true)]
async fn no_upgrade_where_none_is_offered() {
    let mut no_upgrades = options();
    no_upgrades.allow_upgrades = false;
    for (options, eio) in [(no_upgrades, Eio::V4), (options(), Eio::V3)] {
        let host = Host::silent(options);
        let polling = Polling::open(&host.net, eio, "").await;
        let upgrades = polling.handshake()["upgrades"].to_string();
        assert!(!upgrades.contains("webtransport"), "{upgrades}");
        probe(&host, polling.sid()).await.expect_end().await;
        assert_eq!(host.socket().transport(), TransportKind::Polling);
        host.socket().close();
        host.end().await;
    }
}

/// HTTP requests cannot ask for it.
#[tokio::test(start_paused = true)]
async fn no_transport_of_http() {
    let host = Host::silent(options());
    let target = host.net.target(Eio::V4, "webtransport", "");
    let refused = testkit::request(&host.net, testkit::Request::get(&target)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json(), serde_json::json!({"code": 0, "message": "Transport unknown"}));
    host.end().await;
}

/// Who writes and does not read is not read, either.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_slowed_down() {
    let mut options = options();
    options.max_outbound_bytes = 100_000;
    let host = Host::echo(options);
    let mut client = open(&host).await;
    let message = packet(false, format!("4{}", "x".repeat(999)).as_bytes());
    let mut sent = 0;
    let flood = async {
        while sent < 10_000 {
            client.0.write_all(&message).await.unwrap();
            sent += 1;
        }
    };
    assert!(tokio::time::timeout(ms(1000), flood).await.is_err(), "it waits");
    assert!(sent < 1000 && host.socket().is_open(), "{sent}");
    assert!(host.socket().queued_bytes() <= 100_000, "{}", host.socket().queued_bytes());
    drop(client);
    host.log.closed().await;
    host.end().await;
}

/// A stream whose end is that of what carries it, for a broken rule.
struct Breaks(DuplexStream);

impl AsyncRead for Breaks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
        Poll::Ready(match buffer.filled().len() > before {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        })
    }
}

impl AsyncWrite for Breaks {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_rule_of_what_carries_a_stream_is_a_transport_error() {
    let host = Host::echo(options());
    let admission = host.server.admit(request()).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(admission.serve(Breaks(theirs)));
    let mut client = Client(ours);
    client.0.write_all(b"\x010\x064whole\x054cut").await.unwrap();
    client.within_time().await.unwrap();
    client.expect("4whole").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(host.log.closed().await, ["open", "whole", "close: transport error"]);
    host.expect_no_sessions().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_server_waits_for_what_is_present() {
    let host = Host::echo(options());
    let mut client = open(&host).await;
    let mut listener = host.server.presence();
    let mut connection = host.server.connection(peer(1)).unwrap();
    let closing = tokio::spawn({
        let server = host.server.clone();
        async move { server.close().await }
    });
    listener.closing().await;
    drop(listener);
    client.expect_end().await;
    drop(client);
    connection.finishing().await;
    settle().await;
    assert!(!closing.is_finished(), "a connection is left");
    drop(connection);
    closing.await.unwrap();

    // what does not end is cut off
    let host = Host::echo(options());
    let mut connection = host.server.connection(peer(1)).unwrap();
    {
        let mut cut_off = std::pin::pin!(connection.cut_off());
        assert!(poll_fn(|cx| Poll::Ready(cut_off.as_mut().poll(cx))).await.is_pending());
        host.server.close().within(s(3)).await;
        cut_off.await;
    }
    drop(connection);
}

#[tokio::test(start_paused = true)]
async fn connections_of_other_listeners_have_places_of_their_address() {
    let mut options = options();
    options.max_connections_per_address = Some(2);
    let host = Host::echo(options);
    let mut first = host.server.connection(peer(1)).unwrap();
    let second = host.server.connection(peer(1)).unwrap();
    assert!(host.server.connection(peer(1)).is_none());
    assert!(host.server.connection(peer(2)).is_some());
    assert_eq!(host.stats().limits.get("max_connections_per_address"), 1);
    // as for a WebSocket
    first.carries_session();
    let third = host.server.connection(peer(1)).unwrap();
    drop((first, second, third));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn paths_are_compared_as_those_of_requests() {
    let host = Host::echo(options());
    for (path, is_served) in [
        ("/engine.io/", true),
        ("/engine.io/more", true),
        ("/engine.io", false),
        ("/engine.iox/", false),
        ("/", false),
        ("", false),
    ] {
        assert_eq!(host.server.serves(path), is_served, "{path}");
    }
    host.end().await;
}

fn peer(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 4433).into()
}
