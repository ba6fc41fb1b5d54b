//! To whom a broadcast goes.

use crate::{Room, SocketId};

/// To whom a broadcast goes, and how.
#[derive(Clone, Debug, Default)]
pub struct BroadcastOptions {
    /// Go to the members of at least one of these rooms. Empty: to all sockets.
    pub rooms: Vec<Room>,
    /// Leave out the members of these rooms.
    pub except: Vec<Room>,
    /// Leave out this socket. Unlike its own room in `except`, this leaves out nobody else who
    /// joined that room.
    pub sender: Option<SocketId>,
    /// A receiver that is not ready misses the packet.
    pub volatile: bool,
    /// It is not to be compressed. For other nodes: the packet of this one says it itself.
    pub uncompressed: bool,
    /// Only sockets of this node.
    pub local: bool,
}

impl BroadcastOptions {
    /// What the sockets meant are not in: the sender's own room, then `except`.
    pub fn excluded(&self) -> impl Iterator<Item = Room> + '_ {
        self.sender.iter().map(Room::from).chain(self.except.iter().cloned())
    }
}
