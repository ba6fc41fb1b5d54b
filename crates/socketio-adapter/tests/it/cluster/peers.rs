//! Nodes that know each other by name, over a broker that cannot count who listens.

use std::sync::Arc;
use std::time::Duration;

use socketio_adapter::{AckCount, Adapter};
use socketio_parser::Value;
use tokio::time::{Instant, sleep};

use super::broker::{Broker, Health};
use super::{LIMIT, NEW, Notes, Peer, SHARDED, Two, all, event, sorted};

/// Two nodes that have heard of each other.
async fn acquainted() -> Two {
    let two = Two::over(Broker::without_census(), SHARDED);
    sleep(Duration::from_millis(1)).await;
    two
}

fn sign(kind: u8, node: &str) -> String {
    format!(r#"{{"type":{kind},"uid":"{node}","nsp":"/"}}"#)
}

/// A node of which nothing comes but signs.
fn show(two: &Two, kind: u8, node: &str) {
    two.broker.deliver("p#/#", sign(kind, node).as_bytes());
}

/// The types of what was published since this was asked last.
fn kinds(two: &Two) -> Vec<u8> {
    let kind = |payload: &[u8]| {
        let message = socketio_parser::value_from_json(payload, 100).unwrap();
        u8::try_from(message.get("type").and_then(Value::as_u64).unwrap()).unwrap()
    };
    two.broker.published().iter().map(|(_, payload)| kind(payload)).collect()
}

#[tokio::test(start_paused = true)]
async fn all_are_asked_and_nobody_is_waited_for() {
    let two = acquainted().await;
    let (cluster, start) = (two.a.cluster(), Instant::now());
    let answers = cluster.ids(&all()).await.unwrap();
    assert_eq!(sorted(&answers.items), ["b1", "b2", "b3"]);
    assert_eq!((answers.answered, &answers.missing[..]), (1, &[][..]));
    assert_eq!(two.b.cluster().ids(&all()).await.unwrap().items, ["a1"]);
    let answers = cluster.sockets(&all()).await.unwrap();
    assert_eq!((answers.items.len(), answers.is_complete()), (3, true));
    let ask = cluster.ask(&event(&*cluster, "q", &[]), &super::to("b1", super::NONE), LIMIT, {
        Arc::new(|_| {})
    });
    assert_eq!(ask.await.unwrap(), AckCount::new(1, 1, Vec::new()));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_is_missing_has_a_name() {
    let two = acquainted().await;
    show(&two, 2, "mute2");
    show(&two, 2, "mute1");
    let (cluster, start) = (two.a.cluster(), Instant::now());
    let answers = cluster.ids(&all()).await.unwrap();
    assert_eq!(start.elapsed(), LIMIT);
    assert_eq!((answers.items.len(), answers.answered), (3, 1));
    assert_eq!(answers.missing, ["mute1", "mute2"]);
    let asked = cluster.ask(&event(&*cluster, "q", &[]), &all(), LIMIT, Arc::new(|_| {}));
    let missing = vec!["mute1".to_owned(), "mute2".to_owned()];
    assert_eq!(asked.await.unwrap(), AckCount::new(3, 1, missing));
    // an emitter is no node
    show(&two, 3, "emitter");
    show(&two, 13, "mute1");
    assert_eq!(cluster.ids(&all()).await.unwrap().missing, ["mute2"]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_not_waited_for() {
    for leaves in [true, false] {
        let two = acquainted().await;
        show(&two, 2, "mute");
        let (cluster, start) = (two.a.cluster(), Instant::now());
        let asked = tokio::spawn(async move { cluster.ids(&all()).await });
        sleep(Duration::from_millis(100)).await;
        assert!(!asked.is_finished());
        show(&two, if leaves { 13 } else { 2 }, "mute");
        let answers = asked.await.unwrap().unwrap();
        let (waited, missing) = match leaves {
            true => (Duration::from_millis(100), 0),
            false => (LIMIT, 1),
        };
        assert_eq!((start.elapsed(), answers.missing.len()), (waited, missing));
        assert_eq!(answers.items.len(), 3);
    }
}

/// As after a crash: counted until its time is over.
#[tokio::test(start_paused = true)]
async fn who_is_silent_is_gone() {
    let two = acquainted().await;
    show(&two, 2, "mute");
    sleep(Duration::from_secs(9)).await;
    let cluster = two.a.cluster();
    assert_eq!(cluster.ids(&all()).await.unwrap().missing, ["mute"]);
    // ... in the middle of a request, too
    let start = Instant::now();
    sleep(Duration::from_millis(300)).await;
    let answers = cluster.ids(&all()).await.unwrap();
    assert!(answers.is_complete());
    assert!(start.elapsed() < Duration::from_millis(300) + LIMIT);
    // the nodes that show themselves stay
    sleep(Duration::from_secs(60)).await;
    let answers = cluster.ids(&all()).await.unwrap();
    assert_eq!((answers.answered, answers.items.len()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_node_shows_itself() {
    let two = acquainted().await;
    // Each says hello, and is answered by the other once that listens.
    assert_eq!(kinds(&two).iter().filter(|kind| **kind == 1).count(), 2);
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(kinds(&two), [2, 2]);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(kinds(&two), [2; 4]);
    show(&two, 1, "new");
    assert_eq!(kinds(&two), [2, 2]);
    show(&two, 2, "new");
    assert!(kinds(&two).is_empty());
    // once, and nothing comes behind it
    two.b.adapter.close().await.unwrap();
    let Two { a, b, broker, node, notes } = two;
    drop(b);
    let two = Two { b: Peer::new(&node, "c", &notes, &[]), a, broker, node, notes };
    assert_eq!(kinds(&two), [13]);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(kinds(&two), [1, 2]);
    assert_eq!(two.a.cluster().ids(&all()).await.unwrap().answered, 1);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_options() {
    let broker = Broker::without_census();
    let two = Two::over(broker.clone(), SHARDED);
    let node = two.node.clone().heartbeats(Duration::from_millis(50), Duration::from_millis(120));
    drop(two);
    let notes = Notes::default();
    let two = Two {
        a: Peer::new(&node, "a", &notes, &[]),
        b: Peer::new(&node, "b", &notes, &[]),
        broker,
        node,
        notes,
    };
    sleep(Duration::from_millis(1)).await;
    kinds(&two);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(kinds(&two), [2; 8]);
    show(&two, 2, "mute");
    let start = Instant::now();
    assert!(two.a.cluster().ids(&all()).await.unwrap().is_complete(), "it is gone by then");
    assert_eq!(start.elapsed(), Duration::from_millis(120));
}

/// A node that nobody has heard of yet answers what it is asked. What one node says twice counts
/// once, and strangers are bounded.
#[tokio::test(start_paused = true)]
async fn nodes_that_were_not_known() {
    for strangers in [2, MAX_PEERS + 1] {
        let two = Two::over(Broker::without_census(), SHARDED);
        show(&two, 2, "mute");
        let asked = two.a.cluster().server_side_emit_with_ack("sum", Vec::new());
        let asked = tokio::spawn(asked);
        tokio::task::yield_now().await;
        let (id, asker) = two.asked();
        for stranger in 0..strangers {
            two.answer(&id, &asker, &format!("stranger{stranger}"), stranger);
        }
        two.answer(&id, &asker, "stranger0", 9);
        two.answer(&id, &asker, "mute", 7);
        let found = asked.await.unwrap().unwrap();
        let expected = (strangers + 1).min(MAX_PEERS);
        assert_eq!((found.answered, found.items.len()), (expected, expected));
    }
}

/// A node that answers something else has not answered.
#[tokio::test(start_paused = true)]
async fn an_answer_of_another_kind() {
    let two = Two::over(Broker::without_census(), SHARDED);
    show(&two, 2, "mute");
    let asked = tokio::spawn(two.a.cluster().ids(&all()));
    tokio::task::yield_now().await;
    let (id, asker) = two.asked();
    two.answer(&id, &asker, "mute", 7);
    assert_eq!(asked.await.unwrap().unwrap().missing, ["mute"]);
}

/// As many as are told apart by name.
const MAX_PEERS: usize = 1_000;

#[tokio::test(start_paused = true)]
async fn a_broker_that_fails() {
    let two = acquainted().await;
    two.broker.is(Health::Full);
    let answers = two.a.cluster().ids(&all()).await.unwrap();
    assert_eq!(answers.missing, ["the other nodes (the queue for the broker is full)"]);
}

/// The classic formats have no heartbeats.
#[tokio::test(start_paused = true)]
async fn nodes_that_can_neither_be_counted_nor_heard() {
    let two = Two::over(Broker::without_census(), NEW);
    let start = Instant::now();
    let answers = two.a.cluster().ids(&all()).await.unwrap();
    let missing = "the other nodes (the broker cannot count them, and they have no heartbeats)";
    assert_eq!((answers.items.len(), &answers.missing[..]), (0, &[missing.to_owned()][..]));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(two.broker.published().is_empty());
}

/// Where the broker counts, nothing is sent for it.
#[tokio::test(start_paused = true)]
async fn no_heartbeats_where_the_broker_counts() {
    let two = Two::new(SHARDED);
    show(&two, 1, "new");
    sleep(Duration::from_secs(30)).await;
    drop(two.a);
    assert!(two.broker.published().is_empty());
}
