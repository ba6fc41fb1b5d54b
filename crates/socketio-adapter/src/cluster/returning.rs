//! A client on its way back to a session that any node of the cluster may have had.

#![expect(clippy::disallowed_types, reason = "it waits for the log on any thread")]

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::Outgoing;
use engineio_proto::guard::lock;
use tokio::time::timeout;

use super::formats::session::SessionRecord;
use super::log::{Cover, Entry, Log, Offset};
use super::message::{Change, Incoming, Received};
use super::node::{Core, now};
use super::recovery::marked;
use super::shared::{Attached, Before, Shared, State};
use crate::{
    AdapterError, BroadcastOptions, Claim, Claimed, EnterError, Member, NotRecovered, Prepared,
    Room, Session, SocketId,
};

type Found<T> = Result<Result<T, NotRecovered>, AdapterError>;

/// A session that was taken for a client, and what the client missed up to then. Dropped without having
/// been used, it is given back.
struct Taken {
    core: Arc<Core>,
    record: SessionRecord,
    before: Before,
    rooms: Vec<Room>,
    /// Up to which entry it has everything.
    from: Offset,
    missed: BTreeMap<(Offset, usize), Outgoing>,
    /// As it was; `None`: it is used.
    value: Mutex<Option<Vec<u8>>>,
}

impl Core {
    /// Looks for the session that a client names.
    pub(super) async fn claim(self: Arc<Self>, claim: Claim) -> Found<Claimed> {
        let (Some(shared), Some(log)) = (self.shared(), &self.carrier.log) else {
            return Ok(Err(NotRecovered::Unsupported));
        };
        if claim.pid.is_empty() || claim.pid.len() > MAX_PID {
            return Ok(Err(NotRecovered::UnknownSession));
        }
        if let Some((id, identity)) = lock(&shared.state).has(&claim.pid) {
            return Ok(match identity == claim.identity {
                true => Ok(Claimed::Attached(id.clone())),
                false => Err(NotRecovered::Identity),
            });
        }
        shared.keeper.settled(&claim.pid).await;
        let value = log.store().get(&claim.pid).await?;
        let found = match self.record_of(value.as_deref(), &claim) {
            Ok(record) => self.begin(&**log, &record, &claim).await?.map(|_| record),
            Err(why) => Err(why),
        };
        Ok(found.map(|record| Claimed::Away { id: record.sid, data: record.data.map(Arc::new) }))
    }

    /// Lets a socket in that has a session: one that begins, or one that was [taken](Self::take), whose
    /// client gets what it missed first.
    pub(super) fn enter_session(
        &self,
        shared: &Shared,
        (id, member): (&SocketId, &Arc<dyn Member>),
        rooms: &[Room],
        answer: &Outgoing,
        Session { claim, resumed, prepared }: Session<'_>,
    ) -> Result<usize, EnterError> {
        let taken = prepared.and_then(Prepared::get::<Taken>);
        if resumed && taken.is_none() {
            return Err(EnterError::NotRecovered(NotRecovered::UnknownSession));
        }
        // dropped behind the lock
        let missed;
        let changes = {
            let mut state = lock(&shared.state);
            if state.by_pid.contains_key(&claim.pid) {
                return Err(EnterError::DuplicateId);
            }
            let (max, before) = (shared.bounds.max_packets, taken.map(|taken| &taken.before));
            missed = taken.map_or(Ok(Vec::new()), |taken| taken.missed(&state, max))?;
            let rooms = [taken.map_or(&[][..], |taken| &taken.rooms), rooms];
            let is_in_own_room = before.is_none_or(|before| before.is_in_own_room);
            let changes = self.local.enter_marked(id, member, rooms, is_in_own_room, || {
                member.open_behind(&missed, answer)
            })?;
            let begin = match before {
                // it may not have got what it missed: without an offset it begins where it began
                Some(before) if claim.offset.is_none() => before.begin,
                _ => state.head(),
            };
            let attached = Attached {
                pid: claim.pid.clone(),
                identity: claim.identity.clone(),
                begin,
                data: before.and_then(|before| before.data.clone()),
                written: now(),
                is_taken: false,
            };
            state.by_pid.insert(claim.pid.clone(), id.clone());
            state.attached.insert(id.clone(), attached);
            changes
        };
        self.local.tell_of(changes);
        shared.keeper.changed(id);
        if let Some(taken) = taken {
            // it is this socket's now
            drop(lock(&taken.value).take());
        }
        Ok(missed.len())
    }

