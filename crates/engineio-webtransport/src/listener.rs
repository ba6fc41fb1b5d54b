//! A UDP port: who comes is given to a task of its own, until the server is closed.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use engineio::{Presence, Server, TransportKind};
use engineio_proto::http3::Code;
use engineio_proto::log;
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Incoming, ServerConfig, TokioRuntime, TransportConfig,
    VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::ToSocketAddrs;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connection::{self, Accepted};
use crate::link::var;
use crate::options::Options;
use crate::port::Port;
use crate::stats::{Counted, Counters, Stats};
use crate::tls::Tls;

/// A port that is listened on. A handle, cheap to clone.
///
/// Dropping it changes nothing: it is served until the server is closed.
#[derive(Clone)]
pub struct Attached {
    port: Arc<Port>,
    endpoint: Endpoint,
    local_addr: SocketAddr,
    ended: watch::Receiver<()>,
}

/// Listens for HTTP/3 on a UDP port: sessions of the server by WebTransport. The address is usually
/// that of the server's TCP listener, as clients take the same host and port.
///
/// It is a part of the server from then on: [`Server::close`] ends it, and what came by it.
///
/// # Errors
/// `InvalidInput` if [`TransportKind::WebTransport`] is not one of the server's
/// [`transports`](engineio::Options::transports), or an option makes no sense; what binding says.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn listen(
    server: &Server,
    addresses: impl ToSocketAddrs,
    tls: Tls,
    options: Options,
) -> io::Result<Attached> {
    let mut outcome = Err(io::Error::new(io::ErrorKind::InvalidInput, "no address"));
    let addresses = tokio::net::lookup_host(addresses).await?;
    for address in addresses {
        outcome = bind(address, options.socket_buffer);
        if outcome.is_ok() {
            break;
        }
    }
    attach(server, outcome?, tls, options)
}

/// The same for a UDP socket that is bound already.
///
/// # Errors
/// As [`listen`], but for binding.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn attach(
    server: &Server,
    socket: UdpSocket,
    tls: Tls,
    options: Options,
) -> io::Result<Attached> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    if !server.options().transports.contains(&TransportKind::WebTransport) {
        return Err(invalid("webtransport is not one of the server's transports"));
    }
    if options.max_pending == 0 || options.receive_window == 0 || options.send_window == 0 {
        return Err(invalid("max_pending and the windows must not be zero"));
    }
    let config = config(server, &options, tls);
    let endpoint =
        Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?;
    let local_addr = endpoint.local_addr()?;
    let (alive, ended) = watch::channel(());
    let port = Arc::new(Port { server: server.clone(), options, counters: Arc::default() });
    let accept = Accept {
        port: Arc::clone(&port),
        endpoint: endpoint.clone(),
        presence: server.presence(),
        alive: Arc::new(alive),
    };
    tokio::spawn(accept.run());
    Ok(Attached { port, endpoint, local_addr, ended })
}

impl Attached {
    /// The address that is listened on; with port 0 asked for, the port that was found.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Exchanges the certificate: connections that come have the new one, those that exist go on.
    pub fn set_tls(&self, tls: Tls) {
        let config = config(&self.port.server, &self.port.options, tls);
        self.endpoint.set_server_config(Some(config));
    }

    /// A snapshot of what is counted here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.port.counters.snapshot()
    }

    /// Resolves when the server was closed and the last connection of this port ended. Cancel safe.
    pub async fn closed(mut self) {
        // never sent on: it ends when its senders, one for each connection, are gone
        while self.ended.changed().await.is_ok() {}
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

/// A socket for a port. Another process that listens on it is an error: `SO_REUSEADDR`, which TCP needs
/// to listen again at once, would let two have the same port here.
fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // as a TCP listener: IPv4, too
        socket.set_only_v6(false)?;
    }
    // as much as the system gives
    let _ = socket.set_recv_buffer_size(buffer);
    let _ = socket.set_send_buffer_size(buffer);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// What QUIC is told for new connections.
