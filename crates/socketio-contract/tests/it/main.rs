//! What a contract does: on the wire, in TypeScript, in AsyncAPI.

mod asyncapi;
mod chat;
mod invalid;
#[cfg(feature = "metrics")]
mod metrics;
mod places;
mod typescript;
mod wire;
