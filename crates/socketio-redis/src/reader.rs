//! The way from streams: one task on a connection of its own, which waits for entries and hands them to
//! who follows their namespaces.
//!
//! It begins at the end of each stream, as an offset, never as "whatever comes": what is added from then
//! on is read, whatever becomes of connections. The position moves past entries before anything is done
//! with them. Once a second, and with each new connection, it looks whether something was trimmed before
//! it was read, and whether a stream has begun anew, with smaller offsets.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use socketio_adapter::guard::{self, Held, lock};
use socketio_adapter::{Entry, Follower, Offset, log};
use tokio::sync::Notify;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::{Answered, Backoff, Connection, closed, moved, silent};
use crate::entries::{StreamInfo, is_missing, of_streams};
use crate::position::{Gap, Position};
use crate::stats::Counters;
use crate::targets::{Target, Targets};

/// What is read.
pub(crate) struct Reader {
    streams: Vec<String>,
    /// Entries of a stream in one answer.
    count: usize,
    /// How long Redis lets an answer wait for the first entry.
    block: Duration,
    table: Mutex<Table>,
    /// It is closed.
    closed: Notify,
    counters: Arc<Counters>,
}

struct Table {
    /// By namespace; nearly always one.
    followers: HashMap<String, Vec<Arc<dyn Follower>>>,
    /// By stream, from when it is known.
    positions: Vec<Option<Position>>,
    is_connected: bool,
    is_closed: bool,
}

impl Table {
    fn offsets(&self) -> Option<Vec<Offset>> {
        self.positions.iter().map(|position| position.map(|position| position.at)).collect()
    }
}

impl Reader {
    pub(crate) fn new(
        streams: Vec<String>,
        count: usize,
        block: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        let table = Table {
            followers: HashMap::new(),
            positions: vec![None; streams.len()],
            is_connected: false,
            is_closed: false,
        };
        let block = block.clamp(SHORTEST_BLOCK, LONGEST_BLOCK);
        let (table, closed) = (Mutex::new(table), Notify::new());
        Self { streams, count: count.max(1), block, table, closed, counters }
    }

    pub(crate) fn follow(&self, namespace: &str, follower: &Arc<dyn Follower>) {
        let mut table = self.lock();
        table.followers.entry(namespace.to_owned()).or_default().push(Arc::clone(follower));
        // nothing is delivered to it before it knows from where on
        for (part, position) in table.positions.iter().enumerate() {
            if let Some(position) = position {
                follower.begin(part, position.at);
            }
        }
    }

