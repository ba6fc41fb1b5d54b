//! Two servers in a cluster, over a broker in memory. What real brokers and Node servers make of it
//! is tested in `crates/socketio-redis` and `conformance/cluster`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use socketio::adapter::{Adapter, AdapterError, AdapterFactory, ServerEvent, SocketId};
use socketio::observe::Limit;
use socketio::{Binary, Server, Socket, Value};
use socketio_adapter::{
    AdapterFuture, Bus, Census, Channel, ClusterNode, Dialect, Format, QueueFull, Receiver,
    RoomChannels,
};
use testkit::{Connector, Eio, Frame, settle};

use crate::support::{BOTH, Peer, arrivals, connector, leave_nothing};

/// What the formats are tested with.
const FORMATS: [Format; 3] = [
    Format::Classic(Dialect::New),
    Format::Classic(Dialect::Mixed),
    Format::Sharded(RoomChannels::Joined),
];

/// A broker in memory: a message is with its receivers when it was published.
#[derive(Clone, Default)]
struct Broker(Arc<Inner>);

#[derive(Default)]
struct Inner {
    receivers: Mutex<HashMap<Channel, Vec<Listening>>>,
    published: Mutex<Vec<String>>,
    is_away: AtomicBool,
    on_flush: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// A connection, by its name, and who listens over it.
type Listening = (usize, Arc<dyn Receiver>);

/// One connection to it.
struct Connection(Broker, usize);

impl Broker {
    fn node(&self, name: usize, format: Format) -> Factory {
        let bus = Arc::new(Connection(self.clone(), name));
        Factory(ClusterNode::new(bus, format, "p".to_owned()))
    }

    fn deliver(&self, channel: &str, payload: &[u8]) {
        let found: Vec<Arc<dyn Receiver>> = {
            let receivers = self.0.receivers.lock().unwrap();
            let is_meant = |wanted: &&Channel| match wanted {
                Channel::Named(name) => name == channel,
                Channel::BeginningWith(beginning) => channel.starts_with(beginning.as_str()),
            };
            let meant = receivers.keys().filter(is_meant);
            meant.flat_map(|wanted| &receivers[wanted]).map(|(_, r)| Arc::clone(r)).collect()
        };
        found.iter().for_each(|receiver| receiver.receive(channel, payload));
    }

    /// Somebody who listens and never answers.
    fn add_mute(&self, channel: &str) {
        struct Mute;
        impl Receiver for Mute {
            fn receive(&self, _: &str, _: &[u8]) {}
        }
        let mute = (usize::MAX, Arc::new(Mute) as Arc<dyn Receiver>);
        let channel = Channel::Named(channel.to_owned());
        self.0.receivers.lock().unwrap().entry(channel).or_default().push(mute);
    }

    fn subscriptions(&self) -> usize {
        self.0.receivers.lock().unwrap().values().map(Vec::len).sum()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.1).finish()
    }
}

impl Bus for Connection {
    fn publish(&self, channel: String, payload: Bytes) -> Result<(), QueueFull> {
        if self.0.0.is_away.load(Ordering::Relaxed) {
            return Err(QueueFull);
        }
        self.0.0.published.lock().unwrap().push(channel.clone());
        self.0.deliver(&channel, &payload);
        Ok(())
    }

    fn flush(&self) {
        if let Some(on_flush) = self.0.0.on_flush.get() {
            on_flush();
        }
    }

    fn subscribe(&self, channel: Channel, receiver: &Arc<dyn Receiver>) -> AdapterFuture<()> {
        let mut receivers = self.0.0.receivers.lock().unwrap();
        let listening = receivers.entry(channel).or_default();
        listening.retain(|(_, other)| !is_same(other, receiver));
        listening.push((self.1, Arc::clone(receiver)));
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        let mut receivers = self.0.0.receivers.lock().unwrap();
        if let Some(listening) = receivers.get_mut(channel) {
            listening.retain(|(_, other)| !is_same(other, receiver));
        }
    }

    fn census(&self) -> Option<&dyn Census> {
        Some(self)
    }
}

