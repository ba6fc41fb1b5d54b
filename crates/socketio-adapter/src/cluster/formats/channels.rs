//! How messages of the common form travel: the channels of the sharded adapter.
//!
//! ```text
//!   P#N#     everything that concerns all nodes
//!   P#N#U#   answers to node U
//!   P#N#R#   broadcasts to room R, which a node listens to while it has members of it
//! ```
//!
//! A room may have the name of a node.
// Node: createShardedAdapter of @socket.io/redis-adapter 8.3.0

use std::borrow::Cow;

use crate::{BroadcastOptions, Room};

/// For which rooms a node of the sharded format listens to a channel of their own. It must be the
/// same on all nodes: else broadcasts to one room are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomChannels {
    /// For those that sockets joined.
    #[default]
    Joined,
    /// For those and each socket's own: a broadcast to one socket then reaches its node only, and a
    /// connection costs a subscription.
    All,
    /// For none: all nodes read all broadcasts.
    None,
}

/// The channels of a namespace.
#[derive(Debug)]
pub(crate) struct Channels {
    /// `P#N#`
    all: String,
    rooms: RoomChannels,
}

impl Channels {
    pub(crate) fn new(prefix: &str, namespace: &str, rooms: RoomChannels) -> Self {
        Self { all: format!("{prefix}#{namespace}#"), rooms }
    }

    /// The channel that all nodes listen to; the names of the others begin so.
    pub(crate) fn all(&self) -> &str {
        &self.all
    }

    pub(crate) fn of_node(&self, uid: &str) -> String {
        format!("{}{uid}#", self.all)
    }

    /// The channel of a broadcast.
    pub(crate) fn of_broadcast(&self, options: &BroadcastOptions) -> Cow<'_, str> {
        match options.rooms.as_slice() {
            [room] if self.is_sent_apart(room) => self.of_room(room).into(),
            _ => self.all().into(),
        }
    }

    /// The channel to be listened to while this room has members, if it has one.
    pub(crate) fn to_listen(&self, room: &Room, is_own: bool) -> Option<String> {
        let wanted = match self.rooms {
            RoomChannels::None => false,
            RoomChannels::All => true,
            // also for a name of twenty units: which only the other nodes may take for an id
            RoomChannels::Joined => !is_own,
        };
        wanted.then(|| self.of_room(room))
    }

    /// Whether broadcasts to a room have a channel of their own. A name of twenty UTF-16 units is
    /// taken for an id.
    fn is_sent_apart(&self, room: &Room) -> bool {
        match self.rooms {
            RoomChannels::None => false,
            RoomChannels::All => true,
            RoomChannels::Joined => room.encode_utf16().count() != 20,
        }
    }

    fn of_room(&self, room: &Room) -> String {
        format!("{}{room}#", self.all)
    }
}
