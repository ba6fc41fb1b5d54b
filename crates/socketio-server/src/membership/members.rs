//! The table of nodes as all parts of the server share it, and the engine's look-ups in it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex};

use engineio::{Directory, NodeTag, Owner};
use engineio_proto::guard::lock;
use engineio_proto::log;
use socketio_adapter::{NodeRow, NodeState, NodeTable, NodesDue};
use tokio::time::Instant;

use crate::error::NodesError;

/// A node, as one of them knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeInfo {
    /// Its name, or its tag if it has none.
    pub name: String,
    /// The first four characters of its sessions' ids.
    pub tag: NodeTag,
    /// Where its listener for nodes is.
    pub address: Option<String>,
    /// How it is, as far as is known.
    pub state: NodeState,
    /// Whether it takes no new sessions, as it is drained.
    pub draining: bool,
    /// Whether it is this one.
    pub is_self: bool,
}

/// The nodes of a cluster.
pub(crate) struct Members {
    tag: NodeTag,
    state: Mutex<State>,
}

struct State {
    table: NodeTable,
    /// Those of the table that can be reached, for look-ups.
    owners: HashMap<NodeTag, Arc<Owner>>,
}

impl Members {
    pub(crate) fn new(own: NodeRow, others: impl Iterator<Item = NodeRow>) -> Self {
        let now = now();
        let tag = own.tag;
        let mut table = NodeTable::new(now, own);
        for row in others {
            table.insert(now, row);
        }
        let members = Self { tag, state: Mutex::new(State { table, owners: HashMap::new() }) };
        members.change(|_, _| true);
        members
    }

    /// Changes the table. The result is whether that changed something for look-ups.
    fn change(&self, f: impl FnOnce(&mut NodeTable, std::time::Instant) -> bool) -> bool {
        let now = now();
        let mut state = lock(&self.state);
        let changed = f(&mut state.table, now);
        if changed {
            let owners = state.table.others(now).filter_map(|(row, _)| {
                let address = row.address.as_deref()?;
                Some((row.tag, Arc::new(Owner::new(row.name.as_str(), address))))
            });
            state.owners = owners.collect();
        }
        changed
    }

    pub(crate) fn on_message(&self, text: &[u8]) {
        // any number will do that other nodes do not have as well
        let random = RandomState::new().build_hasher().finish();
        let jitter = random as f64 / u64::MAX as f64;
        self.change(|table, now| {
            table.on_message(now, text, jitter).unwrap_or_else(|error| {
                log!(debug: %error, "a message on the channel of the nodes");
                false
            })
        });
    }

    pub(crate) fn deadline(&self) -> Instant {
        lock(&self.state).table.deadline().into()
    }

    pub(crate) fn on_deadline(&self, draining: bool) -> Option<String> {
        let mut publish = None;
        self.change(|table, now| {
            table.set_draining(now, draining);
            let due: NodesDue = table.on_deadline(now);
            publish = due.publish;
            due.changed
        });
        publish
    }

    /// A node was asked, and said this of itself.
    pub(crate) fn insert(&self, row: NodeRow) {
        self.change(|table, now| {
            // with which there is a way to the others, whoever it is
            table.hear_self(now);
            table.insert(now, row)
        });
    }

    pub(crate) fn remove(&self, tag: NodeTag) {
        self.change(|table, _| table.remove(tag));
    }

    pub(crate) fn set_address(&self, address: String) {
        self.change(|table, now| {
            table.set_address(now, address);
            false
        });
    }

    pub(crate) fn bye(&self) -> String {
        lock(&self.state).table.bye()
    }

    /// Why this node may not be there: another one has its tag.
    pub(crate) fn clash(&self) -> Option<NodesError> {
        let state = lock(&self.state);
        let (own, other) = (state.table.own(), state.table.clash()?);
        Some(NodesError::Duplicate { name: own.name.clone(), other: other.name.clone() })
    }

    pub(crate) fn list(&self) -> Vec<NodeInfo> {
        let now = now();
        let state = lock(&self.state);
        let info = |row: &NodeRow, node_state, is_self| NodeInfo {
            name: row.name.clone(),
            tag: row.tag,
            address: row.address.clone(),
            state: node_state,
            draining: row.draining,
            is_self,
        };
        let mut others: Vec<_> =
            state.table.others(now).map(|(row, how)| info(row, how, false)).collect();
        let own = info(state.table.own(), NodeState::Here, true);
        drop(state);
        others.sort_by(|a, b| a.name.cmp(&b.name));
        others.insert(0, own);
        others
    }
}

impl Directory for Members {
    fn tag(&self) -> NodeTag {
        self.tag
    }

    fn owner(&self, tag: NodeTag) -> Option<Arc<Owner>> {
        lock(&self.state).owners.get(&tag).cloned()
    }

    fn about(&self) -> String {
        lock(&self.state).table.own().to_text()
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("tag", &self.tag).finish_non_exhaustive()
    }
}

fn now() -> std::time::Instant {
    // before there is a runtime, too
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Instant::now().into_std(),
        Err(_) => std::time::Instant::now(),
    }
}
