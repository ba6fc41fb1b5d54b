//! Requests of sessions that other nodes have, passed on over TCP on loopback addresses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engineio::{
    Application, CloseReason, Context, Directory, Message, NodeTag, NodesOptions, Options, Owner,
    Route, Server, Socket,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The nodes of a test.
#[derive(Debug)]
struct List {
    tag: NodeTag,
    others: Mutex<HashMap<NodeTag, Arc<Owner>>>,
}

impl Directory for List {
    fn tag(&self) -> NodeTag {
        self.tag
    }

    fn owner(&self, tag: NodeTag) -> Option<Arc<Owner>> {
        self.others.lock().unwrap().get(&tag).cloned()
    }

    fn about(&self) -> String {
        format!("I am {}", self.tag)
    }
}

struct Node {
    server: Server,
    list: Arc<List>,
    clients: SocketAddr,
    nodes: SocketAddr,
    closed: Arc<Mutex<Vec<CloseReason>>>,
}

struct Echo(Socket, Arc<Mutex<Vec<CloseReason>>>);

impl Application for Echo {
    fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
        let _ = self.0.send(message);
    }

    fn on_close(
        &mut self,
        reason: CloseReason,
        _: Option<engineio::CloseDetail>,
        _: &mut Context<'_>,
    ) {
        self.1.lock().unwrap().push(reason);
    }
}

const ANY: (&str, u16) = ("127.0.0.1", 0);

async fn node(tag: &str, change: impl FnOnce(&mut NodesOptions)) -> Node {
    let server = Server::new(Options::default()).unwrap();
    let closed = Arc::<Mutex<Vec<CloseReason>>>::default();
    let log = Arc::clone(&closed);
    server.on_connection(move |socket: &Socket| -> Box<dyn Application> {
        Box::new(Echo(socket.clone(), Arc::clone(&log)))
    });
    let list = Arc::new(List { tag: tag.parse().unwrap(), others: Mutex::default() });
    let mut options = NodesOptions::new(list.clone());
    options.secret = Some("secret".to_owned());
    change(&mut options);
    assert!(server.relay_to(options).unwrap());
    let clients = server.listen(ANY).await.unwrap().local_addr();
    let nodes = TcpListener::bind(ANY).await.unwrap();
    let nodes = server.attach_nodes(nodes).unwrap().local_addr();
    Node { server, list, clients, nodes, closed }
}

impl Node {
    fn knows(&self, other: &Self) {
        let owner = Owner::new(other.list.tag.as_str(), other.nodes.to_string());
        self.list.others.lock().unwrap().insert(other.list.tag, Arc::new(owner));
    }

    fn relayed(&self) -> engineio::Relayed {
        self.server.stats().relayed
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, waiting).await.expect("it never came to that");
    }
}

/// Two nodes that know each other, and a session of the first.
async fn two() -> (Node, Node, String) {
    let (a, b) = (node("nodA", |_| {}).await, node("nodB", |_| {}).await);
    a.knows(&b);
    b.knows(&a);
    let sid = open(&a).await;
    (a, b, sid)
}

async fn open(node: &Node) -> String {
    let answer = ask(node.clients, "GET", "", "", "").await;
    let sid = answer.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(sid.starts_with(node.list.tag.as_str()) && sid.len() == 20, "{sid}");
    sid
}

async fn send(to: SocketAddr, method: &str, sid: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let sid = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
    let length = if method == "POST" {
        format!("Content-Length: {}\r\n", body.len())
    } else {
        String::new()
    };
    let request = format!(
        "{method} /engine.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: x\r\n{length}{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// What comes until there is such a text.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&all).contains(end) {
            match stream.read(&mut buffer).await {
                Ok(count @ 1..) => all.extend_from_slice(&buffer[..count]),
                _ => break,
            }
        }
    };
    timeout(LONG, reading).await.expect("nothing comes");
    String::from_utf8_lossy(&all).into_owned()
}

