//! How messages of the common form travel: what the channels are called.
//!
//! A broker says it by a [`Naming`]. That of the sharded adapter, and of what the adapter over streams
//! does not keep:
//!
//! ```text
//!   P#N#     everything that concerns all nodes
//!   P#N#U#   answers to node U
//!   P#N#R#   broadcasts to room R, which a node listens to while it has members of it
//! ```
//!
//! A room may have the name of a node.
// Node: createShardedAdapter of @socket.io/redis-adapter 8.3.0

use std::fmt;

use crate::Room;

/// What the channels of the namespaces are called, over a broker that carries the common message
/// form. What a message is says the message, never the channel on which it came: so names may
/// coincide.
pub trait Naming: Send + Sync + fmt::Debug + 'static {
    /// The channel that all nodes listen to, once each.
    fn all(&self, namespace: &str) -> String;

    /// The channel of answers to one node; `None`: they go to all nodes, which tell them by the ids
    /// of their requests.
    fn of_node(&self, namespace: &str, uid: &str) -> Option<String> {
        let _ = (namespace, uid);
        None
    }

    /// The channel of broadcasts to exactly one room; `None`: they go to all nodes.
    fn of_room(&self, namespace: &str, room: &Room) -> Option<String> {
        let _ = (namespace, room);
        None
    }

    /// The channel that a node listens to while the room has members there, if it has one; `is_own`:
    /// it is a socket's own room.
    fn while_joined(&self, namespace: &str, room: &Room, is_own: bool) -> Option<String> {
        let _ = (namespace, room, is_own);
        None
    }

    /// Whether a message may leave out its namespace, as there is one to a channel (false).
    fn implies_namespace(&self) -> bool {
        false
    }
}

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

/// The channels of the adapters over Redis, whose names begin with `prefix`.
#[derive(Debug)]
pub(crate) struct ShardedNames {
    pub(crate) prefix: String,
    pub(crate) rooms: RoomChannels,
}

impl ShardedNames {
    fn below(&self, namespace: &str, name: &str) -> String {
        format!("{}#{namespace}#{name}#", self.prefix)
    }
}

impl Naming for ShardedNames {
    fn all(&self, namespace: &str) -> String {
        format!("{}#{namespace}#", self.prefix)
    }

    fn of_node(&self, namespace: &str, uid: &str) -> Option<String> {
        Some(self.below(namespace, uid))
    }

    /// A name of twenty UTF-16 units is taken for a socket's own.
    fn of_room(&self, namespace: &str, room: &Room) -> Option<String> {
        let is_sent_apart = match self.rooms {
            RoomChannels::None => false,
            RoomChannels::All => true,
            RoomChannels::Joined => room.encode_utf16().count() != 20,
        };
        is_sent_apart.then(|| self.below(namespace, room))
    }

    fn while_joined(&self, namespace: &str, room: &Room, is_own: bool) -> Option<String> {
        let wanted = match self.rooms {
            RoomChannels::None => false,
            RoomChannels::All => true,
            // also for a name of twenty units: which only the other nodes may take for an id
            RoomChannels::Joined => !is_own,
        };
        wanted.then(|| self.below(namespace, room))
    }
}
