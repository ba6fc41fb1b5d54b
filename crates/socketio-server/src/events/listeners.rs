//! The listeners of a socket: which handlers an event has.

use std::borrow::Cow;
use std::sync::Arc;

use crate::events::handler::SharedHandler;

/// Names a listener, so that it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u32);

/// The handlers of one emitter, in order of registration.
///
/// A plain list: sockets have a handful of listeners, and comparing a few names is quicker and
/// smaller than a map.
#[derive(Default)]
pub(crate) struct Listeners {
    list: List,
    last_id: u32,
    /// Their emitter is over: nothing is added any more.
    closed: bool,
}

enum List {
    Own(Vec<Listener>),
    /// So many from the beginning.
    Common(Arc<Common>, u32),
}

/// What the sockets of a namespace are given one after the other, as long as it is the same: then no
/// socket needs memory for it. None of it captured anything, or is removed before it runs.
pub(crate) struct Common(Vec<Listener>);

#[derive(Clone)]
struct Listener {
    event: Cow<'static, str>,
    id: ListenerId,
    once: bool,
    handler: SharedHandler,
}

/// What became of a listener that was to be added.
pub(crate) struct Added {
    pub(crate) id: ListenerId,
    /// The handler, if the list is closed: to be dropped outside of its lock.
    pub(crate) rejected: Option<SharedHandler>,
}

/// The handlers of one event; most events have one.
#[derive(Default)]
pub(crate) struct Handlers {
    first: Option<SharedHandler>,
    rest: Vec<SharedHandler>,
}

