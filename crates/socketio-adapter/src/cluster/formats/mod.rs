//! The formats of the Node adapters, by recorded bytes: how a message is written and read.

pub(crate) mod channels;
pub(crate) mod classic;
pub(crate) mod entry;
pub(crate) mod message;
pub(crate) mod session;
pub(crate) mod wire;
