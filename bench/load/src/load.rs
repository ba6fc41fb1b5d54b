//! The connections, what they wait for, and what was counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use socketio_testkit::protocol::{CLOSE, Session, TEXT, UPGRADE_HEADERS, target, write_request};

use crate::cluster::Cluster;
use crate::fanout::Order;
use crate::histogram::Histogram;
use crate::inflate::Inflate;
use crate::network::{Epoll, Ready, Stream};
use crate::options::{Options, Scenario};
use crate::request::{Request, frame};

pub(crate) struct Load {
    pub(crate) options: Options,
    pub(crate) request: Request,
    pub(crate) connections: Vec<Connection>,
    /// Places of connections that are gone.
    free: Vec<usize>,
    epoll: Epoll,
    buffer: Vec<u8>,
    turn: usize,
    pub(crate) counts: Counts,
    pub(crate) stage: Stage,
    pub(crate) casts: Vec<Cast>,
    pub(crate) order: Order,
    pub(crate) cluster: Cluster,
    pub(crate) inflate: Inflate,
    /// When the bytes that are handled came.
    pub(crate) now: Instant,
    host: String,
    /// Requests are put together in it.
    scratch: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Counts {
    /// Connections that are opened, and those that were.
    pub(crate) pending: usize,
    pub(crate) ready: usize,
    /// Units of the scenario: echoes, deliveries, handshakes, cycles, or connections closed.
    pub(crate) done: u64,
    /// Wrong answers.
    pub(crate) bad: u64,
    /// Connections that failed.
    pub(crate) errors: u64,
    pub(crate) latency: Histogram,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Opening and warming up: nothing is measured.
    Warming,
    Measuring,
    /// No new requests.
    Stopping,
}

/// What a connection waits for.
///
/// ```text
/// direct:  UpgradeAnswer -> OpenPacket -> Namespace [-> JoinAnswer] -> Ready
/// raw:     UpgradeAnswer -> Ready
/// polling: HandshakeAnswer [-> PostAnswer] -> FirstPoll -> Poll   (and a second one: PostIdle)
/// upgrade: HandshakeAnswer .. FirstPoll -> Upgrading, then a second one: UpgradeAnswer
///          -> ProbeAnswer -> UpgradedEcho -> Ready
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    UpgradeAnswer,
    OpenPacket,
    Namespace,
    JoinAnswer,
    ProbeAnswer,
    UpgradedEcho,
    Ready,
    /// The text part of a binary event came.
    Attachment,
    HandshakeAnswer,
    PostAnswer,
    FirstPoll,
    Poll,
    PostIdle,
    /// Its session goes on over another connection.
    Upgrading,
    Closing,
    Gone,
}

pub(crate) struct Connection {
    /// Nothing once it is gone.
    stream: Option<Stream>,
    pub(crate) waits: Waits,
    pub(crate) born: Instant,
    /// When the requests without an answer were sent.
    pub(crate) sent: VecDeque<Instant>,
    /// Deliveries that were seen.
    pub(crate) seen: usize,
    /// The other connection of the same session.
    pub(crate) peer: Option<usize>,
    /// Nothing before its open packet, and where another connection has the session.
    pub(crate) session: Option<Session>,
    /// Path and query of its requests.
    pub(crate) target: String,
}

/// A broadcast on its way.
pub(crate) struct Cast {
    pub(crate) sent: Instant,
    pub(crate) missing: usize,
}

impl Load {
    pub(crate) fn new(options: Options) -> Result<Self, String> {
        let epoll = Epoll::new().map_err(|error| format!("no epoll: {error}"))?;
        let host = options.address.to_string();
        Ok(Self {
            request: Request::new(&options),
            options,
            connections: Vec::new(),
            free: Vec::new(),
            epoll,
            buffer: vec![0; 512 * 1024],
            turn: 0,
            counts: Counts::default(),
            stage: Stage::Warming,
            casts: Vec::new(),
            order: Order::default(),
            cluster: Cluster::default(),
            inflate: Inflate::default(),
            now: Instant::now(),
            host,
            scratch: Vec::new(),
        })
    }

