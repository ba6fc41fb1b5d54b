//! Bytes to packets and back, for each transport.

pub(crate) mod polling;
pub(crate) mod websocket;
