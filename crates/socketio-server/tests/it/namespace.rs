//! The class `Namespace`.

use std::sync::{Arc, Mutex};

use engineio_proto::Outgoing;
use socketio::adapter::{Adapter, AdapterFactory, Completion, LocalAdapterFactory, Room, SocketId};
use socketio::emit::EmitError;
use socketio::{Server, Socket};
use socketio_adapter::{BroadcastOptions, Delivered, EnterError, JoinError, Member};
use testkit::{Eio, Polling};

use crate::support::{BOTH, Log, Peer, SECOND, arrivals, connector, leave_nothing, nothing_left};

#[tokio::test(start_paused = true)]
async fn namespace_name() {
    let io = Server::new();
    assert_eq!(io.of("/chat").name(), "/chat");
    assert_eq!(io.sockets().name(), "/");
}

#[tokio::test(start_paused = true)]
async fn namespace_connected() {
    for eio in BOTH {
        let io = Server::new();
        let chat = io.of("/chat");
        assert!(chat.connected().is_empty());
        let log = Log::default();
        let logged = log.clone();
        chat.on_connect(move |socket: Socket| {
            let connected = socket.namespace().connected().contains(socket.id());
            logged.add(format!("connect: {connected}"));
            let logged = logged.clone();
            socket.on_disconnect(move |socket: Socket| {
                let connected = socket.namespace().connected().contains(socket.id());
                logged.add(format!("disconnect: {connected}"));
            });
        });
        let server = connector(&io);
        let mut peer = Peer::join_namespace(&server, eio, "/chat").await;
        let other = Peer::join_namespace(&server, eio, "/chat").await;
        assert_eq!(chat.connected().len(), 2);
        let socket = chat.connected().get(&peer.id).expect("it is connected");
        assert_eq!(socket.id(), &*peer.id);
        assert!(chat.connected().get("nobody").is_none());
        let mut ids: Vec<String> = chat.connected().iter().map(|s| s.id().to_string()).collect();
        ids.sort();
        let mut expected = [peer.id.clone(), other.id.clone()];
        expected.sort();
        assert_eq!(ids, expected);
        assert_eq!(chat.connected().into_iter().count(), 2);
        peer.send("41/chat,").await;
        assert_eq!(log.take().await, ["connect: true", "connect: true", "disconnect: false"]);
        assert_eq!(chat.connected().len(), 1);
        leave_nothing(&io, [peer, other]).await;
        assert!(chat.connected().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_emit() {
    for eio in BOTH {
        let io = Server::new();
        let chat = io.of("/chat");
        chat.emit("nobody hears it", ()).unwrap();
        let server = connector(&io);
        let mut in_chat = Peer::join_namespace(&server, eio, "/chat").await;
        let mut also = Peer::join_namespace(&server, eio, "/chat").await;
        let mut elsewhere = Peer::join(&server, eio).await;
        chat.emit("news", ("a", [1, 2])).unwrap();
        chat.send("hi").unwrap();
        for peer in [&mut in_chat, &mut also] {
            peer.expect(r#"42/chat,["news","a",[1,2]]"#).await;
            peer.expect(r#"42/chat,["message","hi"]"#).await;
            peer.silence().await;
        }
        elsewhere.silence().await;
        for reserved in ["connect", "disconnect", "disconnecting", "error", "newListener"] {
            let refused = chat.emit(reserved, ());
            assert!(matches!(refused, Err(EmitError::Reserved(name)) if name == reserved));
        }
        in_chat.silence().await;
        leave_nothing(&io, [in_chat, also, elsewhere]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_clients() {
    for eio in BOTH {
        let io = Server::new();
        let chat = io.of("/chat");
        let mut sockets = arrivals(&chat);
        assert!(chat.clients().await.unwrap().items.is_empty());
        let server = connector(&io);
        let mut peers = Vec::new();
        for rooms in [&["a"][..], &["a", "b"], &["b"], &[]] {
            peers.push(Peer::join_namespace(&server, eio, "/chat").await);
            sockets.next().await.join(rooms).await.unwrap();
        }
        let ids =
            |of: &[usize]| of.iter().map(|i| SocketId::from(&peers[*i].id)).collect::<Vec<_>>();
        let clients = chat.clients().await.unwrap();
        assert_eq!(clients.items, ids(&[0, 1, 2, 3]));
        assert_eq!(clients.missing, [""; 0]);
        assert_eq!(chat.in_room("a").clients().await.unwrap().items, ids(&[0, 1]));
        // the union, each once
        assert_eq!(chat.to("a").in_room("b").clients().await.unwrap().items, ids(&[0, 1, 2]));
        assert_eq!(chat.in_room("unknown").clients().await.unwrap().items, [""; 0]);
        assert_eq!(chat.except("a").clients().await.unwrap().items, ids(&[2, 3]));
        if eio == Eio::V3 {
            assert_eq!(ids(&[0])[0], *format!("/chat#{}", peers[0].sid));
        }
        leave_nothing(&io, peers).await;
    }
}

/// `connect` runs first, whatever was registered first.
#[tokio::test(start_paused = true)]
async fn event_connect() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        for (name, connect) in [("1", false), ("2", true), ("3", false), ("4", true)] {
            let log = log.clone();
            let add = move || log.add(name);
            if connect { io.on_connect(add) } else { io.on_connection(add) }
        }
        let peer = Peer::join(&connector(&io), eio).await;
        assert_eq!(log.take().await, ["2", "4", "1", "3"]);
        leave_nothing(&io, [peer]).await;
    }
}

/// At the event the socket is connected and in its own room, and what it emits follows the CONNECT.
#[tokio::test(start_paused = true)]
async fn event_connection() {
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.of("/chat").on_connection(move |socket: Socket| {
            let own_room = socket.rooms() == [socket.id().as_str()];
            logged.add(format!("{} {own_room}", socket.is_connected()));
            socket.emit("welcome", socket.id())
        });
        let server = connector(&io);
        let mut peer = Peer::join_namespace(&server, eio, "/chat").await;
        peer.expect(&format!(r#"42/chat,["welcome","{}"]"#, peer.id.clone())).await;
        assert_eq!(log.take().await, ["true true"]);
        // other namespaces' sockets do not fire it
        peer.send("40").await;
        assert_eq!(log.take().await, [""; 0]);
        leave_nothing(&io, [peer]).await;
    }
}

/// A receiver that is not ready misses the event, and only that one.
#[tokio::test(start_paused = true)]
async fn flag_volatile() {
    for eio in BOTH {
        let io = Server::new();
        let server = connector(&io);
        let mut polling = Polling::open(&server, eio, "").await;
        if eio == Eio::V4 {
            polling.post(["40"]).await;
        }
        polling.next().await;
        let mut peer = Peer::join(&server, eio).await;
        // no poll is there
        io.volatile().emit("lost", ()).unwrap();
        io.emit("kept", ()).unwrap();
        assert_eq!(polling.poll().await, [r#"42["kept"]"#]);
        peer.expect(r#"42["lost"]"#).await;
        peer.expect(r#"42["kept"]"#).await;
        let mut poll = polling.poll_later().await;
        io.volatile().emit("in time", ()).unwrap();
        let answer = poll.read_response().await;
        assert_eq!(polling.packets(&answer), [r#"42["in time"]"#]);
        peer.expect(r#"42["in time"]"#).await;
        polling.post(["1"]).await;
        leave_nothing(&io, [peer]).await;
        assert_eq!(io.stats().engine.volatile_dropped, 1);
    }
}

/// An adapter that remembers how it was asked to broadcast.
#[derive(Debug)]
struct Recording(Arc<dyn Adapter>, Arc<Mutex<Vec<BroadcastOptions>>>);

impl Adapter for Recording {
    fn enter(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
    ) -> Result<Completion, EnterError> {
        self.0.enter(id, member, rooms, answer)
    }
    fn leave_all(&self, id: &SocketId) {
        self.0.leave_all(id);
    }
    fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError> {
        self.0.join(id, rooms)
    }
    fn leave(&self, id: &SocketId, room: &Room) -> Completion {
        self.0.leave(id, room)
    }
    fn socket_rooms(&self, id: &SocketId) -> Vec<Room> {
        self.0.socket_rooms(id)
    }
    fn broadcast(&self, packet: &Outgoing, options: &BroadcastOptions) -> Delivered {
        self.1.lock().unwrap().push(options.clone());
        self.0.broadcast(packet, options)
    }
    fn local_sockets(&self, rooms: &[Room], except: &[Room]) -> Vec<SocketId> {
        self.0.local_sockets(rooms, except)
    }
    fn local_rooms(&self) -> Vec<Room> {
        self.0.local_rooms()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn room_count(&self) -> usize {
        self.0.room_count()
    }
}

#[derive(Debug)]
struct RecordingFactory(Arc<Mutex<Vec<BroadcastOptions>>>);

impl AdapterFactory for RecordingFactory {
    fn create(&self, namespace: &str) -> Arc<dyn Adapter> {
        let local = LocalAdapterFactory::default().create(namespace);
        Arc::new(Recording(local, Arc::clone(&self.0)))
    }
    fn name(&self) -> &'static str {
        "recording"
    }
}

#[tokio::test(start_paused = true)]
async fn flag_local() {
    let asked = Arc::default();
    let io = Server::builder().adapter(RecordingFactory(Arc::clone(&asked))).build().unwrap();
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    io.local().emit("here", ()).unwrap();
    io.to("x").local().emit("there", ()).unwrap();
    io.emit("everywhere", ()).unwrap();
    peer.expect(r#"42["here"]"#).await;
    peer.expect(r#"42["everywhere"]"#).await;
    let local: Vec<bool> = asked.lock().unwrap().iter().map(|options| options.local).collect();
    assert_eq!(local, [true, true, false], "the flag is of one emission only");
    leave_nothing(&io, [peer]).await;
}

/// Modifiers are values: a kept operator does not change, and nothing leaks into other emissions.
#[tokio::test(start_paused = true)]
async fn operators_share_no_state() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let server = connector(&io);
    let mut ann = Peer::join(&server, Eio::V4).await;
    sockets.next().await.join("ann").await.unwrap();
    let mut bob = Peer::join(&server, Eio::V4).await;
    let to_ann = io.to("ann");
    io.emit("1", ()).unwrap();
    to_ann.emit("2", ()).unwrap();
    to_ann.clone().to("bob").emit("3", ()).unwrap();
    to_ann.emit("4", ()).unwrap();
    for packet in [r#"42["1"]"#, r#"42["2"]"#, r#"42["3"]"#, r#"42["4"]"#] {
        ann.expect(packet).await;
    }
    bob.expect(r#"42["1"]"#).await;
    bob.silence().await;
    leave_nothing(&io, [ann, bob]).await;
}

/// The namespace's own ack counter: from 0, shared by its sockets, not by namespaces.
#[tokio::test(start_paused = true)]
async fn ack_ids_are_counted_per_namespace() {
    for eio in BOTH {
        let io = Server::new();
        let (mut in_root, mut in_chat) = (arrivals(io.sockets()), arrivals(&io.of("/chat")));
        let server = connector(&io);
        let mut ann = Peer::join(&server, eio).await;
        ann.enter("/chat").await;
        let mut bob = Peer::join(&server, eio).await;
        let (ann_socket, bob_socket) = (in_root.next().await, in_root.next().await);
        let ann_in_chat = in_chat.next().await;
        ann_socket.emit_with_ack::<()>("a", ()).callback(drop);
        ann_in_chat.emit_with_ack::<()>("b", ()).callback(drop);
        bob_socket.emit_with_ack::<()>("c", ()).callback(drop);
        ann.expect(r#"420["a"]"#).await;
        ann.expect(r#"42/chat,0["b"]"#).await;
        bob.expect(r#"421["c"]"#).await;
        assert_eq!(io.stats().pending_acks, 3);
        leave_nothing(&io, [ann, bob]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn emit_works_from_any_thread() {
    for eio in BOTH {
        let io = Server::new();
        let mut peer = Peer::join(&connector(&io), eio).await;
        // a thread that the runtime does not know
        let emitting = io.clone();
        std::thread::spawn(move || emitting.emit("from outside", ())).join().unwrap().unwrap();
        peer.expect(r#"42["from outside"]"#).await;
        peer.ws.expect_silence(SECOND).await;
        drop(peer);
        nothing_left(&io).await;
    }
}
