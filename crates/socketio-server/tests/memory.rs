//! What the server holds of what clients send, per byte received: for every kind of input the most
//! that it may be, counted by the allocator.
//!
//! As in `allocations.rs` the allocator counts by thread: the server runs on the thread of the test,
//! the clients on another. What a connection, a namespace or a request costs by itself, however
//! little was sent, is no matter of this; each input is large enough for that to be little.

// Elsewhere the runtime's own way to the sockets may allocate.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use socketio::events::IncomingEvent;
use socketio::options::Limits;
use socketio::{Args, Builder, ConnectError, Data, Server, Socket, Value};
use socketio_parser::{Decoded, Parser, Revision, Spread};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

// ---- what is kept as it came ------------------------------------------------------------------

/// A list of numbers, a tree of which takes eight times as much.
fn numbers(bytes: usize) -> String {
    format!("[{}]", vec!["0"; bytes / 2].join(","))
}

#[test]
fn auth_is_held_once() {
    let auth = format!(r#"{{"a":{}}}"#, numbers(60_000));
    let connects =
        |client: &mut Client| (0..50).map(|at| client.text(&format!("40/dyn-{at},{auth}"))).sum();
    check(Server::builder(), 4, 1.1, dynamic, connects, |io| io.stats().sockets == 51);
}

#[cfg(feature = "msgpack")]
#[test]
fn auth_of_msgpack_is_held_once() {
    let connect = |at: usize| {
        let nsp = format!("/dyn-{at:02}");
        let data = [&b"\x81\xa1a\xdc\xea\x60"[..], &[0xc0; 60_000]].concat();
        [&b"\x83\xa4type\x00\xa3nsp\xa7"[..], nsp.as_bytes(), b"\xa4data", &data].concat()
    };
    let connects = |client: &mut Client| (10..60).map(|at| client.binary(&connect(at))).sum();
    let builder = Server::builder().parser(Parser::msgpack());
    check(builder, 5, 1.1, dynamic, connects, |io| io.stats().sockets == 50);
}

#[test]
fn the_query_of_a_namespace_is_held_once() {
    let query = vec!["a"; 30_000].join("&");
    let connects =
        |client: &mut Client| (0..50).map(|at| client.text(&format!("40/dyn-{at}?{query},"))).sum();
    check(Server::builder(), 3, 1.1, dynamic, connects, |io| io.stats().sockets == 51);
}

/// Namespaces for all, and a middleware that looks at `auth`, as most do.
fn dynamic(io: &Server) {
    let rule = io.of_matching("/dyn-*");
    rule.use_fn(async |socket: Socket| -> Result<(), ConnectError> {
        assert!(socket.handshake().auth().is_some());
        Ok(())
    });
}

#[test]
fn the_head_of_a_request_is_held_once() {
    let sessions = |client: &mut Client| {
        let cookie = "x".repeat(15_000);
        let open = |_| client.session(&format!("Cookie: {cookie}\r\n"));
        (0..50).map(open).sum()
    };
    check(Server::builder(), 4, 1.3, |_| {}, sessions, |io| io.stats().engine.sessions == 51);
}

#[test]
fn a_packet_that_waits_for_its_middleware_is_held_once() {
    let listen = |io: &Server| {
        io.on_connection(|socket: Socket| {
            socket.use_fn(async |event: IncomingEvent| -> Result<IncomingEvent, ConnectError> {
                assert_eq!(event.data::<(Vec<u8>,)>().unwrap().0[0], 0);
                std::future::pending::<()>().await;
                Ok(event)
            });
        });
    };
    let event = format!(r#"42["e",{}]"#, numbers(100_000));
    let events = |client: &mut Client| (0..50).map(|_| client.text(&event)).sum();
    check(Server::builder(), 4, 1.1, listen, events, |io| kept(io) > 50 * 100_000);
}

#[test]
fn attachments_that_came_are_held_once() {
    let text = format!(r#"453-["e",{}]"#, numbers(400_000));
    let packets = |client: &mut Client| {
        client.text(&text) + client.binary(&[0; 400_000]) + client.binary(&[0; 400_000])
    };
    check(Server::builder(), 4, 1.1, |_| {}, packets, |io| kept(io) > 1_200_000);
}

// ---- what has begun ---------------------------------------------------------------------------

/// The buffer of a message is doubled as it grows, until its size is known to be less.
#[test]
fn a_message_that_has_begun_is_held_twice_at_most() {
    for opcode in [1, 2] {
        let begin = |client: &mut Client| {
            let message = testkit::frame(true, opcode, MASK, &[b'4'; 900_000]);
            // small parts, between which the server reads
            message[..600_000].chunks(20_000).map(|part| client.raw(part)).sum()
        };
        check(Server::builder(), 4, 2.1, |_| {}, begin, |io| kept(io) > 590_000);
    }
}

#[test]
fn fragments_are_held_twice_at_most() {
    let begin = |client: &mut Client| {
        let first = testkit::frame(false, 1, MASK, &[b'4'; 10]);
        let next = testkit::frame(false, 0, MASK, &[b'4'; 100]);
        client.raw(&first) + (0..6_000).map(|_| client.raw(&next)).sum::<usize>()
    };
    check(Server::builder(), 4, 2.1, |_| {}, begin, |io| kept(io) > 590_000);
}

#[test]
fn a_body_that_has_begun_is_held_twice_at_most() {
    let begin = |client: &mut Client| {
        client.begin_post(900_000) + (0..30).map(|_| client.raw(&[b'x'; 20_000])).sum::<usize>()
    };
    check(Server::builder(), POLLING, 2.5, |_| {}, begin, |io| kept(io) > 590_000);
}

/// The packets of a body wait in it.
#[test]
fn a_body_of_many_packets_is_held_once() {
    let listen = |io: &Server| {
        io.on_connection(|socket: Socket| {
            socket.on("e", async || std::future::pending::<()>().await);
        });
    };
    let body = vec![r#"42["e"]"#; 100_000].join("\x1e");
    let post = |client: &mut Client| client.begin_post(body.len()) + client.raw(body.as_bytes());
    let builder = Server::builder().limits(|limits| limits.max_pending_handlers = 10);
    check(builder, POLLING, 2.1, listen, post, |io| kept(io) >= body.len());
}

// ---- what handlers were given -----------------------------------------------------------------

#[test]
fn a_text_that_a_handler_holds_is_held_once() {
    let listen = |io: &Server| {
        io.on_connection(|socket: Socket| {
            socket.on("e", async |Data(text): Data<String>| {
                std::future::pending::<()>().await;
                drop(text);
            });
        });
    };
    let event = format!(r#"42["e","{}"]"#, "x".repeat(100_000));
    let events = |client: &mut Client| (0..50).map(|_| client.text(&event)).sum();
    check(Server::builder(), 4, 1.1, listen, events, |io| kept(io) > 50 * 100_000);
}

fn hold_values(io: &Server) {
    io.on_connection(|socket: Socket| {
        socket.on("e", async |args: Args| {
            std::future::pending::<()>().await;
            drop(args);
        });
    });
}

/// A tree is what the handler asked for: a number of two bytes is a value of sixteen.
#[test]
fn values_that_a_handler_holds_are_held_as_values() {
    let event = format!(r#"42["e",{}]"#, numbers(100_000));
    let events = |client: &mut Client| (0..10).map(|_| client.text(&event)).sum();
    check(Server::builder(), 4, 8.2, hold_values, events, |io| kept(io) > 8 * 10 * 100_000);
}

/// So many are sent that it would be a hundred times the bound, were it not for the bound: handlers
/// of a connection hold no more than `max_pending_bytes` and the arguments of one event.
#[test]
fn what_handlers_hold_is_bounded_whatever_was_sent() {
    const MAX: usize = 1_000_000;
    for elements in ["0", "[]", "{}", r#""""#, r#"{"":0}"#, "[[]]", r#"["a",1.5]"#] {
        let event = format!(r#"42["e",[{}]]"#, vec![elements; 4_000].join(","));
        let builder =
            Server::builder().limits(|limits: &mut Limits| limits.max_pending_bytes = MAX);
        let sent = AtomicBool::new(false);
        let events = |client: &mut Client| {
            // beyond what is read: not all of it comes to be sent
            client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
            let frame = testkit::frame(true, 1, MASK, event.as_bytes());
            let all = (0..4_000).take_while(|_| client.stream.write_all(&frame).is_ok()).count();
            sent.store(true, Relaxed);
            all * frame.len()
        };
        let (held, _, counted) =
            measure(builder, 4, hold_values, events, |io| sent.load(Relaxed) && kept(io) >= MAX);
        // and what was read of the next event, in the buffer of the connection
        let most = counted + 200_000;
        assert!(held <= most, "{elements}: {held} held, {counted} counted");
        assert!(counted <= 2 * MAX, "{elements}: {counted}");
    }
}

/// The estimate by which handlers are bounded is not below what values take, nor far above.
#[test]
fn the_estimate_is_true() {
    let long = format!("[{}]", vec!["0"; 5_000].join(","));
    let objects = format!("[{}]", vec![r#"{"name":"x","age":7}"#; 100].join(","));
    let members: Vec<String> = (0..1_000).map(|at| format!("\"{at}\":{at}")).collect();
    let members = format!("{{{}}}", members.join(","));
    for json in [
        "0",
        "null",
        "-1.5e3",
        r#""""#,
        r#""text""#,
        "[]",
        "[[]]",
        "[0]",
        "[1,2,3,4,5]",
        "{}",
        r#"{"a":0}"#,
        r#"{"a":[],"b":{},"c":""}"#,
        r#"[ "a" , [ true ] ]"#,
        r#""\u00e9\n""#,
        &long,
        &objects,
        &members,
    ] {
        let text = format!(r#"2["e",{json},{json}]"#);
        let mut decoder = Parser::json().decoder(Revision::V5, Arc::default());
        let Ok(Some(Decoded::Event { args, .. })) = decoder.text(&text) else { panic!("{json}") };
        estimate(json, args.value_bytes(), || args.to_values());
        estimate(json, args.value_bytes(), || args.deserialize::<Spread<Value>>().unwrap().0);
        let values = socketio_parser::RawArgs::from_values(args.to_values());
        estimate(json, values.value_bytes(), || args.to_values());
    }
}

#[cfg(feature = "msgpack")]
#[test]
fn the_estimate_is_true_for_msgpack() {
    let long = [&b"\xdc\x13\x88"[..], &[0xc0; 5_000]].concat();
    for data in [
        &b"\x00"[..],
        b"\xc0",
        b"\xa0",
        b"\xa1x",
        b"\x90",
        b"\x80",
        b"\x91\x90",
        b"\x81\xa0\x00",
        &long,
    ] {
        let packet = [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e"[..], data].concat();
        let mut decoder = Parser::msgpack().decoder(Revision::V5, Arc::default());
        let decoded = decoder.binary(packet.clone().into());
        let Ok(Some(Decoded::Event { args, .. })) = decoded else { panic!("{packet:x?}") };
        estimate(&format!("{data:x?}"), args.value_bytes(), || args.to_values());
    }
}

#[track_caller]
fn estimate(name: &str, estimate: usize, values: impl FnOnce() -> Vec<Value>) {
    let mut values_then = Vec::new();
    let held = allocation_counter::measure(|| values_then = values()).bytes_current as usize;
    // the list of the arguments itself grows by doubling
    let list = (values_then.capacity() - values_then.len()) * size_of::<Value>();
    let held = held - list;
    let name = name.get(..40).unwrap_or(name);
    assert!(held <= estimate, "{name}: {held} held, {estimate} estimated");
    assert!(estimate <= 2 * held + 100, "{name}: {held} held, {estimate} estimated");
}

// ---- the way ----------------------------------------------------------------------------------

const MASK: Option<[u8; 4]> = Some([0; 4]);

/// A client that polls, by EIO 4.
const POLLING: u8 = 0;

/// Bytes kept of what clients sent, as the server says.
fn kept(io: &Server) -> usize {
    io.stats().engine.inbound_bytes
}

/// At most `most` bytes are held for each that the client sends; and about as many are counted as
/// are held.
#[track_caller]
fn check(
    builder: Builder,
    eio: u8,
    most: f64,
    listen: impl FnOnce(&Server),
    send: impl FnOnce(&mut Client) -> usize + Send,
    is_there: impl Fn(&Server) -> bool + Sync,
) {
    let (held, sent, counted) = measure(builder, eio, listen, send, is_there);
    let factor = held as f64 / sent as f64;
    assert!(factor <= most, "{held} bytes held of {sent} sent: {factor:.2} times");
    println!("{held} bytes held of {sent} sent: {factor:.2} times; {counted} counted");
}

/// What is held of what a client sends, what it sent, and what the server counts.
fn measure(
    builder: Builder,
    eio: u8,
    listen: impl FnOnce(&Server),
    send: impl FnOnce(&mut Client) -> usize + Send,
    is_there: impl Fn(&Server) -> bool + Sync,
) -> (usize, usize, usize) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // no ping in between
    let io = builder.ping_interval(Duration::from_secs(3600)).build().expect("sensible options");
    listen(&io);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listening = runtime.block_on(io.listen(address)).expect("a free port");
    let address = listening.local_addr();
    let mut client = None;
    // also the buffers of the thread
    serve(&runtime, || client = Some(Client::connect(address, eio)));
    let mut client = client.expect("it has connected");
    let before = kept(&io);
    let mut sent = 0;
    let info = serve(&runtime, || {
        sent = send(&mut client);
        let until = Instant::now() + Duration::from_secs(60);
        while !is_there(&io) {
            assert!(Instant::now() < until, "{sent} bytes sent, {} kept", kept(&io));
            thread::sleep(Duration::from_millis(5));
        }
    });
    (info as usize, sent, kept(&io) - before)
}

/// Serves until the client, on another thread, is done; the bytes that the server holds more.
fn serve(runtime: &Runtime, client: impl FnOnce() + Send) -> i64 {
    let (done, ended) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            client();
            drop(done);
        });
        let info = allocation_counter::measure(|| {
            let _ = runtime.block_on(ended);
        });
        info.bytes_current
    })
}

/// A client that blocks.
struct Client {
    address: SocketAddr,
    stream: TcpStream,
    sid: String,
    /// Further connections, kept open.
    others: Vec<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr, eio: u8) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("an option of every socket");
        let mut client = Self { address, stream, sid: String::new(), others: Vec::new() };
        match eio {
            POLLING => client.poll_open(),
            // a parser of one's own begins with its own packet
            5 => drop(client.upgrade(4)),
            4 => {
                drop(client.upgrade(4));
                client.text("40");
                client.read_until("40{");
            }
            eio => {
                // the answer may have come with what opens the session
                if !client.upgrade(eio).contains("\u{2}40") {
                    client.read_until("\u{2}40");
                }
            }
        }
        client
    }

    fn upgrade(&mut self, eio: u8) -> String {
        let request = format!(
            "GET /socket.io/?EIO={eio}&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.raw(request.as_bytes());
        self.read_until("0{")
    }

    fn poll_open(&mut self) {
        let answer = self.get("EIO=4&transport=polling", "");
        let sid = answer.split_once(r#""sid":""#).and_then(|(_, rest)| rest.split_once('"'));
        self.sid = sid.expect("an open packet").0.to_owned();
        self.begin_post(2);
        self.raw(b"40");
        self.read_until("\r\n\r\nok");
        let query = format!("EIO=4&transport=polling&sid={}", self.sid);
        assert!(self.get(&query, "").contains("40{"));
    }

    /// Requests something; a short answer.
    fn get(&mut self, query: &str, headers: &str) -> String {
        self.raw(
            format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
                .as_bytes(),
        );
        self.read_until("}")
    }

    /// Opens a session of its own with more headers; the bytes sent.
    fn session(&mut self, headers: &str) -> usize {
        let mut other = Self::new_stream(self.address);
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        other.write_all(request.as_bytes()).expect("the server reads");
        // The open packet comes when the HTTP connection is taken apart and its buffers are gone.
        let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
        while !answer.windows(5).any(|window| window == b"\"sid\"") {
            let count = other.read(&mut buffer).expect("the server answers");
            assert_ne!(count, 0, "closed after {answer:?}");
            answer.extend_from_slice(&buffer[..count]);
        }
        self.others.push(other);
        request.len()
    }

    fn new_stream(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).expect("the server listens")
    }

    /// The head of a POST with so many bytes to come.
    fn begin_post(&mut self, length: usize) -> usize {
        let head = format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: {length}\r\n\r\n",
            self.sid
        );
        self.raw(head.as_bytes())
    }

    fn text(&mut self, text: &str) -> usize {
        self.raw(&testkit::frame(true, 1, MASK, text.as_bytes()))
    }

    fn binary(&mut self, bytes: &[u8]) -> usize {
        self.raw(&testkit::frame(true, 2, MASK, bytes))
    }

    fn raw(&mut self, bytes: &[u8]) -> usize {
        self.stream.write_all(bytes).expect("the server reads");
        bytes.len()
    }

    fn read_until(&mut self, end: &str) -> String {
        let mut read = String::new();
        let mut buffer = [0; 4096];
        while !read.contains(end) {
            let count = self.stream.read(&mut buffer).expect("the server answers");
            assert!(count > 0, "closed: {read}");
            read.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        read
    }
}
