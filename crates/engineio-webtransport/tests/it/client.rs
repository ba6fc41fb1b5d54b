//! A client of HTTP/3, over quinn and the codecs of our own: as much as a session needs.

use std::net::SocketAddr;
use std::sync::Arc;

use engineio_proto::http3::frame::{self, Frames, Part};
use engineio_proto::http3::qpack::{self, Section};
use engineio_proto::http3::varint;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use quinn::rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use quinn::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use quinn::rustls::version::TLS13;
use quinn::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, VarInt};

/// Where connections begin; any certificate will do.
pub(crate) fn endpoint() -> Endpoint {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h3".to_vec()];
    let config = QuicClientConfig::try_from(config).unwrap();
    let mut endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
    endpoint
}

/// A connection on which settings were sent.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    _control: SendStream,
}

/// A session.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) connect: (SendStream, RecvStream),
    /// The stream of packets.
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
}

impl Client {
    pub(crate) async fn connect(
        endpoint: &Endpoint,
        server: SocketAddr,
    ) -> Result<Self, ConnectionError> {
        let connection = endpoint.connect(server, "localhost").unwrap().await?;
        let mut control = connection.open_uni().await?;
        let _ = control.write_all(b"\x00\x04\x00").await;
        Ok(Self { connection, _control: control })
    }

    /// Asks for a session; its status.
    pub(crate) async fn ask(
        &self,
        path: &str,
        more: &[(&str, &str)],
    ) -> (u16, (SendStream, RecvStream)) {
        let (mut send, mut recv) = self.connection.open_bi().await.unwrap();
        let pseudo = [
            (":method", "CONNECT"),
            (":protocol", "webtransport"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
        ];
        let section = qpack::encode(&[&pseudo[..], more].concat());
        let mut head = Vec::new();
        frame::header(frame::HEADERS, section.len(), &mut head);
        head.extend_from_slice(&section);
        send.write_all(&head).await.unwrap();
        let (mut frames, mut section) = (Frames::default(), Vec::new());
        loop {
            let mut buffer = [0; 256];
            let count = recv.read(&mut buffer).await.unwrap().expect("an answer");
            let mut input = &buffer[..count];
            while let Some(part) = frames.next(&mut input) {
                match part {
                    Part::Begin(kind, _) => assert_eq!(kind, frame::HEADERS),
                    Part::Payload(bytes) => section.extend_from_slice(bytes),
                    Part::End => return (status(&section), (send, recv)),
                }
            }
        }
    }

    /// A session, with its stream: nothing was sent on that.
    pub(crate) async fn session(self, path: &str) -> Session {
        let (status, connect) = self.ask(path, &[]).await;
        assert_eq!(status, 200);
        let (mut send, recv) = self.connection.open_bi().await.unwrap();
        let mut head = Vec::new();
        varint::encode(frame::SESSION_STREAM, &mut head);
        varint::encode(VarInt::from(connect.0.id()).into_inner(), &mut head);
        send.write_all(&head).await.unwrap();
        Session { client: self, connect, send, recv }
    }
}

fn status(section: &[u8]) -> u16 {
    let Ok(Section::Fields(fields)) = qpack::decode(section, 16_384) else {
        panic!("a head that cannot be read");
    };
    let (_, value) = fields.iter().find(|(name, _)| name == b":status").expect("a status");
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

/// Any certificate is right.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
