//! The listeners of a socket: which handlers an event has.

use std::borrow::Cow;

use crate::handler::SharedHandler;

/// Names a listener, so that it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// The handlers of one emitter, in order of registration.
///
/// A plain list: sockets have a handful of listeners, and comparing a few names is quicker and
/// smaller than a map.
#[derive(Default)]
pub(crate) struct Listeners {
    list: Vec<Listener>,
    last_id: u64,
}

struct Listener {
    event: Cow<'static, str>,
    id: ListenerId,
    once: bool,
    handler: SharedHandler,
}

/// The handlers of one event; most events have one.
pub(crate) struct Found {
    pub(crate) first: Option<SharedHandler>,
    pub(crate) rest: Vec<SharedHandler>,
}

impl Listeners {
    // seed: socket.on, socket.once
    pub(crate) fn add(&mut self, event: Cow<'static, str>, once: bool, handler: SharedHandler) -> ListenerId {
        self.last_id += 1;
        let id = ListenerId(self.last_id);
        self.list.push(Listener { event, id, once, handler });
        id
    }

    // seed: socket.removeListener
    pub(crate) fn remove(&mut self, event: &str, id: ListenerId) -> Option<SharedHandler> {
        let at = self.list.iter().position(|listener| listener.id == id && listener.event == event)?;
        Some(self.list.remove(at).handler)
    }

    /// Removes all listeners, or those of one event. They are returned: dropping them may run code
    /// of the user.
    // seed: socket.removeAllListeners
    pub(crate) fn remove_all(&mut self, event: Option<&str>) -> Vec<SharedHandler> {
        let gone: Vec<Listener> = match event {
            None => std::mem::take(&mut self.list),
            Some(event) => {
                let (gone, kept) = std::mem::take(&mut self.list).into_iter().partition(|listener| listener.event == event);
                self.list = kept;
                gone
            }
        };
        gone.into_iter().map(|listener| listener.handler).collect()
    }

    /// The names that have listeners, in order of first registration.
    // seed: socket.eventNames
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

    /// The handlers of an event that happens now; those for once are removed.
    pub(crate) fn find(&mut self, event: &str) -> Found {
        let mut found = Found { first: None, rest: Vec::new() };
        let mut once = false;
        for listener in self.list.iter().filter(|listener| listener.event == event) {
            once |= listener.once;
            let handler = listener.handler.clone();
            match &found.first {
                None => found.first = Some(handler),
                Some(_) => found.rest.push(handler),
            }
        }
        if once {
            self.list.retain(|listener| !(listener.once && listener.event == event));
        }
        found
    }
}
