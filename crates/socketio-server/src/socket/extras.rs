//! What few sockets have: made when the first of it is used, behind one lock.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex};

use engineio_proto::guard::{self, lock};
use serde::Serialize;
use socketio_parser::Value;

use super::extensions::Values;
use super::{Socket, values_of};
use crate::error::EmitError;
use crate::events::listeners::Listeners;
use crate::events::middleware::{AnyEventMiddleware, Chain};
use crate::events::observer::{ObservedEvent, Receivers};
use crate::recovery::SocketSession;

/// What few sockets have.
#[derive(Default)]
pub(super) struct Extras {
    /// Catch-all listeners. Closed, all of this takes nothing any more that could hold the socket.
    pub(super) any: Listeners,
    pub(super) outgoing: Vec<Watcher>,
    pub(super) middleware: Option<Chain<AnyEventMiddleware>>,
    /// Plain, so it may outlive the socket's end.
    pub(super) data: Option<Box<Value>>,
    pub(super) extensions: Values,
    /// On servers with recovery.
    pub(super) session: Option<Arc<SocketSession>>,
}

/// Sees what is emitted to a socket.
pub(super) type Watcher = Arc<dyn Fn(&str, &[Value]) + Send + Sync>;

/// The name under which catch-all listeners are kept.
pub(super) const ANY: &str = "*";

impl Extras {
    /// Whether the socket is over: what is to be added now is dropped by who adds it.
    pub(super) fn is_closed(&self) -> bool {
        self.any.is_closed()
    }
}

impl Socket {
    /// Those that there are.
    pub(super) fn extras(&self) -> Option<&Mutex<Extras>> {
        self.0.extras.get().map(|extras| &**extras)
    }

    /// Those that there are, if some of them see events.
    #[inline]
    pub(super) fn that_see_events(&self) -> Option<&Mutex<Extras>> {
        match self.0.sees_events.load(Acquire) {
            true => self.extras(),
            false => None,
        }
    }

    /// Those that there are, or new ones, for something that sees events.
    pub(super) fn extras_to_see_events(&self) -> &Mutex<Extras> {
        self.0.sees_events.store(true, Release);
        self.extras_or_new()
    }

    /// Those that there are, or new ones. They are made under the lock of the listeners, so that
    /// whoever closes those finds these, or these are closed from the start.
    pub(super) fn extras_or_new(&self) -> &Mutex<Extras> {
        if let Some(extras) = self.extras() {
            return extras;
        }
        let listeners = lock(&self.0.listeners);
        self.0.extras.get_or_init(|| {
            let mut extras = Extras::default();
            if listeners.is_closed() {
                drop(extras.any.close()); // empty
            }
            Box::new(Mutex::new(extras))
        })
    }

    /// Whether somebody may want to see what is sent to this socket alone.
    pub(super) fn is_watched(&self) -> bool {
        self.that_see_events().is_some() || self.namespace().observers().are_there()
    }

    /// Shows an event for this socket alone to who wants to see them.
    pub(super) fn show<T: Serialize>(&self, event: &str, args: &T) -> Result<(), EmitError> {
        self.namespace().observers().tell(|observer| {
            let values = || values_of(args).unwrap_or_default();
            observer.event_out(&Receivers::One(self), &ObservedEvent::new(event, &values));
        });
        let Some(extras) = self.that_see_events() else { return Ok(()) };
        let watchers = {
            let extras = lock(extras);
            if extras.outgoing.is_empty() {
                return Ok(());
            }
            extras.outgoing.clone()
        };
        let values = values_of(args)?;
        watchers.iter().for_each(|watcher| watcher(event, &values));
        Ok(())
    }

    /// Drops what its handlers captured, which may be the socket itself, and takes no more of it: of
    /// who comes later, as a handler that goes on may, it would make a circle that nobody opens.
    pub(crate) fn clear(&self) {
        let listeners = lock(&self.0.listeners).close();
        guard::let_go_each(listeners);
        let Some(extras) = self.extras() else { return };
        let (any, outgoing, middleware, extensions) = {
            let mut extras = lock(extras);
            (
                extras.any.close(),
                std::mem::take(&mut extras.outgoing),
                extras.middleware.take(),
                std::mem::take(&mut extras.extensions),
            )
        };
        guard::let_go_each(any);
        guard::let_go_each(outgoing);
        guard::let_go_each(extensions.into_values());
        // each by itself, and the list when nothing is left to go with it
        let each: Vec<_> = middleware.iter().flat_map(|chain| chain.iter().cloned()).collect();
        drop(middleware);
        guard::let_go_each(each);
    }
}
