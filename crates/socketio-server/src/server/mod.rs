//! The API's `Server`: the engine and the namespaces.

pub(crate) mod builder;
pub(crate) mod client_files;
mod extract;
pub(crate) mod layer;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
mod namespaces;
mod root;

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use engineio::{
    Application, Attached, Bind, Closing, Draining, EngineService, HttpService, Listener, NotFound,
    Origins, Protocol,
};
use engineio_proto::guard::lock;
use socketio_adapter::AdapterFactory;
use socketio_parser::{Parser, Revision};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::Client;
use crate::connection::Connection;
use crate::connection::core::Core;
use crate::error::BuildError;
use crate::events::failures::{AckErrors, Failures, HandlerError};
use crate::events::observer::Observers;
use crate::events::tap::Tapped;
use crate::limits::Limits;
use crate::membership::Nodes;
use crate::membership::members::NodeInfo;
use crate::namespace::registry::Registry;
use crate::namespace::{Namespace, Shared};
use crate::recovery::Recovering;
use crate::server::client_files::Files;
use crate::stats::Stats;

/// A Socket.IO server; a handle, cheap to clone.
///
/// Its methods for sending and listening are those of the namespace `/`, see [`Server::sockets`].
// Node 2.0: Class Server
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    engine: engineio::Server,
    /// Further engines, closed with the server.
    bound: Mutex<Vec<engineio::Server>>,
    root: Namespace,
    adapter: Arc<dyn AdapterFactory>,
    files: Option<Arc<Files>>,
    nodes: Option<Nodes>,
    /// What its connections keep of it.
    core: Arc<Core>,
}

/// What the builder decided.
pub(crate) struct Parts {
    pub(crate) engine: engineio::Server,
    pub(crate) adapter: Arc<dyn AdapterFactory>,
    pub(crate) files: Option<Files>,
    pub(crate) parser: Parser,
    pub(crate) limits: Limits,
    pub(crate) state: http::Extensions,
    pub(crate) connect_timeout: Duration,
    pub(crate) root_first: bool,
    pub(crate) observers: Observers,
    pub(crate) ack_errors: AckErrors,
    pub(crate) recovery: Option<Recovering>,
    pub(crate) tap: Tapped,
    pub(crate) nodes: Option<Nodes>,
}

impl Server {
    pub(crate) fn from_parts(parts: Parts) -> Self {
        let Parts {
            engine,
            adapter,
            files,
            parser,
            limits,
            state,
            connect_timeout,
            root_first,
            observers,
            ack_errors,
            recovery,
            tap,
            nodes,
        } = parts;
        let encoder = parser.encoder();
        let recovery = recovery.filter(|_| encoder.has_offsets()).map(Arc::new);
        let shared = Shared {
            encoder,
            limits: Arc::new(limits),
            counters: Arc::default(),
            server_events: Arc::default(),
            state: Arc::new(state),
            observers,
            owner: Arc::default(),
            recovery,
        };
        let owner = Arc::clone(&shared.owner);
        let registry = Registry::new(Arc::clone(&adapter), shared.clone());
        let root = registry.get_or_make("/");
        let mut core = Core::new(
            engine.clone(),
            registry,
            shared,
            parser,
            connect_timeout,
            root_first,
            Failures::new(ack_errors),
        );
        core.tap = tap;
        let server = Self(Arc::new(Inner {
            bound: Mutex::default(),
            engine,
            root,
            adapter,
            files: files.map(Arc::new),
            nodes,
            core: Arc::new(core),
        }));
        let inner: Arc<dyn Any + Send + Sync> = Arc::clone(&server.0) as _;
        let _ = owner.set(Arc::downgrade(&inner));
        server.serve_engine(&server.0.engine);
        server
    }

    fn serve_engine(&self, engine: &engineio::Server) -> bool {
        // weak: the engine must not keep alive what keeps it alive
        let weak: Weak<Inner> = Arc::downgrade(&self.0);
        engine.on_connection(move |conn: &engineio::Socket| -> Box<dyn Application> {
            match weak.upgrade() {
                Some(inner) => Self(inner).onconnection(conn.clone()),
                // no service, listener or handle is left that could have brought it
                None => Box::new(Gone),
            }
        })
    }

