//! The handle of a server: the ways in and out.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::payload::Form as PayloadForm;
use engineio_proto::{HandshakeError, Protocol, TransportKind};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::admission::{self, Admission, AdmitError};
use crate::application::IntoApplication;
use crate::close::{Closing, Draining};
use crate::engine::Engine;
use crate::engine::elsewhere::Found;
use crate::engine::relay::{Relay, RequestError};
use crate::http::adopt;
use crate::http::from_nodes::FromNodes;
use crate::http::layer::EngineLayer;
use crate::http::service::EngineService;
use crate::listen::accept::{self, Attached};
use crate::listen::serve::{self, From, Peer};
use crate::listen::{self, Bind, HttpService, Listener, NotFound};
use crate::nodes::Question;
use crate::nodes::ask::{SHORT, ask};
use crate::nodes::options::NodesOptions;
use crate::options::Options;
use crate::options::error::OptionsError;
use crate::presence::Presence;
use crate::request::Request;
use crate::session::socket::Socket;
use crate::stats::Stats;
use crate::transport::polling::PollAnswer;

/// An Engine.IO server; a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Server(Arc<Engine>);

impl Server {
    /// A server with these options.
    ///
    /// # Errors
    /// The first option that makes no sense.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        Ok(Self(Arc::new(Engine::new(options)?)))
    }

    /// Says what becomes of new sessions. Before it is said, what they send is dropped.
    ///
    /// The first call counts: sessions have one layer above them. False: it was not the first.
    pub fn on_connection(&self, application: impl IntoApplication) -> bool {
        self.0.set_application(application)
    }

    /// Listens on a port, an address or a `"host:port"`; other paths are answered 404.
    ///
    /// # Errors
    /// What binding says.
    pub async fn listen(&self, addresses: impl Bind) -> io::Result<Attached> {
        let listener = listen::bind(addresses).await?;
        self.attach(listener)
    }

    /// Serves what a listener accepts.
    ///
    /// # Errors
    /// If the listener does not know its own address.
    pub fn attach<L: Listener>(&self, listener: L) -> io::Result<Attached> {
        self.attach_service(listener, self.fallback(NotFound))
    }

    /// Serves what a listener accepts through a service of one's own, usually one that has
    /// [`Server::fallback`] in it.
    ///
    /// # Errors
    /// If the listener does not know its own address.
    pub fn attach_service<L, S>(&self, listener: L, service: S) -> io::Result<Attached>
    where
        L: Listener,
        S: HttpService,
    {
        accept::attach(&self.0, listener, service, From::Clients)
    }

    /// Serves one connection over any stream, until it ends. For streams that no listener accepts,
    /// such as those of tests.
    pub async fn serve_connection<Io, S>(&self, io: Io, peer: SocketAddr, service: S)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: HttpService,
    {
        let peer = Peer { addr: peer, is_secure: false, from: From::Clients };
        serve::serve_connection(&self.0, io, peer, service).await;
    }

    /// A tower service: requests below the path are the engine's, all others go to `inner`.
    #[must_use]
    pub fn fallback<S>(&self, inner: S) -> EngineService<S> {
        EngineService::new(Arc::clone(&self.0), inner)
    }

    /// A tower layer that puts [`Server::fallback`] in front of another service.
    #[must_use]
    pub fn layer(&self) -> EngineLayer {
        EngineLayer::new(Arc::clone(&self.0))
    }

    /// Asks whether the client of a request may open a session, for streams that no HTTP server
    /// brings: the stream of a WebTransport session, say, whose CONNECT is the request, and is
    /// answered by the outcome. [`Admission::serve`] takes the stream then.
    ///
    /// The checks are those of every handshake, in the same order: whether the server takes sessions,
    /// [`max_connect_rate_per_address`](Options::max_connect_rate_per_address),
    /// [`allow_request`](Options::set_allow_request), else [`origins`](Options::origins).
    /// [`TransportKind::WebTransport`] must be one of [`transports`](Options::transports).
    ///
    /// Cancel safe: a future that is dropped has admitted nobody, though the handshake counts for the
    /// rate of its address.
    ///
    /// # Errors
    /// [`AdmitError`], and by [`AdmitError::status`] what the client is told.
    ///
    /// ```no_run
    /// # async fn example(server: engineio::Server, stream: tokio::io::DuplexStream) -> Option<()> {
    /// use engineio::{RemoteAddr, Request, Secure};
    ///
    /// let connect = http::Request::connect("/engine.io/")
    ///     .header("origin", "https://example.com")
    ///     .extension(RemoteAddr(([192, 0, 2, 1], 4433).into()))
    ///     .extension(Secure)
    ///     .body(())
    ///     .ok()?;
    /// let admission = server.admit(Request::from(connect)).await.ok()?;
    /// // the 200 goes out, and the client opens its stream
    /// let socket = admission.serve(stream).await.ok()?;
    /// # Some(())
    /// # }
    /// ```
    pub async fn admit(&self, request: Request) -> Result<Admission, AdmitError> {
        let admitted = match self.0.allows(TransportKind::WebTransport) {
            true => admission::admit(&self.0, request).await,
            false => Err(HandshakeError::TransportUnknown.into()),
        };
        admitted.inspect_err(|error| admission::refused(&self.0, error))
    }

    /// Whether requests for a path, without its query, are this server's: those below the option
    /// [`path`](Options::path).
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.0.options.prefix());
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// For a listener that brings streams without HTTP: the end of the server waits for it.
    #[must_use]
    pub fn presence(&self) -> Presence {
        Presence::of_listener(&self.0)
    }

    /// The same for a connection of such a listener, which has a place among those of its address.
    /// `None`: there are
    /// [`max_connections_per_address`](Options::max_connections_per_address).
    #[must_use]
    pub fn connection(&self, peer: SocketAddr) -> Option<Presence> {
        Presence::of_connection(&self.0, peer)
    }

    /// Takes over a connection whose request for an upgrade another HTTP server has read: `head` is that
    /// request, `prefix` what was read of the stream behind it. The answer is written to the stream, with
    /// [`AnswerHeaders`] of the head's extensions, and if it is 101 a session goes on with it, a new one
    /// or the one that the request names; else the stream is shut down. [`RemoteAddr`](crate::RemoteAddr)
    /// and [`Secure`](crate::Secure) are taken from the extensions, too. A [`TcpStream`] is written
    /// without a detour, as those of our own listeners are.
    ///
    /// The request is below the path: whether it is the engine's is the caller's matter. Gives the
    /// status of the answer, when that is written.
    ///
    /// Not cancel safe: a future that is dropped takes the stream with it, and an opened session.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// ```no_run
    /// # async fn example(server: engineio::Server, stream: tokio::net::TcpStream) {
    /// let request = http::Request::get("/engine.io/?EIO=4&transport=websocket")
    ///     .header("host", "example.com")
    ///     .header("connection", "Upgrade")
    ///     .header("upgrade", "websocket")
    ///     .header("sec-websocket-version", "13")
    ///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    /// let (head, ()) = request.body(()).expect("a request").into_parts();
    /// let status = server.adopt(stream, head, b"").await;
    /// # let _ = status;
    /// # }
    /// ```
    ///
    /// [`AnswerHeaders`]: crate::AnswerHeaders
    /// [`TcpStream`]: tokio::net::TcpStream
    pub async fn adopt<S>(
        &self,
        stream: S,
        head: http::request::Parts,
        prefix: &[u8],
    ) -> http::StatusCode
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        adopt::adopt(Arc::clone(&self.0), stream, head, prefix).await
    }

    /// Says who carries requests to the sessions of other nodes, for servers without sticky sessions.
    /// Before it is said there are none. A relay of one's own makes ids that name this node, by
    /// [`generate_id`](Options::set_generate_id).
    ///
    /// The first call counts. False: it was not the first.
    pub fn relay_by(&self, relay: impl Relay) -> bool {
        self.0.set_relay(relay)
    }

    /// Says who the other nodes are and how requests get to them, for servers behind a load balancer
    /// that gives each request to any of them. From then on the ids of this server's sessions begin
    /// with the tag of its node, unless [`generate_id`](Options::set_generate_id) makes others; the
    /// requests of sessions that other nodes have are passed on to them, polls, POSTs and WebSockets,
    /// bodies as they come; and what nodes tell each other in heads is taken off the requests of clients.
    /// Other nodes reach this one by [`Server::attach_nodes`].
    ///
    /// The first call counts. False: it was not the first.
    ///
    /// # Errors
    /// The first option that makes no sense.
    pub fn relay_to(&self, nodes: NodesOptions) -> Result<bool, OptionsError> {
        nodes.check()?;
        Ok(self.0.set_nodes(nodes))
    }

    /// Serves the other nodes, which pass requests on to this one: for sessions that are here, and with
    /// the secret of [`Server::relay_to`] only. It goes on until a closing server's last session is
    /// over. Clients must not reach this listener: what it is told about the address of a client it
    /// believes.
    ///
    /// # Errors
    /// If the listener does not know its own address, or it is one that others reach and there is no
    /// secret.
    pub fn attach_nodes<L: Listener>(&self, listener: L) -> io::Result<Attached> {
        let has_secret = self.0.nodes().is_some_and(|nodes| nodes.secret().is_some());
        let addr = listener.local_addr()?;
        if !has_secret && !addr.ip().to_canonical().is_loopback() {
            let why = format!("nodes that listen on {addr}, which others reach, need a secret");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        accept::attach(&self.0, listener, FromNodes(Arc::clone(&self.0)), From::Nodes)
    }

    /// Asks the node at an address who it is: what its [`Directory`](crate::Directory) says
    /// [about](crate::Directory::about) it. Cancel safe.
    ///
    /// # Errors
    /// There are no nodes, this one cannot be reached, takes longer than 5 s, or has another secret.
    pub async fn ask_node(&self, address: &str) -> io::Result<Bytes> {
        let no = |why: &'static str| io::Error::new(io::ErrorKind::NotConnected, why);
        let nodes = self.0.nodes().ok_or_else(|| no("there are no other nodes"))?;
        let (pools, secret, nobody) = (&nodes.pools, nodes.secret(), (None, None));
        match ask(pools, secret, address, Question::Who, nobody, SHORT).await {
            Ok(told) if told.status == 200 => Ok(told.body),
            Ok(_) => Err(no("the node has another secret, or is none")),
            Err(_) => Err(no("the node cannot be reached")),
        }
    }

    /// Where the session with an id is. Of another node, what its [`Relay`] makes of the id.
    #[must_use]
    pub fn find(&self, sid: &str) -> Found {
        self.0.find(sid)
    }

    /// Polls for the client of a session of this server, as an HTTP request of its would: waits for
    /// packets. `text_only`: protocol 3, its answer may hold no bytes. One poll of a session at a time.
    ///
    /// Not cancel safe: a future that is dropped while it waits is a client that went away, and ends
    /// the session with `transport error`. So it must be driven to its end as long as there is a
    /// client; the heartbeat sees to it that it comes to one.
    ///
    /// # Errors
    /// [`RequestError`]: the session is not here, does not poll, or was polled already.
    pub async fn poll(
        &self,
        sid: &str,
        protocol: Protocol,
        text_only: bool,
    ) -> Result<PollAnswer, RequestError> {
        self.0.poll_by_id(sid, protocol, text_only).await
    }

    /// Posts packets for the client of a session of this server, as an HTTP request of its would:
    /// resolves when they are taken, or its client is to go on before. What in them is wrong ends the
    /// session, and is no error here. One POST of a session at a time.
    ///
    /// Cancel safe in that the packets are taken all the same, once it was polled; a next POST before
    /// that still overlaps.
    ///
    /// # Errors
    /// [`RequestError`]: the session is not here, does not poll, has a POST already, or the body is
    /// too large.
    pub async fn post(
        &self,
        sid: &str,
        form: PayloadForm,
        body: Bytes,
    ) -> Result<(), RequestError> {
        self.0.post_by_id(sid, form, body).await
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
        self.0.stats()
    }

    /// Takes a [snapshot](Server::stats) and [publishes](Stats::publish) it. Call it whenever the
    /// metrics are collected.
    #[cfg(feature = "metrics")]
    pub fn publish_metrics(&self) {
        self.stats().publish();
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
    /// when the applications of all [were told](crate::Application::on_server_close), so that what they
    /// send then reaches the others. What was sent before is still delivered; a client that polls
    /// has `close_timeout` to fetch it. Then the connections of our own listeners end, each after the request that it serves.
    ///
    /// The result can be awaited for the end of all connections,
    /// [bounded](Closing::within) if you like, or dropped. A second call is no error, and gives
    /// another way to wait.
    // Node 2.0: server.close
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
