//! Two servers whose clients need not come to the one that has their session.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engineio::{
    CloseReason, ContentType, Found, NodeId, NotFound, Options, PayloadForm, PollAnswer, Protocol,
    Relay, RequestError, Server, TransportKind, random_id,
};
use serde_json::json;
use testkit::{Connector, Eio, HttpConnection, Packet, Polling, WebSocket, settle};

use crate::host::{Host, Log, echo, ms, s};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A relay by calls: the servers are in one process. It panics for the node `broken`.
#[derive(Clone, Default)]
struct Nodes(Arc<Mutex<HashMap<String, Server>>>);

impl Nodes {
    fn server(&self, node: &NodeId) -> Option<Server> {
        assert_ne!(node.as_str(), "broken", "as it is tested");
        self.0.lock().unwrap().get(node.as_str()).cloned()
    }
}

impl Relay for Nodes {
    fn node_of(&self, sid: &str) -> Option<NodeId> {
        let (node, _) = sid.split_once('~')?;
        Some(NodeId::from(node))
    }

    fn poll<'a>(
        &'a self,
        node: &'a NodeId,
        sid: &'a str,
        protocol: Protocol,
        text_only: bool,
    ) -> BoxFuture<'a, Result<PollAnswer, RequestError>> {
        let server = self.server(node);
        Box::pin(async move {
            let server = server.ok_or(RequestError::UnknownSession)?;
            server.poll(sid, protocol, text_only).await
        })
    }

    fn post<'a>(
        &'a self,
        node: &'a NodeId,
        sid: &'a str,
        form: PayloadForm,
        body: Bytes,
    ) -> BoxFuture<'a, Result<(), RequestError>> {
        Box::pin(async move {
            let server = self.server(node).ok_or(RequestError::UnknownSession)?;
            server.post(sid, form, body).await
        })
    }

    fn close(&self, node: &NodeId, sid: &str, reason: CloseReason) {
        if let Some(Found::Here(socket)) = self.server(node).map(|server| server.find(sid)) {
            socket.close_with(reason);
        }
    }
}

/// Two servers, `a` and `b`, and a way to the one of them that is `current`.
struct Pair {
    hosts: [Host; 2],
    net: Connector,
    current: Arc<AtomicUsize>,
}

impl Pair {
    fn new() -> Self {
        let nodes = Nodes::default();
        let hosts = ["a", "b"].map(|name| {
            let mut options = Options::default();
            options.max_http_buffer_size = 1000;
            options.body_timeout = s(1);
            options.set_generate_id(move |_: engineio::Request| format!("{name}~{}", random_id()));
            let log = Log::default();
            let host = Host::memory(options, log.clone(), log.application(echo));
            assert!(host.server.relay_by(nodes.clone()));
            assert!(!host.server.relay_by(Nodes::default()), "the first call counts");
            nodes.0.lock().unwrap().insert(name.to_owned(), host.server.clone());
            host
        });
        let current = Arc::new(AtomicUsize::new(0));
        let servers = [hosts[0].server.clone(), hosts[1].server.clone()];
        let which = Arc::clone(&current);
        let net = Connector::new(move |stream| {
            let server = servers[which.load(Relaxed)].clone();
            tokio::spawn(async move {
                let service = server.fallback(NotFound);
                server.serve_connection(stream, ([203, 0, 113, 7], 1).into(), service).await;
            });
        });
        Self { hosts, net: net.with_path("/engine.io/"), current }
    }

    /// A session of the one server, whose client comes to the other from now on.
    async fn open(&self, eio: Eio, query: &str) -> Polling {
        self.current.store(0, Relaxed);
        let client = Polling::open(&self.net, eio, query).await;
        self.current.store(1, Relaxed);
        client
    }

