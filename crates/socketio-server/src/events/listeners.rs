//! The listeners of a socket: which handlers an event has.

use std::borrow::Cow;

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
    list: Vec<Listener>,
    last_id: u32,
    /// Their emitter is over: nothing is added any more.
    closed: bool,
}

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

impl Listeners {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
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
        self.add_at(self.list.len(), event, once, handler)
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
        self.make_room();
        self.list.insert(at, Listener { event, id, once, handler });
        Added { id, rejected: None }
    }

    /// An id that no listener of the list has; those of the first four billion are all new.
    fn new_id(&mut self) -> ListenerId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = ListenerId(self.last_id);
            if !self.list.iter().any(|listener| listener.id == id) {
                return id;
            }
        }
    }

    /// Grows by little: there is a list for each socket, and it seldom changes.
    fn make_room(&mut self) {
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact((self.list.len() / 2).max(2));
        }
    }

    // Node 2.0: socket.removeListener
    pub(crate) fn remove(&mut self, event: &str, id: ListenerId) -> Option<SharedHandler> {
        let at =
            self.list.iter().position(|listener| listener.id == id && listener.event == event)?;
        Some(self.list.remove(at).handler)
    }

    /// Removes all listeners, or those of one event. They are returned: dropping them may run code
    /// of the user.
    // Node 2.0: socket.removeAllListeners
    pub(crate) fn remove_all(&mut self, event: Option<&str>) -> Vec<SharedHandler> {
        let gone: Vec<Listener> = match event {
            None => std::mem::take(&mut self.list),
            Some(event) => {
                let (gone, kept) = std::mem::take(&mut self.list)
                    .into_iter()
                    .partition(|listener| listener.event == event);
                self.list = kept;
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
        for listener in &self.list {
            if !names.iter().any(|name| *name == listener.event) {
                names.push(listener.event.clone().into_owned());
            }
        }
        names
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        self.list.iter().filter(|listener| listener.event == event).count()
    }

    /// Adds the handlers of an event that happens now; those for once are removed.
    pub(crate) fn find(&mut self, event: &str, found: &mut Handlers) {
        let mut once = false;
        for listener in self.list.iter().filter(|listener| listener.event == event) {
            once |= listener.once;
            found.push(listener.handler.clone());
        }
        if once {
            self.list.retain(|listener| !(listener.once && listener.event == event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::handler::erase;

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
