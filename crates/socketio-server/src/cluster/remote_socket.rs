//! Sockets that may live on another node.

use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::{Completion, IntoRooms, Room, SocketDetails, SocketId};
use socketio_parser::Value;

use crate::error::EmitError;
use crate::namespace::Namespace;

/// A socket of the cluster, as [`fetch_sockets`](Namespace::fetch_sockets) found it: what it was
/// then, and ways to reach it wherever it is.
// Node: RemoteSocket, 4.0 and later
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    namespace: Namespace,
    details: SocketDetails,
}

impl RemoteSocket {
    pub(crate) fn new(namespace: Namespace, details: SocketDetails) -> Self {
        Self { namespace, details }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &SocketId {
        &self.details.id
    }

    /// The rooms that it was in, its own among them. Empty for sockets of Node servers of the 2.x
    /// line, which tell only ids.
    #[must_use]
    pub fn rooms(&self) -> &[Room] {
        &self.details.rooms
    }

    /// What was known of its handshake, an object as in Node: `headers`, `time`, `address`,
    /// `xdomain`, `secure`, `issued`, `url`, `query`, `auth`.
    #[must_use]
    pub fn handshake(&self) -> &Value {
        &self.details.handshake
    }

    /// Its [data](crate::Socket::data) as a type; `None` if it is of another type.
    #[must_use]
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        socketio_parser::from_value(self.details.data.clone()).ok()
    }

    /// Sends it an event.
    ///
    /// # Errors
    /// Those of [`Namespace::emit`]: whether it is still there is not known.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.namespace.to(self.id()).emit(event, args)
    }

    /// Joins it to a room or several, see [`Namespace::remote_join`].
    pub fn join(&self, rooms: impl IntoRooms) -> Completion {
        self.namespace.remote_join(self.id(), rooms)
    }

    /// Takes it out of a room or several, see [`Namespace::remote_leave`].
    pub fn leave(&self, rooms: impl IntoRooms) -> Completion {
        self.namespace.remote_leave(self.id(), rooms)
    }

    /// Disconnects it, see [`Namespace::remote_disconnect`].
    pub fn disconnect(&self, close: bool) -> Completion {
        self.namespace.remote_disconnect(self.id(), close)
    }
}
