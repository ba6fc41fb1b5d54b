//! The in-memory adapter: the sockets of one process.
//!
//! All of a namespace is behind one lock. So joins, leaves and broadcasts have one order, which
//! every member sees: two broadcasts reach all receivers in the same sequence, and a socket gets a
//! broadcast exactly if it joined before it. The lock is held for a walk over an array that pushes
//! one pointer per receiver ([`Member::deliver`], [`Member::open`]); no code of the user runs and no system call is
//! made under it. Members are dropped after it was released.

#![expect(clippy::disallowed_types, reason = "who emits and who joins share the rooms")]

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Instant;

use engineio_proto::Outgoing;
use engineio_proto::guard::{Held, lock};

use socketio_parser::{Value, quote};

use crate::adapter::{
    Adapter, AdapterFactory, Claim, Claimed, Delivered, Place, Recovery, Session, Target, Track,
};
use crate::member::{Delivery, Member, Reached, deliver};
use crate::options::BroadcastOptions;
use crate::recovery::log::Removed;
use crate::recovery::sessions::{Known, Presented};
use crate::recovery::{Leftovers, RecoveryOptions, State};
use crate::rooms::{Change, NO_TAG, Rooms, Slot, sort_by_sequence};
use crate::{AdapterFuture, Completion, EnterError, JoinError, Node, NotRecovered, Room, SocketId};

/// The adapter of a server that is a single process.
pub struct LocalAdapter {
    table: Mutex<Table>,
    /// Who is told of changes in the rooms, if somebody wants to know.
    observed_by: OnceLock<Weak<dyn Node>>,
    recovery: Option<Box<Recovering>>,
}

struct Table {
    rooms: Rooms<Reached>,
    /// The tag of a socket is the slot of its session.
    recovery: Option<Box<State>>,
}

/// What recovery needs outside of the lock.
struct Recovering {
    options: RecoveryOptions,
    /// Of the texts that clients take for offsets.
    hasher: RandomState,
}

impl LocalAdapter {
    /// An adapter without sockets. A socket may join `max_rooms_per_socket` rooms besides its own.
    #[must_use]
    pub fn new(max_rooms_per_socket: usize) -> Self {
        let table = Table { rooms: Rooms::new(max_rooms_per_socket), recovery: None };
        Self { table: Mutex::new(table), observed_by: OnceLock::new(), recovery: None }
    }

    /// The same, to whose sessions clients can come back.
    #[must_use]
    pub fn with_recovery(max_rooms_per_socket: usize, options: RecoveryOptions) -> Self {
        let hasher = RandomState::new();
        let state = State::new(&options, max_rooms_per_socket, hasher.hash_one(0));
        let rooms = Rooms::new(max_rooms_per_socket);
        Self {
            table: Mutex::new(Table { rooms, recovery: Some(Box::new(state)) }),
            observed_by: OnceLock::new(),
            recovery: Some(Box::new(Recovering { options, hasher })),
        }
    }

    /// Whether a socket is in this room.
    #[must_use]
    pub fn has_members(&self, room: &str) -> bool {
        self.table().rooms.has_members(room)
    }

    /// Whether there is a socket of this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.table().rooms.contains(id)
    }

    /// Changes the rooms, and tells of it behind the lock.
    fn change<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        let (result, changes) = {
            let mut table = self.table();
            let result = f(&mut table);
            (result, table.rooms.take_changes())
        };
        if !changes.is_empty() {
            self.tell(changes);
        }
        result
    }

    #[cold]
    fn tell(&self, changes: Vec<Change>) {
        let Some(node) = self.observed_by.get().and_then(Weak::upgrade) else { return };
        for change in changes {
            match change {
                Change::Opened(room) => node.room_opened(&room),
                Change::Joined(id, room) => node.joined(&id, &room),
                Change::Left(id, room) => node.left(&id, &room),
                Change::Closed(room) => node.room_closed(&room),
            }
        }
    }

    /// A `deliver` that panics poisons the lock, but cannot leave the rooms half changed: they are
    /// only read while members are called.
    fn table(&self) -> Held<MutexGuard<'_, Table>> {
        lock(&self.table)
    }
}

