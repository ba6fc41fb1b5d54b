//! The options of a server.

use std::sync::Arc;
use std::time::Duration;

use engineio::{
    AllowRequest, Cookie, Cors, GenerateId, Options, OptionsError, Origins, OverflowPolicy,
    PerMessageDeflate, Subprotocols, TransportKind,
};
use engineio_proto::log;
use socketio_adapter::{AdapterFactory, LocalAdapterFactory};
use socketio_parser::Parser;

use crate::error::{BuildError, NodesError};
use crate::events::failures::AckErrors;
use crate::events::observer::{Observer, Observers};
use crate::events::tap::{Tap, Tapped};
use crate::limits::Limits;
use crate::membership::Nodes;
use crate::recovery::{ConnectionStateRecovery, Recovering};
use crate::server::client_files::{ClientFiles, Files};
use crate::server::{Parts, Server};

/// The options of a [`Server`], each with its default; errors are found by [`Builder::build`].
///
/// ```
/// use std::time::Duration;
/// use socketio::options::Origins;
/// use socketio::Server;
///
/// # fn main() -> Result<(), socketio::options::BuildError> {
/// let io = Server::builder()
///     .ping_interval(Duration::from_secs(10))
///     .origins(Origins::list("https://example.test localhost:*")?)
///     .build()?;
/// # let _ = io;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder makes nothing before `build`"]
#[derive(Debug)]
pub struct Builder {
    engine: Options,
    adapter: Option<Arc<dyn AdapterFactory>>,
    files: ClientFiles,
    parser: Parser,
    limits: Limits,
    state: http::Extensions,
    connect_timeout: Duration,
    root_first: bool,
    observers: Observers,
    ack_errors: AckErrors,
    recovery: Option<ConnectionStateRecovery>,
    tap: Tapped,
    nodes: Option<Nodes>,
}

impl Default for Builder {
    fn default() -> Self {
        let mut engine = Options::default();
        engine.path = "/socket.io".to_owned();
        engine.cookie = Some(Cookie::default());
        Self {
            engine,
            adapter: None,
            files: ClientFiles::default(),
            parser: Parser::json(),
            limits: Limits::default(),
            state: http::Extensions::new(),
            connect_timeout: Duration::from_secs(45),
            root_first: true,
            observers: Observers::default(),
            ack_errors: AckErrors::told(),
            recovery: None,
            tap: Tapped::default(),
            nodes: None,
        }
    }
}

impl Server {
    /// A server with the default options.
    // Node 2.0: new Server(options)
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a server is made on purpose")]
    pub fn new() -> Self {
        Builder::default().build().expect("the default options make sense")
    }

    /// Begins a server with options of one's own.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Sets the options whose defaults differ between Socket.IO 2.0, which this crate follows, and
    /// 4.x to those of 4.x. Call it first: what is set later stays.
    ///
    /// | option | default | after this call |
    /// | --- | --- | --- |
    /// | [`ping_timeout`](Self::ping_timeout) | 60 s | 20 s |
    /// | [`cookie`](Self::cookie) | `io` | none |
    /// | [`cors`](Self::cors) | [`Cors::FromOrigins`] | [`Cors::Off`]: pages of other origins cannot poll |
    /// | [`allow_eio3`](Self::allow_eio3) | true | false: no clients 1.x and 2.x |
    /// | [`root_first`](Self::root_first) | true | false: for clients 2.x, if they are allowed again |
    ///
    /// Of the other options a server 4.x has the defaults that they have here anyway: no
    /// compression of WebSocket messages, 1 MB for the largest message, 45 s to join a namespace.
    ///
    /// ```
    /// use socketio::options::{Cors, Origins};
    /// use socketio::Server;
    ///
    /// let io = Server::builder()
    ///     .defaults_of_4x()
    ///     .origins(Origins::list("https://example.test")?)
    ///     .cors(Cors::FromOrigins) // as with `cors: { origin, credentials: true }` there
    ///     .build()?;
    /// # let _ = io;
    /// # Ok::<(), socketio::options::BuildError>(())
    /// ```
    // Node: defaults of 4.8
    pub fn defaults_of_4x(mut self) -> Self {
        self.engine.ping_timeout = Duration::from_secs(20);
        self.engine.cookie = None;
        self.engine.cors = Cors::Off;
        self.engine.allow_eio3 = false;
        self.root_first = false;
        self
    }

