//! The way from Redis: who listens to what, and the task that sees to it.
//!
//! A table says what is to be subscribed. One task makes it so on each new connection, and passes
//! changes on in their order. What is read waits in a bounded queue for another task, which hands all
//! that is there to its receivers together: so a burst is one write per client, not one per message.
//! Messages that come faster than they can be delivered, for so long that the queue is full, are
//! dropped and counted. Redis itself would end the connection of a subscriber that does not read.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use redis::{PushInfo, PushKind, RedisError, Value};
use socketio_adapter::guard::{self, Held, lock};
use socketio_adapter::log;
use socketio_adapter::{AdapterFuture, Channel, Receiver};
use tokio::sync::{Notify, oneshot};
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::connection::{
    Answered, Backoff, Connection, RETRY_PAUSE, behind, closed, is_elsewhere, moved,
};
use crate::listening::{Listening, add, remove};
use crate::stats::Counters;
use crate::targets::{Target, Targets};

/// What is listened to.
pub(crate) struct Subscriber {
    table: Mutex<Table>,
    /// There are commands to be sent, or it is closed.
    changed: Notify,
    inbox: Mutex<Inbox>,
    /// Something is in the inbox, or it is closed.
    arrived: Notify,
    /// More commands wait than may.
    overflowed: Notify,
    max_commands: usize,
    counters: Arc<Counters>,
    /// By `SSUBSCRIBE`.
    sharded: bool,
}

#[derive(Default)]
struct Table {
    /// By name.
    channels: Listening,
    /// By pattern.
    patterns: Listening,
    /// What is to be told to Redis, in this order.
    commands: VecDeque<Command>,
    /// What Redis said it has subscribed by `SSUBSCRIBE` on this connection. The answers to commands
    /// do not tell: when a slot goes to another server, a message like a confirmation comes unasked,
    /// which the crate redis takes for one.
    confirmed: HashSet<String>,
    is_connected: bool,
    /// The commands are no longer all of them: the connection is to be made anew, with the whole table.
    is_overflowed: bool,
    /// All of the table is subscribed.
    is_settled: bool,
    is_closed: bool,
}

/// What was read and is to be delivered.
#[derive(Default)]
struct Inbox {
    messages: VecDeque<Arrived>,
    bytes: usize,
}

/// A message and who listens to its channel.
struct Arrived {
    receivers: Vec<Arc<dyn Receiver>>,
    channel: String,
    payload: Vec<u8>,
}

impl Arrived {
    fn size(&self) -> usize {
        self.channel.len() + self.payload.len()
    }
}

impl Table {
    /// Keeps a command for Redis, unless too many wait: as many as there are channels, as at the
    /// beginning of a connection, and `max` more. What is returned is to be dropped without the lock.
    fn push(&mut self, command: Command, max: usize) -> VecDeque<Command> {
        self.is_settled = false;
        if self.is_overflowed {
            return VecDeque::from([command]);
        }
        self.commands.push_back(command);
        let all = self.channels.len() + self.patterns.len();
        self.is_overflowed = self.commands.len() > max.saturating_add(all);
        if self.is_overflowed { std::mem::take(&mut self.commands) } else { VecDeque::new() }
    }
}

struct Command {
    name: &'static str,
    argument: String,
    /// Told when Redis has confirmed it, or dropped when the connection is lost.
    confirmed: Option<oneshot::Sender<()>>,
}

/// Commands that are not kept: dropped without a lock, as somebody may wait for them.
#[derive(Default)]
#[must_use]
pub(crate) struct Gone(VecDeque<Command>);

impl Subscriber {
    pub(crate) fn new(sharded: bool, max_commands: usize, counters: Arc<Counters>) -> Self {
        Self {
            table: Mutex::default(),
            changed: Notify::new(),
            inbox: Mutex::default(),
            arrived: Notify::new(),
            overflowed: Notify::new(),
            max_commands,
            counters,
            sharded,
        }
    }

    pub(crate) fn subscribe(
        &self,
        channel: Channel,
        receiver: &Arc<dyn Receiver>,
    ) -> AdapterFuture<()> {
        let (confirmed, gone) = self.enter(channel, receiver);
        self.announce(gone);
        confirmed
    }

