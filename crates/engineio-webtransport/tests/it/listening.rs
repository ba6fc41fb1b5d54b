//! What a listener refuses, exchanges, counts and ends. What goes over its streams is in the suite
//! `conformance/webtransport`.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use engineio::{
    Application, CloseDetail, CloseReason, Context, Message, Rate, Server, Socket, TransportKind,
};
use engineio_webtransport::{Attached, Options, Tls, TlsError, attach, listen};
use quinn::rustls::pki_types::CertificateDer;
use quinn::{ConnectionError, Endpoint};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::client::{self, Client, Session};

/// A server that sends everything back and tells why sessions ended.
struct Host {
    server: Server,
    attached: Attached,
    endpoint: Endpoint,
    ends: mpsc::Receiver<CloseReason>,
}

struct Echo(Socket, mpsc::Sender<CloseReason>);

impl Application for Echo {
    fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
        let _ = self.0.send(message);
    }

    fn on_close(&mut self, reason: CloseReason, _: Option<CloseDetail>, _: &mut Context<'_>) {
        let _ = self.1.send(reason);
    }
}

fn engine_options() -> engineio::Options {
    let mut options = engineio::Options::default();
    options.transports = TransportKind::ALL.to_vec();
    options
}

/// A certificate in PEM, and as a client sees it.
fn certificate() -> (String, String, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem(), cert.der().clone())
}

fn tls() -> Tls {
    let (chain, key, _) = certificate();
    Tls::from_pem(chain, key).unwrap()
}

impl Host {
    async fn new(engine: engineio::Options, options: Options) -> Self {
        let server = Server::new(engine).unwrap();
        let (sender, ends) = mpsc::channel();
        server.on_connection(move |socket: &Socket| -> Box<dyn Application> {
            Box::new(Echo(socket.clone(), sender.clone()))
        });
        let attached = listen(&server, "127.0.0.1:0", tls(), options).await.unwrap();
        Self { server, attached, endpoint: client::endpoint(), ends }
    }

    async fn client(&self) -> Result<Client, ConnectionError> {
        Client::connect(&self.endpoint, self.attached.local_addr()).await
    }

    /// A session that is open.
    async fn session(&self) -> Session {
        let mut session = self.client().await.unwrap().session("/engine.io/").await;
        session.send.write_all(b"\x010").await.unwrap();
        let open = session.packet().await.unwrap();
        assert!(open.starts_with(b"0{\"sid\":\""), "{open:?}");
        session
    }

    /// Waits for something that comes to be.
    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let waiting = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.attached.stats());
    }
}

impl Session {
    /// The next packet, of less than 126 bytes; none at the end of the stream.
    async fn packet(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 1];
        self.recv.read_exact(&mut header).await.ok()?;
        let mut packet = vec![0; header[0].into()];
        self.recv.read_exact(&mut packet).await.ok()?;
        Some(packet)
    }

    async fn works(&mut self) {
        self.send.write_all(b"\x064works").await.unwrap();
        assert_eq!(self.packet().await.as_deref(), Some(&b"4works"[..]));
    }
}

#[tokio::test]
async fn the_end_of_the_server_is_told_to_all_and_waited_for() {
    let host = Host::new(engine_options(), Options::default()).await;
    let mut session = host.session().await;
    session.works().await;
    let idle = host.client().await.unwrap();
    assert_eq!((host.attached.stats().opened, host.server.session_count()), (1, 1));

    let closing = host.server.close().within(Duration::from_secs(20));
    let client = async {
        assert_eq!(session.packet().await, None);
        // DATA with the capsule, then the end
        let capsule = session.connect.1.read_to_end(100).await.unwrap();
        assert_eq!(capsule, b"\x00\x07\x68\x43\x04\0\0\0\0");
        session.client.connection.close(0x100_u32.into(), b"");
        idle.connection.closed().await;
    };
    tokio::join!(closing, client);
    assert_eq!(host.ends.recv().unwrap(), CloseReason::ServerShuttingDown);
    let stats = host.attached.stats();
    assert_eq!((stats.connections, stats.pending, stats.accepted), (0, 0, 2));
    assert!(stats.bytes_in > 0 && stats.bytes_out > 0 && stats.packets_sent > 0, "{stats:?}");
    host.attached.closed().await;
}

