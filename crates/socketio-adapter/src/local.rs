//! The in-memory adapter: the sockets of one process.
//!
//! All of a namespace is behind one lock. So joins, leaves and broadcasts have one order, which
//! every member sees: two broadcasts reach all receivers in the same sequence, and a socket gets a
//! broadcast exactly if it joined before it. The lock is held for a walk over an array that pushes
//! one pointer per receiver ([`Member::deliver`], [`Member::open`]); no code of the user runs and no system call is
//! made under it. Members are dropped after it was released.

#![expect(clippy::disallowed_types, reason = "who emits and who joins share the rooms")]

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use engineio_proto::Outgoing;
use engineio_proto::guard::{Held, lock};

use crate::adapter::{Adapter, AdapterFactory, Delivered, Delivery, Member};
use crate::options::BroadcastOptions;
use crate::rooms::{Change, Rooms};
use crate::{Completion, EnterError, JoinError, Node, Room, SocketId};

/// The adapter of a server that is a single process.
pub struct LocalAdapter {
    rooms: Mutex<Rooms<Arc<dyn Member>>>,
    /// Who is told of changes in the rooms, if somebody wants to know.
    observed_by: OnceLock<Weak<dyn Node>>,
}

impl LocalAdapter {
    /// An adapter without sockets. A socket may join `max_rooms_per_socket` rooms besides its own.
    #[must_use]
    pub fn new(max_rooms_per_socket: usize) -> Self {
        Self { rooms: Mutex::new(Rooms::new(max_rooms_per_socket)), observed_by: OnceLock::new() }
    }

    /// Whether a socket is in this room.
    #[must_use]
    pub fn has_members(&self, room: &str) -> bool {
        self.rooms().has_members(room)
    }

    /// Whether there is a socket of this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.rooms().contains(id)
    }

    /// Changes the rooms, and tells of it behind the lock.
    fn change<T>(&self, f: impl FnOnce(&mut Rooms<Arc<dyn Member>>) -> T) -> T {
        let (result, changes) = {
            let mut rooms = self.rooms();
            let result = f(&mut rooms);
            (result, rooms.take_changes())
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
    fn rooms(&self) -> Held<MutexGuard<'_, Rooms<Arc<dyn Member>>>> {
        lock(&self.rooms)
    }
}

impl Adapter for LocalAdapter {
    fn enter(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
    ) -> Result<Completion, EnterError> {
        // What is dropped in the section is never the last of `member`, which goes after it.
        self.change(|table| {
            table.add(id, Arc::clone(&member)).map_err(|_| EnterError::DuplicateId)?;
            let joined = table.join(id, rooms).map_err(EnterError::Join);
            let entered = joined.and_then(|()| match member.open(answer) {
                true => Ok(Completion::done()),
                false => Err(EnterError::Closed),
            });
            if entered.is_err() {
                drop(table.remove(id));
                drop(table.take_changes()); // nothing came of it
            }
            entered
        })
    }

    fn leave_all(&self, id: &SocketId) {
        let member = self.change(|rooms| rooms.remove(id));
        drop(member);
    }

    fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError> {
        self.change(|table| table.join(id, rooms))?;
        Ok(Completion::done())
    }

    fn leave(&self, id: &SocketId, room: &Room) -> Completion {
        self.change(|rooms| rooms.leave(id, room));
        Completion::done()
    }

    fn socket_rooms(&self, id: &SocketId) -> Vec<Room> {
        self.rooms().rooms_of(id)
    }

    fn broadcast(&self, packet: &Outgoing, options: &BroadcastOptions) -> Delivered {
        let BroadcastOptions { rooms, except, sender, .. } = options;
        debug_assert_eq!(
            packet.is_volatile(),
            options.volatile,
            "the packet says it to its receivers"
        );
        let mut delivered = Delivered::default();
        self.rooms().for_each_target(rooms, except, sender.as_ref(), |target| {
            match target.member().deliver(packet) {
                Delivery::Queued => delivered.queued += 1,
                Delivery::Dropped => delivered.dropped += 1,
                Delivery::Closed => {}
            }
        });
        delivered
    }

    fn local_sockets(&self, rooms: &[Room], except: &[Room]) -> Vec<SocketId> {
        let mut found = Vec::new();
        self.rooms().for_each_target(rooms, except, None, |target| {
            found.push((target.added(), target.id().clone()));
        });
        // sorted after the lock was released
        found.sort_unstable_by_key(|&(added, _)| added);
        found.into_iter().map(|(_, id)| id).collect()
    }

    fn local_rooms(&self) -> Vec<Room> {
        self.rooms().names()
    }

    fn len(&self) -> usize {
        self.rooms().socket_count()
    }

    fn room_count(&self) -> usize {
        self.rooms().room_count()
    }

    fn attach(&self, node: Weak<dyn Node>) {
        let is_observed = node.upgrade().is_some_and(|node| node.is_observed());
        if is_observed && self.observed_by.set(node).is_ok() {
            self.change(Rooms::watch);
        }
    }
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
}

impl LocalAdapterFactory {
    /// Sets how many rooms a socket may join besides its own (16,384).
    #[must_use]
    pub const fn max_rooms_per_socket(mut self, limit: usize) -> Self {
        self.max_rooms_per_socket = limit;
        self
    }
}

impl Default for LocalAdapterFactory {
    fn default() -> Self {
        Self { max_rooms_per_socket: MAX_ROOMS_PER_SOCKET }
    }
}

impl AdapterFactory for LocalAdapterFactory {
    fn create(&self, _namespace: &str) -> Arc<dyn Adapter> {
        Arc::new(LocalAdapter::new(self.max_rooms_per_socket))
    }

    fn name(&self) -> &'static str {
        "local"
    }
}

/// More than applications use on purpose (a room per watched item, thousands), and at some 150
/// bytes per room still small beside what a connection may queue.
pub(crate) const MAX_ROOMS_PER_SOCKET: usize = 16_384;
