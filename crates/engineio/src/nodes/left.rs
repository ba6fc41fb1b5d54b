//! Where sessions are that have moved from this node to others: requests that were on their way still
//! come here, as the tag of the id says.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use engineio_proto::NodeTag;
use engineio_proto::guard::lock;

/// The nodes of sessions that have left, for a time.
#[derive(Debug, Default)]
pub(crate) struct Left(Mutex<HashMap<Box<str>, (NodeTag, Instant)>>);

/// Far more than move within the time of a heartbeat.
const MAX: usize = 65_536;

impl Left {
    /// A session moves to a node, which it is asked for until then.
    pub(crate) fn add(&self, now: Instant, sid: &str, to: NodeTag, until: Instant) {
        let mut left = lock(&self.0);
        if left.len() >= left.capacity() || left.len() >= MAX {
            left.retain(|_, (_, until)| now < *until);
        }
        if left.len() < MAX {
            left.insert(sid.into(), (to, until));
        }
    }

    /// It has not moved.
    pub(crate) fn remove(&self, sid: &str) {
        let removed = lock(&self.0).remove_entry(sid);
        drop(removed); // outside of the lock
    }

    /// The node to which a session has moved.
    pub(crate) fn get(&self, now: Instant, sid: &str) -> Option<NodeTag> {
        let left = lock(&self.0);
        left.get(sid).filter(|(_, until)| now < *until).map(|(tag, _)| *tag)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_known_for_a_time() {
        let (left, now, tag) = (Left::default(), Instant::now(), NodeTag::of_name("nodB"));
        let until = now + Duration::from_secs(85);
        left.add(now, "a", tag, until);
        assert_eq!((left.get(now, "a"), left.get(now, "b")), (Some(tag), None));
        assert_eq!(left.get(until, "a"), None);
        left.remove("a");
        assert_eq!(left.get(now, "a"), None);
    }

    #[test]
    fn it_is_bounded() {
        let (left, now, tag) = (Left::default(), Instant::now(), NodeTag::of_name("nodB"));
        let until = now + Duration::from_secs(85);
        for n in 0..MAX + 10 {
            left.add(now, &n.to_string(), tag, until);
        }
        assert_eq!(lock(&left.0).len(), MAX);
        // those that are over make room
        left.add(until, "new", tag, until + Duration::from_secs(85));
        assert_eq!(lock(&left.0).len(), 1);
    }
}
