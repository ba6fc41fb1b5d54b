//! What happens with events that break a contract, and what is counted of them.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socketio::emit::OverflowPolicy;
use socketio::events::{Acknowledge, EventName, Handler, InvalidEvent};
use socketio::namespaces::ParentNamespace;
use socketio::{BoxError, Namespace, Server, Socket};

use crate::ack::Tagged;
use crate::invalid::{Invalid, Refusal, TOLD, Told, shortened};

/// What happens with events that break the contract; given to the function `serve_with` of a
/// contract.
///
/// ```
/// use std::num::NonZeroU32;
/// use socketio_contract::{OnInvalid, OnUnknown, Rules};
///
/// const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();
/// let rules = Rules::new()
///     .on_invalid(OnInvalid::Disconnect { after: THREE })
///     .on_unknown(OnUnknown::Tell)
///     .strict(true);
/// # let _ = rules;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    on_invalid: OnInvalid,
    on_unknown: OnUnknown,
    strict: bool,
}

/// What a client gets for a declared event whose arguments are not valid. In any case its handler
/// is not called, it is counted, and the socket's `error` event raised with an
/// [`InvalidEvent`](crate::InvalidEvent).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnInvalid {
    /// It is told where and what is wrong, never a value. An event whose acknowledgement is a
    /// `Result`, and was asked for, is answered `{ok: false, error: {code: "invalid", at, message}}`;
    /// others get the event `contract:error` with `{event, at, message}`.
    #[default]
    Tell,
    /// Nothing; an acknowledgement that it asked for is not sent.
    Ignore,
    /// It is told, and disconnected from the namespace with the invalid event of this number.
    Disconnect {
        /// How many invalid events a socket may send, this one included.
        after: NonZeroU32,
    },
}

/// What a client gets for an event that nobody declared and nobody else listens to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnUnknown {
    /// Nothing, as with any Socket.IO server.
    #[default]
    Ignore,
    /// It gets the event `contract:error`.
    Tell,
    /// It is told, and disconnected from the namespace.
    Disconnect,
}

impl Rules {
    /// The default: clients are told of invalid events, undeclared ones and further arguments are
    /// ignored.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What happens with a declared event whose arguments are not valid ([`OnInvalid::Tell`]).
    #[must_use]
    pub const fn on_invalid(mut self, what: OnInvalid) -> Self {
        self.on_invalid = what;
        self
    }

    /// What happens with an event that nobody declared ([`OnUnknown::Ignore`]). Of several contracts
    /// in one namespace each has its own say; events that any of them declares are known.
    #[must_use]
    pub const fn on_unknown(mut self, what: OnUnknown) -> Self {
        self.on_unknown = what;
        self
    }

    /// Whether an event with more arguments than declared is invalid (no: they are ignored, so that
    /// newer pages can talk to older servers). Fields that a type does not know are up to the type:
    /// `#[serde(deny_unknown_fields)]`.
    #[must_use]
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    pub(crate) const fn is_strict(self) -> bool {
        self.strict
    }
}

/// Where a contract is served: a [`Server`] (in the contract's namespace), a [`Namespace`] or the
/// namespaces of a rule (whatever the contract says).
#[diagnostic::on_unimplemented(
    message = "contracts are not served by a `{Self}`",
    note = "`serve` takes a reference to a `Server`, a `Namespace` or a `ParentNamespace`"
)]
pub trait Place {
    /// The namespace of a contract.
    #[doc(hidden)]
    fn namespace(&self, declared: &str) -> impl Listens;
}

/// A namespace, or those of a rule.
#[doc(hidden)]
pub trait Listens {
    /// What metrics call it.
    fn label(&self, declared: &str) -> String;

    /// See [`Namespace::on_event`].
    fn on_declared<M: 'static>(&self, event: &'static str, handler: impl Handler<M>);

    /// See [`Namespace::on_unknown_event`].
    fn on_undeclared<M: 'static>(&self, handler: impl Handler<M>);
}

impl Place for Server {
    fn namespace(&self, declared: &str) -> impl Listens {
        self.of(declared)
    }
}

macro_rules! listens {
    ($($type:ty, $label:expr;)*) => {$(
        impl Place for $type {
            fn namespace(&self, _: &str) -> impl Listens {
                self.clone()
            }
        }

        impl Listens for $type {
            fn label(&self, declared: &str) -> String {
                let label: fn(&Self, &str) -> String = $label;
                label(self, declared)
            }

            fn on_declared<M: 'static>(&self, event: &'static str, handler: impl Handler<M>) {
                self.on_event(event, handler);
            }

            fn on_undeclared<M: 'static>(&self, handler: impl Handler<M>) {
                self.on_unknown_event(handler);
            }
        }
    )*};
}

