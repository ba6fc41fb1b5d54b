//! The sessions of a namespace, from the moment their clients come in until nobody can come back to
//! them: found by their private ids.
//!
//! ```text
//!             enter                    save                     too old, too many
//!   (nothing) ─────▶ attached ─────────────────────▶ away ────────────────────────▶ (nothing)
//!                     ▲    │ the client, or the       │
//!                     │    │ application, ended it    │
//!                     │    └──────▶ (nothing)         │
//!                     └───────────────────────────────┘ resume
//! ```
//!
//! A session that is away is still in its rooms, here: so it is known for each packet whether it was
//! meant for it, whatever becomes of the packet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_parser::Value;

use crate::error::NotRecovered;
use crate::member::Reached;
use crate::recovery::log::{Log, Removed};
use crate::recovery::trail::{Texts, Trail};
use crate::rooms::Rooms;
use crate::slab::Slab;
use crate::{BroadcastOptions, Room, SocketId};

/// The sessions of a namespace.
pub(crate) struct Sessions {
    slots: Slab<Session>,
    by_pid: HashMap<Arc<str>, u32>,
    /// Those that are away, in the order in which they went.
    away: BTreeMap<u64, u32>,
    went: u64,
    /// Their rooms; the tag of each is its slot.
    rooms: Rooms<Reached>,
    max_away: usize,
    max_disconnection: Duration,
    max_silence: Duration,
}

struct Session {
    pid: Arc<str>,
    id: SocketId,
    identity: Box<str>,
    /// The client has all up to this position: what came before it did, afresh, and what it has taken
    /// since.
    complete: u64,
    trail: Trail,
    texts: Option<Box<Texts>>,
    away: Option<Away>,
}

struct Away {
    since: Instant,
    order: u64,
    data: Option<Arc<Value>>,
}

/// What is let go of: data, which is dropped where it may be.
pub(crate) type Gone = Vec<Option<Arc<Value>>>;

/// By what a client says how far it got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) text: &'a str,
    /// The hash of what a packet has that ends with it.
    pub(crate) hash: u64,
}

/// A session to which a client may come back.
#[derive(Debug)]
pub(crate) enum Known {
    /// It is a socket's.
    Attached(SocketId),
    /// It is nobody's.
    Away(SocketId, Option<Arc<Value>>),
}

