//! Sessions that their clients have closed while no poll was parked: it may be on its way.
//!
//! The POST with the close packet goes over another connection than the poll, and may overtake it.
//! Had the poll been first, it would have been answered with a noop; so it is now, once. All later
//! requests are those of an unknown session. Nothing else of the session is kept, and of many
//! sessions the last ones only.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use engineio_proto::Protocol;
use engineio_proto::guard::lock;

/// The sessions that were closed so.
#[derive(Debug, Default)]
pub(crate) struct Crossings(Mutex<Generations>);

/// The younger one is filled; when it is full it becomes the older one, which is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<str>, Closed>,
    old: HashMap<Box<str>, Closed>,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    protocol: Protocol,
    until: Instant,
}

/// Sessions of a generation: clients seldom close between two polls, and a poll is not late by more
/// than a round trip or two.
const MAX: usize = 512;

impl Crossings {
    /// A session was closed; its poll may come for some time.
    pub(crate) fn add(&self, id: &str, protocol: Protocol, now: Instant, time: Duration) {
        let closed = Closed { protocol, until: now + time };
        let forgotten = {
            let mut all = lock(&self.0);
            let forgotten = (all.young.len() >= MAX).then(|| {
                let young = std::mem::take(&mut all.young);
                std::mem::replace(&mut all.old, young)
            });
            all.young.insert(id.into(), closed);
            forgotten
        };
        drop(forgotten); // outside of the lock
    }

    /// Whether a poll is the one of such a session; the first is.
    pub(crate) fn take(&self, id: &str, protocol: Protocol, now: Instant) -> bool {
        let found = {
            let mut all = lock(&self.0);
            let Generations { young, old } = &mut *all;
            [young, old].into_iter().find_map(|generation| {
                let is_it = generation.get(id).is_some_and(|closed| closed.protocol == protocol);
                is_it.then(|| generation.remove(id)).flatten()
            })
        };
        found.is_some_and(|closed| now < closed.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_poll_of_each_session_is_expected() {
        let (crossings, start, time) =
            (Crossings::default(), Instant::now(), Duration::from_secs(30));
        crossings.add("a", Protocol::V4, start, time);
        assert!(!crossings.take("b", Protocol::V4, start));
        assert!(!crossings.take("a", Protocol::V3, start));
        assert!(crossings.take("a", Protocol::V4, start));
        assert!(!crossings.take("a", Protocol::V4, start));
        crossings.add("a", Protocol::V4, start, time);
        assert!(!crossings.take("a", Protocol::V4, start + time));
    }

    #[test]
    fn they_are_bounded() {
        let (crossings, start, time) =
            (Crossings::default(), Instant::now(), Duration::from_secs(30));
        for n in 0..10 * MAX {
            crossings.add(&n.to_string(), Protocol::V4, start, time);
            let all = lock(&crossings.0);
            assert!(all.young.len() + all.old.len() <= 2 * MAX);
        }
        let last = (0..10 * MAX).filter(|n| crossings.take(&n.to_string(), Protocol::V4, start));
        let last: Vec<_> = last.collect();
        assert!(last.len() >= MAX && last.contains(&(10 * MAX - 1)) && !last.contains(&0));
    }
}
