//! Within somebody else's HTTP server, as a layer under axum and as a service under hyper: what of
//! the limits holds there, on the wire. Heads and connections are that server's matter.

use std::future::poll_fn;
use std::net::SocketAddr;

use ::axum::Router;
use ::axum::routing::get;
use ::hyper::body::Incoming;
use ::hyper::server::conn::http1;
use ::hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use socketio::observe::EngineLimit;
use socketio::options::Origins;
use socketio::serve::RemoteAddr;
use socketio::{Builder, Reason, Server, Socket};
use testkit::{Connector, Eio, HttpConnection, Polling, Request, WebSocket, frame, request};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};
use tower_service::Service as _;

use crate::support::{BOTH, Log, Peer, nothing_left};

/// Streams in memory, for axum.
struct Streams(mpsc::UnboundedReceiver<DuplexStream>);

impl ::axum::serve::Listener for Streams {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        let Some(stream) = self.0.recv().await else { std::future::pending().await };
        (stream, client())
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(client())
    }
}

fn client() -> SocketAddr {
    ([203, 0, 113, 7], 5000).into()
}

fn under_axum(io: &Server) -> Connector {
    let (sender, streams) = mpsc::unbounded_channel();
    let app = Router::new().route("/hello", get(async || "world")).layer(io.layer());
    tokio::spawn(async move { ::axum::serve(Streams(streams), app).await });
    Connector::new(move |stream| drop(sender.send(stream)))
}

fn under_hyper(io: &Server) -> Connector {
    let service = io.service();
    Connector::new(move |stream| {
        let service = service.clone();
        let service = service_fn(move |mut request: ::hyper::Request<Incoming>| {
            let mut service = service.clone();
            // the application knows the address, and tells it
            request.extensions_mut().insert(RemoteAddr(client()));
            async move {
                poll_fn(|cx| {
                    ::tower_service::Service::<::hyper::Request<Incoming>>::poll_ready(
                        &mut service,
                        cx,
                    )
                })
                .await?;
                service.call(request).await
            }
        });
        let io = TokioIo::new(stream);
        tokio::spawn(http1::Builder::new().serve_connection(io, service).with_upgrades());
    })
}

/// A server under each of the two, with a log of what its sockets' ends were.
fn hosts(build: impl Fn(Builder) -> Builder) -> Vec<(Server, Connector, Log)> {
    [under_axum, under_hyper]
        .into_iter()
        .map(|host| {
            let (io, log) = (build(Server::builder()).build().unwrap(), Log::default());
            let logged = log.clone();
            io.on_connection(move |socket: Socket| {
                let logged = logged.clone();
                socket.on_disconnect(move |Reason(why): Reason| {
                    logged.add(match why.detail() {
                        Some(detail) => format!("{why}, {detail:?}"),
                        None => why.to_string(),
                    });
                });
            });
            let net = host(&io);
            (io, net, log)
        })
        .collect()
}

/// A client that polls and is in `/`.
async fn polling(net: &Connector, eio: Eio) -> Polling {
    let mut client = Polling::open(net, eio, "").await;
    if eio == Eio::V4 {
        client.post(["40"]).await;
    }
    client.next().await;
    client
}