    /// The same for who may hold a lock. To be [announced](Self::announce) after that.
    pub(crate) fn enter(
        &self,
        channel: Channel,
        receiver: &Arc<dyn Receiver>,
    ) -> (AdapterFuture<()>, Gone) {
        let (sender, confirmed) = oneshot::channel();
        let gone = {
            let table = &mut *self.lock();
            let (name, argument, is_new) = match channel {
                Channel::Named(channel) => {
                    let name = if self.sharded { SSUBSCRIBE } else { "SUBSCRIBE" };
                    let is_new = add(&mut table.channels, &channel, receiver);
                    (name, channel, is_new)
                }
                Channel::BeginningWith(beginning) => {
                    let pattern = pattern(&beginning, "");
                    let is_new = add(&mut table.patterns, &pattern, receiver);
                    ("PSUBSCRIBE", pattern, is_new)
                }
            };
            // a new connection begins with the whole table; and what was asked for and is not confirmed
            // is asked for once more, to be told of it
            if !table.is_connected || (!is_new && table.is_settled) {
                return (Box::pin(std::future::ready(Ok(()))), Gone::default());
            }
            table.push(Command { name, argument, confirmed: Some(sender) }, self.max_commands)
        };
        // a lost connection is no reason to wait: it is subscribed with the next
        let confirmed = Box::pin(async move {
            let _ = timeout(CONFIRM_TIMEOUT, confirmed).await;
            Ok(())
        });
        (confirmed, Gone(gone))
    }

