//! What a program adds to a namespace, or to a rule that makes namespaces: middleware and listeners.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use engineio_proto::guard::lock;

use crate::events::dedupe::{Dedupe, Rule};
use crate::events::given::Given;
use crate::events::handler::{Handler, registered};
use crate::events::listeners::{Common, Listeners};
use crate::events::middleware::{AnyMiddleware, Chain, Middleware, append, connect_middleware};

/// What is to be done with sockets and their events: of one namespace, or of a rule that makes
/// namespaces.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(super) middleware: Mutex<Option<Chain<AnyMiddleware>>>,
    pub(super) listeners: Mutex<Listeners>,
    pub(super) events: Mutex<Listeners>,
    pub(super) has_events: AtomicBool,
    /// Listeners of events that have no other.
    pub(super) unknown: Mutex<Listeners>,
    pub(super) has_unknown: AtomicBool,
    /// Events that are handled once.
    pub(super) dedupes: Mutex<Vec<Arc<Rule>>>,
    pub(super) has_dedupes: AtomicBool,
    /// What sockets are given, once the first was given something.
    pub(super) common: OnceLock<Option<Arc<Common>>>,
}

impl Hooks {
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.middleware).is_none()
            && lock(&self.listeners).is_empty()
            && lock(&self.events).is_empty()
            && lock(&self.unknown).is_empty()
            && lock(&self.dedupes).is_empty()
    }

    #[track_caller]
    pub(crate) fn on<M: 'static>(
        &self,
        event: &'static str,
        handler: impl Handler<M>,
        given: &Given<'_>,
    ) {
        let handler = registered(handler, event, given);
        let _ = lock(&self.listeners).add(event.into(), false, handler);
    }

    #[track_caller]
    pub(crate) fn on_event<M: 'static>(
        &self,
        event: Cow<'static, str>,
        handler: impl Handler<M>,
        given: &Given<'_>,
    ) {
        let handler = registered(handler, &event, given);
        let _ = lock(&self.events).add(event, false, handler);
        self.has_events.store(true, Ordering::Release);
    }

    #[track_caller]
    pub(crate) fn on_unknown_event<M: 'static>(&self, handler: impl Handler<M>, given: &Given<'_>) {
        let handler = registered(handler, UNKNOWN, given);
        let _ = lock(&self.unknown).add(UNKNOWN.into(), false, handler);
        self.has_unknown.store(true, Ordering::Release);
    }

    pub(crate) fn dedupe(&self, dedupe: Dedupe) {
        let rule = Arc::new(Rule::new(dedupe));
        lock(&self.dedupes).push(rule);
        self.has_dedupes.store(true, Ordering::Release);
    }

    #[track_caller]
    pub(crate) fn use_fn<M: 'static>(&self, middleware: impl Middleware<M>, given: &Given<'_>) {
        let middleware = connect_middleware(middleware, given);
        append(&mut *lock(&self.middleware), middleware);
    }
}

/// The name under which the listeners of events that have no other are kept.
pub(super) const UNKNOWN: &str = "*";
