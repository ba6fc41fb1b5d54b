//! Which sockets are in which rooms: a pure data structure, without lock, I/O or clock.
//!
//! A membership is two nodes that know each other's place: one in the room's array, one in the
//! socket's. Both arrays are dense; what is removed is replaced by the last, whose other node is
//! told the new place.
//!
//! ```text
//!   ids:   id -> slot                        names: name -> room
//!                 |                                          |
//!   slots: | id, member, own, joined: [ (room, position), .. ] |
//!                                        |     |
//!   rooms: | name, members: [ .., (slot, position), .. ] |
//!                                  |     `- into `joined` of the slot
//!                                  `------- and `joined` points here
//! ```
//!
//! Joining and leaving are constant time but for one question, whether the socket is in the room:
//! the shorter of the two arrays is scanned. (Two lists must both be long for this to cost, and
//! the socket's is limited.) Removing a socket is linear in the rooms it is in, a broadcast in its
//! receivers and those it leaves out.
//!
//! The room of a socket's own id takes no node, only a flag: most sockets never leave it and
//! nobody else joins it. If others join it, a room of that name holds them, and never the owner.
//! So the members of a name are the socket that owns the name, if flagged, and those in the array.
//!
//! Maps keep the seeded hasher of the standard library, as names come from clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::slab::Slab;
use crate::{JoinError, Room, SocketId};

/// The sockets of a namespace, each with the `M` it is reached by, and their rooms.
pub(crate) struct Rooms<M> {
    slots: Slab<Slot<M>>,
    ids: HashMap<SocketId, u32>,
    rooms: Slab<RoomEntry>,
    names: HashMap<Room, u32>,
    max_rooms_per_socket: usize,
    /// Counts additions and joins, to list them in their order.
    sequence: u64,
    /// Scratch space of `for_each_target`, kept so that a broadcast does not allocate.
    visited: SlotSet,
    /// What has changed since it was taken, in order; `None` as long as nobody wants to know.
    changes: Option<Vec<Change>>,
}

/// What changed in the rooms. A room opens before its first member is in it, and closes after the
/// last has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened(Room),
    Joined(SocketId, Room),
    Left(SocketId, Room),
    Closed(Room),
}

/// A socket.
pub(crate) struct Slot<M> {
    id: SocketId,
    member: M,
    added: u64,
    joined: Vec<Joined>,
    /// The socket is in the room of its own id.
    own: bool,
    /// A number that whoever has the table goes by; [`NO_TAG`] as long as it gave none.
    tag: u32,
}

/// A membership, as the socket sees it.
struct Joined {
    room: u32,
    /// Place in the room's `members`.
    position: u32,
    sequence: u64,
}

/// Sorts by the first numbers, each of which is there once. One for all that is sorted, as a sort is
/// much code for each type.
#[inline(never)]
pub(crate) fn sort_by_sequence(numbered: &mut [(u64, u32)]) {
    numbered.sort_unstable();
}

/// A room with at least one member other than the owner of its name.
struct RoomEntry {
    name: Room,
    members: Vec<Occupant>,
}

/// A membership, as the room sees it.
struct Occupant {
    slot: u32,
    /// Place in the slot's `joined`.
    position: u32,
}

impl<M> Rooms<M> {
    pub(crate) fn new(max_rooms_per_socket: usize) -> Self {
        Self {
            slots: Slab::new(),
            ids: HashMap::new(),
            rooms: Slab::new(),
            names: HashMap::new(),
            max_rooms_per_socket,
            sequence: 0,
            visited: SlotSet::default(),
            changes: None,
        }
    }

    /// Notes down what changes from now on; what is there already has just come.
    pub(crate) fn watch(&mut self) {
        let mut changes: Vec<Change> = self.names().into_iter().map(Change::Opened).collect();
        for id in self.ids.keys() {
            changes
                .extend(self.rooms_of(id).into_iter().map(|room| Change::Joined(id.clone(), room)));
        }
        self.changes = Some(changes);
    }

