//! Who is in a Redis Cluster, asked again and again.
//!
//! A task asks all nodes that are known what they think of the cluster, and believes the one for which
//! it works and that has seen its latest election: a node that was cut off does not know that others
//! took its place. Who connects is told of each change; and when something looks wrong from there
//! (a connection was lost, a slot moved), it is asked at once.
//!
//! The same connections serve the questions that concern all nodes.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue, RedisError, Value};
use socketio_adapter::guard::{Held, lock};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::connection::{LOOK_INTERVAL, LOOK_PAUSE, LOOK_TIMEOUT, STRAGGLERS, open_to_ask};
use crate::slots::{Range, SLOTS, ranges, slot_of};
use crate::stats::Counters;
use crate::targets::Target;

/// A Redis Cluster.
pub(crate) struct Cluster {
    /// Where it is looked for when nobody else answers.
    seeds: Vec<ConnectionInfo>,
    view: watch::Sender<Arc<View>>,
    /// All of its nodes.
    nodes: watch::Sender<Arc<[Target]>>,
    /// Connections for questions, by address.
    connections: Mutex<HashMap<Arc<str>, MultiplexedConnection>>,
    /// Something changed, or so it seems.
    outdated: Arc<Notify>,
    counters: Arc<Counters>,
}

/// Which node has which slots.
#[derive(Default)]
pub(crate) struct View {
    ranges: Vec<Range>,
    /// The masters of the ranges.
    masters: Vec<Target>,
    /// All nodes, each once.
    nodes: Vec<Target>,
    /// Each slot has a master.
    pub(crate) is_complete: bool,
}

impl View {
    fn new(ranges: Vec<Range>, like: &ConnectionInfo) -> Result<Self, RedisError> {
        let target = |(host, port): &(String, u16)| Target::at(host, *port, like);
        let masters: Result<Vec<Target>, RedisError> =
            ranges.iter().map(|range| target(&range.nodes[0])).collect();
        let covered: u32 = ranges.iter().map(|range| u32::from(range.last - range.first) + 1).sum();
        let mut view = Self {
            masters: masters?,
            ranges,
            nodes: Vec::new(),
            is_complete: covered == u32::from(SLOTS),
        };
        for node in view.ranges.iter().flat_map(|range| &range.nodes) {
            let node = target(node)?;
            if !view.nodes.contains(&node) {
                view.nodes.push(node);
            }
        }
        Ok(view)
    }

    /// The master that a channel belongs to.
    pub(crate) fn owner(&self, channel: &str) -> Option<&Target> {
        let slot = slot_of(channel);
        let at = self.ranges.partition_point(|range| range.last < slot);
        let range = self.ranges.get(at)?;
        (range.first <= slot).then(|| &self.masters[at])
    }

    /// Each master, as often as it has ranges.
    pub(crate) fn masters(&self) -> &[Target] {
        &self.masters
    }
}

impl Cluster {
    /// Checks the addresses, and connects to none.
    pub(crate) fn new(
        seeds: Vec<ConnectionInfo>,
        counters: Arc<Counters>,
    ) -> Result<Arc<Self>, RedisError> {
        let wrong = |why: &'static str| Err((ErrorKind::InvalidClientConfig, why).into());
        if seeds.is_empty() {
            return wrong("a cluster needs the address of one node at least");
        }
        for seed in &seeds {
            if matches!(seed.addr(), ConnectionAddr::Unix(_)) {
                return wrong("a cluster is not reached over a Unix socket");
            }
            if seed.redis_settings().db() != 0 {
                return wrong("a cluster has one database only, 0");
            }
            Target::new(seed.clone())?;
        }
        Ok(Arc::new(Self {
            seeds,
            view: watch::Sender::default(),
            nodes: watch::Sender::new(Arc::from([])),
            connections: Mutex::default(),
            outdated: Arc::default(),
            counters,
        }))
    }

    /// Who has which slots, as it changes.
    pub(crate) fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    /// All nodes, as they change.
    pub(crate) fn nodes(&self) -> watch::Receiver<Arc<[Target]>> {
        self.nodes.subscribe()
    }

    /// Wakes the task that asks.
    pub(crate) fn outdated(&self) -> Arc<Notify> {
        Arc::clone(&self.outdated)
    }

