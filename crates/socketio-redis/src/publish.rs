//! The way to Redis: a bounded queue, and the task that empties it.
//!
//! One pipeline of commands is on its way at a time, with all that came meanwhile in the next: so
//! messages keep their order, and a busy node makes fewer and larger writes. If none is on its way,
//! a thread that has broadcast runs the task, which writes to Redis there and then. What Redis has not
//! confirmed when a connection breaks may or may not have been delivered; it is counted as lost and
//! not sent again, because twice is worse than not at all. What a server of a cluster has refused,
//! because the channel belongs to another, is sent to that one.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError};
use socketio_adapter::QueueFull;
use socketio_adapter::guard::{Held, lock};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::connection::{
    Answered, Backoff, Connection, RETRY_PAUSE, closed, drive, is_elsewhere, moved,
};
use crate::inline_task::InlineTask;
use crate::stats::Counters;
use crate::targets::{Target, Targets};

/// What Redis is to do: to publish on a channel, or to append to a stream.
#[derive(Debug)]
pub(crate) struct Message {
    /// The name of the channel or of the stream.
    pub(crate) key: String,
    pub(crate) payload: Bytes,
    /// Of an entry of a stream: what there is besides the payload.
    pub(crate) entry: Option<Box<Head>>,
}

/// The fields of an entry beside its data, and how the stream is kept short.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) trim: Trim,
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) kind: u8,
}

/// How a stream is kept short: by whole nodes of its tree, as that costs Redis nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trim {
    /// So many entries, and some more.
    Count(usize),
    /// Entries that are not older than this, and some more.
    Age(Duration),
}

impl Message {
    fn write(&self, publish: &str, pipeline: &mut Pipeline) {
        let Some(head) = &self.entry else {
            pipeline.cmd(publish).arg(&self.key).arg(&self.payload[..]);
            return;
        };
        let command = pipeline.cmd("XADD").arg(&self.key);
        match head.trim {
            Trim::Count(count) => command.arg("MAXLEN").arg("~").arg(count),
            Trim::Age(age) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let oldest = now.saturating_sub(age).as_millis();
                command.arg("MINID").arg("~").arg(oldest.to_string())
            }
        };
        command.arg("*").arg("uid").arg(&head.uid).arg("nsp").arg(&head.namespace);
        command.arg("type").arg(head.kind).arg("data").arg(&self.payload[..]);
    }

    fn size(&self) -> usize {
        let more = self.entry.as_ref().map_or(0, |head| head.uid.len() + head.namespace.len());
        self.key.len() + self.payload.len() + more
    }
}

/// Takes what a server has refused, in its order.
pub(crate) type Refused = Box<dyn Fn(Vec<Message>) + Send + Sync>;

/// Messages on their way to Redis.
pub(crate) struct Publisher {
    queue: Mutex<Queue>,
    /// Something is in the queue, or it is closed.
    queued: Notify,
    /// The task, until it ends.
    task: OnceLock<Arc<InlineTask>>,
    limits: Limits,
    counters: Arc<Counters>,
    /// For queries, which do not wait behind messages; `None` while there is none.
    connection: Mutex<Option<MultiplexedConnection>>,
    /// How many messages are neither confirmed nor lost. They are counted before the task can see them.
    pending: AtomicUsize,
    /// There are none.
    idle: Notify,
    /// In a cluster where each channel belongs to a server; elsewhere nothing is refused.
    on_refused: Option<Refused>,
}

/// The bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
    is_closed: bool,
}

impl Publisher {
    pub(crate) fn new(
        limits: Limits,
        counters: Arc<Counters>,
        on_refused: Option<Refused>,
    ) -> Self {
        Self {
            queue: Mutex::default(),
            queued: Notify::new(),
            task: OnceLock::new(),
            limits,
            counters,
            connection: Mutex::default(),
            pending: AtomicUsize::new(0),
            idle: Notify::new(),
            on_refused,
        }
    }

    pub(crate) fn push(&self, message: Message) -> Result<(), QueueFull> {
        let offered = self.offer(message);
        match offered {
            Ok(()) => self.announce(),
            Err(QueueFull) => self.counters.lost(1),
        }
        offered
    }

    /// The same for who may hold a lock: it is to be [announced](Self::announce) after that, and what
    /// does not fit is to be counted.
    pub(crate) fn offer(&self, message: Message) -> Result<(), QueueFull> {
        let size = message.size();
        let mut queue = self.lock();
        let is_taken = !queue.is_closed
            && queue.messages.len() < self.limits.messages
            && queue.bytes.saturating_add(size) <= self.limits.bytes;
        if !is_taken {
            return Err(QueueFull);
        }
        queue.bytes += size;
        queue.messages.push_back(message);
        self.pending.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Wakes the task, and who waits until the queue is empty: something was put in or taken out.
    pub(crate) fn announce(&self) {
        self.queued.notify_one();
        self.done(0);
    }

    /// Sends what waits, if nothing is on its way and the connection takes it.
    pub(crate) fn flush(&self) {
        let Some(task) = self.task.get() else { return };
        if !self.lock().messages.is_empty() {
            task.run_now();
        }
    }

    /// Takes a message that was in a queue before all others, whatever the limits: there were no more
    /// than those of that queue. True: it is taken, and to be [announced](Self::announce).
    pub(crate) fn put_back(&self, message: Message) -> bool {
        let mut queue = self.lock();
        if queue.is_closed {
            return false;
        }
        queue.bytes += message.size();
        queue.messages.push_front(message);
        self.pending.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Takes out what waits and is meant for others; to be [announced](Self::announce).
    pub(crate) fn take_if(&self, is_elsewhere: impl Fn(&str) -> bool) -> Vec<Message> {
        let queue = &mut *self.lock();
        let all = std::mem::take(&mut queue.messages);
        let (taken, left): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|message| is_elsewhere(&message.key));
        queue.messages = left.into();
        queue.bytes = queue.messages.iter().map(Message::size).sum();
        self.pending.fetch_sub(taken.len(), Ordering::SeqCst);
        taken
    }

    /// Messages that wait, those on their way included.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::SeqCst)
    }

