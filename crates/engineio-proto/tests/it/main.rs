//! The crate as those see it who use it: by what it exports.

mod errors;
mod outgoing;
mod packets;
mod payloads;
mod session;
mod websocket;
