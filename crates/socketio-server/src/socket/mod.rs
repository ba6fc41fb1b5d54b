//! The API's `Socket`: one client in one namespace. What it listens to is in `listening`.

pub(crate) mod acks;
mod extensions;
mod extras;
pub(crate) mod handshake;
mod leaving;
mod listening;
mod receipts;
mod session;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use engineio::{Gate, Outgoing, OverflowPolicy, Push, Request};
use engineio_proto::guard::{self, lock};
use engineio_proto::log;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::{
    AdapterError, Completion, Delivery, IntoRooms, JoinError, Member, Room, SocketId,
};
use socketio_parser::{Encoded, Value};

use crate::client::Client;
use crate::emit::broadcast::{BroadcastOperator, SocketOperator};
use crate::emit::with_ack::EmitWithAck;
use crate::error::{BoxError, EmitError};
use crate::events::listeners::Listeners;
use crate::events::middleware::{AnyEventMiddleware, Chain};
use crate::forward::forward;
use crate::limits::Limit;
use crate::namespace::Namespace;
use crate::socket::handshake::{Credentials, Handshake};

use acks::{Acks, Rejected, Waiter};
use extras::Extras;

pub use extensions::Extensions;
pub(crate) use leaving::Leaving;

/// A client in a namespace; a handle, cheap to clone. It stays valid after the disconnection: what
/// is sent then goes nowhere.
// Node 2.0: Class Socket
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: SocketId,
    /// `None` only while the last handle is dropped.
    namespace: Option<Namespace>,
    client: Client,
    /// The client's, here to be near for broadcasts.
    conn: engineio::Socket,
    /// Open while the client is connected to the namespace: nothing goes out before the answer to
    /// its CONNECT nor after a DISCONNECT.
    gate: Gate,
    /// On the heap: most clients have none.
    credentials: Option<Arc<Credentials>>,
    listeners: Mutex<Listeners>,
    /// How far the socket has left while the others still reach it, see [`Leaving`].
    leaving: AtomicU8,
    /// Of the extras there are some that see events: not only data, extensions or a session.
    sees_events: AtomicBool,
    /// Where an adapter with recovery has it.
    place: AtomicU32,
    /// The embedder's, see [`Socket::tag`].
    tag: AtomicU32,
    acks: Mutex<Acks>,
    /// The rooms to be joined when the socket is let in; `None` from then on.
    early_rooms: Mutex<Option<Vec<Room>>>,
    extras: OnceLock<Box<Mutex<Extras>>>,
}

impl Socket {
    pub(crate) fn new(
        id: SocketId,
        namespace: Namespace,
        client: Client,
        credentials: Option<Arc<Credentials>>,
    ) -> Self {
        let common = namespace.common_listeners().get().cloned().flatten();
        Self(Arc::new(Inner {
            id,
            namespace: Some(namespace),
            conn: client.conn().clone(),
            client,
            gate: Gate::new(),
            credentials,
            listeners: Mutex::new(Listeners::of_socket(common)),
            leaving: AtomicU8::new(0),
            sees_events: AtomicBool::new(false),
            place: AtomicU32::new(0),
            tag: AtomicU32::new(0),
            acks: Mutex::default(),
            early_rooms: Mutex::new(Some(Vec::new())),
            extras: OnceLock::new(),
        }))
    }

    // ---- sending ----------------------------------------------------------------------------

