//! Who is let in, whatever brings them: the checks of a handshake, the opening of sessions, and the
//! streams that no HTTP server upgrades.
//!
//! ```text
//!   Request ─admit─▶ Admission ─open─▶ a session of its own, in the table
//!                        └─serve(stream)─▶ its first packet: `0` opens one,
//!                                          `0{"sid":".."}` probes for one that polls
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use engineio_proto::{
    HandshakeError, Message, Packet, PacketType, Protocol, TransportKind, handshake, log,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::engine::{Engine, NotInserted};
use crate::limits::Limit;
use crate::limits::addresses::{Address, AddressPermit};
use crate::options::functions::{self, Panicked};
use crate::options::refused::Refused;
use crate::patience;
use crate::request::Request;
use crate::scratch;
use crate::session::id;
use crate::session::socket::Socket;
use crate::stats::Counters;
use crate::transport::framed::{Framed, Incoming};
use crate::transport::stream::Stream;

/// A client that may open a session, by [`Server::admit`](crate::Server::admit). Dropped, it has
/// opened none.
pub struct Admission {
    engine: Arc<Engine>,
    request: Request,
    address: Option<Arc<Address>>,
}

/// Why a client is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdmitError {
    /// The protocol's rules, the origin or the application refused.
    Refused(HandshakeError),
    /// The address of the client asks too often,
    /// [`max_connect_rate_per_address`](crate::Options::max_connect_rate_per_address). The next
    /// handshake may come after this time.
    TooFast(Duration),
    /// The server takes no sessions, or no more: why.
    Unavailable(&'static str),
    /// The first packet of a stream was none that opens a session, or did not come within
    /// [`upgrade_timeout`](crate::Options::upgrade_timeout).
    NotOpened,
    /// A function among the options panicked.
    Panicked,
}

impl AdmitError {
    /// The HTTP status that tells it: 400, 403, 429, 500 or 503.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Refused(error) => error.status(),
            Self::TooFast(_) => 429,
            Self::Unavailable(_) => 503,
            Self::NotOpened => 400,
            Self::Panicked => 500,
        }
    }
}

impl fmt::Display for AdmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::TooFast(_) => f.write_str("Too many handshakes"),
            Self::Unavailable(why) => f.write_str(why),
            Self::NotOpened => f.write_str("no packet that opens a session"),
            Self::Panicked => f.write_str("a function among the options panicked"),
        }
    }
}

impl std::error::Error for AdmitError {}

impl From<HandshakeError> for AdmitError {
    fn from(error: HandshakeError) -> Self {
        Self::Refused(error)
    }
}

impl From<Panicked> for AdmitError {
    fn from(_: Panicked) -> Self {
        Self::Panicked
    }
}

/// Asks whether the client of a request may open a session.
pub(crate) async fn admit(engine: &Arc<Engine>, request: Request) -> Result<Admission, AdmitError> {
    // before the application is bothered; it is looked at again when the session is there
    if engine.is_closing() {
        return Err(unavailable(engine, NotInserted::Closing));
    }
    if engine.is_draining() {
        return Err(unavailable(engine, NotInserted::Draining));
    }
    if engine.is_full() {
        return Err(unavailable(engine, NotInserted::Full));
    }
    let now = tokio::time::Instant::now().into_std();
    let address = engine.address_of(&request, now);
    if let Some(Err(wait)) = address.as_ref().map(|address| address.connect(now)) {
        engine.counters.limited(Limit::AddressConnectRate);
        return Err(AdmitError::TooFast(wait));
    }
    let allowed = match &engine.options.allow_request {
        Some(allow) => call(engine, async { allow.allow(request.clone()).await }).await?,
        None => {
            let allowed = call(engine, engine.options.origins.allows(&request)).await?;
            if allowed.is_err()
                && let Some(suppressed) = engine.refused_origins.pass(now)
            {
                engine.options.origins.log_refused(&request, suppressed);
            }
            allowed
        }
    };
    allowed.map_err(Refused::into_error)?;
    Ok(Admission { engine: Arc::clone(engine), request, address })
}

