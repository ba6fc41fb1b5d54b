//! HTTP requests to sessions: a tower service, whatever HTTP server is below it.
//!
//! `service` finds the requests of the engine; `of_session` takes those that polling sessions live on, and
//! `open` all others, above all those that begin sessions. `polling` answers polls and POSTs; what goes back
//! is made in `responses`. Requests of sessions that other nodes have are passed on by `forward`, or their
//! sessions taken by `claim`; `from_nodes` is the service that they are passed on to.

pub(crate) mod adopt;
pub(crate) mod answer_body;
pub(crate) mod body;
mod claim;
pub(crate) mod content_coding;
mod context;
mod cors;
pub(crate) mod forward;
pub(crate) mod from_nodes;
pub(crate) mod layer;
mod of_session;
pub(crate) mod open;
pub(crate) mod polling;
mod refusal;
pub(crate) mod request_body;
pub(crate) mod responses;
pub(crate) mod service;
mod upgrade;
