//! Who the other nodes of a namespace are, by name, where the broker cannot count who listens.
//!
//! A table without a clock and without I/O, fed by what the others send. Every message is a sign of
//! its sender; a node that has nothing to say sends heartbeats. One that was not heard of for too
//! long is gone, and so is one that took its leave: what it had sent before may still come behind that.
//!
//! ```text
//!            a message of it                      silent for `timeout`
//!   unknown -----------------> known (renewed by each message) ------> unknown
//!      ^  `timeout` later        | farewell           ^
//!      +-------------------- departed ----------------+ hello
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::{Duration, Instant};

use super::message::Sign;

/// The other nodes, and when this one shows itself next.
#[derive(Debug)]
pub(crate) struct Peers {
    times: Heartbeats,
    /// When each was heard of last.
    heard: HashMap<String, Instant>,
    /// When those took their leave of whom something may still come.
    departed: HashMap<String, Instant>,
    next_beat: Instant,
}

/// Whether this node may still show itself: its farewell comes behind all heartbeats, whoever sends
/// them.
#[derive(Debug, Default)]
pub(crate) struct Shown(AtomicUsize);

impl Shown {
    /// This node is about to show itself. False: it took its leave.
    pub(crate) fn begin(&self) -> bool {
        let begun = |state: usize| (state & LEAVING == 0).then_some(state + 1);
        self.0.fetch_update(AcqRel, Acquire, begun).is_ok()
    }

    /// It has. True: it takes its leave now.
    pub(crate) fn end(&self) -> bool {
        self.0.fetch_sub(1, AcqRel) == LEAVING + 1
    }

    /// It is to take its leave. True: now, else whoever shows it at this moment does it.
    pub(crate) fn leave(&self) -> bool {
        self.0.fetch_or(LEAVING, AcqRel) == 0
    }
}

const LEAVING: usize = 1 << (usize::BITS - 1);

/// How often nodes show themselves, and when one that does not is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeats {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

impl Default for Heartbeats {
    // Node: heartbeatInterval, heartbeatTimeout of the adapters over Postgres and Mongo
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), timeout: Duration::from_secs(10) }
    }
}

/// What follows from a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    Nothing,
    /// This node shows itself, to one that knows nobody yet.
    Show,
    /// Nobody waits for that node any more.
    Gone,
}

/// What is due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// This node shows itself.
    pub(crate) beat: bool,
    /// Nobody waits for these nodes any more.
    pub(crate) gone: Vec<String>,
}

impl Peers {
    pub(crate) fn new(now: Instant, times: Heartbeats) -> Self {
        let within = |time: Duration| time.clamp(SHORTEST, LONGEST);
        let Heartbeats { interval, timeout } = times;
        let times = Heartbeats { interval: within(interval), timeout: within(timeout) };
        // Who came at the same time may have missed the first message.
        let next_beat = now + times.interval.min(FIRST_BEAT);
        Self { times, heard: HashMap::new(), departed: HashMap::new(), next_beat }
    }

    /// A node has sent something.
    pub(crate) fn on_sign(&mut self, now: Instant, node: &str, sign: Sign) -> Reaction {
        // Node: emitters share one name, and answer nothing
        if node == EMITTER {
            return Reaction::Nothing;
        }
        if sign == Sign::Farewell {
            self.forget_departed(now);
            if self.departed.len() < MAX_PEERS {
                self.departed.insert(node.to_owned(), now);
            }
            return match self.heard.remove(node) {
                Some(_) => Reaction::Gone,
                None => Reaction::Nothing,
            };
        }
        // a hello is that of one who came back
        if !self.departed.is_empty() && sign != Sign::Hello {
            self.forget_departed(now);
            if self.departed.contains_key(node) {
                return Reaction::Nothing;
            }
        }
        self.departed.remove(node);
        if let Some(heard) = self.heard.get_mut(node) {
            *heard = now;
        } else if self.heard.len() < MAX_PEERS {
            self.heard.insert(node.to_owned(), now);
        }
        if sign == Sign::Hello { Reaction::Show } else { Reaction::Nothing }
    }