    /// The task: for ever.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut is_known = true;
        loop {
            let looked = self.look().await;
            // told when it begins, and as long as nobody can be connected to
            if let Err(error) = looked {
                if is_known || self.view.borrow().ranges.is_empty() {
                    self.counters.failed(error);
                }
                is_known = false;
            } else {
                is_known = true;
            }
            tokio::select! {
                () = sleep(LOOK_INTERVAL) => {}
                () = self.outdated.notified() => sleep(LOOK_PAUSE).await,
            }
        }
    }

    /// Asks who has what.
    async fn look(self: &Arc<Self>) -> Result<(), RedisError> {
        let known = self.nodes.borrow().to_vec();
        let mut looked = self.look_at(known).await;
        if looked.is_err() {
            let seeds: Result<Vec<Target>, RedisError> =
                self.seeds.iter().cloned().map(Target::new).collect();
            looked = self.look_at(seeds?).await;
        }
        let view = looked?;
        let nodes: HashSet<&str> = view.nodes.iter().map(|node| &*node.address).collect();
        self.keep_connections(|address| nodes.contains(address));
        self.nodes.send_if_modified(|there| {
            let is_new = there[..] != view.nodes;
            if is_new {
                *there = Arc::from(&view.nodes[..]);
            }
            is_new
        });
        self.view.send_if_modified(|there| {
            let is_new = there.ranges != view.ranges;
            if is_new {
                *there = Arc::new(view);
            }
            is_new
        });
        Ok(())
    }

    /// Believes the best of these nodes.
    async fn look_at(self: &Arc<Self>, nodes: Vec<Target>) -> Result<View, RedisError> {
        let mut silent: HashSet<Arc<str>> =
            nodes.iter().map(|node| Arc::clone(&node.address)).collect();
        let mut asked = JoinSet::new();
        for node in nodes {
            let this = Arc::clone(self);
            asked.spawn(async move {
                let mut command = redis::cmd("CLUSTER");
                let info = this.ask::<String>(&node, command.arg("INFO")).await;
                (node, info)
            });
        }
        let mut deadline = Instant::now() + LOOK_TIMEOUT;
        let mut best: Option<((bool, u64), Target)> = None;
        let mut failed: RedisError = (ErrorKind::Io, "no node of the cluster answered").into();
        while let Ok(Some(answered)) = timeout_at(deadline, asked.join_next()).await {
            // a task that panicked has not answered
            let Ok((node, answered)) = answered else { continue };
            match answered {
                Ok(None) => {}
                Ok(Some(info)) => {
                    silent.remove(&node.address);
                    let info = health(&info);
                    if best.as_ref().is_none_or(|(than, _)| info > *than) {
                        best = Some((info, node));
                    }
                    // a node that hangs is not waited for by those that go on
                    deadline = deadline.min(Instant::now() + STRAGGLERS);
                }
                Err(error) => failed = error,
            }
        }
        self.keep_connections(|address| !silent.contains(address));
        let Some((_, node)) = best else { return Err(failed) };
        let slots = self.ask::<Value>(&node, redis::cmd("CLUSTER").arg("SLOTS")).await?;
        let connection = node.client.get_connection_info();
        let host = match connection.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        };
        let ranges = ranges(slots.unwrap_or(Value::Nil), host);
        if ranges.is_empty() {
            return Err((ErrorKind::Io, "the cluster has no slots").into());
        }
        View::new(ranges, &self.seeds[0])
    }

    /// Asks a node something. `None`: its machine is there, and the node is not, so that nobody is
    /// connected to it.
    async fn ask<T: FromRedisValue>(
        &self,
        node: &Target,
        command: &redis::Cmd,
    ) -> Result<Option<T>, RedisError> {
        let known = self.connections().get(&node.address).cloned();
        if let Some(mut connection) = known {
            match command.query_async(&mut connection).await {
                Ok(answer) => return Ok(Some(answer)),
                // it ended since it was used, and may be there again
                Err(error) if error.is_io_error() && !error.is_timeout() => {}
                Err(error) => return Err(error),
            }
        }
        let mut connection = match open_to_ask(&node.client).await {
            Ok(connection) => connection,
            Err(error) if error.is_connection_refusal() => {
                let gone = self.connections().remove(&node.address);
                drop(gone);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let before = self.connections().insert(Arc::clone(&node.address), connection.clone());
        drop(before);
        command.query_async(&mut connection).await.map(Some)
    }

    /// Asks all nodes.
    pub(crate) async fn ask_all<T: FromRedisValue + Send + 'static>(
        self: Arc<Self>,
        command: redis::Cmd,
    ) -> Result<Vec<T>, RedisError> {
        let nodes = Arc::clone(&self.nodes.borrow());
        if nodes.is_empty() {
            return Err(unknown());
        }
        let command = Arc::new(command);
        let mut asked = JoinSet::new();
        for node in nodes.iter() {
            let (this, node, command) = (Arc::clone(&self), node.clone(), Arc::clone(&command));
            asked.spawn(async move { this.ask(&node, &command).await });
        }
        let mut answers = Vec::with_capacity(nodes.len());
        while let Some(answered) = asked.join_next().await {
            let answered = answered.unwrap_or_else(|_| Err(unknown()));
            answers.extend(answered?);
        }
        Ok(answers)
    }

    /// Asks the master that a channel belongs to.
    pub(crate) async fn ask_owner<T: FromRedisValue>(
        self: Arc<Self>,
        channel: String,
        command: redis::Cmd,
    ) -> Result<T, RedisError> {
        let owner = self.view.borrow().owner(&channel).cloned().ok_or_else(unknown)?;
        self.ask(&owner, &command).await?.ok_or_else(unknown)
    }

    /// Keeps the connections to these addresses. With the others their tasks end, not under the lock.
    fn keep_connections(&self, is_kept: impl Fn(&str) -> bool) {
        let gone: Vec<_> = {
            let connections = &mut *self.connections();
            let (kept, gone) =
                std::mem::take(connections).into_iter().partition(|(address, _)| is_kept(address));
            *connections = kept;
            let gone: HashMap<_, _> = gone;
            gone.into_iter().collect()
        };
        drop(gone);
    }

    fn connections(&self) -> Held<MutexGuard<'_, HashMap<Arc<str>, MultiplexedConnection>>> {
        lock(&self.connections)
    }
}

/// From the answer to `CLUSTER INFO`: whether the cluster works, as far as the node knows, and what
/// the latest election is that it has seen.
fn health(info: &str) -> (bool, u64) {
    let field = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value.trim())
    };
    let epoch = field("cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
    (field("cluster_state") == Some("ok"), epoch.unwrap_or_default())
}

fn unknown() -> RedisError {
    (ErrorKind::Io, "the node of the cluster is not known, or away").into()
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("nodes", &*self.nodes.borrow()).finish_non_exhaustive()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes.iter().map(|node| &node.address)).finish()
    }
}
