//! RFC 6455, the server's side, on byte slices.
//!
//! - [`handshake`]: the request's headers -> the accept key, or why not.
//! - [`Decoder`]: bytes as they arrive -> messages, pings, the close.
//! - [`Encoder`]: messages to send -> frames, for a connection that has them for itself. The
//!   messages of sessions are framed where they are encoded, in [`crate::Outgoing`].
//! - [`frame`]: headers and small frames to send; masks.
//! - [`close`]: close codes and close frames.
//! - [`extensions`]: the offers of permessage-deflate (RFC 7692) -> what is agreed on.
//! - [`deflate`]: one message deflated, or inflated under a limit.
//!
//! Used by the WebSocket transport, which owns the stream and answers pings and closes; this module
//! does neither I/O nor decides when to send. Without an agreed extension a reserved bit in a frame
//! is a violation.

pub mod close;
mod decoder;
pub mod deflate;
mod encoder;
pub mod extensions;
pub mod frame;
pub mod handshake;
mod message;

pub use decoder::{Decoder, Event, Messages};
pub use encoder::Encoder;