impl Census for Connection {
    fn subscribers(&self, channel: &str) -> AdapterFuture<usize> {
        let away = self.0.0.is_away.load(Ordering::Relaxed);
        let receivers = self.0.0.receivers.lock().unwrap();
        let count = receivers.get(&Channel::Named(channel.to_owned())).map_or(0, Vec::len);
        Box::pin(std::future::ready(match away {
            true => Err(AdapterError::Backend("away".into())),
            false => Ok(count),
        }))
    }

    fn channels(&self, beginning: &str, end: &str) -> AdapterFuture<usize> {
        let receivers = self.0.0.receivers.lock().unwrap();
        let count = receivers.iter().filter(|(channel, listening)| match channel {
            Channel::Named(name) => {
                let is_longer = name.len() > beginning.len();
                !listening.is_empty()
                    && is_longer
                    && name.starts_with(beginning)
                    && name.ends_with(end)
            }
            Channel::BeginningWith(_) => false,
        });
        let count = count.count();
        Box::pin(std::future::ready(Ok(count)))
    }
}

fn is_same(one: &Arc<dyn Receiver>, other: &Arc<dyn Receiver>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

#[derive(Debug)]
struct Factory(ClusterNode);

impl AdapterFactory for Factory {
    fn create(&self, namespace: &str) -> Arc<dyn Adapter> {
        Arc::new(self.0.adapter(namespace))
    }

    fn name(&self) -> &'static str {
        "memory"
    }
}

/// Two servers with two clients each, the second of each in the room `r`.
struct Two {
    broker: Broker,
    io: [Server; 2],
    peers: [[Peer; 2]; 2],
    sockets: [[Socket; 2]; 2],
}

async fn two(format: Format, eio: Eio) -> Two {
    let broker = Broker::default();
    let io =
        [1, 2].map(|name| Server::builder().adapter(broker.node(name, format)).build().unwrap());
    let (first, second) = (members(&io[0], eio).await, members(&io[1], eio).await);
    Two { broker, io, peers: [first.0, second.0], sockets: [first.1, second.1] }
}

async fn members(io: &Server, eio: Eio) -> ([Peer; 2], [Socket; 2]) {
    let mut sockets = arrivals(io.sockets());
    let server = connector(io);
    let peers = [Peer::join(&server, eio).await, Peer::join(&server, eio).await];
    let sockets = [sockets.next().await, sockets.next().await];
    sockets[1].join("r").await.unwrap();
    (peers, sockets)
}

impl Two {
    /// The clients get these events, each in this order, and nothing else.
    async fn expect(&mut self, expected: [[&[&str]; 2]; 2]) {
        for (peers, expected) in self.peers.iter_mut().zip(expected) {
            for (peer, expected) in peers.iter_mut().zip(expected) {
                for packet in expected {
                    peer.expect(packet).await;
                }
                peer.silence().await;
            }
        }
    }

    async fn leave(self) {
        let ([one, other], [of_one, of_other]) = (self.io, self.peers);
        drop(self.sockets);
        leave_nothing(&one, of_one).await;
        leave_nothing(&other, of_other).await;
    }
}

