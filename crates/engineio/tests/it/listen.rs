//! Our own HTTP server, and others.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use engineio::{Intercept, Listener, NotFound, Options, Server};
use http::Response;
use http_body_util::Full;
use testkit::{Connector, Eio, HttpConnection, Polling, Request, open_websocket, request};
use tokio::net::{TcpListener, TcpStream};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::host::{Host, Log, Road, advance, echo, ms, s};

fn server() -> (Server, Log) {
    let (server, log) = (Server::new(Options::default()).unwrap(), Log::default());
    server.on_connection(log.application(echo));
    (server, log)
}

fn net(address: SocketAddr) -> Connector {
    Connector::tcp(address).with_path("/engine.io/")
}

#[tokio::test]
async fn a_port_is_free_as_soon_as_the_server_is_closed() {
    let (server, _) = server();
    let attached = server.listen("127.0.0.1:0").await.unwrap();
    let address = attached.local_addr();
    let (client, _) = open_websocket(&net(address), Eio::V4, "").await;
    let closing = server.close();
    TcpListener::bind(address).await.expect("the port is free at once");
    let closed = tokio::spawn(attached.closed());
    tokio::time::sleep(ms(20)).await;
    assert!(!closed.is_finished(), "a session is left");
    drop(client);
    closing.await;
    closed.await.unwrap();
}