    fn record_of(
        &self,
        value: Option<&[u8]>,
        claim: &Claim,
    ) -> Result<SessionRecord, NotRecovered> {
        let record = value.and_then(|value| SessionRecord::read(value, self.max_rooms));
        let record = record.filter(|record| record.pid == claim.pid);
        let record = record.ok_or(NotRecovered::UnknownSession)?;
        // Node: a session is given back in any namespace
        if record.namespace.as_ref().is_some_and(|namespace| *namespace != self.namespace) {
            return Err(NotRecovered::UnknownSession);
        }
        if record.identity != claim.identity {
            return Err(NotRecovered::Identity);
        }
        Ok(record)
    }

    /// Up to which entry a client has everything, if the log has all that came later.
    async fn begin(&self, log: &dyn Log, record: &SessionRecord, claim: &Claim) -> Found<Offset> {
        let came_in = record.offset;
        let presented = match &claim.offset {
            None => None,
            Some(text) => match text.parse::<Offset>() {
                Ok(offset) => Some(offset),
                Err(_) => return Ok(Err(NotRecovered::Evicted)),
            },
        };
        // what it had before it came in is no part of this session
        let (offset, is_an_entry) = match (presented, came_in) {
            (Some(presented), Some(came_in)) if presented <= came_in => (came_in, false),
            (Some(presented), _) => (presented, true),
            (None, Some(came_in)) => (came_in, false),
            (None, None) => return Ok(Err(NotRecovered::Evicted)),
        };
        let Cover { is_there, is_complete } = log.cover(&self.namespace, offset).await?;
        let is_known = is_there || (is_complete && !is_an_entry);
        Ok(if is_known { Ok(offset) } else { Err(NotRecovered::Evicted) })
    }

    /// Takes a session, so that it is nobody else's, and collects what its client missed.
    pub(super) async fn take(self: Arc<Self>, claim: Claim) -> Found<Prepared> {
        let (Some(shared), Some(log)) = (self.shared(), self.carrier.log.clone()) else {
            return Ok(Err(NotRecovered::Unsupported));
        };
        let value = log.store().take(&claim.pid).await?;
        let record = match self.record_of(value.as_deref(), &claim) {
            Ok(record) => record,
            Err(why) => return Ok(Err(why)),
        };
        let is_own = |room: &Room| room.as_str() == record.sid.as_str();
        let before = Before {
            begin: record.offset.unwrap_or_default(),
            data: record.data.clone().map(Arc::new),
            is_in_own_room: record.rooms.iter().any(is_own),
        };
        let rooms = record.rooms.iter().filter(|room| !is_own(room)).cloned().collect();
        // from here on it is given back if it is not used
        lock(&shared.state).tail.begin();
        let core = Arc::clone(&self);
        let (missed, value) = (BTreeMap::new(), Mutex::new(value));
        let from = Offset::default();
        let mut taken = Taken { core, record, before, rooms, from, missed, value };
        if taken.record.is_live {
            self.send_away(shared, &taken.record.sid).await;
        }
        let begin = match self.begin(&*log, &taken.record, &claim).await? {
            Ok(begin) => begin,
            Err(why) => return Ok(Err(why)),
        };
        taken.from = begin;
        taken.before.begin = taken.record.offset.unwrap_or(begin);
        if !self.has_reached(shared, begin).await {
            return Ok(Err(NotRecovered::Busy));
        }
        match self.read_missed(shared, &*log, begin, &mut taken).await? {
            Ok(()) => Ok(Ok(Prepared::new(taken))),
            Err(why) => Ok(Err(why)),
        }
    }

    /// Ends the socket that has a session on another node, as far as anybody knows, before another
    /// takes its place.
    async fn send_away(&self, shared: &Shared, id: &SocketId) {
        let options = BroadcastOptions { rooms: vec![id.into()], ..BroadcastOptions::default() };
        let change = self.codec.change(&Change::Disconnect { close: true }, &options);
        let Some(message) = change else { return };
        let read = self.append_marked(shared, message);
        // what the log has by then all nodes see before the other socket
        let _ = timeout(SENT_AWAY, read).await;
    }