    /// What has changed; nothing if nobody watches.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Notes that a socket is about to join a room.
    fn joins(&mut self, id: &SocketId, room: &Room) {
        let is_new = self.changes.is_some() && !self.has_members(room.as_str());
        let Some(changes) = &mut self.changes else { return };
        if is_new {
            changes.push(Change::Opened(room.clone()));
        }
        changes.push(Change::Joined(id.clone(), room.clone()));
    }

    /// Notes that a socket has left a room.
    fn has_left(&mut self, id: &SocketId, room: Room) {
        let is_empty = self.changes.is_some() && !self.has_members(room.as_str());
        let Some(changes) = &mut self.changes else { return };
        changes.push(Change::Left(id.clone(), room.clone()));
        if is_empty {
            changes.push(Change::Closed(room));
        }
    }

    /// Adds a socket, or returns the member if the id is taken.
    pub(crate) fn add(&mut self, id: &SocketId, member: M) -> Result<(), M> {
        if self.ids.contains_key(id) {
            return Err(member);
        }
        if self.changes.is_some() {
            self.joins(id, &id.into());
        }
        let added = self.next_sequence();
        let slot =
            Slot { id: id.clone(), member, added, joined: Vec::new(), own: true, tag: NO_TAG };
        let slot = self.slots.insert(slot);
        self.ids.insert(id.clone(), slot);
        Ok(())
    }

    /// Gives a socket a number of the caller's.
    pub(crate) fn set_tag(&mut self, id: &SocketId, tag: u32) {
        if let Some(&slot) = self.ids.get(id) {
            self.slots[slot].tag = tag;
        }
    }

    /// A socket by its id; `hint` is where it was found before, and is told where it is.
    pub(crate) fn slot_near(&self, id: &SocketId, hint: &AtomicU32) -> Option<&Slot<M>> {
        let there = self.slots.get(hint.load(Relaxed)).filter(|slot| slot.id == *id);
        there.or_else(|| {
            let &slot = self.ids.get(id)?;
            hint.store(slot, Relaxed);
            Some(&self.slots[slot])
        })
    }

    /// A socket by its id.
    pub(crate) fn slot(&self, id: &SocketId) -> Option<&Slot<M>> {
        self.ids.get(id).map(|&slot| &self.slots[slot])
    }

    /// Removes a socket and returns its member, for the caller to drop where it may.
    pub(crate) fn remove(&mut self, id: &SocketId) -> Option<M> {
        let slot = remove_and_shrink(&mut self.ids, id)?;
        let Slot { member, joined, own, .. } = self.slots.remove(slot);
        if own && self.changes.is_some() {
            self.has_left(id, id.into());
        }
        for Joined { room, position, .. } in joined {
            self.vacate(id, room, position);
        }
        Some(member)
    }

    /// Joins a socket to all of `rooms`, or, if that would be too many, to none of them.
    pub(crate) fn join(&mut self, id: &SocketId, rooms: &[Room]) -> Result<(), JoinError> {
        let Some(&slot) = self.ids.get(id) else { return Ok(()) };
        let before = (self.slots[slot].own, self.slots[slot].joined.len());
        let noted = self.changes.as_ref().map_or(0, Vec::len);
        for room in rooms {
            if is_own(id, room) {
                if !self.slots[slot].own {
                    self.joins(id, room);
                }
                self.slots[slot].own = true;
                continue;
            }
            let known = self.names.get(room).copied();
            if known.is_some_and(|room| self.find(slot, room).is_some()) {
                continue;
            }
            if self.slots[slot].joined.len() >= self.max_rooms_per_socket {
                self.undo_join(id, slot, before);
                if let Some(changes) = &mut self.changes {
                    changes.truncate(noted); // nothing came of it
                }
                return Err(JoinError::TooManyRooms { limit: self.max_rooms_per_socket });
            }
            self.joins(id, room);
            let room = known.unwrap_or_else(|| self.open(room));
            self.occupy(slot, room);
        }
        Ok(())
    }

    /// Takes a socket out of a room, if it is in it.
    pub(crate) fn leave(&mut self, id: &SocketId, room: &Room) {
        let Some(&slot) = self.ids.get(id) else { return };
        if is_own(id, room) {
            if std::mem::replace(&mut self.slots[slot].own, false) {
                self.has_left(id, room.clone());
            }
            return;
        }
        let Some(&room) = self.names.get(room) else { return };
        let Some(position) = self.find(slot, room) else { return };
        self.unjoin(id, slot, position);
    }