    pub(crate) fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        let gone = self.withdraw(channel, receiver);
        self.announce(gone);
    }

    /// The same for who may hold a lock. To be [announced](Self::announce) after that.
    pub(crate) fn withdraw(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) -> Gone {
        let gone = {
            let table = &mut *self.lock();
            let (name, argument, is_over) = match channel {
                Channel::Named(channel) => {
                    let name = if self.sharded { "SUNSUBSCRIBE" } else { "UNSUBSCRIBE" };
                    (name, channel.clone(), remove(&mut table.channels, channel, receiver))
                }
                Channel::BeginningWith(beginning) => {
                    let pattern = pattern(beginning, "");
                    let is_over = remove(&mut table.patterns, &pattern, receiver);
                    ("PUNSUBSCRIBE", pattern, is_over)
                }
            };
            if !is_over || !table.is_connected {
                return Gone::default();
            }
            let was_settled = table.is_settled;
            let gone = table.push(Command { name, argument, confirmed: None }, self.max_commands);
            // all that is listened to is subscribed, whatever else is
            table.is_settled = was_settled && !table.is_overflowed;
            gone
        };
        Gone(gone)
    }

    /// Wakes the task for what [`enter`](Self::enter) or [`withdraw`](Self::withdraw) did, and whoever
    /// waits for what is not kept.
    pub(crate) fn announce(&self, Gone(gone): Gone) {
        self.changed.notify_one();
        if !gone.is_empty() {
            self.overflowed.notify_one();
        }
        drop(gone);
    }

    /// Resolves when more commands wait than may. Cancel safe.
    async fn overflowed(&self) {
        while !self.lock().is_overflowed {
            self.overflowed.notified().await;
        }
    }

    /// Whether all of the table is subscribed.
    pub(crate) fn is_settled(&self) -> bool {
        self.lock().is_settled
    }

    /// [`Subscriber::run`] ends.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
        self.arrived.notify_one();
    }

    /// The task that delivers: until it is closed, and nothing is left.
    pub(crate) async fn deliver(self: Arc<Self>) {
        loop {
            let group = self.take();
            if group.is_empty() {
                if self.lock().is_closed {
                    return;
                }
                self.arrived.notified().await;
                continue;
            }
            // a receiver that panics ends its own group, not the cluster
            let delivered = guard::call(|| together(group));
            if delivered.is_err() {
                log!(error: "delivering messages of the cluster panicked");
            }
            if self.is_all_delivered() {
                // about to wait anyway, unless more came meanwhile, again and again
                consume_budget().await;
            } else {
                yield_now().await;
            }
        }
    }

    fn is_all_delivered(&self) -> bool {
        lock(&self.inbox).messages.is_empty()
    }

    /// What is delivered together.
    fn take(&self) -> Vec<Arrived> {
        let inbox = &mut *lock(&self.inbox);
        let count = inbox.messages.len().min(MAX_GROUP);
        let group: Vec<Arrived> = inbox.messages.drain(..count).collect();
        inbox.bytes -= group.iter().map(Arrived::size).sum::<usize>();
        group
    }

    /// The task: until it is closed.
    pub(crate) async fn run(self: Arc<Self>, mut targets: Targets) {
        let mut backoff = Backoff::new();
        while !self.lock().is_closed {
            let target = tokio::select! {
                target = targets.next() => target,
                () = self.closed() => break,
            };
            let this = Arc::downgrade(&self);
            let on_message = move |push: PushInfo| {
                if let Some(this) = this.upgrade() {
                    this.dispatch(push);
                }
            };
            match Connection::open(&target, on_message).await {
                Ok(connection) => {
                    self.begin();
                    let ended = self.serve(connection, &mut backoff, &target, &mut targets).await;
                    self.end();
                    match ended {
                        Ok(()) => break,
                        Err(error) => self.counters.failed(error),
                    }
                }
                Err(error) => self.counters.failed(error),
            }
            targets.doubt();
            tokio::select! {
                () = backoff.pause() => {}
                () = self.closed() => break,
            }
        }
        self.end();
    }

    /// All of the table is to be subscribed.
    fn begin(&self) {
        let table = &mut *self.lock();
        let name = if self.sharded { SSUBSCRIBE } else { "SUBSCRIBE" };
        let patterns = table.patterns.keys().map(|pattern| ("PSUBSCRIBE", pattern));
        let channels = table.channels.keys().map(|channel| (name, channel));
        let commands = patterns
            .chain(channels)
            .map(|(name, argument)| Command { name, argument: argument.clone(), confirmed: None })
            .collect();
        let before = std::mem::replace(&mut table.commands, commands);
        debug_assert!(before.iter().all(|command| command.confirmed.is_none()), "nobody waits");
        table.confirmed.clear();
        table.is_connected = true;
        table.is_overflowed = false;
    }

    fn end(&self) {
        let commands = {
            let table = &mut *self.lock();
            table.is_connected = false;
            table.is_settled = false;
            table.confirmed.clear();
            std::mem::take(&mut table.commands)
        };
        drop(commands);
        self.counters.changed();
    }

    /// Passes commands on until it is closed or the connection is lost.
    async fn serve(
        &self,
        mut connection: Connection,
        backoff: &mut Backoff,
        target: &Target,
        targets: &mut Targets,
    ) -> Result<(), RedisError> {
        loop {
            let Some(batch) = self.batch() else { return Ok(()) };
            if batch.is_empty() {
                backoff.reset();
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = connection.lost() => return Err(closed()),
                    () = targets.gone(target) => return Err(moved()),
                    () = self.overflowed() => return Err(self.overflow()),
                    // a connection that died without a word is found out
                    () = sleep(PING_INTERVAL) => {
                        let ping = redis::cmd("PING");
                        tokio::select! {
                            alive = ping.exec_async(&mut connection.redis) => alive?,
                            () = targets.gone(target) => return Err(moved()),
                            () = self.overflowed() => return Err(self.overflow()),
                        }
                    }
                }
                continue;
            }
            // one channel each, so that each is confirmed once, and may be of any slot
            let mut pipeline = redis::Pipeline::with_capacity(batch.len());
            for command in &batch {
                pipeline.cmd(command.name).arg(&command.argument);
            }
            let answers: Answered = tokio::select! {
                answers = pipeline.ignore_errors().query_async(&mut connection.redis) => answers?,
                () = targets.gone(target) => return Err(moved()),
                () = self.overflowed() => return Err(self.overflow()),
            };
            if !self.on_answers(batch, answers)? {
                targets.doubt();
                tokio::select! {
                    () = sleep(RETRY_PAUSE) => {}
                    () = connection.lost() => return Err(closed()),
                    () = targets.gone(target) => return Err(moved()),
                }
            }
        }
    }

    /// Redis is behind: the connection is made anew, and begins with all that is listened to by then.
    fn overflow(&self) -> RedisError {
        self.counters.resubscribed();
        behind()
    }

    /// The next commands: none if all was passed on, `None` if it is closed as well.
    fn batch(&self) -> Option<Vec<Command>> {
        let (batch, unwanted) = {
            let table = &mut *self.lock();
            let count = table.commands.len().min(MAX_BATCH);
            let channels = &table.channels;
            // one that was refused may not be wanted any more
            let (batch, unwanted): (Vec<Command>, Vec<Command>) = table
                .commands
                .drain(..count)
                .partition(|one| one.name != SSUBSCRIBE || channels.contains_key(&one.argument));
            // what counts comes from now on
            for command in batch.iter().filter(|one| one.name == SSUBSCRIBE) {
                table.confirmed.remove(&command.argument);
            }
            if batch.is_empty() {
                if !table.commands.is_empty() {
                    return Some(batch);
                }
                if table.is_closed {
                    return None;
                }
                if std::mem::replace(&mut table.is_settled, true) {
                    return Some(batch);
                }
            }
            (batch, unwanted)
        };
        drop(unwanted); // without the lock: it wakes who waits for it
        if batch.is_empty() {
            self.counters.changed();
        }
        Some(batch)
    }

    /// Tells who waits for a confirmation, and keeps what was refused for another time. False:
    /// something was.
    fn on_answers(&self, batch: Vec<Command>, answers: Answered) -> Result<bool, RedisError> {
        for answer in answers {
            match answer {
                Err(error) if !(self.sharded && is_elsewhere(&error)) => return Err(error),
                _ => {}
            }
        }
        let (refused, taken): (Vec<_>, Vec<_>) = {
            let table = &mut *self.lock();
            batch.into_iter().partition(|command| {
                command.name == SSUBSCRIBE && !table.confirmed.contains(&command.argument)
            })
        };
        // who waits is woken without the lock
        for confirmed in taken.into_iter().filter_map(|command| command.confirmed) {
            // fails only if nobody waits any more
            let _ = confirmed.send(());
        }
        let is_all_taken = refused.is_empty();
        self.lock().commands.extend(refused);
        Ok(is_all_taken)
    }

    /// Redis has told that it has begun or ended a subscription by `SSUBSCRIBE`, asked or unasked.
    fn on_confirmed(&self, channel: String, is_subscribed: bool) {
        let gone = {
            let table = &mut *self.lock();
            if is_subscribed {
                table.confirmed.insert(channel);
                return;
            }
            if !table.confirmed.remove(&channel) || !table.channels.contains_key(&channel) {
                return;
            }
            // the slot went to another server: until that is known it is tried here
            let command = Command { name: SSUBSCRIBE, argument: channel, confirmed: None };
            Gone(table.push(command, self.max_commands))
        };
        self.announce(gone);
    }

    /// Puts a message into the inbox.
    fn dispatch(&self, push: PushInfo) {
        let PushInfo { kind, mut data } = push;
        let bytes = |value: Option<Value>| match value {
            Some(Value::BulkString(bytes)) => Some(bytes),
            _ => None,
        };
        let text = |value| bytes(value).and_then(|bytes| String::from_utf8(bytes).ok());
        if matches!(kind, PushKind::SSubscribe | PushKind::SUnsubscribe) {
            // the channel, and how many there are
            data.truncate(1);
            if let Some(channel) = text(data.pop()) {
                self.on_confirmed(channel, kind == PushKind::SSubscribe);
            }
            return;
        }
        let payload = bytes(data.pop());
        let channel = text(data.pop());
        let (Some(payload), Some(channel)) = (payload, channel) else { return };
        let receivers = match kind {
            PushKind::Message | PushKind::SMessage => self.lock().channels.get(&channel).cloned(),
            PushKind::PMessage => {
                let Some(pattern) = text(data.pop()) else { return };
                self.lock().patterns.get(&pattern).cloned()
            }
            _ => return,
        };
        let Some(receivers) = receivers else { return };
        let arrived = Arrived { receivers, channel, payload };
        let is_taken = {
            let inbox = &mut *lock(&self.inbox);
            let is_taken = inbox.bytes <= MAX_INBOX && inbox.messages.len() < MAX_WAITING;
            if is_taken {
                inbox.bytes += arrived.size();
                inbox.messages.push_back(arrived);
            }
            is_taken
        };
        if is_taken {
            self.arrived.notify_one();
        } else {
            self.counters.overrun();
        }
    }

    /// Resolves when it is closed.
    async fn closed(&self) {
        loop {
            self.changed.notified().await;
            if self.lock().is_closed {
                return;
            }
        }
    }

    fn lock(&self) -> Held<MutexGuard<'_, Table>> {
        lock(&self.table)
    }
}

