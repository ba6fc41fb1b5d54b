//! Who watches what a server does: metrics by room, presence, an administrator's page.

use std::fmt;
use std::sync::Arc;

use engineio_proto::guard;
use engineio_proto::log;
use socketio_adapter::{Room, SocketId};
use socketio_parser::Value;

use crate::events::middleware::{Chain, append};
use crate::namespace::Namespace;
use crate::reason::DisconnectReason;
use crate::socket::Socket;

/// Is told what happens on this node, in all namespaces; see
/// [`Builder::observer`](crate::Builder::observer). Each method does nothing by default.
///
/// Methods are called where it happens, in a connection's task or on the thread that emits or joins,
/// with no lock of the library held, so they may call anything of it; what blocks holds that up. A
/// panic is caught and logged. What two threads do at the same time may be told in either order, so
/// count rather than remember the latest: a room of which closing and opening anew cross is told as
/// opened twice, then closed.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
/// use socketio::adapter::{Room, SocketId};
/// use socketio::observe::Observer;
/// use socketio::Server;
///
/// /// How many are in each room.
/// #[derive(Clone, Default)]
/// struct Presence(Arc<Mutex<HashMap<String, i64>>>);
///
/// impl Observer for Presence {
///     fn joined(&self, _namespace: &str, _id: &SocketId, room: &Room) {
///         *self.0.lock().unwrap().entry(room.to_string()).or_default() += 1;
///     }
///
///     fn left(&self, _namespace: &str, _id: &SocketId, room: &Room) {
///         *self.0.lock().unwrap().entry(room.to_string()).or_default() -= 1;
///     }
/// }
///
/// let presence = Presence::default();
/// let io = Server::builder().observer(presence.clone()).build()?;
/// # let _ = io;
/// # Ok::<(), socketio::options::BuildError>(())
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A socket was let in, and its client has the answer; the listeners of `connection` run next.
    /// The rooms that it begins with were told of before.
    fn connected(&self, socket: &Socket) {
        let _ = socket;
    }

    /// A socket is over: its listeners of `disconnect` have run, until their first `.await`. When the
    /// server closes, it leaves its rooms after this, else before.
    fn disconnected(&self, socket: &Socket, reason: DisconnectReason) {
        let _ = (socket, reason);
    }

    /// A socket has joined a room, be it its own.
    fn joined(&self, namespace: &str, id: &SocketId, room: &Room) {
        let _ = (namespace, id, room);
    }

    /// A socket has left a room, by itself or as it left the namespace.
    fn left(&self, namespace: &str, id: &SocketId, room: &Room) {
        let _ = (namespace, id, room);
    }

    /// A room has its first member on this node.
    fn room_opened(&self, namespace: &str, room: &Room) {
        let _ = (namespace, room);
    }

    /// The last member on this node has left a room.
    fn room_closed(&self, namespace: &str, room: &Room) {
        let _ = (namespace, room);
    }

    /// A client sent an event; neither middleware nor a listener has seen it yet.
    fn event_in(&self, socket: &Socket, event: &ObservedEvent<'_>) {
        let _ = (socket, event);
    }

    /// The program emits an event, which will be queued next, once for all receivers. What other
    /// nodes send to clients of this one is theirs to tell of.
    fn event_out(&self, to: &Receivers<'_>, event: &ObservedEvent<'_>) {
        let _ = (to, event);
    }
}

/// An event, as an [`Observer`] sees it.
#[derive(Clone, Copy)]
pub struct ObservedEvent<'a> {
    name: &'a str,
    values: &'a dyn Fn() -> Vec<Value>,
}

impl<'a> ObservedEvent<'a> {
    pub(crate) fn new(name: &'a str, values: &'a dyn Fn() -> Vec<Value>) -> Self {
        Self { name, values }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Its arguments, which each call makes anew of what came or of what was emitted.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        (self.values)()
    }
}

impl fmt::Debug for ObservedEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedEvent").field("name", &self.name).finish_non_exhaustive()
    }
}

/// To whom an event is emitted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Receivers<'a> {
    /// One client.
    One(&'a Socket),
    /// Many.
    #[non_exhaustive]
    Many {
        /// Of which namespace.
        namespace: &'a Namespace,
        /// Members of one of these rooms; if there are none, all.
        rooms: &'a [Room],
        /// Without the members of these.
        except: &'a [Room],
        /// Without this socket.
        sender: Option<&'a SocketId>,
        /// Only those of this node.
        local: bool,
    },
}

/// The observers of a server.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Chain<Arc<dyn Observer>>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Observer) {
        append(&mut self.0, Arc::new(observer));
    }

    pub(crate) fn are_there(&self) -> bool {
        self.0.is_some()
    }

    /// Tells each of them, if there are any.
    #[inline]
    pub(crate) fn tell(&self, f: impl Fn(&dyn Observer)) {
        if let Some(observers) = &self.0 {
            tell_each(observers, &f);
        }
    }
}

#[cold]
fn tell_each(observers: &[Arc<dyn Observer>], f: &dyn Fn(&dyn Observer)) {
    for observer in observers {
        if guard::call(|| f(&**observer)).is_err() {
            log!(error: "an observer panicked");
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observers").field(&self.0.as_ref().map_or(0, |all| all.len())).finish()
    }
}
