//! The table of sessions: those that requests find, and those whose peers must still learn of the end.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use crate::session::socket::Socket;

/// The sessions whose tasks run.
#[derive(Default)]
pub(super) struct Sessions {
    /// Those that requests find.
    pub(super) by_id: HashSet<ById>,
    /// Those that are over for requests, but whose peers must still learn of it.
    pub(super) leaving: HashSet<ByIdentity>,
}

/// A session in the table, found by its id.
pub(super) struct ById(pub(super) Socket);

/// A session that has given its id free.
pub(super) struct ByIdentity(pub(super) Socket);

impl Sessions {
    /// Takes a session out from under its id. False: it is not there.
    pub(super) fn take(&mut self, socket: &Socket) -> bool {
        let is_there = self.by_id.get(socket.id()).is_some_and(|session| session.0.is_same(socket));
        if is_there {
            self.by_id.remove(socket.id());
            shrink(&mut self.by_id);
        }
        is_there
    }
}

/// A burst leaves a large table behind; an idle server gives it back.
pub(super) fn shrink<T: Eq + Hash>(table: &mut HashSet<T>) {
    if table.len() * 8 < table.capacity() {
        table.shrink_to(table.len() * 2);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl PartialEq for ByIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }
}

impl Eq for ByIdentity {}

impl Hash for ByIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0.shared()).hash(state);
    }
}

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}
