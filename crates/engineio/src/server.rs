//! The engine: its sessions, and the end of them all.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use std::{fmt, io};

use engineio_proto::guard::{self, lock};
use engineio_proto::{Message, TransportKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};

use crate::application::{Application, Context, IntoApplication};
use crate::close::{Closing, Draining, Told};
use crate::crossing::Crossings;
use crate::http::layer::EngineLayer;
use crate::http::service::EngineService;
use crate::inbound::Inbound;
use crate::limits::addresses::AddressTable;
use crate::limits::connections::Connections;
use crate::listen::{self, Addresses, Attached, Connect, Listener, NotFound, Peer};
use crate::options::{Options, OptionsError};
use crate::outbound::outbox::Bounds;
use crate::request::proxies::TrustedProxies;
use crate::session::socket::Socket;
use crate::stats::{Counters, Stats};

/// An Engine.IO server; a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Server(Arc<Engine>);

pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) proxies: TrustedProxies,
    pub(crate) counters: Arc<Counters>,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) inbound: Inbound,
    pub(crate) connections: Arc<Connections>,
    sessions: Mutex<Sessions>,
    /// `None`: nothing is bounded by address.
    pub(crate) addresses: Option<AddressTable>,
    pub(crate) crossings: Crossings,
    application: OnceLock<Box<dyn IntoApplication>>,
    pub(crate) closing: AtomicBool,
    /// Set once the server closes.
    pub(crate) told: OnceLock<Arc<Told>>,
    /// How many [`Draining`]s there are, also those that came to their end.
    pub(crate) draining: AtomicUsize,
    /// Ways to drop the listeners.
    pub(crate) listeners: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    pub(crate) phase: watch::Sender<Phase>,
    /// Told when the last session or the last connection of our own listeners ended.
    pub(crate) ended: Notify,
}

/// What our own listeners and their connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Run,
    /// Listeners are gone; connections go on until each session has ended, or has been fetched what
    /// waits for its next poll.
    Linger,
    /// Connections end after the request that they serve.
    Finish,
    /// Connections end at once.
    Abort,
}

/// The sessions whose tasks run.
#[derive(Default)]
struct Sessions {
    /// Those that requests find.
    by_id: HashSet<ById>,
    /// Those that are over for requests, but whose peers must still learn of it.
    leaving: HashSet<ByIdentity>,
}

/// A session in the table, found by its id.
struct ById(Socket);

/// A session that has given its id free.
struct ByIdentity(Socket);

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

