//! Nodes without sticky sessions: how they find each other, and a request that reaches the wrong one.
//! What is passed on, and how, is tested in `crates/engineio`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio::Server;
use socketio::adapter::{Adapter, AdapterFactory, LocalAdapterFactory};
use socketio::options::BuildError;
use socketio::serve::nodes::{Nodes, NodesBuilder, NodesError};
use socketio_adapter::{AdapterFuture, NodesChannel, NodesReceiver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);
const ANY: (&str, u16) = ("127.0.0.1", 0);

/// An adapter whose broker is this process.
#[derive(Clone, Debug, Default)]
struct Broker(Arc<Channel>);

#[derive(Default)]
struct Channel(Mutex<Vec<Arc<NodesReceiver>>>);

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel")
    }
}

impl AdapterFactory for Broker {
    fn create(&self, namespace: &str) -> Arc<dyn Adapter> {
        LocalAdapterFactory::default().create(namespace)
    }

    fn name(&self) -> &'static str {
        "test"
    }

    fn nodes_channel(&self) -> Option<Arc<dyn NodesChannel>> {
        Some(Arc::clone(&self.0) as _)
    }
}

impl NodesChannel for Channel {
    fn publish(&self, message: String) -> bool {
        let receivers = self.0.lock().unwrap().clone();
        receivers.iter().for_each(|receive| receive(message.as_bytes()));
        true
    }

    fn listen(&self, receive: NodesReceiver) -> AdapterFuture<()> {
        self.0.lock().unwrap().push(Arc::new(receive));
        Box::pin(std::future::ready(Ok(())))
    }
}

struct Node {
    io: Server,
    nodes: Nodes,
    clients: SocketAddr,
}

async fn node(nodes: NodesBuilder) -> Node {
    let nodes = nodes.build().unwrap();
    let io = Server::builder().nodes(nodes.clone()).build().unwrap();
    let clients = io.listen(ANY).await.unwrap().local_addr();
    Node { io, nodes, clients }
}

impl Node {
    fn known(&self) -> Vec<String> {
        self.io.nodes().into_iter().filter(|node| !node.is_self).map(|node| node.name).collect()
    }

