//! What a cluster needs from a broker that keeps messages, in an order, with an offset each.
//!
//! A [`Bus`](super::bus::Bus) beside it carries what is worth nothing later: questions and answers. What
//! tells something goes into the log, which a node reads from where it was, so that the loss of a
//! connection loses nothing. The nodes see one order.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::bus::QueueFull;
use crate::AdapterFuture;

/// A log that the nodes of a cluster share. It may have parts, each with an order of its own; who
/// writes about a namespace does so in one part.
pub trait Log: Send + Sync + fmt::Debug + 'static {
    /// Appends an entry, behind those that were handed over before. Never waits: what does not fit the
    /// queue, or is lost on the way, is counted. What may have arrived is not appended again.
    ///
    /// # Errors
    /// If it did not fit the queue.
    fn append(&self, entry: NewEntry) -> Result<(), QueueFull>;

    /// Hands the entries of a namespace to `follower`, from now on, each once, in the order of its part.
    fn follow(&self, namespace: &str, follower: &Arc<dyn Follower>);

    /// This follower (the same pointer) gets no more.
    fn unfollow(&self, namespace: &str, follower: &Arc<dyn Follower>);

    /// Whether what is appended now is likely to be read soon.
    fn is_connected(&self) -> bool;

    /// What there is of the entries of a namespace from an offset on.
    fn cover(&self, namespace: &str, offset: Offset) -> AdapterFuture<Cover>;

    /// The entries of a namespace behind an offset, oldest first: the first of them, at most `limit`
    /// and those of other namespaces that are in between, which may be among them. Empty: there are
    /// none.
    fn range(&self, namespace: &str, after: Offset, limit: usize) -> AdapterFuture<Vec<Entry>>;

    /// How many entries there can be.
    fn capacity(&self) -> usize;

    /// What keeps sessions.
    fn store(&self) -> &dyn Store;
}

/// Keeps the sessions of a cluster, by their private ids.
pub trait Store: Send + Sync {
    /// Sets values, for so long, in this order; with `if_there` only those that are there. Says of each
    /// whether it is set.
    fn set(
        &self,
        values: Vec<(String, Bytes)>,
        lifetime: Duration,
        if_there: bool,
    ) -> AdapterFuture<Vec<bool>>;

    /// The value of a session.
    fn get(&self, pid: &str) -> AdapterFuture<Option<Vec<u8>>>;

    /// The same, which is then nobody else's.
    fn take(&self, pid: &str) -> AdapterFuture<Option<Vec<u8>>>;

    /// Removes sessions.
    fn remove(&self, pids: Vec<String>) -> AdapterFuture<()>;
}

/// Takes the entries of a namespace.
pub trait Follower: Send + Sync + 'static {
    /// A part of the log is read from behind this offset on: at the beginning, and again when the part
    /// has begun anew.
    fn begin(&self, part: usize, offset: Offset);

    /// Takes an entry. It must not block: the next comes when it returns.
    fn receive(&self, entry: &Entry);

    /// Runs `f`, in which entries are handed to this and other followers: those that wait at the same
    /// time, so that what they cause is written together.
    fn together(&self, f: &mut dyn FnMut()) {
        f();
    }
}

/// Where an entry is in its part of the log. Later entries have larger ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the form is that of the clients' offsets")]
pub struct Offset(pub u64, pub u64);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

impl FromStr for Offset {
    type Err = NoOffset;

    // Node: /^[0-9]+-[0-9]+$/
    fn from_str(text: &str) -> Result<Self, NoOffset> {
        let (first, second) = text.split_once('-').ok_or(NoOffset)?;
        let number = |digits: &str| {
            let is_one =
                matches!(digits.len(), 1..=20) && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|_| is_one).ok_or(NoOffset)
        };
        Ok(Self(number(first)?, number(second)?))
    }
}

/// A text that is no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NoOffset;

impl fmt::Display for NoOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no offset")
    }
}

impl std::error::Error for NoOffset {}

/// What is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are those of the format")]
pub struct NewEntry {
    /// The namespace.
    pub namespace: String,
    /// The sender.
    pub uid: String,
    /// The type.
    pub kind: u8,
    /// The data, a text.
    pub data: Bytes,
}

/// What is read, with nothing taken for granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are those of the format")]
pub struct Entry {
    /// The part of the log.
    pub part: usize,
    /// Where it is there.
    pub offset: Offset,
    /// The namespace.
    pub namespace: String,
    /// The sender.
    pub uid: Option<Vec<u8>>,
    /// The type, a number.
    pub kind: Option<Vec<u8>>,
    /// The data.
    pub data: Option<Vec<u8>>,
}

/// What there is of a log from an offset on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two questions, two answers")]
pub struct Cover {
    /// There is an entry at the offset.
    pub is_there: bool,
    /// No entry behind it is gone.
    pub is_complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_two_numbers() {
        for (text, offset) in [
            ("0-0", Offset(0, 0)),
            ("1796017714287-0", Offset(1_796_017_714_287, 0)),
            ("00-01", Offset(0, 1)),
            ("18446744073709551615-18446744073709551615", Offset(u64::MAX, u64::MAX)),
        ] {
            assert_eq!(text.parse(), Ok(offset), "{text}");
        }
        assert_eq!(Offset(12, 3).to_string(), "12-3");
        let none = [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-2-3",
            " 1-2",
            "1-2 ",
            "+1-2",
            "1-+2",
            "1-a",
            "١-٢",
            "18446744073709551616-0",
            "000000000000000000001-0",
            "(1-2",
        ];
        for text in none {
            assert_eq!(text.parse::<Offset>(), Err(NoOffset), "{text}");
        }
        assert!(Offset(1, u64::MAX) < Offset(2, 0) && Offset(2, 0) < Offset(2, 1));
    }
}
