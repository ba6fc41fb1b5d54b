//! A certificate for development: browsers accept it by its hash, which the page names, if it is not
//! valid for more than two weeks.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use engineio_proto::guard::lock;
use engineio_proto::log;
use quinn::rustls::ServerConfig;
use quinn::rustls::crypto::ring::{default_provider, sign};
use quinn::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use quinn::rustls::server::{ClientHello, ResolvesServerCert};
use quinn::rustls::sign::CertifiedKey;
use quinn::rustls::version::TLS13;
use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA256, digest};

use crate::tls::{Tls, TlsError};

/// A certificate that no authority signed, for development: made when it is asked for, and anew when
/// half of its time is over. A handle, cheap to clone.
///
/// The page names the hash to its client, as `transportOptions.webtransport.serverCertificateHashes`:
/// `[{algorithm: "sha-256", value: new Uint8Array([...])}]`. A page that names an old one goes on by
/// WebSocket. ECDSA with P-256, valid for 13 days: browsers refuse RSA, and more than 14 days.
///
/// ```
/// use engineio_webtransport::DevCertificate;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let certificate = DevCertificate::new()?;
/// let tls = certificate.tls()?; // for `listen`
/// let page = format!("const hashes = [{}];", certificate.hash_script());
/// assert!(page.starts_with("const hashes = [{algorithm: \"sha-256\", value: new Uint8Array(["));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DevCertificate(Arc<Inner>);

struct Inner {
    names: Vec<String>,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    key: Arc<CertifiedKey>,
    hash: [u8; 32],
    made: SystemTime,
}

impl DevCertificate {
    /// A certificate for this machine's own names: `localhost`, `127.0.0.1` and `::1`.
    ///
    /// # Errors
    /// [`TlsError::Generate`], if the system has no random numbers.
    pub fn new() -> Result<Self, TlsError> {
        Self::for_names(["localhost", "127.0.0.1", "::1"])
    }

    /// A certificate for these names and addresses.
    ///
    /// # Errors
    /// [`TlsError::Generate`], also for a name that is none.
    pub fn for_names<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, TlsError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let current = Mutex::new(Current::make(&names, SystemTime::now())?);
        Ok(Self(Arc::new(Inner { names, current })))
    }

    /// For a listener, which then has the newest certificate for each connection that comes.
    ///
    /// # Errors
    /// What rustls says.
    pub fn tls(&self) -> Result<Tls, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        Tls::from_config(config)
    }

    /// The SHA-256 of the certificate that connections get from now on, which the page names.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.at(SystemTime::now()).hash
    }

    /// The hash as an expression of JavaScript, one of `serverCertificateHashes`.
    #[must_use]
    pub fn hash_script(&self) -> String {
        let bytes: Vec<String> = self.hash().iter().map(u8::to_string).collect();
        format!("{{algorithm: \"sha-256\", value: new Uint8Array([{}])}}", bytes.join(","))
    }

    /// The certificate, made anew if its time has come.
    fn at(&self, now: SystemTime) -> Current {
        let current = lock(&self.0.current).clone();
        let age = now.duration_since(current.made).unwrap_or_default();
        if age < RENEW {
            return current;
        }
        let made = match Current::make(&self.0.names, now) {
            Ok(made) => made,
            Err(error) => {
                log!(warn: %error, "no certificate was made; the old one goes on");
                return current;
            }
        };
        let mut place = lock(&self.0.current);
        // somebody else may have been faster
        if place.made == current.made {
            *place = made;
        }
        place.clone()
    }
}

impl Current {
    fn make(names: &[String], now: SystemTime) -> Result<Self, TlsError> {
        let made = || {
            let pair = KeyPair::generate()?;
            let mut params = CertificateParams::new(names)?;
            params.not_before = (now - CLOCKS).into();
            params.not_after = (now + VALID).into();
            let certificate = params.self_signed(&pair)?;
            Ok((pair, certificate))
        };
        let (pair, certificate) =
            made().map_err(|error: rcgen::Error| TlsError::Generate(Box::new(error)))?;
        let hash = digest(&SHA256, certificate.der());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        let key = sign::any_ecdsa_type(&key)?;
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        let key = CertifiedKey::new(vec![certificate.der().clone()], key);
        Ok(Self { key: Arc::new(key), hash: bytes, made: now })
    }
}

impl ResolvesServerCert for DevCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.at(SystemTime::now()).key)
    }
}

impl fmt::Debug for DevCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevCertificate").field("names", &self.0.names).finish_non_exhaustive()
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// With the hour before, less than the 14 days that browsers allow.
const VALID: Duration = Duration::from_secs(13 * 24 * 60 * 60);
/// How much clocks may differ.
const CLOCKS: Duration = Duration::from_secs(60 * 60);
/// After this time there is a new certificate.
const RENEW: Duration = DAY.saturating_mul(6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_renewed_before_its_end() {
        let certificate = DevCertificate::new().unwrap();
        let now = SystemTime::now();
        let first = certificate.at(now).hash;
        assert_eq!(first, certificate.hash());
        assert_eq!(certificate.at(now + 5 * DAY).hash, first);
        let second = certificate.at(now + 7 * DAY).hash;
        assert_ne!(second, first);
        assert_eq!(certificate.at(now + 8 * DAY).hash, second);
        assert_ne!(certificate.at(now + 20 * DAY).hash, second);
    }

    #[test]
    fn names_and_hash() {
        assert!(DevCertificate::for_names(["localhost", "192.168.0.7"]).is_ok());
        let error = DevCertificate::for_names(["\u{e9}.example"]).unwrap_err();
        assert!(matches!(error, TlsError::Generate(_)), "{error}");
        let certificate = DevCertificate::new().unwrap();
        let key = certificate.at(SystemTime::now()).key;
        assert_eq!(certificate.hash(), digest(&SHA256, &key.cert[0]).as_ref());
        let script = certificate.hash_script();
        assert_eq!(script.matches(',').count(), 32, "{script}");
    }
}
