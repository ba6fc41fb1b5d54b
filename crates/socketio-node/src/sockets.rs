//! The numbers by which JavaScript knows sockets. A number is free again when JavaScript says so, when
//! it will not use it any more.

use std::sync::Mutex;

use engineio_proto::guard::lock;
use socketio::Socket;

/// The sockets that JavaScript knows.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    slots: Vec<Option<Socket>>,
    free: Vec<u32>,
}

impl Sockets {
    /// The socket's number, and whether it is new. Called in its connection's task alone.
    pub(crate) fn number_of(&self, socket: &Socket) -> (u32, bool) {
        if let Some(number) = known(socket) {
            return (number, false);
        }
        let mut slots = lock(&self.0);
        let number = match slots.free.pop() {
            Some(number) => number,
            None => {
                slots.slots.push(None);
                u32::try_from(slots.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(slot) = slots.slots.get_mut(number as usize) {
            *slot = Some(socket.clone());
        }
        socket.set_tag(number + 1);
        (number, true)
    }

    /// The socket with a number.
    pub(crate) fn get(&self, number: u32) -> Option<Socket> {
        lock(&self.0).slots.get(number as usize)?.clone()
    }

    /// JavaScript does not use the number any more.
    pub(crate) fn free(&self, number: u32) {
        let gone = {
            let mut slots = lock(&self.0);
            let gone = slots.slots.get_mut(number as usize).and_then(Option::take);
            if gone.is_some() {
                slots.free.push(number);
            }
            gone
        };
        drop(gone);
    }

    /// Nobody uses any of them.
    pub(crate) fn clear(&self) {
        let slots = std::mem::take(&mut *lock(&self.0));
        drop(slots);
    }
}

/// The number of a socket that JavaScript knows.
pub(crate) fn known(socket: &Socket) -> Option<u32> {
    socket.tag().checked_sub(1)
}
