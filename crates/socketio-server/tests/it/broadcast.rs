//! Emissions to many: by rooms, to all others, and in one order for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socketio::{Binary, Server, Socket};
use testkit::{Connector, Eio, Polling};

use crate::support::{BOTH, Peer, arrivals, connector, leave_nothing, nothing_left};

/// Three clients: the first in no room, the second in `a`, the third in `a` and `b`.
async fn three(io: &Server, eio: Eio) -> ([Peer; 3], [Socket; 3]) {
    let mut sockets = arrivals(io.sockets());
    let server = connector(io);
    let peers = [
        Peer::join(&server, eio).await,
        Peer::join(&server, eio).await,
        Peer::join(&server, eio).await,
    ];
    let sockets = [sockets.next().await, sockets.next().await, sockets.next().await];
    _ = sockets[1].join("a");
    _ = sockets[2].join(["a", "b"]);
    (peers, sockets)
}

/// Each of the peers gets these events, and nothing else.
async fn expect_events(peers: &mut [Peer; 3], expected: [&[&str]; 3]) {
    for (peer, expected) in peers.iter_mut().zip(expected) {
        for name in expected {
            peer.expect(&format!(r#"42["{name}"]"#)).await;
        }
        peer.silence().await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_to() {
    for eio in BOTH {
        let io = Server::new();
        let (mut peers, sockets) = three(&io, eio).await;
        sockets[0].to("a").emit("1", ()).unwrap();
        // the sender is left out, also as a member
        sockets[1].to("a").emit("2", ()).unwrap();
        // the union, each once
        sockets[0].to("a").to("b").emit("3", ()).unwrap();
        sockets[0].to(["b", "a"]).emit("4", ()).unwrap();
        sockets[0].to("unknown").emit("5", ()).unwrap();
        // to one socket, by its id
        sockets[0].to(sockets[1].id()).emit("6", ()).unwrap();
        sockets[0].to(sockets[0].id()).emit("7", ()).unwrap();
        sockets[0].to("a").except("b").emit("8", ()).unwrap();
        expect_events(&mut peers, [&[], &["1", "3", "4", "6", "8"], &["1", "2", "3", "4"]]).await;
        leave_nothing(&io, peers).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_in() {
    for eio in BOTH {
        let io = Server::new();
        let (mut peers, sockets) = three(&io, eio).await;
        sockets[0].in_room("a").emit("1", ()).unwrap();
        sockets[1].in_room("a").in_room("b").emit("2", ()).unwrap();
        testkit::settle().await; // so that it can leave at once
        sockets[0].volatile().in_room("b").emit("3", ()).unwrap();
        expect_events(&mut peers, [&[], &["1"], &["1", "2", "3"]]).await;
        leave_nothing(&io, peers).await;
    }
}

#[tokio::test(start_paused = true)]
async fn flag_broadcast() {
    for eio in BOTH {
        let io = Server::new();
        let (mut peers, sockets) = three(&io, eio).await;
        sockets[0].broadcast().emit("1", ()).unwrap();
        sockets[2].broadcast().to("a").emit("2", ()).unwrap();
        sockets[1].except("b").emit("3", ()).unwrap();
        sockets[1].compress(true).broadcast().emit("4", ()).unwrap();
        sockets[1].broadcast().send(()).unwrap();
        let all: [&[&str]; 3] = [&["3", "4", "message"], &["1", "2"], &["1", "4", "message"]];
        expect_events(&mut peers, all).await;
        leave_nothing(&io, peers).await;
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_to() {
    for eio in BOTH {
        let io = Server::new();
        let (mut peers, sockets) = three(&io, eio).await;
        io.sockets().to("a").emit("1", ()).unwrap();
        io.sockets().in_room("b").to("a").emit("2", ()).unwrap();
        io.sockets().except("a").emit("3", ()).unwrap();
        io.sockets().except(sockets[2].id()).emit("4", ()).unwrap();
        io.sockets().to("a").to("a").send(()).unwrap();
        let all: [&[&str]; 3] = [&["3", "4"], &["1", "2", "4", "message"], &["1", "2", "message"]];
        expect_events(&mut peers, all).await;
        leave_nothing(&io, peers).await;
    }
}

/// The example of the API: a private message, from client to client.
#[tokio::test(start_paused = true)]
async fn say_to_someone() {
    for eio in BOTH {
        let io = Server::new();
        io.on_connection(|socket: Socket| {
            socket.on(
                "say to someone",
                |socket: Socket, socketio::Data((id, text)): socketio::Data<(String, String)>| {
                    socket.broadcast().to(id).emit("my message", text)
                },
            );
        });
        let server = connector(&io);
        let mut ann = Peer::join(&server, eio).await;
        let mut bob = Peer::join(&server, eio).await;
        ann.send(&format!(r#"42["say to someone","{}","hi"]"#, bob.id)).await;
        bob.expect(r#"42["my message","hi"]"#).await;
        ann.silence().await;
        leave_nothing(&io, [ann, bob]).await;
    }
}

/// One broadcast reaches clients of both protocols and all transports, each in its own form.
#[tokio::test(start_paused = true)]
async fn one_packet_in_all_forms() {
    let io = Server::new();
    let server = connector(&io);
    let mut old = Peer::join(&server, Eio::V3).await;
    let mut new = Peer::join(&server, Eio::V4).await;
    let mut old_polling = Polling::open(&server, Eio::V3, "").await;
    let mut base64 = Polling::open(&server, Eio::V3, "b64=1").await;
    let mut new_polling = Polling::open(&server, Eio::V4, "").await;
    new_polling.post(["40"]).await;
    for polling in [&mut old_polling, &mut base64, &mut new_polling] {
        polling.next().await;
    }
    let bytes = testkit::Packet::Binary(vec![1, 255].into());
    io.emit("b", ("é", Binary(vec![1, 255].into()))).unwrap();
    let packet = r#"451-["b","é",{"_placeholder":true,"num":0}]"#;
    for peer in [&mut old, &mut new] {
        peer.expect(packet).await;
        peer.expect_binary(&[1, 255]).await;
    }
    for polling in [&mut old_polling, &mut base64, &mut new_polling] {
        assert_eq!(polling.poll().await, [packet.into(), bytes.clone()]);
        polling.post(["1"]).await;
    }
    leave_nothing(&io, [old, new]).await;
}

/// Threads that emit to one room at the same time: all members see one order, each sender's own
/// order is kept, and a packet and its attachment stay together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_see_one_order() {
    const THREADS: u64 = 4;
    const EVENTS: u64 = 300;
    for eio in BOTH {
        let io = Server::new();
        let attached = io.listen("127.0.0.1:0").await.unwrap();
        io.on_connection(|socket: Socket| _ = socket.join("room"));
        // one stream that is written by whoever emits, one that is written by its driver
        let (direct, driven) = (Connector::tcp(attached.local_addr()), connector(&io));
        let mut peers = Vec::new();
        for server in [&direct, &direct, &driven, &driven] {
            peers.push(Peer::join(server, eio).await);
        }
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let io = io.clone();
                std::thread::spawn(move || {
                    for n in 0..EVENTS {
                        let args = (thread, n, Binary(n.to_be_bytes().to_vec().into()));
                        io.to("room").emit("n", args).unwrap();
                    }
                })
            })
            .collect();
        let reading = peers.into_iter().map(|mut peer| {
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for _ in 0..THREADS * EVENTS {
                    let packet = peer.next().await;
                    let args = packet.strip_prefix("451-").expect("an event with an attachment");
                    let args: (String, u64, u64, serde_json::Value) =
                        serde_json::from_str(args).unwrap();
                    peer.expect_binary(&args.2.to_be_bytes()).await;
                    seen.push((args.1, args.2));
                }
                (peer, seen)
            })
        });
        let reading: Vec<_> = reading.collect();
        for thread in threads {
            tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
        }
        let (mut peers, mut orders) = (Vec::new(), Vec::new());
        for task in reading {
            let (peer, seen) = task.await.unwrap();
            peers.push(peer);
            orders.push(seen);
        }
        for order in &orders {
            assert!(*order == orders[0], "two members saw different orders");
        }
        for thread in 0..THREADS {
            let of = orders[0].iter().filter(|seen| seen.0 == thread).map(|seen| seen.1);
            assert!(of.eq(0..EVENTS), "a sender's own order is kept");
        }
        leave_nothing(&io, peers).await;
        drop(attached);
    }
}

/// Clients come and go while others broadcast: nothing precedes the answer to a CONNECT, nothing
/// follows a DISCONNECT.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_before_connect_or_after_disconnect() {
    const ROUNDS: usize = 300;
    for eio in BOTH {
        let io = Server::new();
        let attached = io.listen("127.0.0.1:0").await.unwrap();
        io.of("/chat").on_connection(|socket: Socket| {
            socket.on("bye", |socket: Socket| socket.disconnect(false));
        });
        for server in [Connector::tcp(attached.local_addr()), connector(&io)] {
            let mut arrivals = arrivals(&io.of("/chat"));
            let mut peer = Peer::join_namespace(&server, eio, "/chat").await;
            let conn = arrivals.next().await.conn().clone();
            let stop = Arc::new(AtomicBool::new(false));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (io, stop, conn) = (io.clone(), Arc::clone(&stop), conn.clone());
                    std::thread::spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            io.of("/chat").emit("b", ()).unwrap();
                            while conn.queued_bytes() > 2_000 && !stop.load(Ordering::Relaxed) {
                                std::thread::yield_now();
                            }
                        }
                    })
                })
                .collect();
            for round in 0..ROUNDS {
                // who says it: the server, from here or from its handler, or the client
                match round % 3 {
                    0 => peer.send(r#"42/chat,["bye"]"#).await,
                    1 => io.of("/chat").connected().get(&peer.id).unwrap().disconnect(false),
                    _ => peer.send("41/chat,").await,
                }
                if round % 3 == 2 {
                    // what was under way before the server knew
                    peer.send("40/chat,").await;
                    while peer.next_unless_connect().await {}
                    continue;
                }
                loop {
                    match peer.next().await.as_str() {
                        r#"42/chat,["b"]"# => {}
                        "41/chat," => break,
                        other => panic!("{other}"),
                    }
                }
                // the next of the namespace must be the answer
                peer.enter("/chat").await;
            }
            stop.store(true, Ordering::Relaxed);
            for thread in threads {
                tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
            }
            drop(peer);
            nothing_left(&io).await;
        }
    }
}

impl Peer {
    /// Reads a packet: true if it is the broadcast, false if it is the answer to the CONNECT.
    async fn next_unless_connect(&mut self) -> bool {
        let packet = self.next().await;
        if packet == r#"42/chat,["b"]"# {
            return true;
        }
        let answer = packet.strip_prefix("40/chat,").unwrap_or_else(|| panic!("{packet}"));
        if self.eio == Eio::V4 {
            let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
            self.id = answer["sid"].as_str().unwrap().to_owned();
        }
        false
    }
}
