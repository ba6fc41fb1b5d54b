//! One connection: a permit, HTTP by hyper, and its end; or the word that it is one too many.

use std::any::Any;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use engineio_proto::log;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::engine::Engine;
use crate::engine::shutdown::{Phase, ShutdownGuard};
use crate::http::responses;
use crate::http::service::EngineService;
use crate::limits::Limit;
use crate::limits::addresses::PeerPermit;
use crate::limits::connections::ConnectionPermit;
use crate::listen::connection::Connection;
use crate::listen::head_timer::HeadTimer;
use crate::listen::heads;
use crate::listen::last_response::{self, Rest};
use crate::listen::stream::{self, HttpStream};
use crate::listen::{HttpService, NotFound};
use crate::nodes::header as internal;
use crate::patience;
use crate::request::ToldPeer;
use crate::scratch;
use crate::transport::upgraded::{OwnServer, Switching};

/// What hyper's read buffer has at least.
const MIN_BUFFER: usize = 8 * 1024;

/// Fields for which hyper has room without asking for memory.
const HYPER_FIELDS: usize = 100;

/// What a connection that is one too many is given: enough for a request that is on its way.
const TURN_AWAY: Duration = Duration::from_secs(1);

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    pub(crate) is_secure: bool,
    pub(crate) from: From,
}

/// Who connects to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Clients,
    /// Other nodes, each of which brings the requests of many.
    Nodes,
}

/// What nodes add to the head of a request: names, an address, the secret.
const NODES_ADD: usize = 1024;

/// Longer than other nodes keep a connection that is idle, so that none ends under a request.
const NODES_IDLE: Duration = Duration::from_secs(90);

/// Serves one connection until it ends, is upgraded, or the server closes; or says that there are
/// too many.
pub(crate) async fn serve_connection<Io, S>(engine: &Arc<Engine>, io: Io, peer: Peer, service: S)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService,
{
    let Some(permit) = acquire(engine, peer.addr, peer.from) else { return };
    serve_in(permit, engine, io, peer, service).await;
}

/// What a connection has from the moment that it is accepted.
pub(super) enum Acquired {
    /// It is served.
    Served(ConnectionPermit, Option<PeerPermit>),
    /// It is told that it is one too many.
    Refused(ConnectionPermit, &'static str),
}

/// A permit for a connection; `None`: it is to be dropped.
pub(super) fn acquire(engine: &Engine, peer: SocketAddr, from: From) -> Option<Acquired> {
    let address = match from {
        From::Clients => engine.connection_of(peer),
        From::Nodes => Ok(None),
    };
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
pub(super) async fn serve_in<Io, S>(
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
    let options = &engine.options;
    let mut connection = Connection::new(options, accepted, address);
    let mut max_head = (options.max_header_bytes, options.max_header_fields);
    if peer.from == From::Nodes {
        connection.keep_alive_timeout = connection.keep_alive_timeout.max(NODES_IDLE);
        let secret = engine.nodes().and_then(|nodes| nodes.secret()).map_or(0, str::len);
        max_head.0 = max_head.0.saturating_add(NODES_ADD + secret);
        max_head.1 = max_head.1.saturating_add(internal::ALL.len() + 1);
    }
    let connection = Arc::new(connection);
    let write_timeout = options.write_timeout;
    let stream =
        HttpStream::new(io, first, Arc::clone(&connection), write_timeout, max_head, permit);
    Box::pin(serve_http(engine, shutdown, connection, stream, max_head, peer, service)).await;
}

/// What comes first, by way of the worker thread's buffer.
async fn read_first<Io: AsyncRead + Unpin>(io: &mut Io) -> io::Result<Vec<u8>> {
    std::future::poll_fn(|cx| {
        scratch::with_read_buffer(|buffer| {
            let mut buffer = ReadBuf::new(&mut buffer[..MIN_BUFFER]);
            ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer))?;
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
    (max_bytes, max_fields): (usize, usize),
    peer: Peer,
    service: S,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService,
{
    let phase = shutdown.phase();
    let addr = SocketAddr::new(peer.addr.ip().to_canonical(), peer.addr.port());
    let told = ToldPeer { addr, is_secure: peer.is_secure };
    let service = PerConnection::new(service, told, Arc::clone(&connection));
    let options = &engine.options;
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer(Arc::clone(&connection)))
        .header_read_timeout(options.header_timeout)
        // more than is let through to it: what is too much is refused before
        .max_buf_size(max_bytes.saturating_add(2).max(MIN_BUFFER))
        .max_header_size(max_bytes.saturating_add(2));
    if max_fields != HYPER_FIELDS {
        builder.max_headers(max_fields);
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
            biased;
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
    /// None: the service knows.
    told: Option<ToldPeer>,
    connection: Arc<Connection>,
}

impl<S: HttpService> PerConnection<S> {
    fn new(mut service: S, told: ToldPeer, connection: Arc<Connection>) -> Self {
        // The engine's own tells those requests that are asked for it. Most are not, and what is put
        // into a request is a map on the heap.
        let own = (&mut service as &mut dyn Any).downcast_mut::<EngineService<NotFound>>();
        let told = match own {
            Some(own) => {
                own.set_peer(told);
                None
            }
            None => Some(told),
        };
        Self { service, told, connection }
    }
}

// It is cloned, never pinned.
impl<S> Unpin for PerConnection<S> {}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for PerConnection<S> {
    type Response = Response<S::Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(told) = self.told {
            told.tell(request.extensions_mut());
        }
        let is_upgrade = request.headers().contains_key(header::UPGRADE);
        if is_upgrade {
            let connection = Arc::clone(&self.connection) as Arc<dyn Switching>;
            let own = OwnServer { take_apart: stream::take_apart, connection };
            request.extensions_mut().insert(own);
        }
        let mut service = self.service.clone();
        let is_last = is_upgrade || heads::is_last(request.method(), request.headers());
        let connection = is_last.then(|| Arc::clone(&self.connection));
        // Called at once if it can be, so that it may let go of the request's head before hyper reads on.
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        let called = match ready {
            Poll::Ready(Ok(())) => Ok(service.call(request)),
            _ => Err((service, request)),
        };
        Box::pin(async move {
            let answering = match called {
                Ok(answering) => answering,
                Err((mut service, request)) => {
                    std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
                    service.call(request)
                }
            };
            let mut answer = answering.await?;
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

/// Whether a connection failed as its peer did not take what was written, see [`HttpStream`].
fn is_write_timeout(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}
