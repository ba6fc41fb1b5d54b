//! A Redis of one's own, and servers and clients in front of it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{FromRedisValue, RedisResult};
use socketio::{Server, Socket};
use socketio_redis::{Builder, RedisAdapter};
use testkit::{Connector, Eio, WebSocket, open_websocket};
use tokio::sync::mpsc;

type Arguments = dyn Fn(&Path) -> Vec<String> + Send + Sync;

/// How servers of a kind are reached by the adapters: over plain TCP, or over TLS.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) scheme: &'static str,
    /// More arguments of a server, for its folder.
    pub(crate) arguments: Arc<Arguments>,
    /// Has an adapter trust the servers.
    pub(crate) trust: Arc<dyn Fn(Builder) -> Builder + Send + Sync>,
}

impl Access {
    pub(crate) fn plain() -> Self {
        let trust = Arc::new(|builder| builder);
        Self { scheme: "redis", arguments: Arc::new(|_| Vec::new()), trust }
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.scheme == "redis"
    }

    pub(crate) fn port(&self, redis: &Redis) -> u16 {
        match self.is_plain() {
            true => redis.port,
            false => fs::read_to_string(redis.folder.join(TLS_PORT)).unwrap().parse().unwrap(),
        }
    }

    /// Where nobody is, and where a server is.
    pub(crate) fn urls(&self, redis: &Redis) -> [String; 2] {
        [1, self.port(redis)].map(|port| format!("{}://127.0.0.1:{port}", self.scheme))
    }
}

/// The file in a server's folder that has the number of its port for TLS.
pub(crate) const TLS_PORT: &str = "tls-port";

/// A `redis-server` on a free port, ended with this value.
pub(crate) struct Redis {
    program: PathBuf,
    pub(crate) port: u16,
    /// Where it may write.
    pub(crate) folder: PathBuf,
    /// More, for its folder.
    arguments: Box<Arguments>,
    child: Option<Child>,
}

