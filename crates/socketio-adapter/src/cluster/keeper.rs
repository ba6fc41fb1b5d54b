//! Sessions on their way to where all nodes find them.
//!
//! Written is a session when its client comes in, soon after each change of its rooms or its data, now
//! and then so that it does not expire, and at its end; so it survives its node. One task writes, so
//! that the last value wins. What of a session that ended is not written yet is kept until it is, or
//! nobody could come back to it any more.

#![expect(clippy::disallowed_types, reason = "sessions change on any thread")]
#![expect(clippy::disallowed_methods, reason = "it waits for the store")]

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::guard::lock;
use engineio_proto::log;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::log::Log;
use crate::SocketId;

/// The sessions that are to be written.
pub(crate) struct Keeper {
    log: Arc<dyn Log>,
    lifetime: Duration,
    table: Mutex<Table>,
    /// There is something to write.
    woken: Notify,
    /// Something was written.
    written: Notify,
    unsaved: Arc<Unsaved>,
}

#[derive(Default)]
struct Table {
    /// By private id: the last value of a session, or `None`: it is to be removed.
    ended: HashMap<String, Option<Bytes>>,
    /// What of it is being written.
    on_the_way: HashSet<String>,
    /// Sockets whose sessions have changed.
    changed: HashSet<SocketId>,
    /// When these are written.
    due: Option<Instant>,
}

/// Where the task finds the sessions of sockets that are there.
pub(crate) trait Sessions: Send + Sync + 'static {
    /// The private id and the value of a session, and that it is being written.
    fn value(&self, id: &SocketId) -> Option<(String, Bytes)>;

    /// The sockets whose sessions were written longer ago than this.
    fn older_than(&self, age: Duration) -> Vec<SocketId>;

    /// Somebody else has these sessions.
    fn lost(&self, ids: Vec<SocketId>);
}

impl Keeper {
    pub(crate) fn new(log: Arc<dyn Log>, lifetime: Duration, unsaved: Arc<Unsaved>) -> Arc<Self> {
        Arc::new(Self {
            log,
            lifetime: lifetime.clamp(SHORTEST, LONGEST),
            table: Mutex::default(),
            woken: Notify::new(),
            written: Notify::new(),
            unsaved,
        })
    }

    /// The session of a socket that is there has changed.
    pub(crate) fn changed(&self, id: &SocketId) {
        let is_first = {
            let mut table = lock(&self.table);
            table.changed.insert(id.clone());
            let is_first = table.due.is_none();
            if is_first {
                table.due = Some(Instant::now() + GATHERED);
            }
            is_first
        };
        if is_first {
            self.woken.notify_one();
        }
    }

    /// A session has ended: its last value, or `None`: nobody may come back to it.
    pub(crate) fn ended(&self, id: &SocketId, pid: String, value: Option<Bytes>) {
        let dropped = {
            let table = &mut *lock(&self.table);
            table.changed.remove(id);
            let is_full = table.ended.len() >= MAX_WAITING && !table.ended.contains_key(&pid);
            if is_full {
                value
            } else {
                let before = table.ended.insert(pid, value);
                if before.is_none() {
                    self.unsaved.add(1);
                }
                before.flatten()
            }
        };
        drop(dropped);
        self.woken.notify_one();
    }

    /// Resolves when nothing about a session waits any more, within a bound. Cancel safe.
    pub(crate) async fn settled(&self, pid: &str) {
        let settled = async {
            loop {
                let mut written = pin!(self.written.notified());
                written.as_mut().enable();
                let is_settled = {
                    let table = lock(&self.table);
                    !table.ended.contains_key(pid) && !table.on_the_way.contains(pid)
                };
                if is_settled {
                    return;
                }
                written.await;
            }
        };
        // what the store has is then what there is
        let _ = timeout(PATIENCE, settled).await;
    }

    /// The task: as long as there are sessions, and until the last is written.
    pub(crate) async fn run<S: Sessions>(self: Arc<Self>, sessions: Weak<S>) {
        let mut refresh = Instant::now() + self.lifetime / 12;
        let mut failed = false;
        loop {
            if failed {
                sleep(RETRY).await;
            }
            failed = !self.write_ended().await;
            let is_over = {
                let table = lock(&self.table);
                sessions.strong_count() == 0 && table.ended.is_empty()
            };
            if is_over {
                return;
            }
            let now = Instant::now();
            if let Some(sessions) = sessions.upgrade() {
                failed |= !self.write_changed(&*sessions, now).await;
                if now >= refresh {
                    refresh = now + self.lifetime / 12;
                    failed |= !self.refresh(&*sessions).await;
                }
            }
            let (due, is_work_left) = {
                let table = lock(&self.table);
                (table.due, !table.ended.is_empty())
            };
            if is_work_left || failed {
                continue;
            }
            let next = due.map_or(refresh, |due| due.min(refresh));
            let _ = timeout_at(next, self.woken.notified()).await;
        }
    }

