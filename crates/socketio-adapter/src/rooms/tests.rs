//! The structure against a naive model, and its size. What it means for users is tested through
//! the adapter, in `tests/it`.

use std::mem::size_of;
use std::sync::Arc;

use super::*;

#[test]
fn behaves_as_the_model() {
    for seed in 0..16 {
        // A linear congruential generator (Knuth's MMIX constants); its upper bits are good enough.
        let mut state: u64 = seed;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        // The first byte is the limit, a low one for every second seed.
        let bytes = [seed as u8].into_iter().chain((0..40_000).map(|_| random()));
        model::run(&bytes.collect::<Vec<u8>>());
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
