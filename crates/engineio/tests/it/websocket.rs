//! WebSocket sessions: frames, their violations, the close.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use engineio::{CloseDetail, Limit, Options};
use testkit::{Eio, Frame, HttpConnection, WebSocket, frame, open_websocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::host::{Host, Road, ms, s};

const PLAIN: Option<[u8; 4]> = Some([0; 4]);

async fn open(host: &Host, eio: Eio) -> WebSocket {
    open_websocket(&host.net, eio, "").await.0
}

async fn expect_close(client: &mut WebSocket) -> (Option<u16>, String) {
    match client.next().await {
        Frame::Close(code, reason) => (code, reason),
        other => panic!("expected a close frame, got {other:?}"),
    }
}

roads! {
    async fn violations_are_told_by_a_code(road: Road) {
        let two_parts = [frame(false, 1, PLAIN, &[b'4'; 600]), frame(true, 0, PLAIN, &[b'x'; 600])];
        let mut reserved = frame(true, 1, PLAIN, b"4");
        reserved[0] |= 0x40;
        for (input, code) in [
            (frame(true, 1, None, b"2"), 1002), // no mask
            (reserved, 1002),
            (frame(true, 3, PLAIN, b"x"), 1002),
            (frame(true, 11, PLAIN, b"x"), 1002),
            (frame(true, 9, PLAIN, &[0; 126]), 1002),
            (frame(false, 9, PLAIN, b""), 1002),
            (frame(true, 0, PLAIN, b"x"), 1002),
            ([frame(false, 1, PLAIN, b"4"), frame(true, 1, PLAIN, b"4")].concat(), 1002),
            (frame(true, 1, PLAIN, b"4\xff"), 1007),
            (frame(true, 1, PLAIN, b"4\xed\xa0\x80"), 1007),
            (b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec(), 1002), // 2^63 bytes
            (b"\x81\xff\0\0\0\0\0\0\x03\xe9\0\0\0\0".to_vec(), 1009), // 1001 bytes, none of them sent
            (two_parts.concat(), 1009),
            (frame(true, 8, PLAIN, b"\x03"), 1002),
            (frame(true, 8, PLAIN, b"\x03\xed"), 1002), // 1005
            (frame(true, 8, PLAIN, b"\x03\xe8\xff\xfe"), 1007),
            (frame(false, 1, PLAIN, b"4").repeat(1), 0), // no violation yet
        ] {
            let mut options = Options::default();
            options.max_http_buffer_size = 1000;
            let host = Host::echo_on(road, options).await;
            let mut client = open(&host, Eio::V4).await;
            client.send_raw(&input).await;
            if code == 0 {
                client.send_raw(&frame(true, 0, PLAIN, b"x")).await;
                client.expect_text("4x").await;
                continue;
            }
            let (told, reason) = expect_close(&mut client).await;
            assert_eq!(told, Some(code), "{input:02x?}");
            assert!(!reason.is_empty());
            if code == 1009 {
                assert_eq!(reason, "max_http_buffer_size: message larger than 1000 bytes");
                assert_eq!(host.stats().limits.get(Limit::HttpBufferSize), 1);
            }
            client.expect_eof().await;
            drop(client);
            let detail = match code {
                1009 => CloseDetail::TooLarge,
                code => CloseDetail::WebSocket(code),
            };
            let closed = format!("close: transport error, {detail:?}");
            assert_eq!(host.log.closed().await, ["open", closed.as_str()]);
            host.expect_no_sessions().await;
            host.end().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_frames_of_a_message_are_bounded() {
    let mut options = Options::default();
    options.max_frames_per_message = 5;
    let host = Host::echo(options);
    let mut client = open(&host, Eio::V4).await;
    let more = frame(false, 0, PLAIN, b"");
    client.send_raw(&frame(false, 1, PLAIN, b"4")).await;
    client.send_raw(&[more.repeat(3), frame(true, 0, PLAIN, b"x")].concat()).await;
    client.expect_text("4x").await;
    client.send_raw(&frame(false, 1, PLAIN, b"4")).await;
    client.send_raw(&more.repeat(5)).await;
    let (code, reason) = expect_close(&mut client).await;
    assert_eq!(
        (code, &*reason),
        (Some(1008), "max_frames_per_message: message of more than 5 frames")
    );
    assert_eq!(host.stats().limits.get(Limit::FramesPerMessage), 1);
    host.expect(&["open", "x", "close: transport error, WebSocket(1008)"]);
    drop(client);
    host.end().await;
}

roads! {
    async fn closes_are_echoed(road: Road) {
        for (payload, code) in [
            (&b""[..], None),
            (b"\x03\xe8", Some(1000)),
            (b"\x03\xe8bye", Some(1000)),
            (b"\x0b\xb8", Some(3000)),
            (b"\x13\x87", Some(4999)),
        ] {
            let host = Host::echo_on(road, Options::default()).await;
            let mut client = open(&host, Eio::V4).await;
            let close = frame(true, 8, PLAIN, payload);
            client.send_raw(&[close, frame(true, 1, PLAIN, b"4late")].concat()).await;
            assert_eq!(expect_close(&mut client).await, (code, String::new()));
            client.expect_eof().await;
            assert_eq!(host.log.closed().await, ["open", "close: transport close"]);
            host.expect_no_sessions().await;
            host.end().await;
        }
    }
}

roads! {
    async fn frames_may_come_in_any_pieces(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = open(&host, Eio::V4).await;
        let message = frame(true, 1, Some([1, 2, 3, 4]), "4päckchen".as_bytes());
        for byte in &message {
            client.send_raw(&[*byte]).await;
        }
        client.expect_text("4päckchen").await;
        // fragments, cut inside a character, with a ping in between
        let pieces = [
            frame(false, 1, PLAIN, b"4\xc3"),
            frame(true, 9, PLAIN, b"p"),
            frame(false, 0, PLAIN, b""),
            frame(true, 0, PLAIN, b"\xa9"),
        ];
        client.send_raw(&pieces.concat()).await;
        assert_eq!(client.next().await, Frame::Pong(b"p"[..].to_owned().into()));
        client.expect_text("4é").await;
        // lengths in longer forms than needed
        client.send_raw(b"\x81\xfe\0\x02\0\0\0\x004a").await;
        client.send_raw(b"\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\x004b").await;
        client.expect_text("4a").await;
        client.expect_text("4b").await;
        client.send_raw(&frame(true, 9, PLAIN, &[7; 125])).await;
        assert_eq!(client.next().await, Frame::Pong(vec![7; 125].into()));
        client.send_raw(&frame(true, 10, PLAIN, b"unasked").repeat(1000)).await;
        client.send_text("4ok").await;
        client.expect_text("4ok").await;
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn packets_that_are_none_end_the_session() {
    for (eio, input) in [
        (Eio::V4, frame(true, 1, PLAIN, b"")),
        (Eio::V4, frame(true, 1, PLAIN, b"7")),
        (Eio::V4, frame(true, 1, PLAIN, b"xyz")),
        (Eio::V4, frame(true, 1, PLAIN, "😀".as_bytes())),
        (Eio::V4, frame(true, 1, PLAIN, b"b!")),
        (Eio::V3, frame(true, 2, PLAIN, b"")), // in protocol 4 it is an empty message
        (Eio::V3, frame(true, 2, PLAIN, b"\x09\x01")),
    ] {
        let host = Host::echo(Options::default());
        let mut client = open(&host, eio).await;
        client.send_raw(&input).await;
        let told = (Some(1008), "no Engine.IO packet".to_owned());
        assert_eq!(expect_close(&mut client).await, told, "{input:02x?}");
        host.expect(&["open", "close: parse error"]);
        client.send_close(None).await;
        client.expect_eof().await;
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn packets_of_the_wrong_direction() {
    let host = Host::echo(Options::default());
    let mut client = open(&host, Eio::V4).await;
    for text in ["5", "6", "0{}", "3", "4ok"] {
        client.send_text(text).await;
    }
    client.expect_text("4ok").await;
    client.send_text("2").await;
    let told = (Some(1008), "heartbeat in the wrong direction".to_owned());
    assert_eq!(expect_close(&mut client).await, told);
    host.expect(&["open", "ok", "close: transport error"]);

    let mut client = open(&host, Eio::V4).await;
    client.send_text("1").await;
    client.expect_close().await;
    host.expect(&["open", "close: transport close"]);

    let mut client = open(&host, Eio::V3).await;
    client.send_text("2").await;
    client.send_text("2abc").await;
    client.expect_text("3").await;
    client.expect_text("3").await;
    client.send_text("3").await;
    client.expect_close().await;
    host.expect(&["open", "close: transport error"]);
    drop(client);
    host.end().await;
}

roads! {
    async fn binary_in_each_form(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = open(&host, Eio::V3).await;
        client.send_binary(b"\x04\x01\x02").await;
        client.expect_binary(b"\x04\x01\x02").await;
        client.send_text("b4AQI=").await;
        client.expect_binary(b"\x04\x01\x02").await;
        client = open_websocket(&host.net, Eio::V3, "b64=1").await.0;
        client.send_binary(b"\x04\x01\x02").await;
        client.expect_text("b4AQI=").await;
        client = open(&host, Eio::V4).await;
        client.send_text("bAQI=").await;
        client.expect_binary(b"\x01\x02").await;
        client = open_websocket(&host.net, Eio::V4, "b64=1").await.0;
        client.send_binary(b"\x01").await;
        client.expect_text("bAQ==").await;
        client.send_binary(&[1; 100_000]).await;
        assert!(matches!(client.next().await, Frame::Text(text) if text.len() == 133_337));
        drop(client);
        host.end().await;
    }
}

roads! {
    async fn a_cut_connection_ends_the_session(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = open(&host, Eio::V4).await;
        client.send_raw(b"\x81\x85\0\0\0").await;
        drop(client);
        assert_eq!(host.log.closed().await, ["open", "close: transport close"]);
        host.expect_no_sessions().await;
        host.end().await;
    }
}

roads! {
    async fn large_messages_in_both_directions(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = open(&host, Eio::V4).await;
        let text = format!("4{}", "é".repeat(499_999));
        client.send_text(&text).await;
        client.expect_text(&text).await;
        let binary: Vec<u8> = (0..1_000_000_u32).map(|i| i as u8).collect();
        client.send_binary(&binary).await;
        client.expect_binary(&binary).await;
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_the_request_are_the_first_frames() {
    let host = Host::echo(Options::default());
    let mut connection = HttpConnection::open(&host.net);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        host.net.target(Eio::V4, "websocket", "")
    );
    let frames = [frame(true, 1, PLAIN, b"4early"), frame(true, 8, PLAIN, b"")].concat();
    connection.send(&[request.as_bytes(), &frames].concat()).await;
    assert_eq!(connection.read_response().await.status, 101);
    let sent = connection.read_to_end().await;
    assert!(sent.ends_with(b"\x81\x064early\x88\0"), "{sent:?}");
    host.expect(&["open", "early", "close: transport close"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn extensions_are_not_negotiated() {
    let host = Host::echo(Options::default());
    let target = host.net.target(Eio::V4, "websocket", "");
    for extensions in ["permessage-deflate; server_max_window_bits=7", ",;constructor", "x-y"] {
        let headers = [("Sec-WebSocket-Extensions", extensions)];
        let client = WebSocket::connect(&host.net, &target, &headers).await.unwrap();
        assert_eq!(client.response().header("sec-websocket-extensions"), None);
    }
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn pongs_that_nobody_reads_are_bounded() {
    let mut options = Options::default();
    options.write_timeout = s(20);
    let host = Host::echo(options);
    let net = host.net.clone().with_capacity(1024);
    let (mut client, _) = open_websocket(&net, Eio::V4, "").await;
    for number in 0..10_000_u32 {
        client
            .send_raw(&frame(true, 9, PLAIN, &[&number.to_be_bytes()[..], &[0; 121]].concat()))
            .await;
    }
    let queued = host.socket().queued_bytes();
    assert!(queued <= 64 * 127, "{queued}");
    let mut pongs = 0;
    loop {
        match client.next().await {
            Frame::Pong(payload) => {
                pongs += 1;
                if payload[..4] == 9_999_u32.to_be_bytes() {
                    break; // the newest is never lost
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(pongs < 100, "{pongs}");
    assert!(host.stats().limits.get(Limit::PendingPongs) > 0);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_has_no_turns() {
    let host = Host::echo(Options::default());
    let mut client = open(&host, Eio::V4).await;
    client.send_text("4x").await;
    client.expect_text("4x").await;
    client.expect_silence(ms(10)).await;
    let turns = host.log.polls();
    client.expect_silence(s(20)).await;
    assert_eq!(host.log.polls(), turns);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_pass_a_few_bytes_at_a_time() {
    for (bytes, size) in [(1, 300), (7, 70_000), (4000, 999_000)] {
        let host = Host::throttled(Options::default(), bytes);
        let mut client = open(&host, Eio::V4).await;
        let text = format!("4{}", "é".repeat(size / 2));
        client.send_text(&text).await;
        client.expect_text(&text).await;
        let binary: Vec<u8> = (0..size).map(|i| i as u8).collect();
        client.send_binary(&binary).await;
        client.send_text("4end").await;
        client.expect_binary(&binary).await;
        client.expect_text("4end").await;
        client.send_close(Some(1000)).await;
        assert_eq!(client.expect_close().await, Some(1000));
        client.expect_eof().await;
        let mut polling = testkit::Polling::open(&host.net, Eio::V4, "").await;
        polling.post([text.as_str()]).await;
        assert_eq!(polling.next().await, text.as_str());
        let mut client = polling.upgrade().await;
        client.send_text("4up").await;
        client.expect_text("4up").await;
        drop(client);
        host.end().await;
    }
}

roads! {
    /// Clients on small devices compare names as RFC 6455 prints them.
    async fn the_fields_of_the_answer_are_spelled_as_they_are_printed(road: Road) {
        let mut options = Options::default();
        options.per_message_deflate = Some(engineio::PerMessageDeflate::default());
        let host = Host::echo_on(road, options).await;
        let upgrade = format!(
            "GET {} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            host.net.target(Eio::V4, "websocket", "")
        );
        // by itself, and behind requests whose answers are still under way
        for before in [0, 20] {
            let mut connection = HttpConnection::open(&host.net);
            let get = "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n".repeat(before);
            connection.send(format!("{get}{upgrade}").as_bytes()).await;
            for _ in 0..before {
                let answer = connection.read_response().await;
                assert!(answer.header("content-length").is_some());
                assert!(answer.headers.iter().all(|(name, _)| *name == name.to_lowercase()));
            }
            let answer = connection.read_response().await;
            let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| &**name).collect();
            names.sort_unstable();
            let printed =
                ["Connection", "Date", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Upgrade"];
            assert_eq!(names, printed);
            assert_eq!(answer.header("upgrade"), Some("websocket"));
        }
        host.end().await;
    }
}

/// Also if the stream takes a few bytes at a time; frames that look like such a head stay as they are.
#[tokio::test(start_paused = true)]
async fn the_answer_is_spelled_in_pieces() {
    for bytes in [1, 2, 7, 40, 100] {
        let host = Host::throttled(Options::default(), bytes);
        let (mut websocket, _) = open_websocket(&host.net, Eio::V4, "").await;
        let names: Vec<_> =
            websocket.response().headers.iter().map(|(name, _)| name.clone()).collect();
        assert!(names.contains(&"Sec-WebSocket-Accept".to_owned()), "{names:?}");
        let text = "4HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\n\r\n";
        websocket.send_text(text).await;
        websocket.expect_text(text).await;
        drop(websocket);
        host.end().await;
    }
}

/// What is said of other servers: axum's writes lower case, and its router may have our listener.
#[tokio::test]
async fn the_spelling_under_axum() {
    let server = engineio::Server::new(Options::default()).unwrap();
    let router = || axum::Router::new().layer(server.layer());
    let bind = || tokio::net::TcpListener::bind("127.0.0.1:0");
    let own = server.attach_service(bind().await.unwrap(), router()).unwrap().local_addr();
    let listener = bind().await.unwrap();
    let axums = listener.local_addr().unwrap();
    let app = router();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    for (address, name) in [(own, "Sec-WebSocket-Accept"), (axums, "sec-websocket-accept")] {
        let net = testkit::Connector::tcp(address).with_path("/engine.io/");
        let (websocket, _) = open_websocket(&net, Eio::V4, "").await;
        let names: Vec<_> = websocket.response().headers.iter().map(|(name, _)| &**name).collect();
        assert!(names.contains(&name), "{names:?}");
    }
    server.close().await;
    serving.abort();
}

/// A stream on which a request has come; each write is noted.
struct Noted {
    request: Vec<u8>,
    writes: tokio::sync::mpsc::UnboundedSender<Vec<u8>>,
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.request.is_empty() {
            return Poll::Pending;
        }
        buffer.put_slice(&std::mem::take(&mut self.request));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noted {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let _ = self.writes.send(bytes.to_vec());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// In one write; unless compression was agreed, which is the session's.
#[tokio::test(start_paused = true)]
async fn the_open_packet_goes_out_with_the_answer() {
    for (extensions, is_one) in [("", true), ("permessage-deflate", false)] {
        let mut options = Options::default();
        options.per_message_deflate = Some(engineio::PerMessageDeflate::default());
        let server = engineio::Server::new(options).unwrap();
        let request = format!(
            "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: {extensions}\r\n\r\n",
        );
        let (writes, mut written) = tokio::sync::mpsc::unbounded_channel();
        let stream = Noted { request: request.into(), writes };
        let (service, peer) = (server.fallback(engineio::NotFound), ([127, 0, 0, 1], 1).into());
        let serving = async { server.serve_connection(stream, peer, service).await };
        let reading = async {
            let first = written.recv().await.unwrap();
            let head = first.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
            assert!(first.starts_with(b"HTTP/1.1 101 "));
            let open = match is_one {
                true => first[head..].to_vec(),
                false => {
                    assert_eq!(first.len(), head);
                    written.recv().await.unwrap()
                }
            };
            // a text frame with a length of a byte
            assert_eq!((open[0], usize::from(open[1])), (0x81, open.len() - 2));
            assert!(open[2..].starts_with(b"0{\"sid\":\""));
        };
        tokio::join!(serving, reading);
        // the session's task counts it
        tokio::time::sleep(ms(1)).await;
        let stats = server.stats();
        assert_eq!((stats.sessions, stats.packets_out), (1, 1));
        server.close().await;
    }
}
