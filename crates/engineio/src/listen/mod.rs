//! Our own HTTP server: hyper over a [`Listener`].

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, Ready, ready};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready as ready_or_return};
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::guard::lock;
use engineio_proto::log;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tower_service::Service;

use crate::engine::Engine;
use crate::engine::shutdown::{Phase, ShutdownGuard};
use crate::http::responses;
use crate::limits::Limit;
use crate::limits::addresses::PeerPermit;
use crate::limits::connections::ConnectionPermit;
use crate::listen::connection::Connection;
use crate::listen::head_timer::HeadTimer;
use crate::listen::last_response::Rest;
use crate::listen::stream::HttpStream;
use crate::patience;
use crate::request::{RemoteAddr, Secure};
use crate::scratch;
use crate::stats::Counters;
use crate::transport::websocket::TakeApart;

mod armed;
pub(crate) mod connection;
pub(crate) mod head_timer;
pub(crate) mod heads;
pub(crate) mod last_response;
pub(crate) mod spelling;
pub(crate) mod stream;

/// What hyper's read buffer has at least.
const MIN_BUFFER: usize = 8 * 1024;

/// Fields for which hyper has room without asking for memory.
const HYPER_FIELDS: usize = 100;

/// After an accept error that is not the peer's (no descriptors are left, say) the listener rests.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An accept error is logged so often at most: the one behind it lasts, and comes with each pause.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// What a connection that is one too many is given: enough for a request that is on its way.
const TURN_AWAY: Duration = Duration::from_secs(1);

/// Where connections come from: TCP, or a listener of one's own, as for TLS.
pub trait Listener: Send + 'static {
    /// The stream of a connection. A handshake of its own (TLS) belongs into its first reads and
    /// writes, so that a slow peer holds up nobody else.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection and the address of its peer. Errors are logged and the listener goes on
    /// after a pause.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, SocketAddr)>>;

    /// The address that is listened on.
    ///
    /// # Errors
    /// If it is not known.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Whether its connections are encrypted (false), which [`Request::is_secure`] then says of
    /// their requests.
    ///
    /// [`Request::is_secure`]: crate::Request::is_secure
    fn is_secure(&self) -> bool {
        false
    }
}

impl Listener for TcpListener {
    type Io = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, addr) = ready_or_return!(Self::poll_accept(self, cx))?;
        // Without it the kernel would hold small packets back for the sake of larger ones. It fails
        // if the peer is gone again, which its first read will tell.
        let _ = stream.set_nodelay(true);
        Poll::Ready(Ok((stream, addr)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

/// What can be listened on: a port (on all addresses), a socket address, or a `"host:port"`.
pub trait Bind: Send {
    /// Binds a listener.
    fn bind(self) -> impl Future<Output = io::Result<TcpListener>> + Send;
}

impl Bind for u16 {
    /// All addresses, IPv6 and IPv4 if the system has both.
    async fn bind(self) -> io::Result<TcpListener> {
        match TcpListener::bind((Ipv6Addr::UNSPECIFIED, self)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, self)).await
            }
            bound => bound,
        }
    }
}

macro_rules! addresses {
    ($($type:ty),*) => {$(
        impl Bind for $type {
            async fn bind(self) -> io::Result<TcpListener> {
                TcpListener::bind(self).await
            }
        }
    )*};
}

addresses!(SocketAddr, &str, (&str, u16), (std::net::IpAddr, u16));

impl Bind for String {
    async fn bind(self) -> io::Result<TcpListener> {
        TcpListener::bind(&self).await
    }
}

pub(crate) async fn bind(addresses: impl Bind) -> io::Result<TcpListener> {
    addresses.bind().await
}

/// A service that our own HTTP server can serve: any tower service over hyper's bodies that can be
/// cloned for each connection.
pub trait HttpService:
    Service<
        Request<Incoming>,
        Response = Response<Self::Body>,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// The body of its answers.
    type Body: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>>
        + Send
        + 'static;
}

impl<S, B> HttpService for S
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Body = B;
}