impl Redis {
    /// Starts one; `None`, with a line on the terminal, if there is no such program.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(|_| Vec::new()).await
    }

    /// The same with more arguments, which may depend on its folder.
    pub(crate) async fn start_with(
        arguments: impl Fn(&Path) -> Vec<String> + Send + Sync + 'static,
    ) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: there is no redis-server");
            return None;
        };
        let mut redis = Self {
            program,
            port: 0,
            folder: PathBuf::new(),
            arguments: Box::new(arguments),
            child: None,
        };
        for _ in 0..20 {
            redis.port = free_port();
            redis.folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
                "redis-{}-{}",
                std::process::id(),
                redis.port
            ));
            fs::create_dir_all(&redis.folder).expect("it is ours");
            if redis.try_run().await {
                return Some(redis);
            }
            // somebody else was faster
            redis.end();
            redis.clear();
        }
        panic!("redis-server finds no port");
    }

    /// Again, on the same port.
    pub(crate) async fn run(&mut self) {
        let begin = Instant::now();
        // somebody's connection may have it for a moment
        while !self.try_run().await {
            assert!(begin.elapsed() < LIMIT, "redis-server does not run on port {}", self.port);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// False: it ended, because a port is taken.
    async fn try_run(&mut self) -> bool {
        let arguments = (self.arguments)(&self.folder);
        let is_fleeting = !arguments.iter().any(|argument| argument == "--appendonly");
        let child = Command::new(&self.program)
            .args(&arguments)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--loglevel", "warning"])
            .args(is_fleeting.then_some(["--appendonly", "no"]).into_iter().flatten())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let mut child = child.expect("the program is there");
        let begin = Instant::now();
        let runs = loop {
            assert!(begin.elapsed() < LIMIT, "redis-server does not listen");
            if child.try_wait().expect("it is ours").is_some() {
                break false;
            }
            // not that of somebody else
            let of = format!("process_id:{}\r\n", child.id());
            match self.try_ask::<String>(&["INFO", "server"]).await {
                Ok(info) if info.contains(&of) => break true,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        self.child = Some(child);
        runs
    }

    /// As when the machine goes.
    pub(crate) fn kill(&mut self) {
        assert!(self.child.is_some(), "it runs");
        self.end();
    }

    /// As when the machine hangs: connections are there, and nobody answers.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
    }

    /// As when it goes on.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status();
        assert!(sent.expect("there is `kill`").success());
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn clear(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let answer = within("an answer of Redis", self.try_ask(command)).await;
        answer.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    pub(crate) async fn try_ask<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        asked.query_async(&mut connection).await
    }

    pub(crate) fn builder(&self) -> Builder {
        RedisAdapter::builder(self.url()).request_timeout(Duration::from_secs(2))
    }

    pub(crate) async fn node(&self, builder: Builder) -> Node {
        Node::new(builder).await
    }
}

/// A port that is free, and is given to no other test: nobody listens to it until Redis has started,
/// and while it is gone.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
        self.clear();
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
    pub(crate) async fn new(builder: Builder) -> Self {
        Self::of(builder, Server::builder()).await
    }

    /// The same of a server with other options.
    pub(crate) async fn of(builder: Builder, server: socketio::Builder) -> Self {
        let redis = builder.build().unwrap();
        let io = server.adapter(redis.clone()).build().unwrap();
        within("the subscriptions", redis.ready()).await;
        let (sender, sockets) = mpsc::unbounded_channel();
        io.on_connection(move |socket: Socket| drop(sender.send(socket)));
        Self { io, redis, sockets }
    }

    /// A connection on which nobody has joined.
    pub(crate) async fn connection(&self) -> WebSocket {
        let io = self.io.clone();
        let server = Connector::new(move |stream| {
            let io = io.clone();
            let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
            tokio::spawn(async move { io.serve_connection(stream, peer).await });
        });
        open_websocket(&server, Eio::V4, "").await.0
    }

    /// The next socket of `/`.
    pub(crate) async fn socket(&mut self) -> Socket {
        within("the connection", self.sockets.recv()).await.expect("it serves")
    }

    /// A client and its socket.
    pub(crate) async fn client(&mut self) -> (Client, Socket) {
        let mut ws = self.connection().await;
        ws.send_text("40").await;
        ws.next().await;
        (Client(ws), self.socket().await)
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
        number(&format!("{frame:?}"))
    }
}

/// The last argument of an event, a number.
fn number(text: &str) -> u64 {
    let digits = text.rsplit(',').next().unwrap_or_default();
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number in {text}"))
}

/// A client that hears numbers, none of them twice.
pub(crate) struct Ears {
    numbers: mpsc::UnboundedReceiver<u64>,
    heard: HashSet<u64>,
}

impl Ears {
    pub(crate) fn new(mut client: Client, socket: Socket) -> Self {
        let (sender, numbers) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            // a client that hears nothing for long gives up
            while socket.emit("tick", "tock").is_ok() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        tokio::spawn(async move {
            loop {
                let text = format!("{:?}", client.0.next().await);
                if !text.contains("tick") && sender.send(number(&text)).is_err() {
                    return;
                }
            }
        });
        Self { numbers, heard: HashSet::new() }
    }

    /// The next number, if there is one soon.
    pub(crate) async fn soon(&mut self) -> Option<u64> {
        let next = tokio::time::timeout(Duration::from_millis(20), self.numbers.recv()).await;
        let number = next.ok()?.expect("the client is there");
        assert!(self.heard.insert(number), "{number} came twice");
        Some(number)
    }

    /// All numbers, once the last of them is heard.
    pub(crate) async fn until(&mut self, last: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        let begin = Instant::now();
        while numbers.last() != Some(&last) {
            assert!(begin.elapsed() < LIMIT, "waiting for {last}: heard {numbers:?}");
            numbers.extend(self.soon().await);
        }
        numbers
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

const LIMIT: Duration = Duration::from_secs(10);
