//! What a namespace is asked and told across all nodes of a cluster.
//!
//! This node comes first and at once; what concerns the others goes through the adapter. On a
//! server of a single process all of it works the same, without anything to wait for.

use std::collections::HashSet;
use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::{
    AdapterError, AdapterFuture, Answers, Cluster, Completion, IntoRooms, Node, Room, SocketId,
};
use socketio_parser::{RawArgs, Value};
use tokio::sync::oneshot;

use super::Namespace;
use crate::cluster::remote_socket::RemoteSocket;
use crate::cluster::server_event::ServerEvent;
use crate::error::EmitError;
use crate::forward::forward;

impl Namespace {
    pub(crate) fn cluster(&self) -> Option<&dyn Cluster> {
        self.0.cluster.as_deref()
    }

    /// Lets the adapter begin with what it does beyond this node.
    pub(crate) fn attach(&self) {
        let inner = std::sync::Arc::downgrade(&self.0);
        self.0.adapter.attach(inner);
    }

    forward! { operator:
        /// All sockets of the namespace, on all nodes, with their rooms, data and handshake.
        ///
        /// It costs a request to each node and an answer that grows with its sockets, of a kilobyte or
        /// so each: ask for [`clients`](Self::clients) where the ids are enough, and for rooms
        /// (`namespace.in_room(..).fetch_sockets()`) where not all are meant.
        ///
        /// # Errors
        /// If the adapter fails. Nodes that did not answer are no error, see [`Answers`].
        // Node: namespace.fetchSockets, 4.0 and later
        async fn fetch_sockets() -> Result<Answers<RemoteSocket>, AdapterError>;

        /// Joins all sockets of the namespace, on all nodes, to a room or several. One message to each
        /// node; this one's sockets have joined when it returns.
        // Node: namespace.socketsJoin, 4.0 and later
        fn sockets_join(rooms: impl IntoRooms) -> Completion;

        /// Takes all sockets of the namespace, on all nodes, out of a room or several. One message to
        /// each node; this one's sockets have left when it returns.
        // Node: namespace.socketsLeave, 4.0 and later
        fn sockets_leave(rooms: impl IntoRooms) -> Completion;

        /// Disconnects all sockets of the namespace, on all nodes; with `close` also their connections.
        /// One message to each node; this one's sockets are disconnected when it returns.
        // Node: namespace.disconnectSockets, 4.0 and later
        fn disconnect_sockets(close: bool) -> Completion;
    }

    /// The names of all rooms of the namespace, on all nodes, each once, in no order; also those
    /// that are a socket's own, so that there are at least as many as sockets.
    ///
    /// # Errors
    /// If the adapter fails. Nodes that did not answer are no error, see [`Answers`].
    // Node: adapter.allRooms
    pub async fn all_rooms(&self) -> Result<Answers<Room>, AdapterError> {
        let mut answers = Answers::of_one_node(self.adapter().local_rooms());
        if let Some(cluster) = self.cluster() {
            answers = answers.and(cluster.rooms().await?);
        }
        let mut seen = HashSet::with_capacity(answers.items.len());
        answers.items.retain(|room| seen.insert(room.clone()));
        Ok(answers)
    }

    // ---- one socket, wherever it is ---------------------------------------------------------

    /// The rooms of a socket, wherever it is.
    ///
    /// # Errors
    /// [`AdapterError::Timeout`] if no node has it.
    // Node: adapter.clientRooms, 2.x
    pub async fn client_rooms(&self, id: &SocketId) -> Result<Vec<Room>, AdapterError> {
        match (self.connected().get(id), self.cluster()) {
            (Some(socket), _) => Ok(socket.rooms()),
            (None, Some(cluster)) => cluster.rooms_of(id).await,
            (None, None) => Err(AdapterError::Timeout),
        }
    }

