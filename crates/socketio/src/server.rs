//! The seed's `Server`: the engine and the namespaces.

mod cluster;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use engineio::{
    Addresses, Application, Attached, Closing, Connect, EngineService, Listener, NotFound, Origins,
    Protocol,
};
use serde::Serialize;
use socketio_adapter::{AdapterError, AdapterFactory, Answers, IntoRooms, SocketId};
use socketio_parser::{Decoder, Encoder, Parser, Revision};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::builder::{BuildError, Builder};
use crate::bundle::Files;
use crate::client::Client;
use crate::dynamic::{NamespaceRule, ParentNamespace};
use crate::error::{ConnectError, EmitError};
use crate::handler::Handler;
use crate::limits::Limits;
use crate::lock;
use crate::namespace::{Namespace, Shared};
use crate::operator::BroadcastOperator;
use crate::registry::Registry;
use crate::service::SocketIoLayer;
use crate::socket::Socket;
use crate::task::Task;

/// A Socket.IO server; a handle, cheap to clone.
///
/// Its methods for sending and listening are those of the namespace `/`, see [`Server::sockets`].
// seed: Class Server
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    engine: engineio::Server,
    /// Further engines, closed with the server.
    bound: Mutex<Vec<engineio::Server>>,
    root: Namespace,
    registry: Arc<Registry>,
    adapter: Arc<dyn AdapterFactory>,
    files: Option<Arc<Files>>,
    shared: Shared,
    parser: Parser,
    packet_limits: Arc<socketio_parser::Limits>,
    connect_timeout: Duration,
    detached: Arc<AtomicUsize>,
    panics: AtomicU64,
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
}

impl Server {
    /// A server with the default options.
    // seed: new Server(options)
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a server is made on purpose")]
    pub fn new() -> Self {
        Builder::default().build().expect("the default options make sense")
    }

    /// Begins a server with options of one's own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        let Parts { engine, adapter, files, parser, limits, state, connect_timeout } = parts;
        let packet_limits = Arc::new(limits.packet.clone());
        let shared =
            Shared { encoder: parser.encoder(), limits: Arc::new(limits), state: Arc::new(state) };
        let registry = Registry::new(Arc::clone(&adapter), shared.clone());
        let server = Self(Arc::new(Inner {
            bound: Mutex::default(),
            engine,
            root: registry.get_or_make("/"),
            registry,
            adapter,
            files: files.map(Arc::new),
            shared,
            parser,
            packet_limits,
            connect_timeout,
            detached: Arc::default(),
            panics: AtomicU64::new(0),
        }));
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
    // seed: server.bind
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
    // seed: server.onconnection
    #[must_use]
    pub fn onconnection(&self, conn: engineio::Socket) -> Box<dyn Application> {
        let revision = match conn.protocol() {
            Protocol::V3 => Revision::V4,
            Protocol::V4 => Revision::V5,
        };
        Box::new(Task::new(self.clone(), Client::new(conn, revision)))
    }

    // ---- namespaces -------------------------------------------------------------------------

    /// The namespace `/`.
    // seed: server.sockets
    #[must_use]
    pub fn sockets(&self) -> &Namespace {
        &self.0.root
    }

    /// The namespace of this name, made on first use. A leading slash is added if it is missing;
    /// else names are compared as they are.
    // seed: server.of
    #[must_use]
    pub fn of(&self, name: &str) -> Namespace {
        match name {
            "" | "/" => self.0.root.clone(),
            name if name.starts_with('/') => self.0.registry.get_or_make(name),
            name => self.0.registry.get_or_make(&format!("/{name}")),
        }
    }

    /// Namespaces by a rule: one that does not exist is made when a client asks for a name that
    /// the rule allows, and removed again when nobody has it any more. What is added to the result
    /// concerns all of them.
    ///
    /// ```
    /// # use socketio::{Candidate, Server, Socket};
    /// # fn example(io: Server) {
    /// // a pattern
    /// io.of_matching("/game-*").on_connection(|socket: Socket| {
    ///     socket.emit("welcome", socket.namespace().name())
    /// });
    /// // a function of the name
    /// io.of_matching(|name: &str| name.len() == 37 && name.starts_with("/"));
    /// // or one that may take its time
    /// io.of_matching(async |candidate: Candidate| candidate.auth.is_some());
    /// # }
    /// ```
    // reference: server.of with a regular expression or a function, 2.1 and later
    pub fn of_matching<M: 'static>(&self, rule: impl NamespaceRule<M>) -> ParentNamespace {
        let hooks = self.0.registry.add_rule(rule);
        ParentNamespace::new(hooks, Arc::clone(&self.0.registry))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    // ---- ways in ----------------------------------------------------------------------------