    /// Serves the connections of another engine as well, of one under another path. The server
    /// must be kept alive, and closes the engine with itself.
    ///
    /// # Errors
    /// [`BuildError::DuplicatePath`] if the server has an engine of this path, and
    /// [`BuildError::EngineInUse`] if the engine serves something else.
    // Node 2.0: server.bind
    pub fn bind(&self, engine: &engineio::Server) -> Result<&Self, BuildError> {
        let mut bound = lock(&self.0.bound);
        let path = path_of(engine);
        if bound.iter().chain([&self.0.engine]).any(|other| path_of(other) == path) {
            return Err(BuildError::DuplicatePath(path.to_owned()));
        }
        if !self.serve_engine(engine) {
            return Err(BuildError::EngineInUse);
        }
        bound.push(engine.clone());
        Ok(self)
    }

    /// Makes the client of an engine's connection: the application that the connection's task
    /// calls. For advanced use; [`Server::bind`] does it for all connections of an engine.
    // Node 2.0: server.onconnection
    #[must_use]
    pub fn onconnection(&self, conn: engineio::Socket) -> Box<dyn Application> {
        let revision = match conn.protocol() {
            Protocol::V3 => Revision::V4,
            Protocol::V4 => Revision::V5,
        };
        Box::new(Connection::new(Arc::clone(&self.0.core), Client::new(conn, revision)))
    }

    /// Listens to clients that send faster than they may, see [`Options::max_message_rate`] and
    /// those beside it: called when that begins. The client is not read for a while; if it does not
    /// come to rest it is disconnected after [`Options::rate_grace`]. The listener runs in the
    /// client's task; its panic ends that connection.
    ///
    /// ```
    /// use socketio::options::Rate;
    /// use socketio::Server;
    ///
    /// # fn main() -> Result<(), socketio::options::BuildError> {
    /// let rate = Rate::per_second(50).burst(500);
    /// let io = Server::builder().engine(|engine| engine.max_message_rate = Some(rate)).build()?;
    /// io.on_rate_limited(|client, limit| {
    ///     println!("{:?} is too fast: {}", client.conn().remote_addr(), limit.option());
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Options::max_message_rate`]: crate::options::Options::max_message_rate
    /// [`Options::rate_grace`]: crate::options::Options::rate_grace
    pub fn on_rate_limited(
        &self,
        listener: impl Fn(&Client, engineio::Limit) + Send + Sync + 'static,
    ) {
        lock(&self.0.core.rate_listeners).push(Arc::new(listener));
    }

    /// Listens to the failures of handlers and middleware: called when one returned `Err`, but for a
    /// [`ConnectError`](crate::ConnectError), or could not be called because what it asks for could
    /// not be made. The same is logged, at warn if it is not the client's fault and else at info, ten
    /// lines of each within ten seconds. The listener runs in the client's task, before the socket's
    /// `error` event; if it panics, that is logged.
    ///
    /// ```
    /// # fn example(io: socketio::Server) {
    /// io.on_handler_error(|failed| match failed.as_invalid() {
    ///     Some(wrong) => println!("{} sent {:?}: {wrong}", failed.socket().id(), failed.event()),
    ///     None => eprintln!("{:?} failed: {}", failed.event(), failed.error()),
    /// });
    /// # }
    /// ```
    pub fn on_handler_error(&self, listener: impl Fn(&HandlerError<'_>) + Send + Sync + 'static) {
        self.0.core.failures.listen(listener);
    }

    // ---- ways in ----------------------------------------------------------------------------

    /// Listens on a port, an address or a `"host:port"`, with an HTTP server of our own that
    /// answers 404 to other paths.
    ///
    /// # Errors
    /// What binding says.
    // Node 2.0: server.listen(port)
    pub async fn listen(&self, addresses: impl Bind) -> io::Result<Attached> {
        self.attach(addresses.bind().await?)
    }

    /// Serves what a listener accepts: a `TcpListener`, or one of your own, as for TLS.
    ///
    /// # Errors
    /// If the listener does not know its own address.
    // Node 2.0: server.attach
    pub fn attach<L: Listener>(&self, listener: L) -> io::Result<Attached> {
        self.attach_service(listener, self.service())
    }

    /// Serves what a listener accepts through a service of your own, usually one made by
    /// [`Server::fallback`].
    ///
    /// # Errors
    /// If the listener does not know its own address.
    pub fn attach_service<L: Listener, S: HttpService>(
        &self,
        listener: L,
        service: S,
    ) -> io::Result<Attached> {
        self.0.engine.attach_service(listener, service)
    }

    /// Listens for HTTP/3 on a UDP port, for clients that come by WebTransport: directly, or by an
    /// upgrade from polling. The address is that of the TCP listener, as clients take the same host
    /// and port. [`Server::close`] and [`Server::drain`] are for what came by it, too.
    ///
    /// [`webtransport::listen`](crate::serve::webtransport::listen) takes options besides, and the
    /// [engine](Server::engine).
    ///
    /// ```no_run
    /// use socketio::options::TransportKind;
    /// use socketio::serve::webtransport::Tls;
    ///
    /// # async fn run() -> Result<(), socketio::BoxError> {
    /// let io = socketio::Server::builder().transports(TransportKind::ALL).build()?;
    /// let tcp = io.listen(3000).await?;
    /// let tls = Tls::from_pem(std::fs::read("chain.pem")?, std::fs::read("key.pem")?)?;
    /// io.listen_webtransport(tcp.local_addr(), tls).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if `TransportKind::WebTransport` is not one of the
    /// [transports](crate::Builder::transports); what binding says.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    // Node 4.x: transports, webtransport
    #[cfg(feature = "webtransport")]
    pub async fn listen_webtransport(
        &self,
        addresses: impl tokio::net::ToSocketAddrs,
        tls: crate::serve::webtransport::Tls,
    ) -> io::Result<crate::serve::webtransport::Attached> {
        let options = crate::serve::webtransport::Options::default();
        crate::serve::webtransport::listen(&self.0.engine, addresses, tls, options).await
    }

    /// A tower service that answers requests below the path, and all others with 404.
    #[must_use]
    pub fn service(&self) -> EngineService<NotFound> {
        self.fallback(NotFound)
    }

    /// Serves one connection over any stream until it ends, such as one of a test.
    pub async fn serve_connection<Io>(&self, io: Io, peer: SocketAddr)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.0.engine.serve_connection(io, peer, self.service()).await;
    }

