//! The methods of the namespace `/` that concern a cluster.

use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::{AdapterError, Answers, Completion, IntoRooms};

use super::Server;
use crate::cluster::remote_socket::RemoteSocket;
use crate::cluster::server_event::ServerEvent;

impl Server {
    /// [`Namespace::fetch_sockets`](crate::Namespace::fetch_sockets) of `/`.
    ///
    /// # Errors
    /// Those of that method.
    pub async fn fetch_sockets(&self) -> Result<Answers<RemoteSocket>, AdapterError> {
        self.sockets().fetch_sockets().await
    }

    /// [`Namespace::sockets_join`](crate::Namespace::sockets_join) of `/`.
    pub fn sockets_join(&self, rooms: impl IntoRooms) -> Completion {
        self.sockets().sockets_join(rooms)
    }

    /// [`Namespace::sockets_leave`](crate::Namespace::sockets_leave) of `/`.
    pub fn sockets_leave(&self, rooms: impl IntoRooms) -> Completion {
        self.sockets().sockets_leave(rooms)
    }

    /// [`Namespace::disconnect_sockets`](crate::Namespace::disconnect_sockets) of `/`.
    pub fn disconnect_sockets(&self, close: bool) -> Completion {
        self.sockets().disconnect_sockets(close)
    }

    /// [`Namespace::on_server_event`](crate::Namespace::on_server_event) of `/`.
    pub fn on_server_event<F, Fut>(&self, event: impl Into<String>, listener: F)
    where
        F: FnOnce(ServerEvent) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.sockets().on_server_event(event, listener);
    }

    /// [`Namespace::server_side_emit`](crate::Namespace::server_side_emit) of `/`.
    pub fn server_side_emit<T: Serialize>(&self, event: &str, args: T) -> Completion {
        self.sockets().server_side_emit(event, args)
    }

    /// [`Namespace::server_side_emit_with_ack`](crate::Namespace::server_side_emit_with_ack) of `/`.
    ///
    /// # Errors
    /// Those of that method.
    pub async fn server_side_emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        args: impl Serialize,
    ) -> Result<Answers<R>, AdapterError> {
        self.sockets().server_side_emit_with_ack(event, args).await
    }
}
