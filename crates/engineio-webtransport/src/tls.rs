//! Certificates. HTTP/3 has no form without.

use std::fmt;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::rustls::crypto::ring::default_provider;
use quinn::rustls::pki_types::pem::{self, PemObject as _};
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use quinn::rustls::server::NoServerSessionStorage;
use quinn::rustls::{self, ServerConfig};

/// A certificate and its key, as a listener has them. A handle, cheap to clone.
#[derive(Clone)]
pub struct Tls(pub(crate) Arc<QuicServerConfig>);

/// Why a certificate cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A PEM file that cannot be read, or has no certificate or key in it.
    Pem(pem::Error),
    /// What rustls says: the key is not the certificate's, say.
    Rustls(rustls::Error),
    /// A certificate for development could not be made.
    Generate(Box<dyn std::error::Error + Send + Sync>),
    /// The configuration has no cipher suite that QUIC begins with: AES-128-GCM with SHA-256 of TLS
    /// 1.3.
    NoInitialCipherSuite,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => write!(f, "no certificate or key: {error}"),
            Self::Rustls(error) => error.fmt(f),
            Self::Generate(error) => write!(f, "no certificate was made: {error}"),
            Self::NoInitialCipherSuite => f.write_str("no cipher suite that QUIC begins with"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pem(error) => Some(error),
            Self::Rustls(error) => Some(error),
            Self::Generate(error) => Some(&**error),
            Self::NoInitialCipherSuite => None,
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error)
    }
}

impl From<pem::Error> for TlsError {
    fn from(error: pem::Error) -> Self {
        Self::Pem(error)
    }
}

impl Tls {
    /// A chain of certificates and the key of the first one, as the contents of PEM files: the same
    /// as for HTTPS.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain.as_ref()).collect::<Result<_, _>>()?;
        if chain.is_empty() {
            return Err(TlsError::Pem(pem::Error::NoItemsFound));
        }
        Self::from_der(chain, PrivateKeyDer::from_pem_slice(key.as_ref())?)
    }

    /// A chain of certificates and the key of the first one.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Self::from_config(config)
    }

    /// A configuration of one's own, of TLS 1.3, such as one with a resolver that finds certificates
    /// by name. What HTTP/3 needs is set: its name among the protocols, no early data, no tickets.
    ///
    /// # Errors
    /// [`TlsError::NoInitialCipherSuite`].
    pub fn from_config(mut config: ServerConfig) -> Result<Self, TlsError> {
        config.alpn_protocols = vec![b"h3".to_vec()];
        // a CONNECT that is replayed would open a session
        config.max_early_data_size = 0;
        // connections live for long: what is kept to resume them is seldom of use
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let config =
            QuicServerConfig::try_from(config).map_err(|_| TlsError::NoInitialCipherSuite)?;
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
