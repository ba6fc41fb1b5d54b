//! A node's part in a cluster, for one namespace: what comes from the others and what goes to them.
//!
//! Nothing here concerns delivery to this node's own sockets when they are broadcast to from here:
//! that was done before. What arrives is never published again.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use socketio_parser::{DataForm, EventData, Value};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::bus::{Bus, Receiver};
use super::codec::{Changes, Codec};
use super::message::{
    Answer, Change, Event, Expected, Incoming, Malformed, Message, Plan, Request, Requester,
};
use super::requests::{Collected, Requests, Waiting, Wants};
use crate::{
    Adapter, AdapterError, AdapterFuture, Answered, Answers, BroadcastOptions, ClientAnswers,
    Cluster, LocalAdapter, Node, Room, SocketDetails, SocketId,
};

/// What a node's namespaces count together.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Messages that were none.
    pub(crate) malformed: AtomicU64,
    /// Messages of other nodes that were acted on.
    pub(crate) received: AtomicU64,
}

pub(crate) struct Core {
    pub(crate) namespace: String,
    pub(crate) codec: Arc<dyn Codec>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) local: Arc<LocalAdapter>,
    pub(crate) node: OnceLock<Weak<dyn Node>>,
    /// What the bus has of it.
    pub(crate) receiver: Arc<dyn Receiver>,
    pub(crate) requests: Arc<Requests>,
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
            .field("bus", &self.bus)
            .field("requests", &self.requests)
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
        match read {
            Ok(Some(incoming)) => {
                self.counters.received.fetch_add(1, Ordering::Relaxed);
                self.on_incoming(incoming);
            }
            Ok(None) => {}
            Err(Malformed(why)) => {
                self.counters.malformed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(
                    namespace = self.namespace,
                    why,
                    "a message of the cluster is none"
                );
            }
        }
    }
}

impl Core {
    fn node(&self) -> Option<Arc<dyn Node>> {
        self.node.get()?.upgrade()
    }

