//! The way from Redis: who listens to what, and the task that sees to it.
//!
//! A table says what is to be subscribed. The task makes it so on each new connection, and passes
//! changes on in their order. Messages are handed to their receivers where they are read, so a node
//! that is slow to deliver is slow to read, and Redis' own bound on what waits for a subscriber acts.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Client, PushInfo, PushKind, RedisError, Value};
use socketio_adapter::{AdapterFuture, Channel, Receiver};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::connection::{Backoff, Connection, closed};
use crate::stats::Counters;

/// What is listened to.
pub(crate) struct Subscriber {
    table: Mutex<Table>,
    /// There are commands to be sent, or it is closed.
    changed: Notify,
    counters: Arc<Counters>,
    /// Whether all of the table is subscribed.
    is_settled: watch::Sender<bool>,
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
    is_connected: bool,
    is_closed: bool,
}

/// Who listens; nearly always one.
type Listening = HashMap<String, Vec<Arc<dyn Receiver>>>;

/// Adds a receiver. True: nobody listened before.
fn add(listening: &mut Listening, name: &str, receiver: &Arc<dyn Receiver>) -> bool {
    let Some(there) = listening.get_mut(name) else {
        listening.insert(name.to_owned(), vec![Arc::clone(receiver)]);
        return true;
    };
    if !there.iter().any(|other| is_same(other, receiver)) {
        there.push(Arc::clone(receiver));
    }
    false
}

/// Takes a receiver out. True: it was the last.
fn remove(listening: &mut Listening, name: &str, receiver: &Arc<dyn Receiver>) -> bool {
    let Some(there) = listening.get_mut(name) else { return false };
    there.retain(|other| !is_same(other, receiver));
    there.is_empty() && listening.remove(name).is_some()
}