/// Lets a socket in.
fn let_in(
    table: &mut Rooms<Reached>,
    id: &SocketId,
    member: &Arc<dyn Member>,
    rooms: [&[Room]; 2],
    open: impl FnOnce() -> bool,
) -> Result<(), EnterError> {
    table.add(id, Some(Arc::clone(member))).map_err(|_| EnterError::DuplicateId)?;
    let joined = rooms.iter().try_for_each(|rooms| table.join(id, rooms));
    let entered = joined.map_err(EnterError::Join).and_then(|()| match open() {
        true => Ok(()),
        false => Err(EnterError::Closed),
    });
    if entered.is_err() {
        // never the last of `member`
        drop(table.remove(id));
        drop(table.take_changes()); // nothing came of it
    }
    entered
}

impl Adapter for LocalAdapter {
    fn enter(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
    ) -> Result<Completion, EnterError> {
        self.change(|table| {
            let_in(&mut table.rooms, id, &member, [rooms, &[]], || member.open(answer))
        })?;
        Ok(Completion::done())
    }

    fn leave_all(&self, id: &SocketId) {
        let mut leftovers = Leftovers::default();
        let member = self.change(|table| {
            let tag = table.rooms.slot(id).map_or(NO_TAG, Slot::tag);
            if let Some(state) = table.recovery.as_mut().filter(|_| tag != NO_TAG) {
                let Leftovers { packets, data, .. } = &mut leftovers;
                state.sessions.end(tag, &mut state.log, (data, packets));
            }
            table.rooms.remove(id)
        });
        drop((member, leftovers));
    }

    fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError> {
        self.change(|table| table.rooms.join(id, rooms))?;
        Ok(Completion::done())
    }

    fn leave(&self, id: &SocketId, room: &Room) -> Completion {
        self.change(|table| table.rooms.leave(id, room));
        Completion::done()
    }

    fn socket_rooms(&self, id: &SocketId) -> Vec<Room> {
        self.table().rooms.rooms_of(id)
    }

    fn broadcast(&self, packet: &Outgoing, options: &BroadcastOptions) -> Delivered {
        let BroadcastOptions { rooms, except, sender, .. } = options;
        debug_assert_eq!(
            packet.is_volatile(),
            options.volatile,
            "the packet says it to its receivers"
        );
        let mut delivered = Delivered::default();
        self.table().rooms.for_each_target(rooms, except, sender.as_ref(), |target| match deliver(
            target.member(),
            packet,
        ) {
            Delivery::Queued => delivered.queued += 1,
            Delivery::Dropped => delivered.dropped += 1,
            Delivery::Closed => {}
        });
        delivered
    }

    fn local_sockets(&self, rooms: &[Room], except: &[Room]) -> Vec<SocketId> {
        let (mut order, mut ids) = (Vec::new(), Vec::new());
        self.table().rooms.for_each_target(rooms, except, None, |target| {
            order.push((target.added(), ids.len() as u32));
            ids.push(target.id().clone());
        });
        // sorted after the lock was released
        sort_by_sequence(&mut order);
        order.into_iter().map(|(_, at)| ids[at as usize].clone()).collect()
    }

    fn local_rooms(&self) -> Vec<Room> {
        self.table().rooms.names()
    }

    fn len(&self) -> usize {
        self.table().rooms.socket_count()
    }

    fn room_count(&self) -> usize {
        self.table().rooms.room_count()
    }

    fn recovery(&self) -> Option<&dyn Recovery> {
        self.recovery.is_some().then_some(self)
    }

    fn attach(&self, node: Weak<dyn Node>) {
        let is_observed = node.upgrade().is_some_and(|node| node.is_observed());
        if is_observed && self.observed_by.set(node).is_ok() {
            self.change(|table| table.rooms.watch());
        }
    }
}

