//! A certificate for development: made on the spot, for this machine's own names.

use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use socketio::BoxError;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

pub(crate) struct SelfSigned(CertifiedKey<KeyPair>);

impl SelfSigned {
    pub(crate) fn new() -> Result<Self, BoxError> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        Ok(Self(generate_simple_self_signed(names)?))
    }

    pub(crate) fn server_config(&self) -> Result<ServerConfig, BoxError> {
        let key = PrivatePkcs8KeyDer::from(self.0.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.0.cert.der().clone()], key.into())?;
        // it is what we speak; WebSockets have no other way in
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// What a client has that trusts this certificate.
    #[cfg(test)]
    pub(crate) fn client_config(&self) -> tokio_rustls::rustls::ClientConfig {
        let mut roots = tokio_rustls::rustls::RootCertStore::empty();
        roots.add(self.0.cert.der().clone()).unwrap();
        tokio_rustls::rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}
