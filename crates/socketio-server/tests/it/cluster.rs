//! What is asked and told across a cluster, on a server that is alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socketio::adapter::{AdapterError, AdapterFactory, LocalAdapterFactory, ServerEvent, SocketId};
use socketio::emit::EmitError;
use socketio::{Server, Socket, Value};
use testkit::Eio;

use crate::support::{BOTH, Peer, arrivals, connector, leave_nothing};

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

/// The rooms of each but its own.
fn rooms(sockets: &[Socket; 3]) -> [Vec<String>; 3] {
    sockets
        .each_ref()
        .map(|socket| socket.rooms().iter().skip(1).map(|room| room.to_string()).collect())
}

#[tokio::test(start_paused = true)]
async fn fetch_sockets() {
    for eio in BOTH {
        let io = Server::new();
        let (peers, sockets) = three(&io, eio).await;
        sockets[1].set_data(&("ann", 7)).unwrap();
        let ids = |of: &[usize]| of.iter().map(|i| sockets[*i].id().clone()).collect::<Vec<_>>();
        let all = io.fetch_sockets().await.unwrap();
        assert_eq!((all.answered, all.is_complete()), (1, true));
        let found: Vec<SocketId> = all.items.iter().map(|socket| socket.id().clone()).collect();
        assert_eq!(found, ids(&[0, 1, 2]));
        let second = &all.items[1];
        assert_eq!(second.rooms(), sockets[1].rooms());
        assert_eq!(second.data::<(String, u32)>(), Some(("ann".to_owned(), 7)));
        assert_eq!(second.data::<u32>(), None);
        for key in ["headers", "time", "address", "xdomain", "secure", "issued", "url", "auth"] {
            assert!(second.handshake().get(key).is_some(), "{key} is missing");
        }
        let query = second.handshake().get("query").unwrap();
        assert_eq!(query.get("transport").and_then(Value::as_str), Some("websocket"));

        let nsp = io.sockets();
        for (operator, expected) in [
            (nsp.in_room("a"), ids(&[1, 2])),
            (nsp.to(["a", "b"]).local(), ids(&[1, 2])),
            (nsp.except("b"), ids(&[0, 1])),
            (nsp.in_room("unknown"), ids(&[])),
            (sockets[1].to("a"), ids(&[2])),
            (sockets[0].broadcast(), ids(&[1, 2])),
        ] {
            let fetched = operator.fetch_sockets().await.unwrap();
            let found: Vec<SocketId> = fetched.items.iter().map(|s| s.id().clone()).collect();
            assert_eq!(found, expected);
            assert_eq!(operator.clients().await.unwrap().items, expected);
        }
        leave_nothing(&io, peers).await;
    }
}