async fn answer(mut stream: TcpStream) -> String {
    let head = read_until(&mut stream, "\r\n\r\n").await;
    let (head, mut body) =
        head.split_once("\r\n\r\n").map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap();
    let length = head.to_ascii_lowercase();
    let length = length
        .split("content-length: ")
        .nth(1)
        .map_or(0, |length| length.split("\r\n").next().unwrap().parse::<usize>().unwrap());
    let mut rest = vec![0; length - body.len()];
    timeout(LONG, stream.read_exact(&mut rest)).await.unwrap().unwrap();
    body.push_str(&String::from_utf8_lossy(&rest));
    format!("{head}\r\n\r\n{body}")
}

async fn ask(to: SocketAddr, method: &str, sid: &str, headers: &str, body: &str) -> String {
    answer(send(to, method, sid, headers, body).await).await
}

#[tokio::test]
async fn polls_and_posts_are_passed_on() {
    let (a, b, sid) = two().await;
    for text in ["hello", "again"] {
        let posted = ask(b.clients, "POST", &sid, "", &format!("4{text}")).await;
        assert!(posted.starts_with("HTTP/1.1 200") && posted.ends_with("ok"), "{posted}");
        let polled = ask(b.clients, "GET", &sid, "Origin: http://page.test\r\n", "").await;
        assert!(polled.ends_with(&format!("4{text}")), "{polled}");
        assert!(polled.contains("access-control-allow-origin: http://page.test"), "{polled}");
    }
    assert_eq!((a.relayed().taken, b.relayed().passed_on), (4, 4));
    b.until(|b| b.relayed().open_out == 0).await;
    a.until(|a| a.relayed().open_in == 0).await;
}

#[tokio::test]
async fn a_websocket_is_passed_on() {
    let (a, b, sid) = two().await;
    let mut stream = TcpStream::connect(b.clients).await.unwrap();
    let request = format!(
        "GET /engine.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nHost: x\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    // masked with zeros
    let frame = |text: &str| {
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        frame
    };
    stream.write_all(&frame("2probe")).await.unwrap();
    read_until(&mut stream, "3probe").await;
    stream.write_all(&frame("5")).await.unwrap();
    stream.write_all(&frame("4over it")).await.unwrap();
    read_until(&mut stream, "4over it").await;
    assert_eq!((a.relayed().open_in, b.relayed().open_out), (1, 1));
    assert_eq!(b.server.session_count(), 0);

    // a node that closes has it ended as one that goes away
    let closing = b.server.close();
    let rest = timeout(LONG, async {
        let mut rest = Vec::new();
        let mut buffer = [0; 64];
        while !rest.windows(2).any(|two| two == [0x88, 2]) {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "a close frame comes first: {rest:?}");
            rest.extend_from_slice(&buffer[..count]);
        }
        rest
    });
    let rest = rest.await.unwrap();
    assert!(rest.ends_with(&[0x88, 2, 3, 233]), "1001: {rest:?}");
    drop(stream);
    timeout(LONG, closing.until(std::future::pending())).await.expect("the node ends");
    a.until(|a| *a.closed.lock().unwrap() == [CloseReason::TransportClose]).await;
    a.until(|a| a.relayed().open_in == 0).await;
}

#[tokio::test]
async fn a_node_that_closes_has_its_polls_answered() {
    let (a, b, sid) = two().await;
    let poll = send(b.clients, "GET", &sid, "", "").await;
    a.until(|a| a.relayed().open_in == 1).await;
    let closing = b.server.close();
    let noop = answer(poll).await;
    assert!(noop.ends_with('6') && noop.contains("connection: close"), "{noop}");
    timeout(LONG, closing.until(std::future::pending())).await.expect("the node ends");
    // the session is none the worse for it
    assert!(ask(a.clients, "POST", &sid, "", "4here").await.ends_with("ok"));
    assert!(ask(a.clients, "GET", &sid, "", "").await.ends_with("4here"));
}

#[tokio::test]
async fn who_goes_away_is_seen_on_the_other_side() {
    let (a, b, sid) = two().await;
    let poll = send(b.clients, "GET", &sid, "", "").await;
    a.until(|a| a.relayed().open_in == 1).await;
    drop(poll);
    a.until(|a| *a.closed.lock().unwrap() == [CloseReason::TransportError]).await;
    b.until(|b| b.relayed().open_out == 0).await;
}