impl Recovery for LocalAdapter {
    fn claim(&self, claim: &Claim) -> AdapterFuture<Result<Claimed, NotRecovered>> {
        let found = self.recovering(|table, recovering, leftovers| {
            let Some(state) = &mut table.recovery else { return Err(NotRecovered::Unsupported) };
            let now = recovering.options.clock.now();
            let quoted = claim.offset.as_deref().map(quote);
            let presented = recovering.presented(claim, quoted.as_deref());
            let who = (&*claim.pid, &*claim.identity);
            let found = state.sessions.find(who, presented, &state.log, now);
            // only now, so that it can be said that one is too old
            state.expire(now, leftovers);
            found
        });
        let claimed = found.map(|known| match known {
            Known::Attached(id) => Claimed::Attached(id),
            Known::Away(id, data) => Claimed::Away { id, data },
        });
        Box::pin(std::future::ready(Ok(claimed)))
    }

    fn enter_session(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
        session: Session<'_>,
    ) -> Result<usize, EnterError> {
        let Session { claim, resumed, .. } = session;
        let mut missed = Vec::new();
        let missed = &mut missed; // dropped behind the lock
        self.recovering(|table, recovering, leftovers| {
            let now = recovering.options.clock.now();
            let quoted = claim.offset.as_deref().map(quote);
            let presented = recovering.presented(claim, quoted.as_deref());
            let Table { rooms: table, recovery: Some(state) } = table else {
                return Err(EnterError::NotRecovered(NotRecovered::Unsupported));
            };
            let entered = if resumed {
                resume(table, state, id, &member, rooms, (claim, presented, now), |packets| {
                    *missed = packets;
                    member.open_with(answer, missed)
                })
            } else if state.sessions.has(&claim.pid) {
                Err(EnterError::DuplicateId)
            } else {
                let_in(table, id, &member, [rooms, &[]], || member.open(answer)).map(|()| {
                    let (pid, who) = (claim.pid.as_str().into(), claim.identity.as_str().into());
                    let hash = presented.map(|presented| presented.hash);
                    let begin = state.log.head();
                    state.sessions.begin(pid, id.clone(), who, begin, hash, now)
                })
            };
            let entered = entered.map(|slot| table.set_tag(id, slot));
            if entered.is_ok() && resumed {
                let State { log, sessions } = &mut **state;
                let Leftovers { packets, data, .. } = leftovers;
                sessions.resume(&claim.pid, presented, (log, now), (data, packets));
            }
            state.expire(now, leftovers);
            entered
        })?;
        Ok(missed.len())
    }

    fn save(&self, id: &SocketId, data: Option<Arc<Value>>) {
        let member = self.recovering(|table, recovering, leftovers| {
            let now = recovering.options.clock.now();
            let tag = table.rooms.slot(id).map_or(NO_TAG, Slot::tag);
            let rooms = table.rooms.rooms_of(id);
            let member = table.rooms.remove(id);
            if let Some(state) = table.recovery.as_mut() {
                if tag != NO_TAG {
                    state.sessions.leave(tag, &rooms, data, now);
                }
                state.expire(now, leftovers);
            }
            member
        });
        drop(member);
    }