    fn on_incoming(&self, incoming: Incoming) {
        match incoming {
            Incoming::Broadcast { event, options } => self.deliver(event, &options),
            Incoming::Ask { event, options, timeout, from } => {
                self.on_ask(event, &options, timeout, &from);
            }
            Incoming::Change { change, options } => {
                let ids = self.local.local_sockets(&options.rooms, &options.except);
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
            Incoming::Answer { id, node, answer } => self.requests.answer(&id, node, answer),
        }
    }

    fn deliver(&self, event: Event, options: &BroadcastOptions) {
        let Some(node) = self.node() else { return };
        let Event { name, args } = event;
        if let Some(packet) = node.packet(&name, args, !options.uncompressed) {
            // counted where it is queued or dropped
            let _ = self.local.broadcast(&packet, options);
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
        // answers wait until the number of those asked is told, which comes first
        let told = Arc::new(std::sync::Mutex::new(Some(Vec::new())));
        let waiting = Arc::clone(&told);
        let answered: Answered = Arc::new(move |value| {
            let mut waiting = waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match &mut *waiting {
                Some(early) => early.push(value),
                None => {
                    if let Some(this) = this.upgrade() {
                        this.answer(&to, Answer::Client(value));
                    }
                }
            }
        });
        let count = node.ask(&event.name, event.args, options, timeout, answered);
        self.answer(from, Answer::ClientCount(count));
        let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for value in told.take().into_iter().flatten() {
            self.answer(from, Answer::Client(value));
        }
    }

    /// What another node wants done to sockets of this one.
    fn apply(&self, change: &Change, ids: &[SocketId]) {
        match change {
            Change::Join(rooms) => {
                for id in ids {
                    if let Err(error) = self.local.join(id, rooms) {
                        tracing::warn!(%id, %error, "another node's join was refused");
                    }
                    self.rooms_changed(id, rooms);
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
        for room in rooms {
            let is_own = room.as_str() == id.as_str();
            drop(self.room_changed(room, is_own));
        }
    }

    /// The same for one room; what is returned resolves when the broker has confirmed it.
    pub(crate) fn room_changed(&self, room: &Room, is_own: bool) -> Option<AdapterFuture<()>> {
        let channel = self.codec.room_subscription(room, is_own)?;
        if self.local.has_members(room) {
            Some(self.bus.subscribe(channel, &self.receiver))
        } else {
            self.bus.unsubscribe(&channel, &self.receiver);
            None
        }
    }

    fn answer(&self, to: &Requester, answer: Answer) {
        if let Some(message) = self.codec.answer(to, answer) {
            self.publish(message);
        }
    }

    fn replying(&self, to: Requester) -> Option<crate::Reply> {
        let this = self.this.clone();
        Some(Box::new(move |value| {
            if let Some(this) = this.upgrade() {
                this.answer(&to, Answer::Value(value));
            }
        }))
    }

    fn publish(&self, message: Message) -> bool {
        // counted by the bus
        self.bus.publish(message.channel, message.payload).is_ok()
    }
}

// ---- what goes --------------------------------------------------------------------------------

/// How a request ended.
struct Outcome {
    collected: Collected,
    missing: Vec<String>,
}

impl Outcome {
    fn of_broker(collected: Collected, why: &str) -> Self {
        Self { collected, missing: vec![format!("the other nodes ({why})")] }
    }

    fn answers<T>(self, items: impl FnOnce(Collected) -> Vec<T>) -> Answers<T> {
        let answered = self.collected.answered;
        Answers { items: items(self.collected), answered, missing: self.missing }
    }
}

impl Core {
    /// How many other nodes are to answer.
    async fn census(&self, expected: Expected) -> Result<usize, AdapterError> {
        let all = match (expected, self.codec.new_nodes()) {
            (Expected::One, _) => return Ok(1),
            (Expected::Nobody, _) => return Ok(0),
            (Expected::New, Some((beginning, end))) => self.bus.channels(beginning, end).await?,
            _ => self.bus.subscribers(self.codec.census()).await?,
        };
        // this one is among them
        Ok(all.saturating_sub(1))
    }

    /// Puts a request and waits for its answers, no longer than `limit`.
    async fn collect(
        self: Arc<Self>,
        id: String,
        plan: Plan,
        wants: Wants,
        limit: Duration,
    ) -> Outcome {
        let deadline = deadline(limit);
        let expected = match timeout_at(deadline, self.census(plan.expected)).await {
            Ok(Ok(0)) => return Outcome { collected: Collected::default(), missing: Vec::new() },
            Ok(Ok(expected)) => expected,
            Ok(Err(error)) => {
                return Outcome::of_broker(Collected::default(), &source(&error));
            }
            Err(_) => return Outcome::of_broker(Collected::default(), SILENT),
        };
        let waiting = self.requests.open(id, wants, Some(expected), None);
        self.send_and_wait(plan.messages, waiting, deadline).await
    }

    async fn send_and_wait(
        &self,
        messages: Vec<Message>,
        waiting: Waiting,
        deadline: Instant,
    ) -> Outcome {
        for message in messages {
            if !self.publish(message) {
                return Outcome::of_broker(waiting.close().0, "the queue for the broker is full");
            }
        }
        let _ = timeout_at(deadline, waiting.complete()).await;
        let (collected, expected) = waiting.close();
        let missing = expected.unwrap_or_default().saturating_sub(collected.answered);
        let missing = (0..missing).map(|_| UNKNOWN.to_owned()).collect();
        Outcome { collected, missing }
    }

    /// A request, or why it cannot be put.
    fn ask_nodes(
        &self,
        request: &Request<'_>,
        wants: Wants,
    ) -> Result<impl Future<Output = Outcome> + Send + use<>, AdapterError> {
        let id = self.requests.next_id(self.codec.uid());
        let plan = self.codec.plan(Some(&id), request).map_err(AdapterError::Unsupported)?;
        let this = self.this.upgrade().ok_or(AdapterError::Timeout)?;
        let limit = self.request_timeout;
        Ok(this.collect(id, plan, wants, limit))
    }

    /// Ids of sockets of other nodes: those of which nodes of the 4.x line tell, those of the 2.x
    /// line.
    async fn find(
        &self,
        options: &BroadcastOptions,
    ) -> Result<(Answers<SocketId>, Vec<SocketId>), AdapterError> {
        let split = |outcome: Outcome| {
            let mut old = Vec::new();
            let answers = outcome.answers(|collected| {
                old = collected.ids;
                collected.sockets.into_iter().map(|socket| socket.id).collect()
            });
            (answers, old)
        };
        let excluded: Vec<Room> = options.excluded().collect();
        // all know exceptions
        if self.codec.changes() == Changes::AtOnce && !excluded.is_empty() {
            let request = Request::Sockets { options };
            return Ok(split(self.ask_nodes(&request, Wants::Sockets)?.await));
        }
        let request = Request::Ids { rooms: &options.rooms };
        let asked = self.ask_nodes(&request, Wants::Sockets)?;
        if excluded.is_empty() {
            return Ok(split(asked.await));
        }
        let request = Request::Ids { rooms: &excluded };
        let not_meant = self.ask_nodes(&request, Wants::Sockets)?;
        let ((mut answers, mut old), (but_new, but_old)) =
            (split(asked.await), split(not_meant.await));
        answers.items.retain(|id| !but_new.items.contains(id));
        old.retain(|id| !but_old.contains(id));
        answers.missing.extend(but_new.missing);
        Ok((answers, old))
    }

    /// Tells the nodes of a change of the sockets that are meant.
    fn change(&self, change: Change, options: &BroadcastOptions) -> AdapterFuture<()> {
        if let Some(message) = self.codec.change(&change, options) {
            if !self.publish(message) {
                return ready(Err(AdapterError::Backend(super::bus::Full.into())));
            }
        }
        if self.codec.changes() == Changes::AtOnce {
            return ready(Ok(()));
        }
        let Some(this) = self.this.upgrade() else { return ready(Ok(())) };
        let options = options.clone();
        let told = self.runtime.spawn(async move {
            let (found, old) = this.find(&options).await?;
            for id in old {
                this.change_one(&change, &id).await?;
            }
            match found.missing.is_empty() {
                true => Ok(()),
                false => Err(AdapterError::Timeout),
            }
        });
        Box::pin(async move { told.await.unwrap_or(Err(AdapterError::Timeout)) })
    }

    /// Tells the node that has a socket; one of the 2.x line confirms it.
    fn change_one(&self, change: &Change, id: &SocketId) -> AdapterFuture<()> {
        match self.ask_nodes(&Request::ChangeOne { change, id }, Wants::Done) {
            Ok(told) => Box::pin(async move {
                match told.await.missing.is_empty() {
                    true => Ok(()),
                    false => Err(AdapterError::Timeout),
                }
            }),
            Err(error) => ready(Err(error)),
        }
    }

    /// One socket, wherever it is.
    fn one(&self, change: Change, id: &SocketId) -> AdapterFuture<()> {
        let options = BroadcastOptions { rooms: vec![id.into()], ..BroadcastOptions::default() };
        match self.codec.changes() {
            Changes::AtOnce | Changes::Both => self.change(change, &options),
            Changes::OneByOne => {
                // goes out whether or not it is awaited
                let told = self.runtime.spawn(self.change_one(&change, id));
                Box::pin(async move { told.await.unwrap_or(Err(AdapterError::Timeout)) })
            }
        }
    }
}

impl Cluster for Core {
    fn form(&self) -> DataForm {
        self.codec.form()
    }

    fn broadcast(&self, event: &EventData, options: &BroadcastOptions) {
        self.publish(self.codec.broadcast(event, options));
    }

    fn ask(
        &self,
        event: &EventData,
        options: &BroadcastOptions,
        timeout: Duration,
        answered: Answered,
    ) -> AdapterFuture<ClientAnswers> {
        let id = self.requests.next_id(self.codec.uid());
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let plan = match self.codec.plan(Some(&id), &Request::Ask { event, options, timeout: ms }) {
            Ok(plan) => plan,
            Err(who) => {
                self.broadcast(event, options);
                return ready(Err(AdapterError::Unsupported(who)));
            }
        };
        let deadline = deadline(timeout);
        let waiting = self.requests.open(id, Wants::Clients, None, Some(answered));
        // the clients get the event at once, whoever is to be waited for
        let is_sent = plan.messages.into_iter().all(|message| self.publish(message));
        let Some(this) = self.this.upgrade() else { return ready(Ok(ClientAnswers::default())) };
        Box::pin(async move {
            let told = |collected: &Collected, missing| {
                ClientAnswers::new(collected.clients, collected.client_answers, missing)
            };
            if !is_sent {
                let outcome =
                    Outcome::of_broker(waiting.close().0, "the queue for the broker is full");
                return Ok(told(&outcome.collected, outcome.missing));
            }
            let why = match timeout_at(deadline, this.census(plan.expected)).await {
                Ok(Ok(expected)) => {
                    waiting.expect(expected);
                    None
                }
                Ok(Err(error)) => Some(source(&error)),
                Err(_) => Some(SILENT.to_owned()),
            };
            if let Some(why) = why {
                // answers may come all the same
                let _ = timeout_at(deadline, waiting.complete()).await;
                let outcome = Outcome::of_broker(waiting.close().0, &why);
                return Ok(told(&outcome.collected, outcome.missing));
            }
            let outcome = this.send_and_wait(Vec::new(), waiting, deadline).await;
            Ok(told(&outcome.collected, outcome.missing))
        })
    }

    fn ids(&self, options: &BroadcastOptions) -> AdapterFuture<Answers<SocketId>> {
        let Some(this) = self.this.upgrade() else { return ready(Err(AdapterError::Timeout)) };
        let options = options.clone();
        Box::pin(async move {
            let (mut answers, old) = this.find(&options).await?;
            answers.items.extend(old);
            Ok(answers)
        })
    }

    fn sockets(&self, options: &BroadcastOptions) -> AdapterFuture<Answers<SocketDetails>> {
        let Some(this) = self.this.upgrade() else { return ready(Err(AdapterError::Timeout)) };
        let options = options.clone();
        Box::pin(async move {
            let details = |outcome: Outcome| outcome.answers(|collected| collected.sockets);
            if this.codec.changes() == Changes::AtOnce {
                let request = Request::Sockets { options: &options };
                return Ok(details(this.ask_nodes(&request, Wants::Sockets)?.await));
            }
            // of a line that tells ids only
            let of_ids = |ids: Vec<SocketId>| ids.into_iter().map(SocketDetails::new);
            if this.codec.changes() == Changes::OneByOne {
                let (answers, old) = this.find(&options).await?;
                let mut answers = answers.map(SocketDetails::new);
                answers.items.extend(of_ids(old));
                return Ok(answers);
            }
            let request = Request::Sockets { options: &options };
            let new = this.ask_nodes(&request, Wants::Sockets)?;
            let (new, found) = both(new, this.find(&options)).await;
            let (found, old) = found?;
            let mut answers = details(new);
            answers.items.extend(of_ids(old));
            // both lines answer the second question
            Ok(Answers { answered: found.answered, missing: found.missing, ..answers })
        })
    }

    fn rooms(&self) -> AdapterFuture<Answers<Room>> {
        match self.ask_nodes(&Request::Rooms, Wants::Rooms) {
            Ok(asked) => {
                Box::pin(async move { Ok(asked.await.answers(|collected| collected.rooms)) })
            }
            Err(error) => ready(Err(error)),
        }
    }

    fn join(&self, options: &BroadcastOptions, rooms: &[Room]) -> AdapterFuture<()> {
        self.each(rooms, |rooms| self.change(Change::Join(rooms), options))
    }

    fn leave(&self, options: &BroadcastOptions, rooms: &[Room]) -> AdapterFuture<()> {
        self.each(rooms, |rooms| self.change(Change::Leave(rooms), options))
    }

    fn disconnect(&self, options: &BroadcastOptions, close: bool) -> AdapterFuture<()> {
        self.change(Change::Disconnect { close }, options)
    }

    fn join_one(&self, id: &SocketId, room: &Room) -> AdapterFuture<()> {
        self.one(Change::Join(vec![room.clone()]), id)
    }

    fn leave_one(&self, id: &SocketId, room: &Room) -> AdapterFuture<()> {
        self.one(Change::Leave(vec![room.clone()]), id)
    }

    fn disconnect_one(&self, id: &SocketId, close: bool) -> AdapterFuture<()> {
        self.one(Change::Disconnect { close }, id)
    }

    fn rooms_of(&self, id: &SocketId) -> AdapterFuture<Vec<Room>> {
        let Some(this) = self.this.upgrade() else { return ready(Err(AdapterError::Timeout)) };
        let id = id.clone();
        Box::pin(async move {
            if this.codec.changes() != Changes::OneByOne {
                let options =
                    BroadcastOptions { rooms: vec![(&id).into()], ..BroadcastOptions::default() };
                let request = Request::Sockets { options: &options };
                let outcome = this.ask_nodes(&request, Wants::Sockets)?.await;
                let found = outcome.collected.sockets.into_iter().find(|socket| socket.id == id);
                match found {
                    Some(socket) => return Ok(socket.rooms),
                    None if this.codec.changes() == Changes::AtOnce => {
                        return Err(AdapterError::Timeout);
                    }
                    None => {}
                }
            }
            let outcome = this.ask_nodes(&Request::RoomsOf { id: &id }, Wants::Rooms)?.await;
            match outcome.missing.is_empty() {
                true => Ok(outcome.collected.rooms),
                false => Err(AdapterError::Timeout),
            }
        })
    }

    fn server_side_emit(&self, event: &str, args: Vec<Value>) -> AdapterFuture<()> {
        let request = Request::ServerEvent { event, args: &args };
        ready(match self.codec.plan(None, &request) {
            Err(who) => Err(AdapterError::Unsupported(who)),
            Ok(plan) => match plan.messages.into_iter().all(|message| self.publish(message)) {
                true => Ok(()),
                false => Err(AdapterError::Backend(super::bus::Full.into())),
            },
        })
    }

    fn server_side_emit_with_ack(
        &self,
        event: &str,
        args: Vec<Value>,
    ) -> AdapterFuture<Answers<Value>> {
        self.values(&Request::ServerEvent { event, args: &args })
    }

    fn custom_request(&self, data: Value) -> AdapterFuture<Answers<Value>> {
        self.values(&Request::Custom { data: &data })
    }
}

impl Core {
    fn values(&self, request: &Request<'_>) -> AdapterFuture<Answers<Value>> {
        match self.ask_nodes(request, Wants::Values) {
            Ok(asked) => {
                Box::pin(async move { Ok(asked.await.answers(|collected| collected.values)) })
            }
            Err(error) => ready(Err(error)),
        }
    }

    /// Tells of all rooms at once, or of each by itself where a message has only one.
    fn each(
        &self,
        rooms: &[Room],
        tell: impl Fn(Vec<Room>) -> AdapterFuture<()>,
    ) -> AdapterFuture<()> {
        if self.codec.changes() == Changes::AtOnce {
            return tell(rooms.to_vec());
        }
        let told: Vec<_> = rooms.iter().map(|room| tell(vec![room.clone()])).collect();
        Box::pin(async move {
            for told in told {
                told.await?;
            }
            Ok(())
        })
    }
}

/// What a bus keeps of a namespace: nothing that keeps it alive.
pub(crate) struct Listening(pub(crate) Weak<Core>);

impl Receiver for Listening {
    fn receive(&self, channel: &str, payload: &[u8]) {
        if let Some(core) = self.0.upgrade() {
            core.receive(channel, payload);
        }
    }
}

fn ready<T: Send + 'static>(result: Result<T, AdapterError>) -> AdapterFuture<T> {
    Box::pin(std::future::ready(result))
}

/// A time beyond all clocks is a far one.
fn deadline(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit).unwrap_or_else(|| now + MAX_ASK)
}

/// Waits for both at the same time.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none() {
            if let std::task::Poll::Ready(value) = a.as_mut().poll(cx) {
                first = Some(value);
            }
        }
        if second.is_none() {
            if let std::task::Poll::Ready(value) = b.as_mut().poll(cx) {
                second = Some(value);
            }
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => std::task::Poll::Ready((first, second)),
            (a, b) => {
                (first, second) = (a, b);
                std::task::Poll::Pending
            }
        }
    })
    .await
}

fn source(error: &AdapterError) -> String {
    match error {
        AdapterError::Backend(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// The lines of servers tell who answered in no way that would say who did not.
const UNKNOWN: &str = "a node that did not answer in time";

const SILENT: &str = "the broker did not answer in time";

/// The longest time that clients are asked on behalf of another node.
const MAX_ASK: Duration = Duration::from_secs(60 * 60);
