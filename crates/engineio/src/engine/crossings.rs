//! Sessions that ended while no poll was parked: it may be on its way.
//!
//! The POST with the close packet goes over another connection than the poll, and may overtake it.
//! Had the poll been first, it would have been answered with a noop; so it is now, once. A client
//! at fault that is owed nothing else gets its close packet so. All later requests are those of an
//! unknown session. Nothing else of the session is kept, and of many sessions the last ones only.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use engineio_proto::guard::lock;
use engineio_proto::{PacketType, Protocol};

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
    last: PacketType,
    until: Instant,
}

/// Sessions of a generation: clients seldom close between two polls, and a poll is not late by more
/// than a round trip or two.
const MAX: usize = 512;

impl Crossings {
    /// A session was closed; its poll may come until then, and gets a last packet.
    pub(crate) fn add(&self, id: &str, protocol: Protocol, last: PacketType, until: Instant) {
        let closed = Closed { protocol, last, until };
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

    /// What a poll gets, if it is the first one of such a session.
    pub(crate) fn take(&self, id: &str, protocol: Protocol, now: Instant) -> Option<PacketType> {
        let found = {
            let mut all = lock(&self.0);
            let Generations { young, old } = &mut *all;
            [young, old].into_iter().find_map(|generation| {
                let is_it = generation.get(id).is_some_and(|closed| closed.protocol == protocol);
                is_it.then(|| generation.remove(id)).flatten()
            })
        };
        found.filter(|closed| now < closed.until).map(|closed| closed.last)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_poll_of_each_session_is_expected() {
        let (crossings, start) = (Crossings::default(), Instant::now());
        let until = start + Duration::from_secs(30);
        for last in [PacketType::Noop, PacketType::Close] {
            crossings.add("a", Protocol::V4, last, until);
            assert_eq!(crossings.take("b", Protocol::V4, start), None);
            assert_eq!(crossings.take("a", Protocol::V3, start), None);
            assert_eq!(crossings.take("a", Protocol::V4, start), Some(last));
            assert_eq!(crossings.take("a", Protocol::V4, start), None);
            crossings.add("a", Protocol::V4, last, until);
            assert_eq!(crossings.take("a", Protocol::V4, until), None);
        }
    }

    #[test]
    fn they_are_bounded() {
        let (crossings, start) = (Crossings::default(), Instant::now());
        let until = start + Duration::from_secs(30);
        for n in 0..10 * MAX {
            crossings.add(&n.to_string(), Protocol::V4, PacketType::Noop, until);
            let all = lock(&crossings.0);
            assert!(all.young.len() + all.old.len() <= 2 * MAX);
        }
        let take = |n: &usize| crossings.take(&n.to_string(), Protocol::V4, start).is_some();
        let last = (0..10 * MAX).filter(take);
        let last: Vec<_> = last.collect();
        assert!(last.len() >= MAX && last.contains(&(10 * MAX - 1)) && !last.contains(&0));
    }
}
