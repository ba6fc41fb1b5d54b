//! The API's `Namespace`: a pool of sockets under a name.

mod cluster;
mod connected;
pub(crate) mod dynamic;
mod hooks;
mod listening;
mod node;
mod recovery;
pub(crate) mod registry;

use std::any::Any;
use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use engineio::{Before, HEADROOM, LimitCounters, Outgoing, OverflowPolicy};
use engineio_proto::guard::{self, lock};
use engineio_proto::log;
use serde::Serialize;
use socketio_adapter::{
    Adapter, AdapterError, Answers, BroadcastOptions, Cluster, Completion, IntoRooms, JoinError,
    Room, SocketId,
};
use socketio_parser::{Encoder, EventData, Revision};

use crate::emit::broadcast::BroadcastOperator;
use crate::error::EmitError;
use crate::events::dedupe::Rule;
use crate::events::given::Given;
use crate::events::listeners::{Common, Handlers};
use crate::events::middleware::{AnyMiddleware, Chain};
use crate::events::observer::Observers;
use crate::forward::forward;
use crate::limits::{Limit, Limits};
use crate::namespace::registry::{Maker, Registry};
use crate::recovery::Recovering;
use crate::socket::{Socket, outgoing};

pub use self::connected::Connected;
pub(crate) use self::hooks::Hooks;
use self::hooks::UNKNOWN;
use self::node::ServerListeners;
pub(crate) use self::node::details;

/// A namespace; a handle, cheap to clone.
// Node 2.0: Class Namespace
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    adapter: Arc<dyn Adapter>,
    /// The other nodes, if there can be any.
    cluster: Option<Arc<dyn Cluster>>,
    /// What a broadcast to them is written with.
    flush: Option<Before>,
    server_listeners: ServerListeners,
    sockets: Mutex<HashSet<ById>>,
    /// Ids of acknowledgements, shared by all sockets, so that a broadcast can use one.
    // Node: the counter is the namespace's and starts at 0
    ack_ids: AtomicU64,
    hooks: Hooks,
    /// What the rule says whose it is, if it is one's.
    parent: OnceLock<Arc<Hooks>>,
    is_dynamic: bool,
    /// The client that it was made for, if it was.
    maker: Option<Maker>,
    /// The program named it: what it added to it is to stay.
    named: AtomicBool,
    /// Where a dynamic namespace is to be removed from.
    registry: Weak<Registry>,
    shared: Shared,
}

/// Why a namespace was made.
pub(crate) enum Origin {
    /// The program named it, and no rule allows the name. It stays.
    Named,
    /// The program named it, and a rule that has to see a client may allow the name.
    Undecided,
    /// A rule allows the name.
    Rule {
        hooks: Arc<Hooks>,
        /// The client that asked for it; `None`: the program named it.
        maker: Option<Maker>,
    },
}

impl Origin {
    pub(crate) const fn is_dynamic(&self) -> bool {
        !matches!(self, Self::Named)
    }

    pub(crate) const fn maker(&self) -> Option<Maker> {
        if let Self::Rule { maker, .. } = self { *maker } else { None }
    }
}

/// A socket in the table, found by its id.
struct ById(Socket);

/// What a namespace has from its server.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) encoder: Encoder,
    pub(crate) limits: Arc<Limits>,
    pub(crate) counters: Arc<LimitCounters<Limit>>,
    /// Listeners of other servers' events that are unfinished.
    pub(crate) server_events: Arc<AtomicUsize>,
    pub(crate) state: Arc<http::Extensions>,
    pub(crate) observers: Observers,
    /// The server itself, which whoever takes it knows the type of.
    pub(crate) owner: Arc<OnceLock<Weak<dyn Any + Send + Sync>>>,
    /// `None`: it is off.
    pub(crate) recovery: Option<Arc<Recovering>>,
}

impl Namespace {
    pub(crate) fn new(
        name: Arc<str>,
        adapter: Arc<dyn Adapter>,
        shared: Shared,
        origin: Origin,
        registry: Weak<Registry>,
    ) -> Self {
        let (is_dynamic, maker) = (origin.is_dynamic(), origin.maker());
        let parent = match origin {
            Origin::Rule { hooks, .. } => OnceLock::from(hooks),
            _ => OnceLock::new(),
        };
        let cluster = adapter.cluster();
        let flush = cluster.clone().map(|cluster| Before::new(move || cluster.flush()));
        Self(Arc::new(Inner {
            name,
            cluster,
            flush,
            adapter,
            server_listeners: ServerListeners::default(),
            sockets: Mutex::default(),
            ack_ids: AtomicU64::new(0),
            hooks: Hooks::default(),
            parent,
            is_dynamic,
            maker,
            named: AtomicBool::new(false),
            registry,
            shared,
        }))
    }

