//! How many connections our own listeners may have.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use engineio::{Limit, Listener, Options, Server};
use serde_json::json;
use testkit::{Connector, Eio, HttpConnection, Polling, Request, Response, open_websocket, pair};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::host::{Host, Log, Road, advance, echo, ms, s};

const GET: &str = "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n";

fn at_most(connections: usize) -> Options {
    let mut options = Options::default();
    options.max_connections = Some(connections);
    options
}

/// Waits until that many connections are open, a short time only.
async fn connections(host: &Host, count: usize) {
    for _ in 0..1000 {
        if host.stats().connections == count {
            return;
        }
        tokio::time::sleep(ms(5)).await;
    }
    panic!("{} connections, not {count}", host.stats().connections);
}

async fn get(net: &Connector) -> (HttpConnection, Response) {
    let mut connection = HttpConnection::open(net);
    let answer = connection.request(&Request::get("/elsewhere")).await;
    (connection, answer)
}

#[track_caller]
fn expect_too_many(answer: &Response) {
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({"code": 3, "message": "Too many connections"}));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

roads! {
    /// Whatever a connection does, it has a place; when it leaves, another may come.
    async fn connections_of_all_kinds_count(road: Road) {
        for leaving in 0..5 {
            let host = Host::echo_on(road, at_most(5)).await;
            {
            let idle = HttpConnection::open(&host.net);
            let mut begun = HttpConnection::open(&host.net);
            begun.send(&GET.as_bytes()[..20]).await;
            let (mut used, answer) = get(&host.net).await;
            assert_eq!(answer.status, 404);
            let mut direct = open_websocket(&host.net, Eio::V4, "").await.0;
            let mut client = Polling::open(&host.net, Eio::V4, "").await;
            let mut upgraded = client.upgrade().await;
            drop(client);
            connections(&host, 5).await;

            for count in 1..=3 {
                let (mut refused, answer) = get(&host.net).await;
                expect_too_many(&answer);
                assert!(refused.read_to_end().await.is_empty());
                assert_eq!(host.stats().limits.get(Limit::Connections), count);
            }

            // the others lost nothing
            begun.send(&GET.as_bytes()[20..]).await;
            assert_eq!(begun.read_response().await.status, 404);
            assert_eq!(used.request(&Request::get("/elsewhere")).await.status, 404);
            for websocket in [&mut direct, &mut upgraded] {
                websocket.send_text("4x").await;
                websocket.expect_text("4x").await;
            }
            match leaving {
                0 => drop(idle),
                1 => drop(begun),
                2 => drop(used),
                3 => drop(direct),
                _ => drop(upgraded),
            }
            connections(&host, 4).await;
            let (_more, answer) = get(&host.net).await;
            assert_eq!(answer.status, 404);
            assert_eq!(host.stats().connections, 5);
            }
            host.end().await;
        }
    }
}

/// Those that are too many are few at a time, and stay for a second.
#[tokio::test(start_paused = true)]
async fn a_crowd_at_the_bound() {
    let host = Host::echo(at_most(1));
    let (mut first, _) = get(&host.net).await;
    // they ask for nothing
    let mut silent: Vec<_> = (0..16).map(|_| HttpConnection::open(&host.net)).collect();
    let start = tokio::time::Instant::now();
    advance(ms(500)).await;
    // no place is left to say no
    let mut dropped = HttpConnection::open(&host.net);
    assert!(dropped.read_to_end().await.is_empty());
    assert_eq!(start.elapsed(), ms(500));
    for connection in &mut silent {
        assert!(connection.read_to_end().await.is_empty());
    }
    assert!(start.elapsed() >= s(1) && start.elapsed() < ms(1100));
    expect_too_many(&get(&host.net).await.1);
    assert_eq!(host.stats().limits.get(Limit::Connections), 18);
    assert_eq!(first.request(&Request::get("/elsewhere")).await.status, 404);
    // the end does not wait for them
    let _silent: Vec<_> = (0..16).map(|_| HttpConnection::open(&host.net)).collect();
    advance(ms(1)).await;
    let start = tokio::time::Instant::now();
    host.end().await;
    assert!(start.elapsed() < ms(900));
}

