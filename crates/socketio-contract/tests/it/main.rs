//! What a contract does: on the wire, in TypeScript, in AsyncAPI.

mod asyncapi;
mod chat;
mod invalid;
mod places;
mod typescript;
mod wire;
