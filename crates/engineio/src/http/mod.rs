//! HTTP requests to sessions: a tower service, whatever HTTP server is below it.
//!
//! `service` finds the requests of the engine, `open` begins sessions, `polling` answers the polls and
//! POSTs of those that exist; what goes back is made in `responses`.

pub(crate) mod body;
pub(crate) mod content_coding;
mod context;
mod cors;
pub(crate) mod layer;
pub(crate) mod open;
pub(crate) mod polling;
mod refusal;
pub(crate) mod request_body;
pub(crate) mod responses;
pub(crate) mod service;
mod upgrade;
