//! What a contract does: on the wire, in TypeScript, in AsyncAPI.

mod asyncapi;
mod chat;
mod files;
mod invalid;
#[cfg(feature = "metrics")]
mod metrics;
mod places;
mod route;
mod typescript;
mod wire;
