//! A Redis of one's own, and servers and clients in front of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use socketio::{Server, Socket};
use socketio_redis::{Builder, RedisAdapter};
use testkit::{Connector, Eio, WebSocket, open_websocket};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A `redis-server` on a free port, ended with this value.
pub(crate) struct Redis {
    program: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Redis {
    /// Starts one; `None`, with a line on the terminal, if there is no such program.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: there is no redis-server");
            return None;
        };
        let mut redis = Self { program, port: free_port().await, child: None };
        redis.run().await;
        Some(redis)
    }

    pub(crate) async fn run(&mut self) {
        let child = Command::new(&self.program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("the program is there"));
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        eventually("redis-server listens", async || TcpStream::connect(address).await.is_ok())
            .await;
    }

    /// As when the machine goes.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }

    pub(crate) fn builder(&self) -> Builder {
        RedisAdapter::builder(format!("redis://127.0.0.1:{}", self.port))
            .request_timeout(Duration::from_secs(2))
    }

    pub(crate) async fn node(&self, builder: Builder) -> Node {
        Node::of(builder).await
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that is free, and is given to no other test: nobody listens to it until Redis has started,
/// and while it is gone.
async fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

pub(crate) fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("REDIS_SERVER") {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(Path::new("redis-server")))
        .find(|program| program.is_file())
}

/// A server of a cluster.
pub(crate) struct Node {
    pub(crate) io: Server,
    pub(crate) redis: RedisAdapter,
    sockets: mpsc::UnboundedReceiver<Socket>,
}

impl Node {
    pub(crate) async fn of(builder: Builder) -> Self {
        let redis = builder.build().unwrap();
        let io = Server::builder().adapter(redis.clone()).build().unwrap();
        within("the subscriptions", redis.ready()).await;
        let (sender, sockets) = mpsc::unbounded_channel();
        io.on_connection(move |socket: Socket| drop(sender.send(socket)));
        Self { io, redis, sockets }
    }

    /// A client and its socket.
    pub(crate) async fn client(&mut self) -> (Client, Socket) {
        let io = self.io.clone();
        let server = Connector::new(move |stream| {
            let io = io.clone();
            let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
            tokio::spawn(async move { io.serve_stream(stream, peer).await });
        });
        let (mut ws, _) = open_websocket(&server, Eio::V4, "").await;
        ws.send_text("40").await;
        ws.next().await;
        let socket = within("the connection", self.sockets.recv()).await.expect("it serves");
        (Client(ws), socket)
    }
}

/// A client that reads packets.
pub(crate) struct Client(WebSocket);

impl Client {
    #[track_caller]
    pub(crate) fn expect(&mut self, packet: &str) -> impl Future<Output = ()> {
        self.0.expect_text(packet)
    }

    /// The next event's only argument, a number.
    pub(crate) async fn number(&mut self) -> u64 {
        let frame = within("an event", self.0.next()).await;
        let text = format!("{frame:?}");
        let digits = text.rsplit(',').next().unwrap_or_default();
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no number in {text}"))
    }
}

pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, work).await {
        Ok(value) => value,
        Err(_) => panic!("waiting for {what}: nothing for {LIMIT:?}"),
    }
}

/// Asks until the answer is yes.
pub(crate) async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is().await {
        assert!(begin.elapsed() < LIMIT, "waiting for {what}: not after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// It ends a test that hangs, and measures nothing.
const LIMIT: Duration = Duration::from_secs(30);