impl Handlers {
    fn push(&mut self, handler: SharedHandler) {
        match &self.first {
            None => self.first = Some(handler),
            Some(_) => self.rest.push(handler),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SharedHandler> {
        self.first.iter().chain(&self.rest)
    }

    /// Takes them one by one, in order.
    pub(crate) fn for_each(self, mut f: impl FnMut(SharedHandler)) {
        if let Some(first) = self.first {
            f(first);
        }
        if !self.rest.is_empty() {
            self.rest.into_iter().for_each(f);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }
}

impl Default for List {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl List {
    fn as_slice(&self) -> &[Listener] {
        match self {
            Self::Own(list) => list,
            Self::Common(common, count) => &common.0[..*count as usize],
        }
    }

    /// To be changed otherwise than by the next of what is common.
    fn own(&mut self) -> &mut Vec<Listener> {
        if let Self::Common(..) = self {
            *self = Self::Own(self.as_slice().to_vec());
        }
        match self {
            Self::Own(list) => list,
            Self::Common(..) => unreachable!("made its own above"),
        }
    }

    /// Whether a listener is the next of what is common; then it is there.
    fn follows(&mut self, at: usize, listener: &Listener) -> bool {
        let Self::Common(common, count) = self else { return false };
        let is_next =
            at == *count as usize && common.0.get(at).is_some_and(|next| next.is_same(listener));
        *count += u32::from(is_next);
        is_next
    }
}

impl Listener {
    /// Whether it does the same for whoever has it, for ever.
    fn is_same(&self, other: &Self) -> bool {
        let is_one = self.handler.is_same(&other.handler) && !self.once && !other.once;
        is_one && self.id == other.id && self.event == other.event
    }
}

impl Listeners {
    /// None yet, of a socket that may be given what is common.
    pub(crate) fn of_socket(common: Option<Arc<Common>>) -> Self {
        let list = common.map_or_else(List::default, |common| List::Common(common, 0));
        Self { list, ..Self::default() }
    }

    /// Makes what is there common, if others may have it, too.
    pub(crate) fn make_common(&mut self) -> Option<Arc<Common>> {
        let List::Own(list) = &mut self.list else { return None };
        let may_be = list.iter().zip(1..).all(|(one, id)| one.id.0 == id && one.is_same(one));
        let count = u32::try_from(list.len()).ok().filter(|_| may_be)?;
        let common = Arc::new(Common(std::mem::take(list)));
        self.list = List::Common(Arc::clone(&common), count);
        Some(common)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.as_slice().is_empty()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    // Node 2.0: socket.on, socket.once
    pub(crate) fn add(
        &mut self,
        event: Cow<'static, str>,
        once: bool,
        handler: SharedHandler,
    ) -> Added {
        self.add_at(self.list.as_slice().len(), event, once, handler)
    }

    /// Adds a listener in front of all others.
    pub(crate) fn prepend(
        &mut self,
        event: Cow<'static, str>,
        once: bool,
        handler: SharedHandler,
    ) -> Added {
        self.add_at(0, event, once, handler)
    }

    fn add_at(
        &mut self,
        at: usize,
        event: Cow<'static, str>,
        once: bool,
        handler: SharedHandler,
    ) -> Added {
        let id = self.new_id();
        if self.closed {
            return Added { id, rejected: Some(handler) };
        }
        let listener = Listener { event, id, once, handler };
        if !self.list.follows(at, &listener) {
            let list = self.list.own();
            make_room(list);
            list.insert(at, listener);
        }
        Added { id, rejected: None }
    }

    /// An id that no listener of the list has; those of the first four billion are all new.
    fn new_id(&mut self) -> ListenerId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = ListenerId(self.last_id);
            if !self.list.as_slice().iter().any(|listener| listener.id == id) {
                return id;
            }
        }
    }

    // Node 2.0: socket.removeListener
    pub(crate) fn remove(&mut self, event: &str, id: ListenerId) -> Option<SharedHandler> {
        let is_it = |listener: &Listener| listener.id == id && listener.event == event;
        let at = self.list.as_slice().iter().position(is_it)?;
        Some(self.list.own().remove(at).handler)
    }

    /// Removes all listeners, or those of one event. They are returned: dropping them may run code
    /// of the user.
    // Node 2.0: socket.removeAllListeners
    pub(crate) fn remove_all(&mut self, event: Option<&str>) -> Vec<SharedHandler> {
        let gone: Vec<Listener> = match (event, &mut self.list) {
            (None, List::Own(list)) => std::mem::take(list),
            (None, List::Common(..)) => {
                self.list = List::default();
                Vec::new()
            }
            (Some(event), list) => {
                let list = list.own();
                let all = std::mem::take(list).into_iter();
                let (gone, kept) = all.partition(|listener| listener.event == event);
                *list = kept;
                gone
            }
        };
        gone.into_iter().map(|listener| listener.handler).collect()
    }

    /// Takes all, and no more after them.
    pub(crate) fn close(&mut self) -> Vec<SharedHandler> {
        self.closed = true;
        self.remove_all(None)
    }

    /// The names that have listeners, in order of first registration.
    // Node 2.0: socket.eventNames
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for listener in self.list.as_slice() {
            if !names.iter().any(|name| *name == listener.event) {
                names.push(listener.event.clone().into_owned());
            }
        }
        names
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        self.list.as_slice().iter().filter(|listener| listener.event == event).count()
    }

    /// Adds the handlers of an event that happens now; those for once are removed.
    pub(crate) fn find(&mut self, event: &str, found: &mut Handlers) {
        let mut once = false;
        for listener in self.list.as_slice().iter().filter(|listener| listener.event == event) {
            once |= listener.once;
            found.push(listener.handler.clone());
        }
        if once {
            self.list.own().retain(|listener| !(listener.once && listener.event == event));
        }
    }
}

/// Grows by little: there may be a list for each socket, and it seldom changes.
fn make_room(list: &mut Vec<Listener>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 2).max(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::handler::erase;

    fn is_common(listeners: &Listeners) -> bool {
        matches!(listeners.list, List::Common(..))
    }

    /// What a socket is given as any other is no memory of its own, until it differs.
    #[test]
    fn what_all_are_given_is_common() {
        fn ping() {}
        fn pong() {}
        let give = |listeners: &mut Listeners| {
            listeners.add("ping".into(), false, erase(ping));
            listeners.add(String::from("pong").into(), false, erase(pong)).id
        };
        let mut first = Listeners::default();
        give(&mut first);
        let common = first.make_common();
        assert!(common.is_some() && is_common(&first) && first.make_common().is_none());

        let next = || Listeners::of_socket(common.clone());
        let (mut same, mut once, mut other, mut front, mut more) =
            (next(), next(), next(), next(), next());
        assert!(same.is_empty());
        let pong_id = give(&mut same);
        once.add("ping".into(), true, erase(ping));
        let number = 7_u8;
        other.add("ping".into(), false, erase(move || assert_eq!(number, 7)));
        front.add("ping".into(), false, erase(ping));
        front.prepend("pong".into(), false, erase(pong));
        give(&mut more);
        more.add("more".into(), false, erase(ping));
        assert!(is_common(&same) && ![once, other].iter().any(is_common));
        assert_eq!((same.names(), same.count("pong")), (first.names(), 1));
        assert_eq!(front.names(), ["pong", "ping"]);
        assert_eq!(more.names(), ["ping", "pong", "more"]);

        assert!(same.remove("ping", pong_id).is_none() && is_common(&same));
        assert!(same.remove("pong", pong_id).is_some() && !is_common(&same));
        assert_eq!((same.names().len(), first.names().len()), (1, 2));
        assert!(first.close().is_empty() && first.is_empty());
        assert_eq!(more.remove_all(Some("ping")).len(), 1);
    }

    #[test]
    fn what_captures_or_ends_is_not_common() {
        let number = 7_u8;
        let mut captured = Listeners::default();
        captured.add("event".into(), false, erase(move || assert_eq!(number, 7)));
        let mut once = Listeners::default();
        once.add("event".into(), true, erase(|| {}));
        let mut removed = Listeners::default();
        let gone = removed.add("event".into(), false, erase(|| {})).id;
        removed.add("event".into(), false, erase(|| {}));
        removed.remove("event", gone);
        for mut listeners in [captured, once, removed] {
            assert!(listeners.make_common().is_none() && listeners.count("event") == 1);
        }
    }

    #[test]
    fn an_id_is_not_given_twice_when_they_come_around() {
        let mut listeners = Listeners::default();
        let mut add = |last_id| {
            listeners.last_id = last_id;
            listeners.add("event".into(), false, erase(|| {})).id
        };
        assert_eq!([0, 1].map(&mut add), [ListenerId(1), ListenerId(2)]);
        assert_eq!([u32::MAX - 1, u32::MAX].map(&mut add), [ListenerId(u32::MAX), ListenerId(0)]);
        assert_eq!(add(0), ListenerId(3));
    }
}