    /// Waits at most so long for bytes, and handles what came.
    pub(crate) fn turn(&mut self, timeout: Duration, found: &mut Vec<Ready>) -> Result<(), String> {
        self.epoll.wait(timeout, found).map_err(|error| format!("epoll: {error}"))?;
        self.now = Instant::now();
        for &Ready { token, read, write } in &*found {
            let Some(stream) = &mut self.connections[token].stream else { continue };
            if write {
                stream.flush(&self.epoll);
            }
            if !read {
                continue;
            }
            // Taken out, because what is in them drives everything else.
            let mut buffer = std::mem::take(&mut self.buffer);
            let mut unread = std::mem::take(&mut stream.unread);
            let came = stream.read(&mut buffer);
            let born = self.connections[token].born;
            if !came.is_empty() {
                if unread.is_empty() {
                    let used = self.on_bytes(token, came);
                    unread.extend_from_slice(&came[used..]);
                } else {
                    unread.extend_from_slice(came);
                    let used = self.on_bytes(token, &unread);
                    unread.drain(..used);
                }
            }
            self.buffer = buffer;
            let connection = &mut self.connections[token];
            // Its place may be another one's by now.
            if connection.born != born {
                continue;
            }
            let Some(stream) = &mut connection.stream else { continue };
            stream.unread = unread;
            if stream.ended {
                self.on_end(token);
            }
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, at: usize, bytes: &[u8]) {
        if let Some(stream) = &mut self.connections[at].stream {
            stream.write(&self.epoll, bytes);
        }
    }

    pub(crate) fn send_text(&mut self, at: usize, text: &str) {
        self.send(at, &frame(TEXT, text.as_bytes()));
    }

    pub(crate) fn send_requests(&mut self, at: usize, count: usize) {
        let now = Instant::now();
        self.connections[at].sent.extend(std::iter::repeat_n(now, count));
        let bytes = std::mem::take(&mut self.request.bytes);
        if count == 1 {
            self.send(at, &bytes);
        } else {
            self.send(at, &bytes.repeat(count));
        }
        self.request.bytes = bytes;
    }

    /// Opens what the scenario counts as one connection.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        self.counts.pending += 1;
        match self.options.scenario {
            Scenario::Polling => self.start_polling(),
            Scenario::Connect if self.options.upgrade => self.start_polling(),
            _ => self.start_websocket(None).map(drop),
        }
    }

    fn start_polling(&mut self) -> Result<(), String> {
        let at = self.open(Waits::HandshakeAnswer, "polling")?;
        self.get(at);
        Ok(())
    }

