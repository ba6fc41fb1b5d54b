//! What one session was sent, or would have been: positions in the log, and texts that its client may
//! take for an offset.

use std::collections::VecDeque;
use std::time::Instant;

/// The positions of the packets that were meant for a session, as ranges, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    ranges: VecDeque<(u64, u64)>,
    /// The newest position that was meant for it and is in no range any more; 0: there is none.
    forgotten: u64,
}

impl Trail {
    /// The packet at a position is meant for the session. The log begins at `start`.
    pub(crate) fn push(&mut self, position: u64, start: u64) {
        if let Some((_, last)) = self.ranges.back_mut().filter(|(_, last)| *last + 1 == position) {
            *last = position;
            return;
        }
        while self.ranges.front().is_some_and(|(_, last)| *last < start) {
            self.forget_first();
        }
        if self.ranges.len() >= MAX_RANGES {
            self.forget_first();
        }
        self.ranges.push_back((position, position));
    }

    fn forget_first(&mut self) {
        if let Some((_, last)) = self.ranges.pop_front() {
            self.forgotten = last;
        }
    }

    /// Forgets what the session has taken up to a position, and says what that was.
    pub(crate) fn take(&mut self, position: u64, mut taken: impl FnMut(u64)) {
        while let Some((from, last)) = self.ranges.front_mut().filter(|(from, _)| *from <= position)
        {
            let until = (*last).min(position);
            (*from..=until).for_each(&mut taken);
            self.forgotten = until;
            *from = until + 1;
            if until == *last {
                self.ranges.pop_front();
            }
        }
    }

    /// The newest position that was meant for the session; 0: none was.
    pub(crate) fn last(&self) -> u64 {
        self.ranges.back().map_or(self.forgotten, |(_, last)| *last)
    }

    /// The positions that were meant for the session after `position`. `None`: some of them are not
    /// in the log any more, which begins at `start`.
    pub(crate) fn after(
        &self,
        position: u64,
        start: u64,
    ) -> Option<impl Iterator<Item = u64> + use<'_>> {
        let first = self.ranges.partition_point(|(_, last)| *last <= position);
        let missed = self.ranges.range(first..);
        let oldest = missed.clone().next().map(|(from, _)| (*from).max(position + 1));
        let complete = self.forgotten <= position && oldest.is_none_or(|oldest| oldest >= start);
        complete.then(|| missed.flat_map(move |(from, last)| (*from).max(position + 1)..=*last))
    }
}

/// Texts at the ends of packets that are not in the log, with the position of the newest packet
/// before each: the client takes them for its offset.
// Node: the client stores any text that is the last argument of an event
#[derive(Debug, Default)]
pub(crate) struct Texts {
    recent: VecDeque<Text>,
    /// There were more than are noted, the last of them then.
    overflowed: Option<Instant>,
}

#[derive(Debug)]
struct Text {
    hash: u64,
    position: u64,
    sent: Instant,
}

impl Texts {
    /// The only text that a client can have that came in with it.
    pub(crate) fn of(hash: u64, position: u64, now: Instant) -> Self {
        let text = Text { hash, position, sent: now };
        Self { recent: VecDeque::from([text]), overflowed: None }
    }

    /// What was sent before `received` has been received since, or the session would not be there.
    pub(crate) fn push(&mut self, hash: u64, position: u64, now: Instant, received: Instant) {
        // the client's text is this one or one that came later
        while self.recent.get(1).is_some_and(|text| text.sent < received) {
            self.recent.pop_front();
        }
        self.overflowed = self.overflowed.filter(|then| *then >= received);
        // one that comes again is the client's for longer: it counts from now on
        let is_it = |text: &Text| text.hash == hash && text.position == position;
        if let Some(at) = self.recent.iter().position(is_it) {
            self.recent.remove(at);
        }
        if self.recent.len() >= MAX_TEXTS {
            self.overflowed = self.recent.pop_front().map(|text| text.sent);
        }
        self.recent.push_back(Text { hash, position, sent: now });
    }

    /// The oldest position that a text may stand for; from there on nothing is lost. `None`: it stands
    /// for none that is known.
    pub(crate) fn position(&self, hash: u64) -> Option<u64> {
        let is_known = self.overflowed.is_none();
        let text = self.recent.iter().find(|text| text.hash == hash).filter(|_| is_known)?;
        Some(text.position)
    }
}

/// As many as 16 KiB hold. Packets that follow each other are one range: it takes a namespace whose
/// sockets are in different rooms to have many.
const MAX_RANGES: usize = 1_024;

