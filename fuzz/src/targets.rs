//! One module for each target.

pub(crate) mod deflate;
pub(crate) mod handshake;
pub(crate) mod http3;
pub(crate) mod json;
pub(crate) mod jsonp;
pub(crate) mod msgpack;
pub(crate) mod packets;
pub(crate) mod payload;
pub(crate) mod qpack;
pub(crate) mod recovery;
pub(crate) mod rooms;
pub(crate) mod server;
pub(crate) mod session;
mod values;
pub(crate) mod websocket;