/// The service that answers 404 with an empty body.
// Node: new Server(port)
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a unit")]
pub struct NotFound;

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut answer = Response::new(Empty::new());
        *answer.status_mut() = StatusCode::NOT_FOUND;
        ready(Ok(answer))
    }
}

/// A listener that is served.
///
/// Dropping it changes nothing: the listener is served until the server is closed.
#[derive(Debug)]
pub struct Attached {
    local_addr: SocketAddr,
    engine: Arc<Engine>,
    ended: watch::Receiver<()>,
}

impl Attached {
    /// The address that is listened on; with port 0 asked for, the port that was found.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Resolves when the server was closed, the last connection of this listener ended, and so did
    /// the server's last session. Cancel safe.
    pub async fn closed(mut self) {
        // never sent on: it ends when its senders, one for each connection, are gone
        while self.ended.changed().await.is_ok() {}
        self.engine.sessions_ended().await;
    }
}

pub(crate) fn attach<L: Listener, S: HttpService>(
    engine: &Arc<Engine>,
    listener: L,
    service: S,
) -> io::Result<Attached> {
    let local_addr = listener.local_addr()?;
    let is_secure = listener.is_secure();
    let (connection, ended) = watch::channel(());
    let accept = Accept {
        listener: Arc::new(Mutex::new(Slot { listener: Some(listener), is_stopped: false })),
        is_secure,
        service,
        shutdown: ShutdownGuard::new(&engine.shutdown),
        engine: Arc::clone(engine),
        connection: Arc::new(connection),
    };
    engine.keep_listener(accept.stop());
    tokio::spawn(accept.run());
    Ok(Attached { local_addr, engine: Arc::clone(engine), ended })
}

struct Accept<L, S> {
    /// Shared with the engine, which drops it when it closes, so that the port is free at once.
    listener: Arc<Mutex<Slot<L>>>,
    is_secure: bool,
    service: S,
    engine: Arc<Engine>,
    shutdown: ShutdownGuard,
    connection: Arc<watch::Sender<()>>,
}

/// What a listener gives.
type Accepted<L> = io::Result<(<L as Listener>::Io, SocketAddr)>;

/// The place of a listener, which is taken out while it is polled.
struct Slot<L> {
    listener: Option<L>,
    is_stopped: bool,
}

impl<L: Listener, S: HttpService> Accept<L, S> {
    fn stop(&self) -> Box<dyn FnOnce() + Send> {
        let listener = Arc::clone(&self.listener);
        Box::new(move || {
            let listener = {
                let mut slot = lock(&listener);
                slot.is_stopped = true;
                slot.listener.take()
            };
            drop(listener);
        })
    }

    async fn run(mut self) {
        let listener = Arc::clone(&self.listener);
        let mut warned: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = std::future::poll_fn(|cx| poll_accept(&listener, cx)) => accepted,
                () = stopped(self.shutdown.phase()) => None,
            };
            match accepted {
                None => return,
                Some(Ok((io, addr))) => self.serve(io, addr),
                Some(Err(error)) if is_of_peer(&error) => {
                    log!(debug: %error, "connection gone before it was accepted");
                }
                Some(Err(error)) => {
                    Counters::add(&self.engine.counters.accept_errors);
                    if warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
                        log!(warn: %error, "accept failed");
                        warned = Some(Instant::now());
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, io: L::Io, addr: SocketAddr) {
        let Some(permit) = acquire(&self.engine, addr) else { return };
        let connection = Arc::clone(&self.connection);
        let engine = Arc::clone(&self.engine);
        let service = self.service.clone();
        let peer = Peer { addr, is_secure: self.is_secure };
        tokio::spawn(async move {
            serve_in(permit, &engine, io, peer, service).await;
            drop(connection);
        });
    }
}

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    pub(crate) is_secure: bool,
}

/// Serves one connection until it ends, is upgraded, or the server closes; or says that there are
/// too many.
pub(crate) async fn serve_connection<Io, S>(engine: &Arc<Engine>, io: Io, peer: Peer, service: S)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService,
{
    let Some(permit) = acquire(engine, peer.addr) else { return };
    serve_in(permit, engine, io, peer, service).await;
}

