//! Emits of one turn are written together.
//!
//! While the driver handles what it read, pushes only queue; the sessions that got something are
//! listed on the thread and flushed when the turn ends. So a burst of answers is one write, and a
//! handler that emits three times to a room costs each member one write.

use std::cell::RefCell;

use crate::socket::Socket;

/// This many sessions are flushed by the thread that emitted; of more, the rest is spread over the
/// runtime's workers in portions of the same size, so that a large room does not hold up the
/// emitter's connection.
const PORTION: usize = 64;

#[derive(Debug)]
struct List {
    active: bool,
    /// The session whose turn it is: its driver flushes it, so it is not listed but noted.
    own: usize,
    own_listed: bool,
    sockets: Vec<Socket>,
}

thread_local! {
    static LIST: RefCell<List> = const {
        RefCell::new(List { active: false, own: 0, own_listed: false, sockets: Vec::new() })
    };
}

/// Whether a batch runs on this thread.
pub(crate) fn is_active() -> bool {
    LIST.with_borrow(|list| list.active)
}

/// Puts a session into the list of the running batch, or flushes it if none runs.
pub(crate) fn list(socket: &Socket) {
    let listed = LIST.with_borrow_mut(|list| {
        match list.active {
            true if list.own == socket.address() => list.own_listed = true,
            true => list.sockets.push(socket.clone()),
            false => {}
        }
        list.active
    });
    if !listed {
        socket.flush();
    }
}

/// The driver of a session is about to flush it.
pub(crate) fn flushing(socket: &Socket) {
    LIST.with_borrow_mut(|list| list.own_listed &= list.own != socket.address());
}

/// A batch: what is pushed on this thread meanwhile is written when it ends. Within another one it
/// has no effect.
#[derive(Debug)]
pub(crate) struct Batch {
    outermost: bool,
}

impl Batch {
    /// Begins the turn of a session.
    pub(crate) fn begin(own: &Socket) -> Self {
        LIST.with_borrow_mut(|list| {
            let outermost = !list.active;
            if outermost {
                (list.active, list.own) = (true, own.address());
            }
            Self { outermost }
        })
    }

    /// True: something was pushed to the session itself since its driver flushed it.
    pub(crate) fn end(self) -> bool {
        self.outermost && LIST.with_borrow_mut(|list| std::mem::take(&mut list.own_listed))
    }
}

/// Also when the turn panics.
impl Drop for Batch {
    fn drop(&mut self) {
        if !self.outermost {
            return;
        }
        let mut sockets = LIST.with_borrow_mut(|list| {
            (list.active, list.own_listed) = (false, false);
            std::mem::take(&mut list.sockets)
        });
        if sockets.is_empty() {
            return LIST.with_borrow_mut(|list| list.sockets = sockets);
        }
        flush(&mut sockets);
        sockets.clear();
        if sockets.capacity() <= PORTION {
            LIST.with_borrow_mut(|list| list.sockets = sockets);
        }
    }
}

fn flush(sockets: &mut Vec<Socket>) {
    if sockets.len() > PORTION {
        let runtime = sockets[0].runtime().clone();
        while sockets.len() > PORTION {
            let portion = sockets.split_off(sockets.len() - PORTION.min(sockets.len() - PORTION));
            runtime.spawn(async move { portion.iter().for_each(Socket::flush) });
        }
    }
    sockets.iter().for_each(Socket::flush);
}
