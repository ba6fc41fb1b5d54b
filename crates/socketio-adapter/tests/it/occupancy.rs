//! Who is where on this node, and the texts that users read.

use std::error::Error;
use std::sync::Arc;

use engineio_proto::{Outgoing, PacketType};
use socketio_adapter::{
    AckCount, Adapter, AdapterError, Answers, Completion, Delivery, EnterError, IntoRooms,
    JoinError, LocalAdapter, Member,
};

struct Nobody;

impl Member for Nobody {
    fn deliver(&self, _packet: &Outgoing) -> Delivery {
        Delivery::Closed
    }
}

fn adapter() -> LocalAdapter {
    let adapter = LocalAdapter::new(10);
    for (id, rooms) in [("a", &["x", "y"][..]), ("b", &["x"]), ("c", &[])] {
        let answer = Outgoing::packet(PacketType::Message, "");
        let rooms = rooms.into_rooms();
        drop(adapter.enter(&id.into(), Arc::new(Nobody), &rooms, &answer).unwrap());
    }
    adapter
}

fn rooms(adapter: &LocalAdapter) -> Vec<String> {
    let mut rooms: Vec<_> = adapter.local_rooms().iter().map(ToString::to_string).collect();
    rooms.sort();
    rooms
}

#[test]
fn sockets_are_known_by_their_ids() {
    let adapter = adapter();
    assert!(adapter.contains("a"));
    assert!(!adapter.contains("x") && !adapter.contains("d"));
    adapter.leave_all(&"a".into());
    assert!(!adapter.contains("a"));
}

#[test]
fn rooms_have_members_as_long_as_somebody_is_in_them() {
    let adapter = adapter();
    for room in ["x", "y", "a", "b", "c"] {
        assert!(adapter.has_members(room), "{room}");
    }
    assert!(!adapter.has_members("z"));
    assert_eq!(rooms(&adapter), ["a", "b", "c", "x", "y"]);
    // who left its own room is not in it, but others may be
    drop(adapter.leave(&"c".into(), &"c".into()));
    assert!(!adapter.has_members("c"));
    drop(adapter.join(&"a".into(), &"c".into_rooms()).unwrap());
    assert!(adapter.has_members("c"));
    assert_eq!(rooms(&adapter), ["a", "b", "c", "x", "y"]);
    drop(adapter.join(&"c".into(), &"c".into_rooms()).unwrap());
    assert_eq!(rooms(&adapter), ["a", "b", "c", "x", "y"], "once each");
    drop(adapter.leave(&"a".into(), &"c".into()));
    adapter.leave_all(&"a".into());
    assert!(!adapter.has_members("a") && !adapter.has_members("y"));
    assert!(adapter.has_members("c") && adapter.has_members("x"));
    assert_eq!(rooms(&adapter), ["b", "c", "x"]);
    assert_eq!((adapter.len(), adapter.room_count()), (2, 1));
}

#[test]
fn answers_of_several_nodes() {
    let one = Answers::of_one_node(vec![1]);
    assert!(one.is_complete());
    let other = Answers { items: vec![2, 3], answered: 2, missing: vec!["n".to_owned()] };
    assert!(!other.is_complete());
    let sum = one.and(other).map(|item| item * 10);
    assert_eq!((&sum.items[..], sum.answered), (&[10, 20, 30][..], 3));
    assert_eq!(sum.missing, ["n"]);
    let clients = AckCount::new(5, 4, vec!["n".to_owned()]);
    assert_eq!((clients.asked, clients.answered, clients.missing.len()), (5, 4, 1));
}

#[test]
fn texts_of_errors() {
    let join = JoinError::TooManyRooms { limit: 3 };
    let too_many = "a socket may be in 3 rooms at most";
    for (error, text, source) in [
        (AdapterError::Join(join), "the socket could not join", Some(too_many)),
        (AdapterError::Backend("gone".into()), "the adapter's back end failed", Some("gone")),
        (AdapterError::Unsupported("some nodes"), "some nodes do not know this request", None),
        (AdapterError::Timeout, "no node answered in time", None),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.source().map(ToString::to_string).as_deref(), source);
    }
    let too_long = JoinError::RoomTooLong { limit: 9 };
    assert_eq!(too_long.to_string(), "a room's name has 9 bytes at most");
    assert_eq!(EnterError::DuplicateId.to_string(), "another socket of the namespace has this id");
}

#[test]
fn texts_for_debugging() {
    assert_eq!(format!("{:?}", adapter()), "LocalAdapter { .. }");
    assert_eq!(format!("{:?}", Completion::done()), "Completion { done: true }");
    let waits = Completion::from(AdapterError::Timeout);
    assert_eq!(format!("{waits:?}"), "Completion { done: false }");
}
