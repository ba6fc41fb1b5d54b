//! Bytes to packets and back, for each transport.

pub(crate) mod framed;
pub(crate) mod polling;
pub(crate) mod stream;
pub(crate) mod upgraded;
