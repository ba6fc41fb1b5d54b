//! Connection state recovery: its options, how it went, and what a socket keeps for it.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engineio::{LimitCounters, OptionsError, Request};
use engineio_proto::guard::lock;
use socketio_adapter::{
    Claim, Clock, NotRecovered, Prepared, RecoveryCounters, RecoveryOptions, SharedRecovery,
};
use socketio_parser::Value;
use tokio::sync::watch;

use crate::limits::Limit;

/// How clients come back to their sessions after their connections broke, see
/// [`Builder::connection_state_recovery`](crate::Builder::connection_state_recovery). The bounds are
/// those of each namespace, and each counts how often it acted, see [`Limit`](crate::observe::Limit).
///
/// ```
/// use std::time::Duration;
/// use socketio::options::ConnectionStateRecovery;
/// use socketio::Server;
///
/// let mut recovery = ConnectionStateRecovery::default();
/// recovery.max_disconnection_duration = Duration::from_secs(30);
/// let io = Server::builder().connection_state_recovery(recovery).build();
/// # assert!(io.is_ok());
/// ```
// Node: connectionStateRecovery
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectionStateRecovery {
    /// How long a client may be away (2 minutes).
    pub max_disconnection_duration: Duration,
    /// Whether the middleware of namespaces is skipped for clients that come back (true).
    pub skip_middlewares: bool,
    /// Events that are kept (10,000); beyond, the oldest are let go of.
    pub max_kept_packets: usize,
    /// Bytes of the events that are kept (16 MiB); beyond, as above.
    pub max_kept_bytes: usize,
    /// How long an event is kept; `None` (the default): as long as a client may be away, and as a
    /// connection may be dead before that is noticed: `ping_interval`, twice `ping_timeout` and ten
    /// seconds.
    pub max_kept_age: Option<Duration>,
    /// Sessions of clients that are away (10,000); beyond, the oldest are let go of.
    pub max_away_sessions: usize,
    identify: Option<Identify>,
}

type Identify = Arc<dyn Fn(&Request, &Value) -> String + Send + Sync>;

impl ConnectionStateRecovery {
    /// Binds sessions to identities: a session is given back only to a client of the same. `identify`
    /// is given the request that opened the connection, and what the client sent with its wish to join
    /// (`auth`; null if it sent nothing). Without it, who knows the private id of a session has the
    /// session.
    ///
    /// ```
    /// use socketio::options::ConnectionStateRecovery;
    /// use socketio::serve::Request;
    /// use socketio::Value;
    ///
    /// let recovery = ConnectionStateRecovery::default().bind_to(|_: &Request, auth: &Value| {
    ///     auth.get("user").and_then(Value::as_str).unwrap_or_default().to_owned()
    /// });
    /// # let _ = recovery;
    /// ```
    #[must_use]
    pub fn bind_to(
        mut self,
        identify: impl Fn(&Request, &Value) -> String + Send + Sync + 'static,
    ) -> Self {
        self.identify = Some(Arc::new(identify));
        self
    }

    /// Checks the options.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let times = [
            ("max_disconnection_duration", Some(self.max_disconnection_duration)),
            ("max_kept_age", self.max_kept_age),
        ];
        for (name, time) in times {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(OptionsError::Zero(name));
            }
        }
        let counts = [
            ("max_kept_packets", self.max_kept_packets),
            ("max_kept_bytes", self.max_kept_bytes),
            ("max_away_sessions", self.max_away_sessions),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(OptionsError::Zero(name)),
            None => Ok(()),
        }
    }

    /// What the adapter in memory has to know of it; a client may be cut off for so long before anybody
    /// notices.
    pub(crate) fn for_adapter(
        &self,
        silence: Duration,
        counters: &Arc<RecoveryCounters>,
    ) -> RecoveryOptions {
        let clock = Clock::new(|| tokio::time::Instant::now().into_std());
        let mut options = RecoveryOptions::new(clock);
        options.max_disconnection_duration = self.max_disconnection_duration;
        options.max_packets = self.max_kept_packets;
        options.max_bytes = self.max_kept_bytes;
        let age = self.max_disconnection_duration.saturating_add(silence);
        options.max_age = self.max_kept_age.unwrap_or(age);
        options.max_silence = silence;
        options.max_sessions = self.max_away_sessions;
        options.counters = Arc::clone(counters);
        options
    }

    /// What an adapter has to know of it whose nodes share a log.
    pub(crate) const fn for_shared_log(&self) -> SharedRecovery {
        SharedRecovery {
            max_disconnection_duration: self.max_disconnection_duration,
            max_packets: self.max_kept_packets,
            max_bytes: self.max_kept_bytes,
        }
    }

    pub(crate) fn identity(&self, request: &Request, auth: &Value) -> String {
        self.identify.as_ref().map(|identify| identify(request, auth)).unwrap_or_default()
    }
}

