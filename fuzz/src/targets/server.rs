//! A whole server over streams in memory, on a clock that stands still: whatever bytes come, and
//! however they are cut, it answers or ends, and in the end nothing is left of anybody.
//!
//! The input is what clients send, with commands between it. A command is a byte that is in no
//! UTF-8, so requests and packets are readable in the seeds:
//!
//! ```text
//!   f4       this connection ends        fa       all so far is sent (and at the end)
//!   f5 n     a binary frame, up to fa    fb n     goes on with connection n
//!   f6 n     a text frame, up to fa      fc       no more will be sent
//!   f7 n     a request, see `request`    fd n     n * 200 ms pass (n > 200: n seconds)
//!   f8       nothing is read any more    fe       a new connection
//!   f9 n     a byte n, whatever it is    ff n     the server does something, see `act`
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socketio::emit::Spread;
use socketio::events::IncomingEvent;
use socketio::observe::Stats;
use socketio::options::PerMessageDeflate;
use socketio::parser::Parser;
use socketio::{Ack, Args, ConnectError, Data, Server, Socket, Value};
use testkit::{Throttled, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::input::Input;
use crate::meter::Meter;
use crate::wire::frame;

/// A byte says which server, the next how its streams cut what goes over them.
pub fn server(input: &[u8]) {
    let len = input.len();
    let mut input = Input(input);
    let (flags, piece) = (input.byte(), input.byte());
    // what is made once and kept is made before anything is measured
    thread_local! {
        static WARM: () = {
            for flags in [0, 1] {
                run(flags, 0, Input(b"\xf7\x03\xfa\xf6\x0042[\"e\",\"aaaaaaaaaaaaaaaaaaaaaaaa\"]\xfa"));
            }
        };
    }
    WARM.with(|()| ());
    let meter = Meter::start();
    run(flags, piece, input);
    // Buffers of HTTP and WebSocket, compressors; and a few bytes may be a broadcast to all.
    meter.check(len, 4096, 8 << 20);
    meter.check_left(512 << 10);
}

/// Runs the server; what it counted in the end.
fn run(flags: u8, piece: u8, input: Input<'_>) -> Stats {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O");
    runtime.block_on(conversation(flags, piece, input))
}

async fn conversation(flags: u8, piece: u8, mut input: Input<'_>) -> Stats {
    let server = application(flags);
    let before = server.stats().namespaces;
    let mut world = World { server: server.clone(), piece, peers: Vec::new(), at: 0 };
    world.connect();
    while !input.is_empty() {
        world.step(&mut input).await;
    }
    world.send().await;

    // Clients that are silent from now on are given up.
    sleep(PATIENCE).await;
    let ended = world.peers.iter().filter(|peer| peer.served.is_finished()).count();
    assert_eq!(ended, world.peers.len(), "a silent connection is there after {PATIENCE:?}");
    let stats = server.stats();
    let left = [stats.engine.sessions, stats.sockets, stats.rooms, stats.pending_acks];
    assert_eq!(left, [0; 4], "left of sessions, sockets, rooms, acknowledgements");
    assert_eq!(stats.namespaces, before, "left of namespaces");
    assert_eq!((stats.engine.panics, stats.handler_panics), (0, 0), "a panic");
    stats
}

/// The server under test, with an application that does all that clients may ask for.
fn application(flags: u8) -> Server {
    let ids = Arc::new(AtomicU64::new(0));
    let mut builder = Server::builder()
        .serve_client(false)
        // ids that an input can name: s0, s1, ..
        .generate_id(move |_: socketio::serve::Request| {
            format!("s{}", ids.fetch_add(1, Ordering::Relaxed))
        })
        .max_http_buffer_size(if flags & 4 == 0 { 100_000 } else { 100 })
        .engine(|options| {
            options.max_frames_per_message = 100;
            options.max_packets_per_payload = 50;
            options.max_pending_pongs = 8;
            options.max_header_fields = 32;
        })
        .limits(|limits| {
            limits.max_namespaces = 4;
            limits.max_dynamic_namespaces = 3;
            limits.max_rooms = 8;
            limits.max_room_len = 64;
            limits.max_auth_bytes = 256;
            limits.max_pending_acks = 3;
            limits.max_pending_bytes = 4096;
            limits.packet.max_depth = 32;
            limits.packet.max_args = 16;
            limits.packet.max_attachments = 8;
            limits.packet.max_namespace_len = 64;
            limits.packet.max_event_len = 64;
            limits.max_pending_handlers = 4;
        });
    if flags & 1 != 0 {
        let mut deflate = PerMessageDeflate::default();
        deflate.threshold = 16;
        builder = builder.per_message_deflate(deflate);
    }
    if flags & 2 != 0 {
        builder = builder.parser(Parser::msgpack());
    }
    if flags & 8 != 0 {
        builder = builder.max_outbound_bytes(2000).max_outbound_packets(20);
    }
    if flags & 16 != 0 {
        builder = builder.allow_eio3(false);
    }
    if flags & 32 != 0 {
        builder = builder
            .cookie(socketio::options::Cookie::named("io"))
            .origins(socketio::options::Origins::list("http://a").expect("an origin"))
            .http_compression(64)
            .max_packets_per_poll(2);
    }
    let server = builder.build().expect("options that fit");
    for name in ["/", "/chat"] {
        server.of(name).on_connection(listen);
    }
    if flags & 64 != 0 {
        server.of("/").use_fn(login);
    }
    server.of("/chat").on_connection(|socket: Socket| socket.use_fn(check));
    server.of("/admin").use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("nope")));
    server.of("/slow").use_fn(async |_: Socket| {
        sleep(Duration::from_secs(2)).await;
        Ok::<(), ConnectError>(())
    });
    server.of_matching("/dyn-*").on_connection(listen);
    server
}

