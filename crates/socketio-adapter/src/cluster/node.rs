//! A node's part in a cluster, for one namespace: what comes from the others. What goes to them is in
//! `requests.rs`.
//!
//! What arrives is done on this node and never published again.

#![expect(clippy::disallowed_types, reason = "what comes is taken by tasks of the broker")]

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use engineio_proto::guard::lock;
use engineio_proto::log;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::bus::Receiver;
use super::carrier::Carrier;
use super::codec::Codec;
use super::keeper::Unsaved;
use super::log::{Entry, Follower, Offset};
use super::message::{
    Answer, Change, Event, Incoming, Malformed, Message, Received, Requester, Sender, Sign,
};
use super::peers::{Peers, Reaction, Shown};
use super::pending::Pending;
use super::shared::Shared;
use crate::{
    Adapter, AdapterFuture, Answered, BroadcastOptions, LocalAdapter, Node, Reply, Room, SocketId,
};

/// What a node's namespaces count together.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Messages that were none.
    pub(crate) malformed: AtomicU64,
    /// Messages of other nodes that were acted on.
    pub(crate) received: AtomicU64,
    /// Answers of clients of other nodes that were not kept.
    pub(crate) refused_answers: AtomicU64,
    pub(crate) unsaved: Arc<Unsaved>,
}

pub(crate) struct Core {
    pub(crate) namespace: String,
    pub(crate) codec: Arc<dyn Codec>,
    pub(crate) carrier: Carrier,
    pub(crate) local: Arc<LocalAdapter>,
    pub(crate) node: OnceLock<Weak<dyn Node>>,
    /// What the bus has of it.
    pub(crate) receiver: Arc<dyn Receiver>,
    /// What the log has of it.
    pub(crate) follower: Arc<dyn Follower>,
    /// The other nodes, where the broker does not count them.
    pub(crate) peers: Option<Mutex<Peers>>,
    /// Keeps them known.
    pub(crate) peers_task: Mutex<Option<AbortHandle>>,
    pub(crate) shown: Shown,
    pub(crate) pending: Arc<Pending>,
    /// What brings clients back, if the nodes share a log and the server wants it.
    pub(crate) shared: OnceLock<Shared>,
    /// Delivers what does not come back from the log in time.
    pub(crate) shared_task: Mutex<Option<AbortHandle>>,
    /// How long this node's own events may be on their way into the log and back.
    pub(crate) patience: Duration,
    pub(crate) max_rooms: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) max_message_bytes: usize,
    pub(crate) counters: Arc<Counters>,
    pub(crate) runtime: Handle,
    pub(crate) this: Weak<Self>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("codec", &self.codec)
            .field("bus", &self.carrier.bus)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

// ---- what comes -------------------------------------------------------------------------------

impl Receiver for Core {
    fn receive(&self, channel: &str, payload: &[u8]) {
        let has_members = |room: &str| self.local.has_members(room);
        let read = match payload.len() <= self.max_message_bytes {
            true => self.codec.decode(channel, payload, &has_members),
            false => Err(Malformed("too long")),
        };
        self.on_read(read);
    }
}

impl Follower for Core {
    fn begin(&self, part: usize, offset: Offset) {
        if let Some(shared) = self.shared() {
            self.on_begin(shared, part, offset);
        }
    }

    fn receive(&self, entry: &Entry) {
        match self.shared() {
            Some(shared) => self.on_entry(shared, entry),
            None => self.on_read(self.read_entry(entry, false)),
        }
    }
}

impl Core {
    /// Reads an entry of the log; one of this node only `with_own`.
    pub(super) fn read_entry(&self, entry: &Entry, with_own: bool) -> Result<Received, Malformed> {
        let size = entry.data.as_ref().map_or(0, Vec::len);
        match size <= self.max_message_bytes {
            true => self.codec.decode_entry(entry, with_own),
            false => Err(Malformed("too long")),
        }
    }

    pub(super) fn count_received(&self) {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
    }

    /// Acts on a message, or counts that it is none.
    pub(super) fn on_read(&self, read: Result<Received, Malformed>) {
        match read {
            Ok(Received { sender, incoming }) => {
                if let (Some(peers), Some(sender)) = (&self.peers, sender) {
                    self.on_sender(peers, &sender);
                }
                if let Some(incoming) = incoming {
                    self.count_received();
                    self.on_incoming(incoming);
                }
            }
            Err(Malformed(why)) => {
                self.counters.malformed.fetch_add(1, Ordering::Relaxed);
                log!(debug:
                    namespace = self.namespace,
                    why,
                    "a message of the cluster is none"
                );
            }
        }
    }
}

impl Core {
    pub(super) fn node(&self) -> Option<Arc<dyn Node>> {
        self.node.get()?.upgrade()
    }

