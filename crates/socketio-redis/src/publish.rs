//! The way to Redis: a bounded queue, and the task that empties it.
//!
//! One pipeline of commands is on its way at a time, with all that came meanwhile in the next: so
//! messages keep their order, and a busy node makes fewer and larger writes. If none is on its way,
//! a thread that has broadcast runs the task, which writes to Redis there and then. What Redis has not
//! confirmed when a connection breaks may or may not have been delivered; it is counted as lost and
//! not sent again, because twice is worse than not at all.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError};
use socketio_adapter::Full;
use tokio::sync::{Notify, watch};

use crate::ahead::Ahead;
use crate::connection::{Backoff, Connection, closed, drive};
use crate::stats::Counters;

/// Messages on their way to Redis.
pub(crate) struct Publisher {
    queue: Mutex<Queue>,
    /// Something is in the queue, or it is closed.
    queued: Notify,
    /// The task, until it ends.
    task: OnceLock<Arc<Ahead>>,
    limits: Limits,
    counters: Arc<Counters>,
    /// For queries, which do not wait behind messages; `None` while there is none.
    connection: watch::Sender<Option<MultiplexedConnection>>,
    /// How many messages are neither confirmed nor lost.
    pending: watch::Sender<usize>,
}

/// The bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<(String, Bytes)>,
    bytes: usize,
    is_closed: bool,
}

impl Publisher {
    pub(crate) fn new(limits: Limits, counters: Arc<Counters>) -> Self {
        Self {
            queue: Mutex::default(),
            queued: Notify::new(),
            task: OnceLock::new(),
            limits,
            counters,
            connection: watch::Sender::new(None),
            pending: watch::Sender::new(0),
        }
    }

    pub(crate) fn push(&self, channel: String, payload: Bytes) -> Result<(), Full> {
        let size = channel.len() + payload.len();
        let is_taken = {
            let mut queue = self.lock();
            let is_taken = !queue.is_closed
                && queue.messages.len() < self.limits.messages
                && queue.bytes.saturating_add(size) <= self.limits.bytes;
            if is_taken {
                queue.bytes += size;
                queue.messages.push_back((channel, payload));
                self.pending.send_modify(|pending| *pending += 1);
            }
            is_taken
        };
        if !is_taken {
            self.counters.lost(1);
            return Err(Full);
        }
        self.queued.notify_one();
        Ok(())
    }

    /// Sends what waits, if nothing is on its way and the connection takes it.
    pub(crate) fn flush(&self) {
        let Some(task) = self.task.get() else { return };
        if !self.lock().messages.is_empty() {
            task.hurry();
        }
    }

    /// Messages that wait, those on their way included.
    pub(crate) fn pending(&self) -> usize {
        *self.pending.borrow()
    }

    /// Resolves when nothing waits any more. Cancel safe.
    pub(crate) async fn flushed(&self) {
        let mut pending = self.pending.subscribe();
        // the sender lives as long as `self`
        let _ = pending.wait_for(|pending| *pending == 0).await;
    }

    /// The connection for queries.
    pub(crate) fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }

    pub(crate) fn connections(&self) -> watch::Receiver<Option<MultiplexedConnection>> {
        self.connection.subscribe()
    }

    /// Takes no more; [`Publisher::run`] ends.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.queued.notify_one();
    }

    /// Spawns the task.
    pub(crate) fn start(self: &Arc<Self>, client: Client, command: &'static str) {
        let this = Arc::clone(self);
        // set once: there is one task
        let _ = self.task.set(Ahead::spawn(async move { this.run(client, command).await }));
    }

    /// The task: until the queue is closed.
    async fn run(&self, client: Client, command: &'static str) {
        let mut backoff = Backoff::new();
        while !self.lock().is_closed {
            match Connection::open_here(&client, drop).await {
                Ok((connection, mut driver)) => {
                    backoff.reset();
                    self.connection.send_replace(Some(connection.redis.clone()));
                    let ended = drive(&mut driver, self.serve(connection, command)).await;
                    self.connection.send_replace(None);
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
        let left = {
            let mut queue = self.lock();
            queue.is_closed = true;
            std::mem::take(&mut queue.messages).len()
        };
        if left > 0 {
            self.counters.lost(left);
        }
        self.done(left);
    }

    /// Publishes until the queue is closed (and empty) or the connection is lost.
    async fn serve(
        &self,
        mut connection: Connection,
        command: &'static str,
    ) -> Result<(), RedisError> {
        loop {
            let Some(batch) = self.take() else {
                tokio::select! {
                    () = self.queued.notified() => {}
                    () = connection.lost() => return Err(closed()),
                }
                let is_over = {
                    let queue = self.lock();
                    queue.is_closed && queue.messages.is_empty()
                };
                if is_over {
                    return Ok(());
                }
                continue;
            };
            let count = batch.len();
            let mut pipeline = redis::Pipeline::with_capacity(count);
            for (channel, payload) in &batch {
                pipeline.cmd(command).arg(channel).arg(&payload[..]).ignore();
            }
            drop(batch);
            let published = pipeline.query_async::<()>(&mut connection.redis).await;
            // counted first: who waits for the queue may look at the counters next
            match &published {
                Ok(()) => {
                    self.counters.published.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(_) => self.counters.lost(count),
            }
            self.done(count);
            published?;
        }
    }

    /// The messages of one pipeline.
    fn take(&self) -> Option<Vec<(String, Bytes)>> {
        let mut queue = self.lock();
        let (mut count, mut bytes) = (0, 0);
        for (channel, payload) in queue.messages.iter().take(MAX_BATCH) {
            if count > 0 && bytes > MAX_BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += channel.len() + payload.len();
        }
        queue.bytes -= bytes;
        let batch: Vec<_> = queue.messages.drain(..count).collect();
        (!batch.is_empty()).then_some(batch)
    }

    fn done(&self, count: usize) {
        self.pending.send_modify(|pending| *pending = pending.saturating_sub(count));
    }

    /// Resolves when the queue is closed.
    async fn closed(&self) {
        loop {
            self.queued.notified().await;
            if self.lock().is_closed {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("pending", &self.pending()).finish_non_exhaustive()
    }
}

/// Commands in a pipeline: enough to make the round trip cheap, few enough to be lost together.
const MAX_BATCH: usize = 256;

/// Bytes from which on a pipeline takes no more.
const MAX_BATCH_BYTES: usize = 1 << 20;
