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
//! Where a message passes, from bytes to the application: `listen` (or another HTTP server) →
//! `service` → `driver`, with `transport` → [`Application`]; and back: [`Socket`] → `outbox` →
//! socket or parked poll. The rules of the protocol are in the crate `engineio-proto`.

mod answers;
mod application;
mod batch;
mod body;
mod compression;
mod cors;
mod deflate;
mod driver;
mod functions;
mod gate;
mod guarded;
mod handshake;
mod id;
mod layer;
mod listen;
mod mailbox;
mod options;
mod origins;
mod outbox;
mod proxies;
mod request;
mod requests;
mod scratch;
mod server;
mod service;
mod socket;
mod stats;
mod transport;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use application::{Application, Context, IntoApplication};
pub use batch::run as fan_out;
pub use body::Body;
pub use cors::Cors;
pub use deflate::Deflate;
pub use engineio_proto::handshake::pairs as query_pairs;
pub use engineio_proto::{CloseReason, HEADROOM, Message, Outgoing, Protocol, TransportKind};
pub use functions::{
    AllowRequest, AsyncForm, GenerateId, ObjectForm, OriginCheck, SessionId, SyncForm,
};
pub use gate::Gate;
pub use id::random as random_id;
pub use layer::EngineLayer;
pub use listen::{Addresses, Attached, Connect, Listener, NotFound};
pub use options::{Cookie, Options, OptionsError, SlowConsumer};
pub use origins::{Origins, Refused};
pub use outbox::Push;
pub use request::{RemoteAddr, Request, Secure};
pub use server::{Closing, Server};
pub use service::{EngineService, Intercept};
pub use socket::{Closed, Detail, Socket};
pub use stats::Stats;

/// Locks a mutex; what a panicking holder left behind is whole, as all sections here are short
/// and call no user code.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
