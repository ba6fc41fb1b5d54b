//! A Redis that speaks TLS alone, with a certificate made here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use socketio_redis::{Builder, ClientTlsConfig, Event, RedisAdapter, TlsCertificates};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::redis::{Access, Node, TLS_PORT, eventually, free_port, program, within};

/// It ends, and its files go, with this value.
struct Redis {
    port: u16,
    own: CertifiedKey<KeyPair>,
    folder: PathBuf,
    child: Child,
}

impl Redis {
    /// `None`, with a line on the terminal, if there is no such program, or it was built without TLS.
    async fn start(asks_clients: bool) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: there is no redis-server");
            return None;
        };
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let own = certificate();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "redis-{}-{}",
            std::process::id(),
            address.port()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let [certificate, key] = ["certificate", "key"].map(|name| folder.join(name));
        std::fs::write(&certificate, own.cert.pem()).unwrap();
        std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
        let child = Command::new(&program)
            .args(["--port", "0", "--tls-port", &address.port().to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--loglevel", "warning"])
            .args(["--tls-auth-clients", if asks_clients { "yes" } else { "no" }])
            .arg("--tls-cert-file")
            .arg(&certificate)
            .arg("--tls-key-file")
            .arg(&key)
            .arg("--tls-ca-cert-file")
            .arg(&certificate)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program is there");
        let mut redis = Self { port: address.port(), own, folder, child };
        redis.listens(address).await.then_some(redis)
    }

    async fn listens(&mut self, address: SocketAddr) -> bool {
        let mut has_ended = false;
        eventually("redis-server listens, or ends", async || {
            has_ended = self.child.try_wait().unwrap().is_some();
            has_ended || TcpStream::connect(address).await.is_ok()
        })
        .await;
        if has_ended {
            eprintln!("skipped: redis-server was built without TLS");
        }
        !has_ended
    }

    fn builder(&self, certificates: TlsCertificates) -> Builder {
        RedisAdapter::builder(format!("rediss://localhost:{}", self.port))
            .request_timeout(Duration::from_secs(5))
            .certificates(certificates)
    }

    /// What a client has that trusts this Redis, and shows it a certificate if it is to.
    fn trusted(&self, client: bool) -> TlsCertificates {
        let pem = self.own.cert.pem().into_bytes();
        let client_tls = client.then(|| ClientTlsConfig {
            client_cert: pem.clone(),
            client_key: self.own.signing_key.serialize_pem().into_bytes(),
        });
        TlsCertificates { client_tls, root_cert: Some(pem) }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// Servers that speak TLS on a port of their own, and with each other; all have one certificate, that
/// of the address by which they tell of one another. `None` if there are none.
pub(crate) async fn access() -> Option<Access> {
    // says so if it cannot
    Redis::start(false).await?;
    let own = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let root = certificate.clone().into_bytes();
    let arguments = move |folder: &Path| {
        let port = free_port().to_string();
        let files = [("own.pem", &certificate), ("key.pem", &key), (TLS_PORT, &port)];
        for (name, content) in files {
            std::fs::write(folder.join(name), content).unwrap();
        }
        // where the server is run
        let options = "--tls-cert-file own.pem --tls-key-file key.pem --tls-ca-cert-file own.pem \
                       --tls-auth-clients no --tls-replication yes --tls-cluster yes --tls-port";
        options.split_whitespace().chain([port.as_str()]).map(str::to_owned).collect()
    };
    let trust = move |builder: Builder| {
        builder.certificates(TlsCertificates { client_tls: None, root_cert: Some(root.clone()) })
    };
    Some(Access { scheme: "rediss", arguments: Arc::new(arguments), trust: Arc::new(trust) })
}

#[tokio::test]
async fn nodes_over_tls() {
    for asks_clients in [false, true] {
        let Some(redis) = Redis::start(asks_clients).await else { return };
        let mut one = Node::new(redis.builder(redis.trusted(asks_clients))).await;
        let mut other = Node::new(redis.builder(redis.trusted(asks_clients))).await;
        let (mut ann, _of_ann) = one.client().await;
        let (mut bob, _of_bob) = other.client().await;
        for n in 0..1000 {
            one.io.emit("n", n).unwrap();
        }
        for n in 0..1000 {
            assert_eq!((ann.number().await, bob.number().await), (n, n));
        }
        let clients = within("the answers", one.io.clients()).await.unwrap();
        assert!(clients.is_complete() && clients.items.len() == 2, "{clients:?}");
    }
}

/// A certificate that is not trusted is an error that is told, and no connection.
#[tokio::test]
async fn a_stranger() {
    let Some(redis) = Redis::start(false).await else { return };
    let stranger = TlsCertificates {
        client_tls: None,
        root_cert: Some(certificate().cert.pem().into_bytes()),
    };
    let (sender, mut events) = mpsc::unbounded_channel();
    let adapter = redis.builder(stranger).on_event(move |event| {
        if let Event::Disconnected(error) = event {
            let _ = sender.send(error.to_string());
        }
    });
    let adapter = adapter.build().unwrap();
    let error = within("the refusal", events.recv()).await.unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert!(!adapter.stats().is_ready);
}

/// Certificates for an address without TLS are a mistake.
#[tokio::test]
async fn certificates_without_tls() {
    let own = certificate().cert.pem().into_bytes();
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(own) };
    let builder = RedisAdapter::builder("redis://127.0.0.1:1").certificates(certificates);
    assert!(builder.build().is_err());
}
