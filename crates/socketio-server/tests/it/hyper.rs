//! Under hyper's own HTTP/1 server, over real TCP.

use std::net::SocketAddr;

use ::hyper::body::Incoming;
use ::hyper::server::conn::http1;
use ::hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socketio::serve::NotFound;
use socketio::{Data, Reply, Server, Socket};
use testkit::{Connector, Eio, Polling, Request, request};
use tokio::net::TcpListener;
use tower_service::Service as _;

use crate::axum::{connect, expect_direct};
use crate::support::{BOTH, Peer, arrivals, leave_nothing, nothing_left};

async fn serve(io: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = io.service();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            let service = service_fn(move |request: ::hyper::Request<Incoming>| {
                service.clone().call(request)
            });
            let serving = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(serving);
        }
    });
    address
}

#[tokio::test]
async fn server_service() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on("echo", |Data(text): Data<String>| Reply(text));
        });
        let server = Connector::tcp(serve(&io).await);
        assert_eq!(request(&server, Request::get("/elsewhere")).await.status, 404);
        let mut peer = Peer::join(&server, eio).await;
        peer.send(r#"420["echo","over WebSocket"]"#).await;
        peer.expect(r#"430["over WebSocket"]"#).await;
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

/// A connection goes on when nobody has its server any more; new ones find none.
#[tokio::test(start_paused = true)]
async fn connections_outlive_their_server() {
    for eio in BOTH {
        let io = Server::new();
        let other = io.of("/other");
        io.on_connection(|socket: Socket| {
            socket.on("all", |socket: Socket| socket.namespace().emit("r", ()));
        });
        let (service, engine) = (io.service(), io.engine().clone());
        let server = Connector::new(move |stream| {
            let service = service.clone();
            let service = service_fn(move |request: ::hyper::Request<Incoming>| {
                service.clone().call(request)
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving.with_upgrades());
        });
        let mut peer = Peer::join(&server, eio).await;
        drop((server, io));
        testkit::settle().await;
        let late = Connector::new(move |stream| {
            let engine = engine.clone();
            let address = SocketAddr::from(([127, 0, 0, 1], 40_000));
            let service = engine.fallback(NotFound);
            tokio::spawn(async move { engine.serve_connection(stream, address, service).await });
        });
        let mut late = Peer::open(&late, eio).await;
        if eio == Eio::V4 {
            late.send("40").await;
        }
        late.silence().await;
        peer.send(r#"42["all"]"#).await;
        peer.expect(r#"42["r"]"#).await;
        peer.enter("/other").await;
        assert_eq!(other.connected().len(), 1);
        drop(peer);
        testkit::settle().await;
        assert!(other.connected().is_empty());
    }
}

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

/// And under our own listener.
#[tokio::test]
async fn emits_are_written_directly_by_our_own_listener() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let address = io.listen("127.0.0.1:0").await.unwrap().local_addr();
    let client = tokio::task::spawn_blocking(move || connect(address)).await.unwrap();
    let socket = sockets.next().await;
    testkit::settle().await;
    expect_direct(client, &socket);
    nothing_left(&io).await;
}
