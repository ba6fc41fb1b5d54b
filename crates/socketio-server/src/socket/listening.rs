//! The listening half of a socket: listeners, catch-all listeners, middleware.

use std::borrow::Cow;
use std::sync::Arc;

use engineio_proto::guard::{self, lock};
use socketio_parser::Value;

use super::Socket;
use super::extras::{ANY, Watcher};
use crate::events::handler::{Handler, SharedHandler, registered};
use crate::events::listeners::{Added, Handlers, ListenerId, Listeners};
use crate::events::middleware::{EventMiddleware, append, event_middleware};

impl Socket {
    /// Adds a listener for an event. Listeners run in order of registration; events that nobody
    /// listens to are dropped.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node 2.0: socket.on
    #[track_caller]
    pub fn on<M: 'static>(
        &self,
        event: impl Into<Cow<'static, str>>,
        handler: impl Handler<M>,
    ) -> ListenerId {
        self.listen(event.into(), handler, |listeners, event, handler| {
            listeners.add(event, false, handler)
        })
    }

    /// Adds a listener that is removed before it runs.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node 2.0: socket.once
    #[track_caller]
    pub fn once<M: 'static>(
        &self,
        event: impl Into<Cow<'static, str>>,
        handler: impl Handler<M>,
    ) -> ListenerId {
        self.listen(event.into(), handler, |listeners, event, handler| {
            listeners.add(event, true, handler)
        })
    }

    /// Adds a listener in front of those that are there.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    #[track_caller]
    pub fn prepend_listener<M: 'static>(
        &self,
        event: impl Into<Cow<'static, str>>,
        handler: impl Handler<M>,
    ) -> ListenerId {
        self.listen(event.into(), handler, |listeners, event, handler| {
            listeners.prepend(event, false, handler)
        })
    }

    /// Adds a listener in front of those that are there; it is removed before it runs.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    #[track_caller]
    pub fn prepend_once_listener<M: 'static>(
        &self,
        event: impl Into<Cow<'static, str>>,
        handler: impl Handler<M>,
    ) -> ListenerId {
        self.listen(event.into(), handler, |listeners, event, handler| {
            listeners.prepend(event, true, handler)
        })
    }

    /// Adds a listener for all events that the client sends; it runs before those of the event.
    /// [`EventName`](crate::events::EventName) and [`Args`](crate::Args) tell what came.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node: catch-all listeners, as 4.x
    #[track_caller]
    pub fn on_any<M: 'static>(&self, handler: impl Handler<M>) -> ListenerId {
        let handler = registered(handler, ANY, &self.namespace().given());
        let added = lock(self.extras_to_see_events()).any.add(ANY.into(), false, handler);
        id_of(added)
    }

    /// Removes a listener that [`Socket::on_any`] added. False: there is none of that id.
    pub fn off_any(&self, id: ListenerId) -> bool {
        let gone = self.extras().and_then(|extras| lock(extras).any.remove(ANY, id));
        gone.is_some()
    }

    /// Adds a function that sees the name and the arguments of each event that is emitted to this
    /// socket by itself, on the emitter's thread. Broadcasts pass it by: they are encoded once for
    /// all receivers.
    // Node: catch-all listeners for outgoing packets, as 4.x
    pub fn on_any_outgoing(&self, f: impl Fn(&str, &[Value]) + Send + Sync + 'static) {
        let watcher: Watcher = Arc::new(f);
        let mut extras = lock(self.extras_to_see_events());
        if !extras.is_closed() {
            extras.outgoing.push(Arc::clone(&watcher));
        }
    }

    /// Removes all functions that [`Socket::on_any_outgoing`] added.
    pub fn remove_all_outgoing(&self) {
        let gone = self.extras().map(|extras| std::mem::take(&mut lock(extras).outgoing));
        drop(gone);
    }

    /// Adds a listener for the disconnection; the rooms are left by then.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node 2.0: Event 'disconnect'
    #[track_caller]
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<M>) -> ListenerId {
        self.on("disconnect", handler)
    }

    /// Adds a listener for the disconnection that runs while the rooms are still joined, until its
    /// first `.await`.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node 2.0: Event 'disconnecting'
    #[track_caller]
    pub fn on_disconnecting<M: 'static>(&self, handler: impl Handler<M>) -> ListenerId {
        self.on("disconnecting", handler)
    }

    /// Adds a listener for errors: packets that cannot be decoded, events that middleware refused,
    /// arguments of another type than a handler wants, and handlers that returned `Err`.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node 2.0: Event 'error'
    #[track_caller]
    pub fn on_error<M: 'static>(&self, handler: impl Handler<M>) -> ListenerId {
        self.on("error", handler)
    }

    /// Removes a listener. False: there is none of that id and event.
    // Node 2.0: socket.removeListener
    pub fn remove_listener(&self, event: &str, id: ListenerId) -> bool {
        // dropped after the lock: it may hold anything
        let gone = lock(&self.0.listeners).remove(event, id);
        gone.is_some()
    }

    /// Removes all listeners, or those of one event.
    // Node 2.0: socket.removeAllListeners
    pub fn remove_all_listeners(&self, event: Option<&str>) {
        let gone = lock(&self.0.listeners).remove_all(event);
        drop(gone);
    }

    /// The names that have listeners, in order of first registration.
    // Node 2.0: socket.eventNames
    #[must_use]
    pub fn event_names(&self) -> Vec<String> {
        lock(&self.0.listeners).names()
    }

    /// The number of listeners of an event.
    #[must_use]
    pub fn listener_count(&self, event: &str) -> usize {
        lock(&self.0.listeners).count(event)
    }

    /// Adds a middleware that sees each incoming event before its listeners do, and may change or
    /// refuse it. It gets the event by value and gives it back.
    ///
    /// A refused event reaches no listener; it raises the socket's `error` event, and clients 1.x
    /// and 2.x are told, see [`EventMiddleware`]. A middleware that waits delays its event only: later
    /// ones overtake it.
    ///
    /// ```
    /// # use socketio::events::IncomingEvent;
    /// # use socketio::{ConnectError, Socket};
    /// # fn example(socket: Socket) {
    /// socket.use_fn(async |event: IncomingEvent| match &*event.name {
    ///     "doge" => Ok(event),
    ///     _ => Err(ConnectError::new("not a doge error")),
    /// });
    /// # }
    /// ```
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node 2.0: socket.use
    #[track_caller]
    pub fn use_fn<M: 'static>(&self, middleware: impl EventMiddleware<M>) {
        let middleware = event_middleware(middleware, &self.namespace().given());
        let mut extras = lock(self.extras_to_see_events());
        if !extras.is_closed() {
            append(&mut extras.middleware, Arc::clone(&middleware));
        }
    }

    #[track_caller]
    fn listen<M: 'static>(
        &self,
        event: Cow<'static, str>,
        handler: impl Handler<M>,
        add: impl FnOnce(&mut Listeners, Cow<'static, str>, SharedHandler) -> Added,
    ) -> ListenerId {
        let handler = registered(handler, &event, &self.namespace().given());
        let added = add(&mut lock(&self.0.listeners), event, handler);
        id_of(added)
    }

    /// It has been told to the listeners of `connection`: if it is the first that they gave listeners,
    /// those are common to all that are given the same.
    pub(crate) fn share_listeners(&self) {
        let common = self.namespace().common_listeners();
        if common.get().is_some() {
            return;
        }
        let mut listeners = lock(&self.0.listeners);
        if !listeners.is_empty() {
            // somebody else may have been quicker
            let _ = common.set(listeners.make_common());
        }
    }

    /// The handlers of one of the library's own events.
    pub(crate) fn listeners(&self, event: &str) -> Handlers {
        let mut found = Handlers::default();
        lock(&self.0.listeners).find(event, &mut found);
        found
    }

    /// The handlers of an event that the client sent: those of all events, its own, and those that
    /// all sockets of the namespace have; without any of its own, those of such events.
    // Part of what is done for each event.
    #[inline(always)]
    pub(crate) fn event_listeners(&self, event: &str) -> Handlers {
        let mut found = Handlers::default();
        if let Some(extras) = self.that_see_events() {
            lock(extras).any.find(ANY, &mut found);
        }
        let catch_all = found.len();
        lock(&self.0.listeners).find(event, &mut found);
        self.namespace().event_listeners(event, &mut found);
        if found.len() == catch_all {
            self.namespace().unknown_event_listeners(&mut found);
        }
        found
    }
}

/// The id of a listener; a handler that came too late is let go of.
fn id_of(Added { id, rejected }: Added) -> ListenerId {
    if rejected.is_some() {
        guard::let_go(rejected);
    }
    id
}
