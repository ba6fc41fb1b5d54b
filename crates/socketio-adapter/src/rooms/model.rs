//! `Rooms` against a naive model, by operations that bytes stand for: those of a test are random,
//! those of a fuzzer are its input.
//!
//! ```text
//!   limit, watched | operation, socket, [rooms..] | operation, ..
//!
//!   operation  0: the socket goes   1..3: it comes      0xff: all go
//!   (mod 10)   4..6: it joins       7..9: it leaves a room
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Carries out all operations; panics where the two differ.
pub(crate) fn run(bytes: &[u8]) {
    let mut bytes = Operations(bytes.iter());
    let first = bytes.next();
    let (limit, is_watched) = (if first % 2 == 0 { 5 } else { 100 }, first % 4 < 2);
    let (mut rooms, mut model) = (Rooms::new(limit), Model { limit, ..Model::default() });
    if is_watched {
        rooms.watch();
    }
    let mut seen = Seen::default();
    let mut step = 0;
    while bytes.are_left() {
        step += 1;
        let operation = bytes.next();
        let id = bytes.id();
        match operation % 10 {
            // The tables start anew.
            _ if operation == 0xff => {
                for (id, _) in std::mem::take(&mut model.sockets) {
                    assert!(rooms.remove(&id).is_some());
                }
            }
            0 => assert_eq!(rooms.remove(&id).is_some(), model.remove(&id)),
            1..=3 => assert_eq!(rooms.add(&id, step), model.add(&id).then_some(()).ok_or(step)),
            4..=6 => {
                let names = bytes.rooms(5);
                assert_eq!(rooms.join(&id, &names).is_ok(), model.join(&id, &names));
            }
            _ => {
                let room = bytes.room();
                rooms.leave(&id, &room);
                model.leave(&id, &room);
            }
        }
        rooms.check();
        rooms.take_changes().into_iter().for_each(|change| seen.change(change));
        if is_watched {
            seen.check(&model);
        }
        let listed = model.rooms_of(&id).map_or_else(Vec::new, |rooms| rooms.clone());
        assert_eq!(rooms.rooms_of(&id), listed);
        let (to, except) = (bytes.rooms(4), bytes.rooms(3));
        let sender = (bytes.next() % 2 == 0).then_some(&id);
        assert_eq!(rooms.targets(&to, &except, sender), model.targets(&to, &except, sender));
        assert_eq!(rooms.targets(&[], &[], None), model.targets(&[], &[], None));
        assert_eq!(rooms.socket_count(), model.sockets.len());
        assert_eq!(rooms.room_count(), model.room_count());
    }
}

/// What `Rooms` shall do, in the plainest way: sockets in order of being added, each with its
/// rooms in the order in which they are listed.
#[derive(Default)]
struct Model {
    sockets: Vec<(SocketId, Vec<Room>)>,
    limit: usize,
}

impl Model {
    fn rooms_of(&mut self, id: &SocketId) -> Option<&mut Vec<Room>> {
        self.sockets.iter_mut().find(|(other, _)| other == id).map(|(_, rooms)| rooms)
    }

    fn add(&mut self, id: &SocketId) -> bool {
        if self.rooms_of(id).is_some() {
            return false;
        }
        self.sockets.push((id.clone(), vec![id.into()]));
        true
    }

    fn remove(&mut self, id: &SocketId) -> bool {
        let before = self.sockets.len();
        self.sockets.retain(|(other, _)| other != id);
        self.sockets.len() < before
    }

    fn join(&mut self, id: &SocketId, rooms: &[Room]) -> bool {
        let limit = self.limit;
        let Some(joined) = self.rooms_of(id) else { return true };
        let mut new = joined.clone();
        for room in rooms {
            if new.contains(room) {
                continue;
            }
            let at = if is_own(id, room) { 0 } else { new.len() };
            new.insert(at, room.clone());
        }
        if new.iter().filter(|room| !is_own(id, room)).count() > limit {
            return false;
        }
        *joined = new;
        true
    }

