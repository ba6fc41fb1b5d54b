//! What a node tells the others, which do it.

use socketio_adapter::{AdapterError, BroadcastOptions};
use socketio_parser::Value;

use super::broker::Health;
use super::{FORMATS, LIMIT, MIXED, NEW, NONE, OLD, SHARDED, Two, all, event, to};

#[tokio::test]
async fn broadcasts() {
    for format in FORMATS {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        let hi = event(&*cluster, "hi", &[Value::from(1)]);
        // the sockets of the node itself have got it before
        cluster.broadcast(&hi, &all());
        two.noted(&["b1 gets hi [1]", "b2 gets hi [1]", "b3 gets hi [1]"]);
        cluster.broadcast(&hi, &to("r", "s"));
        two.noted(&["b2 gets hi [1]"]);
        let by_socket = BroadcastOptions { sender: Some("b2".into()), ..to(["r", "s"], NONE) };
        cluster.broadcast(&hi, &by_socket);
        two.noted(&["b3 gets hi [1]"]);
        let some = BroadcastOptions { volatile: true, compress: Some(false), ..to("s", NONE) };
        cluster.broadcast(&hi, &some);
        two.noted(&["b3 gets hi [1] plain if it can"]);
    }
}

/// What comes at once is written at once: all that a message causes is within one call.
#[tokio::test]
async fn writes_are_put_together() {
    let two = Two::new(NEW);
    let cluster = two.a.cluster();
    cluster.broadcast(&event(&*cluster, "hi", &[]), &to("r", NONE));
    // a node reads its own messages, too; the outer call is that of what came together
    let expected = ["a: written", "b2 gets hi []", "b3 gets hi []", "b: written", "b: written"];
    assert_eq!(two.take_notes(), expected);
}

#[tokio::test(start_paused = true)]
async fn several_sockets() {
    for format in FORMATS {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        cluster.join(&to("r", "s"), &["x".into(), "y".into()]).await.unwrap();
        assert_eq!(two.b.rooms_of("b2"), ["b2", "r", "x", "y"], "{format:?}");
        assert_eq!(two.b.rooms_of("b3"), ["b3", "r", "s"]);
        assert_eq!(two.a.rooms_of("a1"), ["a1"], "its own sockets are no matter of the others");
        cluster.leave(&to("r", NONE), &["x".into(), "r".into()]).await.unwrap();
        assert_eq!(two.b.rooms_of("b2"), ["b2", "y"], "{format:?}");
        assert_eq!(two.b.rooms_of("b3"), ["b3", "s"]);
        two.take_notes();
        cluster.disconnect(&to(["y", "s"], NONE), true).await.unwrap();
        let notes = two.take_notes();
        let told: Vec<_> = notes.iter().filter(|note| note.contains("disconnects")).collect();
        match format {
            OLD => assert_eq!(told.len(), 2, "one by one: {told:?}"),
            _ => assert_eq!(told[0], r#"b: disconnects [("b2"), ("b3")] true"#),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_socket() {
    for format in FORMATS {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        cluster.join_one(&"b1".into(), &"x".into()).await.unwrap();
        assert_eq!(two.b.rooms_of("b1"), ["b1", "x"], "{format:?}");
        cluster.leave_one(&"b1".into(), &"x".into()).await.unwrap();
        assert_eq!(two.b.rooms_of("b1"), ["b1"], "{format:?}");
        two.take_notes();
        cluster.disconnect_one(&"b1".into(), false).await.unwrap();
        let notes = two.take_notes();
        assert!(notes.contains(&r#"b: disconnects [("b1")] false"#.to_owned()), "{notes:?}");
    }
}

/// Nodes of the 2.x line confirm what they did; so nobody has a socket that nobody tells of.
#[tokio::test(start_paused = true)]
async fn a_socket_that_nobody_has() {
    let two = Two::new(OLD);
    let start = tokio::time::Instant::now();
    let error = two.a.cluster().join_one(&"b9".into(), &"x".into()).await;
    assert!(matches!(error, Err(AdapterError::Timeout)), "{error:?}");
    assert_eq!(start.elapsed(), LIMIT);
    for format in [NEW, MIXED, SHARDED] {
        Two::new(format).a.cluster().join_one(&"b9".into(), &"x".into()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn events_for_servers() {
    for format in [NEW, MIXED, SHARDED] {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        cluster.server_side_emit("hi", vec![Value::from(1)]).await.unwrap();
        two.noted(&["b: hears hi [1]"]);
    }
    let two = Two::new(OLD);
    let told = two.a.cluster().server_side_emit("hi", Vec::new()).await;
    assert!(matches!(told, Err(AdapterError::Unsupported(_))), "{told:?}");
    two.noted(&NONE);
}

#[tokio::test(start_paused = true)]
async fn a_broker_whose_queue_is_full() {
    for format in [NEW, SHARDED, MIXED] {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        two.broker.is(Health::Full);
        cluster.broadcast(&event(&*cluster, "hi", &[]), &all());
        let is_full = |told: Result<(), AdapterError>| match told {
            Err(AdapterError::Backend(error)) => {
                assert_eq!(error.to_string(), "the queue of messages for the broker is full");
            }
            other => panic!("{format:?}: {other:?}"),
        };
        is_full(cluster.join(&all(), &["x".into()]).await);
        is_full(cluster.leave_one(&"b1".into(), &"x".into()).await);
        is_full(cluster.disconnect(&all(), true).await);
        is_full(cluster.server_side_emit("hi", Vec::new()).await);
        two.noted(&NONE);
    }
    let two = Two::new(OLD);
    two.broker.is(Health::Full);
    let told = two.a.cluster().join_one(&"b1".into(), &"x".into()).await;
    assert!(matches!(told, Err(AdapterError::Timeout)), "{told:?}");
}

/// A node that does not answer may have sockets that are meant.
#[tokio::test(start_paused = true)]
async fn several_sockets_with_a_silent_node() {
    for format in [OLD, MIXED] {
        let two = Two::new(format);
        two.add_mute(format);
        let told = two.a.cluster().join(&to("r", NONE), &["x".into()]).await;
        assert!(matches!(told, Err(AdapterError::Timeout)), "{format:?}: {told:?}");
    }
    for format in [NEW, SHARDED] {
        let two = Two::new(format);
        two.add_mute(format);
        two.a.cluster().join(&to("r", NONE), &["x".into()]).await.unwrap();
    }
}

#[tokio::test]
async fn the_bus_is_flushed_when_it_is_asked_to() {
    let two = Two::new(NEW);
    two.a.cluster().flush();
    assert_eq!(two.broker.flushes(), 1);
}

/// Messages of the node itself come back to it, and are nothing.
#[tokio::test]
async fn nobody_is_told_twice() {
    for format in FORMATS {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        cluster.broadcast(&event(&*cluster, "hi", &[]), &to("a1", NONE));
        let notes = two.take_notes();
        assert!(!notes.iter().any(|note| note.contains("gets")), "{format:?}: {notes:?}");
    }
}
