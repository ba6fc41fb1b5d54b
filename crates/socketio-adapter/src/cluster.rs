//! What a cluster is: the other nodes as this one sees them, and this node as they see it.
//!
//! Both are about one namespace. [`Cluster`] is made by an adapter that reaches other nodes; the
//! layer above serves its own sockets first and then asks it for the rest. [`Node`] is the layer
//! above, as a message from elsewhere finds it. Neither is used by a server of a single process.

#[cfg(feature = "cluster")]
pub(crate) mod adapter;
#[cfg(feature = "cluster")]
pub(crate) mod bus;
#[cfg(feature = "cluster")]
mod carrier;
#[cfg(feature = "cluster")]
mod codec;
#[cfg(feature = "cluster")]
pub(crate) mod emitter;
#[cfg(feature = "cluster")]
pub(crate) mod formats;
#[cfg(feature = "cluster")]
mod keeper;
#[cfg(feature = "cluster")]
pub(crate) mod log;
#[cfg(feature = "cluster")]
mod message;
#[cfg(feature = "cluster")]
mod node;
#[cfg(feature = "cluster")]
pub(crate) mod nodes_channel;
#[cfg(feature = "cluster")]
mod own;
#[cfg(feature = "cluster")]
mod peers;
#[cfg(feature = "cluster")]
mod pending;
#[cfg(feature = "cluster")]
mod recovery;
#[cfg(feature = "cluster")]
mod requests;
#[cfg(feature = "cluster")]
mod returning;
#[cfg(feature = "cluster")]
mod shared;
#[cfg(feature = "cluster")]
mod tail;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use engineio_proto::Outgoing;
use socketio_parser::{DataForm, EventData, Value};

use crate::{AdapterFuture, Answers, BroadcastOptions, Room, SocketId};

/// The nodes of a cluster but for this one.
///
/// Sockets are meant by [`BroadcastOptions`], of which rooms, exceptions and sender count. What only
/// tells the other nodes something is handed to the broker at once, whether or not the future is
/// awaited.
pub trait Cluster: Send + Sync + fmt::Debug + 'static {
    /// In which form [`Cluster::broadcast`] and [`Cluster::ask`] take an event.
    fn form(&self) -> DataForm;

    /// Has the other nodes send an event to their sockets. Never waits; what cannot be published is
    /// counted.
    fn broadcast(&self, event: &EventData, options: &BroadcastOptions);

    /// The same, with an acknowledgement of each client asked for. `answered` is called for each
    /// answer as it comes. Resolves when all have come or the time is over.
    ///
    /// # Errors
    /// [`AdapterError::Unsupported`](crate::AdapterError::Unsupported) if there are nodes that
    /// cannot be asked; the event was then sent without asking.
    fn ask(
        &self,
        event: &EventData,
        options: &BroadcastOptions,
        timeout: Duration,
        answered: Answered,
    ) -> AdapterFuture<AckCount>;

    /// Has the broker get now what it was handed, as far as that can be done without waiting: it is
    /// about to be followed by writes to clients of this node. It gets it all the same without.
    fn flush(&self) {}

    /// The ids of the sockets meant.
    fn ids(&self, options: &BroadcastOptions) -> AdapterFuture<Answers<SocketId>>;

    /// The sockets meant, with all that their nodes tell of them.
    fn sockets(&self, options: &BroadcastOptions) -> AdapterFuture<Answers<SocketDetails>>;

    /// The names of all rooms, doubles included; also those that are a socket's own.
    fn rooms(&self) -> AdapterFuture<Answers<Room>>;

    /// Joins the sockets meant to rooms.
    fn join(&self, options: &BroadcastOptions, rooms: &[Room]) -> AdapterFuture<()>;

    /// Takes the sockets meant out of rooms.
    fn leave(&self, options: &BroadcastOptions, rooms: &[Room]) -> AdapterFuture<()>;

    /// Disconnects the sockets meant; with `close` also their connections.
    fn disconnect(&self, options: &BroadcastOptions, close: bool) -> AdapterFuture<()>;

    /// Joins one socket to a room.
    ///
    /// # Errors
    /// [`AdapterError::Timeout`](crate::AdapterError::Timeout), from nodes that would have answered.
    fn join_one(&self, id: &SocketId, room: &Room) -> AdapterFuture<()>;

    /// Takes one socket out of a room.
    ///
    /// # Errors
    /// As [`Cluster::join_one`].
    fn leave_one(&self, id: &SocketId, room: &Room) -> AdapterFuture<()>;

    /// Disconnects one socket; with `close` also its connection.
    ///
    /// # Errors
    /// As [`Cluster::join_one`].
    fn disconnect_one(&self, id: &SocketId, close: bool) -> AdapterFuture<()>;

    /// The rooms of one socket.
    ///
    /// # Errors
    /// [`AdapterError::Timeout`](crate::AdapterError::Timeout) if no node has it.
    fn rooms_of(&self, id: &SocketId) -> AdapterFuture<Vec<Room>>;

    /// Hands an event to the listeners of the other servers.
    fn server_side_emit(&self, event: &str, args: Vec<Value>) -> AdapterFuture<()>;

    /// The same, with an answer of each server asked for.
    fn server_side_emit_with_ack(
        &self,
        event: &str,
        args: Vec<Value>,
    ) -> AdapterFuture<Answers<Value>>;

    /// Asks the other servers what they answer to a request of the application.
    fn custom_request(&self, data: Value) -> AdapterFuture<Answers<Value>>;
}

