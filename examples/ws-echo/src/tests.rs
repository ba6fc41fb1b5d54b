//! Frames are tested where the codec is; here is what the example adds.

use engineio_proto::websocket::extensions::Takeover;
use socketio_testkit::{Connector, Frame, RawFrame, Request, WebSocket, frame, pair, request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::connection;
use crate::echo::{PATIENCE, echo};
use crate::options::Options;

fn options(arguments: &str) -> Result<Options, String> {
    Options::from_arguments(arguments.split_whitespace().map(str::to_owned))
}

fn server(arguments: &str) -> Connector {
    let options = options(arguments).unwrap();
    Connector::new(move |stream| drop(tokio::spawn(connection(stream, options))))
}

async fn open(arguments: &str, headers: &[(&str, &str)]) -> WebSocket {
    WebSocket::connect(&server(arguments), "/", headers).await.unwrap()
}

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

#[tokio::test(start_paused = true)]
async fn messages_come_back() {
    let mut client = open("", &[]).await;
    client.send_text("héllo").await;
    client.expect_text("héllo").await;
    client.send_binary(b"\x00\xff").await;
    client.expect_binary(b"\x00\xff").await;
    client.send_raw(&frame(false, 1, MASK, b"two ")).await;
    client.send_raw(&frame(true, 9, MASK, b"still there?")).await;
    assert_eq!(client.next().await, Frame::Pong("still there?".into()));
    client.send_raw(&frame(true, 0, MASK, b"parts")).await;
    client.expect_text("two parts").await;
    let large = "x".repeat(1024 * 1024);
    client.send_text(&large).await;
    client.expect_text(&large).await;

    client.send_close(Some(3000)).await;
    assert_eq!(client.next().await, Frame::Close(Some(3000), String::new()));
    client.expect_eof().await;
}

#[tokio::test(start_paused = true)]
async fn broken_rules_end_the_connection() {
    let mut client = open("", &[]).await;
    client.send_text("one").await;
    client.send_raw(&frame(true, 1, None, b"no mask")).await;
    client.expect_text("one").await;
    assert_eq!(client.expect_close().await, Some(1002));
    client.expect_eof().await;

    let mut client = open("--max-message 3", &[]).await;
    client.send_text("one").await;
    client.expect_text("one").await;
    client.send_text("three").await;
    assert_eq!(client.expect_close().await, Some(1009));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_is_left() {
    for input in [frame(true, 8, MASK, b""), b"\x83\x80".to_vec()] {
        let (mut client, stream) = pair(1024);
        client.write_all(&input).await.unwrap();
        let start = Instant::now();
        let server = tokio::spawn(echo(stream, None, 100));
        client.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 0);
        server.await.unwrap().unwrap();
        assert_eq!(start.elapsed().as_secs(), PATIENCE.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn compression_is_negotiated() {
    const EXTENSIONS: &str = "sec-websocket-extensions";
    let offer = [(EXTENSIONS, "permessage-deflate; client_max_window_bits")];
    let answer = async |arguments, offer| {
        let client = open(arguments, offer).await;
        client.response().header(EXTENSIONS).map(str::to_owned)
    };
    let alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(answer("", &offer).await, None);
    assert_eq!(answer("--deflate", &[]).await, None);
    assert_eq!(answer("--deflate", &offer).await.as_deref(), Some(alone));
    let takeover = answer("--context-takeover", &offer).await;
    assert_eq!(takeover.as_deref(), Some("permessage-deflate"));
}

#[tokio::test(start_paused = true)]
async fn compressed_messages_come_back_compressed() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00"; // RFC 7692 7.2.3.1
    for arguments in ["--deflate", "--context-takeover"] {
        let mut client =
            open(arguments, &[("Sec-WebSocket-Extensions", "permessage-deflate")]).await;
        let mut compressed = frame(true, 1, MASK, hello);
        compressed[0] |= 0x40;
        client.send_raw(&compressed).await;
        client.expect_text("Hello").await; // too short for it
        client.send_text(&"x".repeat(500)).await;
        let Some(RawFrame { rsv: 4, opcode: 1, payload, .. }) = client.next_raw().await else {
            panic!("no compressed text");
        };
        assert!(payload.len() < 20);
    }
}

#[tokio::test(start_paused = true)]
async fn other_requests_are_refused() {
    let server = server("");
    let answer = async |headers: &[(&str, &str)]| {
        let upgrade = Request::get("/").header("Connection", "Upgrade");
        let upgrade =
            headers.iter().fold(upgrade, |request, (name, value)| request.header(name, value));
        request(&server, upgrade).await
    };
    let websocket = ("Upgrade", "websocket");
    assert_eq!(answer(&[]).await.status, 426);
    assert_eq!(answer(&[websocket, ("Sec-WebSocket-Version", "13")]).await.status, 400);
    let version = answer(&[websocket, ("Sec-WebSocket-Version", "8")]).await;
    assert_eq!((version.status, version.header("sec-websocket-version")), (426, Some("13")));
    assert_eq!(request(&server, Request::post("/", "hello")).await.status, 426);
}

#[test]
fn command_lines() {
    let default = Options { port: 3000, max_message: 1024 * 1024, deflate: None };
    assert_eq!(options(""), Ok(default));
    let both = Takeover { server: true, client: true };
    for (arguments, expected) in [
        ("--port 0", Options { port: 0, ..default }),
        ("--max-message 5 --port 7", Options { port: 7, max_message: 5, ..default }),
        ("--deflate", Options { deflate: Some(Takeover::default()), ..default }),
        ("--context-takeover", Options { deflate: Some(both), ..default }),
        ("--context-takeover --deflate", Options { deflate: Some(both), ..default }),
    ] {
        assert_eq!(options(arguments), Ok(expected), "{arguments}");
    }
    for arguments in ["--port", "--port x", "--port 65536", "--max-message -1", "x", "--help"] {
        assert!(options(arguments).is_err(), "{arguments}");
    }
}