    /// Joins a socket, wherever it is, to a room or several. A socket of this node has joined when
    /// it returns. Awaiting it waits for the socket's node, as far as such nodes answer: Node
    /// servers of the 4.x line do not, and a socket that is nowhere is no error to them.
    // Node: adapter.remoteJoin, 2.x
    pub fn remote_join(&self, id: &SocketId, rooms: impl IntoRooms) -> Completion {
        match self.connected().get(id) {
            Some(socket) => socket.join(rooms),
            None => {
                let rooms = rooms.into_rooms();
                if let Err(error) = self.allow_rooms(&rooms) {
                    return AdapterError::from(error).into();
                }
                self.for_each(rooms, |cluster, room| cluster.join_one(id, room))
            }
        }
    }

    /// Takes a socket, wherever it is, out of a room or several, as [`Namespace::remote_join`].
    // Node: adapter.remoteLeave, 2.x
    pub fn remote_leave(&self, id: &SocketId, rooms: impl IntoRooms) -> Completion {
        match self.connected().get(id) {
            Some(socket) => socket.leave(rooms),
            None => self.for_each(rooms, |cluster, room| cluster.leave_one(id, room)),
        }
    }

    /// Disconnects a socket, wherever it is, as [`Namespace::remote_join`]; with `close` also its
    /// connection.
    // Node: adapter.remoteDisconnect, 2.x
    pub fn remote_disconnect(&self, id: &SocketId, close: bool) -> Completion {
        match (self.connected().get(id), self.cluster()) {
            (Some(socket), _) => {
                socket.disconnect(close);
                Completion::done()
            }
            (None, Some(cluster)) => Completion::until(cluster.disconnect_one(id, close)),
            (None, None) => Completion::done(),
        }
    }

    fn for_each(
        &self,
        rooms: impl IntoRooms,
        tell: impl Fn(&dyn Cluster, &Room) -> AdapterFuture<()>,
    ) -> Completion {
        let Some(cluster) = self.cluster() else { return Completion::done() };
        let told: Vec<_> = rooms.into_rooms().iter().map(|room| tell(cluster, room)).collect();
        Completion::until(Box::pin(async move {
            for told in told {
                told.await?;
            }
            Ok(())
        }))
    }

    // ---- server to server -------------------------------------------------------------------

