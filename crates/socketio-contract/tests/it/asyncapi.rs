//! The AsyncAPI document.

use serde_json::{Value, json};

use crate::chat::chat;
use crate::places::notes_v2;

#[test]
fn channels_operations_and_messages() {
    let document: Value = serde_json::from_str(&notes_v2::contract().asyncapi()).unwrap();
    assert_eq!(document["asyncapi"], "3.0.0");
    let info = json!({ "title": "notes_v2", "version": "2.0.0",
        "description": "The second, whose event has one argument more." });
    assert_eq!(document["info"], info);
    let channel = &document["channels"]["notes_v2"];
    assert_eq!(channel["address"], "/notes/v2");
    let operation = &document["operations"]["receive.note"];
    assert_eq!(operation["action"], "receive");
    let reply = json!([{ "$ref": "#/channels/notes_v2/messages/receive.note.ack" }]);
    assert_eq!(operation["reply"]["messages"], reply);
    assert_eq!(document["operations"]["send.cleared"]["action"], "send");
    let payload = &document["components"]["messages"]["receive.note"]["payload"];
    let items =
        json!([{ "type": "string", "title": "text" }, { "type": "boolean", "title": "is_public" }]);
    assert_eq!(payload["items"], items);
    assert_eq!(payload["additionalItems"], false);
}

#[test]
fn an_invalid_event_is_an_answer_of_the_server() {
    let document: Value = serde_json::from_str(&chat::contract().asyncapi()).unwrap();
    let error = &document["components"]["messages"]["receive.add_user.ack"]["payload"]["items"][0]
        ["oneOf"][1]["properties"]["error"]["anyOf"];
    let either = json!([{ "$ref": "#/components/schemas/NameError" },
        { "$ref": "#/components/schemas/InvalidEvent" }]);
    assert_eq!(*error, either);
}

#[test]
fn the_same_contract_is_the_same_text() {
    assert_eq!(chat::contract().asyncapi(), chat::contract().asyncapi());
}
