//! What a namespace keeps for connection state recovery over a log that nodes share: up to where it has
//! delivered, what of this node waits for the log, and who is there.
//!
//! One lock has all of it: so a client that enters gets what it missed up to where live delivery begins,
//! and nothing twice. Lock order: this one, then the rooms of the namespace.

#![expect(clippy::disallowed_types, reason = "what is delivered and who enters share it")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engineio_proto::Outgoing;
use engineio_proto::guard::lock;
use socketio_parser::Value;
use tokio::sync::{Notify, oneshot};

use super::keeper::Keeper;
use super::log::Offset;
use super::own::Own;
use super::tail::Tail;
use crate::{BroadcastOptions, SharedRecovery, SocketId};

/// What a namespace of a node has for it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) bounds: SharedRecovery,
    pub(crate) keeper: Arc<Keeper>,
    pub(super) state: Mutex<State>,
    /// Something of this node waits for the log.
    pub(super) waiting: Arc<Notify>,
    /// Entries were delivered.
    pub(super) advanced: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    /// Up to where entries were delivered, by part of the log.
    pub(super) reached: HashMap<usize, Offset>,
    pub(super) own: Own<Waiting>,
    pub(super) tail: Tail,
    pub(super) attached: HashMap<SocketId, Attached>,
    pub(super) by_pid: HashMap<String, SocketId>,
}

/// What of this node waits for the log.
#[derive(Debug)]
pub(super) enum Waiting {
    Event(Outgoing, BroadcastOptions),
    /// Somebody wants to know when it was read.
    Mark(oneshot::Sender<()>),
}

/// The session of a socket that is there.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) pid: String,
    pub(super) identity: String,
    /// The head of the log when the client came in.
    pub(super) begin: Offset,
    pub(super) data: Option<Arc<Value>>,
    pub(super) written: Instant,
    /// Another node has it now.
    pub(super) is_taken: bool,
}

impl State {
    fn new(patience: Duration) -> Self {
        Self {
            reached: HashMap::new(),
            own: Own::new(patience),
            tail: Tail::default(),
            attached: HashMap::new(),
            by_pid: HashMap::new(),
        }
    }

    /// The newest entry that was delivered.
    pub(super) fn head(&self) -> Offset {
        self.reached.values().max().copied().unwrap_or_default()
    }

    pub(super) fn reached(&self, part: usize) -> Offset {
        self.reached.get(&part).copied().unwrap_or_default()
    }

    /// The socket that has a session.
    pub(super) fn has(&self, pid: &str) -> Option<(&SocketId, &str)> {
        let id = self.by_pid.get(pid)?;
        Some((id, &self.attached.get(id)?.identity))
    }

    pub(super) fn detach(&mut self, id: &SocketId) -> Option<Attached> {
        let attached = self.attached.remove(id)?;
        self.by_pid.remove(&attached.pid);
        Some(attached)
    }
}

/// What a session that goes on was.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) begin: Offset,
    pub(super) data: Option<Arc<Value>>,
    pub(super) is_in_own_room: bool,
}

impl Shared {
    pub(crate) fn new(bounds: SharedRecovery, keeper: Arc<Keeper>, patience: Duration) -> Self {
        Self {
            bounds,
            keeper,
            state: Mutex::new(State::new(patience)),
            waiting: Arc::default(),
            advanced: Notify::new(),
        }
    }

    /// A socket has changed, and its session with it, if it has one.
    pub(crate) fn changed(&self, id: &SocketId) {
        let has_session = lock(&self.state).attached.contains_key(id);
        if has_session {
            self.keeper.changed(id);
        }
    }

    pub(crate) fn data_changed(&self, id: &SocketId, data: Option<Arc<Value>>) {
        let before = {
            let mut state = lock(&self.state);
            let attached = state.attached.get_mut(id);
            attached.map(|attached| std::mem::replace(&mut attached.data, data))
        };
        if before.is_some() {
            self.keeper.changed(id);
        }
    }

    /// Another node sends a socket of this one away: it may have its session. It is neither written nor
    /// removed any more.
    pub(crate) fn taken(&self, id: &SocketId) {
        if let Some(attached) = lock(&self.state).attached.get_mut(id) {
            attached.is_taken = true;
        }
    }
}
