//! What sessions cost, beside quinn alone with the same windows, which sends back whatever it reads:
//! `cargo run --release -p engineio-webtransport --features dev-certificate --example cost`.
//!
//! CPU is that of the server's process, of one thread; the load comes from another one. With the
//! argument `memory` it measures what sessions hold, and nothing else.

#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../tests/it/client.rs"]
mod client;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use engineio::{Application, Context, Message, Options, Server, Socket, TransportKind};
use engineio_webtransport::{DevCertificate, attach, rustls};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, RecvStream, SendStream, ServerConfig, TransportConfig};

use crate::client::{Client, Session};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("engine") => runtime.block_on(engine()),
        Some("floor") => runtime.block_on(floor()),
        Some("memory") => runtime.block_on(memory("engine")),
        _ => runtime.block_on(measure()),
    }
}

async fn measure() -> Result<(), Error> {
    println!("{:<28} {:>10} {:>10} {:>7}", "", "floor", "engine", "ratio");
    let loads = [(32, 1, 3000), (32, 16, 20_000), (1024, 1, 3000), (65_536, 1, 300)];
    for (size, in_flight, rounds) in loads {
        let mut best = [f64::MAX; 2];
        // by turns, and the smallest of some, as the machine does other things
        for _ in 0..5 {
            for (at, kind) in ["floor", "engine"].into_iter().enumerate() {
                best[at] = best[at].min(echo(kind, size, in_flight, rounds).await?);
            }
        }
        let what = format!("echo of {size} bytes, {in_flight} in flight");
        let [floor, ours] = best;
        println!("{what:<28} {floor:>7.2} us {ours:>7.2} us {:>7.2}", ours / floor);
    }
    for kind in ["floor", "engine"] {
        memory(kind).await?;
    }
    Ok(())
}

/// Microseconds of the server for each message of 20 clients.
async fn echo(kind: &str, size: usize, in_flight: usize, rounds: usize) -> Result<f64, Error> {
    let server = Running::start(kind)?;
    let endpoint = client::endpoint();
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(open(&endpoint, server.address).await?);
    }
    let packet = Arc::new(packet(size));
    let before = server.cpu()?;
    let tasks: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            let packet = Arc::clone(&packet);
            tokio::spawn(async move {
                // all of it: the end of its other streams would be its own
                let mut session = session;
                let mut buffer = vec![0; packet.len()];
                for _ in 0..in_flight {
                    session.send.write_all(&packet).await.unwrap();
                }
                for round in 0..rounds / 20 * in_flight.min(2) {
                    session.recv.read_exact(&mut buffer).await.unwrap();
                    assert!(buffer == *packet, "round {round}");
                    session.send.write_all(&packet).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    let messages = rounds / 20 * in_flight.min(2) * 20;
    Ok((server.cpu()? - before) * 1e6 / messages as f64)
}

/// What idle sessions hold, and what is left when they are gone.
async fn memory(kind: &str) -> Result<(), Error> {
    let server = Running::start(kind)?;
    let warm = client::endpoint();
    drop(open(&warm, server.address).await?);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = server.memory()?;
    for round in 1..=3 {
        let endpoint = client::endpoint();
        let cpu = server.cpu()?;
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            sessions.push(open(&endpoint, server.address).await?);
        }
        let opened = (server.cpu()? - cpu) * 1e3 / SESSIONS as f64;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let held = (server.memory()? - before) / SESSIONS as f64 / 1024.0;
        // one after the other: a thousand datagrams at once are too many for the server's socket, and
        // whose last word is lost is there until its heartbeat ends
        for session in sessions {
            session.client.connection.close(0x100_u32.into(), b"");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        endpoint.wait_idle().await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let left = server.memory()? / 1024.0 / 1024.0;
        println!(
            "{kind:<6} round {round}: {SESSIONS} sessions, {held:.1} KB each, {opened:.2} ms to open; then {left:.1} MB in all"
        );
    }
    Ok(())
}

const SESSIONS: usize = 1000;

/// A session that has its open packet, or what comes back for it.
async fn open(endpoint: &Endpoint, server: SocketAddr) -> Result<Session, Error> {
    let client = Client::connect(endpoint, server).await?;
    let mut session = client.session("/engine.io/").await;
    session.send.write_all(b"\x010").await?;
    let mut header = [0; 1];
    session.recv.read_exact(&mut header).await?;
    let mut rest = vec![0; header[0].into()];
    session.recv.read_exact(&mut rest).await?;
    Ok(session)
}

/// A text of so many bytes behind its length.
fn packet(size: usize) -> Vec<u8> {
    let length = size + 1;
    let mut packet = match length {
        0..126 => vec![length as u8],
        126..65_536 => [&[126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[127][..], &(length as u64).to_be_bytes()].concat(),
    };
    packet.push(b'4');
    packet.resize(packet.len() + size, b'x');
    packet
}

/// A server in a process of its own.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(kind: &str) -> Result<Self, Error> {
        let mut child =
            Command::new(std::env::current_exe()?).arg(kind).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    /// Seconds that its thread has run.
    fn cpu(&self) -> Result<f64, Error> {
        let stat = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()))?;
        let nanos: f64 = stat.split(' ').next().ok_or("no time")?.parse()?;
        Ok(nanos / 1e9)
    }

    /// Bytes of memory that are its own.
    fn memory(&self) -> Result<f64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes: f64 =
            line.and_then(|l| l.split_whitespace().next()).ok_or("no RssAnon")?.parse()?;
        Ok(kilobytes * 1024.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn engine() -> Result<(), Error> {
    struct Echo(Socket);
    impl Application for Echo {
        fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
            let _ = self.0.send(message);
        }
    }
    let mut options = Options::default();
    options.transports = TransportKind::ALL.to_vec();
    let server = Server::new(options)?;
    server.on_connection(|socket: &Socket| -> Box<dyn Application> {
        Box::new(Echo(socket.clone()))
    });
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let tls = DevCertificate::new()?.tls()?;
    let attached = attach(&server, socket, tls, Default::default())?;
    println!("{}", attached.local_addr());
    std::future::pending().await
}

async fn floor() -> Result<(), Error> {
    let certificate = DevCertificate::new()?;
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])?
    .with_no_client_auth()
    .with_cert_resolver(Arc::new(certificate));
    tls.alpn_protocols = vec![b"h3".to_vec()];
    tls.send_tls13_tickets = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(131_072_u32.into())
        .receive_window(262_144_u32.into())
        .send_window(262_144)
        .datagram_receive_buffer_size(Some(1500))
        .keep_alive_interval(Some(Duration::from_secs(20)));
    config.transport_config(Arc::new(transport));
    let endpoint = Endpoint::server(config, ([127, 0, 0, 1], 0).into())?;
    println!("{}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let _: Result<(), Error> = async {
                let connection = incoming.await?;
                let mut control = connection.open_uni().await?;
                control.write_all(b"\x00\x04\x00").await?;
                let (mut answer, mut connect) = connection.accept_bi().await?;
                let mut head = [0; 256];
                connect.read(&mut head).await?;
                answer.write_all(b"\x01\x03\x00\x00\xd9").await?;
                let (send, mut recv) = connection.accept_bi().await?;
                // 0x41 and the id 0
                recv.read_exact(&mut head[..3]).await?;
                back(send, recv).await
            }
            .await;
        });
    }
    Ok(())
}

async fn back(mut send: SendStream, mut recv: RecvStream) -> Result<(), Error> {
    let mut buffer = vec![0; 64 * 1024];
    while let Some(count) = recv.read(&mut buffer).await? {
        send.write_all(&buffer[..count]).await?;
    }
    Ok(())
}
