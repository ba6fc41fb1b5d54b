//! One packet to many.

use std::hint::black_box;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engineio_proto::{HEADROOM, Outgoing};
use socketio_adapter::{
    Adapter as _, BroadcastOptions, Delivery, LocalAdapter, Member, Room, SocketId,
};

use crate::Case;
use crate::dispatch::{Host, frame};

pub(crate) const CASES: &[Case] = &[
    Case { name: "adapter/all/1000-members", count: 50, run: |n| adapter(n, None, false) },
    Case { name: "adapter/room/1000-members", count: 50, run: |n| adapter(n, Some("room"), false) },
    Case {
        name: "adapter/room-except/1000-members",
        count: 50,
        run: |n| adapter(n, Some("room"), true),
    },
    Case { name: "broadcast/10-sockets", count: 100, run: |n| broadcast(n, 10) },
    Case { name: "broadcast/60-sockets", count: 50, run: |n| broadcast(n, 60) },
    Case { name: "broadcast/240-sockets", count: 20, run: |n| broadcast(n, 240) },
    Case {
        name: "recovery/broadcast/60-sockets",
        count: 50,
        run: |n| broadcast_of(&Host::recovering(), n, 60),
    },
    Case {
        name: "recovery/broadcast/240-sockets",
        count: 20,
        run: |n| broadcast_of(&Host::recovering(), n, 240),
    },
];

/// The walk over the members, of whom each takes a pointer.
fn adapter(n: u32, room: Option<&str>, except: bool) {
    struct Taker(AtomicUsize);
    impl Member for Taker {
        fn deliver(&self, packet: &Outgoing) -> Delivery {
            self.0.fetch_add(black_box(packet.clone()).size(), Ordering::Relaxed);
            Delivery::Queued
        }
    }

    let adapter = LocalAdapter::new(10);
    let rooms: Vec<Room> = room.into_iter().map(Room::from).collect();
    let packet = Outgoing::message(vec![b'x'; HEADROOM + 50], HEADROOM, Vec::new());
    for at in 0..1_000 {
        let id = SocketId::from(format!("{at:020}"));
        let member = Arc::new(Taker(AtomicUsize::new(0)));
        drop(adapter.enter(&id, member, &rooms, &packet).expect("an id of its own, few rooms"));
    }
    let except = if except { vec![Room::from(format!("{:020}", 7))] } else { Vec::new() };
    let options = BroadcastOptions { rooms, except, ..BroadcastOptions::default() };
    for _ in 0..n {
        black_box(adapter.broadcast(&packet, &options));
    }
}

/// An event of one client that makes the server send one to all, over TCP. Nobody reads: the
/// buffers of the system are large.
fn broadcast(n: u32, sockets: usize) {
    broadcast_of(&Host::new(), n, sockets);
}

fn broadcast_of(host: &Host, n: u32, sockets: usize) {
    let mut clients: Vec<TcpStream> = (0..sockets).map(|_| host.connect()).collect();
    let segment = [frame(r#"42["all",7]"#), frame(r#"42["last"]"#)].concat();
    for _ in 0..n {
        host.send(&mut clients[0], &segment);
    }
}
