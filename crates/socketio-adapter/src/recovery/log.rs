//! The packets that may have to be sent again: pointers, in the order in which they were sent.
//!
//! A packet is let go of when all for whom it was meant have taken it, or when it is too old or too much.
//!
//! A packet's position is its number in this order, from 1; positions of packets that are gone are
//! not used again. An offset is a position as a client sees it: a text of fixed length, so that it
//! can be filled in when the position is known, which begins with a mark of this log.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets, of which it is known how many bytes they are.
#[derive(Debug)]
pub(crate) struct Log<P> {
    packets: VecDeque<Entry<P>>,
    /// The position of the first packet that is kept, or of the next one.
    start: u64,
    /// Those of the packets that are kept.
    count: usize,
    bytes: usize,
    bounds: Bounds,
    /// For packets that are kept, and those between them that are not.
    places: usize,
    /// How a client is told of the position behind [`Log::head`].
    next: [u8; OFFSET_LEN],
}

#[derive(Debug)]
struct Entry<P> {
    /// `None`: nobody needs it.
    packet: Option<P>,
    size: usize,
    /// When it is too old; `None`: never, as the clock ends before.
    until: Option<Instant>,
    /// Sessions that may need it.
    needed: u32,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

/// What was let go of, to be dropped where it may, and for which bound.
#[derive(Debug)]
pub(crate) struct Removed<P> {
    /// Most often it is one.
    first: Option<P>,
    more: Option<Vec<P>>,
    pub(crate) for_packets: u64,
    pub(crate) for_bytes: u64,
    pub(crate) for_age: u64,
}

impl<P> Log<P> {
    /// An empty log; `mark` tells its offsets from those of others.
    pub(crate) fn new(bounds: Bounds, mark: u64) -> Self {
        let mut next = [0; OFFSET_LEN];
        write_number(mark, &mut next[..MARK]);
        write_number(1, &mut next[MARK..]);
        let places = bounds.packets.saturating_mul(PLACES);
        Self { packets: VecDeque::new(), start: 1, count: 0, bytes: 0, bounds, places, next }
    }

    /// The position of the first packet that is kept; that of the next one, if none is.
    pub(crate) const fn start(&self) -> u64 {
        self.start
    }

    /// The position of the newest packet; 0: there was none.
    pub(crate) fn head(&self) -> u64 {
        self.start + self.packets.len() as u64 - 1
    }

    pub(crate) fn get(&self, position: u64) -> Option<&P> {
        let at = position.checked_sub(self.start)?;
        self.packets.get(usize::try_from(at).ok()?)?.packet.as_ref()
    }

    /// Keeps the packet that was sent at the position behind [`Log::head`], for so many sessions.
    pub(crate) fn push(
        &mut self,
        packet: P,
        (size, needed): (usize, u32),
        now: Instant,
        removed: &mut Removed<P>,
    ) {
        let until = now.checked_add(self.bounds.age);
        self.packets.push_back(Entry { packet: Some(packet), size, until, needed });
        count_up(&mut self.next[MARK..]);
        self.count += 1;
        self.bytes += size;
        // one that waits for long in front keeps the places of others behind it
        while self.count > self.bounds.packets || self.packets.len() > self.places {
            removed.for_packets += 1;
            self.pop(removed);
        }
        while self.bytes > self.bounds.bytes {
            removed.for_bytes += 1;
            self.pop(removed);
        }
        self.expire(now, removed);
    }

    /// A session needs the packet at a position no more.
    pub(crate) fn release(&mut self, position: u64, removed: &mut Removed<P>) {
        let Some(at) = position.checked_sub(self.start) else { return };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let Some(entry) = self.packets.get_mut(at) else { return };
        entry.needed = entry.needed.saturating_sub(1);
        if entry.needed > 0 {
            return;
        }
        if let Some(packet) = entry.packet.take() {
            self.count -= 1;
            self.bytes -= entry.size;
            removed.add(packet);
        }
        while self.packets.front().is_some_and(|entry| entry.packet.is_none()) {
            self.packets.pop_front();
            self.start += 1;
        }
        // a burst leaves a large table behind
        if self.packets.len() * 8 < self.packets.capacity() {
            self.packets.shrink_to(self.packets.len() * 2);
        }
    }