/// So many different ones, or such with packets between them, within the time of a heartbeat.
const MAX_TEXTS: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn trail(positions: &[u64]) -> Trail {
        let mut trail = Trail::default();
        positions.iter().for_each(|position| trail.push(*position, 1));
        trail
    }

    #[test]
    fn what_was_missed_is_what_came_after_and_must_be_there() {
        // (meant, from, start of the log, missed)
        let meant: &[u64] = &[3, 4, 5, 9, 20, 21];
        let table: &[(u64, u64, Option<&[u64]>)] = &[
            (0, 1, Some(meant)),
            (2, 3, Some(meant)),
            (2, 4, None), // 3 is gone
            (3, 4, Some(&[4, 5, 9, 20, 21])),
            (3, 5, None),
            (5, 9, Some(&[9, 20, 21])), // what went between was for others
            (5, 10, None),
            (7, 9, Some(&[9, 20, 21])),
            (9, 20, Some(&[20, 21])),
            (20, 21, Some(&[21])),
            (20, 22, None),
            (21, 1000, Some(&[])), // it was quiet since
            (500, 1000, Some(&[])),
        ];
        for (from, start, expected) in table {
            let missed = trail(meant).after(*from, *start).map(Iterator::collect::<Vec<_>>);
            assert_eq!(missed.as_deref(), *expected, "after {from}, log from {start}");
        }
        assert_eq!((trail(meant).last(), trail(&[]).last()), (21, 0));
    }

    #[test]
    fn what_was_taken_is_forgotten() {
        // (up to, taken, left after that)
        let table: &[(u64, &[u64], &[u64])] = &[
            (2, &[], &[3, 4, 5, 9, 20, 21]),
            (3, &[3], &[4, 5, 9, 20, 21]),
            (8, &[3, 4, 5], &[9, 20, 21]),
            (20, &[3, 4, 5, 9, 20], &[21]),
            (500, &[3, 4, 5, 9, 20, 21], &[]),
        ];
        for (position, expected, left) in table {
            let (mut trail, mut taken) = (trail(&[3, 4, 5, 9, 20, 21]), Vec::new());
            trail.take(*position, |position| taken.push(position));
            assert_eq!(taken, *expected, "up to {position}");
            let missed = trail.after(*position, 1).map(Iterator::collect::<Vec<_>>);
            assert_eq!(missed.as_deref(), Some(*left), "after {position}");
            assert_eq!(trail.last(), 21);
            assert_eq!(trail.after(0, 1).is_none(), !taken.is_empty(), "it is not told again");
        }
    }

    #[test]
    fn what_is_forgotten_is_not_missed_in_silence() {
        let mut trail = Trail::default();
        (1..=MAX_RANGES as u64 + 10).for_each(|n| trail.push(n * 2, 1));
        assert_eq!(trail.ranges.len(), MAX_RANGES);
        assert!(trail.after(19, 1).is_none() && trail.after(20, 1).is_some());
        trail.push(10_000, 9_000); // those of before are not in the log
        assert_eq!((trail.ranges.len(), trail.last()), (1, 10_000));
        assert!(trail.after(2_000, 9_000).is_none() && trail.after(2_068, 9_000).is_some());
    }

    #[test]
    fn a_text_stands_for_the_oldest_place_where_it_may_have_been_received() {
        let start = start();
        let second = |n| start + Duration::from_secs(100 + n);
        let mut texts = Texts::default();
        let push = |texts: &mut Texts, hash, position, now: u64| {
            texts.push(hash, position, second(now), second(now) - Duration::from_secs(100));
        };
        for (hash, position) in [(7, 1), (8, 1), (7, 1), (7, 4)] {
            push(&mut texts, hash, position, 0);
        }
        assert_eq!([7, 8, 9].map(|hash| texts.position(hash)), [Some(1), Some(1), None]);
        // the first of them have been received when others have
        push(&mut texts, 7, 9, 50);
        push(&mut texts, 8, 9, 101);
        assert_eq!([7, 8].map(|hash| texts.position(hash)), [Some(4), Some(9)]);
        push(&mut texts, 8, 10, 151);
        assert_eq!([7, 8].map(|hash| texts.position(hash)), [Some(9), Some(9)]);
        // one that came again later than the others
        let mut again = Texts::default();
        for (hash, now) in [(7, 0), (8, 0), (7, 90), (9, 150)] {
            push(&mut again, hash, 1, now);
        }
        assert_eq!([7, 8, 9].map(|hash| again.position(hash)), [Some(1); 3]);
        // too many: it is not known which of them was received
        (0..=MAX_TEXTS as u64).for_each(|n| push(&mut texts, 7, 100 + n, 160));
        assert_eq!(texts.position(7), None);
        push(&mut texts, 7, 5_000, 400);
        assert_eq!(texts.position(7), Some(100 + MAX_TEXTS as u64));
    }

    #[expect(clippy::disallowed_methods, reason = "where the hands of the clock begin")]
    fn start() -> Instant {
        Instant::now()
    }
}