    /// A WebSocket, of a new session or for the upgrade of the one at this place.
    pub(crate) fn start_websocket(&mut self, session: Option<usize>) -> Result<usize, String> {
        let at = self.open(Waits::UpgradeAnswer, "websocket")?;
        if let Some(polling) = session {
            let polling = &mut self.connections[polling];
            let target = polling.target.replace("transport=polling", "transport=websocket");
            let session = polling.session.take();
            let websocket = &mut self.connections[at];
            (websocket.session, websocket.target) = (session, target);
        }
        let deflate = self
            .options
            .deflate
            .then_some(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"));
        let headers = UPGRADE_HEADERS.into_iter().chain(deflate);
        let mut request = Vec::new();
        let host = [("Host", self.host.as_str())];
        let target = &self.connections[at].target;
        write_request(&mut request, "GET", target, host.into_iter().chain(headers), b"");
        self.send(at, &request);
        Ok(at)
    }

    /// A new connection in a free place.
    pub(crate) fn open(&mut self, waits: Waits, transport: &str) -> Result<usize, String> {
        self.turn += 1;
        let at = self.free.pop().unwrap_or(self.connections.len());
        let stream = Stream::connect(&self.epoll, self.options.address_of(at), self.turn, at)
            .map_err(|error| format!("cannot connect: {error}"))?;
        let connection = Connection {
            stream: Some(stream),
            waits,
            born: Instant::now(),
            sent: VecDeque::new(),
            seen: 0,
            peer: None,
            session: None,
            target: match self.options.dialect.eio() {
                Some(eio) => target("/socket.io/", eio, transport, ""),
                None => "/".to_owned(),
            },
        };
        if at == self.connections.len() {
            self.connections.push(connection);
        } else {
            self.connections[at] = connection;
        }
        Ok(at)
    }

    pub(crate) fn get(&mut self, at: usize) {
        let headers = [("Host", self.host.as_str()), ("Accept", "*/*")];
        self.scratch.clear();
        let target = &self.connections[at].target;
        write_request(&mut self.scratch, "GET", target, headers, b"");
        self.send_scratch(at);
    }

    /// Posts for the session at this place, over this or another connection.
    pub(crate) fn post(&mut self, at: usize, over: usize, body: &[u8]) {
        let length = body.len().to_string();
        let headers = [
            ("Host", self.host.as_str()),
            ("Accept", "*/*"),
            ("Content-Type", "text/plain;charset=UTF-8"),
            ("Content-Length", length.as_str()),
        ];
        self.scratch.clear();
        let target = &self.connections[at].target;
        write_request(&mut self.scratch, "POST", target, headers, body);
        self.send_scratch(over);
    }

    fn send_scratch(&mut self, at: usize) {
        let request = std::mem::take(&mut self.scratch);
        self.send(at, &request);
        self.scratch = request;
    }

    /// Sends what the session calls for, over its transport.
    pub(crate) fn send_packet(&mut self, at: usize, packet: &str) {
        match (self.connections[at].waits, self.connections[at].peer) {
            (Waits::Poll, Some(post)) => self.post(at, post, packet.as_bytes()),
            _ => self.send_text(at, packet),
        }
    }

    /// Begins the closing of a WebSocket.
    pub(crate) fn close(&mut self, at: usize) {
        self.connections[at].waits = Waits::Closing;
        self.send(at, &frame(CLOSE, &1000_u16.to_be_bytes()));
    }

    /// The stream ended, or the answer to our close frame came.
    pub(crate) fn on_end(&mut self, at: usize) {
        if self.connections[at].waits != Waits::Closing {
            return self.fail(at, "unexpected end of the stream");
        }
        self.counts.done += 1;
        let peer = self.connections[at].peer;
        self.remove(at);
        if let Some(peer) = peer {
            self.remove(peer);
        }
        self.replace();
    }

    pub(crate) fn fail(&mut self, at: usize, why: &str) {
        let waits = self.connections[at].waits;
        self.complain(&format!("connection {at}, which waits for {waits:?}: {why}"));
        self.counts.errors += 1;
        if !matches!(waits, Waits::Ready | Waits::Attachment | Waits::Poll | Waits::PostIdle) {
            self.counts.pending = self.counts.pending.saturating_sub(1);
        }
        self.remove(at);
        // A server that refuses everybody must not keep us busy.
        if self.counts.errors < 1000 {
            self.replace();
        }
    }

    /// Counts a wrong answer.
    pub(crate) fn wrong(&mut self, what: &[u8]) {
        let start = String::from_utf8_lossy(&what[..what.len().min(80)]).into_owned();
        self.complain(&format!("wrong answer of {} bytes: {start}", what.len()));
        self.counts.bad += 1;
    }

    /// The first few are enough to know what is wrong.
    fn complain(&self, what: &str) {
        if self.counts.errors + self.counts.bad < 4 {
            eprintln!("sioload: {what}");
        }
    }

    /// Opens the next connection of the scenarios that count them.
    fn replace(&mut self) {
        let counts_connections =
            matches!(self.options.scenario, Scenario::Connect | Scenario::Churn);
        if counts_connections && self.stage != Stage::Stopping {
            if let Err(problem) = self.start() {
                self.complain(&problem);
                self.counts.errors += 1;
            }
        }
    }

    fn remove(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        connection.waits = Waits::Gone;
        // Closing it takes it out of the epoll set, too.
        if let Some(stream) = connection.stream.take() {
            stream.shutdown();
            self.free.push(at);
        }
    }

    /// Counts a latency, if it is in the measured time.
    pub(crate) fn measure(&mut self, since: Instant) {
        if self.stage == Stage::Measuring {
            self.counts.latency.add(since.elapsed());
        }
    }
}
