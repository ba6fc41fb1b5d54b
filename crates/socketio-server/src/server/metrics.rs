//! What [`Stats`] says, for the facade `metrics`.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use crate::limits::Limit;
use crate::server::Server;
use crate::stats::Stats;

impl Server {
    /// Takes a [snapshot](Server::stats) and [publishes](Stats::publish) it. Call it whenever the
    /// metrics are collected; [`operating`](crate::guide::operating) lists them.
    pub fn publish_metrics(&self) {
        self.stats().publish();
    }
}

impl Stats {
    /// Sets the gauges and counters `socketio_*` and `engineio_*` of the current `metrics` recorder
    /// to these numbers. They have no label that tells servers apart.
    pub fn publish(&self) {
        self.engine.publish();
        let gauges = [
            self.namespaces,
            self.sockets,
            self.rooms,
            self.pending_acks,
            self.detached_handlers,
            self.detached_bytes,
        ];
        for ((name, _), count) in GAUGES.iter().zip(gauges) {
            gauge!(*name).set(count as f64); // exact up to 2^53
        }
        for (reason, count) in &self.disconnected {
            counter!("socketio_sockets_disconnected_total", "reason" => *reason).absolute(*count);
        }
        for (outcome, count) in &self.recoveries {
            counter!("socketio_recoveries_total", "outcome" => *outcome).absolute(*count);
        }
        counter!("socketio_recovered_events_total").absolute(self.recovered_events);
        for (outcome, count) in &self.repeated_events {
            counter!("socketio_repeated_events_total", "outcome" => *outcome).absolute(*count);
        }
        counter!("socketio_sockets_connected_total").absolute(self.connected);
        counter!("socketio_connect_errors_total").absolute(self.connect_errors);
        counter!("socketio_invalid_packets_total").absolute(self.invalid_packets);
        counter!("socketio_handler_panics_total").absolute(self.handler_panics);
        counter!("socketio_handlers_dropped_total").absolute(self.dropped_handlers);
        for limit in Limit::ALL {
            counter!("socketio_limit_hits_total", "limit" => limit.option())
                .absolute(self.limits.get(*limit));
        }
    }
}

/// Tells the current `metrics` recorder what each `socketio_*` and `engineio_*` metric means. Call
/// it once, when the recorder is there; publishing works without.
pub fn describe_metrics() {
    engineio::describe_metrics();
    for (name, help) in GAUGES {
        describe_gauge!(name, Unit::Count, help);
    }
    for (name, help) in COUNTERS {
        describe_counter!(*name, Unit::Count, *help);
    }
}

/// In the order in which [`Stats::publish`] has them.
const GAUGES: [(&str, &str); 6] = [
    ("socketio_namespaces", "Namespaces"),
    ("socketio_sockets", "Connected sockets of all namespaces"),
    ("socketio_rooms", "Rooms that somebody is in"),
    ("socketio_pending_acks", "Acknowledgements that clients owe"),
    ("socketio_detached_handlers", "Handlers that outlive their connections"),
    ("socketio_detached_bytes", "Bytes that handlers keep that outlive their connections"),
];

const COUNTERS: &[(&str, &str)] = &[
    ("socketio_sockets_connected_total", "Sockets that joined a namespace"),
    ("socketio_sockets_disconnected_total", "Sockets that left, by reason"),
    ("socketio_connect_errors_total", "Sockets that were refused"),
    ("socketio_invalid_packets_total", "Connections ended for a packet that cannot be read"),
    ("socketio_handler_panics_total", "Panics of handlers and middleware"),
    ("socketio_handlers_dropped_total", "Handlers of ended connections that were dropped"),
    ("socketio_recoveries_total", "Sockets with recovery: recovered, or why not"),
    ("socketio_recovered_events_total", "Events sent again to clients that came back"),
    ("socketio_repeated_events_total", "Events that are handled once, by what became of them"),
    ("socketio_limit_hits_total", "Times that a limit of the Socket.IO level acted, by its option"),
];