    pub(crate) fn unfollow(&self, namespace: &str, follower: &Arc<dyn Follower>) {
        let gone = {
            let followers = &mut self.lock().followers;
            let is_it = |other: &Arc<dyn Follower>| {
                std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(follower))
            };
            match followers.get_mut(namespace) {
                Some(there) => {
                    let gone = there.iter().position(is_it).map(|at| there.swap_remove(at));
                    if there.is_empty() {
                        followers.remove(namespace);
                    }
                    gone
                }
                None => None,
            }
        };
        drop(gone);
    }

    /// There is a connection, and the position in each stream is known.
    pub(crate) fn is_ready(&self) -> bool {
        let table = self.lock();
        table.is_connected && table.positions.iter().all(Option::is_some)
    }

    /// [`Reader::run`] ends.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.closed.notify_one();
    }

    /// The task: until it is closed.
    pub(crate) async fn run(self: Arc<Self>, mut targets: Targets) {
        let mut backoff = Backoff::new();
        while !self.lock().is_closed {
            let target = tokio::select! {
                target = targets.next() => target,
                () = self.closed.notified() => break,
            };
            match Connection::open(&target, drop).await {
                Ok(connection) => {
                    let ended = self.serve(connection, &mut backoff, &target, &mut targets).await;
                    self.set_connected(false);
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
                () = self.closed.notified() => break,
            }
        }
    }

    fn set_connected(&self, is_connected: bool) {
        self.lock().is_connected = is_connected;
        self.counters.changed();
    }

    /// Reads until it is closed or the connection is lost.
    async fn serve(
        &self,
        mut connection: Connection,
        backoff: &mut Backoff,
        target: &Target,
        targets: &mut Targets,
    ) -> Result<(), RedisError> {
        let mut redis = connection.redis.clone();
        let mut next_look = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let done = tokio::select! {
                done = self.turn(&mut redis, &mut next_look) => done,
                () = connection.lost() => return Err(closed()),
                () = targets.gone(target) => return Err(moved()),
                () = self.closed.notified() => return Ok(()),
            };
            match done {
                Ok(()) => {
                    backoff.reset();
                    pause = FIRST_PAUSE;
                }
                // what it says now, it says again at once
                Err(error) if error.code().is_some() => {
                    self.set_connected(false);
                    self.counters.failed(error);
                    tokio::select! {
                        () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                        () = connection.lost() => return Err(closed()),
                        () = targets.gone(target) => return Err(moved()),
                        () = self.closed.notified() => return Ok(()),
                    }
                }
                Err(error) => return Err(error),
            }
            connection.redis = redis.clone();
        }
    }

    async fn turn(
        &self,
        redis: &mut MultiplexedConnection,
        next_look: &mut Instant,
    ) -> Result<(), RedisError> {
        let offsets = self.lock().offsets();
        let Some(offsets) = offsets else { return self.locate(redis).await };
        if Instant::now() >= *next_look {
            let is_all = self.look(redis, &offsets).await?;
            if is_all {
                *next_look = Instant::now() + LOOK_INTERVAL;
            }
            return Ok(());
        }
        let command = self.command(&offsets, Some(self.block));
        let limit = self.block + SILENCE;
        let reading = command.query_async::<Value>(redis);
        let answer = timeout(limit, reading).await.map_err(|_| silent())??;
        self.deliver(self.read(answer).into_iter().flat_map(|(_, entries)| entries).collect())
            .await;
        Ok(())
    }

    fn command(&self, offsets: &[Offset], block: Option<Duration>) -> redis::Cmd {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(self.count);
        if let Some(block) = block {
            command.arg("BLOCK").arg(block.as_millis().to_string());
        }
        command.arg("STREAMS").arg(&self.streams);
        for offset in offsets {
            command.arg(offset.to_string());
        }
        command
    }

    fn read(&self, answer: Value) -> Vec<(usize, Vec<Entry>)> {
        of_streams(answer, |name| self.streams.iter().position(|stream| stream.as_bytes() == name))
    }

    /// Finds the ends of the streams.
    async fn locate(&self, redis: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let mut pipeline = Pipeline::new();
        for stream in &self.streams {
            pipeline.cmd("XINFO").arg("STREAM").arg(stream);
        }
        let answers: Answered = pipeline.ignore_errors().query_async(redis).await?;
        let infos = answers.into_iter().map(info).collect::<Result<Vec<_>, _>>()?;
        let table = &mut *self.lock();
        for (part, info) in infos.iter().enumerate() {
            let position = Position::at_end(info);
            table.positions[part] = Some(position);
            for follower in table.followers.values().flatten() {
                follower.begin(part, position.at);
            }
        }
        Ok(())
    }

    /// Looks what the streams are, and reads what there is. False: there may be more.
    async fn look(
        &self,
        redis: &mut MultiplexedConnection,
        offsets: &[Offset],
    ) -> Result<bool, RedisError> {
        let mut pipeline = Pipeline::new();
        for stream in &self.streams {
            pipeline.cmd("XINFO").arg("STREAM").arg(stream);
        }
        pipeline.add_command(self.command(offsets, None));
        let looking = pipeline.ignore_errors().query_async::<Answered>(redis);
        let mut answers = timeout(SILENCE, looking).await.map_err(|_| silent())??;
        let read = self.read(answers.pop().unwrap_or(Ok(Value::Nil))?);
        let infos = answers.into_iter().map(info).collect::<Result<Vec<_>, _>>()?;
        let is_all = read.iter().all(|(_, entries)| entries.len() < self.count);
        let mut missed = 0;
        for (part, info) in infos.iter().enumerate() {
            let read = read.iter().find(|(of, _)| *of == part).map(|(_, entries)| entries);
            let read: Vec<Offset> = read.into_iter().flatten().map(|entry| entry.offset).collect();
            if read.len() < self.count {
                missed += self.look_at(part, info, &read);
            }
        }
        if missed > 0 {
            self.counters.missed(missed);
        }
        if !self.lock().is_connected {
            self.set_connected(true);
        }
        self.deliver(read.into_iter().flat_map(|(_, entries)| entries).collect()).await;
        Ok(is_all)
    }

    fn look_at(&self, part: usize, info: &StreamInfo, read: &[Offset]) -> u64 {
        let table = &mut *self.lock();
        let Some(position) = &mut table.positions[part] else { return 0 };
        let Gap { missed, has_begun_anew } = position.look(info, read);
        if has_begun_anew {
            let at = position.at;
            log!(warn: stream = self.streams[part], "a stream of the cluster has begun anew");
            for follower in table.followers.values().flatten() {
                follower.begin(part, at);
            }
        }
        missed
    }

    /// Hands entries to their followers, all that was read together.
    async fn deliver(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let mut group: Vec<(Arc<dyn Follower>, Entry)> = Vec::with_capacity(entries.len());
        {
            let table = &mut *self.lock();
            for entry in entries {
                if let Some(Some(position)) = table.positions.get_mut(entry.part) {
                    position.read(entry.offset);
                }
                let Some(followers) = table.followers.get(&entry.namespace) else { continue };
                if let Some((last, others)) = followers.split_last() {
                    group.extend(others.iter().map(|other| (Arc::clone(other), entry.clone())));
                    group.push((Arc::clone(last), entry));
                }
            }
        }
        if let Some(first) = group.first().map(|(follower, _)| Arc::clone(follower)) {
            let mut group = group.into_iter();
            let mut receive = || {
                for (follower, entry) in group.by_ref() {
                    // whatever it does with one, the next comes
                    if guard::call(|| follower.receive(&entry)).is_err() {
                        log!(error: "delivering an entry of the cluster panicked");
                    }
                }
            };
            if guard::call(|| first.together(&mut receive)).is_err() {
                log!(error: "delivering entries of the cluster panicked");
            }
        }
        consume_budget().await;
    }

    fn lock(&self) -> Held<MutexGuard<'_, Table>> {
        lock(&self.table)
    }
}

fn info(answer: Result<Value, RedisError>) -> Result<StreamInfo, RedisError> {
    match answer {
        Ok(answer) => Ok(StreamInfo::read(answer)),
        Err(error) if is_missing(&error) => Ok(StreamInfo::missing()),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// How often it is looked whether something is missing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How much longer than it should an answer may take.
const SILENCE: Duration = Duration::from_secs(1);

/// Before a command that was refused is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A longer one would be taken for a connection that is dead.
const SHORTEST_BLOCK: Duration = Duration::from_millis(1);
const LONGEST_BLOCK: Duration = Duration::from_secs(5);
