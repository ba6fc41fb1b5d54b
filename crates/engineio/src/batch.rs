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
    sockets: Vec<Socket>,
}

thread_local! {
    static LIST: RefCell<List> = const { RefCell::new(List { active: false, sockets: Vec::new() }) };
}

/// Whether a batch runs on this thread.
pub(crate) fn is_active() -> bool {
    LIST.with_borrow(|list| list.active)
}

/// Puts a session into the list of the running batch, or flushes it if none runs.
pub(crate) fn list(socket: &Socket) {
    let listed = LIST.with_borrow_mut(|list| {
        if list.active {
            list.sockets.push(socket.clone());
        }
        list.active
    });
    if !listed {
        socket.flush();
    }
}

/// Runs `f` as a batch: what it pushes is written when it returns. Within a batch this is `f`.
pub fn run<R>(f: impl FnOnce() -> R) -> R {
    /// Ends the batch also when `f` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            let mut sockets = LIST.with_borrow_mut(|list| {
                list.active = false;
                std::mem::take(&mut list.sockets)
            });
            flush(&mut sockets);
            sockets.clear();
            if sockets.capacity() <= PORTION {
                LIST.with_borrow_mut(|list| list.sockets = sockets);
            }
        }
    }
    if is_active() {
        return f();
    }
    LIST.with_borrow_mut(|list| list.active = true);
    let _end = End;
    f()
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
