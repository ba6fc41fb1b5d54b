//! Options of the adapter over Redis streams.

use std::time::Duration;

use redis::{ErrorKind, RedisError};

use crate::publish::Trim;

/// How messages travel over Redis streams, see [`RedisAdapter::streams`](crate::RedisAdapter::streams).
/// All nodes of a cluster need the same `name`, `count` and `sharded_channels`, and `session_key_prefix`
/// where clients come back to their sessions; the rest is a node's own affair.
///
/// ```
/// use socketio_redis::Streams;
///
/// let mut streams = Streams::default();
/// streams.max_len = 100_000;
/// ```
// Node: @socket.io/redis-streams-adapter 0.3.x
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Streams {
    /// The name of the stream, or the beginning of the names (`socket.io`). Node: `streamName`.
    pub name: String,
    /// How many streams the namespaces are distributed to (1, at most 256). Node: `streamCount`.
    pub count: usize,
    /// How many entries a stream keeps (10,000), and about a hundred more. Who comes back to a session
    /// must find all that it missed: at 500 events a second these are 20 seconds. Node: `maxLen`.
    pub max_len: usize,
    /// How old the entries are that a stream keeps, in place of `max_len` (`None`): recovery promises a
    /// time, not a number. By the clock of this machine.
    pub max_age: Option<Duration>,
    /// Entries that are read at once, of each stream (100). Node: `readCount`.
    pub read_count: usize,
    /// How long Redis may wait for an entry before it answers that there is none (1 s, at most 5 s).
    /// Also how long it may take until it is noticed that a stream has begun anew. Node:
    /// `blockTimeInMs`, there 5 s.
    pub block_time: Duration,
    /// Where clients come back to their sessions: how long an event of this server may be on its way into
    /// the stream and back before this server's own clients get it without an offset (200 ms).
    pub patience: Duration,
    /// How the keys of sessions begin (`sio:session:`). Node: `sessionKeyPrefix`.
    pub session_key_prefix: String,
    /// Whether what is no entry travels over sharded channels (false). Node: `useShardedPubSub`.
    pub sharded_channels: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            name: "socket.io".to_owned(),
            count: 1,
            max_len: 10_000,
            max_age: None,
            read_count: 100,
            block_time: Duration::from_secs(1),
            patience: Duration::from_millis(200),
            session_key_prefix: "sio:session:".to_owned(),
            sharded_channels: false,
        }
    }
}

impl Streams {
    pub(crate) fn check(&self) -> Result<(), RedisError> {
        let wrong = |what: &'static str| Err((ErrorKind::InvalidClientConfig, what).into());
        if self.count == 0 || self.count > MAX_STREAMS {
            return wrong("so many streams make no sense");
        }
        if self.read_count == 0 {
            return wrong("no entries would be read");
        }
        match self.max_age {
            Some(age) if age.is_zero() => wrong("no entries would be kept"),
            None if self.max_len == 0 => wrong("no entries would be kept"),
            _ => Ok(()),
        }
    }

    pub(crate) fn trim(&self) -> Trim {
        self.max_age.map_or(Trim::Count(self.max_len), Trim::Age)
    }
}

/// Each node reads all of them, twice as many.
const MAX_STREAMS: usize = 256;
