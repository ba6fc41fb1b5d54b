//! What is published for the facade `metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use socketio::Server;
use socketio::observe::describe_metrics;

/// Notes names and labels of what is described and published.
#[derive(Default)]
struct Names {
    described: Mutex<BTreeMap<String, &'static str>>,
    /// With the names of the labels.
    published: Mutex<BTreeMap<String, (&'static str, BTreeSet<String>)>>,
    /// The values of the label `limit`.
    limits: Mutex<Vec<String>>,
}

impl Names {
    fn described(&self, name: &KeyName, kind: &'static str, help: &str) {
        assert!(!help.is_empty());
        let before = self.described.lock().unwrap().insert(name.as_str().to_owned(), kind);
        assert_eq!(before, None, "{} is described twice", name.as_str());
    }

    fn published(&self, key: &Key, kind: &'static str) {
        let limits = key.labels().filter(|label| label.key() == "limit");
        self.limits.lock().unwrap().extend(limits.map(|label| label.value().to_owned()));
        let labels = key.labels().map(|label| label.key().to_owned()).collect();
        self.published.lock().unwrap().insert(key.name().to_owned(), (kind, labels));
    }
}

impl Recorder for Names {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.described(&name, "counter", &help);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.described(&name, "gauge", &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.described(&name, "histogram", &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.published(key, "counter");
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.published(key, "gauge");
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.published(key, "histogram");
        Histogram::noop()
    }
}

/// The table in the documentation, what is described and what is published are the same.
#[tokio::test]
async fn the_table_of_metrics_is_whole() {
    let names = Arc::new(Names::default());
    let io = Server::new();
    with_local_recorder(&names, || {
        describe_metrics();
        io.publish_metrics();
    });
    let published = names.published.lock().unwrap().clone();
    let kinds: BTreeMap<String, &str> =
        published.iter().map(|(name, (kind, _))| (name.clone(), *kind)).collect();
    assert_eq!(*names.described.lock().unwrap(), kinds);
    let limits: Vec<String> = io.stats().limits.iter().map(|(limit, _)| limit.to_owned()).collect();
    assert_eq!(*names.limits.lock().unwrap(), limits, "each once");

    let documented: BTreeMap<String, (&str, BTreeSet<String>)> =
        include_str!("../../src/docs/operating.md")
            .lines()
            .filter_map(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                let name = cells.get(1)?.trim_matches('`');
                let kind = cells.get(2)?.split(',').next()?;
                let labels = cells.get(3)?.split(", ").map(|label| label.trim_matches('`'));
                let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned).collect();
                name.contains("io_").then(|| (name.to_owned(), (kind, labels)))
            })
            .collect();
    assert_eq!(documented, published);
}