#[tokio::test]
async fn addresses_of_all_kinds() {
    let (server, _) = server();
    let v4: SocketAddr = "127.0.0.1:0".parse().unwrap();
    for attached in [
        server.listen(0_u16).await,
        server.listen(v4).await,
        server.listen("localhost:0").await,
        server.listen("127.0.0.1:0".to_owned()).await,
        server.listen(("127.0.0.1", 0)).await,
        server.listen((v4.ip(), 0)).await,
    ] {
        let port = attached.unwrap().local_addr().port();
        let address = ([127, 0, 0, 1], port).into();
        Polling::open(&net(address), Eio::V4, "").await;
        let remote = server.stats().opened;
        assert!(remote > 0);
    }
    assert_eq!(server.stats().sessions, 6);
    let taken = server.listen("127.0.0.1:0").await.unwrap().local_addr();
    let error = server.listen(taken).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    server.close().await;
    // a listener of a closed server is dropped at once
    let late = server.listen("127.0.0.1:0").await.unwrap();
    let address = late.local_addr();
    late.closed().await;
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn the_address_of_the_peer_is_told() {
    let host = Host::echo_on(Road::Tcp, Options::default()).await;
    Polling::open(&host.net, Eio::V4, "").await;
    assert!(host.socket().remote_addr().unwrap().ip().is_loopback());
    host.end().await;
}

/// Fails before it gives each connection.
struct Failing(TcpListener, Vec<io::ErrorKind>);

impl Listener for Failing {
    type Io = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match self.1.pop() {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Listener::poll_accept(&mut self.0, cx),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[tokio::test]
async fn accept_errors_are_survived() {
    let (server, _) = server();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let kinds = vec![io::ErrorKind::Other, io::ErrorKind::ConnectionAborted, io::ErrorKind::Other];
    let attached = server.attach(Failing(listener, kinds)).unwrap();
    Polling::open(&net(attached.local_addr()), Eio::V4, "").await;
    server.close().await;
}

/// Says that its connections are encrypted.
struct Encrypted(TcpListener);

impl Listener for Encrypted {
    type Io = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        Listener::poll_accept(&mut self.0, cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn is_secure(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_listener_says_that_its_connections_are_encrypted() {
    let (server, log) = server();
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let encrypted = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [plain.local_addr().unwrap(), encrypted.local_addr().unwrap()];
    server.attach(plain).unwrap();
    server.attach(Encrypted(encrypted)).unwrap();
    for address in addresses {
        Polling::open(&net(address), Eio::V4, "").await;
    }
    let secure = |socket: &engineio::Socket| socket.request().is_secure();
    assert_eq!(log.sockets().iter().map(secure).collect::<Vec<_>>(), [false, true]);
    server.close().await;
}

/// A connection that sends nothing does not hold up the end.
#[tokio::test(start_paused = true)]
async fn idle_connections_end_with_the_server() {
    let host = Host::echo(Options::default());
    let mut fresh = HttpConnection::open(&host.net);
    let mut used = HttpConnection::open(&host.net);
    used.request(&Request::get("/elsewhere")).await;
    advance(ms(10)).await;
    let start = tokio::time::Instant::now();
    host.server.close().await;
    assert!(start.elapsed() < s(1));
    fresh.read_to_end().await;
    used.read_to_end().await;
    host.end().await;
}

/// Answers every request with its path.
#[derive(Clone)]
struct Paths;

impl<B> Service<http::Request<B>> for Paths {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let path = request.uri().path().to_owned();
        std::future::ready(Ok(Response::new(Full::new(path.into()))))
    }
}

struct Files;

impl Intercept for Files {
    fn intercept(&self, request: &http::request::Parts, rest: &str) -> Option<Response<Bytes>> {
        let file = rest.strip_suffix(".js")?;
        Some(Response::new(format!("{} {file}", request.method).into()))
    }
}

#[tokio::test]
async fn other_services_take_what_is_not_ours() {
    let (server, _) = server();
    let service = server.layer().layer(Paths).intercept(Arc::new(Files));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let attached = server.attach_service(listener, service).unwrap();
    let net = net(attached.local_addr());
    for (path, expected) in [
        ("/", "/"),
        ("/engine.io", "/engine.io"),
        ("/engine.iox/", "/engine.iox/"),
        ("/engine.io/client.js", "GET client"),
    ] {
        assert_eq!(request(&net, Request::get(path)).await.text(), expected);
    }
    let mut client = Polling::open(&net, Eio::V4, "").await;
    let mut websocket = client.upgrade().await;
    websocket.send_text("4x").await;
    websocket.expect_text("4x").await;
    drop(websocket);
    server.close().await;
}

/// Under a foreign HTTP server sessions work as well, also the change to WebSocket.
#[tokio::test]
async fn the_server_of_axum() {
    let (server, log) = server();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new()
        .route("/hello", axum::routing::get(async || "hello"))
        .layer(server.layer());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let net = net(address);
    assert_eq!(request(&net, Request::get("/hello")).await.text(), "hello");
    let mut client = Polling::open(&net, Eio::V4, "").await;
    let mut websocket = client.upgrade().await;
    websocket.send_text("4x").await;
    websocket.expect_text("4x").await;
    // not told without a layer that does so
    assert_eq!(log.sockets()[0].remote_addr(), None);
    drop(websocket);
    assert_eq!(log.closed().await, ["open", "x", "close: transport close"]);
    server.close().await;
    // who is still served by others is told that no session can be opened
    let target = net.target(Eio::V4, "polling", "");
    assert_eq!(request(&net, Request::get(&target)).await.status, 503);
    serving.abort();
}

#[test]
fn handles_are_cheap_to_share() {
    fn check<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    check::<Server>();
    check::<engineio::Socket>();
    check::<engineio::Request>();
    check::<engineio::EngineService<NotFound>>();
    check::<engineio::EngineLayer>();
}

/// A body in chunks is taken, as the last one of its connection.
#[tokio::test(start_paused = true)]
async fn a_body_in_chunks_is_the_last_of_its_connection() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut connection = HttpConnection::open(&host.net);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        client.target()
    );
    connection.send(format!("{head}3\r\n4ab\r\n1\r\nc\r\n0\r\n\r\n").as_bytes()).await;
    let answer = connection.read_response().await;
    assert_eq!((answer.text(), answer.header("connection")), ("ok", Some("close")));
    assert!(connection.read_to_end().await.is_empty());
    host.expect(&["open", "abc"]);
    host.end().await;
}
