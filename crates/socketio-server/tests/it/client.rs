//! The class `Client`.

use socketio::Server;
use testkit::Eio;

use crate::support::{BOTH, Peer, arrivals, connector, leave_nothing};

#[tokio::test(start_paused = true)]
async fn client_conn() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(&io.of("/chat"));
        let peer = Peer::join_namespace(&connector(&io), eio, "/chat").await;
        let client = sockets.next().await.client().clone();
        assert_eq!(client.conn().id(), peer.sid);
        assert!(client.conn().is_open());
        leave_nothing(&io, [peer]).await;
        assert!(!client.conn().is_open(), "the handle outlives the connection");
    }
}

#[tokio::test(start_paused = true)]
async fn client_request() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let server = connector(&io).with_header("User-Agent", "tests");
        let peer = Peer::join(&server, eio).await;
        let socket = sockets.next().await;
        let request = socket.client().request();
        assert_eq!(request.header("user-agent"), Some("tests"));
        assert_eq!(request.uri(), server.target(eio, "websocket", ""));
        assert_eq!(request.path(), "/socket.io/");
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn client_sockets() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(&io.of("/a"));
        _ = (io.of("/b"), io.of("/c"));
        let mut peer = Peer::join_namespace(&connector(&io), eio, "/a").await;
        let client = sockets.next().await.client().clone();
        peer.enter("/c").await;
        peer.enter("/b").await;
        let names = || {
            let sockets = client.sockets();
            sockets.iter().map(|s| s.namespace().name().to_owned()).collect::<Vec<_>>()
        };
        // in order of joining
        let expected: &[&str] =
            if eio == Eio::V3 { &["/", "/a", "/c", "/b"] } else { &["/a", "/c", "/b"] };
        assert_eq!(names(), expected);
        assert_eq!(client.socket("/b").unwrap().id(), &*peer.id);
        assert!(client.socket("/d").is_none());
        peer.send("41/c,").await;
        testkit::settle().await;
        assert!(client.socket("/c").is_none());
        leave_nothing(&io, [peer]).await;
        assert_eq!(names(), [""; 0]);
    }
}