    fn emit(&self, mut event: Outgoing, to: Target<'_>, track: Track<'_>) -> Delivered {
        let Some(recovering) = &self.recovery else { return Delivered::default() };
        let now = recovering.options.clock.now();
        if let (Target::Socket(id, hint), Track::Kept(place)) = (to, track) {
            return self.emit_to(event, (id, hint), place, (recovering, now));
        }
        let (text, place) = match track {
            Track::Kept(place) => (None, place),
            Track::Passing(text) => (Some(recovering.hasher.hash_one(text)), Place::Json),
        };
        let mut delivered = Delivered::default();
        // Made for the first client without a session, and dropped behind the lock.
        let mut plain = None;
        let mut leftovers = Leftovers::default();
        {
            let Table { rooms, recovery } = &mut *self.table();
            let Some(State { log, sessions }) = recovery.as_deref_mut() else { return delivered };
            let (position, start) = (log.head() + 1, log.start());
            if text.is_none() {
                place.fill_in(&mut event, log.next_offset());
            }
            let volatile = text.is_some();
            let mut needed = 0;
            let mut reach = |slot: &Slot<Reached>| {
                let has_session = slot.tag() != NO_TAG;
                let packet = match has_session || volatile {
                    true => &event,
                    false => plain.get_or_insert_with(|| place.without(&event)),
                };
                let became = deliver(slot.member(), packet);
                match became {
                    Delivery::Queued => delivered.queued += 1,
                    Delivery::Dropped => delivered.dropped += 1,
                    Delivery::Closed => {}
                }
                match text {
                    _ if !has_session => {}
                    None => {
                        needed += 1;
                        sessions.sent(slot.tag(), position, start);
                    }
                    Some(text) if became == Delivery::Queued => {
                        sessions.sent_text(slot.tag(), text, now)
                    }
                    Some(_) => {}
                }
            };
            match to {
                Target::Socket(id, hint) => {
                    rooms.slot_near(id, hint).into_iter().for_each(&mut reach);
                }
                Target::Many(options) => {
                    let BroadcastOptions { rooms: to, except, sender, .. } = options;
                    rooms.for_each_target(to, except, sender.as_ref(), &mut reach);
                    if text.is_none() {
                        needed += sessions.missed(options, position, start);
                    }
                }
            }
            // what was meant for nobody is missed by nobody
            if needed > 0 {
                let kept = (event.size(), needed);
                log.push(event.clone(), kept, now, &mut leftovers.packets);
            }
        }
        drop((plain, event));
        leftovers.settle(&recovering.options.counters);
        delivered
    }

    fn mark(&self) -> u64 {
        self.table().recovery.as_ref().map_or(0, |state| state.log.head())
    }

    fn taken(&self, id: &SocketId, mark: u64) {
        self.recovering(|table, _, leftovers| {
            let tag = table.rooms.slot(id).map_or(NO_TAG, Slot::tag);
            if let Some(State { log, sessions }) = table.recovery.as_deref_mut()
                && tag != NO_TAG
            {
                sessions.taken(tag, mark, log, &mut leftovers.packets);
            }
        });
    }

    fn away_count(&self) -> usize {
        self.table().recovery.as_ref().map_or(0, |state| state.sessions.away_count())
    }
}

impl LocalAdapter {
    /// Hands an event that is kept to one socket: most events are of this kind.
    fn emit_to(
        &self,
        mut event: Outgoing,
        (id, hint): (&SocketId, &AtomicU32),
        place: Place,
        (recovering, now): (&Recovering, Instant),
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let mut removed = Removed::default(); // dropped behind the lock, as is what is left of the event
        let left = {
            let Table { rooms, recovery } = &mut *self.table();
            let Some(State { log, sessions }) = recovery.as_deref_mut() else { return delivered };
            let Some(slot) = rooms.slot_near(id, hint) else { return delivered };
            let has_session = slot.tag() != NO_TAG;
            let plain = if has_session {
                place.fill_in(&mut event, log.next_offset());
                None
            } else {
                Some(place.without(&event))
            };
            match deliver(slot.member(), plain.as_ref().unwrap_or(&event)) {
                Delivery::Queued => delivered.queued = 1,
                Delivery::Dropped => delivered.dropped = 1,
                Delivery::Closed => {}
            }
            if has_session {
                sessions.sent(slot.tag(), log.head() + 1, log.start());
                let size = event.size();
                log.push(event, (size, 1), now, &mut removed);
                None
            } else {
                Some((event, plain))
            }
        };
        drop(left);
        removed.count(&recovering.options.counters);
        delivered
    }

