//! The Engine.IO protocols 3 and 4, the server's side, without I/O.
//!
//! Everything here is bytes in, values out: no socket, no clock, no task, no lock (but the
//! `OnceLock` of rarely needed wire forms; `guard` lends one to other crates). The crate `engineio` moves the bytes; fuzzers and
//! tests call the same functions with bytes of their own.
//!
//! - [`Packet`]: one packet, decoded; [`Outgoing`]: one packet of the layer above, encoded.
//! - [`payload`]: many packets in one body of HTTP polling.
//! - [`handshake`]: what a request asks for.
//! - [`Session`]: the state machine of one session.
//! - [`websocket`]: RFC 6455, the server's side.
//! - [`webtransport`]: the packets of a WebTransport stream, each behind its length.
//! - `http3` (a feature): as much of HTTP/3 as a WebTransport session needs.

mod error;
#[doc(hidden)]
pub mod guard;
pub mod handshake;
#[cfg(feature = "http3")]
pub mod http3;
mod limits;
mod outgoing;
mod packet;
pub mod payload;
mod session;
mod tag;
pub mod websocket;
pub mod webtransport;

pub use error::{CloseReason, DecodeError, HandshakeError, Violation};
pub use limits::Limits;
pub use outgoing::{Backlog, Deflated, HEADROOM, Outgoing, OverflowPolicy, Part};
pub use packet::{Message, Packet, PacketType, Protocol, TransportKind};
pub use session::{Due, ProbeStep, Receipts, Session, Step, Times};
pub use tag::{NodeTag, NotATag};
