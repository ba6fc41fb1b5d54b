//! What all sessions of a server share: options, bounds, counters, the table of sessions, and how far
//! the end of the server has come. It knows no handle and no listener.

mod closing;
pub(crate) mod crossings;
pub(crate) mod cut;
pub(crate) mod elsewhere;
pub(crate) mod inbound;
pub(crate) mod relay;
pub(crate) mod requests;
mod sessions;
pub(crate) mod shutdown;
mod snapshot;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use engineio_proto::guard::{self, LogThrottle, lock};
use engineio_proto::{Message, Protocol, Times, TransportKind};

use crate::application::{Application, Context, IntoApplication};
use crate::engine::crossings::Crossings;
use crate::engine::inbound::Inbound;
use crate::engine::relay::Relay;
use crate::engine::shutdown::{Phase, Shutdown};
use crate::limits::addresses::{Address, AddressTable, PeerPermit};
use crate::limits::connections::Connections;
use crate::nodes::Nodes;
use crate::options::Options;
use crate::options::error::OptionsError;
use crate::outbound::bounds::Bounds;
use crate::request::Request;
use crate::request::proxies::TrustedProxies;
use crate::session::parting::Told;
use crate::session::socket::Socket;
use crate::stats::Counters;

use sessions::{ById, ByIdentity, Sessions, shrink};

/// A server, as its parts share it.
pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) proxies: TrustedProxies,
    pub(crate) counters: Arc<Counters>,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) times: Arc<Times>,
    pub(crate) inbound: Inbound,
    pub(crate) connections: Arc<Connections>,
    sessions: Mutex<Sessions>,
    /// `None`: nothing is bounded by address.
    pub(crate) addresses: Option<AddressTable>,
    pub(crate) crossings: Crossings,
    application: OnceLock<Box<dyn IntoApplication>>,
    /// Who carries requests to sessions of other nodes.
    relay: OnceLock<Box<dyn Relay>>,
    /// The other nodes, and the way to them.
    nodes: OnceLock<Arc<Nodes>>,
    closing: AtomicBool,
    /// Set once the server closes.
    told: OnceLock<Arc<Told>>,
    /// How many [`Draining`]s there are, also those that came to their end.
    draining: AtomicUsize,
    /// Ways to drop the listeners.
    listeners: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    pub(crate) shutdown: Arc<Shutdown>,
    /// Lines about origins that were refused.
    pub(crate) refused_origins: LogThrottle,
    /// Lines about messages that were too large.
    pub(crate) too_large: LogThrottle,
}

/// Why a session was not put into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotInserted {
    /// There is one with its id.
    Taken,
    /// There are `max_sessions`.
    Full,
    /// The server is closed.
    Closing,
    /// The server is being drained.
    Draining,
}

impl Engine {
    pub(crate) fn new(options: Options) -> Result<Self, OptionsError> {
        options.check()?;
        let proxies = options.proxies()?;
        Ok(Self {
            bounds: Arc::new(Bounds::new(&options)),
            times: Arc::new(options.times()),
            inbound: Inbound::new(options.max_total_inbound_bytes),
            connections: Arc::new(Connections::new(options.max_connections)),
            addresses: AddressTable::new(&options),
            crossings: Crossings::default(),
            options,
            proxies,
            counters: Arc::default(),
            sessions: Mutex::default(),
            application: OnceLock::new(),
            relay: OnceLock::new(),
            nodes: OnceLock::new(),
            closing: AtomicBool::new(false),
            told: OnceLock::new(),
            draining: AtomicUsize::new(0),
            listeners: Mutex::default(),
            shutdown: Arc::new(Shutdown::new()),
            refused_origins: LogThrottle::default(),
            too_large: LogThrottle::default(),
        })
    }

    /// Marks the server as draining; the sessions that are to be closed.
    pub(crate) fn start_draining(&self) -> Vec<Socket> {
        let sessions = lock(&self.sessions);
        // under the lock: who is not in the table now will not come into it
        self.draining.fetch_add(1, Ordering::AcqRel);
        sessions.by_id.iter().map(|session| session.0.clone()).collect()
    }