    /// Writes what ended. False: it could not be written.
    async fn write_ended(&self) -> bool {
        let batch: Vec<(String, Option<Bytes>)> = {
            let table = &mut *lock(&self.table);
            let pids: Vec<String> = table.ended.keys().take(BATCH).cloned().collect();
            table.on_the_way.extend(pids.iter().cloned());
            let value = |pid: String| table.ended.remove(&pid).map(|value| (pid, value));
            pids.into_iter().filter_map(value).collect()
        };
        if batch.is_empty() {
            return true;
        }
        let (mut set, mut removed) = (Vec::new(), Vec::new());
        for (pid, value) in &batch {
            match value {
                Some(value) => set.push((pid.clone(), value.clone())),
                None => removed.push(pid.clone()),
            }
        }
        let store = self.log.store();
        let mut result = Ok(());
        if !set.is_empty() {
            result = store.set(set, self.lifetime, false).await.map(drop);
        }
        if result.is_ok() && !removed.is_empty() {
            result = store.remove(removed).await;
        }
        let is_written = result.is_ok();
        if let Err(error) = result {
            log!(debug: %error, "sessions could not be written");
        }
        {
            let table = &mut *lock(&self.table);
            for (pid, value) in batch {
                table.on_the_way.remove(&pid);
                // unless there is a newer value
                if !is_written && !table.ended.contains_key(&pid) {
                    table.ended.insert(pid, value);
                } else {
                    self.unsaved.remove(1);
                }
            }
        }
        self.unsaved.tell();
        self.written.notify_waiters();
        is_written
    }

    async fn write_changed(&self, sessions: &impl Sessions, now: Instant) -> bool {
        let changed: Vec<SocketId> = {
            let table = &mut *lock(&self.table);
            if table.due.is_none_or(|due| due > now) {
                return true;
            }
            let changed: Vec<_> = table.changed.iter().take(BATCH).cloned().collect();
            for id in &changed {
                table.changed.remove(id);
            }
            table.due = (!table.changed.is_empty()).then_some(now);
            changed
        };
        let values: Vec<_> = changed.iter().filter_map(|id| sessions.value(id)).collect();
        if values.is_empty() {
            return true;
        }
        let written = self.log.store().set(values, self.lifetime, false).await;
        if written.is_err() {
            let table = &mut *lock(&self.table);
            table.changed.extend(changed);
            table.due = Some(now);
        }
        written.is_ok()
    }

    /// Writes sessions that would expire else, unless somebody has taken them.
    async fn refresh(&self, sessions: &impl Sessions) -> bool {
        let mut lost = Vec::new();
        for ids in sessions.older_than(self.lifetime / 3).chunks(BATCH) {
            let values = |id: &SocketId| sessions.value(id).map(|value| (id.clone(), value));
            let (ids, values): (Vec<_>, Vec<_>) = ids.iter().filter_map(values).unzip();
            let Ok(set) = self.log.store().set(values, self.lifetime, true).await else {
                return false;
            };
            lost.extend(ids.into_iter().zip(set).filter(|(_, is_set)| !is_set).map(|(id, _)| id));
        }
        if !lost.is_empty() {
            sessions.lost(lost);
        }
        true
    }
}

/// Sessions that ended and are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    count: AtomicUsize,
    idle: Notify,
}

impl Unsaved {
    pub(super) fn add(&self, sessions: usize) {
        self.count.fetch_add(sessions, Ordering::SeqCst);
    }

    pub(super) fn remove(&self, sessions: usize) {
        self.count.fetch_sub(sessions, Ordering::SeqCst);
    }

    /// Wakes who waits for it, if all are written.
    pub(super) fn tell(&self) {
        if self.count.load(Ordering::SeqCst) == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Resolves when all are written. Cancel safe.
    pub(super) async fn none(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

/// Sessions in one turn.
const BATCH: usize = 256;

/// Within this changes are one write: a socket joins its rooms one after the other.
const GATHERED: Duration = Duration::from_millis(20);

/// Before what failed is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// How long somebody who comes back waits for the session to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sessions that ended while the store is away. Nobody comes back to those beyond.
const MAX_WAITING: usize = 10_000;

/// What a store can count: milliseconds that are a whole number in all servers.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_millis(1 << 53);
