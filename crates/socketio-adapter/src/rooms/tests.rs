//! The structure against a naive model, and its size. What it means for users is tested through
//! the adapter, in `tests/it`.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;
use std::sync::Arc;

use super::*;

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

/// A linear congruential generator (Knuth's MMIX constants); its upper bits are good enough.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn id(&mut self) -> SocketId {
        SocketId::from(format!("s{}", self.below(12)))
    }

    /// One of few rooms, a third of which are the own rooms of sockets.
    fn room(&mut self) -> Room {
        match self.below(3) {
            0 => self.id().into(),
            _ => Room::from(format!("r{}", self.below(8))),
        }
    }

    fn rooms(&mut self, end: usize) -> Vec<Room> {
        (0..self.below(end)).map(|_| self.room()).collect()
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
        for slot in self.slots.indices() {
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
        assert_eq!(self.ids.len(), self.slots.indices().count());
        for room in self.rooms.indices() {
            let RoomEntry { name, members } = &self.rooms[room];
            assert_eq!(self.names[name], room);
            assert!(!members.is_empty());
            nodes -= members.len();
        }
        assert_eq!(self.names.len(), self.rooms.indices().count());
        assert_eq!(nodes, 0, "each room's node has its counterpart");
    }
}

#[test]
fn behaves_as_the_model() {
    for seed in 0..16 {
        let limit = if seed % 2 == 0 { 5 } else { 100 };
        let (mut rooms, mut model) = (Rooms::new(limit), Model { limit, ..Model::default() });
        let mut random = Random(seed);
        for step in 0..4000 {
            let id = random.id();
            // Now and then all go, so that the tables start anew.
            let leaving = step % 1000 >= 900;
            match random.below(if leaving { 1 } else { 10 }) {
                0 => assert_eq!(rooms.remove(&id).is_some(), model.remove(&id)),
                1..=3 => assert_eq!(rooms.add(&id, step), model.add(&id).then_some(()).ok_or(step)),
                4..=6 => {
                    let names = random.rooms(5);
                    assert_eq!(rooms.join(&id, &names).is_ok(), model.join(&id, &names));
                }
                _ => {
                    let room = random.room();
                    rooms.leave(&id, &room);
                    model.leave(&id, &room);
                }
            }
            rooms.check();
            let listed = model.rooms_of(&id).map_or_else(Vec::new, |rooms| rooms.clone());
            assert_eq!(rooms.rooms_of(&id), listed);
            let (to, except) = (random.rooms(4), random.rooms(3));
            let sender = (random.below(2) == 0).then_some(&id);
            assert_eq!(rooms.targets(&to, &except, sender), model.targets(&to, &except, sender));
            assert_eq!(rooms.targets(&[], &[], None), model.targets(&[], &[], None));
            assert_eq!(rooms.socket_count(), model.sockets.len());
            assert_eq!(rooms.room_count(), model.room_count());
        }
    }
}

#[test]
fn big_rooms_give_their_memory_back() {
    let mut rooms = Rooms::new(1);
    let room = [Room::from("big")];
    let ids: Vec<_> = (0..10_000).map(|i| SocketId::from(i.to_string())).collect();
    for id in &ids {
        rooms.add(id, 0).unwrap();
        rooms.join(id, &room).unwrap();
    }
    for id in &ids[1..] {
        rooms.leave(id, &room[0]);
    }
    let members = &rooms.rooms[rooms.names[&room[0]]].members;
    assert_eq!(members.len(), 1);
    assert!(members.capacity() <= KEPT_CAPACITY);
    for id in &ids {
        assert!(rooms.remove(id).is_some());
    }
    assert_eq!((rooms.slots.end(), rooms.ids.capacity()), (0, 0));
    assert_eq!((rooms.rooms.end(), rooms.names.capacity()), (0, 0));
}

/// Bytes per socket that is in its own room and in one that many share, in the worst case: each
/// table has just doubled. The texts are shared with the socket and not counted.
#[test]
fn an_idle_socket_is_small() {
    let mut rooms = Rooms::new(1);
    let room = [Room::from("all")];
    let sockets: usize = (1 << 14) + 1;
    for i in 0..sockets {
        let id = SocketId::from(i.to_string());
        assert!(rooms.add(&id, Arc::new(i) as Arc<dyn Send>).is_ok());
        rooms.join(&id, &room).unwrap();
    }
    let slots = sockets.next_power_of_two() * size_of::<Option<Slot<Arc<dyn Send>>>>();
    // the buckets of a hash map are a power of two, filled to 7/8 at most, with a byte of control each
    let ids =
        (rooms.ids.capacity() * 8 / 7).next_power_of_two() * (size_of::<(SocketId, u32)>() + 1);
    let occupants = rooms.rooms[0].members.capacity() * size_of::<Occupant>();
    // each a block of its own on the heap, of 32 bytes with common allocators
    let joined = sockets * size_of::<Joined>().max(32);
    let per_socket = (slots + ids + occupants + joined) / sockets;
    assert!(per_socket <= 250, "{per_socket} bytes");
}