async fn unknown(net: &Connector, client: &Polling) {
    let answer = request(net, Request::get(&client.target())).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json(), json!({"code": 1, "message": "Session ID unknown"}));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large() {
    for eio in BOTH {
        for announced in [true, false] {
            for (io, net, log) in hosts(|io| io.max_http_buffer_size(5000)) {
                let client = polling(&net, eio).await;
                let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
                let body = "4".repeat(5001);
                let sent = match announced {
                    true => format!("{head}Content-Length: 5001\r\n\r\n{body}"),
                    false => format!("{head}Transfer-Encoding: chunked\r\n\r\n1389\r\n{body}\r\n"),
                };
                let mut connection = HttpConnection::open(&net);
                connection.send(sent.as_bytes()).await;
                let answer = connection.read_response().await;
                assert_eq!(answer.status, 413);
                assert_eq!(
                    answer.json(),
                    json!({"code": 3, "message": "Payload larger than 5000 bytes"})
                );
                drop(connection);
                assert_eq!(log.take().await, ["transport error, TooLarge"]);
                unknown(&net, &client).await;
                assert_eq!(io.stats().limits.get(EngineLimit::HttpBufferSize), 1);
                nothing_left(&io).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long() {
    for (io, net, log) in hosts(|io| io) {
        let client = polling(&net, Eio::V4).await;
        let mut connection = HttpConnection::open(&net);
        let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", client.target());
        let start = Instant::now();
        connection.send(format!("{head}Content-Length: 9\r\n\r\n42").as_bytes()).await;
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(log.take().await, [""; 0]);
        let answer = connection.read_response().await;
        assert_eq!(start.elapsed().as_secs(), 60);
        assert_eq!(answer.status, 408);
        assert_eq!(answer.json(), json!({"code": 3, "message": "Request timeout"}));
        assert_eq!(log.take().await, ["transport error"]);
        unknown(&net, &client).await;
        assert_eq!(io.stats().limits.get(EngineLimit::BodyTimeout), 1);
        nothing_left(&io).await;
    }
}

/// Of all clients, and of one address if it is told.
#[tokio::test(start_paused = true)]
async fn sessions() {
    for per_address in [false, true] {
        for (n, (io, net, _)) in hosts(|io| match per_address {
            true => io.engine(|engine| engine.max_sessions_per_address = Some(2)),
            false => io.max_sessions(2),
        })
        .into_iter()
        .enumerate()
        {
            let first = Peer::join(&net, Eio::V4).await;
            let _second = polling(&net, Eio::V3).await;
            let target = |transport| net.target(Eio::V4, transport, "");
            if per_address && n == 0 {
                // axum was given no layer that tells the address
                let third = Peer::join(&net, Eio::V4).await;
                drop((first, third));
                continue;
            }
            let (message, limit) = match per_address {
                true => ("Too many sessions of this address", EngineLimit::AddressSessions),
                false => ("Too many sessions", EngineLimit::Sessions),
            };
            let refused = request(&net, Request::get(&target("polling"))).await;
            assert_eq!(refused.status, 503);
            assert_eq!(refused.json(), json!({"code": 3, "message": message}));
            let refused = WebSocket::connect(&net, &target("websocket"), &[]).await.unwrap_err();
            assert_eq!(refused.status, 503);
            assert_eq!(io.stats().limits.get(limit), 2);
            drop(first);
            testkit::settle().await;
            let _again = Peer::join(&net, Eio::V4).await;
            // what is not the engine's is not bounded by it
            let hello = request(&net, Request::get("/hello")).await;
            assert_eq!(hello.status, if n == 0 { 200 } else { 404 });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn origins() {
    for eio in BOTH {
        let allowed = || Origins::list("https://ok.test:443").unwrap();
        for (io, net, _) in hosts(|io| io.origins(allowed())) {
            let evil = ("Origin", "https://evil.test");
            let target = |transport| net.target(eio, transport, "");
            let get = Request::get(&target("polling")).header(evil.0, evil.1);
            let refused = request(&net, get).await;
            assert_eq!(refused.status, 403);
            assert_eq!(refused.json(), json!({"code": 4, "message": "Forbidden"}));
            assert_eq!(refused.header("access-control-allow-origin"), None);
            let refused = WebSocket::connect(&net, &target("websocket"), &[evil]).await;
            let refused = refused.unwrap_err();
            assert_eq!((refused.status, refused.text()), (403, "Forbidden"));
            let ok = ("Origin", "https://ok.test");
            let get = Request::get(&target("polling")).header(ok.0, ok.1);
            assert_eq!(request(&net, get).await.status, 200);
            let ok = WebSocket::connect(&net, &target("websocket"), &[ok]).await;
            drop(ok.unwrap());
            assert_eq!(io.stats().engine.opened, 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn websocket_frames() {
    let mask = Some([1, 2, 3, 4]);
    let part = |fin, opcode| frame(fin, opcode, mask, b"4");
    let many = [part(false, 1), part(false, 0).repeat(8)].concat();
    for (bytes, code, told, limit) in [
        // the header of a frame of 5001 bytes, and nothing of it
        (
            b"\x81\xfe\x13\x89\0\0\0\0".to_vec(),
            1009,
            "transport error, TooLarge",
            Some(EngineLimit::HttpBufferSize),
        ),
        (many, 1008, "transport error, WebSocket(1008)", Some(EngineLimit::FramesPerMessage)),
        // not masked
        (b"\x81\x012".to_vec(), 1002, "transport error, WebSocket(1002)", None),
        (b"\x81\x82\0\0\0\x00\x34\xff".to_vec(), 1007, "transport error, WebSocket(1007)", None),
    ] {
        for eio in BOTH {
            for (io, net, log) in hosts(|io| {
                io.max_http_buffer_size(5000).engine(|engine| engine.max_frames_per_message = 8)
            }) {
                let mut peer = Peer::join(&net, eio).await;
                peer.ws.send_raw(&bytes).await;
                assert_eq!(peer.ws.expect_close().await, Some(code));
                drop(peer);
                assert_eq!(log.take().await, [told]);
                let counts = io.stats().limits;
                let sum: u64 = counts.iter().map(|(_, count)| count).sum();
                let counted = limit.map_or(0, |limit| counts.get(limit));
                assert_eq!((counted, sum), (u64::from(limit.is_some()), counted), "{counts:?}");
                nothing_left(&io).await;
            }
        }
    }
}

/// Silent clients, before they joined anything and later; and one that reads nothing.
#[tokio::test(start_paused = true)]
async fn times() {
    for (io, net, log) in hosts(|io| io.max_outbound_bytes(100_000)) {
        let mut waiting = Peer::open(&net, Eio::V4).await;
        tokio::time::sleep(Duration::from_secs(46)).await;
        waiting.expect("2").await;
        waiting.closed().await;
        assert_eq!(io.stats().limits.get(socketio::observe::Limit::ConnectTimeout), 1);

        let client = polling(&net, Eio::V4).await;
        let target = client.target().replace("polling", "websocket");
        let mut probe = WebSocket::connect(&net, &target, &[]).await.unwrap();
        probe.send_text("2probe").await;
        probe.expect_text("3probe").await;
        tokio::time::sleep(Duration::from_secs(11)).await;
        probe.expect_close().await;
        assert_eq!(io.stats().limits.get(EngineLimit::UpgradeTimeout), 1);

        let silent = Peer::join(&net, Eio::V3).await;
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(log.take().await, ["ping timeout"; 2]);
        assert_eq!(io.stats().limits.get(EngineLimit::PingTimeout), 2);
        drop(silent);

        let stalled = Peer::join(&net, Eio::V4).await;
        for _ in 0..20 {
            let _ = io.emit("x", "x".repeat(10_000));
            testkit::settle().await;
        }
        assert_eq!(log.take().await, ["transport error, SlowConsumer"]);
        assert_eq!(io.stats().limits.get(EngineLimit::OutboundBytes), 1);
        drop(stalled);

        let stalled = Peer::join(&net, Eio::V4).await;
        for _ in 0..10 {
            io.emit("x", "x".repeat(9_000)).unwrap();
            testkit::settle().await;
        }
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(log.take().await, ["transport error, SlowConsumer"]);
        assert_eq!(io.stats().limits.get(EngineLimit::WriteTimeout), 1);
        drop((stalled, probe));
        nothing_left(&io).await;
    }
}