    async fn end(self) {
        let [a, b] = self.hosts;
        assert_eq!(b.stats().opened, 0);
        a.end().await;
        b.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_polls_and_posts_at_another_node() {
    for (eio, query) in [(Eio::V4, ""), (Eio::V3, ""), (Eio::V3, "b64=1"), (Eio::V3, "j=0")] {
        let pair = Pair::new();
        let mut client = pair.open(eio, query).await;
        assert!(client.sid().starts_with("a~"), "{}", client.sid());
        client.post(["4text"]).await;
        assert_eq!(client.next().await, "4text", "{eio:?} {query}");
        client.post([Packet::Binary(vec![4, 1, 2].into())]).await;
        assert!(matches!(client.next().await, Packet::Binary(_)), "{eio:?} {query}");
        // a poll that waits
        let mut poll = client.poll_later().await;
        pair.hosts[0].say("later");
        let answer = poll.read_response().await;
        assert_eq!(client.packets(&answer), ["4later"]);
        // the nearer way is as good
        pair.current.store(0, Relaxed);
        client.post(["4back"]).await;
        assert_eq!(client.next().await, "4back");
        pair.current.store(1, Relaxed);
        client.post(["1"]).await;
        let closed = pair.hosts[0].log.closed().await;
        assert_eq!(closed.last().unwrap(), "close: transport close");
        pair.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_session_is() {
    let pair = Pair::new();
    let client = pair.open(Eio::V4, "").await;
    let [a, b] = &pair.hosts;
    assert!(matches!(a.server.find(client.sid()), Found::Here(socket) if socket.is_open()));
    let node = match b.server.find(client.sid()) {
        Found::Elsewhere(node) => node,
        found => panic!("{found:?}"),
    };
    assert_eq!((node.as_str(), node.to_string()), ("a", "a".to_owned()));
    assert!(matches!(b.server.find("nothing"), Found::Unknown));
    let alone = Host::silent(Options::default());
    assert!(matches!(alone.server.find(client.sid()), Found::Unknown));
    a.socket().close();
    pair.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_nowhere() {
    let pair = Pair::new();
    pair.current.store(1, Relaxed);
    for sid in ["nothing", "a~gone", "c~gone"] {
        let target = format!("{}&sid={sid}", pair.net.target(Eio::V4, "polling", ""));
        for request in [testkit::Request::get(&target), testkit::Request::post(&target, "4a")] {
            let refused = testkit::request(&pair.net, request).await;
            assert_eq!(refused.status, 400, "{sid}");
            assert_eq!(refused.json(), json!({"code": 1, "message": "Session ID unknown"}));
        }
    }
    // a relay that fails, fails for this request
    for method in ["GET", "POST"] {
        let target = format!("{}&sid=broken~1", pair.net.target(Eio::V4, "polling", ""));
        let failed = testkit::request(&pair.net, testkit::Request::new(method, &target)).await;
        assert_eq!(failed.status, 500);
    }
    assert_eq!(pair.hosts[1].stats().panics, 2);
    pair.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_at_another_node_is_refused() {
    let pair = Pair::new();
    let mut client = pair.open(Eio::V4, "").await;
    let target = client.target().replace("transport=polling", "transport=websocket");
    let refused = WebSocket::connect(&pair.net, &target, &[]).await.unwrap_err();
    assert_eq!((refused.status, refused.text()), (400, "Bad request"));
    client.post(["4unharmed"]).await;
    assert_eq!(client.next().await, "4unharmed");
    assert_eq!(pair.hosts[0].socket().transport(), TransportKind::Polling);
    pair.hosts[0].socket().close();
    pair.end().await;
}

/// What a client does wrong ends its session, as if the session were where it comes to.
#[tokio::test(start_paused = true)]
async fn what_breaks_a_session_from_afar() {
    // the client goes away with its poll
    let pair = Pair::new();
    let mut client = pair.open(Eio::V4, "").await;
    drop(client.poll_later().await);
    let log = &pair.hosts[0].log;
    assert_eq!(log.closed().await, ["open", "close: transport error"]);
    pair.end().await;

    // two polls
    let pair = Pair::new();
    let mut client = pair.open(Eio::V4, "").await;
    let first = client.poll_later().await;
    let second = client.poll_response().await;
    assert_eq!((second.status, second.header("connection")), (400, Some("close")));
    let log = &pair.hosts[0].log;
    assert_eq!(log.closed().await, ["open", "close: transport error, OverlappingRequests"]);
    drop(first);
    pair.end().await;

    // bodies: too large, of no form, broken, late
    let pair = Pair::new();
    let mut client = pair.open(Eio::V4, "").await;
    let response = client.post_body(vec![b'x'; 1001], "text/plain").await;
    assert_eq!(response.status, 413);
    assert_eq!(pair.hosts[0].log.closed().await, ["open", "close: transport error"]);
    let mut client = pair.open(Eio::V4, "").await;
    let response = client.post_body("x", "application/octet-stream").await;
    assert_eq!(response.status, 400);
    assert_eq!(pair.hosts[0].log.closed().await, ["open", "close: transport error"]);
    for is_late in [false, true] {
        let client = pair.open(Eio::V4, "").await;
        let mut connection = HttpConnection::open(&pair.net);
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n4a",
            client.target()
        );
        connection.send(head.as_bytes()).await;
        settle().await;
        assert_eq!(pair.hosts[1].stats().inbound_bytes, 2);
        if is_late {
            assert_eq!(connection.read_response().await.status, 408);
        }
        drop(connection);
        assert_eq!(pair.hosts[0].log.closed().await, ["open", "close: transport error"]);
        settle().await;
        assert_eq!(pair.hosts[1].stats().inbound_bytes, 0);
    }
    pair.end().await;
}

/// Without HTTP: what a relay calls.
#[tokio::test(start_paused = true)]
async fn polls_and_posts_of_a_session_without_http() {
    let pair = Pair::new();
    let client = pair.open(Eio::V4, "").await;
    let (host, sid) = (&pair.hosts[0], client.sid());
    let server = host.server.clone();
    let post = async |body: &'static [u8]| {
        server.post(sid, PayloadForm::V4, Bytes::from_static(body)).await
    };
    let poll = async || server.poll(sid, Protocol::V4, false).await;
    assert_eq!(post(b"4a\x1e4b").await, Ok(()));
    let (payload, content_type) = (b"4a\x1e4b".to_vec(), ContentType::TextPlain);
    assert_eq!(poll().await, Ok(PollAnswer { payload, content_type, compress: true }));

    // what does not fit
    let unknown = server.poll("a~none", Protocol::V4, false).await;
    assert_eq!(unknown, Err(RequestError::UnknownSession));
    let other = server.poll(sid, Protocol::V3, false).await;
    assert_eq!(other, Err(RequestError::Mismatch));
    let other = server.post(sid, PayloadForm::V3Text, Bytes::new()).await;
    assert_eq!(other, Err(RequestError::Mismatch));
    assert!(host.socket().is_open());

    // the poll on its way when the client closes, once
    assert_eq!(post(b"1").await, Ok(()));
    assert_eq!(poll().await.map(|answer| answer.payload), Ok(b"6".to_vec()));
    assert_eq!(poll().await, Err(RequestError::UnknownSession));
    assert_eq!(post(b"4a").await, Err(RequestError::UnknownSession));

    let client = pair.open(Eio::V4, "").await;
    let large = server.post(client.sid(), PayloadForm::V4, Bytes::from(vec![b'4'; 1001])).await;
    assert_eq!(large, Err(RequestError::TooLarge));
    let closed = host.log.until(|event| event.ends_with("TooLarge")).await;
    assert_eq!(closed.last().unwrap(), "close: transport error, TooLarge");

    // a poll that is let go of is a client that went away; a second one overlaps
    let client = pair.open(Eio::V4, "").await;
    let poll = tokio::time::timeout(ms(10), server.poll(client.sid(), Protocol::V4, false)).await;
    assert!(poll.is_err());
    assert_eq!(host.log.closed().await.last().unwrap(), "close: transport error");
    let client = pair.open(Eio::V4, "").await;
    let (one, other) = tokio::join!(
        server.poll(client.sid(), Protocol::V4, false),
        server.poll(client.sid(), Protocol::V4, false)
    );
    assert_eq!(other, Err(RequestError::Overlap));
    assert!(one.is_err() || one.unwrap().payload == b"1", "the session is over");
    // a heartbeat answers a poll in the end
    let client = pair.open(Eio::V4, "").await;
    let begin = tokio::time::Instant::now();
    let answer = server.poll(client.sid(), Protocol::V4, false).await;
    assert_eq!((answer.unwrap().payload, begin.elapsed()), (b"2".to_vec(), s(25)));
    host.socket().close();
    pair.end().await;
}
