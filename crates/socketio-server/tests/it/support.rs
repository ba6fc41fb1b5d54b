//! What all tests use: the way to a server, clients that spell out their packets, and a log.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio::{Namespace, Server, Socket};
use testkit::{Connector, Eio, WebSocket, open_websocket, settle};
use tokio::sync::mpsc;

/// Both generations of the protocol: Socket.IO 4 over Engine.IO 3, and 5 over 4.
pub(crate) const BOTH: [Eio; 2] = [Eio::V3, Eio::V4];

/// A second in which nothing comes.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The way to a server, over streams in memory.
pub(crate) fn connector(io: &Server) -> Connector {
    let io = io.clone();
    Connector::new(move |stream| {
        let io = io.clone();
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        tokio::spawn(async move { io.serve_connection(stream, peer).await });
    })
}

/// A client over WebSocket that spells out its packets.
pub(crate) struct Peer {
    pub(crate) ws: WebSocket,
    pub(crate) eio: Eio,
    /// The id of the session.
    pub(crate) sid: String,
    /// The id of the socket that joined last.
    pub(crate) id: String,
}

impl Peer {
    /// A client that has a session and joined nothing: clients of Engine.IO 3 join `/` by
    /// themselves, and their CONNECT is still to be read.
    #[track_caller]
    pub(crate) fn open(server: &Connector, eio: Eio) -> impl Future<Output = Self> {
        let opened = open_websocket(server, eio, "");
        async move {
            let (ws, handshake) = opened.await;
            let sid = handshake["sid"].as_str().expect("the open packet has a sid").to_owned();
            Self { ws, eio, sid, id: String::new() }
        }
    }

    /// A client in `/`.
    pub(crate) async fn join(server: &Connector, eio: Eio) -> Self {
        let mut peer = Self::open(server, eio).await;
        peer.enter("/").await;
        peer
    }

    /// A client in another namespace; one of Engine.IO 3 is in `/`, too.
    pub(crate) async fn join_namespace(server: &Connector, eio: Eio, nsp: &str) -> Self {
        let mut peer = Self::open(server, eio).await;
        if eio == Eio::V3 {
            peer.enter("/").await;
        }
        peer.enter(nsp).await;
        peer
    }

    /// Joins a namespace and reads the answer.
    pub(crate) async fn enter(&mut self, nsp: &str) {
        match (self.eio, nsp) {
            // Socket.IO v4: every connection joins `/` by itself
            (Eio::V3, "/") => {}
            (_, "/") => self.send("40").await,
            (_, nsp) => self.send(&format!("40{nsp},")).await,
        }
        self.entered(nsp).await;
    }

    /// Reads the answer to a CONNECT.
    pub(crate) async fn entered(&mut self, nsp: &str) {
        let prefix = if nsp == "/" { String::new() } else { format!("{nsp},") };
        let answer = self.next().await;
        let content = answer.strip_prefix(&format!("40{prefix}"));
        let content = content.unwrap_or_else(|| panic!("no answer to a CONNECT: {answer:?}"));
        self.id = match (self.eio, nsp) {
            (Eio::V3, _) => {
                assert_eq!(content, "", "clients of old are told no id");
                if nsp == "/" { self.sid.clone() } else { format!("{nsp}#{}", self.sid) }
            }
            (Eio::V4, _) => {
                let content: serde_json::Value = serde_json::from_str(content).expect("JSON");
                content["sid"].as_str().expect("a sid").to_owned()
            }
        };
    }

    #[track_caller]
    pub(crate) fn send(&mut self, packet: &str) -> impl Future<Output = ()> {
        self.ws.send_text(packet)
    }

    /// Sends packets in one segment, so that the server reads all of them at once.
    pub(crate) async fn send_all(&mut self, packets: &[&str]) {
        let frame = |packet: &&str| testkit::frame(true, 1, Some([1, 2, 3, 4]), packet.as_bytes());
        let bytes: Vec<u8> = packets.iter().flat_map(frame).collect();
        self.ws.send_raw(&bytes).await;
    }