    /// Sends an event to the client. Never waits.
    ///
    /// A tuple or a fixed-size array is several arguments, `()` none, anything else one. Binary
    /// (`Bytes`, [`Binary`] and other types that serialise as bytes) travels as it is, at any depth.
    ///
    /// [`Binary`]: crate::Binary
    ///
    /// ```
    /// # fn example(socket: socketio::Socket) -> Result<(), socketio::emit::EmitError> {
    /// socket.emit("hello", "world")?;
    /// socket.emit("with several", (1, "2", [3]))?;
    /// socket.emit("with none", ())?;
    /// socket.emit("with binary", socketio::Binary(vec![0; 6].into()))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EmitError`]: the socket is disconnected, its queue full, the name reserved, or the
    /// arguments cannot be encoded.
    // Node 2.0: socket.emit
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        if self.namespace().recovering().is_some() {
            return self.emit_recoverable(event, &args, false, |packet| packet);
        }
        let packet = self.encode(None, event, &args)?;
        self.push(packet)
    }

    /// Encodes an event for this socket alone, and shows it to who wants to see them.
    pub(crate) fn encode<T: Serialize>(
        &self,
        id: Option<u64>,
        event: &str,
        args: &T,
    ) -> Result<Outgoing, EmitError> {
        let packet = self.namespace().encode_event(id, event, args)?;
        if self.is_watched() {
            self.show(event, args)?;
        }
        Ok(packet)
    }

    /// Sends a `message` event.
    ///
    /// # Errors
    /// Those of [`Socket::emit`].
    // Node 2.0: socket.send
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    /// Sends an event and asks the client to acknowledge it; the answer is read like
    /// [`Data`](crate::Data).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn example(socket: socketio::Socket) -> Result<(), socketio::emit::AckError> {
    /// let (name, age): (String, u32) =
    ///     socket.emit_with_ack("who are you?", ()).timeout(Duration::from_secs(5)).await?;
    /// # let _ = (name, age);
    /// socket.emit_with_ack("ferret", "tobi").callback(|answer: Result<String, _>| {
    ///     println!("{answer:?}");
    /// });
    /// # Ok(())
    /// # }
    /// ```
    // Node 2.0: socket.emit with ack
    pub fn emit_with_ack<R>(&self, event: &str, args: impl Serialize) -> EmitWithAck<R>
    where
        R: DeserializeOwned + Send + 'static,
    {
        let id = self.namespace().next_ack_id();
        let packet = self.encode(Some(id), event, &args);
        EmitWithAck::new(self.clone(), packet.map(|packet| (id, packet.droppable(false))))
    }

    /// Sends a `message` event and asks the client to acknowledge it.
    pub fn send_with_ack<R>(&self, args: impl Serialize) -> EmitWithAck<R>
    where
        R: DeserializeOwned + Send + 'static,
    {
        self.emit_with_ack("message", args)
    }

    /// Resolves when the client's queue is below half of its bounds. For producers that would
    /// rather wait than have the slow-consumer policy act. Cancel safe.
    ///
    /// # Errors
    /// [`EmitError::Closed`] if the connection is over.
    pub async fn writable(&self) -> Result<(), EmitError> {
        self.conn().writable().await.map_err(|_| EmitError::Closed)
    }

    // ---- modifiers --------------------------------------------------------------------------

    forward! { broadcast:
        /// The next emission goes to these rooms of the namespace, without this socket.
        // Node 2.0: socket.to
        fn to(rooms: impl IntoRooms) -> BroadcastOperator;

        /// The same as [`Socket::to`].
        // Node 2.0: socket.in
        fn in_room(rooms: impl IntoRooms) -> BroadcastOperator;

        /// The next emission goes to the namespace but for the members of these rooms and this
        /// socket.
        fn except(rooms: impl IntoRooms) -> BroadcastOperator;
    }

    /// The next emission goes to all sockets of the namespace but this one.
    // Node 2.0: Flag 'broadcast'
    pub fn broadcast(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.namespace().clone(), Some(self.0.id.clone()))
    }

    forward! { operator:
        /// The next emission is dropped unless it can leave at once: nothing else waits for the
        /// client, and on polling its poll is there.
        // Node 2.0: Flag 'volatile'
        fn volatile() -> SocketOperator;

        /// Whether the next emission is compressed, where the transport offers it (it is by default).
        // Node 2.0: socket.compress
        fn compress(compress: bool) -> SocketOperator;

        /// What happens for the next emission if the client's queue is full, see
        /// [`SocketOperator::when_full`].
        fn when_full(policy: OverflowPolicy) -> SocketOperator;
    }

    fn operator(&self) -> SocketOperator {
        SocketOperator::new(self.clone())
    }

    // ---- rooms ------------------------------------------------------------------------------

    /// Joins a room or several. The local effect is there at once; awaiting the result waits for
    /// the adapter. What middleware joins takes effect when the socket is let in; a disconnected
    /// socket joins nothing.
    // Node 2.0: socket.join
    pub fn join(&self, rooms: impl IntoRooms) -> Completion {
        if !self.has_rooms() {
            return self.join_early(rooms.into_rooms());
        }
        let joined = self.namespace().join(&self.0.id, &rooms.into_rooms());
        joined.unwrap_or_else(|error| AdapterError::from(error).into())
    }

    /// Leaves a room or several; those that were not joined do not matter. All rooms are left at
    /// the disconnection.
    // Node 2.0: socket.leave
    pub fn leave(&self, rooms: impl IntoRooms) -> Completion {
        // the client's next socket may have the same id
        if !self.has_rooms() {
            let rooms = rooms.into_rooms();
            if let Some(early) = &mut *lock(&self.0.early_rooms) {
                early.retain(|room| !rooms.contains(room));
            }
            return Completion::done();
        }
        let mut left: Vec<Completion> =
            rooms.into_rooms().iter().map(|room| self.adapter().leave(&self.0.id, room)).collect();
        match left.len() {
            0 => Completion::done(),
            1 => left.remove(0),
            _ => Completion::until(Box::pin(async move {
                for membership in left {
                    membership.await?;
                }
                Ok(())
            })),
        }
    }

    /// The rooms of this socket, its own (named like its id) first.
    // Node 2.0: socket.rooms
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        let has_left = self.0.leaving.load(Ordering::Relaxed) == Leaving::Left as u8;
        if has_left { Vec::new() } else { self.adapter().socket_rooms(&self.0.id) }
    }

    // ---- ending -----------------------------------------------------------------------------

    /// Disconnects the client from this namespace, or, with `close`, from all of them, and closes
    /// its connection. What was emitted before is still delivered; what is emitted after goes
    /// nowhere. A disconnected socket is left alone.
    // Node 2.0: socket.disconnect
    pub fn disconnect(&self, close: bool) {
        if close {
            self.0.client.disconnect_all();
        } else {
            self.disconnect_namespace();
        }
    }

    pub(crate) fn disconnect_namespace(&self) {
        let packet = self.namespace().encode_disconnect(self.0.client.revision());
        if self.conn().close_gate(&self.0.gate, Some(&packet)) {
            self.0.client.socket_has_gone();
        }
    }

    // ---- what it is -------------------------------------------------------------------------

    /// The id. For clients 3.x and later a public name of its own; for clients 1.x and 2.x the
    /// connection's id, behind the namespace and `#` in other namespaces than `/`.
    // Node 2.0: socket.id
    #[must_use]
    pub fn id(&self) -> &SocketId {
        &self.0.id
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        self.0.namespace()
    }

    /// The client, which other sockets may share.
    // Node 2.0: socket.client
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The connection.
    // Node 2.0: socket.conn
    #[must_use]
    pub fn conn(&self) -> &engineio::Socket {
        &self.0.conn
    }

    /// The request that opened the connection.
    // Node 2.0: socket.request
    #[must_use]
    pub fn request(&self) -> &Request {
        self.0.client.request()
    }

    /// What is known of the handshake.
    #[must_use]
    pub fn handshake(&self) -> Handshake<'_> {
        Handshake::new(self)
    }

    /// Whether the client is connected to the namespace.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.gate.is_open() && self.0.leaving.load(Ordering::Relaxed) == 0
    }

    /// Sets the socket's data: any value that can be serialised, replacing the last.
    ///
    /// # Errors
    /// If it cannot be serialised.
    pub fn set_data<T: Serialize + ?Sized>(&self, data: &T) -> Result<(), BoxError> {
        let data = Box::new(socketio_parser::to_value(data)?);
        let old = lock(self.extras_or_new()).data.replace(data);
        drop(old);
        self.session_data_changed();
        Ok(())
    }

    /// The socket's data as a type; `None` if none was set or it is of another type.
    #[must_use]
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        socketio_parser::from_value(self.data_value()?).ok()
    }

    /// Values of any types that belong to the socket until its disconnection.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions::new(self)
    }

    /// A number of the embedder's choice, 0 at first: the place of the socket in a table of its own, say,
    /// which spares it to look for the id.
    #[must_use]
    pub fn tag(&self) -> u32 {
        self.0.tag.load(Ordering::Acquire)
    }

    /// Sets the number that [`Socket::tag`] gives.
    pub fn set_tag(&self, tag: u32) {
        self.0.tag.store(tag, Ordering::Release);
    }

    // ---- for the crate ----------------------------------------------------------------------

    /// The socket's data.
    pub(crate) fn data_value(&self) -> Option<Value> {
        lock(self.extras()?).data.as_deref().cloned()
    }

    /// Remembers rooms until the socket is let in.
    fn join_early(&self, mut rooms: Vec<Room>) -> Completion {
        if let Err(error) = self.namespace().allow_rooms(&rooms) {
            return AdapterError::from(error).into();
        }
        let limit = self.namespace().limits().max_rooms;
        let mut early = lock(&self.0.early_rooms);
        let Some(early) = &mut *early else { return Completion::done() };
        rooms.retain(|room| !early.contains(room));
        if early.len() + rooms.len() > limit {
            self.namespace().limited(Limit::Rooms);
            return AdapterError::from(JoinError::TooManyRooms { limit }).into();
        }
        early.append(&mut rooms);
        Completion::done()
    }

    /// The rooms that middleware joined; there are no more of them from now on.
    pub(crate) fn take_early_rooms(&self) -> Vec<Room> {
        lock(&self.0.early_rooms).take().unwrap_or_default()
    }

    fn adapter(&self) -> &dyn socketio_adapter::Adapter {
        self.namespace().adapter()
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.0.credentials.as_deref()
    }

    pub(crate) fn shared_credentials(&self) -> Option<Arc<Credentials>> {
        self.0.credentials.clone()
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    pub(crate) fn member(&self) -> Arc<dyn Member> {
        Arc::clone(&self.0) as Arc<dyn Member>
    }

    pub(crate) fn middleware(&self) -> Option<Chain<AnyEventMiddleware>> {
        lock(self.that_see_events()?).middleware.clone()
    }

    pub(crate) fn push(&self, packet: Outgoing) -> Result<(), EmitError> {
        let volatile = packet.is_volatile();
        match self.conn().push_gated(&self.0.gate, packet) {
            Push::Dropped if !volatile => Err(EmitError::Full),
            Push::Closed => Err(EmitError::Closed),
            _ => Ok(()),
        }
    }

    pub(crate) fn send_ack<T: Serialize>(&self, id: u64, args: &T) -> Result<(), EmitError> {
        let packet = self.namespace().encode_ack(id, args)?;
        self.push(packet)
    }

    /// Sends an event whose acknowledgement a waiter waits for.
    pub(crate) fn send_expecting_ack(
        &self,
        id: u64,
        packet: Outgoing,
        timeout: Option<Duration>,
        waiter: Waiter,
    ) {
        let limit = self.namespace().limits().max_pending_acks;
        let now = tokio::time::Instant::now().into_std();
        // a time beyond all clocks is none
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        // before sending: the answer may be quicker than we are
        let rejected = lock(&self.0.acks).add(id, deadline, limit, waiter);
        if let Some(Rejected { waiter, error }) = rejected {
            if matches!(error, crate::emit::AckError::Timeout) {
                self.namespace().limited(Limit::PendingAcks);
            }
            answer(waiter, Err(error));
        }
        if let Err(error) = self.push(packet) {
            let waiter = lock(&self.0.acks).take(id);
            if let Some(waiter) = waiter {
                answer(waiter, Err(crate::emit::AckError::Emit(error)));
            }
        } else if let Some(deadline) = deadline {
            self.0.client.ack_deadline(deadline);
        }
    }

    /// The client acknowledged.
    pub(crate) fn on_ack(&self, id: u64, args: &socketio_parser::RawArgs<'_>) -> bool {
        let waiter = lock(&self.0.acks).take(id);
        waiter.is_none_or(|waiter| answer(waiter, Ok(args)))
    }

    /// Gives up those whose time is over; the next deadline.
    pub(crate) fn expire_acks(&self, now: Instant) -> Option<Instant> {
        let due = lock(&self.0.acks).take_due(now);
        for waiter in due {
            answer(waiter, Err(crate::emit::AckError::Timeout));
        }
        lock(&self.0.acks).deadline()
    }

    pub(crate) fn pending_acks(&self) -> usize {
        lock(&self.0.acks).len()
    }

    /// The socket is over: nobody waits for its client any more.
    pub(crate) fn fail_acks(&self) {
        let waiters = lock(&self.0.acks).close();
        for waiter in waiters {
            answer(waiter, Err(crate::emit::AckError::Disconnected));
        }
    }

    /// Whether the handle is of the same socket as another.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Calls a waiter, which is code of the user. False: it panicked.
fn answer(
    waiter: Waiter,
    result: Result<&socketio_parser::RawArgs<'_>, crate::emit::AckError>,
) -> bool {
    let called = guard::call(|| waiter(result));
    if called.is_err() {
        log!(error: "the callback of an acknowledgement panicked");
    }
    called.is_ok()
}

/// What arguments look like on the other side.
pub(crate) fn values_of<T: Serialize>(args: &T) -> Result<Vec<Value>, EmitError> {
    Ok(socketio_parser::RawArgs::from_serialize(args)?.into_values())
}

/// The packet of a parser, ready for the wire.
pub(crate) fn outgoing(encoded: Encoded) -> Outgoing {
    match encoded {
        Encoded::Text { buffer, start, attachments } => {
            Outgoing::message(buffer, start, attachments)
        }
        Encoded::Binary(bytes) => Outgoing::binary_message(bytes),
    }
}

impl Inner {
    fn namespace(&self) -> &Namespace {
        self.namespace.as_ref().expect("taken only when no handle is left")
    }
}

impl Drop for Inner {
    /// A dynamic namespace goes with its last socket.
    fn drop(&mut self) {
        if let Some(namespace) = self.namespace.take().filter(Namespace::is_dynamic) {
            namespace.release();
        }
    }
}

impl Member for Inner {
    fn open(&self, answer: &Outgoing) -> bool {
        self.conn.open_gate(&self.gate, answer)
    }

    fn open_with(&self, answer: &Outgoing, missed: &[Outgoing]) -> bool {
        self.conn.open_gate_with(&self.gate, answer, missed)
    }

    fn open_behind(&self, missed: &[Outgoing], answer: &Outgoing) -> bool {
        let Some((first, rest)) = missed.split_first() else { return self.open(answer) };
        let rest: Vec<Outgoing> = rest.iter().chain([answer]).cloned().collect();
        self.conn.open_gate_with(&self.gate, first, &rest)
    }

    fn deliver(&self, packet: &Outgoing) -> Delivery {
        match self.conn.push_gated(&self.gate, packet.clone()) {
            Push::Queued => Delivery::Queued,
            Push::Closed => Delivery::Closed,
            _ => Delivery::Dropped,
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.0.id)
            .field("namespace", &self.namespace().name())
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