    /// Lets go of what is too old.
    pub(crate) fn expire(&mut self, now: Instant, removed: &mut Removed<P>) {
        let is_old = |entry: &Entry<P>| entry.until.is_some_and(|until| until < now);
        while self.packets.front().is_some_and(is_old) {
            removed.for_age += 1;
            self.pop(removed);
        }
    }

    /// Lets go of all: nobody needs it.
    pub(crate) fn clear(&mut self, removed: &mut Removed<P>) {
        while !self.packets.is_empty() {
            self.pop(removed);
        }
        self.packets = VecDeque::new();
    }

    fn pop(&mut self, removed: &mut Removed<P>) {
        let Some(Entry { packet, size, .. }) = self.packets.pop_front() else { return };
        self.start += 1;
        if let Some(packet) = packet {
            self.count -= 1;
            self.bytes -= size;
            removed.add(packet);
        }
    }

    /// How a client is told of the position behind [`Log::head`].
    pub(crate) const fn next_offset(&self) -> &[u8; OFFSET_LEN] {
        &self.next
    }

    /// The position that an offset stands for; `None`: it is none of this log.
    pub(crate) fn position(&self, offset: &str) -> Option<u64> {
        let digits = offset.as_bytes().strip_prefix(&self.next[..MARK])?;
        let position = read_number(digits).filter(|_| offset.len() == OFFSET_LEN)?;
        (position <= self.head()).then_some(position)
    }
}

impl<P> Default for Removed<P> {
    fn default() -> Self {
        Self { first: None, more: None, for_packets: 0, for_bytes: 0, for_age: 0 }
    }
}

impl<P> Removed<P> {
    fn add(&mut self, packet: P) {
        match &self.first {
            None => self.first = Some(packet),
            Some(_) => self.more.get_or_insert_default().push(packet),
        }
    }
}

fn write_number(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 64) as usize];
        number /= 64;
    }
}

/// The digits of the next number.
fn count_up(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        let next = NEXT[usize::from(*digit) % NEXT.len()];
        *digit = next;
        if next != DIGITS[0] {
            break;
        }
    }
}

fn read_number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number: u64, digit| {
        let value = DIGITS.iter().position(|other| other == digit)?;
        number.checked_mul(64)?.checked_add(value as u64)
    })
}

/// The length of an offset: 24 bits of a mark, and a position below 2^48, which a million packets a
/// second reach in nine years.
pub const OFFSET_LEN: usize = 12;
const MARK: usize = 4;

/// Places for each packet that is kept, those included of which the packets are not needed.
const PLACES: usize = 8;

