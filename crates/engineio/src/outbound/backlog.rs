//! The bound on what waits to be sent in the whole server.
//!
//! What is counted are packets that nobody is about to write, each once in however many queues it
//! is: the memory that slow clients hold. Packets that are written at once, which is nearly all,
//! are not counted and touch nothing here. A server that is over the bound lets the driver that
//! found it out cut the longest queues.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use engineio_proto::{Backlog as Counted, Outgoing};

#[derive(Debug)]
pub(crate) struct Backlog {
    counted: Counted,
    max: usize,
    /// Somebody found the bound passed, and nobody has done anything about it. Not the count
    /// itself, which each slow client changes, for every turn of every session looks at it.
    over: AtomicBool,
}

impl Backlog {
    pub(crate) fn new(max: usize) -> Self {
        Self { counted: Counted::default(), max, over: AtomicBool::new(false) }
    }

    /// Counts packets that have to wait. True: there are too many bytes now.
    pub(crate) fn count<'p>(&self, packets: impl Iterator<Item = &'p Outgoing>) -> bool {
        let new = packets.filter(|packet| packet.count_in(&self.counted)).count();
        let is_over = new > 0 && self.bytes() > self.max;
        if is_over {
            self.over.store(true, Relaxed);
        }
        is_over
    }

    pub(crate) fn bytes(&self) -> usize {
        self.counted.bytes()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Whether the caller is the one who has to see to it.
    pub(crate) fn claim(&self) -> bool {
        self.over.swap(false, Relaxed)
    }

    /// Bytes that have to go: until an eighth of the bound is free, so that room is not to be made
    /// for every packet.
    pub(crate) fn excess(&self) -> usize {
        self.bytes().saturating_sub(self.max - self.max / 8)
    }
}
