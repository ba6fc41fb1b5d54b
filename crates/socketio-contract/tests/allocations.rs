//! What a declared event costs in allocations: what the same costs with a handler written by hand.
//!
//! A binary of its own, because the allocator that counts is that of a whole program. It counts by
//! thread: the server runs on the thread of the test, the client, with a real socket, on another.
//! Queues and buffers have grown before anything is counted: each run is done twice, and the second
//! counts. The exact figures of hand-written handlers are held by the test of the same name of
//! `socketio`.

// Elsewhere the runtime's own way to the sockets may allocate.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{Ack, Data, Reply, Server, Socket};
use socketio_contract::contract;
use tokio::sync::oneshot;

/// Events of a counted run.
const EVENTS: usize = 100;

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
struct Point {
    x: u32,
    y: u32,
}

#[contract(namespace = "/")]
mod declared {
    use super::*;

    pub trait FromClient {
        fn nothing(&self);
        fn number(&self, number: u32);
        fn socket(&self, socket: Socket, number: u32);
        fn text(&self, text: String);
        fn point(&self, point: Point, is_last: bool);
        fn ack(&self, number: u32) -> u32;
        fn result(&self, number: u32) -> Result<u32, String>;
        async fn later(&self, number: u32);
        async fn later_ack(&self, number: u32) -> u32;
        fn extractor(&self, number: u32, ack: Ack);
        fn emit(&self, socket: Socket, number: u32);
        fn emit_two(&self, socket: Socket, point: Point);
    }
    pub trait ToClient {
        fn emit(number: u32);
        fn emit_two(point: &Point, text: &str);
    }
}

struct Handler;

impl declared::FromClient for Handler {
    fn nothing(&self) {}
    fn number(&self, _: u32) {}
    fn socket(&self, _: Socket, _: u32) {}
    fn text(&self, _: String) {}
    fn point(&self, _: Point, _: bool) {}
    fn ack(&self, number: u32) -> u32 {
        number
    }
    fn result(&self, number: u32) -> Result<u32, String> {
        Ok(number)
    }
    async fn later(&self, _: u32) {}
    async fn later_ack(&self, number: u32) -> u32 {
        number
    }
    fn extractor(&self, number: u32, ack: Ack) {
        ack.send(number).expect("the client waits");
    }
    fn emit(&self, socket: Socket, number: u32) {
        declared::to(&socket).emit(number).expect("the client reads");
    }
    fn emit_two(&self, socket: Socket, point: Point) {
        declared::to(&socket).emit_two(&point, "text").expect("the client reads");
    }
}

#[derive(Serialize)]
struct Tagged {
    ok: bool,
    value: u32,
}

fn by_hand(io: &Server) {
    let namespace = io.sockets();
    namespace.on_event("nothing", || {});
    namespace.on_event("number", |Data(_): Data<u32>| {});
    namespace.on_event("socket", |_: Socket, Data(_): Data<u32>| {});
    namespace.on_event("text", |Data(_): Data<String>| {});
    namespace.on_event("point", |Data(_): Data<(Point, bool)>| {});
    namespace.on_event("ack", |Data(number): Data<u32>| Reply(number));
    namespace.on_event("result", |Data(value): Data<u32>| Reply(Tagged { ok: true, value }));
    namespace.on_event("later", async |Data(_): Data<u32>| {});
    namespace.on_event("later_ack", async |Data(number): Data<u32>| Reply(number));
    namespace.on_event("extractor", |Data(number): Data<u32>, ack: Ack| ack.send(number));
    namespace
        .on_event("emit", |socket: Socket, Data(number): Data<u32>| socket.emit("emit", number));
    namespace.on_event("emit_two", |socket: Socket, Data(point): Data<Point>| {
        socket.emit("emit_two", (point, "text"))
    });
}