/// In the order of ASCII, so that offsets sort as their positions do.
const DIGITS: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Of each digit the one behind it; behind the last comes the first.
const NEXT: [u8; 128] = {
    let (mut next, mut at) = ([0; 128], 0);
    while at < DIGITS.len() {
        next[DIGITS[at] as usize] = DIGITS[(at + 1) % DIGITS.len()];
        at += 1;
    }
    next
};

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn bounds(packets: usize, bytes: usize, age: Duration) -> Bounds {
        Bounds { packets, bytes, age }
    }

    #[test]
    fn each_bound_lets_go_of_the_oldest_and_counts() {
        // (bounds, sizes of packets sent a second apart, first and last kept, counts)
        let roomy = bounds(100, 1000, SECOND * 100);
        let table = [
            (roomy, vec![1; 10], (1, 10), [0, 0, 0]),
            (Bounds { packets: 3, ..roomy }, vec![1; 10], (8, 10), [7, 0, 0]),
            (Bounds { bytes: 25, ..roomy }, vec![10; 5], (4, 5), [0, 3, 0]),
            (Bounds { age: SECOND * 2, ..roomy }, vec![1; 10], (8, 10), [0, 0, 7]),
            // larger than all that may be kept
            (Bounds { bytes: 25, ..roomy }, vec![1, 1, 26], (4, 3), [0, 3, 0]),
            (Bounds { bytes: 25, ..roomy }, vec![26, 1], (2, 2), [0, 1, 0]),
        ];
        for (bounds, sizes, kept, counts) in table {
            let (mut log, mut removed, now) = (Log::new(bounds, 0), Removed::default(), now());
            for (n, size) in (1..).zip(sizes) {
                log.push(n, (size, 1), now + SECOND * n, &mut removed);
            }
            assert_eq!((log.start(), log.head()), kept, "{bounds:?}");
            for position in 0..20 {
                let expected = (kept.0..=kept.1).contains(&position).then_some(position as u32);
                assert_eq!(log.get(position).copied(), expected, "{bounds:?} {position}");
            }
            assert_eq!([removed.for_packets, removed.for_bytes, removed.for_age], counts);
        }
    }

    #[test]
    fn what_nobody_needs_is_let_go_of() {
        let (mut log, now) = (Log::new(bounds(2, 100, SECOND), 0), now());
        let push = |log: &mut Log<u64>, needed| {
            let mut removed = Removed::default();
            log.push(log.head() + 1, (10, needed), now, &mut removed);
            removed.for_packets
        };
        assert_eq!([2, 1].map(|needed| push(&mut log, needed)), [0, 0]);
        let release = |log: &mut Log<u64>, position| {
            let mut removed = Removed::default();
            log.release(position, &mut removed);
            (removed.first, log.start(), log.head(), log.bytes)
        };
        // one of two sessions; then the packet behind it; what is gone or was never there
        assert_eq!(release(&mut log, 1), (None, 1, 2, 20));
        assert_eq!(release(&mut log, 2), (Some(2), 1, 2, 10));
        assert_eq!((log.get(1), log.get(2)), (Some(&1), None));
        assert_eq!([2, 3, 0].map(|position| release(&mut log, position)), [(None, 1, 2, 10); 3]);
        // what is let go of takes the place of none
        assert_eq!(push(&mut log, 1), 0);
        assert_eq!(release(&mut log, 1), (Some(1), 3, 3, 10));
        assert_eq!(release(&mut log, 3), (Some(3), 4, 3, 0));
        // but there are not many more places than packets
        push(&mut log, 1);
        for n in 1..16 {
            assert_eq!(push(&mut log, 1), 0, "{n}");
            let newest = log.head();
            release(&mut log, newest);
        }
        assert_eq!((log.start(), push(&mut log, 1)), (4, 1));
        assert_eq!((log.count, log.bytes), (1, 10));
    }

    #[test]
    fn offsets_are_texts_of_one_length_that_only_their_log_reads() {
        let mut log = Log::new(bounds(2, 10, SECOND), 77);
        let mut offsets: Vec<String> = Vec::new();
        // as many that the third digit from behind counts
        for position in 1..=5_000u64 {
            let text = String::from_utf8(log.next_offset().to_vec()).unwrap();
            assert!(offsets.last().is_none_or(|last| *last < text), "in order");
            assert_eq!(log.position(&text), None, "not sent yet");
            log.push(0u32, (1, 1), now(), &mut Removed::default());
            assert_eq!(log.position(&text), Some(position));
            assert_eq!(Log::<u32>::new(bounds(2, 10, SECOND), 78).position(&text), None);
            offsets.push(text);
        }
        assert_eq!(log.position(&offsets[0]), Some(1), "gone, but it was sent");
        let text = || offsets[4].clone();
        for other in [String::new(), "0".into(), text()[1..].into(), text() + "0", "é".repeat(6)] {
            assert_eq!(log.position(&other), None, "{other}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "where the hands of the clock begin")]
    fn now() -> Instant {
        Instant::now()
    }
}
