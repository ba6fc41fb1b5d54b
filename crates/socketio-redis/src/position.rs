//! Where in a stream this node is, and what it did not see of it. Pure: what Redis says comes in.

use socketio_adapter::Offset;

use crate::entries::StreamInfo;

/// The position in one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The newest entry that was read.
    pub(crate) at: Offset,
    /// How many entries had been added by then, as Redis counts them.
    counted: Option<u64>,
}

/// What a look at a stream shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gap {
    /// So many entries were gone before they were read; at least so many, where Redis does not count.
    pub(crate) missed: u64,
    /// The stream has begun anew, and is read from its beginning.
    pub(crate) has_begun_anew: bool,
}

impl Position {
    /// At the end of a stream.
    pub(crate) const fn at_end(info: &StreamInfo) -> Self {
        Self { at: info.last, counted: info.added }
    }

    /// An entry was read.
    pub(crate) fn read(&mut self, offset: Offset) {
        self.at = offset;
        self.counted = self.counted.map(|counted| counted + 1);
    }

    /// What Redis says of the stream, and the entries that are read right behind it, which are all of
    /// them: they are not counted [`read`](Self::read) yet.
    pub(crate) fn look(&mut self, info: &StreamInfo, read: &[Offset]) -> Gap {
        // failover to a server that was behind, FLUSHALL, DEL
        if info.last < self.at {
            *self = Self { at: Offset::default(), counted: info.added.map(|_| 0) };
            return Gap { missed: 1, has_begun_anew: true };
        }
        let seen = read.iter().filter(|offset| **offset <= info.last).count() as u64;
        let missed = match (info.added, self.counted) {
            // counted anew, with larger ids: what was read is what there is
            (Some(added), Some(counted)) if added < counted + seen => {
                self.counted = Some(added - seen.min(added));
                0
            }
            (Some(added), Some(counted)) => {
                self.counted = Some(added - seen);
                added - counted - seen
            }
            (added, _) => {
                self.counted = added.map(|added| added - seen.min(added));
                let is_behind = info.first.is_some_and(|first| first > self.at);
                u64::from(is_behind && self.at > Offset::default() && info.last > self.at)
            }
        };
        Gap { missed, has_begun_anew: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(last: u64, first: u64, added: Option<u64>) -> StreamInfo {
        StreamInfo { last: Offset(last, 0), first: Some(Offset(first, 0)), length: 1, added }
    }

    fn offsets(ids: &[u64]) -> Vec<Offset> {
        ids.iter().map(|id| Offset(*id, 0)).collect()
    }

    #[track_caller]
    fn look(position: &mut Position, info: &StreamInfo, read: &[u64], missed: u64) {
        let read = offsets(read);
        let gap = position.look(info, &read);
        assert_eq!(gap, Gap { missed, has_begun_anew: false });
        read.into_iter().for_each(|offset| position.read(offset));
    }

    #[test]
    fn what_was_trimmed_unread_is_counted_once() {
        let mut at = Position::at_end(&info(10, 1, Some(10)));
        look(&mut at, &info(10, 1, Some(10)), &[], 0);
        // 500 were added, and 100 are left
        let left: Vec<u64> = (411..=510).collect();
        look(&mut at, &info(510, 411, Some(510)), &left, 400);
        look(&mut at, &info(510, 411, Some(510)), &[], 0);
        // some came between what Redis said and what was read
        look(&mut at, &info(511, 411, Some(511)), &[511, 512, 513], 0);
        look(&mut at, &info(513, 411, Some(513)), &[], 0);
        // trimmed, but read before
        look(&mut at, &info(513, 513, Some(513)), &[], 0);
    }

    #[test]
    fn a_stream_that_begins_anew() {
        let mut at = Position::at_end(&info(1_000, 1, Some(7)));
        // with larger ids, as the clock goes on
        look(&mut at, &info(1_002, 1_001, Some(2)), &[1_001, 1_002], 0);
        look(&mut at, &info(1_003, 1_001, Some(3)), &[1_003], 0);
        look(&mut at, &info(1_009, 1_009, Some(9)), &[1_009], 5);
        // with smaller ones, or not at all
        for info in [info(500, 1, Some(3)), StreamInfo::missing()] {
            let mut at = at;
            let gap = at.look(&info, &[]);
            assert_eq!(gap, Gap { missed: 1, has_begun_anew: true });
            assert_eq!(at.at, Offset::default());
            assert_eq!(at.look(&StreamInfo::missing(), &[]), Gap::default());
        }
        at.look(&info(500, 1, Some(3)), &[]);
        look(&mut at, &info(500, 1, Some(3)), &[1, 2, 500], 0);
        look(&mut at, &info(501, 1, Some(4)), &[501], 0);
    }

    #[test]
    fn where_redis_does_not_count() {
        let mut at = Position::at_end(&info(10, 1, None));
        look(&mut at, &info(20, 5, None), &[11, 20], 0);
        look(&mut at, &info(30, 25, None), &[25, 30], 1);
        look(&mut at, &info(30, 25, None), &[], 0);
        // from the beginning
        let mut at = Position::at_end(&StreamInfo::default());
        look(&mut at, &info(30, 25, None), &[25, 30], 0);
        // a newer Redis
        look(&mut at, &info(40, 25, Some(100)), &[40], 0);
        look(&mut at, &info(41, 25, Some(102)), &[41], 1);
    }
}
