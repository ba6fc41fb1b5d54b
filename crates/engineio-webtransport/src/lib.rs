//! WebTransport as a transport of an Engine.IO server: sessions over HTTP/3, beside polling and
//! WebSocket.
//!
//! ```no_run
//! use engineio::{Options, Server, TransportKind};
//! use engineio_webtransport::{Tls, listen};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = Options::default();
//! options.transports = TransportKind::ALL.to_vec();
//! let server = Server::new(options)?;
//! let tcp = server.listen(3000).await?;
//!
//! let tls = Tls::from_pem(std::fs::read("chain.pem")?, std::fs::read("key.pem")?)?;
//! listen(&server, tcp.local_addr(), tls, Default::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! QUIC is that of `quinn`; the layer of HTTP/3 above it is this crate's own, over the codecs of
//! `engineio_proto::http3`: one request, one session, one stream. A session's stream is a transport of
//! the engine as a WebSocket is, driven by the same task.
//!
//! Where a connection passes: `listener` accepts it, `connection` serves it until its session begins,
//! with the streams of HTTP/3 in `link`; `stream` is what the engine reads and writes then, and `ending`
//! what follows the session.
//!
//! # Features
//!
//! `dev-certificate`: certificates for development that browsers accept by their hash.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod connection;
#[cfg(feature = "dev-certificate")]
mod dev_certificate;
mod ending;
mod link;
mod listener;
mod options;
mod port;
mod stats;
mod stream;
mod tls;

#[cfg(feature = "dev-certificate")]
pub use dev_certificate::DevCertificate;
pub use listener::{Attached, attach, listen};
pub use options::Options;
pub use quinn::rustls;
pub use stats::Stats;
pub use tls::{Tls, TlsError};
