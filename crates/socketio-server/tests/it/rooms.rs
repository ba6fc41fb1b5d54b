//! Rooms, as a socket sees them.

use std::error::Error as _;

use socketio::adapter::{AdapterError, Room};
use socketio::observe::Limit;
use socketio::{Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing, nothing_left};

#[tokio::test(start_paused = true)]
async fn socket_rooms() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(&io.of("/chat"));
        let peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        let socket = sockets.next().await;
        // its own, from the beginning
        assert_eq!(socket.rooms(), [peer.id.as_str()]);
        _ = socket.join("b");
        _ = socket.join("a");
        assert_eq!(socket.rooms(), [peer.id.as_str(), "b", "a"]);
        leave_nothing(&io, [peer]).await;
        assert_eq!(socket.rooms(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn socket_join() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        let mut other = Peer::join(&server, eio).await;
        let socket = sockets.next().await;
        // there at once, awaited or not; again does not matter
        socket.join("room 237").await.unwrap();
        _ = socket.join("room 237");
        _ = socket.join("");
        assert_eq!(socket.rooms(), [peer.id.as_str(), "room 237", ""]);
        assert_eq!(io.stats().rooms, 2);
        io.to("room 237").emit("a new user", ()).unwrap();
        io.to("").emit("unnamed", ()).unwrap();
        peer.expect(r#"42["a new user"]"#).await;
        peer.expect(r#"42["unnamed"]"#).await;
        peer.silence().await;
        other.silence().await;
        leave_nothing(&io, [peer, other]).await;
        // not any more
        socket.join("too late").await.unwrap();
        assert_eq!(socket.rooms(), [""; 0]);
        nothing_left(&io).await;
    }
}

#[tokio::test(start_paused = true)]
async fn socket_join_rooms() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        socket.join(["a", "b", "a"]).await.unwrap();
        socket.join(vec![format!("user:{}", 7)]).await.unwrap();
        socket.join(&[Room::from("c")]).await.unwrap();
        socket.join([""; 0]).await.unwrap();
        assert_eq!(socket.rooms(), [peer.id.as_str(), "a", "b", "user:7", "c"]);
        io.to(["a", "c"]).emit("once", ()).unwrap();
        peer.expect(r#"42["once"]"#).await;
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
    }
}

/// Too many at once: none is joined, and awaiting tells.
#[tokio::test(start_paused = true)]
async fn rooms_are_limited() {
    let io = Server::builder().limits(|limits| limits.max_rooms = 3).build().unwrap();
    let mut sockets = arrivals(io.sockets());
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    socket.join(["a", "b"]).await.unwrap();
    let error = socket.join(["c", "d"]).await.unwrap_err();
    assert!(matches!(error, AdapterError::Join(_)));
    socket.join("c").await.unwrap();
    assert_eq!(socket.rooms(), [peer.id.as_str(), "a", "b", "c"]);
    leave_nothing(&io, [peer]).await;
}

/// A name that is too long is refused in every way of joining, and each time counted.
#[tokio::test(start_paused = true)]
async fn names_of_rooms_are_limited() {
    let io = Server::builder().limits(|limits| limits.max_room_len = 5).build().unwrap();
    let early = Log::default();
    let log = early.clone();
    io.use_fn(async move |socket: Socket| {
        log.add(format!("{:?}", socket.join(["early", "earlier"]).await));
        log.add(format!("{:?}", socket.join("early").await));
        Ok::<_, &str>(())
    });
    let mut sockets = arrivals(io.sockets());
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    let refused = |joined: Result<(), AdapterError>| {
        let error = joined.unwrap_err();
        let cause = error.source().expect("the adapter says why");
        assert_eq!(cause.to_string(), "a room's name has 5 bytes at most");
    };
    assert_eq!(early.take().await, ["Err(Join(RoomTooLong { limit: 5 }))", "Ok(())"]);
    // bytes count, not characters
    refused(socket.join("ééé").await);
    refused(socket.join(["a", "123456"]).await);
    refused(io.sockets_join("123456").await);
    refused(io.to("early").sockets_join(["b", "123456"]).await);
    refused(io.sockets().remote_join(socket.id(), "123456").await);
    refused(io.fetch_sockets().await.unwrap().items[0].join("123456").await);
    assert_eq!(io.stats().limits.get(Limit::RoomLen), 7);
    socket.join(["12345", "éé"]).await.unwrap();
    assert_eq!(socket.rooms(), [peer.id.as_str(), "early", "12345", "éé"]);
    // and what nobody joins is no matter
    io.to("123456").emit("nobody", ()).unwrap();
    assert_eq!(io.stats().limits.get(Limit::Rooms), 0);
    leave_nothing(&io, [peer]).await;
}

#[tokio::test(start_paused = true)]
async fn socket_leave() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        socket.join(["a", "b", "c", "d"]).await.unwrap();
        socket.leave("b").await.unwrap();
        socket.leave("never joined").await.unwrap();
        _ = socket.leave(["c", "d"]);
        assert_eq!(socket.rooms(), [peer.id.as_str(), "a"]);
        io.to(["b", "c", "d"]).emit("no", ()).unwrap();
        io.to("a").emit("yes", ()).unwrap();
        peer.expect(r#"42["yes"]"#).await;
        // its own can be left, and joined again
        socket.leave(socket.id()).await.unwrap();
        assert_eq!(socket.rooms(), ["a"]);
        io.to(socket.id()).emit("no", ()).unwrap();
        socket.join(socket.id()).await.unwrap();
        io.to(socket.id()).emit("own", ()).unwrap();
        peer.expect(r#"42["own"]"#).await;
        leave_nothing(&io, [peer]).await;
    }
}

/// Rooms of the same name in two namespaces are two rooms.
#[tokio::test(start_paused = true)]
async fn rooms_belong_to_their_namespace() {
    for eio in BOTH {
        let io = Server::new();
        let (mut in_root, mut in_chat) = (arrivals(io.sockets()), arrivals(&io.of("/chat")));
        let mut peer = Peer::join(&connector(&io), eio).await;
        peer.enter("/chat").await;
        let (root, chat) = (in_root.next().await, in_chat.next().await);
        root.join("room").await.unwrap();
        io.of("/chat").to("room").emit("no", ()).unwrap();
        io.to("room").emit("yes", ()).unwrap();
        peer.expect(r#"42["yes"]"#).await;
        peer.silence().await;
        assert_eq!(chat.rooms().len(), 1);
        leave_nothing(&io, [peer]).await;
    }
}

/// However a socket is joined: by itself, with others, by its id, and by middleware.
#[tokio::test(start_paused = true)]
async fn the_bound_of_rooms_counts_in_every_way_of_joining() {
    for eio in BOTH {
        let io = Server::builder().limits(|limits| limits.max_rooms = 1).build().unwrap();
        io.of("/early").use_fn(async |socket: Socket| {
            socket.join("a").await.unwrap();
            // in it already
            socket.join("a").await.unwrap();
            socket.join(["a", "b"]).await.unwrap_err();
            Ok::<_, String>(())
        });
        let (mut sockets, mut early) = (arrivals(io.sockets()), arrivals(&io.of("/early")));
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        let counted = || io.stats().limits.get(Limit::Rooms);
        socket.join("a").await.unwrap();
        socket.join("b").await.unwrap_err();
        assert_eq!(counted(), 1);
        io.sockets_join("b").await.unwrap_err();
        assert_eq!(counted(), 2);
        io.in_room("a").sockets_join(["a", "b"]).await.unwrap_err();
        assert_eq!(counted(), 3);
        io.sockets().remote_join(socket.id(), "b").await.unwrap_err();
        assert_eq!(counted(), 4);
        let found = io.fetch_sockets().await.unwrap();
        found.items[0].join("b").await.unwrap_err();
        assert_eq!(counted(), 5);
        io.sockets_join("a").await.unwrap();
        assert_eq!(socket.rooms().len(), 2);
        peer.enter("/early").await;
        assert_eq!(early.next().await.rooms().len(), 2);
        assert_eq!(counted(), 6);
        leave_nothing(&io, [peer]).await;
    }
}