impl Admission {
    /// The request that was admitted.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Takes the packets of a stream, each behind its length as on a WebTransport stream: the first
    /// one, which the client sends, opens a session, or names one that polls and is to be upgraded.
    /// The session goes on with the stream in a task of its own; the stream is shut down when what
    /// was sent before the end has been written, and dropped when its peer's direction ended, too, or
    /// after [`close_timeout`](crate::Options::close_timeout). Protocol 4.
    ///
    /// A read that fails with `InvalidData` says that the rules of what carries the stream were
    /// broken, and ends the session with `transport error`; every other end of the stream is a
    /// `transport close`.
    ///
    /// Cancel safe in that a future that is dropped has opened no session; the stream goes with it.
    ///
    /// # Errors
    /// [`AdmitError`]; the stream is dropped.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn serve<S>(self, stream: S) -> Result<Socket, AdmitError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let engine = Arc::clone(&self.engine);
        let served = self.serve_stream(Stream::other(stream)).await;
        served.inspect_err(|error| refused(&engine, error))
    }

    async fn serve_stream(self, stream: Stream) -> Result<Socket, AdmitError> {
        let options = &self.engine.options;
        let mut framed = Framed::prefixed(stream, MAX_FIRST_PACKET);
        let first = poll_fn(|cx| poll_first(&mut framed, cx));
        let first = patience::timeout(options.upgrade_timeout, first).await;
        let first = first.inspect_err(|_| self.engine.counters.limited(Limit::UpgradeTimeout));
        let First(named) = first.ok().flatten().ok_or(AdmitError::NotOpened)?;
        let framed = Box::new(Framed::prefixed(framed.stream, options.max_http_buffer_size));
        let kind = framed.kind();
        let Some(sid) = named else {
            let engine = Arc::clone(&self.engine);
            let (socket, permit) = self.open(Protocol::V4, kind).await?;
            // in the table: nothing is awaited from here on
            Driver::framed(engine, socket.clone(), permit, framed).spawn();
            return Ok(socket);
        };
        let socket = self.engine.session(&sid).ok_or(HandshakeError::UnknownSession)?;
        let may_upgrade = socket.protocol() == Protocol::V4
            && self.engine.may_upgrade(Protocol::V4, kind)
            && socket.transport() == TransportKind::Polling;
        // Node: a second one is closed, the first is not harmed
        if !may_upgrade || !socket.shared().mailbox.admit_probe() {
            return Err(HandshakeError::BadRequest.into());
        }
        socket.probed(Some(framed));
        Ok(socket)
    }

    /// Makes the id and puts a session into the table, whose driver is to be started then.
    pub(crate) async fn open(
        self,
        protocol: Protocol,
        transport: TransportKind,
    ) -> Result<(Socket, Option<AddressPermit>), AdmitError> {
        let Self { engine, request, address } = self;
        let max = engine.options.max_sessions_per_address;
        let permit = match address.map(|address| address.acquire(max)) {
            Some(None) => {
                engine.counters.limited(Limit::AddressSessions);
                Counters::add(&engine.counters.unavailable);
                return Err(AdmitError::Unavailable("Too many sessions of this address"));
            }
            permit => permit.flatten(),
        };
        let socket = insert(&engine, protocol, transport, request).await?;
        Ok((socket, permit))
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Counts who was not let in.
pub(crate) fn refused(engine: &Engine, error: &AdmitError) {
    Counters::add(&engine.counters.refused);
    if let AdmitError::Refused(error) = error {
        engine.counters.request_refused(error);
    }
    log!(debug: %error, "not admitted");
}

async fn insert(
    engine: &Engine,
    protocol: Protocol,
    transport: TransportKind,
    request: Request,
) -> Result<Socket, AdmitError> {
    const TRIES: usize = 2;
    for _ in 0..TRIES {
        let id = match &engine.options.generate_id {
            None => engine.nodes().map_or_else(id::random, |nodes| nodes.new_id()),
            Some(generate) => call(engine, async { generate.generate(request.clone()).await })
                .await?
                .map_err(|error| {
                    log!(warn: %error, "no session id was generated");
                    HandshakeError::BadRequest
                })?,
        };
        // no request could name a session without an id
        if id.is_empty() {
            continue;
        }
        let shared = (&engine.bounds, &engine.counters);
        let socket = Socket::new(shared, id.into(), protocol, transport, request.clone());
        match engine.insert(&socket) {
            Ok(()) => return Ok(socket),
            Err(NotInserted::Taken) => {}
            Err(why) => return Err(unavailable(engine, why)),
        }
    }
    log!(warn: "generate_id gave an id that is in use, or none, twice");
    Err(HandshakeError::BadRequest.into())
}

fn unavailable(engine: &Engine, why: NotInserted) -> AdmitError {
    Counters::add(&engine.counters.unavailable);
    if why == NotInserted::Full {
        engine.counters.limited(Limit::Sessions);
    }
    AdmitError::Unavailable(match why {
        NotInserted::Closing => "Server is closing",
        NotInserted::Draining => "Server is draining",
        NotInserted::Full | NotInserted::Taken => "Too many sessions",
    })
}

/// Runs a function of the user.
async fn call<T>(engine: &Engine, call: impl Future<Output = T>) -> Result<T, Panicked> {
    let result = functions::catch_panic(call).await;
    if result.is_err() {
        Counters::add(&engine.counters.panics);
    }
    result
}

/// What the first packet of a stream asks for: the session that it names, or a new one.
struct First(Option<String>);

/// The first packet of a stream. `None`: it is another one, or the stream ended.
fn poll_first(framed: &mut Framed, cx: &mut Context<'_>) -> Poll<Option<First>> {
    loop {
        let first = scratch::with_read_buffer(|buffer| {
            let Ok(mut arrived) = ready!(framed.poll_read(Protocol::V4, cx, buffer)) else {
                return Poll::Ready(Some(None));
            };
            let first = match arrived.next() {
                None => return Poll::Ready(None), // not all of it is there
                Some(Incoming::Packet(Packet {
                    kind: PacketType::Open,
                    data: Message::Text(data),
                })) => match data {
                    "" => Some(First(None)),
                    data => handshake::session_of(data).map(|sid| First(Some(sid))),
                },
                Some(_) => None,
            };
            let rest = arrived.rest().to_vec();
            framed.stream.unread(rest);
            Poll::Ready(Some(first))
        });
        if let Some(first) = ready!(first) {
            return Poll::Ready(first);
        }
    }
}

/// Bytes of the first packet of a stream: it names a session at most.
const MAX_FIRST_PACKET: usize = 4096;