    /// Resolves when nothing waits any more. Cancel safe.
    pub(crate) async fn flushed(&self) {
        loop {
            // registered before looking, so that no end is missed
            let mut idle = pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.pending() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// The connection for queries.
    pub(crate) fn connection(&self) -> Option<MultiplexedConnection> {
        lock(&self.connection).clone()
    }

    fn set_connection(&self, connection: Option<MultiplexedConnection>) {
        let before = std::mem::replace(&mut *lock(&self.connection), connection);
        drop(before); // with it its task may end
        self.counters.changed();
    }

    /// Takes no more; [`Publisher::run`] ends.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.queued.notify_one();
    }

    /// Spawns the task.
    pub(crate) fn start(
        self: &Arc<Self>,
        runtime: &Handle,
        targets: Targets,
        command: &'static str,
    ) {
        let this = Arc::clone(self);
        let work = async move { this.run(targets, command).await };
        // set once: there is one task
        let _ = self.task.set(InlineTask::spawn(runtime, work));
    }

    /// The task: until the queue is closed.
    async fn run(&self, mut targets: Targets, command: &'static str) {
        let mut backoff = Backoff::new();
        while !self.lock().is_closed {
            let target = tokio::select! {
                target = targets.next() => target,
                () = self.closed() => break,
            };
            match Connection::open_here(&target, drop).await {
                Ok((connection, mut driver)) => {
                    backoff.reset();
                    self.set_connection(Some(connection.redis.clone()));
                    let serving = self.serve(connection, command, &target, &mut targets);
                    let ended = drive(&mut driver, serving).await;
                    self.set_connection(None);
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

    /// What is left is lost.
    pub(crate) fn end(&self) {
        let left = {
            let mut queue = self.lock();
            queue.is_closed = true;
            std::mem::take(&mut queue.messages)
        };
        let left = left.len();
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
        target: &Target,
        targets: &mut Targets,
    ) -> Result<(), RedisError> {
        loop {
            let Some(batch) = self.take() else {
                tokio::select! {
                    () = self.queued.notified() => {}
                    () = connection.lost() => return Err(closed()),
                    () = targets.gone(target) => return Err(moved()),
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
            let mut pipeline = Pipeline::with_capacity(count);
            for message in &batch {
                message.write(command, &mut pipeline);
            }
            let answered: Result<Answered, RedisError> = tokio::select! {
                biased;
                answered = pipeline.ignore_errors().query_async(&mut connection.redis) => answered,
                () = targets.gone(target) => Err(moved()),
            };
            let ended = self.on_answers(count, batch, answered);
            self.done(count);
            if !ended? {
                targets.doubt();
                tokio::select! {
                    () = sleep(RETRY_PAUSE) => {}
                    () = targets.gone(target) => return Err(moved()),
                }
            }
        }
    }

    /// Counts what became of a batch, and hands over what was refused. False: something was.
    fn on_answers(
        &self,
        count: usize,
        batch: Vec<Message>,
        answered: Result<Answered, RedisError>,
    ) -> Result<bool, RedisError> {
        let (mut published, mut refused, mut error) = (0, Vec::new(), None);
        match answered {
            Ok(answers) => {
                let mut batch = batch.into_iter();
                for answer in answers {
                    let message = batch.next();
                    match (answer, message) {
                        (Ok(_), _) => published += 1,
                        (Err(why), Some(message))
                            if self.on_refused.is_some() && is_elsewhere(&why) =>
                        {
                            refused.push(message);
                        }
                        // of the stream, not of the connection: it is none, or memory is short
                        (Err(why), Some(message))
                            if message.entry.is_some() && why.code().is_some() =>
                        {
                            self.counters.failed(why);
                        }
                        (Err(why), _) => error = Some(why),
                    }
                }
            }
            Err(why) => error = Some(why),
        }
        // counted first: who waits for the queue may look at the counters next
        self.counters.published.fetch_add(published as u64, Ordering::Relaxed);
        let is_all_taken = refused.is_empty();
        let lost = count - published - refused.len();
        if lost > 0 {
            self.counters.lost(lost);
        }
        if let Some(on_refused) = &self.on_refused {
            if !is_all_taken {
                on_refused(refused);
            }
        }
        error.map_or(Ok(is_all_taken), Err)
    }

    /// The messages of one pipeline.
    fn take(&self) -> Option<Vec<Message>> {
        let mut queue = self.lock();
        let (mut count, mut bytes) = (0, 0);
        for message in queue.messages.iter().take(MAX_BATCH) {
            if count > 0 && bytes > MAX_BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += message.size();
        }
        queue.bytes -= bytes;
        let batch: Vec<_> = queue.messages.drain(..count).collect();
        (!batch.is_empty()).then_some(batch)
    }

    fn done(&self, count: usize) {
        if self.pending.fetch_sub(count, Ordering::SeqCst) == count {
            self.idle.notify_waiters();
        }
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

    fn lock(&self) -> Held<MutexGuard<'_, Queue>> {
        lock(&self.queue)
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