/// Hands messages to their receivers.
fn together(group: Vec<Arrived>) {
    let first = group.first().and_then(|arrived| arrived.receivers.first()).cloned();
    let mut group = group.into_iter();
    let mut receive = || {
        for Arrived { receivers, channel, payload } in group.by_ref() {
            receivers.iter().for_each(|receiver| receiver.receive(&channel, &payload));
        }
    };
    match first {
        Some(first) => first.together(&mut receive),
        None => receive(),
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.lock();
        f.debug_struct("Subscriber")
            .field("channels", &table.channels.len())
            .field("patterns", &table.patterns.len())
            .finish_non_exhaustive()
    }
}

/// The pattern of names with this beginning and end, and anything between.
// Redis: KEYS. Node servers do not escape names, and miss what is in namespaces like `/a[1]`.
pub(crate) fn pattern(beginning: &str, end: &str) -> String {
    let mut pattern = String::with_capacity(beginning.len() + end.len() + 1);
    let escape = |text: &str, pattern: &mut String| {
        for char in text.chars() {
            if matches!(char, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(char);
        }
    };
    escape(beginning, &mut pattern);
    pattern.push('*');
    escape(end, &mut pattern);
    pattern
}

/// Messages that are delivered together: enough to make a burst cheap, few enough that others get
/// their turn on the thread.
const MAX_GROUP: usize = 128;

/// Bytes and messages that may wait to be delivered: as much as Redis lets wait for a subscriber.
const MAX_INBOX: usize = 32 << 20;
const MAX_WAITING: usize = 200_000;

const SSUBSCRIBE: &str = "SSUBSCRIBE";

/// Commands in a pipeline.
const MAX_BATCH: usize = 256;

/// How long a join waits for its channel at most; it is subscribed all the same.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a quiet connection is asked whether it is alive.
const PING_INTERVAL: Duration = Duration::from_secs(5);