    fn on_sender(&self, peers: &Mutex<Peers>, sender: &Sender) {
        let reaction = lock(peers).on_sign(now(), &sender.node, sender.sign);
        match reaction {
            Reaction::Nothing => {}
            Reaction::Show => self.show_alive(Sign::Alive),
            Reaction::Gone => self.pending.gone(&sender.node),
        }
    }

    /// Shows this node to the others from when it listens on, where that is how nodes are known.
    #[expect(clippy::disallowed_methods, reason = "nodes show themselves whatever else happens")]
    pub(super) fn enter(&self, listening: Vec<AdapterFuture<()>>) {
        if self.peers.is_some() {
            let task = self.runtime.spawn(keep_known(self.this.clone(), listening));
            *lock(&self.peers_task) = Some(task.abort_handle());
        }
    }

    /// Takes leave of the others, once.
    pub(super) fn leave(&self) {
        let task = lock(&self.shared_task).take();
        if let Some(task) = task {
            task.abort();
        }
        let task = lock(&self.peers_task).take();
        if let Some(task) = task {
            // it may be sending a heartbeat in this moment
            task.abort();
            if self.shown.leave() {
                self.show(Sign::Farewell);
            }
        }
    }

    /// Shows this node to the others, unless it has taken its leave.
    fn show_alive(&self, sign: Sign) {
        if self.shown.begin() {
            self.show(sign);
            if self.shown.end() {
                self.show(Sign::Farewell);
            }
        }
    }

    /// Sends a sign to the others.
    fn show(&self, sign: Sign) {
        if let Some(message) = self.codec.sign(sign) {
            self.publish(message);
        }
    }