/// Over TCP one that is too many sees its answer, also if it sends more than is read.
#[tokio::test]
async fn the_answer_is_not_lost() {
    let host = Host::echo_on(Road::Tcp, at_most(1)).await;
    let _first = get(&host.net).await;
    for size in [100, 10_000, 900_000] {
        let mut connection = HttpConnection::open(&host.net);
        connection.send(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(size)).as_bytes()).await;
        expect_too_many(&connection.read_response().await);
    }
    host.end().await;
}

roads! {
    /// One address does not take the places of all; a WebSocket counts as a session instead.
    async fn connections_of_one_address(road: Road) {
        let mut options = Options::default();
        options.max_connections_per_address = Some(3);
        let host = Host::echo_on(road, options).await;
        {
            let mut websockets = Vec::new();
            for _ in 0..5 {
                websockets.push(open_websocket(&host.net, Eio::V4, "").await.0);
            }
            let silent = HttpConnection::open(&host.net);
            let mut begun = HttpConnection::open(&host.net);
            begun.send(&GET.as_bytes()[..20]).await;
            let (_used, answer) = get(&host.net).await;
            assert_eq!(answer.status, 404);
            connections(&host, 8).await;
            for count in 1..=2 {
                let (mut refused, answer) = get(&host.net).await;
                assert_eq!(answer.status, 503);
                let message = "Too many connections of this address";
                assert_eq!(answer.json(), json!({"code": 3, "message": message}));
                assert!(refused.read_to_end().await.is_empty());
                assert_eq!(host.stats().limits.get(Limit::AddressConnections), count);
            }
            drop(silent);
            connections(&host, 7).await;
            assert_eq!(get(&host.net).await.1.status, 404);
            for websocket in &mut websockets {
                websocket.send_text("4x").await;
                websocket.expect_text("4x").await;
            }
            assert_eq!(host.stats().limits.get(Limit::Connections), 0);
        }
        host.end().await;
    }
}

/// A proxy brings the clients of many addresses.
#[tokio::test]
async fn connections_of_trusted_proxies_are_not_bounded() {
    let mut options = Options::default();
    options.max_connections_per_address = Some(1);
    options.trusted_proxies = vec!["127.0.0.0/8".to_owned(), "::1".to_owned()];
    let host = Host::echo_on(Road::Tcp, options).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let (connection, answer) = get(&host.net).await;
        assert_eq!(answer.status, 404);
        open.push(connection);
    }
    drop(open);
    host.end().await;
}

/// Gives streams, and errors in between.
struct Queue {
    results: VecDeque<io::Result<()>>,
    streams: mpsc::UnboundedReceiver<DuplexStream>,
}

impl Listener for Queue {
    type Io = DuplexStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, SocketAddr)>> {
        if let Some(Err(error)) = self.results.pop_front() {
            return Poll::Ready(Err(error));
        }
        let Some(stream) = ready!(self.streams.poll_recv(cx)) else { return Poll::Pending };
        Poll::Ready(Ok((stream, self.local_addr()?)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 80).into())
    }
}

/// Without descriptors the listener does not spin, and goes on when there are some again.
#[tokio::test(start_paused = true)]
async fn no_descriptors_are_left() {
    let server = Server::new(Options::default()).unwrap();
    server.on_connection(Log::default().application(echo));
    let (connect, streams) = mpsc::unbounded_channel();
    const EMFILE: i32 = 24;
    let no_descriptor = || Err(io::Error::from_raw_os_error(EMFILE));
    let results = (0..50).map(|_| no_descriptor()).chain([Ok(()), no_descriptor()]).collect();
    server.attach(Queue { results, streams }).unwrap();
    let (ours, theirs) = pair(10_000);
    connect.send(theirs).unwrap();
    let start = tokio::time::Instant::now();
    let mut connection = HttpConnection::over(ours);
    connection.send(GET.as_bytes()).await;
    advance(s(4)).await;
    let failed = server.stats().accept_errors;
    assert!((35..=45).contains(&failed), "{failed} attempts in 4 s");
    assert_eq!(connection.read_response().await.status, 404);
    assert!(start.elapsed() >= s(5) && start.elapsed() < ms(5200), "{:?}", start.elapsed());
    assert_eq!(server.stats().accept_errors, 51);
    server.close().await;
}
