//! An Engine.IO server: sessions over HTTP long polling and WebSocket that survive a change of
//! transport, for protocols 3 and 4 on one port.
//!
//! The crate `socketio` is built on it; by itself it carries messages, text and binary, between a
//! client and an [`Application`].
//!
//! ```no_run
//! use engineio::{Application, Context, Message, Options, Server, Socket};
//!
//! struct Echo(Socket);
//!
//! impl Application for Echo {
//!     fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
//!         let _ = self.0.send(message);
//!     }
//! }
//!
//! # async fn run() -> std::io::Result<()> {
//! let server = Server::new(Options::default()).expect("defaults make sense");
//! server.on_connection(|socket: &Socket| -> Box<dyn Application> {
//!     Box::new(Echo(socket.clone()))
//! });
//! server.listen(3000).await?.closed().await;
//! # Ok(())
//! # }
//! ```
//!
//! What it does can be followed with `tracing`: its spans and events have targets that begin with
//! `engineio`. At debug level each session has a span `session` (fields `sid`, `transport`,
//! `protocol`), in which the application runs too, and each of the engine's requests a span
//! `request` (`method`, `transport`, `protocol`, and `sid` once it is known). What clients send is
//! logged nowhere, but note that who holds a session's id can use the session.
//!
//! Where a message passes, from bytes to the application: `listen` (or another HTTP server) →
//! `service` → `driver`, with `transport` → [`Application`]; and back: [`Socket`] → `outbox` →
//! socket or parked poll. The rules of the protocol are in the crate `engineio-proto`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod admission;
mod application;
mod close;
mod driver;
mod engine;
mod http;
mod limits;
mod listen;
mod nodes;
mod options;
mod outbound;
mod patience;
mod presence;
mod reason;
mod request;
mod scratch;
mod server;
mod session;
#[cfg(feature = "signal")]
mod signals;
mod span;
mod spawn;
mod stats;
mod transport;

pub use admission::{Admission, AdmitError};
pub use application::{Application, Context, IntoApplication};
pub use close::{Closing, Draining};
pub use engine::elsewhere::Found;
pub use engine::relay::{NodeId, Relay, RequestError};
pub use engineio_proto::handshake::pairs as query_pairs;
pub use engineio_proto::payload::{ContentType, Form as PayloadForm};
pub use engineio_proto::{
    CloseReason, HEADROOM, HandshakeError, Message, NodeTag, NotATag, Outgoing, OverflowPolicy,
    Protocol, TransportKind, Violation,
};
pub use http::adopt::AnswerHeaders;
pub use http::body::Body;
pub use http::content_coding::ContentCoding;
pub use http::layer::EngineLayer;
#[doc(hidden)]
pub use http::responses::set_header;
pub use http::service::{EngineService, Intercept};
pub use limits::fair::{Holder, whom_to_cut};
#[doc(hidden)]
pub use limits::named::{LimitCounters, NamedLimit};
pub use limits::{Limit, LimitCounts};
pub use listen::accept::Attached;
pub use listen::{Bind, HttpService, Listener, NotFound};
pub use nodes::directory::{Directory, Owner};
pub use nodes::link::{Connect, Link, Plain};
pub use nodes::options::{NodesOptions, ReplayHeader, Route};
pub use options::Options;
pub use options::cookie::{Cookie, SameSite};
pub use options::cors::Cors;
pub use options::deflate::PerMessageDeflate;
pub use options::error::OptionsError;
pub use options::functions::{
    AllowRequest, AsyncForm, GenerateId, ObjectForm, OriginCheck, SessionId, SubprotocolChoice,
    SyncForm,
};
pub use options::origins::Origins;
pub use options::rate::Rate;
pub use options::refused::Refused;
pub use options::subprotocols::Subprotocols;
pub use outbound::gate::Gate;
pub use outbound::outbox::Push;
pub use outbound::turn::{Before, fan_out};
pub use presence::Presence;
pub use reason::CloseDetail;
pub use request::{RemoteAddr, Request, Secure};
pub use server::Server;
pub use session::id::random as random_id;
pub use session::parting::Parting;
pub use session::receipt::{Receipt, ReceiptError, Received};
pub use session::socket::{Closed, Socket};
#[cfg(feature = "signal")]
pub use signals::Signals;
#[doc(hidden)]
pub use span::in_current_span;
#[doc(hidden)]
pub use spawn::spawn;
pub use stats::Stats;
#[cfg(feature = "metrics")]
pub use stats::metrics::describe_metrics;
pub use stats::relayed::Relayed;
pub use transport::polling::PollAnswer;

/// The target of spans; events have that of their module, which begins with it.
const TARGET: &str = "engineio";