impl Server {
    /// A server with these options.
    ///
    /// # Errors
    /// The first option that makes no sense.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        options.check()?;
        let proxies = TrustedProxies::parse(&options.trusted_proxies)?;
        Ok(Self(Arc::new(Engine {
            bounds: Arc::new(Bounds::new(&options)),
            inbound: Inbound::new(options.max_total_inbound_bytes),
            connections: Arc::new(Connections::new(options.max_connections)),
            addresses: AddressTable::new(&options),
            crossings: Crossings::default(),
            options,
            proxies,
            counters: Arc::default(),
            sessions: Mutex::default(),
            application: OnceLock::new(),
            closing: AtomicBool::new(false),
            told: OnceLock::new(),
            draining: AtomicUsize::new(0),
            listeners: Mutex::default(),
            phase: watch::Sender::new(Phase::Run),
            ended: Notify::new(),
        })))
    }

    /// Says what becomes of new sessions. Before it is said, what they send is dropped.
    ///
    /// The first call counts: sessions have one layer above them. False: it was not the first.
    pub fn on_connection(&self, application: impl IntoApplication) -> bool {
        self.0.application.set(Box::new(application)).is_ok()
    }

    /// Listens on a port, an address or a `"host:port"`; other paths are answered 404.
    ///
    /// # Errors
    /// What binding says.
    pub async fn listen(&self, addresses: impl Addresses) -> io::Result<Attached> {
        let listener = listen::bind(addresses).await?;
        self.attach(listener)
    }

    /// Serves what a listener accepts.
    ///
    /// # Errors
    /// If the listener does not know its own address.
    pub fn attach<L: Listener>(&self, listener: L) -> io::Result<Attached> {
        self.attach_service(listener, self.service(NotFound))
    }

    /// Serves what a listener accepts through a service of one's own, usually one that has
    /// [`Server::service`] in it.
    ///
    /// # Errors
    /// If the listener does not know its own address.
    pub fn attach_service<L, S>(&self, listener: L, service: S) -> io::Result<Attached>
    where
        L: Listener,
        S: Connect,
    {
        listen::attach(&self.0, listener, service)
    }

    /// Serves one connection over any stream, until it ends. For streams that no listener accepts,
    /// such as those of tests.
    pub async fn serve_connection<Io, S>(&self, io: Io, peer: SocketAddr, service: S)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Connect,
    {
        listen::serve_connection(&self.0, io, Peer { addr: peer, is_secure: false }, service).await;
    }

    /// A tower service: requests below the path are the engine's, all others go to `inner`.
    #[must_use]
    pub fn service<S>(&self, inner: S) -> EngineService<S> {
        EngineService::new(Arc::clone(&self.0), inner)
    }

    /// A tower layer that puts [`Server::service`] in front of another service.
    #[must_use]
    pub fn layer(&self) -> EngineLayer {
        EngineLayer::new(self.clone())
    }

    /// A live session by its id.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<Socket> {
        self.0.session(id)
    }

    /// The number of sessions: open ones, and closing ones that a client must still learn of.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.0.session_count()
    }

    /// A snapshot of what the server counts.
    ///
    /// It looks at each session, for the queues and the transports: meant to be taken now and then.
    /// [`Server::session_count`] by itself costs nothing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.0.counters.snapshot();
        stats.outbound_bytes = self.0.bounds.backlog.bytes();
        stats.inbound_bytes = self.0.inbound.bytes();
        stats.connections = self.0.connections.served();
        // handles first: not all queues are to be waited for while nobody can connect
        stats.look_at(&self.0.all_sessions());
        stats.draining = self.is_draining();
        stats
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// What an address counts as where something is bounded per address: itself, or the network
    /// of [`Options::ipv6_prefix`] bits that an IPv6 address is of.
    #[must_use]
    pub fn network_of(&self, address: IpAddr) -> IpAddr {
        crate::limits::addresses::network_of(address, self.0.options.ipv6_prefix)
    }

    /// Ends the server: listening stops and all sessions end with `server shutting down`, at once:
    /// when the applications of all [were told](Application::on_server_close), so that what they
    /// send then reaches the others. What was sent before is still delivered; a client that polls
    /// has `close_timeout` to fetch it. Then the connections of our own listeners end, each after the request that it serves.
    ///
    /// The result can be awaited for the end of all connections,
    /// [bounded](Closing::within) if you like, or dropped. A second call is no error, and gives
    /// another way to wait.
    // seed: server.close
    pub fn close(&self) -> Closing {
        Self::close_together([self], || {})
    }

    /// Ends several servers as one: no connection of any is closed before the applications of all
    /// were told. `then` runs when their sessions are closed, within `leave_timeout`, wherever that
    /// is found out: it must not block.
    pub fn close_together<'a>(
        servers: impl IntoIterator<Item = &'a Self>,
        then: impl FnOnce() + Send + 'static,
    ) -> Closing {
        Closing::begin(servers.into_iter().map(|server| Arc::clone(&server.0)).collect(), then)
    }

    /// Moves the clients elsewhere before the server ends: each session is closed, with
    /// `server shutting down`, at a random moment within `over`, so that the others are not called
    /// upon by all clients at the same time. New handshakes are answered 503 with `Retry-After`
    /// from now on; sessions that exist go on until it is their turn, and so do listeners and
    /// [`Server::attach_service`]'s other paths.
    ///
    /// It does its work while it is awaited; dropping it stops it, see [`Draining`]. A
    /// [`Server::close`] meanwhile ends what is left at once, and the wait with it. Usually the one
    /// follows the other:
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(server: engineio::Server) {
    /// server.drain(Duration::from_secs(30)).await;
    /// server.close().within(Duration::from_secs(5)).await;
    /// # }
    /// ```
    pub fn drain(&self, over: Duration) -> Draining {
        Draining::new(Arc::clone(&self.0), over)
    }

    /// Closes the server at the first SIGTERM or SIGINT (Ctrl-C): in good order within the time,
    /// or at once at the second signal. The future must be awaited, and resolves when the server
    /// has ended.
    ///
    /// Dropping it before the first signal leaves the server as it is, but not the process: it has
    /// taken those signals over.
    ///
    /// # Errors
    /// If the system refuses to listen to signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[cfg(feature = "signal")]
    pub fn close_on_signal(
        &self,
        within: Duration,
    ) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let mut signals = crate::signals::Signals::new()?;
        let server = self.clone();
        Ok(async move {
            signals.next().await;
            server.close().within(within).until(signals.next()).await;
        })
    }

    /// Whether [`Server::close`] was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Whether new sessions are refused: [`Server::drain`] was called and not dropped, or
    /// [`Server::close`]. What a readiness check asks for.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.is_draining() || self.0.is_closing()
    }
}

