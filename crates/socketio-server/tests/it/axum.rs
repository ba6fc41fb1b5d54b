//! Under axum, over real TCP: a layer beside routes of the application's own.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use ::axum::Router;
use ::axum::routing::get;
use socketio::{Data, Reply, Server, Socket};
use testkit::{Connector, Eio, Polling, Request, request};
use tokio::net::TcpListener;

use crate::support::{BOTH, Peer, arrivals, leave_nothing, nothing_left};

async fn serve(io: &Server) -> SocketAddr {
    let app = Router::new().route("/hello", get(async || "world")).layer(io.layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { ::axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn server_attach_http_server() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("echo", |Data(text): Data<String>| Reply(text));
        });
        let server = Connector::tcp(serve(&io).await);
        let hello = request(&server, Request::get("/hello")).await;
        assert_eq!((hello.status, hello.text()), (200, "world"));
        assert_eq!(request(&server, Request::get("/nothing")).await.status, 404);

        let mut peer = Peer::join(&server, eio).await;
        peer.send(r#"420["echo","over WebSocket"]"#).await;
        peer.expect(r#"430["over WebSocket"]"#).await;
        io.emit("news", ()).unwrap();
        peer.expect(r#"42["news"]"#).await;

        let mut polling = Polling::open(&server, eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        polling.post([r#"421["echo","over polling"]"#]).await;
        assert_eq!(polling.next().await, r#"431["over polling"]"#);
        let mut ws = polling.upgrade().await;
        ws.send_text(r#"422["echo","upgraded"]"#).await;
        ws.expect_text(r#"432["upgraded"]"#).await;
        drop(ws);
        leave_nothing(&io, [peer]).await;
    }
}

/// axum wraps the stream; we take it back. So what is emitted is written at once, by the thread
/// that emits: here it comes while the only thread of the runtime waits for it.
#[tokio::test]
async fn emits_are_written_directly() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let address = serve(&io).await;
    let client = tokio::task::spawn_blocking(move || connect(address)).await.unwrap();
    let socket = sockets.next().await;
    testkit::settle().await;
    expect_direct(client, &socket);
    nothing_left(&io).await;
}

/// Opens a session by blocking calls and reads up to the answer to its CONNECT.
pub(crate) fn connect(address: SocketAddr) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(testkit::TIMEOUT)).unwrap();
    let head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\n\
        Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&testkit::frame(true, 1, Some([1, 2, 3, 4]), b"40")).unwrap();
    let mut read = Vec::new();
    while !read.windows(9).any(|bytes| bytes == b"40{\"sid\":") || !read.ends_with(b"}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    assert!(read.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// Emits, and reads without giving the runtime's thread away.
pub(crate) fn expect_direct(mut client: std::net::TcpStream, socket: &Socket) {
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.emit("direct", ()).unwrap();
    let mut frame = [0; 14];
    client.read_exact(&mut frame).expect("it is written by the thread that emits");
    assert_eq!(&frame, b"\x81\x0c42[\"direct\"]");
}