#[tokio::test]
async fn ids_that_nobody_has_are_answered_at_once() {
    let (a, b, _) = two().await;
    let random = "xxxxxxxxxxxxxxxx";
    for sid in
        [&format!("nodB{random}"), &format!("nodC{random}"), "127.0.0.1", &format!("nodA{random}")]
    {
        let unknown = ask(b.clients, "GET", sid, "", "").await;
        assert!(unknown.starts_with("HTTP/1.1 400") && unknown.contains("\"code\":1"), "{unknown}");
    }
    let relayed = b.relayed();
    assert_eq!((relayed.gone, relayed.unknown_node, relayed.malformed), (1, 1, 1));
    assert_eq!((relayed.passed_on, a.relayed().taken), (1, 1));
    // nobody listens there any more
    let (gone, sid) = (node("nodD", |_| {}).await, format!("nodD{random}"));
    b.knows(&gone);
    gone.server.close().await;
    let unknown = ask(b.clients, "POST", &sid, "", "4x").await;
    assert!(unknown.starts_with("HTTP/1.1 400"), "{unknown}");
    assert_eq!(b.relayed().owner_unreachable, 1);
}

#[tokio::test]
async fn the_listener_for_nodes_wants_the_secret_and_passes_nothing_on() {
    let (a, b, sid) = two().await;
    let other = open(&b).await;
    for secret in ["", "X-Sio-Node: wrong\r\n", "X-Sio-Node: secre\r\n"] {
        let refused = ask(a.nodes, "POST", &sid, secret, "4x").await;
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
    assert_eq!(a.relayed().refused_nodes, 3);
    let secret = "X-Sio-Node: secret\r\n";
    assert!(ask(a.nodes, "POST", &sid, secret, "4x").await.ends_with("ok"));
    for no in ["", other.as_str()] {
        let refused = ask(a.nodes, "GET", no, secret, "").await;
        assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    }
    assert_eq!((a.relayed().passed_on, b.relayed().taken), (0, 0));
    assert_eq!(b.server.ask_node(&a.nodes.to_string()).await.unwrap(), "I am nodA");

    let stranger = node("nodC", |options| options.secret = Some("another".to_owned())).await;
    stranger.knows(&a);
    let unknown = ask(stranger.clients, "POST", &sid, "", "4x").await;
    assert!(unknown.starts_with("HTTP/1.1 400"), "{unknown}");
    assert_eq!((stranger.relayed().owner_unreachable, a.relayed().refused_nodes), (1, 4));
    assert!(stranger.server.ask_node(&a.nodes.to_string()).await.is_err());

    let bare = node("nodE", |options| options.secret = None).await;
    let all = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
    let error = bare.server.attach_nodes(all).unwrap_err().to_string();
    assert!(error.contains("need a secret"), "{error}");
}

#[tokio::test]
async fn what_is_passed_on_is_bounded() {
    let (a, b) = (node("nodA", |_| {}).await, node("nodB", |o| o.max_relayed = Some(1)).await);
    b.knows(&a);
    let (one, two) = (open(&a).await, open(&a).await);
    let parked = send(b.clients, "GET", &one, "", "").await;
    a.until(|a| a.relayed().open_in == 1).await;
    let refused = ask(b.clients, "GET", &two, "", "").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after"), "{refused}");
    assert_eq!(b.relayed().too_many_out, 1);
    drop(parked);
    b.until(|b| b.relayed().open_out == 0).await;
    assert!(ask(b.clients, "POST", &two, "", "4x").await.ends_with("ok"));
}

#[tokio::test]
async fn a_platform_is_told_where_to_repeat_a_request() {
    let replay =
        |name: &str| Some((http_name("fly-replay"), format!("instance={name}").parse().ok()?));
    let b = node("nodB", |options| options.route = Route::Replay(Arc::new(replay))).await;
    let a = node("nodA", |_| {}).await;
    b.knows(&a);
    let sid = open(&a).await;
    let told = ask(b.clients, "POST", &sid, "", "4x").await;
    assert!(
        told.starts_with("HTTP/1.1 409") && told.contains("fly-replay: instance=nodA"),
        "{told}"
    );
    assert_eq!((b.relayed().replayed, a.relayed().taken), (1, 0));
}

fn http_name(name: &'static str) -> http::HeaderName {
    http::HeaderName::from_static(name)
}

const LONG: Duration = Duration::from_secs(20);