    /// Listens on a port, an address or a `"host:port"`, with an HTTP server of our own that
    /// answers 404 to other paths.
    ///
    /// # Errors
    /// What binding says.
    // seed: server.listen(port)
    pub async fn listen(&self, addresses: impl Addresses) -> io::Result<Attached> {
        self.attach(addresses.bind().await?)
    }

    /// Serves what a listener accepts: a `TcpListener`, or one of your own, as for TLS.
    ///
    /// # Errors
    /// If the listener does not know its own address.
    // seed: server.attach
    pub fn attach<L: Listener>(&self, listener: L) -> io::Result<Attached> {
        self.attach_service(listener, self.service())
    }

    /// Serves what a listener accepts through a service of your own, usually one made by
    /// [`Server::fallback`].
    ///
    /// # Errors
    /// If the listener does not know its own address.
    pub fn attach_service<L: Listener, S: Connect>(
        &self,
        listener: L,
        service: S,
    ) -> io::Result<Attached> {
        self.0.engine.attach_service(listener, service)
    }

    /// A tower service that answers requests below the path, and all others with 404.
    #[must_use]
    pub fn service(&self) -> EngineService<NotFound> {
        self.fallback(NotFound)
    }

    /// A tower service that answers requests below the path, and passes all others to `inner`.
    #[must_use]
    pub fn fallback<S>(&self, inner: S) -> EngineService<S> {
        self.0.engine.service(inner).intercept(Arc::new(crate::service::Ours(self.clone())))
    }

    /// A tower layer that puts [`Server::fallback`] in front of another service, for axum and
    /// others.
    // seed: new Server(httpServer), server.attach(httpServer)
    #[must_use]
    pub fn layer(&self) -> SocketIoLayer {
        SocketIoLayer::new(self.clone())
    }

    /// Serves one connection over any stream until it ends, such as one of a test.
    pub async fn serve_stream<Io>(&self, io: Io, peer: SocketAddr)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.0.engine.serve_connection(io, peer, self.service()).await;
    }

    /// Ends the server: listening stops and all clients are disconnected with
    /// `server shutting down`, at once. The result can be awaited for the end of all connections,
    /// [bounded](Closing::within) if you like; handlers are not waited for, so a handler may await
    /// it.
    // seed: server.close
    pub fn close(&self) -> Closing {
        for engine in lock(&self.0.bound).drain(..) {
            drop(engine.close());
        }
        for namespace in self.0.registry.all() {
            // what is beyond this node ends without being waited for
            drop(namespace.adapter().close());
        }
        self.0.engine.close()
    }

    // ---- what it is -------------------------------------------------------------------------

    /// The engine below.
    // seed: server.engine
    #[must_use]
    pub fn engine(&self) -> &engineio::Server {
        &self.0.engine
    }

    /// The path whose requests are the server's, without a trailing slash.
    // seed: server.path
    #[must_use]
    pub fn path(&self) -> &str {
        path_of(&self.0.engine)
    }

    /// Whether the client's files are served.
    // seed: server.serveClient
    #[must_use]
    pub fn serve_client(&self) -> bool {
        self.0.files.is_some()
    }

    /// What makes the namespaces' adapters.
    // seed: server.adapter
    #[must_use]
    pub fn adapter(&self) -> &dyn AdapterFactory {
        &*self.0.adapter
    }

    /// Which origins may connect.
    // seed: server.origins
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.0.engine.options().origins
    }

    /// A snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let namespaces = self.0.registry.all();
        let connected = || namespaces.iter().flat_map(|namespace| namespace.connected());
        Stats {
            engine: self.0.engine.stats(),
            namespaces: namespaces.len(),
            sockets: namespaces.iter().map(|namespace| namespace.connected().len()).sum(),
            rooms: namespaces.iter().map(|namespace| namespace.adapter().room_count()).sum(),
            pending_acks: connected().map(|socket| socket.pending_acks()).sum(),
            detached_handlers: self.0.detached.load(Ordering::Relaxed),
            handler_panics: self.0.panics.load(Ordering::Relaxed),
        }
    }

    // ---- for the crate ----------------------------------------------------------------------

    pub(crate) fn files(&self) -> Option<&Files> {
        self.0.files.as_deref()
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.0.shared.encoder
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.shared.limits
    }

    pub(crate) fn decoder(&self, revision: Revision) -> Decoder {
        self.0.parser.decoder(revision, Arc::clone(&self.0.packet_limits))
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.0.connect_timeout
    }

    pub(crate) fn count_panic(&self) {
        self.0.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets the unfinished handlers of a connection that ended go on, in a task of their own.
    pub(crate) fn detach(&self, count: usize, handlers: impl Future<Output = ()> + Send + 'static) {
        if count == 0 {
            return;
        }
        let detached = Arc::clone(&self.0.detached);
        let before = detached.fetch_add(count, Ordering::Relaxed);
        if before + count > self.limits().max_detached_handlers {
            detached.fetch_sub(count, Ordering::Relaxed);
            tracing::warn!(count, "too many handlers outlive their connections: dropped");
            return;
        }
        tokio::spawn(async move {
            handlers.await;
            detached.fetch_sub(count, Ordering::Relaxed);
        });
    }
}