    /// Whatever they had sent has come.
    fn forget_departed(&mut self, now: Instant) {
        let timeout = self.times.timeout;
        self.departed.retain(|_, then| now < *then + timeout);
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Instant {
        let oldest = self.heard.values().min();
        oldest.map_or(self.next_beat, |oldest| self.next_beat.min(*oldest + self.times.timeout))
    }

    pub(crate) fn on_deadline(&mut self, now: Instant) -> Due {
        let mut due = Due::default();
        let timeout = self.times.timeout;
        self.heard.retain(|node, heard| {
            let is_here = now < *heard + timeout;
            if !is_here {
                due.gone.push(node.clone());
            }
            is_here
        });
        if now >= self.next_beat {
            due.beat = true;
            self.next_beat = now + self.times.interval;
        }
        due
    }

    /// The nodes that are there, as far as is known.
    pub(crate) fn names(&self) -> HashSet<String> {
        self.heard.keys().cloned().collect()
    }
}

/// The name of all emitters.
pub(crate) const EMITTER: &str = "emitter";

/// Far more nodes than any cluster has, each of which reads every message. Others beyond are not
/// waited for.
pub(crate) const MAX_PEERS: usize = 1_000;

/// Nodes that show themselves more often do nothing else; times beyond all clocks are far ones.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(86_400);

const FIRST_BEAT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Heartbeats =
        Heartbeats { interval: Duration::from_secs(5), timeout: Duration::from_secs(10) };

    /// A table, and a clock that is moved by hand.
    struct Clock {
        peers: Peers,
        start: Instant,
    }

