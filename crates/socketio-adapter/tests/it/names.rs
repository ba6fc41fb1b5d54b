//! Names, and lists of names.

use std::collections::HashMap;

use socketio_adapter::{IntoRooms, Room, SocketId};

#[track_caller]
fn check(rooms: impl IntoRooms, expected: &[&str]) {
    assert_eq!(rooms.into_rooms(), expected);
}

#[test]
fn one_room_or_several() {
    let id = SocketId::from("id");
    let room = Room::from("room");
    let text = String::from("text");
    check("a", &["a"]);
    check(&text, &["text"]);
    check(text.clone(), &["text"]);
    check(&room, &["room"]);
    check(room.clone(), &["room"]);
    check(&id, &["id"]);
    check(id.clone(), &["id"]);

    check(["a", "b"], &["a", "b"]);
    check(&["a", "b"][..], &["a", "b"]);
    let texts = vec![text.clone()];
    check(&texts, &["text"]);
    check(texts, &["text"]);
    check([&text, &text], &["text", "text"]);
    let rooms = vec![room];
    check(&rooms, &["room"]);
    check(&rooms[..], &["room"]);
    check(rooms, &["room"]);
    let ids = [id];
    check(&ids, &["id"]);
    check(ids, &["id"]);
    check(Vec::<Room>::new(), &[]);
    check("", &[""]);
}

#[test]
fn names_are_text() {
    let id = SocketId::from("a\"b");
    assert_eq!(format!("{id} {id:>5} {id:?}"), "a\"b   a\"b SocketId(\"a\\\"b\")");
    assert_eq!(serde_json::to_string(&id).unwrap(), r#""a\"b""#);
    assert_eq!(serde_json::from_str::<SocketId>(r#""a\"b""#).unwrap(), id);
    assert_eq!(HashMap::from([(id, 1)]).get("a\"b"), Some(&1));
    let mut rooms = ["b", "", "a"].into_rooms();
    rooms.sort();
    assert_eq!(rooms, ["", "a", "b"]);
}
