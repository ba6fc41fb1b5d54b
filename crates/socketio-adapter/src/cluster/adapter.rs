//! The adapter of a node in a cluster: the in-memory adapter for its own sockets, and the rest of
//! the cluster over a [`Bus`].

#![expect(clippy::disallowed_types, reason = "who takes part in the cluster is said once, later")]

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use engineio_proto::Outgoing;
use socketio_parser::{DataForm, EventData, Value};
use tokio::runtime::Handle;

use super::bus::Bus;
use super::carrier::Carrier;
use super::codec::Codec;
use super::emitter::Emitter;
use super::formats::channels::{Naming, RoomChannels, ShardedNames};
use super::formats::classic::{Classic, Dialect};
use super::formats::message::MessageFormat;
use super::log::Log;
use super::message::Sign;
use super::node::{Core, Counters, Listening, now};
use super::nodes_channel::OnBus;
use super::peers::{EMITTER, Heartbeats, Peers, Shown};
use super::pending::Pending;
use crate::{
    Adapter, AdapterFuture, BroadcastOptions, Claim, Claimed, Cluster, Completion, Delivered,
    EnterError, JoinError, LocalAdapter, Member, Node, NodesChannel, NotRecovered, Prepared,
    Recovery, Room, Session, SharedLog, SocketId, Target, Track,
};

/// What the nodes of a cluster over Redis speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// That of the classic adapters of Node, 2.x and 4.x.
    Classic(Dialect),
    /// The common message form of the newer adapters of Node, over the channels of the sharded one.
    Sharded(RoomChannels),
}

/// Makes the [`ClusterAdapter`] of each namespace: what a back end's factory is made of.
#[derive(Clone, Debug)]
pub struct ClusterNode {
    bus: Arc<dyn Bus>,
    log: Option<Arc<dyn Log>>,
    speech: Speech,
    request_timeout: Duration,
    max_rooms_per_socket: usize,
    max_message_bytes: usize,
    max_client_answers: usize,
    heartbeats: Heartbeats,
    patience: Duration,
    counters: Arc<Counters>,
}

/// What a node says, and where.
#[derive(Clone, Debug)]
enum Speech {
    Classic { prefix: String, dialect: Dialect },
    Messages { naming: Arc<dyn Naming>, form: DataForm },
}