    /// Waits until this node has delivered what the client has got elsewhere.
    async fn has_reached(&self, shared: &Shared, offset: Offset) -> bool {
        let reached = async {
            loop {
                let mut advanced = pin!(shared.advanced.notified());
                advanced.as_mut().enable();
                if lock(&shared.state).head() >= offset {
                    return;
                }
                advanced.await;
            }
        };
        timeout(BEHIND, reached).await.is_ok()
    }

    async fn read_missed(
        &self,
        shared: &Shared,
        log: &dyn Log,
        begin: Offset,
        taken: &mut Taken,
    ) -> Found<()> {
        // what comes later is in the tail
        let head = lock(&shared.state).head();
        let (mut after, mut read, mut bytes) = (begin, 0, 0);
        while after < head {
            let entries = log.range(&self.namespace, after, PORTION).await?;
            let Some(last) = entries.last() else { break };
            after = last.offset;
            read += entries.len();
            if read > log.capacity() {
                return Ok(Err(NotRecovered::Evicted));
            }
            for entry in &entries {
                let Some(packet) = self.missed_by(entry, taken) else { continue };
                bytes += packet.size();
                taken.missed.insert((entry.offset, entry.part), packet);
                if taken.missed.len() > shared.bounds.max_packets || bytes > shared.bounds.max_bytes
                {
                    return Ok(Err(NotRecovered::Evicted));
                }
            }
        }
        Ok(Ok(()))
    }

    /// The event of an entry, if it was meant for a session. What is none is none again.
    fn missed_by(&self, entry: &Entry, taken: &Taken) -> Option<Outgoing> {
        if entry.namespace != self.namespace {
            return None;
        }
        let Ok(Received { incoming: Some(Incoming::Broadcast { event, options }), .. }) =
            self.read_entry(entry, true)
        else {
            return None;
        };
        if options.volatile || !taken.is_meant(&options) {
            return None;
        }
        let packet = self.node()?.packet(&event.name, event.args, &options)?;
        Some(marked(&packet, entry.offset))
    }
}

impl Taken {
    fn is_meant(&self, options: &BroadcastOptions) -> bool {
        let is_in = |room: &Room| {
            self.rooms.contains(room)
                || (self.before.is_in_own_room && room.as_str() == self.record.sid.as_str())
        };
        let is_left_out =
            options.sender.as_ref() == Some(&self.record.sid) || options.except.iter().any(is_in);
        !is_left_out && (options.rooms.is_empty() || options.rooms.iter().any(is_in))
    }

    /// What its client missed, up to where this node has delivered now.
    fn missed(&self, state: &State, max: usize) -> Result<Vec<Outgoing>, EnterError> {
        let evicted = EnterError::NotRecovered(NotRecovered::Evicted);
        let is_delivered = |(offset, part): &(Offset, usize)| *offset <= state.reached(*part);
        let read = self.missed.iter().filter(|(at, _)| is_delivered(at));
        let mut missed: BTreeMap<_, _> = read.map(|(at, packet)| (*at, packet.clone())).collect();
        for passed in state.tail.events().ok_or(evicted)? {
            if passed.at.0 > self.from && self.is_meant(&passed.options) {
                missed.entry(passed.at).or_insert_with(|| passed.packet.clone());
            }
        }
        if missed.len() > max {
            return Err(evicted);
        }
        Ok(missed.into_values().collect())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(shared) = self.core.shared() else { return };
        let tail = lock(&shared.state).tail.end();
        drop(tail);
        if let Some(value) = lock(&self.value).take() {
            // whoever else comes may have it
            let pid = std::mem::take(&mut self.record.pid);
            shared.keeper.ended(&self.record.sid, pid, Some(Bytes::from(value)));
        }
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("missed", &self.missed.len()).finish_non_exhaustive()
    }
}

/// Private ids that servers make have twenty characters.
const MAX_PID: usize = 64;

/// Entries that are read at once.
const PORTION: usize = 200;

/// How long the other nodes are given to end a socket.
const SENT_AWAY: Duration = Duration::from_millis(200);

/// How far this node may be behind the one that the client comes from.
const BEHIND: Duration = Duration::from_secs(1);