    /// Changes sessions, and drops what is left of them behind the lock.
    fn recovering<T>(&self, f: impl FnOnce(&mut Table, &Recovering, &mut Leftovers) -> T) -> T {
        let recovering = self.recovery.as_deref().expect("only with recovery it is called");
        let mut leftovers = Leftovers::default();
        let result = self.change(|table| f(table, recovering, &mut leftovers));
        leftovers.settle(&recovering.options.counters);
        result
    }
}

impl Recovering {
    /// What a client says it got last; `quoted` as a packet has it.
    fn presented<'a>(&self, claim: &'a Claim, quoted: Option<&[u8]>) -> Option<Presented<'a>> {
        let text = claim.offset.as_deref()?;
        Some(Presented { text, hash: self.hasher.hash_one(quoted?) })
    }
}

/// Lets a socket in that goes on with a session; `open` is given what was missed.
fn resume(
    table: &mut Rooms<Reached>,
    state: &State,
    id: &SocketId,
    member: &Arc<dyn Member>,
    rooms: &[Room],
    (claim, presented, now): (&Claim, Option<Presented<'_>>, Instant),
    open: impl FnOnce(Vec<Outgoing>) -> bool,
) -> Result<u32, EnterError> {
    let who = (&*claim.pid, &*claim.identity);
    match state.sessions.find(who, presented, &state.log, now) {
        Err(reason) => return Err(EnterError::NotRecovered(reason)),
        Ok(Known::Attached(_)) => return Err(EnterError::DuplicateId),
        Ok(Known::Away(..)) => {}
    }
    let (slot, packets, own) = state
        .sessions
        .missed_by(&claim.pid, presented, &state.log)
        .ok_or(EnterError::NotRecovered(NotRecovered::Evicted))?;
    let_in(table, id, member, [&own, rooms], || open(packets))?;
    let is_own = |room: &Room| room.as_str() == id.as_str();
    if !own.iter().chain(rooms).any(is_own) {
        table.leave(id, &Room::from(id));
    }
    Ok(slot)
}

impl fmt::Debug for LocalAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalAdapter").finish_non_exhaustive()
    }
}

/// Makes a [`LocalAdapter`] for each namespace.
///
/// ```
/// use socketio_adapter::{AdapterFactory, LocalAdapterFactory};
///
/// let adapters = LocalAdapterFactory::default().max_rooms_per_socket(100);
/// let chat = adapters.create("/chat");
/// assert_eq!(chat.len(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct LocalAdapterFactory {
    max_rooms_per_socket: usize,
    recovery: Option<RecoveryOptions>,
}

impl LocalAdapterFactory {
    /// Sets how many rooms a socket may join besides its own (16,384).
    #[must_use]
    pub const fn max_rooms_per_socket(mut self, limit: usize) -> Self {
        self.max_rooms_per_socket = limit;
        self
    }

    /// Lets clients come back to their sessions (off).
    #[must_use]
    pub fn recovery(mut self, options: RecoveryOptions) -> Self {
        self.recovery = Some(options);
        self
    }
}

impl Default for LocalAdapterFactory {
    fn default() -> Self {
        Self { max_rooms_per_socket: MAX_ROOMS_PER_SOCKET, recovery: None }
    }
}

impl AdapterFactory for LocalAdapterFactory {
    fn create(&self, _namespace: &str) -> Arc<dyn Adapter> {
        Arc::new(match &self.recovery {
            None => LocalAdapter::new(self.max_rooms_per_socket),
            Some(options) => {
                LocalAdapter::with_recovery(self.max_rooms_per_socket, options.clone())
            }
        })
    }

    fn name(&self) -> &'static str {
        "local"
    }
}

/// More than applications use on purpose (a room per watched item, thousands), and at some 150
/// bytes per room still small beside what a connection may queue.
pub(crate) const MAX_ROOMS_PER_SOCKET: usize = 16_384;

#[cfg(feature = "cluster")]
mod marked;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