    /// Calls `f` for each socket that is in one of `rooms` (empty: for each) and in none of
    /// `except` and is not the `sender`, once each.
    pub(crate) fn for_each_target(
        &mut self,
        rooms: &[Room],
        except: &[Room],
        sender: Option<&SocketId>,
        mut f: impl FnMut(&Slot<M>),
    ) {
        let sender = sender.and_then(|id| self.ids.get(id)).copied();
        // One room has no doubles: then nothing needs to be noted down.
        let select = rooms.len() > 1 || !except.is_empty();
        // Taken, not borrowed: if `f` panics only its memory is lost.
        let mut visited = std::mem::take(&mut self.visited);
        if select {
            visited.clear(self.slots.end());
            for slot in except.iter().flat_map(|room| self.members(room)) {
                visited.insert(slot);
            }
        }
        let mut is_target = |slot: u32| Some(slot) != sender && (!select || visited.insert(slot));
        if rooms.is_empty() {
            let targets = self.slots.iter().filter(|&(slot, _)| is_target(slot));
            targets.for_each(|(_, slot)| f(slot));
        } else {
            rooms.iter().for_each(|room| {
                self.members(room).for_each(|slot| {
                    if is_target(slot) {
                        f(&self.slots[slot]);
                    }
                });
            });
        }
        self.visited = visited;
    }

    /// The rooms of a socket: its own first, the others in the order of joining.
    pub(crate) fn rooms_of(&self, id: &SocketId) -> Vec<Room> {
        let Some(&slot) = self.ids.get(id) else { return Vec::new() };
        let Slot { id, joined, own, .. } = &self.slots[slot];
        let mut joined: Vec<_> =
            joined.iter().map(|joined| (joined.sequence, joined.room)).collect();
        sort_by_sequence(&mut joined);
        let own = own.then(|| Room::from(id));
        own.into_iter()
            .chain(joined.iter().map(|(_, room)| self.rooms[*room].name.clone()))
            .collect()
    }

