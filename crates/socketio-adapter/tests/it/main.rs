//! The adapter as a server uses it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests have a clock, tasks and tables"
)]

#[cfg(feature = "cluster")]
mod cluster;
mod local;
mod names;
mod occupancy;