impl ClusterNode {
    /// A node that reaches the others over `bus`, with the names of its channels beginning with
    /// `prefix`.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>, format: Format, prefix: String) -> Self {
        let speech = match format {
            Format::Classic(dialect) => Speech::Classic { prefix, dialect },
            Format::Sharded(rooms) => Speech::Messages {
                naming: Arc::new(ShardedNames { prefix, rooms }),
                form: DataForm::Json,
            },
        };
        Self::speaking(bus, speech)
    }

    /// A node that reaches the others by the common message form over any broker. The messages are JSON
    /// texts, or msgpack if there are bytes in them; with [`DataForm::Msgpack`] always that. Either is
    /// read.
    #[must_use]
    pub fn of_messages(bus: Arc<dyn Bus>, naming: Arc<dyn Naming>, form: DataForm) -> Self {
        Self::speaking(bus, Speech::Messages { naming, form })
    }

    /// A node that reaches the others by the common message form over Redis streams: what only tells
    /// something goes into the log, and the rest over channels whose names begin with `prefix`.
    #[must_use]
    pub fn with_log(bus: Arc<dyn Bus>, log: Arc<dyn Log>, prefix: String) -> Self {
        let naming = Arc::new(ShardedNames { prefix, rooms: RoomChannels::None });
        let node = Self::of_messages(bus, naming, DataForm::Msgpack);
        Self { log: Some(log), ..node }
    }

    fn speaking(bus: Arc<dyn Bus>, speech: Speech) -> Self {
        Self {
            bus,
            log: None,
            speech,
            request_timeout: Duration::from_secs(5),
            max_rooms_per_socket: crate::local::MAX_ROOMS_PER_SOCKET,
            max_message_bytes: MAX_MESSAGE_BYTES,
            max_client_answers: MAX_CLIENT_ANSWERS,
            heartbeats: Heartbeats::default(),
            patience: PATIENCE,
            counters: Arc::default(),
        }
    }

    /// Sets how long answers of other nodes are waited for (5 s).
    #[must_use]
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how many rooms a socket may join besides its own (16,384).
    #[must_use]
    pub const fn max_rooms_per_socket(mut self, limit: usize) -> Self {
        self.max_rooms_per_socket = limit;
        self
    }

    /// Sets how long a message of another node may be (64 MiB); longer ones are dropped and counted.
    #[must_use]
    pub const fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Sets how many answers of clients of other nodes one emission keeps (100,000). Those beyond are
    /// counted, and their clients silent.
    #[must_use]
    pub const fn max_client_answers(mut self, answers: usize) -> Self {
        self.max_client_answers = answers;
        self
    }

    /// Sets how long an event of this node may take into the log and back before its own clients get it
    /// without an offset (200 ms; from 1 ms to a minute). Only where clients may come back to their sessions.
    #[must_use]
    pub fn log_patience(mut self, patience: Duration) -> Self {
        self.patience = patience.clamp(Duration::from_millis(1), Duration::from_secs(60));
        self
    }

    /// Sets how often a node shows itself (5 s), and after which time one that was not heard of is
    /// gone (10 s), over a broker without [`Bus::census`]. The same on all nodes; each from 10 ms to a
    /// day.
    // Node: heartbeatInterval, heartbeatTimeout
    #[must_use]
    pub const fn heartbeats(mut self, interval: Duration, timeout: Duration) -> Self {
        self.heartbeats = Heartbeats { interval, timeout };
        self
    }

    /// The adapter of a namespace.
    ///
    /// # Panics
    /// If it is not called within a tokio runtime, on which the adapter's tasks run.
    #[must_use]
    pub fn adapter(&self, namespace: &str) -> ClusterAdapter {
        let codec = self.codec(
            namespace,
            match self.speech {
                Speech::Classic { .. } => random(6, ALPHANUMERIC),
                Speech::Messages { .. } => random(16, HEXADECIMAL),
            },
        );
        let carrier = self.carrier(namespace, codec.uid());
        let has_heartbeats = self.bus.census().is_none() && codec.sign(Sign::Alive).is_some();
        let peers = has_heartbeats.then(|| Mutex::new(Peers::new(now(), self.heartbeats)));
        let local = Arc::new(LocalAdapter::new(self.max_rooms_per_socket));
        let core = Arc::new_cyclic(|this| Core {
            namespace: namespace.to_owned(),
            codec,
            carrier,
            local: Arc::clone(&local),
            node: OnceLock::new(),
            receiver: Arc::new(Listening(this.clone())),
            follower: Arc::new(Listening(this.clone())),
            peers,
            peers_task: Mutex::default(),
            shown: Shown::default(),
            pending: Arc::new(Pending::new(self.max_client_answers)),
            shared: OnceLock::new(),
            shared_task: Mutex::default(),
            patience: self.patience,
            max_rooms: self.max_rooms_per_socket,
            request_timeout: self.request_timeout,
            max_message_bytes: self.max_message_bytes,
            counters: Arc::clone(&self.counters),
            runtime: Handle::current(),
            this: this.clone(),
        });
        ClusterAdapter { core, local }
    }

    /// What publishes in a namespace without being a server.
    pub fn emitter(&self, namespace: &str) -> Emitter {
        // Node: the name that the emitters of Node have
        let codec = self.codec(namespace, EMITTER.to_owned());
        Emitter::new(codec, self.carrier(namespace, EMITTER))
    }

    fn carrier(&self, namespace: &str, uid: &str) -> Carrier {
        Carrier {
            bus: Arc::clone(&self.bus),
            log: self.log.clone(),
            namespace: namespace.to_owned(),
            uid: uid.to_owned(),
        }
    }

    /// The channel of this name, one of the whole cluster and of no namespace: what
    /// [`AdapterFactory::nodes_channel`](crate::AdapterFactory::nodes_channel) of a back end gives. No
    /// other server may take it for one of its own: behind a prefix, `-nodes#` does.
    #[must_use]
    pub fn nodes_channel(&self, name: String) -> Arc<dyn NodesChannel> {
        Arc::new(OnBus::new(Arc::clone(&self.bus), name))
    }

    fn codec(&self, namespace: &str, uid: String) -> Arc<dyn Codec> {
        match &self.speech {
            Speech::Classic { prefix, dialect } => {
                Arc::new(Classic::new(prefix, namespace, *dialect, uid))
            }
            Speech::Messages { naming, form } => {
                let (naming, has_log) = (Arc::clone(naming), self.log.is_some());
                Arc::new(MessageFormat::new(naming, *form, has_log, namespace, uid))
            }
        }
    }

    /// Resolves when all sessions that ended are where other nodes find them. Cancel safe.
    pub async fn saved(&self) {
        self.counters.unsaved.none().await;
    }

    /// Messages of other nodes that were read, of all namespaces.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.counters.received.load(Ordering::Relaxed)
    }

    /// What came on channels of the cluster and was no message of it, of all namespaces.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.counters.malformed.load(Ordering::Relaxed)
    }

    /// Answers of clients of other nodes that were one too many for their emission, of all namespaces.
    #[must_use]
    pub fn refused_answers(&self) -> u64 {
        self.counters.refused_answers.load(Ordering::Relaxed)
    }
}