#[test]
fn a_declared_event_costs_what_one_by_hand_does() {
    let events = [
        (r#"42["nothing"]"#, None),
        (r#"42["number",7]"#, None),
        (r#"42["number",7,"more"]"#, None),
        (r#"42["socket",7]"#, None),
        (r#"42["text","hello"]"#, None),
        (r#"42["point",{"x":1,"y":2},true]"#, None),
        (r#"421["ack",7]"#, Some("431[7]")),
        (r#"421["result",7]"#, Some(r#"431[{"ok":true,"value":7}]"#)),
        (r#"42["later",7]"#, None),
        (r#"421["later_ack",7]"#, Some("431[7]")),
        (r#"421["extractor",7]"#, Some("431[7]")),
        (r#"42["emit",7]"#, Some(r#"42["emit",7]"#)),
        (r#"42["emit_two",{"x":1,"y":2}]"#, Some(r#"42["emit_two",{"x":1,"y":2},"text"]"#)),
    ];
    for (event, answer) in events {
        let declared = count(event, answer, |io| drop(declared::serve(io, Handler)));
        let by_hand = count(event, answer, by_hand);
        println!("{event}: {} by event", by_hand as f64 / EVENTS as f64);
        assert_eq!(declared, by_hand, "{event}");
    }
}

#[test]
fn a_sync_method_of_a_plain_argument_costs_nothing() {
    for event in [r#"42["number",7]"#, r#"42["point",{"x":1,"y":2},true]"#] {
        assert_eq!(count(event, None, |io| drop(declared::serve(io, Handler))), 0, "{event}");
    }
}

/// The allocations of a server for `EVENTS` events, sent one by one.
fn count(event: &str, answer: Option<&str>, listen: impl FnOnce(&Server)) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    // no ping in between
    let io = Server::builder().ping_interval(Duration::from_secs(3600)).build();
    let io = io.expect("options that make sense");
    listen(&io);
    io.sockets().on_event("fence", || Reply(()));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let address = runtime.block_on(io.listen(address)).expect("a free port").local_addr();
    let serve = |client: &mut (dyn FnMut() + Send)| {
        let (done, ended) = oneshot::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                client();
                drop(done);
            });
            let counted = allocation_counter::measure(|| {
                let _ = runtime.block_on(ended);
            });
            counted.count_total as usize
        })
    };
    let mut client = None;
    serve(&mut || client = Some(Client::connect(address)));
    let mut client = client.expect("it has connected");
    let mut counted = 0;
    for _ in 0..2 {
        counted = serve(&mut || {
            for _ in 0..EVENTS {
                client.send(event);
                if let Some(answer) = answer {
                    client.expect(answer);
                }
            }
            client.fence();
        });
    }
    counted - serve(&mut || client.fence())
}

/// A client of Engine.IO 4 that blocks.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("an option of every socket");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("an option of every socket");
        let mut client = Self { stream, buffer: Vec::new() };
        let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.stream.write_all(request.as_bytes()).expect("the server reads");
        while !client.buffer.ends_with(b"\r\n\r\n") {
            client.take(1);
        }
        assert!(client.next().starts_with("0{"), "an open packet");
        client.send("40");
        assert!(client.next().starts_with("40"), "the answer to a CONNECT");
        client
    }

    fn send(&mut self, text: &str) {
        let frame =
            socketio_testkit::frame(true, 1, Some([0x11, 0x22, 0x33, 0x44]), text.as_bytes());
        self.stream.write_all(&frame).expect("the server reads");
    }

    /// Waits until the server has handled all that was sent.
    fn fence(&mut self) {
        self.send(r#"4299["fence"]"#);
        self.expect("4399[]");
    }

    #[track_caller]
    fn expect(&mut self, packet: &str) {
        assert_eq!(self.next(), packet);
    }

    /// The next text message; those of this test are short.
    fn next(&mut self) -> &str {
        self.buffer.clear();
        self.take(2);
        assert_eq!(self.buffer[0], 0x81, "a text message");
        let mut size = usize::from(self.buffer[1]);
        if size == 126 {
            self.take(2);
            size = usize::from(u16::from_be_bytes([self.buffer[2], self.buffer[3]]));
        }
        let start = self.buffer.len();
        self.take(size);
        std::str::from_utf8(&self.buffer[start..]).expect("text is UTF-8")
    }

    fn take(&mut self, size: usize) {
        let start = self.buffer.len();
        self.buffer.resize(start + size, 0);
        self.stream.read_exact(&mut self.buffer[start..]).expect("the server writes");
    }
}