    fn leave(&mut self, id: &SocketId, room: &Room) {
        if let Some(joined) = self.rooms_of(id) {
            joined.retain(|other| other != room);
        }
    }

    fn targets(&self, rooms: &[Room], except: &[Room], sender: Option<&SocketId>) -> Vec<SocketId> {
        let is_in = |joined: &[Room], some: &[Room]| joined.iter().any(|room| some.contains(room));
        self.sockets
            .iter()
            .filter(|(id, joined)| {
                (rooms.is_empty() || is_in(joined, rooms))
                    && !is_in(joined, except)
                    && Some(id) != sender
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn room_count(&self) -> usize {
        let rooms = self
            .sockets
            .iter()
            .flat_map(|(id, joined)| joined.iter().filter(|room| !is_own(id, room)));
        rooms.collect::<BTreeSet<_>>().len()
    }
}

/// The rooms as the changes tell them.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeSet<String>>);

impl Seen {
    /// Each change is one.
    fn change(&mut self, change: Change) {
        match change {
            Change::Opened(room) => {
                assert!(self.0.insert(room.to_string(), BTreeSet::new()).is_none());
            }
            Change::Joined(id, room) => {
                assert!(self.0.get_mut(room.as_str()).unwrap().insert(id.to_string()));
            }
            Change::Left(id, room) => {
                assert!(self.0.get_mut(room.as_str()).unwrap().remove(id.as_str()));
            }
            Change::Closed(room) => assert_eq!(self.0.remove(room.as_str()), Some(BTreeSet::new())),
        }
    }

    fn check(&self, model: &Model) {
        let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, rooms) in &model.sockets {
            for room in rooms {
                expected.entry(room.to_string()).or_default().insert(id.to_string());
            }
        }
        assert_eq!(self.0, expected);
    }
}

/// The bytes that are left; beyond the end come zeros.
struct Operations<'a>(std::slice::Iter<'a, u8>);

impl Operations<'_> {
    fn are_left(&self) -> bool {
        self.0.len() > 0
    }

    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn id(&mut self) -> SocketId {
        SocketId::from(format!("s{}", self.next() % 12))
    }

    /// One of few rooms, a third of which are the own rooms of sockets.
    fn room(&mut self) -> Room {
        match self.next() {
            own if own % 3 == 0 => Room::from(format!("s{}", own / 3 % 12)),
            other => Room::from(format!("r{}", other / 3 % 8)),
        }
    }

    fn rooms(&mut self, end: u8) -> Vec<Room> {
        (0..self.next() % end).map(|_| self.room()).collect()
    }
}

impl Rooms<u64> {
    fn targets(
        &mut self,
        rooms: &[Room],
        except: &[Room],
        sender: Option<&SocketId>,
    ) -> Vec<SocketId> {
        let mut found = BTreeMap::new();
        self.for_each_target(rooms, except, sender, |slot| {
            assert!(found.insert(slot.added(), slot.id().clone()).is_none(), "visited twice");
        });
        found.into_values().collect()
    }

    /// Each node is where the other says, and nothing is left over.
    fn check(&self) {
        let mut nodes = 0;
        for (slot, _) in self.slots.iter() {
            let Slot { id, joined, .. } = &self.slots[slot];
            assert_eq!(self.ids[id], slot);
            for (place, joined) in joined.iter().enumerate() {
                let room = &self.rooms[joined.room];
                let back = &room.members[joined.position as usize];
                assert_eq!((back.slot, back.position as usize), (slot, place));
                assert!(!is_own(id, &room.name), "an owner is a flag, not a node");
                nodes += 1;
            }
        }
        assert_eq!(self.ids.len(), self.slots.iter().count());
        for (room, _) in self.rooms.iter() {
            let RoomEntry { name, members } = &self.rooms[room];
            assert_eq!(self.names[name], room);
            assert!(!members.is_empty());
            nodes -= members.len();
        }
        assert_eq!(self.names.len(), self.rooms.iter().count());
        assert_eq!(nodes, 0, "each room's node has its counterpart");
    }
}