impl Engine {
    /// Goes on to a later phase.
    pub(crate) fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let is_later = to > *phase;
            *phase = to.max(*phase);
            is_later
        });
    }

    /// Marks the server as draining; the sessions that are to be closed.
    pub(crate) fn start_draining(&self) -> Vec<Socket> {
        let sessions = lock(&self.sessions);
        // under the lock: who is not in the table now will not come into it
        self.draining.fetch_add(1, Ordering::AcqRel);
        sessions.by_id.iter().map(|session| session.0.clone()).collect()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire) > 0
    }

    /// Whether connections are to end after the request that they serve.
    pub(crate) fn is_finishing(&self) -> bool {
        self.is_closing() && *self.phase.borrow() >= Phase::Finish
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
            self.advance(Phase::Finish);
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
        let _ = guard::call(|| self.ended.notify_waiters()); // whoever waits is code of others
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

    pub(crate) fn session_count(&self) -> usize {
        self.counters.sessions.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn allows(&self, transport: TransportKind) -> bool {
        self.options.transports.contains(&transport)
    }

    /// What a polling session may be upgraded to.
    pub(crate) fn upgrades(&self) -> &'static [TransportKind] {
        match self.options.allow_upgrades && self.allows(TransportKind::WebSocket) {
            true => &[TransportKind::WebSocket],
            false => &[],
        }
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
        self.until(|| self.session_count() == 0 && self.phase.receiver_count() == 0).await;
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
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if is_so() {
                return;
            }
            ended.await;
        }
    }
}

impl Sessions {
    /// Takes a session out from under its id. False: it is not there.
    fn take(&mut self, socket: &Socket) -> bool {
        let is_there = self.by_id.get(socket.id()).is_some_and(|session| session.0.is_same(socket));
        if is_there {
            self.by_id.remove(socket.id());
            shrink(&mut self.by_id);
        }
        is_there
    }
}

/// A burst leaves a large table behind; an idle server gives it back.
fn shrink<T: Eq + Hash>(table: &mut HashSet<T>) {
    if table.len() * 8 < table.capacity() {
        table.shrink_to(table.len() * 2);
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

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl PartialEq for ByIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }
}

impl Eq for ByIdentity {}

impl Hash for ByIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0.shared()).hash(state);
    }
}

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

/// The layer above of a server that has none.
struct Nobody;

impl Application for Nobody {
    fn on_message(&mut self, _: Message<'_>, _: &mut Context<'_>) {}
}
