//! Rules for events that clients repeat: which they are, and by what one is told from others.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use engineio_proto::guard::{self, Panicked};
use engineio_proto::log;
use socketio_adapter::{
    Clock, DedupeCounters, DedupeKey, DedupeOptions, DedupeStore, Handled, MemoryDedupe, Turn,
};
use socketio_parser::{RawArgs, Value};

use crate::events::error::InvalidEvent;
use crate::events::ticket::Ticket;
use crate::limits::Limit;
use crate::socket::Socket;

/// Handles events once that clients send more than once, see [`Namespace::dedupe`]. The bounds are those
/// of each `Dedupe`, and each counts how often it acted, see [`Limit`]; a bound of 0 is taken
/// for 1.
///
/// ```
/// use socketio::events::Dedupe;
/// use socketio::{Data, Reply, Server, Socket};
///
/// # fn example(io: Server) {
/// io.of("/").dedupe(Dedupe::event("pay"));
/// io.on_connection(|socket: Socket| {
///     // the page: socket.emit("pay", 12.5, crypto.randomUUID(), (answer) => ..)
///     socket.on("pay", |Data((amount, _key)): Data<(f64, String)>| {
///         Reply(format!("paid {amount}")) // once, whatever the network does
///     });
/// });
/// # }
/// ```
///
/// [`Namespace::dedupe`]: crate::Namespace::dedupe
/// [`Limit`]: crate::observe::Limit
#[derive(Clone)]
#[non_exhaustive]
pub struct Dedupe {
    /// How long a handled event is remembered (5 minutes), from its answer on.
    pub keep: Duration,
    /// Events that are remembered of one scope (256); beyond, the oldest that was handled is forgotten.
    pub max_keys_per_scope: usize,
    /// Events that are remembered of all scopes (100,000); beyond, as above.
    pub max_keys: usize,
    /// Bytes of all that is remembered (64 MiB); beyond, as above.
    pub max_bytes: usize,
    /// Bytes of a key (128); an event with a longer one is invalid.
    pub max_key_len: usize,
    /// Bytes of an answer that is remembered (16 KiB), counted as
    /// [`max_pending_bytes`](crate::options::Limits::max_pending_bytes) counts arguments. A larger one is
    /// sent once; who repeats the event is told [`DedupeError::AlreadyDone`].
    pub max_answer_bytes: usize,
    /// What happens when a [store](Dedupe::store) fails (the event is handled).
    pub on_unavailable: Unavailable,
    events: Vec<Cow<'static, str>>,
    key: Option<KeyOf>,
    identity: Option<Identify>,
    store: Option<Arc<dyn DedupeStore>>,
}

/// Finds the key among the arguments.
type KeyOf = Arc<dyn Fn(&[Value]) -> Option<String> + Send + Sync>;

/// Says who a client is.
type Identify = Arc<dyn Fn(&Socket) -> Option<String> + Send + Sync>;

/// What becomes of an event when a [store](Dedupe::store) cannot say whether it was handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is handled or it is not")]
pub enum Unavailable {
    /// It is handled, perhaps not for the first time.
    #[default]
    Run,
    /// It is refused, see [`DedupeError::Unavailable`].
    Refuse,
}

/// Why an event was refused that a [`Dedupe`] is for. It raises the socket's `error` event, and the client
/// is told its code as of other failures, see [`AckErrors`](crate::options::AckErrors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DedupeError {
    /// It was handled before, and the answer was too large to be kept (code `already_done`).
    AlreadyDone,
    /// So many others are being handled that it cannot be noted (code `busy`).
    Busy,
    /// The store failed (code `unavailable`).
    Unavailable,
}

impl Dedupe {
    /// Of events of this name. The key is the last argument, a text that the client makes up for each
    /// event and keeps when it sends it again.
    pub fn event(name: impl Into<Cow<'static, str>>) -> Self {
        Self::events([name])
    }

    /// Of events of these names, each with keys of its own.
    pub fn events(names: impl IntoIterator<Item = impl Into<Cow<'static, str>>>) -> Self {
        Self {
            keep: Duration::from_secs(300),
            max_keys_per_scope: 256,
            max_keys: 100_000,
            max_bytes: 64 * 1024 * 1024,
            max_key_len: 128,
            max_answer_bytes: 16 * 1024,
            on_unavailable: Unavailable::default(),
            events: names.into_iter().map(Into::into).collect(),
            key: None,
            identity: None,
            store: None,
        }
    }

    /// Where the key is, if it is not the last argument. Events for which there is `None` are invalid.
    ///
    /// ```
    /// use socketio::Value;
    /// use socketio::events::Dedupe;
    ///
    /// let orders = Dedupe::event("order").key_by(|args: &[Value]| {
    ///     args.first()?.get("id")?.as_str().map(str::to_owned)
    /// });
    /// # let _ = orders;
    /// ```
    #[must_use]
    pub fn key_by(
        mut self,
        key: impl Fn(&[Value]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// Whose keys they are: those of one user are one scope, whatever connections it has. Without it, or
    /// where it says `None`, a scope is a session of [connection state
    /// recovery](crate::options::ConnectionStateRecovery), or, where that is off, a socket.
    ///
    /// ```
    /// use socketio::Socket;
    /// use socketio::events::Dedupe;
    ///
    /// #[derive(Clone)]
    /// struct User(String); // put in by middleware
    ///
    /// let pay = Dedupe::event("pay")
    ///     .identify(|socket: &Socket| socket.extensions().get::<User>().map(|user| user.0));
    /// # let _ = pay;
    /// ```
    #[must_use]
    pub fn identify(
        mut self,
        identity: impl Fn(&Socket) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.identity = Some(Arc::new(identity));
        self
    }

    /// Where it is remembered, if not in the memory of this server: a store that several servers share. Its
    /// bounds are its own.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn DedupeStore>) -> Self {
        self.store = Some(store);
        self
    }
}

impl fmt::Debug for Dedupe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedupe").field("events", &self.events).finish_non_exhaustive()
    }
}

