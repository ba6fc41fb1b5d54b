//! Receipts: that the peer has taken what was sent to it.
//!
//! Both directions are ordered, and a peer of protocol 4 answers each ping, so the n-th pong answers
//! the n-th ping. A ping that follows a packet makes its pong a receipt for that packet.
//!
//! ```text
//!   ask ──▶ asked ── a ping is sent ──▶ out ── its pong ──▶ answered
//!                    none is out, [`GAP`] after the last
//! ```
//!
//! One ping is out for receipts at a time. Who asks meanwhile shares the next one, so a peer is sent
//! no more than ten pings a second, however many ask. A heartbeat that is due serves as well.

use std::time::{Duration, Instant};

/// Between two pings for receipts.
const GAP: Duration = Duration::from_millis(100);

/// Those who wait for a receipt of one session; `T` is what tells one of them.
#[derive(Debug)]
pub struct Receipts<T> {
    /// They wait for the next ping.
    asked: Vec<T>,
    /// They wait for the pong of the ping that is out.
    out: Vec<T>,
    /// Pongs until that one.
    pongs: u16,
    /// No ping before.
    ping_at: Option<Instant>,
}

impl<T> Default for Receipts<T> {
    fn default() -> Self {
        Self { asked: Vec::new(), out: Vec::new(), pongs: 0, ping_at: None }
    }
}

impl<T> Receipts<T> {
    /// Somebody waits for a receipt of what was sent until now. Those who no longer do are dropped
    /// before there is more room made for them.
    pub fn ask(&mut self, waiter: T, still_waits: impl FnMut(&T) -> bool) {
        if self.asked.len() == self.asked.capacity() {
            self.asked.retain(still_waits);
        }
        self.asked.push(waiter);
    }

    /// When the next ping is to be sent, if one is. A time in the past is now.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let is_wanted = !self.asked.is_empty() && self.pongs == 0;
        is_wanted.then(|| self.ping_at.unwrap_or(now))
    }

    /// Whether a ping is to be sent for those who still wait.
    pub fn is_due(&mut self, now: Instant, still_waits: impl FnMut(&T) -> bool) -> bool {
        if self.deadline(now).is_none_or(|at| now < at) {
            return false;
        }
        self.asked.retain(still_waits);
        !self.asked.is_empty()
    }

    /// A ping was sent, for whatever reason: it is the last of so many that are
    /// [unanswered](super::Session::unanswered).
    pub fn on_ping_sent(&mut self, now: Instant, unanswered: u16) {
        if self.pongs == 0 && !self.asked.is_empty() {
            std::mem::swap(&mut self.asked, &mut self.out);
            self.pongs = unanswered;
            self.ping_at = Some(now + GAP);
        }
    }

    /// How long the last ping that was out for receipts has been, or was, if it was answered now.
    #[must_use]
    pub fn round_trip(&self, now: Instant) -> Duration {
        self.ping_at.map_or(Duration::ZERO, |next| (now + GAP).saturating_duration_since(next))
    }

    /// The peer [answered](super::Step::Answered) a ping; those who have their receipt by that.
    #[must_use]
    pub fn on_answered(&mut self) -> Vec<T> {
        let was_out = self.pongs > 0;
        self.pongs = self.pongs.saturating_sub(1);
        match was_out && self.pongs == 0 {
            true => std::mem::take(&mut self.out),
            false => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a clock begins somewhere, and is moved by hand then"
    )]

    use super::*;

    /// What happens, at a time in milliseconds.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        /// This one asks.
        Ask(u32),
        /// This one waits no longer.
        Leave(u32),
        /// The driver looks whether a ping is due, and sends it.
        Look,
        /// A heartbeat is sent.
        Beat,
        /// The peer answers a ping.
        Pong,
    }

    use Event::{Ask, Beat, Leave, Look, Pong};

    /// Runs a table: what happens when, and what comes of it, as `ping` or those who have their
    /// receipt.
    #[track_caller]
    fn table(rows: &[(u64, Event, &str)]) {
        let start = Instant::now();
        let (mut receipts, mut unanswered, mut gone) = (Receipts::default(), 0, Vec::new());
        for (at, event, expected) in rows {
            let now = start + Duration::from_millis(*at);
            let mut said = String::new();
            match event {
                Ask(waiter) => receipts.ask(*waiter, |_| true),
                Leave(waiter) => gone.push(*waiter),
                Look if !receipts.is_due(now, |waiter| !gone.contains(waiter)) => {}
                Look | Beat => {
                    unanswered += 1;
                    receipts.on_ping_sent(now, unanswered);
                    "ping".clone_into(&mut said);
                }
                Pong => {
                    unanswered -= 1;
                    said = format!("{:?}", receipts.on_answered());
                }
            }
            assert_eq!(&said, expected, "{event:?} at {at}");
        }
    }

    #[test]
    fn those_who_ask_meanwhile_share_the_next_ping() {
        table(&[
            (0, Look, ""),
            (0, Ask(1), ""),
            (0, Ask(2), ""),
            (0, Look, "ping"),
            (1, Ask(3), ""),
            (500, Look, ""), // one is out
            (500, Ask(4), ""),
            (501, Pong, "[1, 2]"),
            (501, Look, "ping"),
            (502, Pong, "[3, 4]"),
            (700, Look, ""),
        ]);
    }

    #[test]
    fn ten_pings_a_second() {
        let mut rows = vec![(0, Ask(0), ""), (0, Look, "ping"), (0, Pong, "[0]")];
        for round in 1..20 {
            let at = round * 100;
            let pong = (at + 5, Pong, "[0]");
            rows.extend([(at - 50, Ask(0), ""), (at - 1, Look, ""), (at, Look, "ping"), pong]);
        }
        table(&rows);
    }

    #[test]
    fn a_heartbeat_that_is_out_is_answered_first() {
        table(&[
            (0, Beat, "ping"),
            (1, Ask(1), ""),
            (1, Look, "ping"),
            (2, Pong, "[]"),
            (3, Pong, "[1]"),
        ]);
    }

    #[test]
    fn a_heartbeat_serves_those_who_wait_for_a_ping() {
        table(&[
            (0, Ask(1), ""),
            (0, Look, "ping"),
            (1, Pong, "[1]"),
            (2, Ask(2), ""),
            (3, Beat, "ping"),
            (4, Ask(3), ""),
            (5, Beat, "ping"), // serves nobody: one is out
            (6, Pong, "[2]"),
            (102, Look, ""), // no sooner after a heartbeat
            (103, Look, "ping"),
            (104, Pong, "[]"),
            (105, Pong, "[3]"),
        ]);
    }

    #[test]
    fn nobody_who_waits_no_ping() {
        table(&[
            (0, Ask(1), ""),
            (0, Leave(1), ""),
            (0, Look, ""),
            (0, Ask(1), ""),
            (0, Ask(2), ""),
            (1, Look, "ping"),
            (2, Pong, "[2]"),
        ]);
    }

    #[test]
    fn those_who_left_take_no_room() {
        let mut receipts = Receipts::default();
        receipts.ask(0, |_| true);
        for waiter in 1..10_000 {
            receipts.ask(waiter, |waiter| *waiter == 0);
        }
        assert!(receipts.asked.capacity() <= 8, "{}", receipts.asked.capacity());
        assert_eq!(receipts.asked[0], 0);
    }
}
