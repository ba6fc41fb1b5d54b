//! The chat without a port and without a page.

use serde_json::{Value, json};
use socketio_testkit::{Client, Connector, Eio};

use super::{USUAL, chat, server};

#[test]
fn pages_in_typescript_have_the_types() {
    chat::contract().check_typescript("page/chat.ts");
}

/// The next event of that name; others are of no interest.
async fn hear(client: &mut Client, name: &str) -> Value {
    loop {
        let event = client.next_event().await;
        if event.name == name {
            // clients of today get an offset behind it, by which they come back to their session
            return event.args.first().cloned().unwrap_or_default();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn old_and_new_clients_talk() {
    let server = Connector::of(&server(&USUAL).expect("options that make sense"));
    for (here, there) in [(Eio::V3, Eio::V4), (Eio::V4, Eio::V3)] {
        let connect = async |eio| Client::builder().protocol(eio).connect(&server).await;
        let mut ann = connect(here).await.expect("nobody refuses");
        let mut bob = connect(there).await.expect("nobody refuses");

        let seat = |nickname: &str| json!([{"nickname": nickname, "room": "tea"}]);
        let joined: Value = ann.emit_with_ack_as("join", seat("ann")).await;
        assert_eq!(joined["value"]["members"], json!(["ann"]));
        let taken: Value = bob.emit_with_ack_as("join", seat("Ann")).await;
        assert_eq!(taken["error"], "Ann is in tea already: choose another nickname.");
        let joined: Value = bob.emit_with_ack_as("join", seat("bob")).await;
        assert_eq!(joined["value"]["members"], json!(["ann", "bob"]));
        assert_eq!(hear(&mut ann, "joined").await["nickname"], "bob");

        bob.emit("typing", json!([true])).await;
        assert_eq!(hear(&mut ann, "typing").await, json!({"nickname": "bob", "typing": true}));
        let sent: Value = bob.emit_with_ack_as("message", json!([" hello "])).await;
        assert_eq!(sent["ok"], true);
        let message = hear(&mut ann, "message").await;
        assert_eq!((&message["from"], &message["text"]), (&json!("bob"), &json!("hello")));

        drop(bob);
        assert_eq!(hear(&mut ann, "left").await["members"], json!(["ann"]));
    }
}
