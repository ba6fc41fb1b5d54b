//! The API's `Client`: one connection, shared by its sockets of different namespaces.
//!
//! The handle is what users see; the work is done in the connection's task, see `connection`.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use engineio::Request;
use engineio_proto::guard::{Held, lock};
use socketio_parser::Revision;

use crate::socket::Socket;

/// A client's connection; a handle, cheap to clone.
// Node 2.0: Class Client
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    conn: engineio::Socket,
    revision: Revision,
    state: Mutex<State>,
    /// The server disconnected a socket: the task, which asks each turn, ends those whose gate is
    /// closed. Set after the gate was closed, and never missed, as the task is woken after that.
    has_gone: AtomicBool,
    /// There is a deadline: for the task, which asks each turn. Set under the lock.
    has_ack_deadline: AtomicBool,
    /// Bytes of what it wanted to join its namespaces with.
    kept_bytes: AtomicUsize,
}

struct State {
    /// The connected sockets, in order of joining: one per namespace.
    sockets: Vec<Socket>,
    /// The nearest time at which an acknowledgement is given up.
    ack_deadline: Option<Instant>,
}

impl Client {
    pub(crate) fn new(conn: engineio::Socket, revision: Revision) -> Self {
        Self(Arc::new(Inner {
            conn,
            revision,
            state: Mutex::new(State { sockets: Vec::new(), ack_deadline: None }),
            has_gone: AtomicBool::new(false),
            has_ack_deadline: AtomicBool::new(false),
            kept_bytes: AtomicUsize::new(0),
        }))
    }

    /// The connection.
    // Node 2.0: client.conn
    #[must_use]
    pub fn conn(&self) -> &engineio::Socket {
        &self.0.conn
    }

    /// The request that opened the connection.
    // Node 2.0: client.request
    #[must_use]
    pub fn request(&self) -> &Request {
        self.0.conn.request()
    }

    /// The connected sockets, in order of joining.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        self.state().sockets.clone()
    }

    /// The socket in a namespace.
    #[must_use]
    pub fn socket(&self, namespace: &str) -> Option<Socket> {
        let state = self.state();
        state.sockets.iter().find(|socket| socket.namespace().name() == namespace).cloned()
    }

    /// Whether the handle is of the same connection as another.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    // Node: DISCONNECT to all namespaces in order of joining, then the connection is closed
    pub(crate) fn disconnect_all(&self) {
        for socket in self.sockets() {
            socket.disconnect_namespace();
        }
        self.0.conn.close();
    }

    pub(crate) fn revision(&self) -> Revision {
        self.0.revision
    }

    pub(crate) fn count(&self) -> usize {
        self.state().sockets.len()
    }

    pub(crate) fn add(&self, socket: &Socket) {
        let sockets = &mut self.state().sockets;
        if sockets.is_empty() {
            // most clients are in one namespace
            sockets.reserve_exact(1);
        }
        sockets.push(socket.clone());
    }

    /// False: it was removed before.
    pub(crate) fn remove(&self, socket: &Socket) -> bool {
        let mut state = self.state();
        let at = state.sockets.iter().position(|other| other.is_same(socket));
        let gone = at.map(|at| state.sockets.remove(at));
        drop(state);
        gone.is_some()
    }

    /// A socket's gate was closed by the server: the task is to end the socket.
    pub(crate) fn socket_has_gone(&self) {
        self.0.has_gone.store(true, Ordering::Release);
        self.0.conn.wake();
    }

    /// Whether there may be sockets that the server disconnected, once for each time.
    pub(crate) fn take_has_gone(&self) -> bool {
        // most often not, which is to cost a look
        self.0.has_gone.load(Ordering::Relaxed) && self.0.has_gone.swap(false, Ordering::Acquire)
    }

    /// The sockets that the server disconnected and that are still to be ended.
    pub(crate) fn gone(&self) -> Vec<Socket> {
        self.state().sockets.iter().filter(|socket| !socket.gate().is_open()).cloned().collect()
    }

    /// Has the task look at the acknowledgements at this time.
    pub(crate) fn ack_deadline(&self, deadline: Instant) {
        let nearer = {
            let nearest = &mut self.state().ack_deadline;
            let nearer = nearest.is_none_or(|nearest| deadline < nearest);
            if nearer {
                *nearest = Some(deadline);
                self.0.has_ack_deadline.store(true, Ordering::Release);
            }
            nearer
        };
        if nearer {
            self.0.conn.wake();
        }
    }

    pub(crate) fn next_ack_deadline(&self) -> Option<Instant> {
        match self.0.has_ack_deadline.load(Ordering::Acquire) {
            true => self.state().ack_deadline,
            false => None,
        }
    }

    pub(crate) fn take_ack_deadline(&self) {
        let mut state = self.state();
        self.0.has_ack_deadline.store(false, Ordering::Relaxed);
        state.ack_deadline = None;
    }

    /// So many bytes more are kept.
    pub(crate) fn keep(&self, bytes: usize) {
        self.0.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.0.kept_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.0.kept_bytes.load(Ordering::Relaxed)
    }

    fn state(&self) -> Held<MutexGuard<'_, State>> {
        lock(&self.0.state)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("conn", &self.0.conn).finish_non_exhaustive()
    }
}