impl Default for ConnectionStateRecovery {
    fn default() -> Self {
        Self {
            max_disconnection_duration: Duration::from_secs(120),
            skip_middlewares: true,
            max_kept_packets: 10_000,
            max_kept_bytes: 16 * 1024 * 1024,
            max_kept_age: None,
            max_away_sessions: 10_000,
            identify: None,
        }
    }
}

impl fmt::Debug for ConnectionStateRecovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionStateRecovery")
            .field("max_disconnection_duration", &self.max_disconnection_duration)
            .field("skip_middlewares", &self.skip_middlewares)
            .finish_non_exhaustive()
    }
}

/// Whether a socket goes on with a session that its client had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum Recovery {
    /// It has the id, the rooms and the data of the session.
    Recovered {
        /// Events that were sent again, as the client had not got them.
        missed: usize,
    },
    /// It is a fresh socket.
    NotRecovered(NotRecovered),
}

impl Recovery {
    /// Why not; `None`: it does.
    pub(crate) const fn why(self) -> Option<NotRecovered> {
        match self {
            Self::Recovered { .. } => None,
            Self::NotRecovered(why) => Some(why),
        }
    }
}

/// What a server with recovery has for it.
#[derive(Debug)]
pub(crate) struct Recovering {
    pub(crate) options: ConnectionStateRecovery,
    pub(crate) counters: Arc<RecoveryCounters>,
}

impl Recovering {
    /// Adds to the counters of the server what those of the adapter counted.
    pub(crate) fn count(&self, limits: &LimitCounters<Limit>) {
        let RecoveryCounters { packets, bytes, age, sessions, .. } = &*self.counters;
        for (limit, count) in [
            (Limit::KeptPackets, packets),
            (Limit::KeptPacketBytes, bytes),
            (Limit::KeptPacketAge, age),
            (Limit::AwaySessions, sessions),
        ] {
            limits.add(limit, count.swap(0, Relaxed));
        }
    }
}

/// The session of a socket.
pub(crate) struct SocketSession {
    pub(crate) claim: Claim,
    /// It was there before the socket was.
    pub(crate) resumed: bool,
    /// What the adapter made ready, until the socket has entered.
    prepared: Mutex<Option<Prepared>>,
    outcome: Mutex<Recovery>,
    /// The ping that is to say what the client has taken, while it is unanswered.
    marked: Mutex<Option<Marked>>,
    ended: watch::Sender<bool>,
}

#[derive(Clone, Copy)]
struct Marked {
    /// Pongs until that of the ping.
    pongs: u16,
    mark: u64,
}

impl SocketSession {
    /// A session that begins; why none of before goes on.
    pub(crate) fn fresh(claim: Claim, why: NotRecovered) -> Self {
        Self::new(claim, None, Recovery::NotRecovered(why))
    }

    /// A session that goes on.
    pub(crate) fn resumed(claim: Claim, prepared: Prepared) -> Self {
        Self::new(claim, Some(prepared), Recovery::Recovered { missed: 0 })
    }

    fn new(claim: Claim, prepared: Option<Prepared>, outcome: Recovery) -> Self {
        let (ended, _) = watch::channel(false);
        let (resumed, prepared) = (prepared.is_some(), Mutex::new(prepared));
        let (outcome, marked) = (Mutex::new(outcome), Mutex::default());
        Self { claim, resumed, prepared, outcome, marked, ended }
    }

    pub(crate) fn prepared(&self) -> Option<Prepared> {
        lock(&self.prepared).clone()
    }

    pub(crate) fn outcome(&self) -> Recovery {
        *lock(&self.outcome)
    }

    /// The client got so many events again.
    pub(crate) fn entered(&self, missed: usize) {
        let prepared = lock(&self.prepared).take();
        drop(prepared);
        if self.resumed {
            *lock(&self.outcome) = Recovery::Recovered { missed };
        }
    }

    pub(crate) fn is_marked(&self) -> bool {
        lock(&self.marked).is_some()
    }

    /// The last of so many pings that are unanswered is sent behind the mark.
    pub(crate) fn mark(&self, pongs: u16, mark: u64) {
        lock(&self.marked).get_or_insert(Marked { pongs, mark });
    }

    /// A ping was answered; the mark, if it was the one behind it.
    pub(crate) fn answered(&self) -> Option<u64> {
        let mut marked = lock(&self.marked);
        let Marked { pongs, mark } = (*marked)?;
        *marked = (pongs > 1).then_some(Marked { pongs: pongs - 1, mark });
        (pongs <= 1).then_some(mark)
    }

    /// The socket is over, and its handlers were told.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Waits for that.
    pub(crate) async fn ended(&self) {
        // the sender is borrowed
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}
