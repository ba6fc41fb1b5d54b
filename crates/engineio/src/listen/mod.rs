//! Our own HTTP server, hyper over a [`Listener`]: here what may be listened on and served, in `accept`
//! who comes, in `serve` what becomes of each.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, Ready, ready};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, ready as ready_or_return};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

pub(crate) mod accept;
mod armed;
pub(crate) mod connection;
pub(crate) mod head_timer;
pub(crate) mod heads;
pub(crate) mod last_response;
pub(crate) mod serve;
pub(crate) mod spelling;
pub(crate) mod stream;

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
