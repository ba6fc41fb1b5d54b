//! What a program adds to a namespace, or to a rule that makes namespaces: middleware and listeners.

use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use engineio_proto::guard::lock;

use crate::error::ConnectError;
use crate::events::handler::{Handler, erase};
use crate::events::listeners::Listeners;
use crate::events::middleware::{Chain, ConnectMiddleware, append, connect_middleware};
use crate::socket::Socket;

/// What is to be done with sockets and their events: of one namespace, or of a rule that makes
/// namespaces.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(super) middleware: Mutex<Option<Chain<ConnectMiddleware>>>,
    pub(super) listeners: Mutex<Listeners>,
    pub(super) events: Mutex<Listeners>,
    pub(super) has_events: AtomicBool,
    /// Listeners of events that have no other.
    pub(super) unknown: Mutex<Listeners>,
    pub(super) has_unknown: AtomicBool,
}

impl Hooks {
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.middleware).is_none()
            && lock(&self.listeners).is_empty()
            && lock(&self.events).is_empty()
            && lock(&self.unknown).is_empty()
    }

    pub(crate) fn on<M: 'static>(&self, event: &'static str, handler: impl Handler<M>) {
        let handler = erase(handler);
        let _ = lock(&self.listeners).add(event.into(), false, handler);
    }

    pub(crate) fn on_event<M: 'static>(&self, event: Cow<'static, str>, handler: impl Handler<M>) {
        let handler = erase(handler);
        let _ = lock(&self.events).add(event, false, handler);
        self.has_events.store(true, Ordering::Release);
    }

    pub(crate) fn on_unknown_event<M: 'static>(&self, handler: impl Handler<M>) {
        let handler = erase(handler);
        let _ = lock(&self.unknown).add(UNKNOWN.into(), false, handler);
        self.has_unknown.store(true, Ordering::Release);
    }

    pub(crate) fn use_fn<F, Fut, E>(&self, middleware: F)
    where
        F: FnOnce(Socket) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<ConnectError>,
    {
        let middleware = connect_middleware(middleware);
        append(&mut *lock(&self.middleware), middleware);
    }
}

/// The name under which the listeners of events that have no other are kept.
pub(super) const UNKNOWN: &str = "*";