fn is_same(one: &Arc<dyn Receiver>, other: &Arc<dyn Receiver>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

struct Command {
    name: &'static str,
    argument: String,
    /// Told when Redis has confirmed it, or dropped when the connection is lost.
    confirmed: Option<oneshot::Sender<()>>,
}

impl Subscriber {
    pub(crate) fn new(sharded: bool, counters: Arc<Counters>) -> Self {
        Self {
            table: Mutex::default(),
            changed: Notify::new(),
            counters,
            is_settled: watch::Sender::new(false),
            sharded,
        }
    }

    pub(crate) fn subscribe(
        &self,
        channel: Channel,
        receiver: &Arc<dyn Receiver>,
    ) -> AdapterFuture<()> {
        let (sender, confirmed) = oneshot::channel();
        {
            let table = &mut *self.lock();
            let (name, argument, is_new) = match channel {
                Channel::Named(channel) => {
                    let name = if self.sharded { "SSUBSCRIBE" } else { "SUBSCRIBE" };
                    let is_new = add(&mut table.channels, &channel, receiver);
                    (name, channel, is_new)
                }
                Channel::BeginningWith(beginning) => {
                    let pattern = pattern(&beginning, "");
                    let is_new = add(&mut table.patterns, &pattern, receiver);
                    ("PSUBSCRIBE", pattern, is_new)
                }
            };
            // a new connection begins with the whole table
            if !is_new || !table.is_connected {
                return Box::pin(std::future::ready(Ok(())));
            }
            table.commands.push_back(Command { name, argument, confirmed: Some(sender) });
            self.is_settled.send_replace(false);
        }
        self.changed.notify_one();
        // a lost connection is no reason to wait: it is subscribed with the next
        Box::pin(async move {
            let _ = timeout(CONFIRM_TIMEOUT, confirmed).await;
            Ok(())
        })
    }

    pub(crate) fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        {
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
                return;
            }
            table.commands.push_back(Command { name, argument, confirmed: None });
        }
        self.changed.notify_one();
    }

    /// Whether all of the table is subscribed, as it changes.
    pub(crate) fn settled(&self) -> watch::Receiver<bool> {
        self.is_settled.subscribe()
    }

    /// [`Subscriber::run`] ends.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// The task: until it is closed.
    pub(crate) async fn run(self: Arc<Self>, client: Client) {
        let mut backoff = Backoff::new();
        while !self.lock().is_closed {
            let this = Arc::downgrade(&self);
            let on_message = move |push: PushInfo| {
                if let Some(this) = this.upgrade() {
                    this.dispatch(push);
                }
            };
            match Connection::open(&client, on_message).await {
                Ok(connection) => {
                    self.begin();
                    let ended = self.serve(connection, &mut backoff).await;
                    self.end();
                    match ended {
                        Ok(()) => break,
                        Err(error) => self.counters.failed(error),
                    }
                }
                Err(error) => self.counters.failed(error),
            }
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
        let name = if self.sharded { "SSUBSCRIBE" } else { "SUBSCRIBE" };
        let patterns = table.patterns.keys().map(|pattern| ("PSUBSCRIBE", pattern));
        let channels = table.channels.keys().map(|channel| (name, channel));
        table.commands = patterns
            .chain(channels)
            .map(|(name, argument)| Command { name, argument: argument.clone(), confirmed: None })
            .collect();
        table.is_connected = true;
    }

    fn end(&self) {
        let commands = {
            let table = &mut *self.lock();
            table.is_connected = false;
            std::mem::take(&mut table.commands)
        };
        drop(commands);
        self.is_settled.send_replace(false);
    }

    /// Passes commands on until it is closed or the connection is lost.
    async fn serve(
        &self,
        mut connection: Connection,
        backoff: &mut Backoff,
    ) -> Result<(), RedisError> {
        loop {
            let batch: Vec<Command> = {
                let table = &mut *self.lock();
                let count = table.commands.len().min(MAX_BATCH);
                let batch = table.commands.drain(..count).collect();
                if count == 0 {
                    if table.is_closed {
                        return Ok(());
                    }
                    self.is_settled.send_if_modified(|is| !std::mem::replace(is, true));
                }
                batch
            };
            if batch.is_empty() {
                backoff.reset();
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = connection.lost() => return Err(closed()),
                    // a connection that died without a word is found out
                    () = sleep(PING_INTERVAL) => {
                        redis::cmd("PING").exec_async(&mut connection.redis).await?;
                    }
                }
                continue;
            }
            // one channel each, so that each is confirmed once
            let mut pipeline = redis::Pipeline::with_capacity(batch.len());
            for command in &batch {
                pipeline.cmd(command.name).arg(&command.argument).ignore();
            }
            pipeline.exec_async(&mut connection.redis).await?;
            for confirmed in batch.into_iter().filter_map(|command| command.confirmed) {
                // fails only if nobody waits any more
                let _ = confirmed.send(());
            }
        }
    }

    /// Hands a message to its receiver.
    fn dispatch(&self, push: PushInfo) {
        let PushInfo { kind, data } = push;
        let text = |value: &Value| match value {
            Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
            Value::SimpleString(text) => Some(text.clone()),
            _ => None,
        };
        let (receivers, channel, payload) = match (kind, data.as_slice()) {
            (PushKind::Message | PushKind::SMessage, [channel, payload]) => {
                let Some(channel) = text(channel) else { return };
                (self.lock().channels.get(&channel).cloned(), channel, payload)
            }
            (PushKind::PMessage, [pattern, channel, payload]) => {
                let (Some(pattern), Some(channel)) = (text(pattern), text(channel)) else { return };
                (self.lock().patterns.get(&pattern).cloned(), channel, payload)
            }
            _ => return,
        };
        if let Value::BulkString(payload) = payload {
            for receiver in receivers.into_iter().flatten() {
                receiver.receive(&channel, payload);
            }
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

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Commands in a pipeline.
const MAX_BATCH: usize = 256;

/// How long a join waits for its channel at most; it is subscribed all the same.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a quiet connection is asked whether it is alive.
const PING_INTERVAL: Duration = Duration::from_secs(5);
