//! Who watches a server is told what happens, and holds nothing up.

use std::sync::{Arc, OnceLock};

use socketio::adapter::{Room, SocketId};
use socketio::events::DisconnectReason;
use socketio::observe::{ObservedEvent, Observer, Receivers};
use socketio::{Data, Reply, Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, connector, leave_nothing, nothing_left};

/// Notes down all that it is told; ids of sockets as `me`.
#[derive(Clone, Default)]
struct Notes(Log, Arc<OnceLock<SocketId>>);

impl Notes {
    fn name<'a>(&self, name: &'a str) -> &'a str {
        if self.1.get().is_some_and(|me| me.as_str() == name) { "me" } else { name }
    }

    fn in_room(&self, what: &str, namespace: &str, id: &SocketId, room: &Room) {
        let _ = self.1.set(id.clone());
        let (id, room) = (self.name(id.as_str()), self.name(room.as_str()));
        self.0.add(format!("{id} {what} {namespace} {room}"));
    }
}

impl Observer for Notes {
    fn connected(&self, socket: &Socket) {
        assert!(socket.is_connected());
        self.0.add(format!("connected {}", self.name(socket.id().as_str())));
    }

    fn disconnected(&self, socket: &Socket, reason: DisconnectReason) {
        let id = self.name(socket.id().as_str());
        self.0.add(format!("disconnected {id}: {}", reason.as_str()));
    }

    fn joined(&self, namespace: &str, id: &SocketId, room: &Room) {
        self.in_room("joined", namespace, id, room);
    }

    fn left(&self, namespace: &str, id: &SocketId, room: &Room) {
        self.in_room("left", namespace, id, room);
    }

    fn room_opened(&self, namespace: &str, room: &Room) {
        if room.as_str().len() < 5 {
            self.0.add(format!("opened {namespace} {room}"));
        }
    }

    fn room_closed(&self, namespace: &str, room: &Room) {
        if room.as_str().len() < 5 {
            self.0.add(format!("closed {namespace} {room}"));
        }
    }

    fn event_in(&self, socket: &Socket, event: &ObservedEvent<'_>) {
        let id = self.name(socket.id().as_str());
        self.0.add(format!("in {id} {} {:?}", event.name(), event.values()));
    }

    fn event_out(&self, to: &Receivers<'_>, event: &ObservedEvent<'_>) {
        let to = match to {
            Receivers::One(socket) => self.name(socket.id().as_str()).to_owned(),
            Receivers::Many { namespace, rooms, except, sender, local, .. } => {
                let sender = sender.map(|id| self.name(id.as_str()));
                format!("{} {rooms:?} {except:?} {sender:?} {local}", namespace.name())
            }
            other => format!("{other:?}"),
        };
        self.0.add(format!("out {to}: {} {:?}", event.name(), event.values()));
    }
}

