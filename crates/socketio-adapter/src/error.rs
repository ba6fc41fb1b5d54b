//! What can go wrong in an adapter.

use std::error::Error;
use std::fmt;

/// Why an adapter could not do all that it was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdapterError {
    /// The socket was not allowed into a room.
    Join(JoinError),
    /// What the adapter runs on (a broker, a database) failed; what concerns this node was done.
    Backend(Box<dyn Error + Send + Sync>),
    /// The other nodes do not know such a request; what concerns this node was done. Says what they
    /// are.
    Unsupported(&'static str),
    /// Nobody answered in time: the socket that was meant is on no node, or its node does not
    /// answer.
    Timeout,
}

/// Why a socket was not joined to the rooms asked for. It then joined none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket would be in more rooms than one socket may be in.
    TooManyRooms {
        /// How many rooms a socket may be in, its own not counted.
        limit: usize,
    },
    /// The name of a room is too long.
    RoomTooLong {
        /// How long it may be, in bytes.
        limit: usize,
    },
}

/// Why a socket was not let in. It is then in no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnterError {
    /// Another socket of the namespace has its id.
    DuplicateId,
    /// It was not allowed into its rooms.
    Join(JoinError),
    /// Its connection is over.
    Closed,
    /// The session that it was to go on with cannot be recovered.
    NotRecovered(NotRecovered),
}

/// Why a client did not get back to the session that it had before.
// Node: a fresh socket, without a reason
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotRecovered {
    /// It named none: it is new, or a client that knows nothing of recovery.
    NoPid,
    /// There is no such session: it never was, its client or the application ended it, or it was
    /// let go of, as too many were away.
    UnknownSession,
    /// Its client was away for too long.
    Expired,
    /// What it missed is not kept any more, or the offset that it named is none of the session's.
    Evicted,
    /// The session belongs to somebody else.
    Identity,
    /// Recovery is off, or the adapter or the parser of the server cannot do it.
    Unsupported,
    /// Its connection of before did not end in time.
    Busy,
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join(_) => f.write_str("the socket could not join"),
            Self::Backend(_) => f.write_str("the adapter's back end failed"),
            Self::Unsupported(who) => write!(f, "{who} do not know this request"),
            Self::Timeout => f.write_str("no node answered in time"),
        }
    }
}

impl Error for AdapterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Join(error) => Some(error),
            Self::Backend(error) => Some(error.as_ref()),
            Self::Unsupported(_) | Self::Timeout => None,
        }
    }
}

impl From<JoinError> for AdapterError {
    fn from(error: JoinError) -> Self {
        Self::Join(error)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRooms { limit } => write!(f, "a socket may be in {limit} rooms at most"),
            Self::RoomTooLong { limit } => write!(f, "a room's name has {limit} bytes at most"),
        }
    }
}

impl Error for JoinError {}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DuplicateId => "another socket of the namespace has this id",
            Self::Join(_) => "the socket could not join its rooms",
            Self::Closed => "the socket's connection is over",
            Self::NotRecovered(_) => "the session cannot be recovered",
        })
    }
}

impl Error for EnterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Join(error) => Some(error),
            Self::NotRecovered(reason) => Some(reason),
            Self::DuplicateId | Self::Closed => None,
        }
    }
}

impl From<JoinError> for EnterError {
    fn from(error: JoinError) -> Self {
        Self::Join(error)
    }
}

impl fmt::Display for NotRecovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPid => "the client named no session",
            Self::UnknownSession => "there is no such session",
            Self::Expired => "the client was away for too long",
            Self::Evicted => "what it missed is not kept any more",
            Self::Identity => "the session belongs to somebody else",
            Self::Unsupported => "the server does not recover sessions",
            Self::Busy => "its connection of before did not end in time",
        })
    }
}

impl Error for NotRecovered {}
