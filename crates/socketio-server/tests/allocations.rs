//! What an event costs in allocations, exactly: the figures of ARCHITECTURE.md.
//!
//! A binary of its own, because the allocator that counts is that of a whole program. It counts by
//! thread: the server runs on the thread of the test, on a runtime that has no other, and the
//! clients, with real sockets, on another. So what is counted is the server alone, from reading to
//! writing, runtime included.
//!
//! What grows on first use (queues, the buffers of the thread, the tables of the runtime) has grown
//! before anything is counted: each run is done twice, and the second counts. A run ends with an
//! acknowledged event, by which the client knows that the server is done; its cost is taken off.

// Elsewhere the runtime's own way to the sockets may allocate.
#![cfg(unix)]

use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use allocation_counter::AllocationInfo;
use bytes::Bytes;
use socketio::{Ack, Binary, Data, Reply, Server, Socket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// Events, or broadcasts, of a counted run.
const EVENTS: usize = 100;

#[test]
fn a_typed_sync_handler_costs_nothing() {
    check(&[text(r#"42["number",7]"#)], None, 0);
    check(&[text(r#"42["pair",7,true]"#)], None, 0);
}

#[test]
fn an_event_nobody_listens_to_costs_nothing() {
    check(&[text(r#"42["nobody",{"a":[1,2,3]}]"#)], None, 0);
}

#[test]
fn a_string_is_one_allocation() {
    check(&[text(r#"42["text","hello"]"#)], None, 1);
}

/// The text waits for its attachment, so it is kept, with a list; the attachment is two, as it is
/// shared; a handler of `Bytes` gets a copy.
#[test]
fn a_binary_event_costs_five_or_six() {
    let event = text(r#"451-["binary",{"_placeholder":true,"num":0}]"#);
    check(&[event, Packet::Binary(b"hello")], None, 5);
    let event = text(r#"451-["bytes",{"_placeholder":true,"num":0}]"#);
    check(&[event, Packet::Binary(b"hello")], None, 6);
}

/// What comes with a CONNECT is looked at when it is known that somebody wants it: what is refused
/// costs as much as an event of its size that nobody listens to, and the answer. So does an ERROR
/// packet, which only old clients may send.
#[test]
fn a_refused_connect_costs_its_answer() {
    let values = vec![r#""x""#; 5_000].join(",");
    let parameters = "a=b&".repeat(5_000);
    let large = vec![r#""x""#; 20_000].join(",");
    for eio in [3, 4] {
        let host = Host::with(|io| {
            io.on_connection(listen);
            io.of_matching("/game-*");
        });
        let client = &mut [host.connect(eio)];
        let mut cost = |packet: &str, answer: Option<&str>| {
            host.count(client, |clients| {
                for _ in 0..EVENTS {
                    clients[0].send(&[text(packet)]);
                    answer.iter().for_each(|answer| clients[0].expect(answer));
                }
            })
        };
        let unheard = cost(&format!(r#"42["nobody",{{"a":[{values}]}}]"#), None);
        let refused = match eio {
            3 => vec![
                cost(
                    &format!("40/nowhere?{parameters}"),
                    Some(r#"44/nowhere,"Invalid namespace""#),
                ),
                cost(&format!(r#"44{{"a":[{values}]}}"#), None),
            ],
            _ => vec![
                cost(
                    &format!(r#"40/nowhere,{{"a":[{values}]}}"#),
                    Some(r#"44/nowhere,{"message":"Invalid namespace"}"#),
                ),
                cost(
                    &format!(r#"40/game-1,{{"a":[{large}]}}"#),
                    Some(r#"44/game-1,{"message":"Too much auth"}"#),
                ),
            ],
        };
        // what a message leaves behind that is read in several parts
        let most = unheard + 12 * EVENTS;
        assert!(refused.iter().all(|cost| *cost <= most), "EIO {eio}: {refused:?}, {unheard}");
    }
}

/// The text of the packet, and what the queues point to.
#[test]
fn an_emission_costs_two() {
    check(&[text(r#"42["emit",7]"#)], Some(r#"42["emit",7]"#), 2);
}

/// The string that the handler gets, and the emission.
#[test]
fn an_echo_costs_the_string_and_the_emission() {
    check(&[text(r#"42["echo","hello"]"#)], Some(r#"42["echo","hello"]"#), 3);
}

/// Those of an emission; what every `Ack` of the event points to is one more.
#[test]
fn a_reply_costs_two_and_an_ack_one_more() {
    check(&[text(r#"421["reply",7]"#)], Some("431[7]"), 2);
    check(&[text(r#"421["ack",7]"#)], Some("431[7]"), 3);
}

/// Where it waits it joins the futures of its task.
#[test]
fn an_async_handler_costs_its_future() {
    check(&[text(r#"42["async",7]"#)], None, 1);
    check(&[text(r#"42["waits",7]"#)], None, 3);
    check(&[text(r#"421["async reply",7]"#)], Some("431[7]"), 4);
}

/// As many as the emission alone: nothing is allocated per recipient.
#[test]
fn a_broadcast_costs_two_whatever_its_receivers() {
    for members in [1, 10, 64] {
        assert_eq!(broadcasts("all", members), 2 * EVENTS, "to {members}");
    }
}

/// The name of the room, and the list that it stands in.
#[test]
fn a_broadcast_to_a_room_costs_the_list_of_rooms_too() {
    for members in [10, 64] {
        assert_eq!(broadcasts("room", members), 4 * EVENTS, "to {members}");
    }
}

/// Each portion of 64 beyond the first is a task, with the list of its receivers; the list of all
/// is doubled as it grows.
#[test]
fn a_large_broadcast_costs_its_portions() {
    for members in [100, 200_usize] {
        let most = 2 + 2 * (members - 1) / 64 + members.ilog2() as usize;
        let counted = broadcasts("all", members);
        assert!(counted <= most * EVENTS, "to {members}: {counted}");
    }
}

/// Outside of a session's task, as on a timer.
#[test]
fn a_broadcast_of_a_task_costs_nothing_per_receiver() {
    let counted = [20, 60].map(|members| broadcasts("task", members));
    assert_eq!(counted[0], counted[1]);
}

/// What a connection holds while nothing happens, in one namespace and one room, with one listener.
/// Half of it is the task, its timer and its way to the socket.
///
/// The allocator adds some 10 bytes to each block, and the load of the tables varies between half
/// and full; the memory of a process is measured by the benchmark.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn an_idle_connection_is_small() {
    const CONNECTIONS: usize = 200;
    const BYTES: usize = 2_560;
    const BLOCKS: usize = 17;
    for eio in [3, 4] {
        let host = Host::with(|io| {
            io.on_connection(|socket: Socket| {
                drop(socket.join("room"));
                socket.on("fence", || Reply(()));
            });
        });
        let first = host.connect(eio);
        let mut clients = Vec::new();
        let held = host.serve(|| {
            clients.extend((0..CONNECTIONS).map(|_| Client::connect(host.address, eio)));
            clients.iter_mut().for_each(Client::fence);
        });
        let bytes = (held.bytes_current as usize).div_ceil(CONNECTIONS);
        let blocks = (held.count_current as usize).div_ceil(CONNECTIONS);
        assert!(bytes <= BYTES && blocks <= BLOCKS, "EIO {eio}: {bytes} bytes, {blocks} blocks");
        drop((first, clients));
    }
}

/// What a connection holds that has not sent a byte: whoever opens many should not get much. A
/// third of it is the runtime's own, for the socket and the timer.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn a_silent_connection_is_smaller() {
    const CONNECTIONS: usize = 200;
    const BYTES: usize = 1_408;
    const BLOCKS: usize = 3;
    let host = Host::new();
    let mut first = host.connect(4);
    let mut silent = Vec::new();
    let held = host.serve(|| {
        let connect = || TcpStream::connect(host.address).expect("the server listens");
        silent.extend((0..CONNECTIONS).map(|_| connect()));
        while host.io.stats().engine.connections < 1 + CONNECTIONS {
            first.fence();
        }
    });
    let bytes = (held.bytes_current as usize).div_ceil(CONNECTIONS);
    let blocks = (held.count_current as usize).div_ceil(CONNECTIONS);
    assert!(bytes <= BYTES && blocks <= BLOCKS, "{bytes} bytes, {blocks} blocks");
}

/// Counts an event `EVENTS` times, first one by one, each in a turn of its own, then all at once,
/// for clients of both protocols.
#[track_caller]
fn check(event: &[Packet<'_>], answer: Option<&str>, expected: usize) {
    let answers = |client: &mut Client, count| {
        for answer in answer.iter().cycle().take(answer.map_or(0, |_| count)) {
            client.expect(answer);
        }
    };
    for eio in [3, 4] {
        let host = Host::new();
        let client = &mut [host.connect(eio)];
        let one_by_one = host.count(client, |clients| {
            let client = &mut clients[0];
            for _ in 0..EVENTS {
                client.send(event);
                answers(client, 1);
            }
        });
        assert_eq!(one_by_one, expected * EVENTS, "EIO {eio}, one by one: {event:?}");
        let at_once = host.count(client, |clients| {
            let client = &mut clients[0];
            client.send(&[event; EVENTS].concat());
            answers(client, EVENTS);
        });
        // a queue that grows to this many doubles that often
        let growth = answer.map_or(0, |_| EVENTS.ilog2() as usize);
        let expected = expected * EVENTS..=expected * EVENTS + growth;
        assert!(expected.contains(&at_once), "EIO {eio}, {at_once} at once: {event:?}");
    }
}

/// Counts `EVENTS` broadcasts, each asked for by an event.
fn broadcasts(event: &str, members: usize) -> usize {
    let host = Host::new();
    let mut clients: Vec<Client> = (0..members).map(|at| host.connect([3, 4][at % 2])).collect();
    let event = format!(r#"42["{event}",7]"#);
    host.count(&mut clients, |clients| {
        for _ in 0..EVENTS {
            clients[0].send(&[text(&event)]);
            clients.iter_mut().for_each(|client| client.expect(r#"42["news",7]"#));
        }
    })
}

/// A server on the thread of the test.
struct Host {
    runtime: Runtime,
    io: Server,
    address: SocketAddr,
}

impl Host {
    /// One with a listener for each kind of event.
    fn new() -> Self {
        Self::with(|io| io.on_connection(listen))
    }

    fn with(listen: impl FnOnce(&Server)) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        // no ping in between
        let io = Server::builder().ping_interval(Duration::from_secs(3600)).build();
        let io = io.expect("options that make sense");
        listen(&io);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listening = runtime.block_on(io.listen(address)).expect("a free port");
        Self { runtime, io, address: listening.local_addr() }
    }

    /// Connects a client and joins it to `/`.
    fn connect(&self, eio: u8) -> Client {
        let mut client = None;
        self.serve(|| client = Some(Client::connect(self.address, eio)));
        client.expect("it has connected")
    }

    /// The allocations of the server while the clients do something for the second time.
    fn count(&self, clients: &mut [Client], mut run: impl FnMut(&mut [Client]) + Send) -> usize {
        let mut counted = AllocationInfo::default();
        for _ in 0..2 {
            counted = self.serve(|| {
                run(clients);
                clients[0].fence();
            });
        }
        (counted.count_total - self.serve(|| clients[0].fence()).count_total) as usize
    }

    /// Serves until the clients, on another thread, are done; gives the allocations of the server.
    fn serve(&self, clients: impl FnOnce() + Send) -> AllocationInfo {
        let (done, ended) = oneshot::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                clients();
                drop(done);
            });
            allocation_counter::measure(|| {
                let _ = self.runtime.block_on(ended);
            })
        })
    }
}

async fn listen(socket: Socket) {
    socket.join("room").await.expect("a room more");
    socket.on("fence", || Reply(()));
    socket.on("number", |Data(_): Data<u64>| {});
    socket.on("pair", |_: Socket, Data(_): Data<(u64, bool)>| {});
    socket.on("text", |_: Socket, Data(_): Data<String>| {});
    socket.on("binary", |Data(_): Data<Binary>| {});
    socket.on("bytes", |Data(_): Data<Bytes>| {});
    socket.on("emit", |socket: Socket, Data(n): Data<u64>| socket.emit("emit", n));
    socket.on("echo", |socket: Socket, Data(text): Data<String>| socket.emit("echo", text));
    socket.on("reply", |Data(n): Data<u64>| Reply(n));
    socket.on("ack", |Data(n): Data<u64>, ack: Ack| ack.send(n));
    socket.on("async", async |Data(_): Data<u64>| {});
    socket.on("waits", async |Data(_): Data<u64>| wait().await);
    socket.on("async reply", async |Data(n): Data<u64>| Reply(n));
    socket.on("all", |socket: Socket, Data(n): Data<u64>| socket.namespace().emit("news", n));
    socket.on("room", |socket: Socket, Data(n): Data<u64>| {
        socket.namespace().to("room").emit("news", n)
    });
    socket.on("task", |socket: Socket, Data(n): Data<u64>| {
        tokio::spawn(async move { socket.namespace().emit("news", n) });
    });
}

/// Waits for the next turn. The runtime's own `yield_now` allocates.
async fn wait() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A message of Engine.IO.
#[derive(Clone, Copy, Debug)]
enum Packet<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

const fn text(text: &str) -> Packet<'_> {
    Packet::Text(text)
}

/// A client that blocks. What it sends at once is one write, which the server reads at once.
struct Client {
    stream: TcpStream,
    eio: u8,
    /// What was read last.
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr, eio: u8) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("an option of every socket");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("an option of every socket");
        let mut client = Self { stream, eio, buffer: Vec::new() };
        let request = format!(
            "GET /socket.io/?EIO={eio}&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.stream.write_all(request.as_bytes()).expect("the server reads");
        while !client.buffer.ends_with(b"\r\n\r\n") {
            client.take(1);
        }
        assert!(client.buffer.starts_with(b"HTTP/1.1 101 "), "{:?}", client.buffer);
        assert!(client.next().starts_with("0{"), "an open packet");
        if eio == 4 {
            client.send(&[text("40")]);
        }
        assert!(client.next().starts_with("40"), "the answer to a CONNECT");
        client
    }

    fn send(&mut self, packets: &[Packet<'_>]) {
        let frames: Vec<u8> = packets.iter().flat_map(|packet| self.frame(packet)).collect();
        self.stream.write_all(&frames).expect("the server reads");
    }

    fn frame(&self, packet: &Packet<'_>) -> Vec<u8> {
        let mask = Some([0x11, 0x22, 0x33, 0x44]);
        match (packet, self.eio) {
            (Packet::Text(text), _) => testkit::frame(true, 1, mask, text.as_bytes()),
            // Engine.IO v3: the byte 4 marks a message
            (Packet::Binary(bytes), 3) => testkit::frame(true, 2, mask, &[&[4], *bytes].concat()),
            (Packet::Binary(bytes), _) => testkit::frame(true, 2, mask, bytes),
        }
    }

    /// Waits until the server has handled all that was sent.
    fn fence(&mut self) {
        self.send(&[text(r#"4299["fence"]"#)]);
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