/// All of one socket, in order.
#[tokio::test(start_paused = true)]
async fn observers_are_told_what_happens() {
    for eio in BOTH {
        let notes = Notes::default();
        let io = Server::builder().observer(notes.clone()).build().unwrap();
        io.use_fn(async |socket: Socket| {
            _ = socket.join("soon");
            Ok::<_, &str>(())
        });
        io.on_connection(|socket: Socket| {
            socket.emit("hi", (1, "a")).unwrap();
            _ = socket.join(["r", "r"]);
            socket.on("e", |Data(n): Data<u32>| Reply(n));
        });
        let peer = Peer::join(&connector(&io), eio).await;
        assert_eq!(
            notes.0.take().await,
            [
                "me joined / me",
                "opened / soon",
                "me joined / soon",
                "connected me",
                "out me: hi [Int(1), String(\"a\")]",
                "opened / r",
                "me joined / r",
            ]
        );
        let mut peer = peer;
        peer.expect(r#"42["hi",1,"a"]"#).await;
        peer.send(r#"421["e",7]"#).await;
        assert_eq!(notes.0.take().await, ["in me e [Int(7)]"]);
        let socket = io.sockets().connected().iter().next().unwrap();
        io.to("r").except("x").local().emit("all", ()).unwrap();
        socket.broadcast().send("others").unwrap();
        socket.volatile().emit("now", ()).unwrap();
        socket.emit_with_ack::<()>("ask", ()).callback(drop);
        _ = socket.leave("soon");
        io.sockets().sockets_join("s").await.unwrap();
        io.sockets().sockets_leave(["s", "none"]).await.unwrap();
        assert_eq!(
            notes.0.take().await,
            [
                r#"out / [Room("r")] [Room("x")] None true: all []"#,
                r#"out / [] [] Some("me") false: message [String("others")]"#,
                "out me: now []",
                "out me: ask []",
                "me left / soon",
                "closed / soon",
                "opened / s",
                "me joined / s",
                "me left / s",
                "closed / s",
            ]
        );
        drop(socket);
        leave_nothing(&io, [peer]).await;
        assert_eq!(
            notes.0.take().await,
            ["me left / me", "me left / r", "closed / r", "disconnected me: transport close"]
        );
    }
}

/// A socket that the server disconnects, one that middleware refuses, and those that are there when
/// the server closes.
#[tokio::test(start_paused = true)]
async fn observers_are_told_of_all_ends() {
    let notes = Notes::default();
    let io = Server::builder().observer(notes.clone()).build().unwrap();
    io.of("/no").use_fn(async |_: Socket| Err("no"));
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    peer.send("40/no,").await;
    assert_eq!(notes.0.take().await, ["me joined / me", "connected me"]);
    io.sockets().connected().iter().for_each(|socket| socket.disconnect(false));
    assert_eq!(
        notes.0.take().await,
        ["me left / me", "disconnected me: server namespace disconnect"]
    );
    drop(peer);
    let notes = Notes::default();
    let io = Server::builder().observer(notes.clone()).build().unwrap();
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    assert_eq!(notes.0.take().await, ["me joined / me", "connected me"]);
    let closing = io.close();
    drop(peer);
    closing.await;
    assert_eq!(notes.0.take().await, ["disconnected me: server shutting down", "me left / me"]);
}

/// Panics whenever it is told something.
struct Explosive;

impl Observer for Explosive {
    fn connected(&self, _: &Socket) {
        panic!("of an observer");
    }
    fn disconnected(&self, _: &Socket, _: DisconnectReason) {
        panic!("of an observer");
    }
    fn joined(&self, _: &str, _: &SocketId, _: &Room) {
        panic!("of an observer");
    }
    fn left(&self, _: &str, _: &SocketId, _: &Room) {
        panic!("of an observer");
    }
    fn room_opened(&self, _: &str, _: &Room) {
        panic!("of an observer");
    }
    fn room_closed(&self, _: &str, _: &Room) {
        panic!("of an observer");
    }
    fn event_in(&self, _: &Socket, _: &ObservedEvent<'_>) {
        panic!("of an observer");
    }
    fn event_out(&self, _: &Receivers<'_>, _: &ObservedEvent<'_>) {
        panic!("of an observer");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_observer_concerns_nobody() {
    for eio in BOTH {
        let notes = Notes::default();
        let io = Server::builder().observer(Explosive).observer(notes.clone()).build().unwrap();
        io.on_connection(|socket: Socket| {
            _ = socket.join("r");
            socket.on("e", |socket: Socket, Data(n): Data<u32>| socket.emit("r", n));
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.send(r#"42["e",7]"#).await;
        peer.expect(r#"42["r",7]"#).await;
        leave_nothing(&io, [peer]).await;
        assert_eq!(notes.0.take().await.len(), 10, "the next one is told");
        assert_eq!(io.stats().handler_panics, 0);
    }
}

/// Calls the library from wherever it is called.
#[derive(Clone, Default)]
struct Busy(Arc<OnceLock<Server>>);

impl Busy {
    fn act(&self) {
        let Some(io) = self.0.get() else { return };
        let stats = io.stats();
        for socket in io.sockets().connected() {
            let _ = socket.rooms();
            if stats.rooms < 5 {
                _ = socket.join(format!("room {}", stats.rooms));
                socket.emit("told", ()).unwrap_or_default();
                io.to("room 1").emit("told", ()).unwrap();
            }
        }
    }
}

impl Observer for Busy {
    fn connected(&self, _: &Socket) {
        self.act();
    }
    fn disconnected(&self, _: &Socket, _: DisconnectReason) {
        self.act();
    }
    fn joined(&self, _: &str, _: &SocketId, _: &Room) {
        self.act();
    }
    fn left(&self, _: &str, _: &SocketId, _: &Room) {
        self.act();
    }
    fn event_in(&self, _: &Socket, _: &ObservedEvent<'_>) {
        self.act();
    }
}

/// No lock of the library is held: what an observer does is told, too.
#[tokio::test(start_paused = true)]
async fn observers_may_call_the_library() {
    let busy = Busy::default();
    let io = Server::builder().observer(busy.clone()).build().unwrap();
    assert!(busy.0.set(io.clone()).is_ok());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    peer.send(r#"42["e"]"#).await;
    testkit::settle().await;
    assert_eq!(io.stats().rooms, 5);
    drop(peer);
    nothing_left(&io).await;
}