    fn on_incoming(&self, incoming: Incoming) {
        match incoming {
            Incoming::Broadcast { event, options } => self.deliver(event, &options),
            Incoming::Ask { event, options, timeout, from } => {
                self.on_ask(event, &options, timeout, &from);
            }
            Incoming::Change { change, options } => {
                let ids = self.local.local_sockets(&options.rooms, &options.except);
                if let (Some(shared), Change::Disconnect { .. }) = (self.shared(), &change) {
                    let is_meant = |id: &&SocketId| matches!(&options.rooms[..], [one] if one.as_str() == id.as_str());
                    ids.iter().filter(is_meant).for_each(|id| shared.taken(id));
                }
                self.apply(&change, &ids);
            }
            Incoming::ChangeOne { change, id, from } => {
                // told by the node that has the socket, and nobody else
                if self.local.contains(&id) {
                    self.apply(&change, &[id]);
                    self.answer(&from, Answer::Done);
                }
            }
            Incoming::Ids { rooms, from } => {
                self.answer(&from, Answer::Ids(self.local.local_sockets(&rooms, &[])));
            }
            Incoming::Sockets { options, from } => {
                let ids = self.local.local_sockets(&options.rooms, &options.except);
                let sockets = self.node().map_or_else(Vec::new, |node| node.details(&ids));
                self.answer(&from, Answer::Sockets(sockets));
            }
            Incoming::Rooms { from } => {
                self.answer(&from, Answer::Rooms(self.local.local_rooms()));
            }
            Incoming::RoomsOf { id, from } => {
                if self.local.contains(&id) {
                    self.answer(&from, Answer::Rooms(self.local.socket_rooms(&id)));
                }
            }
            Incoming::ServerEvent { event, from } => {
                let reply = from.and_then(|from| self.replying(from));
                if let Some(node) = self.node() {
                    node.server_event(event.name, event.args, reply);
                }
            }
            Incoming::Custom { data, from } => {
                if let (Some(node), Some(reply)) = (self.node(), self.replying(from)) {
                    node.custom_request(data, reply);
                }
            }
            Incoming::Answer { id, node, answer } => {
                if !self.pending.answer(&id, node.as_deref(), answer) {
                    self.counters.refused_answers.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn deliver(&self, event: Event, options: &BroadcastOptions) {
        let Some(node) = self.node() else { return };
        let Event { name, args } = event;
        if let Some(packet) = node.packet(&name, args, options) {
            // counted where it is queued or dropped
            node.fan_out(&mut || {
                let _ = self.local.broadcast(&packet, options);
            });
        }
    }

    fn on_ask(
        &self,
        event: Event,
        options: &BroadcastOptions,
        timeout: Option<u64>,
        from: &Requester,
    ) {
        let Some(node) = self.node() else { return };
        let timeout = timeout.map_or(self.request_timeout, Duration::from_millis);
        // a node may not keep this one's clients busy for ever
        let timeout = timeout.min(MAX_ASK);
        let this = self.this.clone();
        let to = from.clone();
        // Answers wait until the number of those asked is told, which comes first. There is one of
        // each client at most.
        let early = Arc::new(Mutex::new(Some(Vec::new())));
        let waiting = Arc::clone(&early);
        let answered: Answered = Arc::new(move |value| {
            let now = match &mut *lock(&waiting) {
                Some(early) => {
                    early.push(value);
                    None
                }
                None => Some(value),
            };
            // published without the lock
            if let Some((value, this)) = now.zip(this.upgrade()) {
                this.answer(&to, Answer::Client(value));
            }
        });
        let count = node.ask(&event.name, event.args, options, timeout, answered);
        self.answer(from, Answer::ClientCount(count));
        let early = lock(&early).take();
        for value in early.into_iter().flatten() {
            self.answer(from, Answer::Client(value));
        }
    }

    /// What another node wants done to sockets of this one.
    fn apply(&self, change: &Change, ids: &[SocketId]) {
        match change {
            // as by the sockets themselves, whose namespace counts what its limits refuse
            Change::Join(rooms) => {
                if let Some(node) = self.node() {
                    node.join(ids, rooms);
                }
            }
            Change::Leave(rooms) => {
                for id in ids {
                    for room in rooms {
                        drop(self.local.leave(id, room));
                    }
                    self.rooms_changed(id, rooms);
                }
            }
            Change::Disconnect { close } => {
                if let Some(node) = self.node() {
                    node.disconnect(ids, *close);
                }
            }
        }
    }

    /// Listens to the channels of rooms that have members, and to no others.
    pub(crate) fn rooms_changed(&self, id: &SocketId, rooms: &[Room]) {
        if let Some(shared) = self.shared() {
            shared.changed(id);
        }
        for room in rooms {
            let is_own = room.as_str() == id.as_str();
            drop(self.room_changed(room, is_own));
        }
    }

    /// The same for one room; what is returned resolves when the broker has confirmed it.
    pub(crate) fn room_changed(&self, room: &Room, is_own: bool) -> Option<AdapterFuture<()>> {
        let channel = self.codec.room_subscription(room, is_own)?;
        if self.local.has_members(room) {
            Some(self.carrier.bus.subscribe(channel, &self.receiver))
        } else {
            self.carrier.bus.unsubscribe(&channel, &self.receiver);
            None
        }
    }

    fn answer(&self, to: &Requester, answer: Answer) {
        if let Some(message) = self.codec.answer(to, answer) {
            self.publish(message);
        }
    }

    fn replying(&self, to: Requester) -> Option<Reply> {
        let this = self.this.clone();
        Some(Box::new(move |value| {
            if let Some(this) = this.upgrade() {
                this.answer(&to, Answer::Value(value));
            }
        }))
    }

    pub(super) fn publish(&self, message: Message) -> bool {
        self.carrier.send(message).is_ok()
    }
}

/// Shows a node to the others, and takes off those that are gone. Ends with the node.
async fn keep_known(this: Weak<Core>, listening: Vec<AdapterFuture<()>>) {
    for listening in listening {
        // One that fails is made all the same once the broker is there.
        let _ = listening.await;
    }
    if let Some(core) = this.upgrade() {
        core.show_alive(Sign::Hello);
    }
    loop {
        let deadline = {
            let Some(core) = this.upgrade() else { return };
            let Some(peers) = &core.peers else { return };
            lock(peers).deadline()
        };
        sleep_until(deadline.into()).await;
        let Some(core) = this.upgrade() else { return };
        let Some(peers) = &core.peers else { return };
        let due = lock(peers).on_deadline(now());
        for node in &due.gone {
            core.pending.gone(node);
        }
        if due.beat {
            core.show_alive(Sign::Alive);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the table of nodes is given the time")]
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// What a bus keeps of a namespace: nothing that keeps it alive.
pub(crate) struct Listening(pub(crate) Weak<Core>);

impl Receiver for Listening {
    fn receive(&self, channel: &str, payload: &[u8]) {
        if let Some(core) = self.0.upgrade() {
            Receiver::receive(&*core, channel, payload);
        }
    }

    fn together(&self, f: &mut dyn FnMut()) {
        let core = self.0.upgrade();
        match core.and_then(|core| core.node()) {
            Some(node) => node.fan_out(f),
            None => f(),
        }
    }
}

impl Follower for Listening {
    fn begin(&self, part: usize, offset: Offset) {
        if let Some(core) = self.0.upgrade() {
            core.begin(part, offset);
        }
    }

    fn receive(&self, entry: &Entry) {
        if let Some(core) = self.0.upgrade() {
            Follower::receive(&*core, entry);
        }
    }

    fn together(&self, f: &mut dyn FnMut()) {
        Receiver::together(self, f);
    }
}

/// The longest time that clients are asked on behalf of another node.
pub(crate) const MAX_ASK: Duration = Duration::from_secs(60 * 60);