    /// The path whose requests are the server's (`/socket.io`); a trailing slash is dropped.
    // Node 2.0: server.path
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.engine.path = path.into();
        self
    }

    /// Whether, or which, files of the client are served below the path (release 4.8).
    // Node 2.0: server.serveClient
    pub fn serve_client(mut self, files: impl Into<ClientFiles>) -> Self {
        self.files = files.into();
        self
    }

    /// The nodes of the cluster, behind a load balancer without sticky sessions (none): requests of
    /// clients whose session another node has are passed on to it. See the
    /// [guide](crate::guide::no_sticky_sessions). Engines that are [bound](Server::bind) have no
    /// part in it.
    pub fn nodes(mut self, nodes: Nodes) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// What makes the namespaces' adapters (in memory).
    // Node 2.0: server.adapter
    pub fn adapter(mut self, adapter: impl AdapterFactory) -> Self {
        self.adapter = Some(Arc::new(adapter));
        self
    }

    /// How packets are written (JSON). All clients must use the same parser.
    // Node 2.0: parser
    pub fn parser(mut self, parser: Parser) -> Self {
        self.parser = parser;
        self
    }

    /// Which origins may connect (any).
    // Node 2.0: server.origins
    pub fn origins(mut self, origins: Origins) -> Self {
        self.engine.origins = origins;
        self
    }

    /// The reverse proxies that may say whom a request comes from: addresses and networks (none);
    /// see [`Options::trusted_proxies`].
    ///
    /// ```
    /// # use socketio::Server;
    /// let io = Server::builder().trusted_proxies(["127.0.0.1", "::1", "10.0.0.0/8"]).build();
    /// assert!(io.is_ok());
    /// let error = Server::builder().trusted_proxies(["localhost"]).build().unwrap_err();
    /// assert!(error.to_string().starts_with("option trusted_proxies: \"localhost\""));
    /// ```
    pub fn trusted_proxies<T: Into<String>>(mut self, list: impl IntoIterator<Item = T>) -> Self {
        self.engine.trusted_proxies = list.into_iter().map(Into::into).collect();
        self
    }

    /// Decides about each handshake, instead of `origins` (none).
    // Node 2.0: allowRequest
    pub fn allow_request<M: 'static>(mut self, allow: impl AllowRequest<M>) -> Self {
        self.engine.set_allow_request(allow);
        self
    }

    /// Makes the ids of connections (120 random bits).
    // Node 2.0: server.engine.generateId
    pub fn generate_id<M: 'static>(mut self, generate: impl GenerateId<M>) -> Self {
        self.engine.set_generate_id(generate);
        self
    }

    /// Which CORS headers answers carry (those that `origins` calls for).
    pub fn cors(mut self, cors: Cors) -> Self {
        self.engine.cors = cors;
        self
    }

    /// The cookie of a connection's first answer (`io`); `None`: none.
    pub fn cookie(mut self, cookie: impl Into<Option<Cookie>>) -> Self {
        self.engine.cookie = cookie.into();
        self
    }

    /// The transports that may be used (polling and websocket; webtransport, if the application brings
    /// its streams, see [`engineio::Server::admit`]), and the order in which upgrades are offered.
    // Node 2.0: transports
    pub fn transports(mut self, transports: impl IntoIterator<Item = TransportKind>) -> Self {
        self.engine.transports = transports.into_iter().collect();
        self
    }

    /// Whether clients 1.x and 2.x are served (true).
    pub fn allow_eio3(mut self, allow: bool) -> Self {
        self.engine.allow_eio3 = allow;
        self
    }

    /// Whether a polling connection may change to WebSocket (true).
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.engine.allow_upgrades = allow;
        self
    }

    /// The time between two heartbeats (25 s).
    // Node 2.0: pingInterval
    pub fn ping_interval(mut self, time: Duration) -> Self {
        self.engine.ping_interval = time;
        self
    }

    /// How long a heartbeat may stay unanswered (60 s).
    // Node 2.0: pingTimeout
    pub fn ping_timeout(mut self, time: Duration) -> Self {
        self.engine.ping_timeout = time;
        self
    }

    /// How long a client may take to decide an upgrade (10 s).
    pub fn upgrade_timeout(mut self, time: Duration) -> Self {
        self.engine.upgrade_timeout = time;
        self
    }

    /// How long a client 3.x or later may be connected without joining a namespace (45 s).
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// Whether clients 1.x and 2.x must be in `/` before they get into any other namespace (true),
    /// as in Socket.IO 2.0, where authentication is often the middleware of `/` alone. What they ask
    /// for while they are not in `/` waits until they are, without an answer: for ever, if the
    /// middleware of `/` refuses them. False: namespaces are independent of each other, as they always
    /// are for clients 3.x and later, and are for all clients of a server 3.x or later.
    pub fn root_first(mut self, root_first: bool) -> Self {
        self.root_first = root_first;
        self
    }

    /// What a client is told that asked for an acknowledgement, if the handler fails
    /// ([`AckErrors::told`]: what is wrong with what it sent, or that the handler failed).
    pub fn ack_errors(mut self, errors: AckErrors) -> Self {
        self.ack_errors = errors;
        self
    }

    /// Bytes of the largest message and the largest request body (1,000,000).
    pub fn max_http_buffer_size(mut self, bytes: usize) -> Self {
        self.engine.max_http_buffer_size = bytes;
        self
    }

    /// Packets in the answer to a poll (no bound); the rest goes with the next one. Clients in
    /// Python that poll need 16; see [`Options::max_packets_per_poll`].
    pub fn max_packets_per_poll(mut self, packets: impl Into<Option<usize>>) -> Self {
        self.engine.max_packets_per_poll = packets.into();
        self
    }

    /// Bytes from which on answers to polls are compressed (1024); `None`: never.
    pub fn http_compression(mut self, threshold: impl Into<Option<usize>>) -> Self {
        self.engine.http_compression = threshold.into();
        self
    }

    /// Which of the subprotocols that a client offers is selected (the first).
    ///
    /// ```
    /// use socketio::options::Subprotocols;
    /// use socketio::Server;
    ///
    /// let io = Server::builder().subprotocols(Subprotocols::list(["chat.v1"])?).build()?;
    /// # let _ = io;
    /// # Ok::<(), socketio::options::BuildError>(())
    /// ```
    // Node: the client's option `protocols`
    pub fn subprotocols(mut self, subprotocols: Subprotocols) -> Self {
        self.engine.subprotocols = subprotocols;
        self
    }

    /// How WebSocket messages are compressed with clients that can (`None`: they are not).
    ///
    /// ```
    /// use socketio::options::PerMessageDeflate;
    /// use socketio::Server;
    ///
    /// let mut deflate = PerMessageDeflate::default();
    /// deflate.threshold = 4096;
    /// let io = Server::builder().per_message_deflate(deflate).build();
    /// # assert!(io.is_ok());
    /// ```
    // Node 2.0: perMessageDeflate
    pub fn per_message_deflate(mut self, deflate: impl Into<Option<PerMessageDeflate>>) -> Self {
        self.engine.per_message_deflate = deflate.into();
        self
    }

    /// Bytes that may wait to be sent to one client (16 MiB).
    pub fn max_outbound_bytes(mut self, bytes: usize) -> Self {
        self.engine.max_outbound_bytes = bytes;
        self
    }

    /// Packets that may wait to be sent to one client (10,000).
    pub fn max_outbound_packets(mut self, packets: usize) -> Self {
        self.engine.max_outbound_packets = packets;
        self
    }

    /// Bytes that may wait to be sent in the whole server (1 GiB): beyond, the clients with the
    /// longest queues are disconnected; see [`Options::max_total_outbound_bytes`].
    pub fn max_total_outbound_bytes(mut self, bytes: usize) -> Self {
        self.engine.max_total_outbound_bytes = bytes;
        self
    }

    /// Bytes of what clients sent that may be kept in the whole server (1 GiB): beyond, the clients
    /// for which most is kept are disconnected; see [`Options::max_total_inbound_bytes`].
    pub fn max_total_inbound_bytes(mut self, bytes: usize) -> Self {
        self.engine.max_total_inbound_bytes = bytes;
        self
    }

    /// What happens to a client that does not take what it is sent (it is disconnected).
    pub fn slow_consumer(mut self, policy: OverflowPolicy) -> Self {
        self.engine.slow_consumer = policy;
        self
    }

    /// How long a client may take nothing while bytes wait for it (30 s).
    pub fn write_timeout(mut self, time: Duration) -> Self {
        self.engine.write_timeout = time;
        self
    }

    /// How long a client may go unread because its handlers do not finish (60 s).
    pub fn max_read_pause(mut self, time: Duration) -> Self {
        self.engine.max_read_pause = time;
        self
    }

    /// Connections of the server's own listeners at a time, idle ones and WebSockets included;
    /// further ones are answered 503 and closed (what file descriptors there are for, see
    /// [`Options::max_connections`]).
    pub fn max_connections(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.engine.max_connections = connections.into();
        self
    }

    /// Connections of one address to the server's own listeners that are not, or not yet, WebSockets
    /// (no bound); see [`Options::max_connections_per_address`].
    pub fn max_connections_per_address(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.engine.max_connections_per_address = connections.into();
        self
    }

    /// Clients at a time; further handshakes are answered 503 (no bound).
    pub fn max_sessions(mut self, sessions: impl Into<Option<usize>>) -> Self {
        self.engine.max_sessions = sessions.into();
        self
    }

    /// How long a client may take for a request's head (30 s) and for its body (60 s).
    pub fn request_timeouts(mut self, head: Duration, body: Duration) -> Self {
        self.engine.header_timeout = head;
        self.engine.body_timeout = body;
        self
    }

    /// How long a connection of the server's own listeners may be idle between two requests (75 s);
    /// see [`Options::keep_alive_timeout`].
    pub fn keep_alive_timeout(mut self, time: Duration) -> Self {
        self.engine.keep_alive_timeout = time;
        self
    }

    /// Further options of the engine.
    pub fn engine(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.engine);
        self
    }

    /// Further limits.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// State of the application, for handlers that ask for [`State<T>`](crate::State). One value of
    /// each type; shared state is an `Arc`.
    pub fn with_state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        self.state.insert(state);
        self
    }

    /// Adds an observer (none): it is told of sockets, rooms and events, in all namespaces. Without
    /// one, nothing is spent on it.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    /// Gives all events and acknowledgements of all sockets to one place, instead of listeners (none);
    /// see [`Tap`]. Without one, nothing is spent on it. A second call replaces the first.
    pub fn tap(mut self, tap: impl Tap) -> Self {
        self.tap = Tapped::new(tap);
        self
    }

    /// Lets clients 4.6 and later come back to their sessions when their connections broke: with their
    /// id, rooms and data, and to what they missed (`None`: they do not). See
    /// the [guide](crate::guide::recovery).
    ///
    /// It needs the JSON parser, and an adapter that can do it: that in memory, which the server makes
    /// itself, or one whose nodes share a log, such as `RedisAdapter::streams`.
    // Node: connectionStateRecovery
    pub fn connection_state_recovery(
        mut self,
        recovery: impl Into<Option<ConnectionStateRecovery>>,
    ) -> Self {
        self.recovery = recovery.into();
        self
    }

    /// Makes the server.
    ///
    /// # Errors
    /// [`BuildError`] names the first option that makes no sense.
    pub fn build(self) -> Result<Server, BuildError> {
        let Self {
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
        } = self;
        if let Some(recovery) = &recovery {
            recovery.check().map_err(BuildError::Options)?;
            if !parser.encoder().has_offsets() {
                log!(warn: "with a parser of one's own sessions are not recovered");
            }
        }
        let counters = Arc::default();
        if connect_timeout.is_zero() {
            return Err(BuildError::Options(OptionsError::Zero("connect_timeout")));
        }
        // the clock must be able to add it
        if connect_timeout > Duration::from_secs(60 * 60 * 24 * 365) {
            return Err(BuildError::Options(OptionsError::TooLong("connect_timeout")));
        }
        limits.check().map_err(BuildError::Options)?;
        if engine.origins.is_any() && engine.allow_request.is_none() && engine.cors != Cors::Off {
            log!(warn:
                "any origin may connect with its user's cookies: set `origins` for what is not public"
            );
        }
        let files = files.load().map_err(BuildError::ClientFiles)?;
        if files.as_ref().is_some_and(Files::is_missing) {
            log!(warn:
                "the client's files are not in this build: pages get no script from here; give a \
                 directory (`ClientFiles::dir`) or turn them off (`serve_client(false)`)"
            );
        }
        let local = || -> Arc<dyn AdapterFactory> {
            let local = LocalAdapterFactory::default().max_rooms_per_socket(limits.max_rooms);
            // a pong tells that its ping came, and what was sent before that
            let silence = engine.ping_timeout.saturating_mul(2);
            let silence = silence.saturating_add(engine.ping_interval).saturating_add(LATE);
            Arc::new(match &recovery {
                None => local,
                Some(recovery) => local.recovery(recovery.for_adapter(silence, &counters)),
            })
        };
        let adapter = adapter.unwrap_or_else(local);
        let engine = engineio::Server::new(engine)?;
        if let Some(nodes) = &nodes {
            engine.relay_to(nodes.0.options.clone())?;
            if !nodes.serve(&engine) {
                return Err(NodesError::InUse.into());
            }
        }
        Ok(Server::from_parts(Parts {
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
            recovery: recovery.map(|options| Recovering { options, counters }),
            tap,
            nodes,
        }))
    }
}

/// How late deadlines may be found, see the engine's patience.
const LATE: Duration = Duration::from_secs(10);