impl DedupeError {
    /// One word for it, and some more.
    pub(crate) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AlreadyDone => ("already_done", "handled before; the answer is not kept"),
            Self::Busy => ("busy", "too many events are being handled"),
            Self::Unavailable => ("unavailable", "it cannot be said whether it was handled before"),
        }
    }
}

impl fmt::Display for DedupeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)
    }
}

impl Error for DedupeError {}

/// A [`Dedupe`] at work.
pub(crate) struct Rule {
    dedupe: Dedupe,
    store: Arc<dyn DedupeStore>,
    counters: Arc<DedupeCounters>,
}

/// What is to be done with an event.
pub(crate) enum Begun {
    /// Its handlers are to be called; with a ticket, unless nobody can say what it is good for.
    Run(Option<Arc<Ticket>>),
    /// It was answered so.
    Repeat(Arc<[Value]>),
    /// It was handled, and not answered.
    Nothing,
    Refuse(DedupeError),
}

impl Rule {
    pub(crate) fn new(dedupe: Dedupe) -> Self {
        let clock = Clock::new(|| tokio::time::Instant::now().into_std());
        let mut options = DedupeOptions::new(clock);
        options.keep = dedupe.keep;
        options.max_keys_per_scope = dedupe.max_keys_per_scope.max(1);
        options.max_keys = dedupe.max_keys.max(1);
        options.max_bytes = dedupe.max_bytes.max(1);
        let counters = Arc::clone(&options.counters);
        let store = dedupe.store.clone();
        let store = store.unwrap_or_else(|| Arc::new(MemoryDedupe::new(options)));
        Self { dedupe, store, counters }
    }

    pub(crate) fn is_for(&self, event: &str) -> bool {
        self.dedupe.events.iter().any(|name| name == event)
    }

    /// What tells an event from others; calls code of the user.
    pub(crate) fn key_of(
        &self,
        socket: &Socket,
        event: &str,
        args: &RawArgs<'_>,
    ) -> Result<DedupeKey, InvalidEvent> {
        let values = args.to_values();
        let (key, at) = match &self.dedupe.key {
            None => {
                let last = values.len().saturating_sub(1);
                (values.last().and_then(Value::as_str).map(str::to_owned), format!("/{last}"))
            }
            Some(key) => (key(&values), String::new()),
        };
        let max = self.dedupe.max_key_len.max(1);
        let invalid = |why: Cow<'static, str>| InvalidEvent::new(event.to_owned(), at, why);
        let key = match key {
            None => return Err(invalid("expected a key, a string".into())),
            Some(key) if key.is_empty() => return Err(invalid("the key is empty".into())),
            Some(key) if key.len() > max => {
                return Err(invalid(format!("a key has {max} bytes at most").into()));
            }
            Some(key) => key,
        };
        let identity = self.dedupe.identity.as_ref().and_then(|identity| identity(socket));
        // the letter keeps one that a client chose from being another's secret
        let scope = match (identity, socket.session()) {
            (Some(identity), _) => format!("i{identity}"),
            (None, Some(session)) => format!("p{}", session.claim.pid),
            (None, None) => format!("s{}", socket.id()),
        };
        let namespace = socket.namespace().shared_name().clone();
        Ok(DedupeKey { namespace, scope, event: event.to_owned(), key })
    }

    /// Asks whose an event is; waits while another handles it.
    pub(crate) async fn begin(self: Arc<Self>, key: DedupeKey) -> Begun {
        let turn = match guard::call(|| self.store.claim(key.clone())) {
            Ok(claiming) => claiming.await,
            Err(Panicked) => return self.unavailable(&"it panicked"),
        };
        match turn {
            Ok(Turn::Yours) => {
                let (store, max) = (Arc::clone(&self.store), self.dedupe.max_answer_bytes);
                Begun::Run(Some(Arc::new(Ticket::new(store, key, max))))
            }
            Ok(Turn::Handled(Handled::Answered(values))) => Begun::Repeat(values),
            Ok(Turn::Handled(Handled::Unanswered)) => Begun::Nothing,
            Ok(Turn::Handled(Handled::TooLarge)) => Begun::Refuse(DedupeError::AlreadyDone),
            Ok(Turn::Full) => Begun::Refuse(DedupeError::Busy),
            Err(error) => self.unavailable(&error),
        }
    }

    fn unavailable(&self, why: &dyn fmt::Display) -> Begun {
        log!(warn: %why, "the store of handled events failed");
        match self.dedupe.on_unavailable {
            Unavailable::Run => Begun::Run(None),
            Unavailable::Refuse => Begun::Refuse(DedupeError::Unavailable),
        }
    }

    /// Tells how often each bound acted since it was asked last.
    pub(crate) fn count(&self, mut add: impl FnMut(Limit, u64)) {
        let DedupeCounters { scope_keys, keys, bytes, .. } = &*self.counters;
        for (limit, counter) in [
            (Limit::DedupeScopeKeys, scope_keys),
            (Limit::DedupeKeys, keys),
            (Limit::DedupeBytes, bytes),
        ] {
            if counter.load(Relaxed) > 0 {
                add(limit, counter.swap(0, Relaxed));
            }
        }
    }
}