    /// Ends the server: listening stops and all clients are disconnected with
    /// `server shutting down`, at once; those of [bound](Server::bind) engines as well. The
    /// `disconnecting` and `disconnect` handlers of all sockets run before the first connection is
    /// closed, if they take no longer than `leave_timeout` (1 s): what they send to others is
    /// delivered, also to other nodes. So is what was sent before; a client that polls has
    /// `close_timeout` to fetch it.
    ///
    /// The result can be awaited for the end of all connections, [bounded](Closing::within) if you
    /// like, or dropped; handlers are not waited for, so a handler may await it.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(io: socketio::Server) {
    /// io.close().within(Duration::from_secs(20)).await;
    /// # }
    /// ```
    // Node 2.0: server.close
    pub fn close(&self) -> Closing {
        let bound = lock(&self.0.bound).clone();
        let server = self.clone();
        engineio::Server::close_together(std::iter::once(&self.0.engine).chain(&bound), move || {
            // what is beyond this node ends without being waited for
            server
                .0
                .core
                .registry
                .all()
                .iter()
                .for_each(|namespace| drop(namespace.adapter().close()));
            if let Some(nodes) = &server.0.nodes {
                nodes.leave();
            }
        })
    }

    /// Moves the clients elsewhere before the server ends: each connection is closed, with
    /// `server shutting down`, at a random moment within `over`, and new ones are answered 503
    /// with `Retry-After` meanwhile, so that a load balancer gives them to another server. Clients
    /// come back by themselves.
    ///
    /// It does its work while it is awaited; dropping it stops it, see [`Draining`]. A
    /// [`Server::close`] meanwhile ends what is left at once, and the wait with it. Usually the one
    /// follows the other:
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(io: socketio::Server) {
    /// io.drain(Duration::from_secs(30)).await;
    /// io.close().within(Duration::from_secs(5)).await;
    /// # }
    /// ```
    pub fn drain(&self, over: Duration) -> Draining {
        let bound = lock(&self.0.bound).clone();
        let draining = self.0.engine.drain(over);
        if let Some(nodes) = &self.0.nodes {
            nodes.note();
        }
        bound.iter().fold(draining, |all, engine| all.and(engine.drain(over)))
    }

    /// Whether new connections are refused: [`Server::drain`] was called and not dropped, or
    /// [`Server::close`]. What a readiness check asks for.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.engine.is_draining()
    }

