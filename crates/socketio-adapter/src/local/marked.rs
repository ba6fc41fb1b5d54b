//! Sockets whose sessions are kept where all nodes of a cluster find them: they are marked, and get another
//! packet than the others.

use std::sync::Arc;

use engineio_proto::Outgoing;

use super::{LocalAdapter, let_in};
use crate::adapter::Delivered;
use crate::member::{Delivery, Member, deliver};
use crate::rooms::{Change, NO_TAG};
use crate::{BroadcastOptions, EnterError, Room, SocketId};

impl LocalAdapter {
    /// Lets a socket in that has a session elsewhere. What changed is to be [told](Self::tell_of) when
    /// no lock is held.
    pub(crate) fn enter_marked(
        &self,
        id: &SocketId,
        member: &Arc<dyn Member>,
        rooms: [&[Room]; 2],
        is_in_own_room: bool,
        open: impl FnOnce() -> bool,
    ) -> Result<Vec<Change>, EnterError> {
        let mut table = self.table();
        let table = &mut table.rooms;
        let_in(table, id, member, rooms, open)?;
        table.set_tag(id, MARKED);
        if !is_in_own_room {
            table.leave(id, &Room::from(id));
        }
        Ok(table.take_changes())
    }

    /// Tells who wants to know what changed.
    pub(crate) fn tell_of(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.tell(changes);
        }
    }

    /// [`Adapter::broadcast`] of two packets: one for those that [entered so](Self::enter_marked), one
    /// for the others.
    pub(crate) fn broadcast_marked(
        &self,
        marked: &Outgoing,
        plain: &Outgoing,
        options: &BroadcastOptions,
    ) {
        let BroadcastOptions { rooms, except, sender, .. } = options;
        self.table().rooms.for_each_target(rooms, except, sender.as_ref(), |target| {
            let packet = if target.tag() == NO_TAG { plain } else { marked };
            // counted where it is queued or dropped
            let _ = deliver(target.member(), packet);
        });
    }

    /// Hands a packet to one socket, whatever rooms it is in.
    pub(crate) fn send(&self, packet: &Outgoing, id: &SocketId) -> Delivered {
        let mut delivered = Delivered::default();
        match self.table().rooms.slot(id).map(|slot| deliver(slot.member(), packet)) {
            Some(Delivery::Queued) => delivered.queued = 1,
            Some(Delivery::Dropped) => delivered.dropped = 1,
            Some(Delivery::Closed) | None => {}
        }
        delivered
    }
}

/// The tag of sockets whose sessions are kept elsewhere.
const MARKED: u32 = 0;
