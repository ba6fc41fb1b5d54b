//! Events on their way to handlers: who listens, what a handler is, and what its arguments are.

pub(crate) mod context;
pub(crate) mod error;
pub(crate) mod extract;
pub(crate) mod failures;
pub(crate) mod given;
pub(crate) mod handler;
pub(crate) mod listeners;
pub(crate) mod middleware;
pub(crate) mod observer;
pub(crate) mod shared;