/// Lets in who says so, at once or later.
async fn login(socket: Socket) -> Result<(), ConnectError> {
    let handshake = socket.handshake();
    let auth: HashMap<String, String> = handshake.auth_as().unwrap_or_default();
    match (auth.get("as").map(String::as_str), handshake.param("in").is_some()) {
        (Some("in"), _) | (_, true) => Ok(()),
        (Some("late"), _) => {
            sleep(Duration::from_secs(1)).await;
            Ok(())
        }
        _ => Err(ConnectError::new("who are you?").data(&1)),
    }
}

/// Looks at the events of a socket.
async fn check(mut event: IncomingEvent) -> Result<IncomingEvent, ConnectError> {
    match event.name.as_str() {
        "refused" => Err(ConnectError::new("not this")),
        "delayed" => {
            sleep(Duration::from_secs(1)).await;
            event.name = "e".into();
            Ok(event)
        }
        _ => Ok(event),
    }
}

fn listen(socket: Socket) {
    socket.on(
        "e",
        |socket: Socket, args: Args, ack: Ack| {
            if ack.is_wanted() { ack.send(args) } else { socket.emit("r", args) }
        },
    );
    socket.on("join", async |socket: Socket, Data(room): Data<String>| {
        // a refusal is the client's affair
        let _ = socket.join(room).await;
    });
    socket.on("leave", async |socket: Socket, Data(room): Data<String>| {
        let _ = socket.leave(room).await;
    });
    socket.on("all", |socket: Socket, args: Args| socket.namespace().emit("all", args));
    socket.on("room", |socket: Socket, Data((room, args)): Data<(String, String)>| {
        socket.to(room).emit("room", args)
    });
    socket.on("volatile", |socket: Socket, args: Args| socket.volatile().emit("volatile", args));
    socket.on("ask", async |socket: Socket, args: Args| {
        let answer =
            socket.emit_with_ack::<Spread<Value>>("asked", args).timeout(Duration::from_secs(5));
        if let Ok(answer) = answer.await {
            let _ = socket.emit("answer", answer);
        }
    });
    socket.on("ask-all", async |socket: Socket, args: Args| {
        let all = socket.namespace().timeout(Duration::from_secs(5));
        if let Ok(answered) = all.emit_with_ack::<Value>("asked", args).await {
            let _ = socket.emit("answered", answered.answers().count());
        }
    });
    socket.on("bytes", |socket: Socket, args: Args| {
        socket.emit("bytes", (socketio::Binary::from(vec![7; 40]), args, [0_u8; 3]))
    });
    socket.on("kick", async |socket: Socket, Data(room): Data<String>| {
        let _ = socket.namespace().in_room(room).disconnect_sockets(false).await;
    });
    socket.on("who", async |socket: Socket| {
        if let Ok(sockets) = socket.namespace().to("a").fetch_sockets().await {
            let _ = socket.emit("who", sockets.items.len());
        }
    });
    socket.once("once", |socket: Socket| socket.emit("first", 1));
    socket.on("watch", |socket: Socket| {
        socket.on_any(|socket: Socket, args: Args| socket.volatile().emit("any", args));
        socket.on_any_outgoing(|_, _| ());
    });
    socket.on_disconnecting(|socket: Socket| socket.to("a").emit("leaves", 1));
    socket.on_disconnect(|socket: Socket| socket.broadcast().emit("left", 1));
    socket.on_error(|_: Socket| ());
    socket.on("wait", async || sleep(Duration::from_secs(3)).await);
    socket.on("bye", |socket: Socket| socket.disconnect(false));
    socket.on("end", |socket: Socket| socket.disconnect(true));
}