    /// Closes the server at the first SIGTERM or SIGINT (Ctrl-C): in good order within the time,
    /// or at once at the second signal. The future must be awaited, and resolves when the server
    /// has ended.
    ///
    /// Dropping it before the first signal leaves the server as it is, but not the process: it has
    /// taken those signals over. [`Signals`] is for other ends than this one.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example() -> std::io::Result<()> {
    /// let io = socketio::Server::new();
    /// io.listen(3000).await?;
    /// io.close_on_signal(Duration::from_secs(20))?.await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the system refuses to listen to signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// [`Signals`]: crate::serve::Signals
    #[cfg(feature = "signal")]
    pub fn close_on_signal(
        &self,
        within: Duration,
    ) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let mut signals = crate::serve::Signals::new()?;
        let server = self.clone();
        Ok(async move {
            signals.next().await;
            server.close().within(within).until(signals.next()).await;
        })
    }

    // ---- what it is -------------------------------------------------------------------------

    /// The engine below.
    // Node 2.0: server.engine
    #[must_use]
    pub fn engine(&self) -> &engineio::Server {
        &self.0.engine
    }

    /// The path whose requests are the server's, without a trailing slash.
    // Node 2.0: server.path
    #[must_use]
    pub fn path(&self) -> &str {
        path_of(&self.0.engine)
    }

    /// Whether the client's files are served.
    // Node 2.0: server.serveClient
    #[must_use]
    pub fn serve_client(&self) -> bool {
        self.0.files.is_some()
    }

    /// What makes the namespaces' adapters.
    // Node 2.0: server.adapter
    #[must_use]
    pub fn adapter(&self) -> &dyn AdapterFactory {
        &*self.0.adapter
    }

    /// Which origins may connect.
    // Node 2.0: server.origins
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.0.engine.options().origins
    }

    /// The nodes of the cluster as this one knows them, itself first; empty without
    /// [`Builder::nodes`](crate::Builder::nodes).
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeInfo> {
        self.0.nodes.as_ref().map(Nodes::list).unwrap_or_default()
    }

    /// A snapshot of what the server counts, with all of its engines.
    ///
    /// It looks at each connection and each socket: meant to be taken now and then.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut engine = self.0.engine.stats();
        let bound = lock(&self.0.bound).clone();
        bound.iter().for_each(|bound| engine += bound.stats());
        let core = &self.0.core;
        let mut stats = core.counters.snapshot(engine);
        (stats.detached_handlers, stats.detached_bytes) = core.detached.counts();
        stats.limits = stats.engine.limits.clone();
        if let Some(recovering) = &core.shared.recovery {
            recovering.count(&core.shared.counters);
        }
        stats.limits.extend(core.shared.counters.counts());
        let namespaces = core.registry.all();
        stats.namespaces = namespaces.len();
        for namespace in &namespaces {
            let connected = namespace.connected();
            stats.sockets += connected.len();
            stats.pending_acks += connected.iter().map(|s| s.pending_acks()).sum::<usize>();
            stats.rooms += namespace.adapter().room_count();
        }
        stats
    }

    // ---- for the crate ----------------------------------------------------------------------

    pub(crate) fn files(&self) -> Option<&Files> {
        self.0.files.as_deref()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("engine", &self.0.engine).finish_non_exhaustive()
    }
}

/// An engine's path, without a trailing slash.
fn path_of(engine: &engineio::Server) -> &str {
    let path = &engine.options().path;
    path.strip_suffix('/').unwrap_or(path)
}

/// The application of a session whose server is gone.
struct Gone;

impl Application for Gone {
    fn on_message(&mut self, _: engineio::Message<'_>, _: &mut engineio::Context<'_>) {}
}
