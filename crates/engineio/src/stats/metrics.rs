//! What [`Stats`] says, for the facade `metrics`.
//!
//! Published when somebody asks, from a snapshot: nothing is done for it while messages pass.

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::receipts::RECEIPT_SECONDS;

use crate::stats::Stats;

impl Stats {
    /// Sets the gauges and counters `engineio_*` of the current `metrics` recorder to these numbers.
    /// They have no label that tells servers apart: of several in a process, publish the sum.
    pub fn publish(&self) {
        for (transport, protocol, count) in &self.open {
            let (transport, protocol) = (transport.as_str(), digit(protocol.number()));
            gauge!("engineio_sessions", "transport" => transport, "protocol" => protocol)
                .set(number(*count));
        }
        let open: usize = self.open.iter().map(|(.., count)| count).sum();
        gauge!("engineio_sessions_closing").set(number(self.sessions.saturating_sub(open)));
        gauge!("engineio_connections").set(number(self.connections));
        gauge!("engineio_http_connections").set(number(self.http_connections));
        gauge!("engineio_queued_bytes").set(number(self.queued_bytes));
        gauge!("engineio_longest_queue_bytes").set(number(self.longest_queue));
        gauge!("engineio_outbound_bytes").set(number(self.outbound_bytes));
        gauge!("engineio_inbound_bytes").set(number(self.inbound_bytes));
        gauge!("engineio_draining").set(f64::from(u8::from(self.draining)));

        for (direction, open) in [("in", self.relayed.open_in), ("out", self.relayed.open_out)] {
            gauge!("engineio_relayed_connections", "direction" => direction).set(number(open));
        }
        for (direction, outcome, count) in self.relayed.by_outcome() {
            counter!(
                "engineio_relayed_requests_total",
                "direction" => direction,
                "outcome" => outcome
            )
            .absolute(count);
        }
        for (cause, count) in self.relayed.unknown_by_cause() {
            counter!("engineio_unknown_sessions_total", "cause" => cause).absolute(count);
        }

        counter!("engineio_sessions_opened_total").absolute(self.opened);
        counter!("engineio_sessions_upgraded_total").absolute(self.upgraded);
        for (reason, count) in &self.closed {
            counter!("engineio_sessions_closed_total", "reason" => reason.as_str())
                .absolute(*count);
        }
        counter!("engineio_sessions_cut_off_total").absolute(self.cut_off);
        counter!("engineio_slow_consumers_total").absolute(self.slow_consumers);
        counter!("engineio_messages_received_total").absolute(self.messages_in);
        counter!("engineio_packets_queued_total").absolute(self.packets_out);
        counter!("engineio_packets_dropped_total", "cause" => "volatile")
            .absolute(self.volatile_dropped);
        counter!("engineio_packets_dropped_total", "cause" => "full").absolute(self.queue_dropped);
        counter!("engineio_requests_refused_total").absolute(self.refused);
        for (code, count) in &self.refused_by_code {
            counter!("engineio_requests_refused_by_code_total", "code" => digit(*code))
                .absolute(*count);
        }
        counter!("engineio_handshakes_unavailable_total").absolute(self.unavailable);
        counter!("engineio_too_large_total").absolute(self.too_large);
        counter!("engineio_panics_total").absolute(self.panics);
        counter!("engineio_receipts_total").absolute(self.receipts);
        // it is there before the first
        let _ = histogram!(RECEIPT_SECONDS);
        counter!("engineio_accept_errors_total").absolute(self.accept_errors);
        for (limit, count) in self.limits.iter() {
            counter!("engineio_limit_hits_total", "limit" => limit).absolute(count);
        }
    }
}

/// Tells the current `metrics` recorder what each `engineio_*` metric means. Call it once, when the
/// recorder is there; publishing works without.
pub fn describe_metrics() {
    for (name, unit, help) in GAUGES {
        describe_gauge!(*name, *unit, *help);
    }
    for (name, help) in COUNTERS {
        describe_counter!(*name, Unit::Count, *help);
    }
    describe_histogram!(RECEIPT_SECONDS, Unit::Seconds, "From a ping for receipts to its pong");
}

const GAUGES: &[(&str, Unit, &str)] = &[
    ("engineio_sessions", Unit::Count, "Sessions that are open, by transport and protocol"),
    ("engineio_sessions_closing", Unit::Count, "Sessions that are being opened or closed"),
    ("engineio_connections", Unit::Count, "Connections of the server's own listeners"),
    ("engineio_http_connections", Unit::Count, "HTTP connections of the server's own listeners"),
    ("engineio_queued_bytes", Unit::Bytes, "Bytes that wait to be sent to all clients"),
    ("engineio_longest_queue_bytes", Unit::Bytes, "Bytes that wait for the slowest client"),
    ("engineio_outbound_bytes", Unit::Bytes, "Bytes that wait for slow clients, each packet once"),
    ("engineio_inbound_bytes", Unit::Bytes, "Bytes kept of what clients sent"),
    ("engineio_relayed_connections", Unit::Count, "Requests and WebSockets that are passed on"),
    ("engineio_draining", Unit::Count, "1 while new sessions are refused, else 0"),
];

const COUNTERS: &[(&str, &str)] = &[
    ("engineio_sessions_opened_total", "Sessions opened"),
    ("engineio_sessions_upgraded_total", "Sessions that changed from polling to another transport"),
    ("engineio_sessions_closed_total", "Sessions ended, by reason"),
    ("engineio_sessions_cut_off_total", "Sessions cut off at the deadline of a close"),
    ("engineio_slow_consumers_total", "Sessions ended as the client took nothing"),
    ("engineio_messages_received_total", "Messages received"),
    ("engineio_packets_queued_total", "Packets queued to be sent, one for each receiver"),
    ("engineio_packets_dropped_total", "Packets dropped: volatile, or the queue full"),
    ("engineio_requests_refused_total", "Handshakes and requests refused, all causes"),
    ("engineio_requests_refused_by_code_total", "Those refused by an error of the protocol"),
    ("engineio_handshakes_unavailable_total", "Handshakes refused with 503"),
    ("engineio_too_large_total", "Bodies and messages refused for their size"),
    ("engineio_relayed_requests_total", "Requests passed on between nodes, by what became of them"),
    ("engineio_unknown_sessions_total", "Requests of sessions that were not found, by the cause"),
    ("engineio_panics_total", "Panics of the application"),
    ("engineio_receipts_total", "Pings for receipts that were answered"),
    ("engineio_accept_errors_total", "Failures to accept a connection"),
    ("engineio_limit_hits_total", "Times that a limit of the engine acted, by its option"),
];

/// Labels are better static.
fn digit(digit: u8) -> &'static str {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    DIGITS[usize::from(digit % 10)]
}

/// Exact up to 2^53.
fn number(count: usize) -> f64 {
    count as f64
}
