//! Events of clients and to them, frame by frame where that matters.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use socketio::{Server, Socket};
use socketio_testkit::{Client, Connector};

use socketio_contract::Refused;

use crate::chat::{Lobby, NameError, Welcome, chat};

/// A server without a port, and how clients reach it.
pub(crate) fn connector(io: &Server) -> Connector {
    let io = io.clone();
    Connector::new(move |stream| {
        let io = io.clone();
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        tokio::spawn(async move { io.serve_connection(stream, peer).await });
    })
}

#[tokio::test(start_paused = true)]
async fn events_run_their_methods() {
    let io = Server::new();
    let served = chat::serve(&io, Lobby);
    io.on_connection(async |socket: Socket| socket.join("lobby").await);
    let server = connector(&io);
    let (mut ann, mut bob) = (Client::connect(&server).await, Client::connect(&server).await);
    ann.emit("chat message", json!(["hi"])).await;
    let heard = bob.next_event().await;
    assert_eq!(
        (heard.name.as_str(), heard.args),
        ("chat message", vec![json!(ann.id()), json!("hi")])
    );
    let answer = ann.emit_with_ack("add user", json!(["ann"])).await;
    assert_eq!(answer, [json!({ "ok": true, "value": { "name": "ann", "others": 0 } })]);
    let answer = ann.emit_with_ack("add user", json!(["x".repeat(41)])).await;
    assert_eq!(answer, [json!({ "ok": false, "error": { "code": "too_long" } })]);
    assert!(served.invalid_events().all(|(_, count)| count == 0));
}

#[cfg(feature = "testkit")]
#[tokio::test(start_paused = true)]
async fn a_client_of_the_contract() {
    let io = Server::new();
    let _ = chat::serve(&io, Lobby);
    let (sender, mut moods) = tokio::sync::mpsc::unbounded_channel();
    io.on_connection(async move |socket: Socket| {
        let _ = socket.join("lobby").await;
        drop(sender.send(chat::to(&socket).mood().timeout(Duration::from_secs(1)).await));
    });
    let server = connector(&io);
    let mut ann = chat::client(Client::connect(&server).await);
    ann.hears().mood("fine".to_owned()).await;
    assert_eq!(moods.recv().await.expect("an answer").expect("in time"), "fine");
    let mut bob = chat::client(Client::connect(&server).await);
    bob.hears().mood("not so".to_owned()).await;
    ann.chat_message("hi".to_owned()).await;
    let (from, text) = bob.hears().chat_message().await;
    assert_eq!((&*from, &*text), (ann.raw().id(), "hi"));
    let welcome = ann.add_user("ann".to_owned()).await;
    assert_eq!(welcome, Ok(Welcome { name: "ann".to_owned(), others: 0 }));
    let refused = ann.add_user("x".repeat(41)).await;
    assert_eq!(refused, Err(Refused::Error(NameError::TooLong)));
}
