//! Events over a real socket, from the readiness of the socket to the handler and back: the turn of
//! a session's task, with the runtime's part in it. What the kernel does is not counted; the one
//! `write` and `read` of the client are.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use socketio::options::ConnectionStateRecovery;
use socketio::{Data, Reply, Server, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case { name: "turn/sync-handler", count: 200, run: |n| events(n, 1, "number", "") },
    Case { name: "turn/async-handler", count: 200, run: |n| events(n, 1, "async", "") },
    Case { name: "turn/emit", count: 200, run: |n| events(n, 1, "emit", r#"42["emit",7]"#) },
    Case { name: "turn/reply", count: 200, run: |n| events(n, 1, "reply", "431[7]") },
    Case { name: "turn/16-sync-handlers", count: 50, run: |n| events(n, 16, "number", "") },
    Case { name: "turn/16-emits", count: 50, run: |n| events(n, 16, "emit", r#"42["emit",7]"#) },
    Case { name: "recovery/emit", count: 200, run: |n| recoverable(n, 1) },
    Case { name: "recovery/16-emits", count: 50, run: |n| recoverable(n, 16) },
];

/// As `turn/emit`, by a server whose clients come back to their sessions.
fn recoverable(n: u32, burst: usize) {
    let emitted = r#"42["emit",7,"------------"]"#; // and an offset
    on(&Host::recovering(), n, burst, "emit", emitted.len(), |answers| {
        answers.windows(12).any(|part| part == br#"42["emit",7,"#) && answers.ends_with(b"\"]")
    });
}

/// Each time `burst` events in one segment, of which the server makes one turn.
fn events(n: u32, burst: usize, event: &str, answer: &str) {
    on(&Host::new(), n, burst, event, answer.len(), |answers| answers.ends_with(answer.as_bytes()));
}

/// With answers of such a length, which have to be right.
fn on(
    host: &Host,
    n: u32,
    burst: usize,
    event: &str,
    answer: usize,
    are_right: impl Fn(&[u8]) -> bool,
) {
    let mut client = host.connect();
    let id = if event == "reply" { "1" } else { "" };
    let event = frame(&format!(r#"42{id}["{event}",7]"#));
    let last = frame(r#"42["last"]"#);
    let segment = [event.repeat(burst - 1), event, last].concat();
    let mut answers = vec![0; burst * if answer == 0 { 0 } else { 2 + answer }];
    for _ in 0..n {
        host.send(&mut client, &segment);
        client.read_exact(&mut answers).expect("the server has written");
    }
    assert!(are_right(&answers), "not the answer");
}

/// A server on this thread.
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) runtime: Runtime,
    pub(crate) address: SocketAddr,
    handled: Arc<Notify>,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::of(Server::new())
    }

    /// One whose clients come back to their sessions. It keeps few events, so that one is let go of for
    /// each that comes, as by a server that has been running for some time.
    pub(crate) fn recovering() -> Self {
        let mut recovery = ConnectionStateRecovery::default();
        recovery.max_kept_packets = 64;
        let io = Server::builder().connection_state_recovery(recovery).build();
        Self::of(io.expect("the defaults are right"))
    }

    fn of(io: Server) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handled = Arc::new(Notify::new());
        let last = Arc::clone(&handled);
        io.on_connection(move |socket: Socket| {
            socket.on("number", |_: Socket, Data(_): Data<u64>| {});
            socket.on("async", async |_: Socket, Data(_): Data<u64>| {});
            socket.on("emit", |socket: Socket, Data(n): Data<u64>| socket.emit("emit", n));
            socket.on("reply", |Data(n): Data<u64>| Reply(n));
            socket
                .on("all", |socket: Socket, Data(n): Data<u64>| socket.namespace().emit("news", n));
            let last = Arc::clone(&last);
            socket.on("last", move || last.notify_one());
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listening = runtime.block_on(io.listen(address)).expect("a free port");
        let address = listening.local_addr();
        Self { server: io, runtime, address, handled }
    }

    /// Connects a client and joins it to `/`.
    pub(crate) fn connect(&self) -> TcpStream {
        self.runtime.block_on(connect(self.address)).expect("a connection")
    }

    /// Sends events of which the last is `last`, and serves until that was handled; what the turn
    /// sent is then on its way.
    pub(crate) fn send(&self, client: &mut TcpStream, segment: &[u8]) {
        client.write_all(segment).expect("the server reads");
        self.runtime.block_on(self.handled.notified());
    }
}

pub(crate) fn frame(packet: &str) -> Vec<u8> {
    socketio_testkit::frame(true, 1, Some([1, 2, 3, 4]), packet.as_bytes())
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
                   Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    // the open packet ends like the answer to the CONNECT: with a bracket
    for packet in [Some(frame("40")), None] {
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        if let Some(packet) = packet {
            stream.write_all(&packet).await?;
        }
    }
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}
