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
    /// Whether it is to be compressed, if anybody said so. For other nodes: the packet of this one says it
    /// itself.
    pub compress: Option<bool>,
    /// Only sockets of this node.
    pub local: bool,
}

impl BroadcastOptions {
    /// Adds rooms, each once.
    pub fn add_rooms(&mut self, rooms: Vec<Room>) {
        if self.rooms.is_empty() && rooms.len() == 1 {
            self.rooms = rooms; // the usual case costs no second list
            return;
        }
        for room in rooms {
            if !self.rooms.contains(&room) {
                self.rooms.push(room);
            }
        }
    }

    /// What the sockets meant are not in: the sender's own room, then `except`.
    pub fn excluded(&self) -> impl Iterator<Item = Room> + '_ {
        self.sender.iter().map(Room::from).chain(self.except.iter().cloned())
    }
}

/// Writes the modifiers of an emission to many, for a type with a field `options` of
/// `BroadcastOptions`: their receiver, and what they change and give back.
#[doc(hidden)]
#[macro_export]
macro_rules! modifiers {
    (($($receiver:tt)+) => $next:expr) => {
        /// Adds rooms: who is in at least one gets the emission, once.
        // Node 2.0: namespace.to, socket.to
        pub fn to($($receiver)+, rooms: impl $crate::IntoRooms) -> Self {
            let mut next = $next;
            next.options.add_rooms(rooms.into_rooms());
            next
        }

        /// The same as [`to`](Self::to).
        // Node 2.0: namespace.in, socket.in
        pub fn in_room($($receiver)+, rooms: impl $crate::IntoRooms) -> Self {
            let mut next = $next;
            next.options.add_rooms(rooms.into_rooms());
            next
        }

        /// Leaves out the members of these rooms.
        pub fn except($($receiver)+, rooms: impl $crate::IntoRooms) -> Self {
            let mut next = $next;
            next.options.except.extend(rooms.into_rooms());
            next
        }

        /// Receivers to which it cannot leave at once do not get it.
        // Node 2.0: Flag 'volatile'
        pub fn volatile($($receiver)+) -> Self {
            let mut next = $next;
            next.options.volatile = true;
            next
        }

        /// Whether it is compressed, where a receiver's transport offers it (it is by default).
        // Node 2.0: socket.compress
        pub fn compress($($receiver)+, compress: bool) -> Self {
            let mut next = $next;
            next.options.compress = Some(compress);
            next
        }
    };
}
