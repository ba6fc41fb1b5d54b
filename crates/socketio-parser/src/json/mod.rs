//! The protocols' own form: packets as JSON text, with binary attachments beside it.
//!
//! `tokens` is what JSON is, `scan` validates a packet, `reassembly` waits for its attachments; `ser`
//! and `writer` are the way out.

pub(crate) mod placeholder;
pub(crate) mod reassembly;
pub(crate) mod scan;
pub(crate) mod ser;
pub(crate) mod strict;
pub(crate) mod text;
pub(crate) mod tokens;
pub(crate) mod writer;