    async fn until_known(&self, names: &[&str]) {
        let waiting = async {
            while self.known() != names {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, waiting)
            .await
            .unwrap_or_else(|_| panic!("{:?}, not {names:?}", self.known()));
    }
}

/// A session of the one is reached through the other.
async fn is_reached(home: &Node, through: &Node) {
    let open = ask(home.clients, "GET", "", "").await;
    let sid = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(sid.starts_with(home.nodes.tag().as_str()), "{sid}");
    let posted = ask(through.clients, "POST", &format!("&sid={sid}"), "40").await;
    assert!(posted.ends_with("ok"), "{posted}");
    let polled = ask(through.clients, "GET", &format!("&sid={sid}"), "").await;
    assert!(polled.contains("40{\"sid\":"), "{polled}");
}

async fn ask(to: SocketAddr, method: &str, query: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let request = format!(
        "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: x\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    answer
}

#[tokio::test]
async fn nodes_meet_over_the_adapter() {
    let broker = Broker::default();
    let a = node(Nodes::over(&broker).name("chat-a")).await;
    let b = node(Nodes::over(&broker).name("chat-b")).await;
    a.nodes.listen(ANY).await.unwrap();
    assert!(a.known().is_empty());
    b.nodes.listen(ANY).await.unwrap();
    // who comes knows the others when it listens
    assert_eq!(b.known(), ["chat-a"]);
    a.until_known(&["chat-b"]).await;
    assert_eq!(a.io.nodes()[0].name, "chat-a");
    is_reached(&a, &b).await;
    is_reached(&b, &a).await;

    // one that is drained says so at once
    let draining = tokio::spawn(async move {
        a.io.drain(Duration::from_secs(600)).await;
    });
    let is_draining = |node: &Node| node.io.nodes().iter().any(|node| node.draining);
    let waiting = async {
        while !is_draining(&b) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, waiting).await.unwrap();
    draining.abort();
}

#[tokio::test]
async fn a_node_that_closes_is_gone() {
    let broker = Broker::default();
    let a = node(Nodes::over(&broker).name("chat-a")).await;
    let b = node(Nodes::over(&broker).name("chat-b")).await;
    a.nodes.listen(ANY).await.unwrap();
    b.nodes.listen(ANY).await.unwrap();
    assert_eq!(b.known(), ["chat-a"]);
    a.io.close().await;
    b.until_known(&[]).await;
}

#[tokio::test]
async fn a_second_node_of_a_name_does_not_listen() {
    let broker = Broker::default();
    let first = node(Nodes::over(&broker).name("chat")).await;
    first.nodes.listen(ANY).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await; // a later life
    let second = node(Nodes::over(&broker).name("chat")).await;
    let error = second.nodes.listen(ANY).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(error.to_string(), "two nodes are called \"chat\"");
}

#[cfg(unix)]
#[tokio::test]
async fn processes_meet_in_a_folder() {
    let folder = std::env::temp_dir().join(format!("socketio-nodes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let a = node(Nodes::unix(&folder).name("proc-a")).await;
    let b = node(Nodes::unix(&folder).name("proc-b")).await;
    a.nodes.listen_unix().await.unwrap();
    b.nodes.listen_unix().await.unwrap();
    assert_eq!(b.known(), ["proc-a"]);
    a.until_known(&["proc-b"]).await;
    is_reached(&a, &b).await;
    is_reached(&b, &a).await;
    let again = node(Nodes::unix(&folder).name("proc-a")).await;
    let error = again.nodes.listen_unix().await.unwrap_err().to_string();
    assert!(error.contains("listens on"), "{error}");
    b.io.close().await;
    a.until_known(&[]).await;
    drop((a, again));
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test]
async fn addresses_of_a_name_are_asked_who_they_are() {
    let a = node(Nodes::fixed([("nodA", "127.0.0.1:1")]).name("nodA").secret("s")).await;
    let at = a.nodes.listen(ANY).await.unwrap().local_addr();
    let b = node(Nodes::dns(at.to_string()).name("nodB").secret("s")).await;
    b.nodes.listen(ANY).await.unwrap();
    assert_eq!(b.known(), ["nodA"]);
    is_reached(&a, &b).await;
    let stranger = node(Nodes::dns(at.to_string()).name("nodC").secret("other")).await;
    stranger.nodes.listen(ANY).await.unwrap();
    assert!(stranger.known().is_empty());
}

#[tokio::test]
async fn nodes_that_cannot_be_are_told_why() {
    #[track_caller]
    fn no(nodes: NodesBuilder, expected: &NodesError) {
        match nodes.build() {
            Err(BuildError::Nodes(error)) => assert_eq!(error, *expected),
            other => panic!("{other:?}"),
        }
    }
    let list = [("a", "127.0.0.1:1"), ("b", "127.0.0.1:2")];
    no(Nodes::fixed(list), &NodesError::NotListed);
    no(Nodes::fixed(list).name("c"), &NodesError::NotListed);
    let (name, other) = ("a".to_owned(), "a".to_owned());
    no(Nodes::fixed([list[0], list[0]]).name("a"), &NodesError::Duplicate { name, other });
    let reached = [("a", "10.0.0.1:7946")];
    no(Nodes::fixed(reached).name("a"), &NodesError::NoSecret(reached[0].1.to_owned()));
    no(Nodes::over(&LocalAdapterFactory::default()), &NodesError::NoBroker);
    no(Nodes::over(&Broker::default()).name("x".repeat(600)), &NodesError::TooLong);
    for secret in ["", "a b", "\u{e4}"] {
        let nodes = Nodes::fixed(list).name("a").secret(secret).build().unwrap();
        let error = Server::builder().nodes(nodes).build().unwrap_err().to_string();
        assert!(error.contains("secret"), "{error}");
    }

    let nodes = Nodes::over(&Broker::default()).secret("s").build().unwrap();
    let error = nodes.listen(ANY).await.unwrap_err().to_string();
    assert!(error.contains("must be given to a server"), "{error}");
    let _io = Server::builder().nodes(nodes.clone()).build().unwrap();
    let error = nodes.listen(("0.0.0.0", 0)).await.unwrap_err().to_string();
    assert!(error.contains("advertise"), "{error}");
    let error = Server::builder().nodes(nodes).build().unwrap_err().to_string();
    assert!(error.contains("another server"), "{error}");
}
