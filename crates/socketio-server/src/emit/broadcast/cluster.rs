//! What the sockets that are meant are asked and told, on all nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use engineio_proto::guard::lock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::{
    AckCount, AdapterError, Answered, Answers, Completion, IntoRooms, SocketId,
};
use socketio_parser::{EventData, RawArgs, Value};
use tokio::sync::mpsc;

use super::BroadcastOperator;
use crate::cluster::remote_socket::RemoteSocket;
use crate::emit::with_ack;
use crate::error::{AckError, EmitError};
use crate::namespace::details;
use crate::socket::acks::Waiter;

impl BroadcastOperator {
    /// Sends an event to the receivers and asks each to acknowledge it; resolves when all have
    /// answered, or the [timeout](BroadcastOperator::timeout) is over, with the answers and failures
    /// of each. Clients of other nodes are among them, unless it is
    /// [local](BroadcastOperator::local): a request to each node, and an answer back for each
    /// client, of which only the first argument travels.
    ///
    /// # Errors
    /// [`EmitError::NoTimeout`] without a timeout: one silent client would be waited for for
    /// ever. Else those of [`BroadcastOperator::emit`].
    pub async fn emit_with_ack<R>(
        &self,
        event: &str,
        args: impl Serialize + Send,
    ) -> Result<BroadcastAcks<R>, EmitError>
    where
        R: DeserializeOwned + Send + 'static,
    {
        let Some(timeout) = self.timeout else { return Err(EmitError::NoTimeout) };
        // one id and one packet for all
        let id = self.namespace.next_ack_id();
        let packet = self.namespace.encode_event(Some(id), event, &args)?;
        let packet = packet.compress(self.options.compress.unwrap_or(true)).droppable(false);
        let cluster = self.namespace.cluster().filter(|_| !self.options.local);
        let data = match cluster {
            Some(cluster) => Some(EventData::new(cluster.form(), event, &args)?),
            None => None,
        };
        self.show(event, &args);
        drop(args);
        let sockets = self.namespace.local_sockets(&self.options);
        // room for all: a waiter must not wait
        let (sender, mut answers) = mpsc::channel(sockets.len().max(1));
        for socket in &sockets {
            let (id_of, sender) = (socket.id().clone(), sender.clone());
            let waiter: Waiter = Box::new(move |answer| {
                // fails only if nobody waits any more
                let _ = sender.try_send((id_of, answer.and_then(with_ack::read)));
            });
            socket.send_expecting_ack(id, packet.clone(), Some(timeout), waiter);
        }
        drop(sender);
        let from_others: Arc<Mutex<Vec<Value>>> = Arc::default();
        let others = cluster.zip(data).map(|(cluster, data)| {
            let answers = Arc::clone(&from_others);
            let answered: Answered = Arc::new(move |answer| lock(&answers).push(answer));
            cluster.ask(&data, &self.options, timeout, answered)
        });
        let mut local = Vec::with_capacity(sockets.len());
        while let Some(answer) = answers.recv().await {
            local.push(answer);
        }
        let (outcome, error) = match others {
            None => (AckCount::default(), None),
            Some(others) => match others.await {
                Ok(outcome) => (outcome, None),
                Err(error) => (AckCount::default(), Some(error)),
            },
        };
        let from_others = std::mem::take(&mut *lock(&from_others));
        // reading is code of the user's type: the lock is free again
        let remote: Vec<_> = from_others.into_iter().map(read).collect();
        let silent = outcome.asked.saturating_sub(remote.len());
        Ok(BroadcastAcks { local, remote, silent, missing: outcome.missing, error })
    }

    /// The ids of the sockets in the namespace, or in the rooms that were named, on all nodes; each
    /// once. A request to each node, and an answer back.
    ///
    /// # Errors
    /// If the adapter fails. Nodes that did not answer are no error, see [`Answers`].
    // Node 2.0: namespace.clients
    pub async fn clients(&self) -> Result<Answers<SocketId>, AdapterError> {
        let adapter = self.namespace.adapter();
        let mut own = adapter.local_sockets(&self.options.rooms, &self.options.except);
        own.retain(|id| self.options.sender.as_ref() != Some(id));
        let mut answers = Answers::of_one_node(own);
        if let Some(cluster) = self.namespace.cluster().filter(|_| !self.options.local) {
            answers = answers.and(cluster.ids(&self.options).await?);
            let mut seen = HashSet::with_capacity(answers.items.len());
            answers.items.retain(|id| seen.insert(id.clone()));
        }
        Ok(answers)
    }

    /// The sockets meant, on all nodes, with their rooms, data and handshake; those of this node
    /// first. See [`Namespace::fetch_sockets`](crate::Namespace::fetch_sockets) for what it costs.
    ///
    /// # Errors
    /// If the adapter fails. Nodes that did not answer are no error, see [`Answers`].
    pub async fn fetch_sockets(&self) -> Result<Answers<RemoteSocket>, AdapterError> {
        let own = self.namespace.local_sockets(&self.options);
        let mut answers = Answers::of_one_node(own.iter().map(details).collect());
        if let Some(cluster) = self.namespace.cluster().filter(|_| !self.options.local) {
            answers = answers.and(cluster.sockets(&self.options).await?);
        }
        Ok(answers.map(|details| RemoteSocket::new(self.namespace.clone(), details)))
    }

