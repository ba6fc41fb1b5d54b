//! Receipts of clients, by the pongs of the connection below.

use std::time::Duration;

use socketio::Server;
use socketio::emit::ReceiptError;
use testkit::Eio;

use crate::support::{Peer, SECOND, arrivals, connector, leave_nothing};

#[tokio::test(start_paused = true)]
async fn what_was_emitted_and_broadcast_was_received() {
    let io = Server::new();
    let mut sockets = arrivals(&io.of("/chat"));
    let mut peer = Peer::join_namespace(&connector(&io), Eio::V4, "/chat").await;
    let socket = sockets.next().await;
    socket.emit("to", "you").unwrap();
    io.of("/chat").emit("to", "all").unwrap();
    let waiting = tokio::spawn({
        let socket = socket.clone();
        async move { socket.received().await }
    });
    for packet in [r#"42/chat,["to","you"]"#, r#"42/chat,["to","all"]"#] {
        peer.expect(packet).await;
    }
    peer.ws.expect_text("2").await;
    let receipt = socket.receipt();
    peer.ws.expect_silence(SECOND).await;
    assert!(!waiting.is_finished() && !receipt.is_done());
    peer.ws.send_text("3").await;
    assert_eq!(waiting.await.unwrap().unwrap().dropped, 0);
    peer.ws.expect_text("2").await;
    // its namespace is left, its connection is not: what was sent before may still be taken
    socket.disconnect(false);
    peer.expect("41/chat,").await;
    peer.ws.send_text("3").await;
    receipt.await.unwrap();
    leave_nothing(&io, [peer]).await;
    assert_eq!(socket.received().await, Err(ReceiptError::Gone));
}

/// Also if the handlers of the end ask, and if nobody awaits.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_connection() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    let (sender, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    let ends = sender.clone();
    socket.on_disconnect(async move |socket: socketio::Socket| {
        let _ = ends.send(socket.received().await);
    });
    let receipt = socket.receipt();
    tokio::spawn(async move { sender.send(receipt.await) });
    tokio::time::sleep(Duration::from_millis(10)).await;
    leave_nothing(&io, [peer]).await;
    for _ in 0..2 {
        assert_eq!(outcomes.recv().await, Some(Err(ReceiptError::Gone)));
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_engine_io_3_are_refused_at_once() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V3).await;
    let socket = sockets.next().await;
    assert!(socket.receipt().is_done());
    assert_eq!(socket.received().await, Err(ReceiptError::Unsupported));
    peer.ws.expect_silence(SECOND).await;
    leave_nothing(&io, [peer]).await;
}
