//! A node's own sockets, and what it listens to.

use std::sync::Arc;

use socketio_adapter::{
    Adapter, BroadcastOptions, Bus, ClusterNode, Delivered, EnterError, JoinError, QueueFull,
    RoomChannels,
};
use socketio_parser::Value;

use super::broker::{Broker, Health};
use super::{FORMATS, Format, MIXED, NEW, NONE, Notes, Peer, SHARDED, Socket, Two, all, event};
use super::{packet, sorted, to};

#[tokio::test]
async fn the_sockets_of_a_node_are_served_as_without_a_cluster() {
    for format in FORMATS {
        let two = Two::new(format);
        let adapter = &two.b.adapter;
        let socket = Arc::new(Socket("b1".to_owned(), Arc::clone(&two.notes)));
        let entered = adapter.enter(&"b1".into(), socket, &[], &packet(""));
        assert_eq!(entered.unwrap_err(), EnterError::DuplicateId);
        assert_eq!((adapter.len(), adapter.room_count()), (3, 2));
        assert_eq!(sorted(&adapter.local_rooms()), ["b1", "b2", "b3", "r", "s"]);
        assert_eq!(sorted(&adapter.local_sockets(&["r".into()], &["s".into()])), ["b2"]);
        let delivered = adapter.broadcast(&packet("hi"), &to("r", NONE));
        assert_eq!(delivered, Delivered { queued: 2, dropped: 0 });
        two.noted(&["b2 gets hi", "b3 gets hi"]);
        adapter.leave(&"b2".into(), &"r".into()).await.unwrap();
        assert_eq!(two.b.rooms_of("b2"), ["b2"]);
        adapter.leave_all(&"b3".into());
        assert_eq!((adapter.len(), adapter.room_count()), (2, 0));
        assert_eq!(two.b.rooms_of("b3"), NONE);
    }
}

#[tokio::test]
async fn limits_of_a_node() {
    let broker = Broker::default();
    let node = ClusterNode::new(Arc::new(broker.clone()), NEW, "p".to_owned())
        .max_rooms_per_socket(2)
        .max_message_bytes(100);
    let notes = Notes::default();
    let peer = Peer::new(&node, "a", &notes, &[("a1", &["r"])]);
    let joined = peer.adapter.join(&"a1".into(), &["s".into(), "t".into()]).map(|_| ());
    assert_eq!(joined, Err(JoinError::TooManyRooms { limit: 2 }));

    let request = |len: usize| format!("{:<len$}", r#"{"uid":"x","type":6,"data":["e"]}"#);
    broker.deliver("p-request#/#", request(100).as_bytes());
    assert_eq!((node.received(), node.malformed()), (1, 0));
    broker.deliver("p-request#/#", request(101).as_bytes());
    broker.deliver("p-request#/#", b"no message");
    assert_eq!((node.received(), node.malformed()), (1, 2));
    assert_eq!(notes.lock().unwrap()[0], "a: hears e []");
}

#[tokio::test]
async fn what_is_listened_to() {
    let broker = Broker::default();
    let bus: Arc<dyn Bus> = Arc::new(broker.clone());
    let peer = |format| {
        let node = ClusterNode::new(Arc::clone(&bus), format, "p".to_owned());
        Peer::new(&node, "a", &Notes::default(), &[("a1", &["r"])])
    };

    let classic = peer(NEW);
    let channels = broker.channels_in_use();
    let [all, request, response, own] = &channels[..] else { panic!("{channels:?}") };
    assert_eq!([all, request, response], ["p#/#*", "p-request#/#", "p-response#/#"]);
    let name = own.strip_prefix("p-response#/#").and_then(|name| name.strip_suffix('#')).unwrap();
    assert_eq!(name.len(), 6);
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
    let other = peer(NEW);
    assert_eq!(broker.channels_in_use().iter().filter(|channel| *channel == own).count(), 1);
    // the rest of the cluster is left when the server closes
    other.adapter.close().await.unwrap();
    assert_eq!(broker.channels_in_use(), channels);
    drop((classic, other));
    assert_eq!(broker.channels_in_use(), NONE);

    for (rooms, expected) in [
        (RoomChannels::Joined, &["p#/#", "p#/#r#"][..]),
        (RoomChannels::All, &["p#/#", "p#/#a1#", "p#/#r#"]),
        (RoomChannels::None, &["p#/#"]),
    ] {
        let sharded = peer(Format::Sharded(rooms));
        let mut channels = broker.channels_in_use();
        let own = |name: &String| name.len() == "p#/#".len() + 16 + 1;
        let name = channels.remove(channels.iter().position(own).expect("one of its own"));
        assert!(name[4..20].bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        assert_eq!(channels, expected, "{rooms:?}");
        drop(sharded);
        assert_eq!(broker.channels_in_use(), NONE, "{rooms:?}");
    }
}

/// In the sharded format a node listens to a room as long as it has members of it.
#[tokio::test]
async fn rooms_that_come_and_go() {
    let two = Two::new(SHARDED);
    let listens = |room: &str| two.broker.channels_in_use().contains(&format!("p#/#{room}#"));
    let adapter = &two.b.adapter;
    assert!(listens("r") && listens("s") && !listens("b1"));
    adapter.leave(&"b2".into(), &"r".into()).await.unwrap();
    assert!(listens("r"), "there is another");
    adapter.leave_all(&"b3".into());
    assert!(!listens("r") && !listens("s"));
    adapter.join(&"b1".into(), &["x".into()]).unwrap().await.unwrap();
    assert!(listens("x"));
    // as others want it
    two.a.cluster().join_one(&"b1".into(), &"y".into()).await.unwrap();
    assert!(listens("y"));
    two.a.cluster().leave_one(&"b1".into(), &"y".into()).await.unwrap();
    assert!(!listens("y"));
    // who waits for a join learns that the broker did not confirm it
    two.broker.is(Health::Away);
    assert!(adapter.join(&"b1".into(), &["z".into()]).unwrap().await.is_err());
    assert_eq!(two.b.rooms_of("b1"), ["b1", "x", "z"]);
}

/// What cannot be made a packet of is no event.
#[tokio::test]
async fn an_event_that_cannot_be_written() {
    let two = Two::new(MIXED);
    let cluster = two.a.cluster();
    cluster.broadcast(&event(&*cluster, "unwritable", &[Value::Null]), &all());
    two.noted(&NONE);
}

#[tokio::test]
async fn a_server_that_is_gone_does_nothing() {
    for format in FORMATS {
        let Two { node, a, b, notes, .. } = Two::new(format);
        drop(b.above);
        let cluster = a.cluster();
        let options = BroadcastOptions::default();
        cluster.broadcast(&event(&*cluster, "hi", &[]), &options);
        let notes = notes.lock().unwrap();
        assert!(!notes.iter().any(|note| note.contains("gets")), "{notes:?}");
        assert!(node.received() > 0);
    }
}

#[tokio::test]
async fn texts_for_debugging() {
    let two = Two::new(NEW);
    let text = format!("{:?}", two.a.adapter);
    assert_eq!(text, "ClusterAdapter { namespace: \"/\", .. }");
    let text = format!("{:?}", two.a.cluster());
    assert!(text.starts_with("Core { codec: Classic {"), "{text}");
    assert!(text.ends_with("bus: Broker, pending: Pending { open: 0 }, .. }"), "{text}");
    assert_eq!(QueueFull.to_string(), "the queue of messages for the broker is full");
}