    /// Sends an attachment.
    pub(crate) async fn send_binary(&mut self, content: &[u8]) {
        match self.eio {
            // Engine.IO v3: the byte 4 marks a message
            Eio::V3 => self.ws.send_binary(&[&[4], content].concat()).await,
            Eio::V4 => self.ws.send_binary(content).await,
        }
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, packet: &str) -> impl Future<Output = ()> {
        self.ws.expect_text(packet)
    }

    /// Reads an attachment.
    pub(crate) async fn expect_binary(&mut self, content: &[u8]) {
        match self.eio {
            Eio::V3 => self.ws.expect_binary(&[&[4], content].concat()).await,
            Eio::V4 => self.ws.expect_binary(content).await,
        }
    }

    /// The next packet.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = String> {
        let frame = self.ws.next();
        async move {
            match frame.await {
                testkit::Frame::Text(packet) => packet,
                other => panic!("expected a packet, got {other:?}"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn silence(&mut self) -> impl Future<Output = ()> {
        self.ws.expect_silence(SECOND)
    }

    /// Panics unless the server closes the connection next.
    pub(crate) async fn closed(&mut self) {
        self.ws.expect_close().await;
        self.ws.send_close(None).await;
        self.ws.expect_eof().await;
    }
}

/// The sockets of a namespace as they come. What a socket's handlers hold does not outlive it.
pub(crate) struct Arrivals(mpsc::UnboundedReceiver<Socket>);

pub(crate) fn arrivals(namespace: &Namespace) -> Arrivals {
    let (sender, receiver) = mpsc::unbounded_channel();
    namespace.on_connection(move |socket: Socket| _ = sender.send(socket));
    Arrivals(receiver)
}

impl Arrivals {
    pub(crate) async fn next(&mut self) -> Socket {
        let arrived = tokio::time::timeout(testkit::TIMEOUT, self.0.recv()).await;
        arrived.expect("a socket should come").expect("the server should be there")
    }
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// Logs `disconnecting` and `disconnect` with reason and rooms.
    pub(crate) fn watch(&self, socket: &Socket) {
        let log = self.clone();
        socket.on_disconnecting(move |socket: Socket, socketio::Reason(why): socketio::Reason| {
            let rooms = socket.rooms().len();
            log.add(format!("{} disconnecting: {why}, {rooms} rooms", socket.namespace().name()));
        });
        let log = self.clone();
        socket.on_disconnect(move |socket: Socket, socketio::Reason(why): socketio::Reason| {
            let rooms = socket.rooms().len();
            log.add(format!("{} disconnect: {why}, {rooms} rooms", socket.namespace().name()));
        });
    }

    /// Logs the `error` events.
    pub(crate) fn watch_errors(&self, socket: &Socket) {
        let log = self.clone();
        socket.on_error(
            move |socketio::events::ErrorEvent(error): socketio::events::ErrorEvent| {
                log.add(format!("error: {error}"));
            },
        );
    }

    /// Takes what happened until all came to rest.
    pub(crate) async fn take(&self) -> Vec<String> {
        settle().await;
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The clients go, and nothing of them is left.
#[track_caller]
pub(crate) fn leave_nothing<P>(
    io: &Server,
    peers: impl IntoIterator<Item = P>,
) -> impl Future<Output = ()> {
    peers.into_iter().for_each(drop);
    nothing_left(io)
}

/// Panics unless all traces of former clients are gone soon.
#[track_caller]
pub(crate) fn nothing_left(io: &Server) -> impl Future<Output = ()> {
    let at = std::panic::Location::caller();
    let io = io.clone();
    async move {
        let left = || {
            let stats = io.stats();
            [stats.engine.sessions, stats.sockets, stats.rooms, stats.pending_acks]
        };
        let gone = async {
            while left() != [0; 4] {
                settle().await;
            }
        };
        if tokio::time::timeout(testkit::TIMEOUT, gone).await.is_err() {
            panic!("{at}: left of sessions, sockets, rooms, acks: {:?}", left());
        }
    }
}
