//! What a section under an outbox' lock took out, to be let go of without any lock.
//!
//! Bytes may have an owner of the user's, a waker is code of whoever polls, and the way to the socket
//! makes a system call as it is dropped. Who pushes may hold a lock of its own, that of the rooms: then
//! the turn keeps what was removed until the fan-out is over, see [`crate::outbound::turn`].

use std::collections::VecDeque;
use std::task::Waker;

use engineio_proto::{Outgoing, guard};

use super::encoding::Encoding;
use super::queue::{Queue, Sink};

/// What was taken out of a queue.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(super) packets: VecDeque<Outgoing>,
    pub(super) encoding: Encoding,
    pub(super) sink: Sink,
    pub(super) waiters: Vec<Waker>,
}

impl Default for Removed {
    fn default() -> Self {
        Self {
            packets: VecDeque::new(),
            encoding: Encoding::Plain,
            sink: Sink::Driver,
            waiters: Vec::new(),
        }
    }
}

impl Removed {
    /// Takes what waits, but not the way to the socket; nothing is written any more.
    pub(super) fn take_all(&mut self, queue: &mut Queue) {
        let (mut packets, encoding) = queue.discard();
        self.packets.append(&mut packets);
        self.encoding = encoding;
    }

    /// Drops and wakes; no lock may be held.
    pub(crate) fn let_go(self) {
        guard::assert_no_lock();
        let Self { packets, encoding, sink, waiters } = self;
        drop((packets, encoding, sink));
        guard::wake(waiters);
    }
}
