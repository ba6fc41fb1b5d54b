//! What a node asks the others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio_adapter::{AckCount, AdapterError, BroadcastOptions, IntoRooms, SocketDetails};
use socketio_parser::Value;
use tokio::time::Instant;

use super::broker::Health;
use super::{FORMATS, LIMIT, MIXED, NEW, NONE, OLD, SHARDED, Two, all, event, sorted, to};

#[tokio::test(start_paused = true)]
async fn ids() {
    for format in FORMATS {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        let by_socket = BroadcastOptions { sender: Some("b2".into()), ..to("r", NONE) };
        for (options, expected) in [
            (all(), &["b1", "b2", "b3"][..]),
            (to("r", NONE), &["b2", "b3"]),
            (to(["s", "b1"], NONE), &["b1", "b3"]),
            (to("r", "s"), &["b2"]),
            (to(NONE, "r"), &["b1"]),
            (by_socket, &["b3"]),
            (to("nobody", NONE), &[]),
        ] {
            let answers = cluster.ids(&options).await.unwrap();
            assert_eq!(sorted(&answers.items), expected, "{format:?} {options:?}");
            assert_eq!((answers.answered, &answers.missing[..]), (1, &[][..]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sockets() {
    for format in FORMATS {
        let two = Two::new(format);
        let answers = two.a.cluster().sockets(&to("r", "s")).await.unwrap();
        assert!(answers.is_complete());
        assert_eq!(answers.answered, 1, "{format:?}");
        let mut expected = SocketDetails::new("b2".into());
        if format != OLD {
            expected.rooms = ["b2", "r"].into_rooms();
            expected.data = "b".into();
        }
        assert_eq!(answers.items, [expected], "{format:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rooms() {
    for format in FORMATS {
        let two = Two::new(format);
        let answers = two.a.cluster().rooms().await.unwrap();
        let mut rooms = sorted(&answers.items);
        rooms.dedup();
        assert_eq!(rooms, ["b1", "b2", "b3", "r", "s"], "{format:?}");
        assert_eq!((answers.answered, answers.is_complete()), (1, true));
    }
}

#[tokio::test(start_paused = true)]
async fn rooms_of_one_socket() {
    for format in FORMATS {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        let rooms = cluster.rooms_of(&"b3".into()).await.unwrap();
        assert_eq!(rooms, ["b3", "r", "s"], "{format:?}");
        let start = Instant::now();
        let error = cluster.rooms_of(&"b9".into()).await;
        assert!(matches!(error, Err(AdapterError::Timeout)), "{format:?}: {error:?}");
        // the 4.x line answers that it has none, the 2.x line only if it has it
        let limit = if matches!(format, OLD | MIXED) { LIMIT } else { Duration::ZERO };
        assert_eq!(start.elapsed(), limit, "{format:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn alone_in_the_cluster() {
    for format in FORMATS {
        let Two { node, broker, .. } = Two::new(format);
        let notes = super::Notes::default();
        let only = super::Peer::new(&node, "c", &notes, &[("c1", &[])]);
        let start = Instant::now();
        let cluster = only.cluster();
        let answers = cluster.ids(&all()).await.unwrap();
        assert_eq!((answers.items.len(), answers.answered, answers.missing.len()), (0, 0, 0));
        assert_eq!(cluster.rooms().await.unwrap().answered, 0);
        assert_eq!(start.elapsed(), Duration::ZERO, "nobody is waited for");
        assert!(broker.published().is_empty(), "nobody is asked");
    }
}

/// Who does not answer in time is missing.
#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_answer() {
    for format in FORMATS {
        let two = Two::new(format);
        two.add_mute(format);
        let cluster = two.a.cluster();
        let start = Instant::now();
        let answers = cluster.ids(&to("r", NONE)).await.unwrap();
        assert_eq!(start.elapsed(), LIMIT, "{format:?}");
        assert_eq!(sorted(&answers.items), ["b2", "b3"]);
        assert_eq!(answers.answered, 1);
        assert_eq!(answers.missing, ["a node that did not answer in time"], "{format:?}");
        let answers = cluster.sockets(&to("r", "s")).await.unwrap();
        assert_eq!((answers.items.len(), answers.answered), (1, 1));
        assert!(!answers.is_complete(), "{format:?}");
        let answers = cluster.rooms().await.unwrap();
        assert_eq!(answers.missing, ["a node that did not answer in time"]);
        let answers = cluster.ids(&to("r", "s")).await.unwrap();
        assert_eq!(sorted(&answers.items), ["b2"]);
        assert!(!answers.is_complete(), "{format:?}");
    }
}

/// A broker that cannot be asked is the one that is missing.
#[tokio::test(start_paused = true)]
async fn a_broker_that_fails() {
    for (health, why, waits) in [
        (Health::Away, "the other nodes (away)", Duration::ZERO),
        (Health::Silent, "the other nodes (the broker did not answer in time)", LIMIT),
        (Health::Full, "the other nodes (the queue for the broker is full)", Duration::ZERO),
    ] {
        for format in FORMATS {
            let two = Two::new(format);
            two.broker.is(health);
            let start = Instant::now();
            let answers = two.a.cluster().ids(&all()).await.unwrap();
            assert_eq!((answers.items.len(), answers.answered), (0, 0));
            assert_eq!(answers.missing, [why], "{format:?}");
            assert_eq!(start.elapsed(), waits, "{format:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn values_of_servers() {
    for format in [NEW, MIXED, SHARDED] {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        let asked = cluster.server_side_emit_with_ack("sum", vec![Value::from(1)]);
        let asked = tokio::spawn(asked);
        tokio::task::yield_now().await;
        two.noted(&["b: hears sum [1] and waits"]);
        let reply = two.b.above.replies.lock().unwrap().pop().expect("one is wanted");
        reply(Value::from(7));
        let answers = asked.await.unwrap().unwrap();
        assert_eq!((answers.items, answers.answered), (vec![Value::from(7)], 1), "{format:?}");
        assert!(answers.missing.is_empty());
        let refused = cluster.custom_request(Value::Null).await;
        assert!(matches!(refused, Err(AdapterError::Unsupported(_))), "{refused:?}");
    }
    let two = Two::new(OLD);
    let cluster = two.a.cluster();
    let asked = tokio::spawn(cluster.custom_request(Value::from("q")));
    tokio::task::yield_now().await;
    two.noted(&["b: is asked [\"q\"]"]);
    let reply = two.b.above.replies.lock().unwrap().pop().expect("one is wanted");
    reply(Value::from("a"));
    assert_eq!(asked.await.unwrap().unwrap().items, [Value::from("a")]);
    let refused = cluster.server_side_emit_with_ack("sum", Vec::new()).await;
    assert!(matches!(refused, Err(AdapterError::Unsupported(_))), "{refused:?}");
}

/// As many answers are taken as there are nodes, however many come.
#[tokio::test(start_paused = true)]
async fn one_answer_too_many() {
    let two = Two::new(SHARDED);
    let cluster = two.a.cluster();
    let asked = tokio::spawn(cluster.server_side_emit_with_ack("sum", Vec::new()));
    tokio::task::yield_now().await;
    let (id, asker) = two.asked();
    let reply = two.b.above.replies.lock().unwrap().pop().expect("one is wanted");
    reply(Value::from(7));
    two.answer(&id, &asker, "stranger", 8);
    let answers = asked.await.unwrap().unwrap();
    assert_eq!((answers.items, answers.answered), (vec![Value::from(7)], 1));
}

/// The clients of other nodes are asked, and what they answer comes one by one.
#[tokio::test(start_paused = true)]
async fn clients() {
    for format in [NEW, SHARDED] {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        let answers = Arc::new(Mutex::new(Vec::new()));
        let answered = Arc::clone(&answers);
        let asked = cluster.ask(
            &event(&*cluster, "q", &[Value::from(1)]),
            &to("r", NONE),
            Duration::from_millis(300),
            Arc::new(move |answer| answered.lock().unwrap().push(answer)),
        );
        // at once, whether or not it is awaited
        two.noted(&["b: asks q [1] for 300 ms"]);
        assert_eq!(*answers.lock().unwrap(), [Value::from("first of b")], "{format:?}");
        let asked = tokio::spawn(asked);
        tokio::task::yield_now().await;
        assert!(!asked.is_finished(), "there is another");
        let client = two.b.above.asked.lock().unwrap().pop().expect("a second was asked");
        client(Value::from("second"));
        assert_eq!(asked.await.unwrap().unwrap(), AckCount::new(2, 2, Vec::new()));
        assert_eq!(answers.lock().unwrap().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_not_answer() {
    for format in [NEW, SHARDED] {
        let limit = Duration::from_millis(300);
        let ask = |two: &Two| {
            let cluster = two.a.cluster();
            cluster.ask(&event(&*cluster, "q", &[]), &all(), limit, Arc::new(|_| {}))
        };
        let (two, start) = (Two::new(format), Instant::now());
        let answers = ask(&two).await.unwrap();
        assert_eq!(answers, AckCount::new(3, 1, Vec::new()), "{format:?}");
        assert_eq!(start.elapsed(), limit);

        let two = Two::new(format);
        two.add_mute(format);
        let answers = ask(&two).await.unwrap();
        let mute = vec!["a node that did not answer in time".to_owned()];
        assert_eq!(answers, AckCount::new(3, 1, mute), "{format:?}");

        for (health, why, expected) in [
            (Health::Away, "the other nodes (away)", (3, 1)),
            (Health::Silent, "the other nodes (the broker did not answer in time)", (3, 1)),
            (Health::Full, "the other nodes (the queue for the broker is full)", (0, 0)),
        ] {
            let two = Two::new(format);
            two.broker.is(health);
            let answers = ask(&two).await.unwrap();
            let (asked, answered) = expected;
            assert_eq!(answers, AckCount::new(asked, answered, vec![why.to_owned()]));
        }
    }
}

/// Nodes of the 2.x line would end; the event reaches the clients without a question.
#[tokio::test(start_paused = true)]
async fn clients_where_they_cannot_be_asked() {
    for format in [OLD, MIXED] {
        let two = Two::new(format);
        let cluster = two.a.cluster();
        let event = event(&*cluster, "q", &[]);
        let asked = cluster.ask(&event, &to("s", NONE), LIMIT, Arc::new(|_| {})).await;
        assert!(matches!(asked, Err(AdapterError::Unsupported(_))), "{asked:?}");
        two.noted(&["b3 gets q []"]);
    }
}