/// The methods of the namespace `/`.
impl Server {
    /// [`Namespace::on_connection`] of `/`.
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<M>) {
        self.0.root.on_connection(handler);
    }

    /// [`Namespace::on_connect`] of `/`.
    pub fn on_connect<M: 'static>(&self, handler: impl Handler<M>) {
        self.0.root.on_connect(handler);
    }

    /// [`Namespace::use_fn`] of `/`.
    pub fn use_fn<F, Fut, E>(&self, middleware: F)
    where
        F: FnOnce(Socket) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<ConnectError>,
    {
        self.0.root.use_fn(middleware);
    }

    /// [`Namespace::emit`] to `/`.
    ///
    /// # Errors
    /// Those of [`Namespace::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.0.root.emit(event, args)
    }

    /// [`Namespace::send`] to `/`.
    ///
    /// # Errors
    /// Those of [`Namespace::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        self.0.root.send(args)
    }

    /// [`Namespace::to`] of `/`.
    pub fn to(&self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.0.root.to(rooms)
    }

    /// [`Namespace::in_room`] of `/`.
    pub fn in_room(&self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.0.root.in_room(rooms)
    }

    /// [`Namespace::except`] of `/`.
    pub fn except(&self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.0.root.except(rooms)
    }

    /// [`Namespace::volatile`] of `/`.
    pub fn volatile(&self) -> BroadcastOperator {
        self.0.root.volatile()
    }

    /// [`Namespace::local`] of `/`.
    pub fn local(&self) -> BroadcastOperator {
        self.0.root.local()
    }

    /// [`Namespace::compress`] of `/`.
    pub fn compress(&self, compress: bool) -> BroadcastOperator {
        self.0.root.compress(compress)
    }

    /// [`Namespace::timeout`] of `/`.
    pub fn timeout(&self, timeout: Duration) -> BroadcastOperator {
        self.0.root.timeout(timeout)
    }

    /// [`Namespace::clients`] of `/`.
    ///
    /// # Errors
    /// Those of [`Namespace::clients`].
    pub async fn clients(&self) -> Result<Answers<SocketId>, AdapterError> {
        self.0.root.clients().await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("engine", &self.0.engine).finish_non_exhaustive()
    }
}

/// A snapshot of the server's counters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Those of the engine.
    pub engine: engineio::Stats,
    /// Namespaces.
    pub namespaces: usize,
    /// Connected sockets of all namespaces.
    pub sockets: usize,
    /// Rooms that were joined, of all namespaces; own-id rooms are not counted.
    pub rooms: usize,
    /// Acknowledgements that clients owe.
    pub pending_acks: usize,
    /// Handlers that go on after their connections ended.
    pub detached_handlers: usize,
    /// Panics of handlers and middleware, each of which ended its connection.
    pub handler_panics: u64,
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