listens! {
    Namespace, |namespace, _| namespace.name().to_owned();
    // all of a rule are counted together
    ParentNamespace, |_, declared| declared.to_owned();
}

/// A contract that is being served: what broke it is counted here. A handle, cheap to clone;
/// dropping it changes nothing.
#[derive(Clone)]
pub struct Served(Arc<Inner>);

struct Inner {
    rules: Rules,
    namespace: String,
    events: &'static [&'static str],
    invalid: Box<[AtomicU64]>,
    unknown: AtomicU64,
}

/// How many invalid events a socket sent.
#[derive(Clone, Copy)]
struct Broken(u32);

impl Served {
    /// The counters of a contract that has these events.
    #[doc(hidden)]
    #[must_use]
    pub fn new(
        rules: Rules,
        namespace: &'static str,
        events: &'static [&'static str],
        place: &impl Listens,
    ) -> Self {
        let invalid = events.iter().map(|_| AtomicU64::new(0)).collect();
        let unknown = AtomicU64::new(0);
        let namespace = place.label(namespace);
        let served = Self(Arc::new(Inner { rules, namespace, events, invalid, unknown }));
        if rules.on_unknown != OnUnknown::Ignore {
            let counted = served.clone();
            place.on_undeclared(move |socket: Socket, EventName(event): EventName| {
                counted.on_unknown(&socket, &event)
            });
        }
        served
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.0.rules
    }

    /// How many invalid events there were of each that is declared.
    pub fn invalid_events(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.invalid.iter().map(|count| count.load(Ordering::Relaxed));
        self.0.events.iter().copied().zip(counts)
    }

    /// How many events there were that nobody declared; not counted with [`OnUnknown::Ignore`].
    #[must_use]
    pub fn unknown_events(&self) -> u64 {
        self.0.unknown.load(Ordering::Relaxed)
    }

    /// Sets the counters `socketio_invalid_events_total` (labels `namespace`, `event`: declared ones
    /// only) and `socketio_unknown_events_total` (label `namespace`) of the current `metrics`
    /// recorder. The namespace is the one that the contract is served in, or the declared one if it is
    /// served in those of a rule. Call it whenever the metrics are collected.
    #[cfg(feature = "metrics")]
    pub fn publish_metrics(&self) {
        let namespace = &self.0.namespace;
        for (event, count) in self.invalid_events() {
            let labels = [("namespace", namespace.clone()), ("event", event.to_owned())];
            metrics::counter!("socketio_invalid_events_total", &labels).absolute(count);
        }
        metrics::counter!("socketio_unknown_events_total", "namespace" => namespace.clone())
            .absolute(self.unknown_events());
    }

    pub(crate) fn count_invalid(&self, event: usize) {
        if let Some(count) = self.0.invalid.get(event) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells the client, in its acknowledgement if that can say it.
    pub(crate) fn on_invalid(
        &self,
        error: &InvalidEvent,
        socket: &Socket,
        answer: Option<&mut impl Acknowledge>,
    ) {
        if self.0.rules.on_invalid == OnInvalid::Ignore {
            return;
        }
        match answer {
            // fails only if the client is gone
            Some(to) => drop(to.answer((Tagged::<(), Refusal<'_>>(Err(error.into())),))),
            None => tell(socket, error),
        }
        if let OnInvalid::Disconnect { after } = self.0.rules.on_invalid {
            let Broken(before) = socket.extensions().get().unwrap_or(Broken(0));
            socket.extensions().insert(Broken(before.saturating_add(1)));
            if before + 1 >= after.get() {
                socket.disconnect(false);
            }
        }
    }

    fn on_unknown(&self, socket: &Socket, event: &str) -> Result<(), BoxError> {
        self.0.unknown.fetch_add(1, Ordering::Relaxed);
        let invalid = Invalid::new("unknown event");
        let error = invalid.of(shortened(event, 64));
        tell(socket, &error);
        if self.0.rules.on_unknown == OnUnknown::Disconnect {
            socket.disconnect(false);
        }
        Err(error.into())
    }
}

/// Who sends too much that is wrong and reads nothing is not told of all of it.
fn tell(socket: &Socket, error: &InvalidEvent) {
    // fails only if the client is gone, or does not read
    let _ = socket.when_full(OverflowPolicy::DropNewest).emit(TOLD, (Told::from(error),));
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("namespace", &self.0.namespace)
            .field("rules", &self.0.rules)
            .finish_non_exhaustive()
    }
}