    /// Joins the sockets meant, on all nodes, to a room or several. This node's have joined when it
    /// returns; the message to the others is on its way, whether or not it is awaited. Awaited, it
    /// is an error if a socket of this node may not be in so many rooms, or in one of such a name.
    pub fn sockets_join(&self, rooms: impl IntoRooms) -> Completion {
        let rooms = rooms.into_rooms();
        if let Err(error) = self.namespace.allow_rooms(&rooms) {
            return AdapterError::from(error).into();
        }
        let mut failed = None;
        for socket in self.namespace.local_sockets(&self.options) {
            if let Err(error) = self.namespace.join(socket.id(), &rooms) {
                failed = Some(AdapterError::from(error));
            }
        }
        let cluster = self.namespace.cluster().filter(|_| !self.options.local);
        let others = cluster.map(|cluster| cluster.join(&self.options, &rooms));
        match (failed, others) {
            (Some(error), _) => error.into(),
            (None, Some(others)) => Completion::until(others),
            (None, None) => Completion::done(),
        }
    }

    /// Takes the sockets meant, on all nodes, out of a room or several. This node's have left when
    /// it returns; the message to the others is on its way, whether or not it is awaited.
    pub fn sockets_leave(&self, rooms: impl IntoRooms) -> Completion {
        let rooms = rooms.into_rooms();
        let adapter = self.namespace.adapter();
        for socket in self.namespace.local_sockets(&self.options) {
            for room in &rooms {
                drop(adapter.leave(socket.id(), room));
            }
        }
        match self.namespace.cluster().filter(|_| !self.options.local) {
            Some(cluster) => Completion::until(cluster.leave(&self.options, &rooms)),
            None => Completion::done(),
        }
    }

    /// Disconnects the sockets meant, on all nodes; with `close` also their connections. This node's
    /// are disconnected when it returns; the message to the others is on its way, whether or not it
    /// is awaited.
    pub fn disconnect_sockets(&self, close: bool) -> Completion {
        for socket in self.namespace.local_sockets(&self.options) {
            socket.disconnect(close);
        }
        match self.namespace.cluster().filter(|_| !self.options.local) {
            Some(cluster) => Completion::until(cluster.disconnect(&self.options, close)),
            None => Completion::done(),
        }
    }
}

/// Reads an answer of a client of another node, of which its first argument came.
fn read<R: DeserializeOwned>(answer: Value) -> Result<R, AckError> {
    // a client that answered without arguments
    if answer.is_null() {
        if let Ok(answer) = RawArgs::from_values(Vec::new()).deserialize() {
            return Ok(answer);
        }
    }
    RawArgs::from_values(vec![answer]).deserialize().map_err(AckError::Decode)
}

/// What clients answered to a broadcast, see [`BroadcastOperator::emit_with_ack`].
#[derive(Debug)]
#[non_exhaustive]
pub struct BroadcastAcks<R> {
    /// Of this node: each socket, with its answer or with why there is none.
    pub local: Vec<(SocketId, Result<R, AckError>)>,
    /// Answers of clients of other nodes, which come without saying whose they are.
    pub remote: Vec<Result<R, AckError>>,
    /// How many clients of other nodes did not answer in time.
    pub silent: usize,
    /// The nodes that did not say in time how many clients they asked, as in [`Answers`].
    pub missing: Vec<String>,
    /// Why clients of other nodes could not be asked; they have got the event all the same:
    /// [`AdapterError::Unsupported`] if there are Node servers of the 2.x line in the cluster.
    pub error: Option<AdapterError>,
}

impl<R> BroadcastAcks<R> {
    /// The answers, those of this node first.
    pub fn answers(&self) -> impl Iterator<Item = &R> {
        let local = self.local.iter().filter_map(|(_, answer)| answer.as_ref().ok());
        local.chain(self.remote.iter().filter_map(|answer| answer.as_ref().ok()))
    }

    /// The answers by themselves, those of this node first.
    #[must_use]
    pub fn into_answers(self) -> Vec<R> {
        let local = self.local.into_iter().filter_map(|(_, answer)| answer.ok());
        local.chain(self.remote.into_iter().filter_map(Result::ok)).collect()
    }

    /// The same with each answer made into something else.
    #[must_use]
    pub fn map<S>(self, mut f: impl FnMut(R) -> S) -> BroadcastAcks<S> {
        let Self { local, remote, silent, missing, error } = self;
        let local = local.into_iter().map(|(id, answer)| (id, answer.map(&mut f))).collect();
        let remote = remote.into_iter().map(|answer| answer.map(&mut f)).collect();
        BroadcastAcks { local, remote, silent, missing, error }
    }

    /// Whether all clients were asked and all have answered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.silent == 0
            && self.missing.is_empty()
            && self.error.is_none()
            && self.local.iter().all(|(_, answer)| answer.is_ok())
            && self.remote.iter().all(Result::is_ok)
    }
}