    /// Adds a listener for an event that other servers send with
    /// [`server_side_emit`](Self::server_side_emit). What it does before its first `.await` is done
    /// before the next message of the cluster is read, so it must not block.
    ///
    /// ```
    /// # use socketio::adapter::ServerEvent;
    /// # use socketio::Server;
    /// # fn example(io: Server) {
    /// io.sockets().on_server_event("sum", async |event: ServerEvent| {
    ///     if let Ok((a, b)) = event.data::<(i64, i64)>() {
    ///         let _ = event.reply(a + b);
    ///     }
    /// });
    /// # }
    /// ```
    // Node: namespace.on, for serverSideEmit
    pub fn on_server_event<F, Fut>(&self, event: impl Into<String>, listener: F)
    where
        F: FnOnce(ServerEvent) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.0.server_listeners.on(event.into(), listener);
    }

    /// Sends an event to the listeners of the other servers, not to this one's and not to clients.
    /// It is handed to the broker at once, awaited or not. One message to each node.
    ///
    /// An error, when it is awaited, is [`AdapterError::Unsupported`] if the cluster is of the 2.x
    /// line, or an [`EmitError`] in [`AdapterError::Backend`] (a reserved name, arguments that
    /// cannot be encoded).
    // Node: namespace.serverSideEmit, 4.1 and later
    pub fn server_side_emit<T: Serialize>(&self, event: &str, args: T) -> Completion {
        match (server_args(event, &args), self.cluster()) {
            (Err(error), _) => backend(error).into(),
            (Ok(args), Some(cluster)) => Completion::until(cluster.server_side_emit(event, args)),
            (Ok(_), None) => Completion::done(),
        }
    }

    /// Sends an event to the listeners of the other servers and waits for their answers, one of each
    /// that has a listener which [replies](ServerEvent::reply). A server of which none does is
    /// missing when the adapter's time is over. One message to each node and one back.
    ///
    /// # Errors
    /// As [`server_side_emit`](Self::server_side_emit), and if an answer is of another type.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it forgets the answers; the event is sent with the first poll.
    // Node: namespace.serverSideEmit with an acknowledgement, 4.1 and later
    pub async fn server_side_emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        args: impl Serialize,
    ) -> Result<Answers<R>, AdapterError> {
        let args = server_args(event, &args).map_err(backend)?;
        let Some(cluster) = self.cluster() else {
            return Ok(Answers { items: Vec::new(), answered: 0, missing: Vec::new() });
        };
        let answers = cluster.server_side_emit_with_ack(event, args).await?;
        let Answers { items, answered, missing } = answers;
        let items: Result<_, _> = items.into_iter().map(socketio_parser::from_value).collect();
        let items = items.map_err(|error| AdapterError::Backend(error.into()))?;
        Ok(Answers { items, answered, missing })
    }

    /// Says what this server answers to a [`custom_request`](Self::custom_request), replacing the
    /// last; `None`: nothing. Without it the answer is `null`. It must not block.
    // Node: adapter.customHook, 2.x
    pub fn on_custom_request<F, Fut>(&self, answer: F)
    where
        F: FnOnce(Value) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Option<Value>> + Send + 'static,
    {
        self.0.server_listeners.on_custom_request(answer);
    }

    /// Asks all servers, this one first, what they answer to a request of the application. For
    /// clusters of the 2.x line, which have it instead of
    /// [`server_side_emit_with_ack`](Self::server_side_emit_with_ack).
    ///
    /// # Errors
    /// [`AdapterError::Unsupported`] in a cluster with nodes of the 4.x line, which it would end.
    // Node: adapter.customRequest, 2.x
    pub async fn custom_request<T: Serialize>(
        &self,
        data: T,
    ) -> Result<Answers<Value>, AdapterError> {
        let data = socketio_parser::to_value(&data).map_err(|error| backend(error.into()))?;
        let (sender, own) = oneshot::channel();
        // fails only if nobody waits any more
        let reply = Box::new(move |answer| drop(sender.send(answer)));
        let others = self.cluster().map(|cluster| cluster.custom_request(data.clone()));
        Node::custom_request(&*self.0, data, reply);
        let Some(others) = others else {
            let own = own.await.map_or_else(|_| Vec::new(), |own| vec![own]);
            return Ok(Answers { answered: own.len(), items: own, missing: Vec::new() });
        };
        let mut own = std::pin::pin!(own);
        let mut others = others;
        // the others' time limit is this one's, too
        let mut mine = None;
        let answers = std::future::poll_fn(|cx| {
            if mine.is_none() {
                if let std::task::Poll::Ready(answer) = own.as_mut().poll(cx) {
                    mine = Some(answer.ok());
                }
            }
            others.as_mut().poll(cx)
        });
        let answers = answers.await?;
        let own = match mine.flatten() {
            Some(own) => Answers::of_one_node(vec![own]),
            None => {
                let missing = vec!["this node".to_owned()];
                Answers { items: Vec::new(), answered: 0, missing }
            }
        };
        Ok(own.and(answers))
    }
}

fn backend(error: EmitError) -> AdapterError {
    AdapterError::Backend(error.into())
}

/// The arguments of an event for servers.
fn server_args<T: Serialize>(event: &str, args: &T) -> Result<Vec<Value>, EmitError> {
    // Node: RESERVED_EVENTS of the server's namespaces
    if ["connect", "connection", "new_namespace"].contains(&event) {
        return Err(EmitError::Reserved(event.to_owned()));
    }
    Ok(RawArgs::from_serialize(args)?.into_values())
}