/// The clients and their server.
struct World {
    server: Server,
    piece: u8,
    peers: Vec<Peer>,
    at: usize,
}

/// A connection.
struct Peer {
    /// What was not sent yet.
    pending: Vec<u8>,
    sender: Option<WriteHalf<tokio::io::DuplexStream>>,
    /// Reads what the server answers.
    reader: JoinHandle<()>,
    served: JoinHandle<()>,
}

impl World {
    fn connect(&mut self) {
        if self.peers.len() == MAX_PEERS {
            return;
        }
        let (ours, theirs) = pair(4096);
        let server = self.server.clone();
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let piece = usize::from(self.piece);
        let served = tokio::spawn(async move {
            match piece {
                0 => server.serve_connection(theirs, peer).await,
                piece => server.serve_connection(Throttled::new(theirs, piece), peer).await,
            }
        });
        let (mut answers, sender) = tokio::io::split(ours);
        let reader = tokio::spawn(async move {
            let mut piece = [0; 512];
            while answers.read(&mut piece).await.is_ok_and(|read| read > 0) {}
        });
        self.at = self.peers.len();
        self.peers.push(Peer { pending: Vec::new(), sender: Some(sender), reader, served });
    }

    async fn step(&mut self, input: &mut Input<'_>) {
        let byte = input.byte();
        let pending = &mut self.peers[self.at].pending;
        match byte {
            0xf4 => {
                self.peers[self.at].sender = None;
                self.peers[self.at].reader.abort();
            }
            0xf5 => {
                // with the bits of the frame: the last one or not, compressed or not
                let first = 0x82 ^ (input.byte() & 0xc0);
                frame(first, input.until(0xfa), pending);
                self.send().await;
            }
            0xf6 => {
                let first = 0x81 ^ (input.byte() & 0xc0);
                frame(first, input.until(0xfa), pending);
                self.send().await;
            }
            0xf7 => {
                let number = input.byte();
                request(number, input, pending);
                self.send().await;
            }
            0xf8 => self.peers[self.at].reader.abort(),
            0xf9 => pending.push(input.byte()),
            0xfa => self.send().await,
            0xfb => self.at = usize::from(input.byte()) % self.peers.len(),
            0xfc => {
                self.send().await;
                if let Some(sender) = &mut self.peers[self.at].sender {
                    // it may have gone already
                    let _ = sender.shutdown().await;
                }
            }
            0xfd => {
                let time = match input.byte() {
                    long @ 201.. => Duration::from_secs(long.into()),
                    short => Duration::from_millis(u64::from(short) * 200),
                };
                sleep(time).await;
            }
            0xfe => self.connect(),
            0xff => {
                let action = input.byte();
                self.act(action);
                testkit::settle().await;
            }
            byte => pending.push(byte),
        }
    }

