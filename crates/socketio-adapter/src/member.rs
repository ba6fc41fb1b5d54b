//! A socket, as rooms and broadcasts reach it.

use std::sync::Arc;

use engineio_proto::Outgoing;

/// A socket, as a broadcast sees it: something that takes packets.
pub trait Member: Send + Sync + 'static {
    /// Takes the answer to the client's wish to be let in, and then what is delivered; nothing was
    /// before. False: its connection is over.
    ///
    /// Called by [`Adapter::enter`](crate::Adapter::enter) under the same conditions as [`Member::deliver`].
    fn open(&self, answer: &Outgoing) -> bool {
        let _ = answer;
        true
    }

    /// [`Member::open`] with what the client missed, which follows the answer before all that is
    /// delivered.
    fn open_with(&self, answer: &Outgoing, missed: &[Outgoing]) -> bool {
        self.open(answer) && missed.iter().all(|packet| self.deliver(packet) != Delivery::Closed)
    }

    /// [`Member::open`] with what the client missed before the answer, which it is handed with it.
    // Node: missed events come before CONNECT
    fn open_behind(&self, missed: &[Outgoing], answer: &Outgoing) -> bool {
        self.open_with(answer, missed)
    }

    /// Takes a packet into the socket's queue, or says why not. A
    /// [volatile](Outgoing::is_volatile) packet is to be dropped unless it can go out at once.
    ///
    /// Called while the adapter holds the lock of the namespace. It must be short: push a pointer.
    /// It must not block, do I/O, run code of the user or call the adapter.
    fn deliver(&self, packet: &Outgoing) -> Delivery;
}

/// What became of a packet at one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// It is in the queue.
    Queued,
    /// It was dropped: the queue is full, or the packet is volatile and the socket is not ready.
    Dropped,
    /// The socket is closed, or not open yet.
    Closed,
}

/// What rooms reach something by: nothing is reached of a session whose socket is away. One type for
/// both, as all that rooms do is code for each type.
pub(crate) type Reached = Option<Arc<dyn Member>>;

pub(crate) fn deliver(reached: &Reached, packet: &Outgoing) -> Delivery {
    reached.as_ref().map_or(Delivery::Closed, |member| member.deliver(packet))
}
