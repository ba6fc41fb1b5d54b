//! Entries of this node that are on their way into the log and back.
//!
//! A node whose clients may come back delivers its own events when it reads them, with their offsets, as
//! all nodes do: so there is one order. One that does not come back in time is delivered without, and
//! forgotten when it is read after all. The log keeps the order in which entries were handed over, but
//! for such as two threads hand over at the same moment; so entries are told by their contents.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// What waits, each with a `T` for when it comes back.
#[derive(Debug)]
pub(crate) struct Own<T> {
    waiting: VecDeque<Sent<T>>,
    /// Those that did not come back in time.
    given_up: VecDeque<Sent<()>>,
    bytes: usize,
    number: u64,
    /// How long one is waited for.
    patience: Duration,
}

#[derive(Debug)]
struct Sent<T> {
    number: u64,
    data: Bytes,
    at: Instant,
    what: T,
}

/// What became of an entry that came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Back<T> {
    InTime(T),
    /// It was given up.
    Late,
    /// It never waited.
    Unknown,
}

impl<T> Own<T> {
    pub(crate) fn new(patience: Duration) -> Self {
        let (waiting, given_up) = (VecDeque::new(), VecDeque::new());
        Self { waiting, given_up, bytes: 0, number: 0, patience }
    }

    /// An entry is about to be handed over. Its number, by which it can be taken back.
    pub(crate) fn push(&mut self, data: Bytes, what: T, now: Instant) -> u64 {
        self.number += 1;
        self.bytes += data.len();
        self.waiting.push_back(Sent { number: self.number, data, at: now, what });
        self.number
    }

    /// It was not taken.
    pub(crate) fn take_back(&mut self, number: u64) -> Option<T> {
        let at = self.waiting.iter().rposition(|sent| sent.number == number)?;
        let sent = self.waiting.remove(at)?;
        self.bytes -= sent.data.len();
        Some(sent.what)
    }

    /// An entry of this node was read.
    pub(crate) fn back(&mut self, data: &[u8]) -> Back<T> {
        if let Some(at) = self.waiting.iter().position(|sent| sent.data == data) {
            let Some(sent) = self.waiting.remove(at) else { return Back::Unknown };
            self.bytes -= sent.data.len();
            self.forget_before(sent.at);
            return Back::InTime(sent.what);
        }
        let Some(at) = self.given_up.iter().position(|sent| sent.data == data) else {
            return Back::Unknown;
        };
        let Some(sent) = self.given_up.remove(at) else { return Back::Unknown };
        self.bytes -= sent.data.len();
        self.forget_before(sent.at);
        Back::Late
    }

    /// What was handed over well before an entry that came back does not come any more.
    fn forget_before(&mut self, at: Instant) {
        while self.given_up.front().is_some_and(|sent| sent.at + AT_ONCE < at) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(sent) = self.given_up.pop_front() {
            self.bytes -= sent.data.len();
        }
    }

    /// When the next is given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|sent| sent.at + self.patience)
    }

    /// Gives up what has waited for too long, in order.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<T> {
        let is_late = |sent: &&Sent<T>| sent.at + self.patience <= now;
        let late = self.waiting.iter().take_while(is_late).count();
        self.give_up(late)
    }

    /// Gives up all that waits, in order: nothing will come back soon.
    pub(crate) fn give_up_all(&mut self) -> Vec<T> {
        self.give_up(self.waiting.len())
    }

    fn give_up(&mut self, count: usize) -> Vec<T> {
        let mut given_up = Vec::with_capacity(count);
        for Sent { number, data, at, what } in self.waiting.drain(..count) {
            self.given_up.push_back(Sent { number, data, at, what: () });
            given_up.push(what);
        }
        while self.given_up.len() > MAX_GIVEN_UP || self.bytes > MAX_BYTES {
            if self.given_up.is_empty() {
                break;
            }
            self.forget_first();
        }
        given_up
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// Between the moments at which two threads hand over what they have noted down.
const AT_ONCE: Duration = Duration::from_secs(1);

/// As many as wait for a broker that is away, and as many bytes twice. Beyond, an event that comes back
/// very late is sent once more.
const MAX_GIVEN_UP: usize = 10_000;
const MAX_BYTES: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    #[expect(clippy::disallowed_methods, reason = "where the hands of the clock begin")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn what_comes_back_in_time_or_late_or_never() {
        let start = start();
        let at = |ms| start + Duration::from_millis(ms);
        let mut own = Own::new(PATIENCE);
        for (n, data) in ["a", "b", "b", "c", "d"].into_iter().enumerate() {
            own.push(data.into(), n, at(n as u64 * 10));
        }
        assert_eq!(own.deadline(), Some(at(200)));
        assert_eq!(own.back(b"a"), Back::InTime(0));
        assert_eq!(own.back(b"a"), Back::Unknown);
        // equal ones in their order, and one that passed another by
        assert_eq!([own.back(b"b"), own.back(b"c")], [Back::InTime(1), Back::InTime(3)]);
        assert_eq!(own.overdue(at(219)), Vec::<usize>::new());
        assert_eq!(own.overdue(at(220)), [2]);
        assert_eq!(own.deadline(), Some(at(240)));
        assert_eq!(own.back(b"b"), Back::Late);
        assert_eq!(own.back(b"b"), Back::Unknown);
        let number = own.push("e".into(), 5, at(60));
        assert_eq!(own.take_back(number), Some(5));
        assert_eq!(own.take_back(number), None);
        assert_eq!(own.give_up_all(), [4]);
        assert!(!own.is_waiting() && own.bytes == 1);
        // what was lost is forgotten when later ones come
        own.push("f".into(), 6, at(5_000));
        assert_eq!(own.back(b"f"), Back::InTime(6));
        assert_eq!((own.back(b"d"), own.bytes), (Back::Unknown, 0));
    }

    #[test]
    fn what_is_given_up_is_bounded() {
        let start = start();
        let mut own = Own::new(PATIENCE);
        for n in 0..MAX_GIVEN_UP + 10 {
            own.push(n.to_string().into(), n, start);
        }
        assert_eq!(own.give_up_all().len(), MAX_GIVEN_UP + 10);
        assert_eq!((own.back(b"9"), own.back(b"10")), (Back::Unknown, Back::Late));
        let large = Bytes::from(vec![0; MAX_BYTES + 1]);
        own.push(large, 0, start);
        assert_eq!(own.give_up_all(), [0]);
        assert_eq!((own.given_up.len(), own.bytes), (0, 0));
    }
}
