//! Connections that another HTTP server has read the request for an upgrade of.

use engineio::{AnswerHeaders, Options, Refused, RemoteAddr, Request, TransportKind};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use testkit::{Connector, Eio, Frame, Polling, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::host::Host;

/// The way to a server whose requests are read here; what follows a request at once is handed over
/// with it.
fn adopting(host: &Host) -> Connector {
    let server = host.server.clone();
    Connector::new(move |mut stream| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut read = Vec::new();
            let end = loop {
                if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                    break at;
                }
                if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                    return;
                }
            };
            let (head, rest) = read.split_at(end);
            server.adopt(stream, request(head), &rest[4..]).await;
        });
    })
}

fn request(head: &[u8]) -> http::request::Parts {
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let mut request =
        http::Request::builder().method(first.next().unwrap()).uri(first.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    let mut answer = HeaderMap::new();
    answer.insert(HeaderName::from_static("x-own"), HeaderValue::from_static("yes"));
    request
        .extension(AnswerHeaders(answer))
        .extension(RemoteAddr(([192, 0, 2, 7], 1).into()))
        .body(())
        .unwrap()
        .into_parts()
        .0
}

#[tokio::test(start_paused = true)]
async fn a_session_begins_on_an_adopted_stream() {
    let host = Host::echo(Options::default());
    let target = "/engine.io/?EIO=4&transport=websocket";
    let mut websocket = WebSocket::connect(&adopting(&host), target, &[]).await.unwrap();
    assert!(matches!(websocket.next().await, Frame::Text(open) if open.starts_with('0')));
    websocket.send_text("4hi").await;
    websocket.expect_text("4hi").await;
    let socket = host.socket();
    assert_eq!(socket.transport(), TransportKind::WebSocket);
    assert_eq!(socket.remote_addr(), Some(([192, 0, 2, 7], 1).into()));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_polls_goes_on_with_an_adopted_stream() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let target = client.target().replace("transport=polling", "transport=websocket");
    let mut websocket = WebSocket::connect(&adopting(&host), &target, &[]).await.unwrap();
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    websocket.send_text("5").await;
    websocket.send_text("4hi").await;
    websocket.expect_text("4hi").await;
    assert_eq!(host.stats().upgraded, 1);
}

/// The answer names its fields as RFC 6455 does, and what was read too early is not lost.
#[tokio::test(start_paused = true)]
async fn the_answer_is_written_and_the_rest_is_read() {
    let host = Host::echo(Options::default());
    let mut stream = adopting(&host).connect();
    let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let early = testkit::frame(true, 1, Some([0; 4]), b"4early");
    stream.write_all(&[request.as_bytes(), &early].concat()).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"4early") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
    }
    let head = String::from_utf8_lossy(&read);
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    assert!(head.contains("\r\nX-Own: yes\r\n"), "{head}");
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_told_and_the_stream_ends() {
    let mut options = Options::default();
    options.set_allow_request(|_: Request| Err::<(), _>(Refused::forbidden()));
    let host = Host::echo(options);
    let mut stream = adopting(&host).connect();
    let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nForbidden"), "{answer}");
    host.expect_no_sessions().await;
}