/// This node's part of a namespace. Its methods act at once and do not wait, as they are called
/// where messages of other nodes are read.
pub trait Node: Send + Sync + 'static {
    /// Runs `f`, in which packets are handed to sockets, so that each connection is written to once,
    /// at the end.
    fn fan_out(&self, f: &mut dyn FnMut()) {
        f();
    }

    /// Makes the packet of an event for sockets of this node, volatile and compressed as the options
    /// say; `None` if it cannot be written.
    fn packet(&self, event: &str, args: Vec<Value>, options: &BroadcastOptions)
    -> Option<Outgoing>;

    /// Sends an event to sockets of this node and asks each to acknowledge it. The number of those
    /// asked; `answered` is called with the first argument of each answer that comes in time.
    fn ask(
        &self,
        event: &str,
        args: Vec<Value>,
        options: &BroadcastOptions,
        timeout: Duration,
        answered: Answered,
    ) -> usize;

    /// What there is to tell of these sockets; those that are gone are left out.
    fn details(&self, ids: &[SocketId]) -> Vec<SocketDetails>;

    /// Joins sockets to rooms, each as by itself; one that may not join so many joins none.
    fn join(&self, ids: &[SocketId], rooms: &[Room]);

    /// Disconnects sockets; with `close` also their connections.
    fn disconnect(&self, ids: &[SocketId], close: bool);

    /// An event for the listeners of this server; with a reply if the sender waits for one.
    fn server_event(&self, event: String, args: Vec<Value>, reply: Option<Reply>);

    /// A request of the application.
    fn custom_request(&self, data: Value, reply: Reply);

    /// Whether clients are to come back to their sessions, on whatever node, and within which bounds.
    /// Asked once, by [`Adapter::attach`](crate::Adapter::attach), where the adapter can do that.
    fn recovery(&self) -> Option<SharedRecovery> {
        None
    }

    /// Whether this node wants to be told who joins and leaves which room. Asked once, by
    /// [`Adapter::attach`](crate::Adapter::attach); who is in a room by then is told of, too.
    fn is_observed(&self) -> bool {
        false
    }

    /// A socket of this node has joined a room, be it its own. Called with no lock held, as the three
    /// below are; changes that two threads make at the same time may be told in either order.
    fn joined(&self, id: &SocketId, room: &Room) {
        let _ = (id, room);
    }

    /// A socket of this node has left a room.
    fn left(&self, id: &SocketId, room: &Room) {
        let _ = (id, room);
    }

    /// A room has its first member on this node, who is told of next.
    fn room_opened(&self, room: &Room) {
        let _ = room;
    }

    /// The last member of this node has left a room, as was just told.
    fn room_closed(&self, room: &Room) {
        let _ = room;
    }
}

/// The bounds of connection state recovery over a log that nodes share.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by the server, read by the adapter")]
pub struct SharedRecovery {
    /// How long a client may be away.
    pub max_disconnection_duration: Duration,
    /// How many events a client may have missed.
    pub max_packets: usize,
    /// How many bytes these may be.
    pub max_bytes: usize,
}

/// Called with each answer of a client.
pub type Answered = Arc<dyn Fn(Value) + Send + Sync>;

/// Takes one answer.
pub type Reply = Box<dyn FnOnce(Value) + Send>;

/// A socket, as its node describes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SocketDetails {
    /// Its id.
    pub id: SocketId,
    /// Its rooms, its own among them. Empty if its node tells only ids.
    pub rooms: Vec<Room>,
    /// Its handshake, an object: `headers`, `time`, `address`, `xdomain`, `secure`, `issued`, `url`,
    /// `query`, `auth`.
    pub handshake: Value,
    /// What the application keeps with it.
    pub data: Value,
}

impl SocketDetails {
    /// Of a socket of which nothing but the id is known.
    #[must_use]
    pub const fn new(id: SocketId) -> Self {
        Self { id, rooms: Vec::new(), handshake: Value::Null, data: Value::Null }
    }
}

/// How many clients of other nodes were asked and answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AckCount {
    /// Clients that the nodes told of.
    pub asked: usize,
    /// Answers that came.
    pub answered: usize,
    /// The nodes that did not tell how many clients they asked, as in [`Answers::missing`].
    pub missing: Vec<String>,
}

impl AckCount {
    /// So many clients were asked and have answered, and these nodes are missing.
    #[must_use]
    pub const fn new(asked: usize, answered: usize, missing: Vec<String>) -> Self {
        Self { asked, answered, missing }
    }
}

#[cfg(all(test, feature = "cluster"))]
mod tests;