/// The adapter of one namespace on a node of a cluster.
///
/// Its own sockets are served as by a [`LocalAdapter`], whatever the broker does. Dropped, it gives
/// its subscriptions back.
pub struct ClusterAdapter {
    core: Arc<Core>,
    local: Arc<LocalAdapter>,
}

impl ClusterAdapter {
    fn leave_cluster(&self) {
        if self.core.node.get().is_none() {
            return;
        }
        self.core.leave();
        if let Some(log) = &self.core.carrier.log {
            log.unfollow(&self.core.namespace, &self.core.follower);
        }
        for channel in self.core.codec.subscriptions() {
            self.core.carrier.bus.unsubscribe(&channel, &self.core.receiver);
        }
        for room in self.local.local_rooms() {
            for is_own in [true, false] {
                if let Some(channel) = self.core.codec.room_subscription(&room, is_own) {
                    self.core.carrier.bus.unsubscribe(&channel, &self.core.receiver);
                }
            }
        }
    }

    fn rooms_changed(&self, id: &SocketId, rooms: &[Room]) -> Completion {
        if let Some(shared) = self.core.shared() {
            shared.changed(id);
        }
        let confirmed: Vec<AdapterFuture<()>> = rooms
            .iter()
            .filter_map(|room| self.core.room_changed(room, room.as_str() == id.as_str()))
            .collect();
        if confirmed.is_empty() {
            return Completion::done();
        }
        Completion::until(Box::pin(async move {
            for confirmed in confirmed {
                confirmed.await?;
            }
            Ok(())
        }))
    }
}

impl Adapter for ClusterAdapter {
    fn enter(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
    ) -> Result<Completion, EnterError> {
        drop(self.local.enter(id, member, rooms, answer)?);
        self.core.rooms_changed(id, &[id.into()]);
        Ok(self.rooms_changed(id, rooms))
    }

    fn leave_all(&self, id: &SocketId) {
        let rooms = self.local.socket_rooms(id);
        self.local.leave_all(id);
        if let Some(shared) = self.core.shared() {
            self.core.forget(shared, id);
        }
        self.core.rooms_changed(id, &rooms);
    }

    fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError> {
        drop(self.local.join(id, rooms)?);
        Ok(self.rooms_changed(id, rooms))
    }

    fn leave(&self, id: &SocketId, room: &Room) -> Completion {
        drop(self.local.leave(id, room));
        self.rooms_changed(id, std::slice::from_ref(room))
    }

    fn socket_rooms(&self, id: &SocketId) -> Vec<Room> {
        self.local.socket_rooms(id)
    }

    fn broadcast(&self, packet: &Outgoing, options: &BroadcastOptions) -> Delivered {
        self.local.broadcast(packet, options)
    }

    fn local_sockets(&self, rooms: &[Room], except: &[Room]) -> Vec<SocketId> {
        self.local.local_sockets(rooms, except)
    }

    fn local_rooms(&self) -> Vec<Room> {
        self.local.local_rooms()
    }

    fn len(&self) -> usize {
        self.local.len()
    }

    fn room_count(&self) -> usize {
        self.local.room_count()
    }