/// What a connection has from the moment that it is accepted.
enum Acquired {
    /// It is served.
    Served(ConnectionPermit, Option<PeerPermit>),
    /// It is told that it is one too many.
    Refused(ConnectionPermit, &'static str),
}

/// A permit for a connection; `None`: it is to be dropped.
fn acquire(engine: &Engine, peer: SocketAddr) -> Option<Acquired> {
    let address = engine.connection_of(peer);
    let permit = engine.connections.acquire(address.is_ok());
    let (limit, message) = match (&permit, address) {
        (Some(_), Ok(address)) if permit.as_ref().is_some_and(ConnectionPermit::is_served) => {
            return permit.map(|permit| Acquired::Served(permit, address));
        }
        (_, Ok(_)) => (Limit::Connections, "Too many connections"),
        (_, Err(())) => (Limit::AddressConnections, "Too many connections of this address"),
    };
    engine.counters.limited(limit);
    permit.map(|permit| Acquired::Refused(permit, message))
}

/// Serves a connection. As long as nothing was sent there is hardly more than its socket and its
/// timer: what HTTP needs is made when the first bytes are there.
async fn serve_in<Io, S>(
    acquired: Acquired,
    engine: &Arc<Engine>,
    mut io: Io,
    peer: Peer,
    service: S,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService,
{
    let (permit, address) = match acquired {
        Acquired::Served(permit, address) => (permit, address),
        Acquired::Refused(_permit, message) => {
            // on the heap: the other kind of connection should not be as large
            return Box::pin(turn_away(engine, io, message)).await;
        }
    };
    let mut shutdown = ShutdownGuard::new(&engine.shutdown);
    let _served = engine.counters.http_connection();
    let accepted = Instant::now();
    let first = {
        let reading = patience::timeout(engine.options.header_timeout, read_first(&mut io));
        tokio::select! {
            first = reading => first,
            _ = shutdown.phase().wait_for(|phase| *phase >= Phase::Finish) => return,
        }
    };
    let first = match first {
        Ok(Ok(first)) if !first.is_empty() => first,
        Ok(_) => return,
        Err(_) => return engine.counters.limited(Limit::HeaderTimeout),
    };
    let connection = Arc::new(Connection::new(&engine.options, accepted, address));
    let stream = HttpStream::new(io, first, Arc::clone(&connection), &engine.options, permit);
    Box::pin(serve_http(engine, shutdown, connection, stream, peer, service)).await;
}

/// What comes first, by way of the worker thread's buffer.
async fn read_first<Io: AsyncRead + Unpin>(io: &mut Io) -> io::Result<Vec<u8>> {
    std::future::poll_fn(|cx| {
        scratch::with_read_buffer(|buffer| {
            let mut buffer = ReadBuf::new(&mut buffer[..MIN_BUFFER]);
            ready_or_return!(Pin::new(&mut *io).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().to_vec()))
        })
    })
    .await
}

async fn serve_http<Io, S>(
    engine: &Arc<Engine>,
    mut shutdown: ShutdownGuard,
    connection: Arc<Connection>,
    io: HttpStream<Io>,
    peer: Peer,
    service: S,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService,
{
    let phase = shutdown.phase();
    let addr = SocketAddr::new(peer.addr.ip().to_canonical(), peer.addr.port());
    let peer = Peer { addr, ..peer };
    let service = PerConnection { service, peer, connection: Arc::clone(&connection) };
    let options = &engine.options;
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer(Arc::clone(&connection)))
        .header_read_timeout(options.header_timeout)
        // more than is let through to it: what is too much is refused before
        .max_buf_size(options.max_header_bytes.saturating_add(2).max(MIN_BUFFER))
        .max_header_size(options.max_header_bytes.saturating_add(2));
    if options.max_header_fields != HYPER_FIELDS {
        builder.max_headers(options.max_header_fields);
    }
    let mut serving = builder.serve_connection(TokioIo::new(io), service).with_upgrades();
    let result = loop {
        let seen = *phase.borrow_and_update();
        match seen {
            Phase::Run | Phase::Linger => {}
            Phase::Finish => Pin::new(&mut serving).graceful_shutdown(),
            Phase::Abort => return,
        }
        tokio::select! {
            result = &mut serving => break result,
            changed = phase.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    };
    let timed_out = result.as_ref().is_err_and(hyper::Error::is_timeout);
    if let Err(error) = result {
        if timed_out {
            let was_idle = connection.was_idle_too_long();
            let limit = if was_idle { Limit::KeepAliveTimeout } else { Limit::HeaderTimeout };
            engine.counters.limited(limit);
        } else if is_write_timeout(&error) {
            engine.counters.limited(Limit::WriteTimeout);
        }
        // the peer's matter: it went away, or sent what is no HTTP
        log!(debug: %error, "connection failed");
    }
    let Some(parts) = serving.into_parts() else { return };
    let io = parts.io.into_inner();
    let rest = Rest::new(options);
    let ending: Pin<Box<dyn Future<Output = ()> + Send>> = match io.refused(timed_out) {
        Some(refused) => {
            refused.count(&engine.counters);
            let answer = refused.answer(options);
            let (io, _, permit) = io.into_parts();
            Box::pin(async move {
                last_response::say(io, &answer, rest).await;
                drop(permit);
            })
        }
        // the HTTP server has answered before it read all that belongs to the request
        None if io.is_left_unread() => {
            let (io, _, permit) = io.into_parts();
            Box::pin(async move {
                last_response::linger(io, rest).await;
                drop(permit);
            })
        }
        None => return,
    };
    tokio::select! {
        () = ending => {}
        _ = phase.wait_for(|phase| *phase >= Phase::Finish) => {}
    }
}

/// Ends a connection that is one too many. It is told so once it has asked for something, for what
/// comes unasked may be taken for another answer, or for an error.
async fn turn_away<Io>(engine: &Arc<Engine>, mut io: Io, message: &str)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut shutdown = ShutdownGuard::new(&engine.shutdown);
    let rest = Rest { time: TURN_AWAY, ..Rest::new(&engine.options) };
    let saying = async {
        let mut first = [0; 512];
        if matches!(io.read(&mut first).await, Ok(1..)) {
            last_response::say(io, &responses::unavailable(message), rest).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(TURN_AWAY, saying) => {}
        _ = shutdown.phase().wait_for(|phase| *phase >= Phase::Finish) => {}
    }
}

/// The service of one connection, for hyper: puts what is known of the peer into each request.
struct PerConnection<S> {
    service: S,
    peer: Peer,
    connection: Arc<Connection>,
}

// It is cloned, never pinned.
impl<S> Unpin for PerConnection<S> {}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for PerConnection<S> {
    type Response = Response<S::Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(RemoteAddr(self.peer.addr));
        if self.peer.is_secure {
            request.extensions_mut().insert(Secure);
        }
        if request.headers().contains_key(header::UPGRADE) {
            request.extensions_mut().insert(TakeApart(stream::take_apart));
        }
        let mut service = self.service.clone();
        let is_last = heads::is_last(request.method(), request.headers());
        let connection = is_last.then(|| Arc::clone(&self.connection));
        Box::pin(async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut answer = service.call(request).await?;
            let Some(connection) = connection else { return Ok(answer) };
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                connection.switch();
            } else {
                // What the client would send now is meant for another protocol, or not watched.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        })
    }
}

/// The next connection; `None` when the listener is gone.
fn poll_accept<L: Listener>(
    slot: &Mutex<Slot<L>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Accepted<L>>> {
    let listener = lock(slot).listener.take();
    let Some(mut listener) = listener else { return Poll::Ready(None) };
    let accepted = listener.poll_accept(cx);
    let mut slot = lock(slot);
    if slot.is_stopped {
        drop(slot);
        return Poll::Ready(None);
    }
    slot.listener = Some(listener);
    accepted.map(Some)
}

/// Whether a connection failed as its peer did not take what was written, see [`HttpStream`].
fn is_write_timeout(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Whether an accept error is that of one connection only.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn stopped(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase != Phase::Run).await;
}