#[tokio::test]
async fn a_server_that_is_drained_refuses() {
    let host = Host::new(engine_options(), Options::default()).await;
    let mut session = host.session().await;
    let draining = host.server.drain(Duration::from_millis(1));
    let client = async {
        let (status, _) = host.client().await.unwrap().ask("/engine.io/", &[]).await;
        assert_eq!(status, 503);
        assert_eq!(session.packet().await, None);
    };
    // it refuses from its making on
    tokio::join!(client, draining);
    assert!(host.attached.stats().refused.contains(&(503, 1)));
    host.server.close().within(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn certificates_are_exchanged_while_sessions_go_on() {
    let host = Host::new(engine_options(), Options::default()).await;
    let mut session = host.session().await;
    let (chain, key, der) = certificate();
    host.attached.set_tls(Tls::from_pem(chain, key).unwrap());
    let client = host.client().await.unwrap();
    let shown = client.connection.peer_identity().unwrap();
    let shown = shown.downcast::<Vec<CertificateDer<'static>>>().unwrap();
    assert_eq!(*shown, [der]);
    session.works().await;
    host.server.close().within(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn connections_without_a_session_are_bounded() {
    let mut options = Options::default();
    options.max_pending = 2;
    let host = Host::new(engine_options(), options).await;
    let first = host.client().await.unwrap();
    let _second = host.client().await.unwrap();
    assert!(host.client().await.is_err(), "a third one");
    assert_eq!(host.attached.stats().too_many, 1);
    // one that has a session does not count
    let mut session = first.session("/engine.io/").await;
    session.send.write_all(b"\x010").await.unwrap();
    session.packet().await.unwrap();
    host.until("a place is free", || host.attached.stats().pending == 1).await;
    host.client().await.unwrap();
    host.server.close().within(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn addresses_are_proved_when_many_come() {
    let mut options = Options::default();
    options.retry_above = 1;
    let host = Host::new(engine_options(), options).await;
    let _first = host.client().await.unwrap();
    assert_eq!(host.attached.stats().retries, 0);
    // quinn's client answers the retry by itself
    host.session().await.works().await;
    assert_eq!(host.attached.stats().retries, 1);
    host.server.close().within(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn bounds_and_rates_of_addresses_count() {
    let mut engine = engine_options();
    engine.max_connections_per_address = Some(1);
    engine.max_connect_rate_per_address = Some(Rate::new(1, Duration::from_secs(3600)));
    let host = Host::new(engine, Options::default()).await;
    let first = host.client().await.unwrap();
    assert!(host.client().await.is_err(), "a second one of the address");
    let mut session = first.session("/engine.io/").await;
    session.send.write_all(b"\x010").await.unwrap();
    session.packet().await.unwrap();
    let (status, _) = host.client().await.unwrap().ask("/engine.io/", &[]).await;
    assert_eq!(status, 429, "too many handshakes");
    let stats = host.attached.stats();
    assert_eq!(stats.too_many_of_address, 1);
    assert!(stats.refused.contains(&(429, 1)), "{stats:?}");
    host.server.close().within(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn the_request_is_the_sessions() {
    let host = Host::new(engine_options(), Options::default()).await;
    let client = host.client().await.unwrap();
    let more = [("origin", "https://a.example"), ("x-test", "1")];
    let (status, (send, recv)) = client.ask("/engine.io/?token=7", &more).await;
    assert_eq!(status, 200);
    let (mut stream, mut back) = client.connection.open_bi().await.unwrap();
    stream.write_all(b"\x40\x41\x00\x010").await.unwrap();
    let mut open = [0; 30]; // its length, then `0{"sid":"..`
    back.read_exact(&mut open).await.unwrap();
    let sid = std::str::from_utf8(&open[10..30]).unwrap();
    let socket = host.server.session(sid).unwrap();
    let request = socket.request();
    assert_eq!((request.method(), request.path()), ("CONNECT", "/engine.io/"));
    assert_eq!(request.query(), "token=7");
    assert_eq!(request.header("origin"), Some("https://a.example"));
    assert_eq!(request.header("host"), Some("localhost"));
    assert_eq!(request.header("x-test"), Some("1"));
    assert!(request.is_secure());
    assert_eq!(request.remote_addr(), Some(host.endpoint.local_addr().unwrap()));
    drop((send, recv));
    host.server.close().within(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_an_error() {
    let (chain, key, _) = certificate();
    assert!(matches!(Tls::from_pem("", &key), Err(TlsError::Pem(_))));
    assert!(matches!(Tls::from_pem(&chain, ""), Err(TlsError::Pem(_))));
    let (_, other, _) = certificate();
    assert!(matches!(Tls::from_pem(&chain, other), Err(TlsError::Rustls(_))));

    let server = Server::new(engineio::Options::default()).unwrap();
    let error = listen(&server, "127.0.0.1:0", tls(), Options::default()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let server = Server::new(engine_options()).unwrap();
    let mut options = Options::default();
    options.max_pending = 0;
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = attach(&server, socket, tls(), options).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    // the port of another listener
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = listen(&server, address, tls(), Options::default()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