impl Sessions {
    pub(crate) fn new(
        max_rooms: usize,
        max_away: usize,
        [max_disconnection, max_silence]: [Duration; 2],
    ) -> Self {
        Self {
            slots: Slab::new(),
            by_pid: HashMap::new(),
            away: BTreeMap::new(),
            went: 0,
            rooms: Rooms::new(max_rooms),
            max_away,
            max_disconnection,
            max_silence,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_pid.is_empty()
    }

    /// How many are away.
    pub(crate) fn away_count(&self) -> usize {
        self.away.len()
    }

    /// Begins the session of a client that came in afresh.
    pub(crate) fn begin(
        &mut self,
        pid: Arc<str>,
        id: SocketId,
        identity: Box<str>,
        complete: u64,
        presented: Option<u64>,
        now: Instant,
    ) -> u32 {
        // what it took for its offset before stands for where it came in
        let texts = presented.map(|hash| Box::new(Texts::of(hash, complete, now)));
        let trail = Trail::default();
        let session =
            Session { pid: Arc::clone(&pid), id, identity, complete, trail, texts, away: None };
        let slot = self.slots.insert(session);
        self.by_pid.insert(pid, slot);
        slot
    }

    pub(crate) fn has(&self, pid: &str) -> bool {
        self.by_pid.contains_key(pid)
    }

    /// Notes a packet that is meant for an attached session, or that was in its queue.
    pub(crate) fn sent(&mut self, slot: u32, position: u64, start: u64) {
        self.slots[slot].trail.push(position, start);
    }

    /// Notes a text at the end of a packet that was queued and is not in the log.
    pub(crate) fn sent_text(&mut self, slot: u32, text: u64, now: Instant) {
        let received = now.checked_sub(self.max_silence).unwrap_or(now);
        let session = &mut self.slots[slot];
        let position = session.trail.last().max(session.complete);
        session.texts.get_or_insert_default().push(text, position, now, received);
    }

    /// Notes a packet for those that are away; how many these are.
    pub(crate) fn missed(&mut self, to: &BroadcastOptions, position: u64, start: u64) -> u32 {
        if self.away.is_empty() {
            return 0;
        }
        let (slots, mut count) = (&mut self.slots, 0);
        self.rooms.for_each_target(&to.rooms, &to.except, to.sender.as_ref(), |slot| {
            slots[slot.tag()].trail.push(position, start);
            count += 1;
        });
        count
    }

    /// The client of a session has taken what was meant for it up to a position.
    pub(crate) fn taken<P>(
        &mut self,
        slot: u32,
        position: u64,
        log: &mut Log<P>,
        removed: &mut Removed<P>,
    ) {
        let session = &mut self.slots[slot];
        session.complete = session.complete.max(position);
        session.trail.take(position, |position| log.release(position, removed));
    }

    /// The client of an attached session went, and may come back.
    pub(crate) fn leave(
        &mut self,
        slot: u32,
        rooms: &[Room],
        data: Option<Arc<Value>>,
        now: Instant,
    ) {
        self.went += 1;
        let session = &mut self.slots[slot];
        session.away = Some(Away { since: now, order: self.went, data });
        self.away.insert(self.went, slot);
        let id = session.id.clone();
        // no other has its id, and it was in as many rooms
        let added = self.rooms.add(&id, None);
        debug_assert!(added.is_ok(), "one session for each id");
        self.rooms.set_tag(&id, slot);
        if !rooms.iter().any(|room| room.as_str() == id.as_str()) {
            self.rooms.leave(&id, &Room::from(&id));
        }
        let joined = self.rooms.join(&id, rooms);
        debug_assert!(joined.is_ok(), "as many rooms as before");
    }

    /// Ends the session of a client that does not come back.
    pub(crate) fn end<P>(
        &mut self,
        slot: u32,
        log: &mut Log<P>,
        (gone, removed): (&mut Gone, &mut Removed<P>),
    ) {
        let Session { pid, id, away, mut trail, .. } = self.slots.remove(slot);
        trail.take(u64::MAX - 1, |position| log.release(position, removed));
        self.by_pid.remove(&pid);
        if self.by_pid.is_empty() {
            self.by_pid = HashMap::new();
        }
        if let Some(away) = away {
            self.away.remove(&away.order);
            self.rooms.remove(&id);
            gone.push(away.data);
        }
    }

    /// Ends those that have been away for too long, and the oldest of too many; how many of these.
    pub(crate) fn expire<P>(
        &mut self,
        now: Instant,
        log: &mut Log<P>,
        (gone, removed): (&mut Gone, &mut Removed<P>),
    ) -> u64 {
        let mut too_many = 0;
        while let Some((_, &slot)) = self.away.first_key_value() {
            let is_full = self.away.len() > self.max_away;
            if !is_full && !self.is_late(slot, now) {
                break;
            }
            too_many += u64::from(is_full);
            self.end(slot, log, (&mut *gone, &mut *removed));
        }
        too_many
    }

    fn is_late(&self, slot: u32, now: Instant) -> bool {
        let away = self.slots[slot].away.as_ref();
        away.is_some_and(|away| now.saturating_duration_since(away.since) > self.max_disconnection)
    }

    /// Whether a client may come back to a session, and who has it.
    pub(crate) fn find<P>(
        &self,
        (pid, identity): (&str, &str),
        presented: Option<Presented<'_>>,
        log: &Log<P>,
        now: Instant,
    ) -> Result<Known, NotRecovered> {
        let slot = *self.by_pid.get(pid).ok_or(NotRecovered::UnknownSession)?;
        let session = &self.slots[slot];
        if *session.identity != *identity {
            return Err(NotRecovered::Identity);
        }
        let Some(away) = &session.away else { return Ok(Known::Attached(session.id.clone())) };
        if self.is_late(slot, now) {
            return Err(NotRecovered::Expired);
        }
        session.position(presented, log).ok_or(NotRecovered::Evicted)?;
        Ok(Known::Away(session.id.clone(), away.data.clone()))
    }

    /// The slot of a session that is away, what its client missed, and its rooms.
    pub(crate) fn missed_by<P: Clone>(
        &self,
        pid: &str,
        presented: Option<Presented<'_>>,
        log: &Log<P>,
    ) -> Option<(u32, Vec<P>, Vec<Room>)> {
        let slot = *self.by_pid.get(pid)?;
        let session = &self.slots[slot];
        let position = session.position(presented, log)?;
        let missed = session.trail.after(position, log.start())?;
        let packets = missed.filter_map(|position| log.get(position).cloned()).collect();
        Some((slot, packets, self.rooms.rooms_of(&session.id)))
    }

    /// The client of a session that is away is back.
    pub(crate) fn resume<P>(
        &mut self,
        pid: &str,
        presented: Option<Presented<'_>>,
        (log, now): (&mut Log<P>, Instant),
        (gone, removed): (&mut Gone, &mut Removed<P>),
    ) {
        let Some(&slot) = self.by_pid.get(pid) else { return };
        let session = &mut self.slots[slot];
        let Some(away) = session.away.take() else { return };
        // what was lost on its way it cannot have taken for its offset
        let position = session.position(presented, log);
        let known = presented.zip(position);
        session.texts =
            known.map(|(presented, position)| Box::new(Texts::of(presented.hash, position, now)));
        self.rooms.remove(&session.id);
        self.away.remove(&away.order);
        gone.push(away.data);
        if let Some(position) = position {
            self.taken(slot, position, log, removed);
        }
    }
}

impl Session {
    /// The position up to which the client has everything, of which nothing that came after is lost.
    fn position<P>(&self, presented: Option<Presented<'_>>, log: &Log<P>) -> Option<u64> {
        let start = log.start();
        let is_complete = |position: &u64| self.trail.after(*position, start).is_some();
        let Some(Presented { text, hash }) = presented else {
            return Some(self.complete).filter(is_complete);
        };
        let of_text = || self.texts.as_ref().and_then(|texts| texts.position(hash));
        // what the client had before it came in is no part of this session, and what it has taken it
        // has: it may know of that only later than of the break
        let position = log.position(text).or_else(of_text)?.max(self.complete);
        Some(position).filter(is_complete)
    }
}