#[tokio::test(start_paused = true)]
async fn sockets_join_and_leave() {
    let io = Server::new();
    let (peers, sockets) = three(&io, Eio::V4).await;
    io.sockets_join("all").await.unwrap();
    // the effect is there at once
    _ = io.to("a").sockets_join(["x", "y"]);
    _ = io.except("b").local().sockets_join("not-b");
    _ = sockets[0].broadcast().sockets_join("others");
    assert_eq!(
        rooms(&sockets),
        [
            vec!["all", "not-b"],
            vec!["a", "all", "x", "y", "not-b", "others"],
            vec!["a", "b", "all", "x", "y", "others"],
        ]
    );
    io.sockets_leave(["all", "x"]).await.unwrap();
    _ = io.in_room("y").except("b").sockets_leave("y");
    assert_eq!(
        rooms(&sockets),
        [vec!["not-b"], vec!["a", "not-b", "others"], vec!["a", "b", "y", "others"],]
    );
    leave_nothing(&io, peers).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_join_is_told() {
    let adapter = LocalAdapterFactory::default().max_rooms_per_socket(2);
    let io = Server::builder().adapter(adapter).build().unwrap();
    let (peers, _) = three(&io, Eio::V4).await;
    let refused = io.in_room("b").sockets_join("c").await;
    assert!(matches!(refused, Err(AdapterError::Join(_))), "{refused:?}");
    io.except("b").sockets_join("c").await.unwrap();
    leave_nothing(&io, peers).await;
}

#[tokio::test(start_paused = true)]
async fn disconnect_sockets() {
    for eio in BOTH {
        let io = Server::new();
        let (mut peers, sockets) = three(&io, eio).await;
        io.except("b").in_room("a").disconnect_sockets(false).await.unwrap();
        peers[1].expect("41").await;
        assert!(sockets[0].is_connected() && !sockets[1].is_connected());
        io.disconnect_sockets(true).await.unwrap();
        for peer in [0, 2] {
            peers[peer].expect("41").await;
        }
        assert!(io.clients().await.unwrap().items.is_empty());
        leave_nothing(&io, peers).await;
    }
}

/// By its id; what is on no node is no error of a server that is alone.
#[tokio::test(start_paused = true)]
async fn one_socket_by_its_id() {
    let io = Server::new();
    let (peers, sockets) = three(&io, Eio::V4).await;
    let (nsp, id) = (io.sockets(), sockets[0].id());
    nsp.remote_join(id, ["x", "y"]).await.unwrap();
    nsp.remote_leave(id, "y").await.unwrap();
    assert_eq!(nsp.client_rooms(id).await.unwrap(), [id.as_str(), "x"]);
    let nobody = SocketId::from("nobody");
    nsp.remote_join(&nobody, "x").await.unwrap();
    nsp.remote_leave(&nobody, "x").await.unwrap();
    nsp.remote_disconnect(&nobody, true).await.unwrap();
    assert!(matches!(nsp.client_rooms(&nobody).await, Err(AdapterError::Timeout)));
    let found = nsp.in_room("b").fetch_sockets().await.unwrap().items.remove(0);
    found.join("z").await.unwrap();
    found.leave("a").await.unwrap();
    assert_eq!(rooms(&sockets), [vec!["x"], vec!["a"], vec!["b", "z"]]);
    let mut all = nsp.all_rooms().await.unwrap().items;
    all.sort();
    let mut expected: Vec<&str> = sockets.iter().map(|socket| socket.id().as_str()).collect();
    expected.extend(["a", "b", "x", "z"]);
    expected.sort_unstable();
    assert_eq!(all, expected);
    found.disconnect(false).await.unwrap();
    assert!(!sockets[2].is_connected());
    leave_nothing(&io, peers).await;
}

#[tokio::test(start_paused = true)]
async fn a_remote_socket_is_emitted_to() {
    let io = Server::new();
    let (mut peers, _) = three(&io, Eio::V4).await;
    let found = io.in_room("b").fetch_sockets().await.unwrap().items.remove(0);
    found.emit("hello", 1).unwrap();
    peers[2].expect(r#"42["hello",1]"#).await;
    peers[1].silence().await;
    leave_nothing(&io, peers).await;
}

/// There are no other servers: nobody hears, nobody is waited for.
#[tokio::test(start_paused = true)]
async fn server_side_emit() {
    let io = Server::new();
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    io.on_server_event("e", async move |_: ServerEvent| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    io.server_side_emit("e", 1).await.unwrap();
    let answers = io.server_side_emit_with_ack::<u32>("e", ()).await.unwrap();
    assert_eq!((answers.items.len(), answers.answered, answers.is_complete()), (0, 0, true));
    assert_eq!(heard.load(Ordering::Relaxed), 0);
    for name in ["connect", "connection", "new_namespace"] {
        let Err(AdapterError::Backend(error)) = io.server_side_emit(name, ()).await else {
            panic!("{name} is reserved");
        };
        let error = error.downcast::<EmitError>().unwrap();
        assert!(matches!(*error, EmitError::Reserved(reserved) if reserved == name));
    }
}

#[tokio::test(start_paused = true)]
async fn custom_request() {
    let io = Server::new();
    let nsp = io.sockets();
    assert_eq!(nsp.custom_request("who").await.unwrap().items, [Value::Null]);
    nsp.on_custom_request(async |data: Value| match data.as_str() {
        Some("silent") => None,
        Some("slow") => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some(1.into())
        }
        _ => Some(data),
    });
    assert_eq!(nsp.custom_request("who").await.unwrap().items, [Value::from("who")]);
    assert_eq!(nsp.custom_request("slow").await.unwrap().items, [Value::from(1)]);
    assert_eq!(nsp.custom_request("silent").await.unwrap().items, []);
}

/// A panic of a listener ends nothing but itself.
#[tokio::test(start_paused = true)]
async fn a_panic_in_an_answer() {
    let io = Server::new();
    io.sockets().on_custom_request(async |_: Value| panic!("on purpose"));
    assert_eq!(io.sockets().custom_request(1).await.unwrap().items, []);
    assert_eq!(io.adapter().name(), LocalAdapterFactory::default().name());
}