    /// The name, with its leading slash.
    // Node 2.0: namespace.name
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The sockets that are connected at this moment, on this node.
    // Node 2.0: namespace.connected
    #[must_use]
    pub fn connected(&self) -> Connected<'_> {
        Connected::new(self)
    }

    forward! { operator:
        /// The ids of all sockets of the namespace, on all nodes. A request to each node, and an
        /// answer back.
        ///
        /// # Errors
        /// If the adapter fails. Nodes that did not answer are no error, see [`Answers`].
        // Node 2.0: namespace.clients
        async fn clients() -> Result<Answers<SocketId>, AdapterError>;
    }

    // ---- sending ----------------------------------------------------------------------------

    /// Sends an event to all sockets of the namespace. Never waits; without receivers nothing
    /// happens.
    ///
    /// # Errors
    /// [`EmitError::Reserved`] and [`EmitError::Encode`].
    // Node 2.0: namespace.emit
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.operator().emit(event, args)
    }

    /// Sends a `message` event to all sockets of the namespace.
    ///
    /// # Errors
    /// Those of [`Namespace::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        self.emit("message", args)
    }

    forward! { operator:
        /// The next emission goes to the members of these rooms.
        // Node 2.0: namespace.to
        fn to(rooms: impl IntoRooms) -> BroadcastOperator;

        /// The same as [`Namespace::to`].
        // Node 2.0: namespace.in
        fn in_room(rooms: impl IntoRooms) -> BroadcastOperator;

        /// The next emission leaves out the members of these rooms.
        fn except(rooms: impl IntoRooms) -> BroadcastOperator;

        /// Receivers to which the next emission cannot leave at once do not get it.
        // Node 2.0: Flag 'volatile'
        fn volatile() -> BroadcastOperator;

        /// Only receivers of this node get the next emission.
        // Node 2.0: Flag 'local'
        fn local() -> BroadcastOperator;

        /// Whether the next emission is compressed, where a receiver's transport offers it.
        fn compress(compress: bool) -> BroadcastOperator;

        /// What happens for receivers of the next emission whose queue is full.
        fn when_full(policy: OverflowPolicy) -> BroadcastOperator;

        /// How long the next emission waits for acknowledgements.
        fn timeout(timeout: Duration) -> BroadcastOperator;
    }

    fn operator(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.clone(), None)
    }

    // ---- for the crate ----------------------------------------------------------------------

    /// Of whomever it is: code of others.
    pub(crate) fn adapter(&self) -> &dyn Adapter {
        guard::assert_no_lock();
        &*self.0.adapter
    }

    /// Joins a socket of this node to rooms: the one way in, whoever wants it.
    pub(crate) fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError> {
        self.0.join(id, rooms)
    }

    /// Whether rooms may have these names; counted if not.
    pub(crate) fn allow_rooms(&self, rooms: &[Room]) -> Result<(), JoinError> {
        self.0.allow_rooms(rooms)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.shared.limits
    }

    /// A limit acted.
    pub(crate) fn limited(&self, limit: Limit) {
        self.0.shared.counters.add(limit, 1);
    }

    pub(crate) fn state(&self) -> &http::Extensions {
        &self.0.shared.state
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.0.shared.observers
    }

    /// What handlers may ask for.
    pub(crate) fn given(&self) -> Given<'_> {
        Given::new(&self.0.shared.state)
    }

    /// The server, if it is there.
    pub(crate) fn owner(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.0.shared.owner.get()?.upgrade()
    }

    /// The rule's hooks, then its own.
    fn all_hooks(&self) -> impl Iterator<Item = &Hooks> {
        self.0.parent.get().map(|hooks| &**hooks).into_iter().chain([&self.0.hooks])
    }

    /// What its sockets are given in common; those of all namespaces of a rule are given the same.
    pub(crate) fn common_listeners(&self) -> &OnceLock<Option<Arc<Common>>> {
        &self.0.parent.get().map_or(&self.0.hooks, |hooks| &**hooks).common
    }

    /// The listeners of `connect` or `connection`.
    pub(crate) fn listeners(&self, event: &str) -> Handlers {
        let mut found = Handlers::default();
        self.all_hooks().for_each(|hooks| lock(&hooks.listeners).find(event, &mut found));
        found
    }

    /// Adds the listeners that all sockets have for an event.
    pub(crate) fn event_listeners(&self, event: &str, found: &mut Handlers) {
        let hooks = self.all_hooks().filter(|hooks| hooks.has_events.load(Ordering::Acquire));
        hooks.for_each(|hooks| lock(&hooks.events).find(event, found));
    }

    /// Adds the listeners that all sockets have for events without any other.
    pub(crate) fn unknown_event_listeners(&self, found: &mut Handlers) {
        let hooks = self.all_hooks().filter(|hooks| hooks.has_unknown.load(Ordering::Acquire));
        hooks.for_each(|hooks| lock(&hooks.unknown).find(UNKNOWN, found));
    }

    /// How an event is handled once, if it is to be.
    #[inline]
    pub(crate) fn dedupe_of(&self, event: &str) -> Option<Arc<Rule>> {
        let has_some = |hooks: &Hooks| hooks.has_dedupes.load(Ordering::Acquire);
        let is_there =
            has_some(&self.0.hooks) || self.0.parent.get().is_some_and(|hooks| has_some(hooks));
        if is_there { self.find_dedupe(event) } else { None }
    }

    #[cold]
    fn find_dedupe(&self, event: &str) -> Option<Arc<Rule>> {
        let rule_of =
            |hooks: &Hooks| lock(&hooks.dedupes).iter().find(|rule| rule.is_for(event)).cloned();
        self.all_hooks().find_map(rule_of)
    }

    pub(crate) fn middleware(&self) -> Option<Chain<AnyMiddleware>> {
        let mut chains = self.all_hooks().filter_map(|hooks| lock(&hooks.middleware).clone());
        match (chains.next(), chains.next()) {
            (Some(first), Some(second)) => Some(first.iter().chain(&*second).cloned().collect()),
            (chain, _) => chain,
        }
    }

    /// Whether it is a rule's, or may become one's.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.0.is_dynamic
    }

    /// Whether clients find it: it is of no rule, or of one that allowed it.
    pub(crate) fn is_decided(&self) -> bool {
        !self.0.is_dynamic || self.0.parent.get().is_some()
    }

    /// It is the rule's from now on, if none was quicker.
    pub(crate) fn decide(&self, hooks: Arc<Hooks>) {
        if self.0.is_dynamic {
            let _ = self.0.parent.set(hooks);
        }
    }

    /// The program named it.
    pub(crate) fn set_named(&self) {
        self.0.named.store(true, Ordering::Relaxed);
    }

    pub(crate) fn maker(&self) -> Option<Maker> {
        self.0.maker
    }

    pub(crate) fn is_child_of(&self, hooks: &Arc<Hooks>) -> bool {
        self.0.parent.get().is_some_and(|parent| Arc::ptr_eq(parent, hooks))
    }

    /// The program listens in a namespace that clients find only when a rule lets them.
    fn listening(&self) {
        if !self.is_decided() {
            log!(warn:
                namespace = self.name(),
                "clients join it only if a rule allows it: make it before the rules that see clients"
            );
        }
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Whether it is to go with its last handle, which is this one; asked under the lock of the
    /// registry that has it.
    pub(crate) fn is_unused(&self) -> bool {
        let inner = &self.0;
        let has_own = || !inner.hooks.is_empty() || !inner.server_listeners.is_empty();
        let is_kept = || inner.named.load(Ordering::Relaxed) && has_own();
        inner.is_dynamic && Arc::strong_count(inner) == 1 && !is_kept()
    }

    /// A socket gives its handle back for good.
    pub(crate) fn release(self) {
        if let Some(registry) = self.0.registry.upgrade() {
            registry.release(self);
        }
    }

    pub(crate) fn next_ack_id(&self) -> u64 {
        self.0.next_ack_id()
    }

    /// False: there is a socket of this id.
    fn add(&self, socket: &Socket) -> bool {
        let mut sockets = lock(&self.0.sockets);
        let is_new = !sockets.contains(socket.id().as_str());
        is_new && sockets.insert(ById(socket.clone()))
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        let gone = {
            let mut sockets = lock(&self.0.sockets);
            let id = socket.id().as_str();
            let is_this = sockets.get(id).is_some_and(|other| other.0.is_same(socket));
            let gone = if is_this { sockets.take(id) } else { None };
            // a burst leaves a large table behind; an idle namespace gives it back
            if sockets.len() * 8 < sockets.capacity() {
                let keep = sockets.len() * 2;
                sockets.shrink_to(keep);
            }
            gone
        };
        drop(gone);
    }

    pub(crate) fn broadcast(&self, packet: &Outgoing, options: &BroadcastOptions) {
        guard::assert_no_lock();
        // counted where it is queued or dropped
        let _ = engineio::fan_out(|| self.0.adapter.broadcast(packet, options));
    }

    /// Has the other nodes send an event, for which it is written once more, in their form.
    pub(crate) fn publish<T: Serialize>(
        &self,
        event: &str,
        args: &T,
        options: &BroadcastOptions,
    ) -> Result<(), EmitError> {
        if let Some(cluster) = self.cluster().filter(|_| !options.local) {
            let data = EventData::new(cluster.form(), event, args)?;
            cluster.broadcast(&data, options);
            if let Some(flush) = &self.0.flush {
                flush.writing();
            }
        }
        Ok(())
    }

    /// The sockets of this node that a broadcast would reach.
    pub(crate) fn local_sockets(&self, options: &BroadcastOptions) -> Vec<Socket> {
        self.0.sockets_meant(options)
    }

    pub(crate) fn encode_event<T: Serialize + ?Sized>(
        &self,
        id: Option<u64>,
        event: &str,
        args: &T,
    ) -> Result<Outgoing, EmitError> {
        Self::allow_event(event)?;
        // arguments are written by code of the user
        guard::assert_no_lock();
        let encoder = &self.0.shared.encoder;
        let encoded = encoder.event(HEADROOM, &self.0.name, id, event, args)?;
        Ok(outgoing(encoded).droppable(true))
    }

    fn allow_event(event: &str) -> Result<(), EmitError> {
        if event == "error" || socketio_parser::is_reserved_event(event) {
            return Err(EmitError::Reserved(event.to_owned()));
        }
        Ok(())
    }

    pub(crate) fn encode_ack<T: Serialize + ?Sized>(
        &self,
        id: u64,
        args: &T,
    ) -> Result<Outgoing, EmitError> {
        guard::assert_no_lock();
        Ok(outgoing(self.0.shared.encoder.ack(HEADROOM, &self.0.name, id, args)?))
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.0.shared.encoder
    }

    pub(crate) fn encode_connect(&self, revision: Revision, socket: &Socket) -> Outgoing {
        let sid = (revision == Revision::V5).then(|| socket.id().as_str());
        let session = self.recovering().and_then(|_| socket.session());
        let pid = session.as_ref().map(|session| &*session.claim.pid);
        outgoing(self.0.shared.encoder.connect(HEADROOM, &self.0.name, revision, sid, pid))
    }

    pub(crate) fn encode_disconnect(&self, revision: Revision) -> Outgoing {
        outgoing(self.0.shared.encoder.disconnect(HEADROOM, &self.0.name, revision))
    }
}

impl Inner {
    fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError> {
        guard::assert_no_lock();
        self.allow_rooms(rooms)?;
        let joined = self.adapter.join(id, rooms);
        if joined.is_err() {
            self.shared.counters.add(Limit::Rooms, 1);
        }
        joined
    }

    fn allow_rooms(&self, rooms: &[Room]) -> Result<(), JoinError> {
        let limit = self.shared.limits.max_room_len;
        if rooms.iter().any(|room| room.as_str().len() > limit) {
            self.shared.counters.add(Limit::RoomLen, 1);
            return Err(JoinError::RoomTooLong { limit });
        }
        Ok(())
    }

    fn next_ack_id(&self) -> u64 {
        self.ack_ids.fetch_add(1, Ordering::Relaxed)
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().as_str().hash(state);
    }
}

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id().as_str()
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("name", &self.0.name).finish_non_exhaustive()
    }
}