fn config(server: &Server, options: &Options, tls: Tls) -> ServerConfig {
    let engine = server.options();
    let mut transport = TransportConfig::default();
    // not shorter than the heartbeat's, which is the judge, and has patience on a busy machine
    let idle = engine.ping_interval.saturating_add(engine.ping_timeout).saturating_add(PATIENCE);
    let idle = IdleTimeout::try_from(idle).unwrap_or_else(|_| VarInt::MAX.into());
    transport
        .max_concurrent_bidi_streams(MAX_BIDIRECTIONAL)
        .max_concurrent_uni_streams(MAX_UNIDIRECTIONAL)
        .stream_receive_window(options.stream_receive_window.into())
        .receive_window(options.receive_window.into())
        .send_window(options.send_window.into())
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .datagram_send_buffer_size(0)
        .crypto_buffer_size(CRYPTO_BUFFER)
        .max_idle_timeout(Some(idle));
    if engine.ping_interval > options.keep_alive {
        transport.keep_alive_interval(Some(options.keep_alive));
    }
    let mut config = ServerConfig::with_crypto(tls.0);
    config
        .transport_config(Arc::new(transport))
        .max_incoming(options.max_pending)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFERS);
    config
}

const PATIENCE: Duration = Duration::from_secs(5);
/// A client has one request and one stream; of two more it is told that they are too many.
const MAX_BIDIRECTIONAL: VarInt = VarInt::from_u32(4);
/// Three of HTTP/3's own, and some to be refused.
const MAX_UNIDIRECTIONAL: VarInt = VarInt::from_u32(8);
/// One datagram: they must be allowed, and are dropped.
const DATAGRAMS: usize = 1500;
/// What comes of a handshake before it can be read.
const CRYPTO_BUFFER: usize = 16 * 1024;
/// What comes of a connection, and of all, before it is accepted, which it is at once.
const INCOMING_BUFFER: u64 = 64 * 1024;
const INCOMING_BUFFERS: u64 = 4 * 1024 * 1024;

struct Accept {
    port: Arc<Port>,
    endpoint: Endpoint,
    presence: Presence,
    alive: Arc<watch::Sender<()>>,
}

impl Accept {
    async fn run(mut self) {
        loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.take(incoming),
                    None => return,
                },
                () = self.presence.closing() => break,
            }
        }
        // what exists goes on until its end; nobody else is let in
        let Self { endpoint, alive, mut presence, .. } = self;
        let mut ended = alive.subscribe();
        drop(alive);
        loop {
            tokio::select! {
                incoming = endpoint.accept() => match incoming {
                    Some(incoming) => incoming.refuse(),
                    None => return,
                },
                changed = ended.changed() => if changed.is_err() { break },
                () = presence.cut_off() => break,
            }
        }
        endpoint.close(var(Code::NO_ERROR), b"");
        // the last words are on their way
        let _ = timeout(LAST_WORDS, endpoint.wait_idle()).await;
    }

    fn take(&self, incoming: Incoming) {
        let Port { server, options, counters } = &*self.port;
        let pending = counters.pending.load(Relaxed);
        if pending >= options.max_pending {
            Counters::add(&counters.too_many);
            return incoming.refuse();
        }
        if pending >= options.retry_above && !incoming.remote_address_validated() {
            Counters::add(&counters.retries);
            let _ = incoming.retry();
            return;
        }
        let Some(presence) = server.connection(incoming.remote_address()) else {
            Counters::add(&counters.too_many_of_address);
            return incoming.refuse();
        };
        let connecting = match incoming.accept() {
            Ok(connecting) => connecting,
            Err(error) => {
                log!(debug: %error, "connection refused");
                return Counters::add(&counters.handshakes_failed);
            }
        };
        Counters::add(&counters.accepted);
        tokio::spawn(connection::serve(Accepted {
            connecting,
            port: Arc::clone(&self.port),
            presence,
            connection: Counted::new(counters, |counters| &counters.connections),
            pending: Counted::new(counters, |counters| &counters.pending),
            alive: Arc::clone(&self.alive),
        }));
    }
}

const LAST_WORDS: Duration = Duration::from_millis(500);