    /// Sends what is pending, as far as the server takes it.
    async fn send(&mut self) {
        let peer = &mut self.peers[self.at];
        let bytes = std::mem::take(&mut peer.pending);
        if let Some(sender) = &mut peer.sender {
            // a server that does not read must not stop the test; one that has gone is no surprise
            let _ = tokio::time::timeout(Duration::from_secs(1), sender.write_all(&bytes)).await;
        }
        testkit::settle().await;
    }

    /// What an application may do at any time.
    fn act(&self, action: u8) {
        let io = &self.server;
        match action % 8 {
            // to nobody, perhaps
            0 => drop(io.emit("news", "of the day")),
            1 => drop(io.of("/chat").to("a").emit("news", socketio::Binary::from(vec![1, 2, 3]))),
            2 => drop(io.volatile().emit("news", 1)),
            3 => io.sockets().connected().iter().for_each(|socket| socket.disconnect(false)),
            4 => io.sockets().connected().iter().for_each(|socket| socket.disconnect(true)),
            5 => drop(io.emit("long", "x".repeat(1500))),
            6 => drop(io.to("a").except("b").emit("news", 2)),
            _ => drop(io.close()),
        }
    }
}

/// Requests that are as they should be, with the session of the next byte where there is one. The
/// number's bits: protocol 4; three for the kind; bytes as body; of a page; the last of its connection,
/// or for a protocol of its own; base64 and let in by the application.
fn request(number: u8, input: &mut Input<'_>, out: &mut Vec<u8>) {
    let eio = if number & 1 == 0 { 3 } else { 4 };
    let mut sid = || format!("s{}", input.byte() % 4);
    let (method, mut query, websocket, body) = match number >> 1 & 7 {
        0 => ("GET", "transport=polling".to_owned(), false, None),
        1 => ("GET", "transport=websocket".to_owned(), true, None),
        2 => ("GET", format!("transport=polling&sid={}", sid()), false, None),
        3 => ("GET", format!("transport=websocket&sid={}", sid()), true, None),
        4 => {
            let query = format!("transport=polling&sid={}", sid());
            ("POST", query, false, Some(input.until(0xfa)))
        }
        5 => ("GET", format!("transport=polling&j=0&sid={}", sid()), false, None),
        6 => ("GET", "transport=polling&j=0&b64=1".to_owned(), false, None),
        _ => {
            let query = format!("transport=polling&j=0&sid={}", sid());
            ("POST", query, false, Some(input.until(0xfa)))
        }
    };
    if number & 0x80 != 0 {
        query.push_str("&b64=1&in=1");
    }
    let head = format!("{method} /socket.io/?EIO={eio}&{query} HTTP/1.1\r\nHost: h\r\n");
    out.extend_from_slice(head.as_bytes());
    if websocket {
        out.extend_from_slice(
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              Sec-WebSocket-Extensions: permessage-deflate\r\n",
        );
    }
    if number & 0x20 != 0 {
        out.extend_from_slice(b"Origin: http://a\r\nAccept-Encoding: gzip, deflate\r\n");
    }
    if number & 0x40 != 0 {
        let last: &[u8] =
            if websocket { b"Sec-WebSocket-Protocol: chat\r\n" } else { b"Connection: close\r\n" };
        out.extend_from_slice(last);
    }
    if number & 0x10 != 0 {
        out.extend_from_slice(b"Content-Type: application/octet-stream\r\n");
    }
    let body = body.unwrap_or_default();
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
}

/// Connections of one input.
const MAX_PEERS: usize = 4;