    pub(crate) fn socket_count(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// Whether a socket is in a room of this name.
    pub(crate) fn has_members(&self, room: &str) -> bool {
        self.names.contains_key(room)
            || self.ids.get(room).is_some_and(|&slot| self.slots[slot].own)
    }

    /// The rooms that have members, in no order.
    pub(crate) fn names(&self) -> Vec<Room> {
        let own = self
            .ids
            .iter()
            .filter(|&(id, &slot)| self.slots[slot].own && !self.names.contains_key(id.as_str()));
        own.map(|(id, _)| Room::from(id)).chain(self.names.keys().cloned()).collect()
    }

    /// The rooms that hold others than the owner of their name.
    pub(crate) fn room_count(&self) -> usize {
        self.names.len()
    }

    /// The slots in a room.
    fn members(&self, room: &Room) -> impl Iterator<Item = u32> {
        let owner = self.ids.get(room.as_str()).copied().filter(|&slot| self.slots[slot].own);
        let joined = self.names.get(room).map(|&room| self.rooms[room].members.as_slice());
        owner.into_iter().chain(joined.unwrap_or_default().iter().map(|occupant| occupant.slot))
    }

    /// The place of a room in a slot's `joined`.
    fn find(&self, slot: u32, room: u32) -> Option<usize> {
        let joined = &self.slots[slot].joined;
        let members = &self.rooms[room].members;
        if joined.len() <= members.len() {
            joined.iter().position(|joined| joined.room == room)
        } else {
            let occupant = members.iter().find(|occupant| occupant.slot == slot)?;
            Some(occupant.position as usize)
        }
    }

    /// Makes a room, whose first member must follow.
    fn open(&mut self, name: &Room) -> u32 {
        // Many applications have a room per user: begin with space for one.
        let room = RoomEntry { name: name.clone(), members: Vec::with_capacity(1) };
        let room = self.rooms.insert(room);
        self.names.insert(name.clone(), room);
        room
    }

    /// Adds both nodes of a membership that is not there yet.
    fn occupy(&mut self, slot: u32, room: u32) {
        let sequence = self.next_sequence();
        let joined = &mut self.slots[slot].joined;
        let members = &mut self.rooms[room].members;
        if joined.is_empty() {
            joined.reserve_exact(1); // as in `open`: one room is what most sockets join
        }
        let (position, back) = (index(members.len()), index(joined.len()));
        joined.push(Joined { room, position, sequence });
        members.push(Occupant { slot, position: back });
    }

    /// Removes both nodes of a membership, given by its place in the slot's `joined`.
    fn unjoin(&mut self, id: &SocketId, slot: u32, place: usize) {
        let joined = &mut self.slots[slot].joined;
        let Joined { room, position, .. } = joined.swap_remove(place);
        if let Some(moved) = joined.get(place) {
            self.rooms[moved.room].members[moved.position as usize].position = index(place);
        }
        shrink(joined);
        self.vacate(id, room, position);
    }

    /// Removes a room's node of a membership whose other node is gone, and the room with its last.
    fn vacate(&mut self, id: &SocketId, room: u32, position: u32) {
        let name = self.changes.is_some().then(|| self.rooms[room].name.clone());
        let members = &mut self.rooms[room].members;
        members.swap_remove(position as usize);
        if let Some(moved) = members.get(position as usize) {
            self.slots[moved.slot].joined[moved.position as usize].position = position;
        }
        shrink(members);
        if members.is_empty() {
            let RoomEntry { name, .. } = self.rooms.remove(room);
            remove_and_shrink(&mut self.names, &name);
        }
        if let Some(name) = name {
            self.has_left(id, name);
        }
    }

    /// Restores what a slot was in before a join: what was joined since is at the end.
    fn undo_join(&mut self, id: &SocketId, slot: u32, (own, count): (bool, usize)) {
        self.slots[slot].own = own;
        for place in (count..self.slots[slot].joined.len()).rev() {
            self.unjoin(id, slot, place);
        }
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

impl<M> Slot<M> {
    pub(crate) fn id(&self) -> &SocketId {
        &self.id
    }

    pub(crate) fn member(&self) -> &M {
        &self.member
    }

    pub(crate) fn tag(&self) -> u32 {
        self.tag
    }

    /// Greater than that of every slot added before.
    pub(crate) fn added(&self) -> u64 {
        self.added
    }
}

/// A set of slots, one bit each.
#[derive(Default)]
struct SlotSet(Vec<u64>);

impl SlotSet {
    /// Empties the set and makes space for slots below `end`.
    fn clear(&mut self, end: usize) {
        self.0.clear();
        self.0.resize(end.div_ceil(64), 0);
    }

    /// Adds a slot; false if it was there.
    fn insert(&mut self, slot: u32) -> bool {
        let (word, bit) = (&mut self.0[slot as usize / 64], 1 << (slot % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// Whether a room is a socket's own.
fn is_own(id: &SocketId, room: &Room) -> bool {
    id.as_str() == room.as_str()
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("a list is no longer than there are slots or rooms")
}

/// Gives memory back that a list needed once. The rest is halved and not fitted, so that a list
/// whose length goes up and down does not move each time.
fn shrink<T>(list: &mut Vec<T>) {
    if list.capacity() > KEPT_CAPACITY && list.len() < list.capacity() / 4 {
        list.shrink_to(list.capacity() / 2);
    }
}

/// Takes an entry out of a map that gives its memory back when it is empty, as the slabs do.
fn remove_and_shrink<K: Eq + std::hash::Hash>(map: &mut HashMap<K, u32>, key: &K) -> Option<u32> {
    let value = map.remove(key)?;
    if map.is_empty() {
        map.shrink_to_fit();
    }
    Some(value)
}

/// The tag of a socket that has none.
pub(crate) const NO_TAG: u32 = u32::MAX;

/// Lists up to this capacity are never moved to save memory: half a KiB is not worth it.
const KEPT_CAPACITY: usize = 64;

#[cfg(any(test, fuzzing))]
pub(crate) mod model;
#[cfg(test)]
mod tests;