#[tokio::test(start_paused = true)]
async fn broadcasts_reach_the_other_node() {
    for format in FORMATS {
        for eio in BOTH {
            let mut two = two(format, eio).await;
            let [one, other] = &two.io;
            one.emit("1", ("é", [0.5])).unwrap();
            other.to("r").emit("2", ()).unwrap();
            one.except("r").emit("3", ()).unwrap();
            two.sockets[1][1].to("r").emit("4", ()).unwrap();
            two.sockets[0][0].broadcast().emit("5", ()).unwrap();
            one.to(two.sockets[1][0].id()).emit("6", ()).unwrap();
            one.local().emit("7", ()).unwrap();
            one.to(["r", two.sockets[1][1].id()]).emit("8", ()).unwrap();
            let (first, seven) = (r#"42["1","é",[0.5]]"#, r#"42["7"]"#);
            two.expect([
                [
                    &[first, r#"42["3"]"#, seven],
                    &[first, r#"42["2"]"#, r#"42["4"]"#, r#"42["5"]"#, seven, r#"42["8"]"#],
                ],
                [
                    &[first, r#"42["3"]"#, r#"42["5"]"#, r#"42["6"]"#],
                    &[first, r#"42["2"]"#, r#"42["5"]"#, r#"42["8"]"#],
                ],
            ])
            .await;
            two.leave().await;
        }
    }
}

/// What the sockets of a node that closes say at last.
#[tokio::test(start_paused = true)]
async fn last_words_reach_the_other_node() {
    for format in FORMATS {
        let mut two = two(format, Eio::V4).await;
        for socket in &two.sockets[0] {
            socket.on_disconnect(|socket: Socket| socket.to("r").emit("left", ()));
        }
        two.io[0].close();
        for _ in 0..2 {
            two.peers[1][1].expect(r#"42["left"]"#).await;
        }
        two.peers[1][0].silence().await;
        for peer in &mut two.peers[0] {
            while peer.ws.next().await == Frame::Text(r#"42["left"]"#.to_owned()) {}
        }
        two.leave().await;
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_reach_the_other_node() {
    for format in FORMATS {
        let mut two = two(format, Eio::V4).await;
        two.io[0].local().emit("x", ()).unwrap();
        two.io[1].to("r").emit("b", Binary(vec![1, 2].into())).unwrap();
        for node in 0..2 {
            let peer = &mut two.peers[node][1];
            if node == 0 {
                peer.expect(r#"42["x"]"#).await;
            }
            peer.expect(r#"451-["b",{"_placeholder":true,"num":0}]"#).await;
            peer.ws.expect_binary(&[1, 2]).await;
        }
        two.peers[0][0].expect(r#"42["x"]"#).await;
        two.leave().await;
    }
}

#[tokio::test(start_paused = true)]
async fn sockets_of_both_nodes_are_found() {
    for format in FORMATS {
        let two = two(format, Eio::V4).await;
        two.sockets[1][1].set_data("theirs").unwrap();
        let id = |node: usize, i: usize| two.sockets[node][i].id().clone();
        let [one, _] = &two.io;
        let ids = one.clients().await.unwrap();
        assert_eq!((ids.answered, ids.is_complete()), (2, true));
        assert_eq!(ids.items, [id(0, 0), id(0, 1), id(1, 0), id(1, 1)]);
        assert_eq!(one.in_room("r").clients().await.unwrap().items, [id(0, 1), id(1, 1)]);
        assert_eq!(one.except("r").clients().await.unwrap().items, [id(0, 0), id(1, 0)]);
        assert_eq!(one.in_room("r").local().clients().await.unwrap().items, [id(0, 1)]);
        let found = one.in_room("r").fetch_sockets().await.unwrap();
        assert!(found.is_complete());
        let theirs = found.items.iter().find(|socket| *socket.id() == id(1, 1)).unwrap();
        assert_eq!(theirs.data::<String>().as_deref(), Some("theirs"));
        assert_eq!(theirs.rooms(), two.sockets[1][1].rooms());
        let rooms = one.sockets().all_rooms().await.unwrap();
        assert_eq!((rooms.items.len(), rooms.is_complete()), (5, true));
        let of_one = one.sockets().client_rooms(&id(1, 1)).await.unwrap();
        assert_eq!(of_one, two.sockets[1][1].rooms());
        two.leave().await;
    }
}

#[tokio::test(start_paused = true)]
async fn sockets_of_both_nodes_are_changed() {
    for format in FORMATS {
        let mut two = two(format, Eio::V4).await;
        let io = two.io.clone();
        let rooms = |two: &Two, node: usize, i: usize| -> Vec<String> {
            two.sockets[node][i].rooms().iter().skip(1).map(|room| room.to_string()).collect()
        };
        io[0].sockets_join("all").await.unwrap();
        io[1].in_room("r").sockets_join(["x", "y"]).await.unwrap();
        io[0].in_room("x").sockets_leave("r").await.unwrap();
        io[0].sockets().remote_join(two.sockets[1][0].id(), "one").await.unwrap();
        settle().await;
        for node in 0..2 {
            assert_eq!(rooms(&two, node, 1), ["all", "x", "y"]);
        }
        assert_eq!(rooms(&two, 0, 0), ["all"]);
        assert_eq!(rooms(&two, 1, 0), ["all", "one"]);
        // a room that was joined from elsewhere is listened to
        io[0].to("one").emit("e", ()).unwrap();
        two.peers[1][0].expect(r#"42["e"]"#).await;
        io[0].in_room("x").disconnect_sockets(false).await.unwrap();
        settle().await;
        for node in 0..2 {
            two.peers[node][1].expect("41").await;
            assert!(two.sockets[node][0].is_connected());
        }
        two.leave().await;
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_both_nodes_acknowledge() {
    for format in [FORMATS[0], FORMATS[2]] {
        let mut two = two(format, Eio::V4).await;
        let asking = two.io[0].in_room("r").timeout(Duration::from_secs(1));
        let asked = tokio::spawn(async move { asking.emit_with_ack::<u32>("q", ()).await });
        two.peers[0][1].expect(r#"420["q"]"#).await;
        two.peers[1][1].expect(r#"420["q"]"#).await;
        two.peers[1][1].send("430[2]").await;
        two.peers[0][1].send("430[1]").await;
        let answers = asked.await.unwrap().unwrap();
        assert!(answers.is_complete());
        assert_eq!(answers.into_answers(), [1, 2]);

        let asking = two.io[0].timeout(Duration::from_secs(1));
        let asked = tokio::spawn(async move { asking.emit_with_ack::<u32>("q", ()).await });
        settle().await;
        tokio::time::advance(Duration::from_secs(1)).await;
        let answers = asked.await.unwrap().unwrap();
        assert_eq!((answers.local.len(), answers.silent, answers.is_complete()), (2, 2, false));
        for peers in &mut two.peers {
            for peer in peers {
                peer.expect(r#"421["q"]"#).await;
            }
        }
        two.leave().await;
    }
}

/// Nodes of the 2.x line would not survive the question: the event goes out without it.
#[tokio::test(start_paused = true)]
async fn clients_of_a_mixed_cluster_are_not_asked() {
    let mut two = two(FORMATS[1], Eio::V4).await;
    let asking = two.io[0].in_room("r").timeout(Duration::from_secs(1));
    let asked = tokio::spawn(async move { asking.emit_with_ack::<u32>("q", ()).await });
    two.peers[0][1].expect(r#"420["q"]"#).await;
    two.peers[0][1].send("430[1]").await;
    two.peers[1][1].expect(r#"42["q"]"#).await;
    let answers = asked.await.unwrap().unwrap();
    assert!(matches!(answers.error, Some(AdapterError::Unsupported(_))), "{answers:?}");
    assert_eq!(answers.into_answers(), [1]);
    two.leave().await;
}

#[tokio::test(start_paused = true)]
async fn servers_hear_each_other() {
    for format in FORMATS {
        let two = two(format, Eio::V4).await;
        let [one, other] = &two.io;
        let heard = Arc::new(Mutex::new(Vec::new()));
        for (io, port) in [(one, 1), (other, 2)] {
            let log = Arc::clone(&heard);
            io.on_server_event("note", async move |event: ServerEvent| {
                log.lock().unwrap().push((port, event.args().to_vec()));
                assert!(!event.is_reply_wanted());
                event.reply("nobody waits").unwrap();
            });
            io.on_server_event("who", async move |event: ServerEvent| {
                event.reply(port).unwrap();
                event.reply("twice").unwrap_err();
            });
            io.on_server_event("mute", async |_: ServerEvent| {});
        }
        one.server_side_emit("note", ("a", [1])).await.unwrap();
        assert_eq!(*heard.lock().unwrap(), [(2, vec!["a".into(), Value::from([1])])]);
        let answers = other.server_side_emit_with_ack::<u32>("who", ()).await.unwrap();
        assert_eq!((answers.items, answers.answered, answers.missing.len()), (vec![1], 1, 0));
        let before = tokio::time::Instant::now();
        let answers = other.server_side_emit_with_ack::<u32>("mute", ()).await.unwrap();
        assert_eq!((answers.items.len(), answers.answered, answers.missing.len()), (0, 0, 1));
        assert_eq!(before.elapsed(), Duration::from_secs(5));
        let wrong = one.server_side_emit_with_ack::<String>("who", ()).await;
        assert!(matches!(wrong, Err(AdapterError::Backend(_))), "{wrong:?}");
        two.leave().await;
    }
}

#[tokio::test(start_paused = true)]
async fn servers_of_the_2x_line_are_asked() {
    let two = two(Format::Classic(Dialect::Old), Eio::V4).await;
    let [one, other] = &two.io;
    other.sockets().on_custom_request(async |data: Value| Some(data));
    one.sockets().on_custom_request(async |_: Value| Some(Value::from("mine")));
    let answers = one.sockets().custom_request("theirs").await.unwrap();
    assert_eq!(answers.items, [Value::from("mine"), "theirs".into()]);
    assert_eq!((answers.answered, answers.is_complete()), (2, true));
    let id = two.sockets[1][0].id();
    one.sockets().remote_join(id, "x").await.unwrap();
    assert_eq!(one.sockets().client_rooms(id).await.unwrap(), [id.as_str(), "x"]);
    one.in_room("r").sockets_join("y").await.unwrap();
    assert!(two.sockets.iter().all(|sockets| sockets[1].rooms().len() == 3));
    let nobody = one.sockets().remote_join(&SocketId::from("nobody"), "x").await;
    assert!(matches!(nobody, Err(AdapterError::Timeout)), "{nobody:?}");
    let event = one.server_side_emit("e", ()).await;
    assert!(matches!(event, Err(AdapterError::Unsupported(_))), "{event:?}");
    two.leave().await;
}

/// What is known comes when the time is over, and who is missing.
#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_answer() {
    let two = two(FORMATS[0], Eio::V4).await;
    two.broker.add_mute("p-request#/#");
    let before = tokio::time::Instant::now();
    let ids = two.io[0].clients().await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(5));
    assert_eq!((ids.items.len(), ids.answered, ids.missing.len()), (4, 2, 1));
    two.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away() {
    for format in FORMATS {
        let mut two = two(format, Eio::V4).await;
        two.broker.0.is_away.store(true, Ordering::Relaxed);
        let [one, _] = &two.io;
        one.emit("here", ()).unwrap();
        _ = one.in_room("r").sockets_join("x");
        let before = tokio::time::Instant::now();
        let ids = one.clients().await.unwrap();
        assert_eq!((ids.items.len(), ids.answered, ids.missing.len()), (2, 1, 1));
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(two.sockets[0][1].rooms().len(), 3);
        two.expect([[&[r#"42["here"]"#], &[r#"42["here"]"#]], [&[], &[]]]).await;
        two.broker.0.is_away.store(false, Ordering::Relaxed);
        two.leave().await;
    }
}

/// The broker is written to before any client of this node, the one whose event it was included.
#[tokio::test]
async fn the_broker_comes_first() {
    let broker = Broker::default();
    let io = Server::builder().adapter(broker.node(1, FORMATS[0])).build().unwrap();
    let attached = io.listen("127.0.0.1:0").await.unwrap();
    io.on_connection(|socket: Socket| {
        socket.on("tell", |socket: Socket| socket.namespace().emit("told", ()));
    });
    let server = Connector::tcp(attached.local_addr());
    let mut peers = [Peer::join(&server, Eio::V4).await, Peer::join(&server, Eio::V4).await];
    let flushes: Arc<Mutex<Vec<u64>>> = Arc::default();
    let (counting, noted) = (io.clone(), Arc::clone(&flushes));
    let on_flush = move || noted.lock().unwrap().push(counting.stats().engine.packets_out);
    assert!(broker.0.on_flush.set(Box::new(on_flush)).is_ok());
    let before = io.stats().engine.packets_out;
    peers[0].send(r#"42["tell"]"#).await;
    for peer in &mut peers {
        peer.expect(r#"42["told"]"#).await;
    }
    assert_eq!(*flushes.lock().unwrap(), [before]);
    leave_nothing(&io, peers).await;
}

/// What arrives is delivered, and goes nowhere else; what is no message is counted.
#[tokio::test(start_paused = true)]
async fn what_arrives_is_not_published_again() {
    let broker = Broker::default();
    let node = broker.node(1, FORMATS[0]);
    let counters = node.0.clone();
    let io = Server::builder().adapter(node).build().unwrap();
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let emitter = broker.node(2, FORMATS[0]).0.emitter("/");
    emitter.emit("from outside", Binary(vec![7].into())).unwrap();
    peer.expect(r#"451-["from outside",{"_placeholder":true,"num":0}]"#).await;
    peer.ws.expect_binary(&[7]).await;
    assert_eq!(*broker.0.published.lock().unwrap(), ["p#/#"]);
    for garbage in [&b""[..], b"{", b"\xc1", &[0x91; 100_000]] {
        broker.deliver("p#/#", garbage);
        broker.deliver("p-request#/#", garbage);
    }
    assert_eq!((counters.malformed(), counters.received()), (8, 1));
    emitter.in_room(&peer.id).sockets_join("x").unwrap();
    emitter.to("x").emit("e", ()).unwrap();
    peer.expect(r#"42["e"]"#).await;
    emitter.emit("connect", ()).unwrap_err();
    // what another node wants is held to the limits of this one
    emitter.in_room(&peer.id).sockets_join("y".repeat(5_000)).unwrap();
    peer.silence().await;
    assert_eq!(io.stats().limits.get(Limit::RoomLen), 1);
    assert_eq!(io.sockets().all_rooms().await.unwrap().items.len(), 2);
    leave_nothing(&io, [peer]).await;
}

/// A namespace that is gone is listened to no more.
#[tokio::test(start_paused = true)]
async fn subscriptions_end_with_the_namespace() {
    for format in FORMATS {
        let broker = Broker::default();
        let io = Server::builder().adapter(broker.node(1, format)).build().unwrap();
        let before = broker.subscriptions();
        io.of_matching("/dyn-*");
        let server = connector(&io);
        let mut peer = Peer::join_namespace(&server, Eio::V4, "/dyn-1").await;
        let socket = io.of("/dyn-1").connected().iter().next().unwrap();
        socket.join("r").await.unwrap();
        drop(socket);
        assert!(broker.subscriptions() > before);
        peer.send("41/dyn-1,").await;
        settle().await;
        assert_eq!(broker.subscriptions(), before);
        leave_nothing(&io, [peer]).await;
        // whoever still has a handle
        io.close().await;
        assert_eq!(broker.subscriptions(), 0, "{format:?}");
    }
}

/// Joins that another node wants are refused and counted as those of one's own program.
#[tokio::test(start_paused = true)]
async fn the_bound_of_rooms_holds_for_other_nodes() {
    for format in FORMATS {
        let broker = Broker::default();
        let io = [1, 2].map(|name| {
            let Factory(node) = broker.node(name, format);
            Server::builder().adapter(Factory(node.max_rooms_per_socket(1))).build().unwrap()
        });
        let (first, second) = (members(&io[0], Eio::V4).await, members(&io[1], Eio::V4).await);
        let of_other = second.1[1].id().clone();
        // of each node one is full
        drop(io[0].sockets_join("x").await);
        settle().await;
        drop(io[0].sockets().remote_join(&of_other, "y").await);
        settle().await;
        let counted = |io: &Server| io.stats().limits.get(Limit::Rooms);
        assert_eq!((counted(&io[0]), counted(&io[1])), (1, 2));
        assert_eq!(second.1[0].rooms().len(), 2);
        assert_eq!(second.1[1].rooms().len(), 2);
        leave_nothing(&io[0], first.0).await;
        leave_nothing(&io[1], second.0).await;
    }
}

/// Listeners that never come to an end: what comes beyond them is given to none.
#[tokio::test(start_paused = true)]
async fn unfinished_listeners_are_bounded() {
    let (broker, format) = (Broker::default(), FORMATS[0]);
    let asking = Server::builder().adapter(broker.node(1, format)).build().unwrap();
    let asked = Server::builder()
        .adapter(broker.node(2, format))
        .limits(|limits| limits.max_pending_server_events = 2)
        .build()
        .unwrap();
    let (going, waits) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let (counted, until) = (Arc::clone(&going), Arc::clone(&waits));
    asked.on_server_event("e", async move |_: ServerEvent| {
        counted.fetch_add(1, Ordering::Relaxed);
        until.notified().await;
    });
    let finished = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&finished);
    asked.on_server_event("at once", async move |_: ServerEvent| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    for _ in 0..5 {
        asking.server_side_emit("at once", ()).await.unwrap();
    }
    assert_eq!(finished.load(Ordering::Relaxed), 5);
    for _ in 0..5 {
        asking.server_side_emit("e", ()).await.unwrap();
    }
    let dropped = || asked.stats().limits.get(Limit::PendingServerEvents);
    assert_eq!((going.load(Ordering::Relaxed), dropped()), (2, 3));
    settle().await;
    waits.notify_waiters();
    settle().await;
    asking.server_side_emit("e", ()).await.unwrap();
    assert_eq!((going.load(Ordering::Relaxed), dropped()), (3, 3));
}

/// Of the clients' answers one emission keeps so many; the others are silent, and nobody waits.
#[tokio::test(start_paused = true)]
async fn answers_of_clients_are_bounded() {
    for format in [FORMATS[0], FORMATS[2]] {
        let broker = Broker::default();
        let Factory(node) = broker.node(1, format);
        let node = node.max_client_answers(1);
        let asking = Server::builder().adapter(Factory(node.clone())).build().unwrap();
        let asked = Server::builder().adapter(broker.node(2, format)).build().unwrap();
        let (mut peers, _sockets) = members(&asked, Eio::V4).await;
        let asking = asking.timeout(Duration::from_secs(60));
        let answers = tokio::spawn(async move { asking.emit_with_ack::<u32>("q", ()).await });
        for peer in &mut peers {
            peer.expect(r#"420["q"]"#).await;
            peer.send("430[7]").await;
        }
        let answers = answers.await.unwrap().unwrap();
        assert_eq!((answers.silent, answers.is_complete()), (1, false));
        assert_eq!(answers.into_answers(), [7]);
        assert_eq!(node.refused_answers(), 1);
        leave_nothing(&asked, peers).await;
    }
}

/// Reading an answer is code of the user's type: it may come back to the server, as may who waits.
#[tokio::test(start_paused = true)]
async fn answers_are_read_and_awaited_with_no_lock_held() {
    thread_local! {
        static IO: std::cell::RefCell<Option<Server>> = const { std::cell::RefCell::new(None) };
    }
    #[derive(Debug)]
    struct Asking;
    impl<'de> serde::Deserialize<'de> for Asking {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let io = IO.with_borrow(Clone::clone).unwrap();
            io.emit("read", ()).map_err(serde::de::Error::custom)?;
            u32::deserialize(from).map(|_| Self)
        }
    }
    /// Asks, as it is woken, what the answer is that it waits for.
    struct Curious(Server, AtomicUsize);
    impl std::task::Wake for Curious {
        fn wake(self: Arc<Self>) {
            self.0.emit("woken", ()).unwrap();
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    for format in [FORMATS[0], FORMATS[2]] {
        let mut two = two(format, Eio::V4).await;
        let io = two.io[0].clone();
        IO.set(Some(io.clone()));
        let asking = io.in_room("r").except(two.sockets[0][1].id());
        let mut asked = Box::pin(async move {
            asking.timeout(Duration::from_secs(60)).emit_with_ack::<Asking>("q", ()).await
        });
        let curious = Arc::new(Curious(io, AtomicUsize::new(0)));
        let waker = std::task::Waker::from(Arc::clone(&curious));
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(asked.as_mut().poll(&mut cx).is_pending());
        two.peers[1][1].expect(r#"420["q"]"#).await;
        two.peers[1][1].send("430[1]").await;
        settle().await;
        assert!(curious.1.load(Ordering::Relaxed) > 0);
        assert_eq!(asked.await.unwrap().into_answers().len(), 1);
        IO.set(None);
        two.leave().await;
    }
}