    fn cluster(&self) -> Option<Arc<dyn Cluster>> {
        Some(Arc::clone(&self.core) as _)
    }

    fn recovery(&self) -> Option<&dyn Recovery> {
        self.core.shared().map(|_| self as &dyn Recovery)
    }

    fn attach(&self, node: Weak<dyn Node>) {
        self.local.attach(Weak::clone(&node));
        if let Some(recovery) = node.upgrade().and_then(|node| node.recovery()) {
            self.core.recover(recovery);
        }
        if self.core.node.set(node).is_err() {
            return;
        }
        if let Some(log) = &self.core.carrier.log {
            log.follow(&self.core.namespace, &self.core.follower);
        }
        // what is waited for is waited for by the back end
        let subscriptions = self.core.codec.subscriptions().into_iter();
        let listening = subscriptions
            .map(|channel| self.core.carrier.bus.subscribe(channel, &self.core.receiver));
        self.core.enter(listening.collect());
    }

    fn close(&self) -> AdapterFuture<()> {
        self.leave_cluster();
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Only called where the nodes share a log.
impl Recovery for ClusterAdapter {
    fn claim(&self, claim: &Claim) -> AdapterFuture<Result<Claimed, NotRecovered>> {
        Box::pin(Arc::clone(&self.core).claim(claim.clone()))
    }

    fn take(&self, claim: &Claim) -> AdapterFuture<Result<Prepared, NotRecovered>> {
        Box::pin(Arc::clone(&self.core).take(claim.clone()))
    }

    fn enter_session(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
        session: Session<'_>,
    ) -> Result<usize, EnterError> {
        let unsupported = EnterError::NotRecovered(NotRecovered::Unsupported);
        let shared = self.core.shared().ok_or(unsupported)?;
        self.core.enter_session(shared, (id, &member), rooms, answer, session)
    }

    fn save(&self, id: &SocketId, data: Option<Arc<Value>>) {
        match self.core.shared() {
            Some(shared) => self.core.save(shared, id, data),
            None => self.leave_all(id),
        }
    }

    /// Volatile events, and those for this node alone: nobody gets them again.
    fn emit(&self, event: Outgoing, to: Target<'_>, track: Track<'_>) -> Delivered {
        let event = match track {
            Track::Kept(place) => place.without(&event),
            Track::Passing(_) => event,
        };
        match to {
            Target::Many(options) => self.local.broadcast(&event, options),
            Target::Socket(id, _) => self.local.send(&event, id),
        }
    }

    fn data_changed(&self, id: &SocketId, data: Option<Arc<Value>>) {
        if let Some(shared) = self.core.shared() {
            shared.data_changed(id, data);
        }
    }

    fn away_count(&self) -> usize {
        // they are where all nodes find them
        0
    }

    fn log(&self) -> Option<&dyn SharedLog> {
        Some(self)
    }
}

impl SharedLog for ClusterAdapter {
    fn form(&self) -> DataForm {
        self.core.codec.form()
    }

    fn append(&self, event: &EventData, packet: Outgoing, options: &BroadcastOptions) {
        if let Some(shared) = self.core.shared() {
            let message = self.core.codec.broadcast(event, options);
            self.core.append(shared, message, packet, options);
        }
    }
}

impl Drop for ClusterAdapter {
    fn drop(&mut self) {
        self.leave_cluster();
    }
}

impl fmt::Debug for ClusterAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterAdapter")
            .field("namespace", &self.core.namespace)
            .finish_non_exhaustive()
    }
}

/// A name for this node: `len` characters of `alphabet`. Those of 62 are not all equally likely,
/// which does not matter to a name.
fn random(len: usize, alphabet: &[u8]) -> String {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}

/// The answer of a node about tens of thousands of sockets, each with its handshake.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// More clients than one emission asks on purpose; as many answers take some 10 MB and what is in them.
const MAX_CLIENT_ANSWERS: usize = 100_000;

/// A broker answers in a millisecond; a client that sees nothing of what its server says for longer
/// takes it for broken.
const PATIENCE: Duration = Duration::from_millis(200);

// Node: uid2 0.x
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEXADECIMAL: &[u8] = b"0123456789abcdef";
