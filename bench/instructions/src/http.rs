//! What every session begins with, and what a polling one goes on with: HTTP requests, and the packets by
//! which namespaces are joined and left. Beside it the same requests, answered by hyper alone.
//!
//! The client's part is counted, too: its reads and writes, and the runtime's part in them.

use std::io::{ErrorKind, Result};
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use socketio::Socket;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Case;
use crate::dispatch::{Host, frame};

pub(crate) const CASES: &[Case] = &[
    Case { name: "http/poll", count: 200, run: |n| polls(n, &Host::new()) },
    Case { name: "http/post", count: 200, run: |n| posts(n, &Host::new()) },
    Case { name: "http/websocket", count: 100, run: |n| each(n, &Host::new(), websocket) },
    Case { name: "http/upgrade", count: 100, run: |n| each(n, &Host::new(), upgrade) },
    Case { name: "hyper/get", count: 200, run: |n| alone(n, &get("/?sid=x"), OPEN) },
    Case { name: "hyper/post", count: 200, run: |n| alone(n, &post("/?sid=x", EVENT), "ok") },
    Case { name: "hyper/websocket", count: 100, run: hyper_websocket },
    Case { name: "connect/plain", count: 100, run: |n| joins(n, "/plain") },
    Case { name: "connect/middleware", count: 100, run: |n| joins(n, "/guarded") },
    Case { name: "connect/disconnect", count: 100, run: leaves },
    Case { name: "connect/kept", count: 200, run: keeps },
];

const TARGET: &str = "/socket.io/?EIO=4&transport=polling";

const EVENT: &str = r#"42["number",7]"#;

