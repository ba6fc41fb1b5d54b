//! Connection state recovery on any node of a cluster that shares a log: what is delivered with which
//! offset, and what becomes of the session of who leaves.
//!
//! ```text
//!   emit ─▶ own ─▶ the log ─▶ read, on all nodes ─▶ delivered with its offset ─▶ clients
//!            └─ not back in time ─────────────────▶ delivered without one
//! ```

#![expect(clippy::disallowed_methods, reason = "it waits for the log")]

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::Outgoing;
use engineio_proto::guard::lock;
use socketio_parser::Value;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, sleep_until};

use super::formats::session::SessionRecord;
use super::keeper::{Keeper, Sessions};
use super::log::{Entry, Offset};
use super::message::{Incoming, Message, Received};
use super::node::{Core, now};
use super::own::Back;
use super::shared::{Attached, Shared, Waiting};
use super::tail::Passed;
use crate::{Adapter, BroadcastOptions, Room, SharedRecovery, SocketId};

/// An event as it goes to clients that may come back, and to the others.
pub(super) struct Marked {
    with_offset: Outgoing,
    without: Outgoing,
}

impl Marked {
    fn new(packet: Outgoing, offset: Offset) -> Self {
        Self { with_offset: marked(&packet, offset), without: packet }
    }
}

/// The event with its offset as the last argument.
pub(super) fn marked(packet: &Outgoing, offset: Offset) -> Outgoing {
    // in place of the bracket at its end
    packet.with_end(1, &format!(",\"{offset}\"]"))
}

impl Core {
    /// Lets clients come back, if the nodes share a log.
    pub(super) fn recover(&self, bounds: SharedRecovery) {
        let Some(log) = &self.carrier.log else { return };
        let lifetime = bounds.max_disconnection_duration;
        let keeper = Keeper::new(Arc::clone(log), lifetime, Arc::clone(&self.counters.unsaved));
        let shared = Shared::new(bounds, Arc::clone(&keeper), self.patience);
        let waiting = Arc::clone(&shared.waiting);
        if self.shared.set(shared).is_ok() {
            // ends by itself when all is written
            self.runtime.spawn(keeper.run(self.this.clone()));
            let task = self.runtime.spawn(give_up(self.this.clone(), waiting));
            *lock(&self.shared_task) = Some(task.abort_handle());
        }
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        self.shared.get()
    }

    /// An entry of the log, on a node whose clients may come back.
    pub(super) fn on_entry(&self, shared: &Shared, entry: &Entry) {
        let at = (entry.part, entry.offset);
        if entry.uid.as_deref() == Some(self.codec.uid().as_bytes()) {
            return self.on_own(shared, entry, at);
        }
        match self.read_entry(entry, false) {
            Ok(Received { incoming: Some(Incoming::Broadcast { event, options }), .. })
                if !options.volatile =>
            {
                self.count_received();
                let packet =
                    self.node().and_then(|node| node.packet(&event.name, event.args, &options));
                match packet {
                    Some(packet) => self.deliver_marked(shared, at, packet, &options),
                    None => self.passed(shared, at),
                }
            }
            read => {
                self.passed(shared, at);
                self.on_read(read);
            }
        }
    }

    fn on_own(&self, shared: &Shared, entry: &Entry, at: (usize, Offset)) {
        let back = lock(&shared.state).own.back(entry.data.as_deref().unwrap_or_default());
        match back {
            Back::InTime(Waiting::Event(packet, options)) => {
                self.deliver_marked(shared, at, packet, &options);
            }
            Back::InTime(Waiting::Mark(mark)) => {
                self.passed(shared, at);
                // fails if nobody waits any more
                let _ = mark.send(());
            }
            Back::Late | Back::Unknown => self.passed(shared, at),
        }
    }

    /// An entry is dealt with that brings nothing to clients.
    fn passed(&self, shared: &Shared, (part, offset): (usize, Offset)) {
        lock(&shared.state).reached.insert(part, offset);
        shared.advanced.notify_waiters();
    }

    fn deliver_marked(
        &self,
        shared: &Shared,
        (part, offset): (usize, Offset),
        packet: Outgoing,
        options: &BroadcastOptions,
    ) {
        let packet = Marked::new(packet, offset);
        let deliver = || {
            let mut state = lock(&shared.state);
            state.reached.insert(part, offset);
            self.local.broadcast_marked(&packet.with_offset, &packet.without, options);
            state.tail.push(|| Passed {
                at: (offset, part),
                packet: packet.with_offset.clone(),
                options: options.clone(),
            });
        };
        self.fan_out(deliver);
        shared.advanced.notify_waiters();
    }

    /// A part of the log is read from here on.
    pub(super) fn on_begin(&self, shared: &Shared, part: usize, offset: Offset) {
        let ids: Vec<SocketId> = {
            let mut state = lock(&shared.state);
            let before = state.reached.insert(part, offset);
            // the log has begun anew, and what is kept beside it may be gone, too
            if before.is_some() { state.attached.keys().cloned().collect() } else { Vec::new() }
        };
        ids.iter().for_each(|id| shared.keeper.changed(id));
        shared.advanced.notify_waiters();
    }

    fn fan_out(&self, f: impl FnOnce()) {
        let mut f = Some(f);
        let mut once = || {
            if let Some(f) = f.take() {
                f();
            }
        };
        match self.node() {
            Some(node) => node.fan_out(&mut once),
            None => once(),
        }
    }

    // ---- what this node emits -----------------------------------------------------------------

