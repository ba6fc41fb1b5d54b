//! Handlers that outlive their connections: how many there are, what they keep, and which of them
//! are dropped when that is too much.
//!
//! The handlers that a connection left behind are one group, which runs in a task of its own. Over a
//! bound, groups are dropped: of the address that has most, the largest first. So nobody who comes
//! and goes uses up what there is for the handlers of others.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use engineio::whom_to_cut;
use engineio_proto::guard::{let_go, lock};
use tokio::task::AbortHandle;

use crate::limits::{Limit, Limits};

/// All groups of a server.
#[derive(Debug)]
pub(crate) struct Detached {
    inner: Mutex<Inner>,
    max_handlers: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    groups: HashMap<u64, Group>,
    /// The number of the next group.
    next: u64,
    handlers: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Group {
    network: Option<IpAddr>,
    handlers: usize,
    bytes: usize,
    /// From when its task was spawned.
    task: Option<AbortHandle>,
}

/// Handlers that go on.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Handlers that were dropped, by the limit that did it.
pub(crate) type Dropped = (Limit, usize);

impl Detached {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            inner: Mutex::default(),
            max_handlers: limits.max_detached_handlers,
            max_bytes: limits.max_detached_bytes,
        }
    }

    /// Handlers, and bytes that they keep.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let inner = lock(&self.inner);
        (inner.handlers, inner.bytes)
    }

    /// Lets `handlers` handlers of a connection that ended go on.
    pub(crate) fn add(
        self: &Arc<Self>,
        network: Option<IpAddr>,
        handlers: usize,
        bytes: usize,
        running: Running,
    ) -> Vec<Dropped> {
        let (number, dropped) = self.insert(Group { network, handlers, bytes, task: None });
        let left = Left { detached: Arc::clone(self), number };
        let is_there = lock(&self.inner).groups.contains_key(&number);
        if is_there {
            let running = async move {
                running.await;
                drop(left);
            };
            // still in the span of their session
            let task = engineio::spawn(Box::pin(engineio::in_current_span(Box::pin(running))))
                .abort_handle();
            self.started(number, task);
        } else {
            let_go(running);
        }
        let told = dropped.iter().map(|(limit, group)| (*limit, group.handlers)).collect();
        // Not under the lock: a runtime may drop the futures here and now.
        for task in dropped.into_iter().filter_map(|(_, group)| group.task) {
            task.abort();
        }
        told
    }

    /// Counts a group; its number, and the groups that have to go for it, which may be itself.
    fn insert(&self, group: Group) -> (u64, Vec<(Limit, Group)>) {
        let mut inner = lock(&self.inner);
        let number = inner.next;
        inner.next += 1;
        inner.handlers += group.handlers;
        inner.bytes += group.bytes;
        inner.groups.insert(number, group);
        let mut dropped = Vec::new();
        let excess = beyond(inner.handlers, self.max_handlers);
        inner.drop_groups(Limit::DetachedHandlers, |group| group.handlers, excess, &mut dropped);
        let excess = beyond(inner.bytes, self.max_bytes);
        inner.drop_groups(Limit::DetachedBytes, |group| group.bytes, excess, &mut dropped);
        (number, dropped)
    }

    fn started(&self, number: u64, task: AbortHandle) {
        let too_late = match lock(&self.inner).groups.get_mut(&number) {
            Some(group) => {
                group.task = Some(task);
                None
            }
            // it is finished, or another thread dropped it meanwhile
            None => Some(task),
        };
        if let Some(task) = too_late {
            task.abort();
        }
    }
}

impl Inner {
    fn drop_groups(
        &mut self,
        limit: Limit,
        size: impl Fn(&Group) -> usize,
        excess: usize,
        dropped: &mut Vec<(Limit, Group)>,
    ) {
        if excess == 0 {
            return;
        }
        let holder = |(number, group): (&u64, &Group)| (group.network, size(group), *number);
        let holders: Vec<_> = self.groups.iter().map(holder).collect();
        for number in whom_to_cut(&holders, excess) {
            dropped.extend(self.remove(number).map(|group| (limit, group)));
        }
    }

    fn remove(&mut self, number: u64) -> Option<Group> {
        let group = self.groups.remove(&number)?;
        self.handlers -= group.handlers;
        self.bytes -= group.bytes;
        Some(group)
    }
}

/// A group that runs.
struct Left {
    detached: Arc<Detached>,
    number: u64,
}

impl Drop for Left {
    fn drop(&mut self) {
        let gone = lock(&self.detached.inner).remove(self.number);
        drop(gone); // not under the lock
    }
}

/// What has to go so that an eighth of the bound is free, so that room is not to be made for every
/// connection. None if the bound holds.
const fn beyond(now: usize, max: usize) -> usize {
    if now > max { now - (max - max / 8) } else { 0 }
}
