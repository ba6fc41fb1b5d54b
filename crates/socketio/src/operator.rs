//! Modifiers of one emission: rooms and flags. By value, so that nothing is shared between two
//! emissions.

use std::time::Duration;

use engineio::SlowConsumer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::{AdapterError, Answers, BroadcastOptions, IntoRooms, SocketId};
use tokio::sync::mpsc;

use crate::ack::{self, Waiter};
use crate::error::{AckError, EmitError};
use crate::namespace::Namespace;
use crate::socket::Socket;

/// An emission to many: to a namespace or to rooms of it.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct BroadcastOperator {
    namespace: Namespace,
    options: BroadcastOptions,
    compress: bool,
    when_full: Option<SlowConsumer>,
    timeout: Option<Duration>,
}

impl BroadcastOperator {
    pub(crate) fn new(namespace: Namespace, sender: Option<SocketId>) -> Self {
        let options = BroadcastOptions { sender, ..BroadcastOptions::default() };
        Self { namespace, options, compress: true, when_full: None, timeout: None }
    }

    /// Adds rooms: who is in at least one gets the emission, once.
    // seed: namespace.to, socket.to
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        let rooms = rooms.into_rooms();
        if self.options.rooms.is_empty() && rooms.len() == 1 {
            self.options.rooms = rooms; // the usual case costs no second list
            return self;
        }
        for room in rooms {
            if !self.options.rooms.contains(&room) {
                self.options.rooms.push(room);
            }
        }
        self
    }

    /// The same as [`BroadcastOperator::to`].
    // seed: namespace.in, socket.in
    pub fn in_room(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Leaves out the members of these rooms.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        self.options.except.extend(rooms.into_rooms());
        self
    }

    /// Receivers to which it cannot leave at once do not get it.
    // seed: Flag 'volatile'
    pub fn volatile(mut self) -> Self {
        self.options.volatile = true;
        self
    }

    /// Only receivers of this node get it.
    // seed: Flag 'local'
    pub fn local(mut self) -> Self {
        self.options.local = true;
        self
    }

    /// Whether it is compressed, where a receiver's transport offers it (it is by default).
    // seed: socket.compress
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// What happens for receivers whose queue is full, instead of the server's policy
    /// ([`Builder::slow_consumer`](crate::Builder::slow_consumer)). Events that ask for an
    /// acknowledgement are never dropped.
    pub fn when_full(mut self, policy: SlowConsumer) -> Self {
        self.when_full = Some(policy);
        self
    }

    /// How long [`BroadcastOperator::emit_with_ack`] waits for the answers.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends an event to the receivers. Never waits; that nobody receives it is no error. All
    /// receivers see broadcasts of one namespace in the same order. It is encoded once; nothing is
    /// allocated per receiver.
    ///
    /// # Errors
    /// [`EmitError::Reserved`] and [`EmitError::Encode`]. A receiver that is slow or gone is no
    /// error of the broadcast.
    // seed: namespace.emit
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        let packet = self.namespace.encode_event(None, event, &args)?;
        let packet = packet.compress(self.compress).when_full(self.when_full);
        self.namespace.broadcast(&packet, &self.options);
        Ok(())
    }

    /// Sends a `message` event.
    ///
    /// # Errors
    /// Those of [`BroadcastOperator::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    /// Sends an event to the receivers of this node and asks each to acknowledge it; resolves when
    /// all have answered, or the [timeout](BroadcastOperator::timeout) is over, with the answers
    /// and failures of each.
    ///
    /// # Errors
    /// [`EmitError::BroadcastAck`] without a timeout: one silent client would be waited for for
    /// ever. Else those of [`BroadcastOperator::emit`].
    pub async fn emit_with_ack<R>(
        &self,
        event: &str,
        args: impl Serialize + Send,
    ) -> Result<Vec<(SocketId, Result<R, AckError>)>, EmitError>
    where
        R: DeserializeOwned + Send + 'static,
    {
        let Some(timeout) = self.timeout else { return Err(EmitError::BroadcastAck) };
        // one id and one packet for all
        let id = self.namespace.next_ack_id();
        let packet = self.namespace.encode_event(Some(id), event, &args)?;
        let packet = packet.compress(self.compress).droppable(false);
        drop(args);
        let sockets = self.namespace.local_sockets(&self.options);
        // room for all: a waiter must not wait
        let (sender, mut answers) = mpsc::channel(sockets.len().max(1));
        for socket in &sockets {
            let (id_of, sender) = (socket.id().clone(), sender.clone());
            let waiter: Waiter = Box::new(move |answer| {
                // fails only if nobody waits any more
                let _ = sender.try_send((id_of, answer.and_then(ack::read)));
            });
            socket.send_expecting_ack(id, packet.clone(), Some(timeout), waiter);
        }
        drop(sender);
        let mut all = Vec::with_capacity(sockets.len());
        while let Some(answer) = answers.recv().await {
            all.push(answer);
        }
        Ok(all)
    }

    /// The ids of the sockets in the namespace, or in the rooms that were named, on all nodes; each
    /// once.
    ///
    /// # Errors
    /// If the adapter fails. Nodes that did not answer are no error, see [`Answers`].
    // seed: namespace.clients
    pub async fn clients(&self) -> Result<Answers<SocketId>, AdapterError> {
        self.namespace.adapter().sockets(&self.options.rooms, &self.options.except).await
    }
}

/// An emission to one client with modifiers.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct SocketOperator {
    socket: Socket,
    volatile: bool,
    compress: bool,
    when_full: Option<SlowConsumer>,
}

impl SocketOperator {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, volatile: false, compress: true, when_full: None }
    }

    /// Dropped unless it can leave at once.
    // seed: Flag 'volatile'
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Whether it is compressed, where the transport offers it.
    // seed: socket.compress
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// What happens if the client's queue is full, instead of the server's policy
    /// ([`Builder::slow_consumer`](crate::Builder::slow_consumer)).
    ///
    /// ```
    /// # use socketio::{SlowConsumer, Socket};
    /// # fn example(socket: Socket) -> Result<(), socketio::EmitError> {
    /// // the latest position is what counts; a late one is worth nothing
    /// socket.when_full(SlowConsumer::DropOldest).emit("position", (52.5, 13.4))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn when_full(mut self, policy: SlowConsumer) -> Self {
        self.when_full = Some(policy);
        self
    }

    /// To rooms instead, without this socket.
    pub fn to(self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.broadcast().to(rooms)
    }

    /// The same as [`SocketOperator::to`].
    pub fn in_room(self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.to(rooms)
    }

    /// To the namespace instead, but for these rooms and this socket.
    pub fn except(self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.broadcast().except(rooms)
    }

    /// To all others of the namespace instead.
    pub fn broadcast(self) -> BroadcastOperator {
        let mut operator = self.socket.broadcast().compress(self.compress);
        operator.when_full = self.when_full;
        if self.volatile { operator.volatile() } else { operator }
    }

    /// Sends an event to the client. Never waits.
    ///
    /// # Errors
    /// Those of [`Socket::emit`]; that a volatile event was dropped is none.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        let packet = self.socket.encode(None, event, &args)?;
        let packet = packet.compress(self.compress).when_full(self.when_full);
        self.socket.push(packet, self.volatile)
    }

    /// Sends a `message` event.
    ///
    /// # Errors
    /// Those of [`SocketOperator::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        self.emit("message", args)
    }
}