/// Longer than all timeouts one after the other.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What inputs can say is understood: without it the target would find nothing.
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Sessions opened and upgraded, messages in, packets out.
    #[track_caller]
    fn check(input: &[u8], expected: [u64; 4]) {
        for piece in [0, 1, 7] {
            let engine = run(0, piece, Input(input)).engine;
            let found = [engine.opened, engine.upgraded, engine.messages_in, engine.packets_out];
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn websockets() {
        // the open packet, the answers to CONNECT and to events, and a ping, which nobody answers
        check(b"\xf7\x03\xfa\xf6\x0040\xfa\xf6\x0042[\"e\",1]\xfa", [1, 0, 2, 4]);
        check(b"\xf7\x03\xfa\xf6\x0040\xfa\xff\x00\xff\x00", [1, 0, 1, 5]);
        check(b"\xf7\x02\xfa\xf6\x0042[\"e\",1]\xfa\xf4\xfe\xf7\x02\xfa", [2, 0, 1, 5]);
    }

    #[test]
    fn polling_and_upgrade() {
        let session = b"\xf7\x01\xfa\xf7\x09\x0040\x1e42[\"e\"]\xfa";
        // nobody polls for the answers
        check(session, [1, 0, 2, 1]);
        let upgrade = b"\xfe\xf7\x07\x00\xfa\xf6\x002probe\xfa\xf6\x005\xfa\xf6\x0042[\"e\"]\xfa";
        check(&[&session[..], upgrade].concat(), [1, 1, 3, 5]);
    }

    #[test]
    fn requests_as_they_are() {
        let request = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n";
        check(&[request.repeat(2), b"GET / HTTP/1.1\r\n\r\n".to_vec()].concat(), [2, 0, 0, 2]);
    }

    /// What the seeds do together: every end of a session and of a socket, every refusal.
    #[test]
    fn seeds_reach_far() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/server");
        let (mut ends, mut figures) = (BTreeMap::new(), [0; 6]);
        let mut limits = BTreeMap::new();
        for seed in std::fs::read_dir(folder).unwrap() {
            let seed = std::fs::read(seed.unwrap().path()).unwrap();
            let mut input = Input(&seed);
            let (flags, piece) = (input.byte(), input.byte());
            let stats = run(flags, piece, input);
            for (reason, count) in stats.engine.closed {
                *ends.entry(format!("{reason:?}")).or_insert(0) += count;
            }
            for (reason, count) in stats.disconnected {
                *ends.entry(reason.to_owned()).or_insert(0) += count;
            }
            for (code, count) in stats.engine.refused_by_code {
                *ends.entry(format!("code {code}")).or_insert(0) += count;
            }
            let reached = [
                stats.engine.upgraded,
                stats.connected,
                stats.connect_errors,
                stats.invalid_packets,
                stats.engine.messages_in,
                stats.engine.packets_out,
            ];
            figures.iter_mut().zip(reached).for_each(|(sum, figure)| *sum += figure);
            for (limit, count) in stats.limits.iter() {
                *limits.entry(limit.to_owned()).or_insert(0) += count;
            }
        }
        let never: Vec<_> = ends.iter().filter(|(_, count)| **count == 0).collect();
        assert!(never.is_empty(), "no seed reaches {never:?}");
        for limit in REACHED {
            assert!(limits[limit] > 0, "no seed reaches {limit}");
        }
        // sessions upgraded, sockets, refusals, packets that are none, messages in, packets out
        let least = [8, 100, 10, 5, 500, 500];
        assert!(figures.iter().zip(least).all(|(figure, least)| *figure >= least), "{figures:?}");
    }

    /// Bounds that are low enough for a short input.
    const REACHED: [&str; 22] = [
        "connect_timeout",
        "header_timeout",
        "keep_alive_timeout",
        "max_args",
        "max_attachments",
        "max_auth_bytes",
        "max_depth",
        "max_dynamic_namespaces",
        "max_event_len",
        "max_frames_per_message",
        "max_header_fields",
        "max_http_buffer_size",
        "max_namespaces",
        "max_outbound_bytes",
        "max_outbound_packets",
        "max_packets_per_payload",
        "max_packets_per_poll",
        "max_pending_acks",
        "max_pending_handlers",
        "max_pending_pongs",
        "max_rooms",
        "ping_timeout",
    ];
}