    /// Takes sessions again, if nobody else drains.
    pub(crate) fn stop_draining(&self) {
        self.draining.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire) > 0
    }

    /// Whether connections are to end after the request that they serve.
    pub(crate) fn is_finishing(&self) -> bool {
        self.is_closing() && self.shutdown.phase() >= Phase::Finish
    }

    pub(crate) fn session(&self, id: &str) -> Option<Socket> {
        lock(&self.sessions).by_id.get(id).map(|session| session.0.clone())
    }

    /// Puts a session into the table.
    pub(crate) fn insert(&self, socket: &Socket) -> Result<(), NotInserted> {
        let mut sessions = lock(&self.sessions);
        // under the lock, which the closing server takes after it set the mark
        if self.is_closing() {
            return Err(NotInserted::Closing);
        }
        if self.is_draining() {
            return Err(NotInserted::Draining);
        }
        if self.is_full() {
            return Err(NotInserted::Full);
        }
        if !sessions.by_id.insert(ById(socket.clone())) {
            return Err(NotInserted::Taken);
        }
        self.counters.session_opened();
        Ok(())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.options.max_sessions.is_some_and(|max| self.session_count() >= max)
    }

    /// Requests do not find the session any more.
    pub(crate) fn forget(&self, socket: &Socket) {
        let mut sessions = lock(&self.sessions);
        if sessions.take(socket) {
            sessions.leaving.insert(ByIdentity(socket.clone()));
        }
        let is_last = sessions.by_id.is_empty();
        drop(sessions);
        self.finish_after(is_last);
    }

    /// With the last session that requests could find, connections of a closed server have done
    /// their duty.
    fn finish_after(&self, is_last: bool) {
        if is_last && self.is_closing() {
            self.shutdown.advance(Phase::Finish);
        }
    }

    /// The session's task ended.
    pub(crate) fn session_gone(&self, socket: &Socket) {
        let mut sessions = lock(&self.sessions);
        if !sessions.take(socket) {
            sessions.leaving.remove(&ByIdentity(socket.clone()));
            shrink(&mut sessions.leaving);
        }
        let is_last = sessions.by_id.is_empty();
        drop(sessions);
        self.counters.session_gone();
        let _ = guard::call(|| self.finish_after(is_last));
        let _ = guard::call(|| self.shutdown.notify()); // whoever waits is code of others
    }

    /// Those that requests find.
    pub(crate) fn open_sessions(&self) -> Vec<Socket> {
        lock(&self.sessions).by_id.iter().map(|session| session.0.clone()).collect()
    }

    pub(crate) fn all_sessions(&self) -> Vec<Socket> {
        let sessions = lock(&self.sessions);
        let leaving = sessions.leaving.iter().map(|session| &session.0);
        sessions.by_id.iter().map(|session| &session.0).chain(leaving).cloned().collect()
    }

    /// What is known of the address that a request comes from, if anything is bounded by it.
    pub(crate) fn address_of(&self, request: &Request, now: Instant) -> Option<Arc<Address>> {
        let addresses = self.addresses.as_ref()?;
        Some(addresses.get(&self.options, request.remote_addr()?.ip(), now))
    }

    /// A permit for a connection among those of its peer's address. A proxy brings those of many.
    ///
    /// # Errors
    /// There are `max_connections_per_address`.
    pub(crate) fn connection_of(&self, peer: SocketAddr) -> Result<Option<PeerPermit>, ()> {
        let (Some(max), Some(addresses)) =
            (self.options.max_connections_per_address, &self.addresses)
        else {
            return Ok(None);
        };
        if self.proxies.trusts(peer.ip()) {
            return Ok(None);
        }
        let now = tokio::time::Instant::now().into_std();
        let address = addresses.get(&self.options, peer.ip(), now);
        address.acquire_connection(max).map(Some).ok_or(())
    }

    pub(crate) fn session_count(&self) -> usize {
        self.counters.sessions.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn allows(&self, transport: TransportKind) -> bool {
        self.options.transports.contains(&transport)
    }

    /// Whether a polling session of this protocol may be upgraded to a transport.
    pub(crate) fn may_upgrade(&self, protocol: Protocol, to: TransportKind) -> bool {
        let is_one = self.options.allow_upgrades && to != TransportKind::Polling;
        is_one && to.carries(protocol) && self.allows(to)
    }

    /// What it may be upgraded to.
    pub(crate) fn upgrades(&self, protocol: Protocol) -> Vec<TransportKind> {
        let all = self.options.transports.iter().copied();
        all.filter(|transport| self.may_upgrade(protocol, *transport)).collect()
    }

    /// Says who is above the sessions. False: that was said before.
    pub(crate) fn set_application(&self, application: impl IntoApplication) -> bool {
        self.application.set(Box::new(application)).is_ok()
    }

    pub(crate) fn application(&self, socket: &Socket) -> Box<dyn Application> {
        match self.application.get() {
            Some(application) => application.application(socket),
            None => Box::new(Nobody),
        }
    }

    /// Keeps the way to drop a listener; at once, if the server is closed.
    pub(crate) fn keep_listener(&self, stop: Box<dyn FnOnce() + Send>) {
        let mut listeners = lock(&self.listeners);
        if self.is_closing() {
            drop(listeners);
            stop();
        } else {
            listeners.push(stop);
        }
    }

    /// The end of all sessions, and of all listeners and connections of ours.
    pub(crate) async fn all_ended(&self) {
        self.until(|| self.session_count() == 0 && !self.shutdown.is_waiting()).await;
    }

    /// The end of all sessions, of a server that takes no new ones.
    pub(crate) async fn no_sessions(&self) {
        self.until(|| self.session_count() == 0).await;
    }

    /// The end of all sessions of a closed server.
    pub(crate) async fn sessions_ended(&self) {
        self.until(|| self.is_closing() && self.session_count() == 0).await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            // registered before looking, so that no end is missed
            let mut ended = std::pin::pin!(self.shutdown.next_end());
            ended.as_mut().enable();
            if is_so() {
                return;
            }
            ended.await;
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("path", &self.options.path)
            .field("sessions", &self.session_count())
            .finish_non_exhaustive()
    }
}

/// The layer above of a server that has none.
struct Nobody;

impl Application for Nobody {
    fn on_message(&mut self, _: Message<'_>, _: &mut Context<'_>) {}
}
