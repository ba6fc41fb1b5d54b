//! Several senders, one room, and the check that all members see one order.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::load::{Load, Stage};
use crate::process::usage;
use crate::request::text;
use crate::run::Window;

/// The order of the messages, as the first member saw it: every other one must see the same.
#[derive(Default)]
pub(crate) struct Order {
    seen: Vec<Entry>,
    /// What was sent and seen by nobody yet.
    sent: HashMap<Vec<u8>, (Entry, Number)>,
    /// Of each sender, the number of its message that must come next.
    next: Vec<u64>,
    total: usize,
}

struct Entry {
    message: Vec<u8>,
    sent: Instant,
}

/// A sender and the number of its message.
type Number = (usize, u64);

impl Order {
    /// The message at this place of the order, if it is that one.
    fn check(&mut self, place: usize, message: &[u8]) -> Option<Instant> {
        if place == self.seen.len() {
            let (entry, (sender, number)) = self.sent.remove(message)?;
            if self.next[sender] != number {
                return None;
            }
            self.next[sender] += 1;
            self.seen.push(entry);
        }
        let entry = &self.seen[place];
        (entry.message == message).then_some(entry.sent)
    }

    /// The next request of a sender.
    fn send(&mut self, sender: usize, number: u64, padding: &str) -> String {
        let body = format!("{sender:02}:{number:08}:{padding}");
        let message = format!(r#"42["msg","{body}"]"#).into_bytes();
        let entry = Entry { message: message.clone(), sent: Instant::now() };
        self.sent.insert(message, (entry, (sender, number)));
        self.total += 1;
        format!(r#"42["rcast","{body}"]"#)
    }
}

impl Load {
    pub(crate) fn on_ordered(&mut self, at: usize, message: &[u8]) {
        let place = self.connections[at].seen;
        match self.order.check(place, message) {
            Some(sent) => {
                self.connections[at].seen += 1;
                self.counts.done += 1;
                self.measure(sent);
            }
            None => self.wrong(message),
        }
    }

    /// Sends at the rate until the time is over, then waits for what is on its way.
    pub(crate) fn fanout(mut self) -> Result<String, String> {
        let mut found = Vec::new();
        self.open_all(&mut found)?;
        println!("{}", json!({ "event": "joined" }));
        let options = self.options.clone();
        let padding = text(options.size.saturating_sub(12));
        let interval = Duration::from_secs_f64(1.0 / options.rate.ok_or("no rate")?);
        self.order.next = vec![0; options.senders];
        let start = Instant::now();
        let mut window = None;
        let mut turn = 0;
        while start.elapsed() < options.warm + options.measure {
            if window.is_none() && start.elapsed() >= options.warm {
                self.stage = Stage::Measuring;
                window = Some(Window::open(&self));
            }
            while start + interval * turn as u32 <= Instant::now() {
                let sender = turn % options.senders;
                let request = self.order.send(sender, (turn / options.senders) as u64, &padding);
                self.send_text(sender, &request);
                turn += 1;
            }
            let next = start + interval * turn as u32;
            self.turn(next.saturating_duration_since(Instant::now()), &mut found)?;
        }
        let window = window.unwrap_or_else(|| Window::open(&self));
        let mut line = window.close(&self);
        let until = Instant::now() + DRAIN;
        let missing = |load: &Self| -> usize {
            let total = load.order.total;
            load.connections.iter().map(|member| total.saturating_sub(member.seen)).sum()
        };
        while missing(&self) > 0 && Instant::now() < until {
            self.turn(Duration::from_millis(20), &mut found)?;
        }
        // Those that came late count for the latency, too.
        self.finish(&mut line);
        line.insert("messages".into(), self.order.total.into());
        line.insert("missing".into(), missing(&self).into());
        line.insert("rss1_kb".into(), usage(&options.processes).rss_kb.into());
        Ok(serde_json::Value::from(line).to_string())
    }
}

/// What is on its way this long after the last message is lost.
const DRAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(order: &mut Order, sender: usize, number: u64) -> Vec<u8> {
        order.send(sender, number, "").replace("rcast", "msg").into_bytes()
    }

    #[test]
    fn one_order_for_all() {
        let mut order = Order { next: vec![0; 2], ..Order::default() };
        let (first, other) = (sent(&mut order, 0, 0), sent(&mut order, 1, 0));
        // Any order of the two senders will do, but it must be the same for the second member.
        assert!(order.check(0, &other).is_some());
        assert!(order.check(0, &first).is_none());
        assert!(order.check(0, &other).is_some());
        assert!(order.check(1, &first).is_some());
        // Twice, or never sent.
        assert!(order.check(2, &first).is_none());
        assert!(order.check(2, b"42[\"msg\",\"x\"]").is_none());
    }

    #[test]
    fn the_order_of_a_sender() {
        let mut order = Order { next: vec![0; 1], ..Order::default() };
        let (_, second) = (sent(&mut order, 0, 0), sent(&mut order, 0, 1));
        assert!(order.check(0, &second).is_none());
    }
}