    impl Clock {
        #[expect(clippy::disallowed_methods, reason = "some time to begin with")]
        fn new() -> Self {
            let start = Instant::now();
            Self { peers: Peers::new(start, TIMES), start }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn sign(&mut self, ms: u64, node: &str, sign: Sign) -> Reaction {
            self.peers.on_sign(self.at(ms), node, sign)
        }

        #[track_caller]
        fn due(&mut self, ms: u64, beat: bool, gone: &[&str]) {
            let mut due = self.peers.on_deadline(self.at(ms));
            due.gone.sort();
            let gone = gone.iter().map(|&node| node.to_owned()).collect();
            assert_eq!(due, Due { beat, gone }, "at {ms}");
        }

        #[track_caller]
        fn deadline(&self, ms: u64) {
            assert_eq!(self.peers.deadline(), self.at(ms));
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = self.peers.names().into_iter().collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_node_shows_itself() {
        let mut clock = Clock::new();
        clock.deadline(1_000);
        clock.due(999, false, &[]);
        clock.due(1_000, true, &[]);
        clock.deadline(6_000);
        clock.due(1_001, false, &[]);
        // late, as after a pause of the process: once
        clock.due(17_000, true, &[]);
        clock.deadline(22_000);
        // more often than the first is usually
        let times = Heartbeats { interval: Duration::from_millis(100), ..TIMES };
        assert_eq!(Peers::new(clock.start, times).deadline(), clock.at(100));
    }

    #[test]
    fn whoever_sends_something_is_known() {
        let mut clock = Clock::new();
        assert_eq!(clock.sign(0, "a", Sign::Alive), Reaction::Nothing);
        assert_eq!(clock.sign(10, "b", Sign::Hello), Reaction::Show);
        assert_eq!(clock.sign(20, "b", Sign::Hello), Reaction::Show);
        assert_eq!(clock.names(), ["a", "b"]);
        assert_eq!(clock.sign(30, "a", Sign::Farewell), Reaction::Gone);
        assert_eq!(clock.sign(40, "a", Sign::Farewell), Reaction::Nothing);
        assert_eq!(clock.names(), ["b"]);
        // it may come back
        clock.sign(50, "a", Sign::Hello);
        clock.sign(60, "a", Sign::Alive);
        assert_eq!(clock.names(), ["a", "b"]);
    }

    /// A heartbeat, or an answer, that was on its way when its node took its leave.
    #[test]
    fn what_comes_behind_a_farewell_is_no_sign() {
        let mut clock = Clock::new();
        clock.sign(0, "a", Sign::Alive);
        clock.sign(10, "a", Sign::Farewell);
        // of one that was not known, too
        clock.sign(10, "b", Sign::Farewell);
        for ms in [10, 20, 10_009] {
            assert_eq!(clock.sign(ms, "a", Sign::Alive), Reaction::Nothing);
            clock.sign(ms, "b", Sign::Alive);
            assert!(clock.names().is_empty(), "at {ms}");
        }
        clock.sign(10_010, "a", Sign::Alive);
        assert_eq!(clock.names(), ["a"]);
        // not more of them than of others
        for node in 0..MAX_PEERS + 10 {
            clock.sign(20_000, &format!("{node}"), Sign::Farewell);
        }
        assert_eq!(clock.peers.departed.len(), MAX_PEERS);
    }

    #[test]
    fn nobody_shows_itself_behind_its_farewell() {
        let shown = Shown::default();
        assert!(shown.begin());
        assert!(!shown.end(), "nobody leaves");
        // the farewell comes behind what is being sent
        assert!(shown.begin() && shown.begin());
        assert!(!shown.leave());
        assert!(!shown.begin());
        assert!(!shown.end());
        assert!(shown.end());
        assert!(!shown.leave(), "once");
        let idle = Shown::default();
        assert!(idle.leave());
        assert!(!idle.begin() && !idle.leave());
    }

    #[test]
    fn who_is_silent_is_gone() {
        let mut clock = Clock::new();
        clock.sign(0, "a", Sign::Alive);
        clock.sign(100, "b", Sign::Alive);
        clock.due(1_000, true, &[]);
        clock.sign(5_000, "b", Sign::Alive);
        clock.due(6_000, true, &[]);
        clock.deadline(10_000);
        clock.due(9_999, false, &[]);
        clock.due(10_000, false, &["a"]);
        assert_eq!(clock.names(), ["b"]);
        clock.deadline(11_000);
        clock.due(15_000, true, &["b"]);
        assert!(clock.names().is_empty());
    }

    #[test]
    fn times_are_bounded() {
        let mut clock = Clock::new();
        let day = Duration::from_secs(86_400);
        for (time, bounded) in [(Duration::ZERO, Duration::from_millis(10)), (Duration::MAX, day)] {
            clock.peers = Peers::new(clock.start, Heartbeats { interval: time, timeout: time });
            let first = clock.start + bounded.min(FIRST_BEAT);
            assert!(clock.peers.on_deadline(first).beat);
            clock.peers.on_sign(clock.start, "a", Sign::Alive);
            assert_eq!(clock.peers.deadline(), (clock.start + bounded).min(first + bounded));
            let gone = clock.peers.on_deadline(clock.start + bounded).gone;
            assert_eq!(gone, ["a"]);
            assert_eq!(clock.peers.deadline(), first + bounded);
        }
    }

    #[test]
    fn emitters_are_no_nodes() {
        let mut clock = Clock::new();
        for sign in [Sign::Hello, Sign::Alive, Sign::Farewell] {
            assert_eq!(clock.sign(0, EMITTER, sign), Reaction::Nothing);
        }
        assert!(clock.names().is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let mut clock = Clock::new();
        for node in 0..MAX_PEERS {
            clock.sign(0, &node.to_string(), Sign::Alive);
        }
        assert_eq!(clock.sign(1, "one more", Sign::Hello), Reaction::Show);
        assert_eq!(clock.names().len(), MAX_PEERS);
        assert!(!clock.names().contains(&"one more".to_owned()));
        // those that are in it stay
        clock.sign(9_000, "7", Sign::Alive);
        assert_eq!(clock.peers.on_deadline(clock.at(10_000)).gone.len(), MAX_PEERS - 1);
        assert_eq!(clock.names(), ["7"]);
        clock.sign(10_000, "one more", Sign::Alive);
        assert_eq!(clock.names().len(), 2);
    }
}