    /// Appends an event, which goes to the clients of this node when it is read.
    pub(super) fn append(
        &self,
        shared: &Shared,
        message: Message,
        packet: Outgoing,
        options: &BroadcastOptions,
    ) {
        let Message::Appended { data, .. } = &message else {
            unreachable!("only formats with a log are recovered")
        };
        let log = self.carrier.log.as_ref();
        let is_connected = log.is_some_and(|log| log.is_connected());
        let (number, was_waiting) = {
            let own = &mut lock(&shared.state).own;
            let was_waiting = own.is_waiting();
            let what = Waiting::Event(packet, options.clone());
            (own.push(data.clone(), what, now()), was_waiting)
        };
        let is_taken = self.carrier.send(message).is_ok();
        if !is_taken {
            let back = lock(&shared.state).own.take_back(number);
            self.deliver_unmarked(back);
        } else if !is_connected {
            let given_up = lock(&shared.state).own.give_up_all();
            self.deliver_unmarked(given_up);
        } else if !was_waiting {
            shared.waiting.notify_one();
        }
    }

    /// What did not come back, in order.
    fn deliver_unmarked(&self, given_up: impl IntoIterator<Item = Waiting>) {
        for what in given_up {
            // of a mark the receiver is told by its end
            if let Waiting::Event(packet, options) = what {
                self.fan_out(|| {
                    // counted where it is queued or dropped
                    let _ = self.local.broadcast(&packet, &options);
                });
            }
        }
    }

    /// Appends a message, and says when it was read.
    pub(super) fn append_marked(&self, shared: &Shared, message: Message) -> oneshot::Receiver<()> {
        let (mark, read) = oneshot::channel();
        if let Message::Appended { data, .. } = &message {
            let own = &mut lock(&shared.state).own;
            own.push(data.clone(), Waiting::Mark(mark), now());
        }
        if self.carrier.send(message).is_ok() {
            shared.waiting.notify_one();
        }
        read
    }

    // ---- who is there -------------------------------------------------------------------------

    /// Takes a socket out; its session stays, with the `data`.
    pub(super) fn save(&self, shared: &Shared, id: &SocketId, data: Option<Arc<Value>>) {
        let rooms = self.local.socket_rooms(id);
        let attached = lock(&shared.state).detach(id);
        self.local.leave_all(id);
        if let Some(attached) = attached.filter(|attached| !attached.is_taken) {
            let attached = Attached { data, ..attached };
            let value = self.record(id, &attached, rooms, false);
            shared.keeper.ended(id, attached.pid, Some(value));
        }
    }

    /// A socket is out, and its client does not come back.
    pub(super) fn forget(&self, shared: &Shared, id: &SocketId) {
        let attached = lock(&shared.state).detach(id);
        if let Some(attached) = attached.filter(|attached| !attached.is_taken) {
            shared.keeper.ended(id, attached.pid, None);
        }
    }

    fn record(&self, id: &SocketId, of: &Attached, rooms: Vec<Room>, is_live: bool) -> Bytes {
        let record = SessionRecord {
            sid: id.clone(),
            pid: of.pid.clone(),
            rooms,
            data: of.data.as_deref().cloned(),
            namespace: Some(self.namespace.clone()),
            offset: Some(of.begin),
            identity: of.identity.clone(),
            is_live,
        };
        record.write().into()
    }
}

impl Sessions for Core {
    fn value(&self, id: &SocketId) -> Option<(String, Bytes)> {
        let shared = self.shared()?;
        let rooms = self.local.socket_rooms(id);
        let attached = {
            let mut state = lock(&shared.state);
            let attached = state.attached.get_mut(id).filter(|attached| !attached.is_taken)?;
            attached.written = now();
            let Attached { pid, identity, begin, data, written, .. } = &*attached;
            Attached {
                pid: pid.clone(),
                identity: identity.clone(),
                begin: *begin,
                data: data.clone(),
                written: *written,
                is_taken: false,
            }
        };
        let value = self.record(id, &attached, rooms, true);
        Some((attached.pid, value))
    }

    fn older_than(&self, age: Duration) -> Vec<SocketId> {
        let Some(shared) = self.shared() else { return Vec::new() };
        let now = now();
        let state = lock(&shared.state);
        let is_old = |attached: &Attached| now.saturating_duration_since(attached.written) >= age;
        let old = state.attached.iter().filter(|(_, attached)| is_old(attached));
        old.map(|(id, _)| id.clone()).collect()
    }

    fn lost(&self, ids: Vec<SocketId>) {
        let (Some(shared), Some(node)) = (self.shared(), self.node()) else { return };
        ids.iter().for_each(|id| shared.taken(id));
        node.disconnect(&ids, true);
    }
}

/// Delivers without an offset what does not come back in time. Ends with the node.
pub(super) async fn give_up(this: Weak<Core>, waiting: Arc<Notify>) {
    loop {
        let deadline = {
            let Some(core) = this.upgrade() else { return };
            let Some(shared) = core.shared() else { return };
            lock(&shared.state).own.deadline()
        };
        match deadline {
            Some(deadline) => {
                sleep_until(deadline.into()).await;
                // what came while this process stood still is to be read first
                if now() > deadline + LATE {
                    sleep(LATE).await;
                }
            }
            None => waiting.notified().await,
        }
        let Some(core) = this.upgrade() else { return };
        let Some(shared) = core.shared() else { return };
        let late = lock(&shared.state).own.overdue(now());
        core.deliver_unmarked(late);
    }
}

/// A deadline that is found so late was not awaited.
const LATE: Duration = Duration::from_millis(20);
