//! What is published for the facade `metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use serde_json::json;
use socketio::Server;
use socketio_contract::{OnUnknown, Rules};
use socketio_testkit::Client;

use crate::chat::{Lobby, chat};
use crate::wire::connector;

/// Counters by name and labels.
#[derive(Clone, Default)]
struct Counters(Arc<Mutex<BTreeMap<String, u64>>>);

struct One(Counters, String);

impl CounterFn for One {
    fn increment(&self, _: u64) {
        panic!("totals are set");
    }

    fn absolute(&self, value: u64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        Counter::from_arc(Arc::new(One(self.clone(), name)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_events_by_name_and_never_by_a_name_of_the_client() {
    let io = Server::new();
    let served = chat::serve_with(&io, Lobby, Rules::new().on_unknown(OnUnknown::Tell));
    let elsewhere = chat::serve(&io.of("/lobby"), Lobby);
    let by_rule = chat::serve(&io.of_matching("/room-*"), Lobby);
    let mut client = Client::connect(&connector(&io)).await;
    for _ in 0..2 {
        client.emit("chat message", json!([7])).await;
        client.next_event().await;
    }
    client.emit("unheard of", json!([])).await;
    client.next_event().await;
    let counters = Counters::default();
    with_local_recorder(&counters, || {
        served.publish_metrics();
        elsewhere.publish_metrics();
    });
    let expected = [
        ("socketio_invalid_events_total / add user", 0),
        ("socketio_invalid_events_total / chat message", 2),
        ("socketio_invalid_events_total /lobby add user", 0),
        ("socketio_invalid_events_total /lobby chat message", 0),
        ("socketio_unknown_events_total /", 1),
        ("socketio_unknown_events_total /lobby", 0),
    ];
    let expected: BTreeMap<_, _> =
        expected.map(|(name, count)| (name.to_owned(), count)).into_iter().collect();
    assert_eq!(*counters.0.lock().unwrap(), expected);
    assert!(format!("{by_rule:?}").contains(r#"namespace: "/""#), "{by_rule:?}");
}