/// What hyper alone answers: as long as an open packet.
const OPEN: &str = r#"0{"sid":"0123456789abcdefghij","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// Each time an emission, and a poll that gets it.
fn polls(n: u32, host: &Host) {
    host.runtime.block_on(async {
        let (mut stream, target) = session(host).await.expect("a session");
        let socket = host.server.sockets().connected().iter().next().expect("its socket");
        let get = get(&target);
        for _ in 0..n {
            socket.emit("emit", 7).expect("it is connected");
            ask(&mut stream, &get, r#"42["emit",7]"#).await.expect("an answer");
        }
    });
}

/// Each time a POST of one event.
fn posts(n: u32, host: &Host) {
    host.runtime.block_on(async {
        let (mut stream, target) = session(host).await.expect("a session");
        let post = post(&target, EVENT);
        for _ in 0..n {
            ask(&mut stream, &post, "ok").await.expect("an answer");
        }
    });
}

/// Each time a session, on connections of its own.
fn each<F>(n: u32, host: &Host, run: impl Fn(SocketAddr) -> F)
where
    F: Future<Output = Result<()>>,
{
    host.runtime.block_on(async {
        for _ in 0..n {
            run(host.address).await.expect("answers");
        }
    });
}

/// From the connection to the answer to CONNECT; then the client leaves.
async fn websocket(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    ask(&mut stream, &handshake("/socket.io/?EIO=4&transport=websocket"), "}").await?;
    stream.write_all(&frame("40")).await?;
    ask(&mut stream, "", "}").await?;
    Ok(())
}

/// As most clients begin: by polling, with an upgrade behind the answer to CONNECT.
async fn upgrade(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let target = open(&mut stream).await?;
    ask(&mut stream, &post(&target, "40"), "ok").await?;
    ask(&mut stream, &get(&target), "}").await?;
    let mut websocket = TcpStream::connect(address).await?;
    ask(&mut websocket, &handshake(&target.replace("polling", "websocket")), "\r\n\r\n").await?;
    websocket.write_all(&frame("2probe")).await?;
    ask(&mut websocket, "", "3probe").await?;
    websocket.write_all(&frame("5")).await?;
    websocket.write_all(&frame(r#"42["emit",7]"#)).await?;
    ask(&mut websocket, "", r#"42["emit",7]"#).await?;
    Ok(())
}

/// Each time a namespace is joined and left.
fn joins(n: u32, name: &'static str) {
    let host = Host::new();
    let _plain = host.server.of("/plain");
    host.server.of("/guarded").use_fn(async |_: Socket| Ok::<_, socketio::ConnectError>(()));
    let mut client = host.connect();
    let (join, leave) = (frame(&format!("40{name},")), frame(&format!("41{name},")));
    let last = frame(r#"42["last"]"#);
    for _ in 0..n {
        host.send(&mut client, &[&join[..], &last].concat());
        host.send(&mut client, &[&leave[..], &last].concat());
    }
}

/// Each time one of many namespaces is left, in which a socket is in three rooms.
fn leaves(n: u32) {
    let host = Host::new();
    let mut client = host.connect();
    let last = frame(r#"42["last"]"#);
    for at in 0..MOST {
        let namespace = host.server.of(&format!("/{at}"));
        namespace.on_connection(|socket: Socket| {
            drop(socket.join(["one", "two", "three"]));
            socket.on_disconnect(|| {});
        });
        host.send(&mut client, &[frame(&format!("40/{at},")), last.clone()].concat());
    }
    for at in 0..n {
        host.send(&mut client, &[frame(&format!("41/{at},")), last.clone()].concat());
    }
}

/// Each time a WebSocket that joins `/` and stays. The process ends with all of them: what it holds
/// then, counted by valgrind's dhat, is what idle connections take.
fn keeps(n: u32) {
    let host = Host::new();
    let clients: Vec<_> = (0..n).map(|_| host.connect()).collect();
    std::mem::forget((host, clients));
    std::process::exit(0);
}

/// As many as the longer run leaves.
const MOST: u32 = 200;

// ---- hyper alone ------------------------------------------------------------------------------

/// Each time a request on one connection.
fn alone(n: u32, request: &str, end: &str) {
    let host = Host::new();
    host.runtime.block_on(async {
        let mut stream = TcpStream::connect(hyper_server().await).await.expect("a connection");
        for _ in 0..n {
            ask(&mut stream, request, end).await.expect("an answer");
        }
    });
}

/// From the connection to a frame behind the 101.
fn hyper_websocket(n: u32) {
    let host = Host::new();
    host.runtime.block_on(async {
        let address = hyper_server().await;
        for _ in 0..n {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            ask(&mut stream, &handshake("/"), "}").await.expect("an answer");
        }
    });
}

async fn hyper_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let serving = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .with_upgrades();
            tokio::spawn(serving);
        }
    });
    address
}

async fn answer(
    mut request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, hyper::Error> {
    if request.headers().contains_key(UPGRADE) {
        tokio::spawn(async move {
            let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
            let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
            let mut stream = parts.io.into_inner();
            let mut open = vec![0x81, 126];
            open.extend((OPEN.len() as u16).to_be_bytes());
            open.extend(OPEN.as_bytes());
            if stream.write_all(&open).await.is_ok() {
                let _ = stream.read(&mut [0; 16]).await;
            }
        });
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let accept = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        return Ok(response);
    }
    let body = match *request.method() {
        Method::POST => {
            request.into_body().collect().await?;
            Bytes::from_static(b"ok")
        }
        _ => Bytes::from_static(OPEN.as_bytes()),
    };
    let mut response = Response::new(Full::new(body));
    let text = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

// ---- the client -------------------------------------------------------------------------------

/// A session by polling that has joined `/`: a connection, and the target of its requests.
async fn session(host: &Host) -> Result<(TcpStream, String)> {
    let mut stream = TcpStream::connect(host.address).await?;
    let target = open(&mut stream).await?;
    ask(&mut stream, &post(&target, "40"), "ok").await?;
    ask(&mut stream, &get(&target), "}").await?;
    Ok((stream, target))
}

/// Opens a session by polling; the target of its requests.
pub(crate) async fn open(stream: &mut TcpStream) -> Result<String> {
    let open = ask(stream, &get(TARGET), "}").await?;
    let open = String::from_utf8(open).map_err(|_| ErrorKind::InvalidData)?;
    let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
    Ok(format!("{TARGET}&sid={}", sid.ok_or(ErrorKind::InvalidData)?))
}

pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

pub(crate) fn post(target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A request for a WebSocket.
pub(crate) fn handshake(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Sends a request and reads an answer with this end; what it was.
pub(crate) async fn ask(stream: &mut TcpStream, request: &str, end: &str) -> Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    while !answer.ends_with(end.as_bytes()) {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer)
}
