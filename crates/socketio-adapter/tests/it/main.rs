//! The adapter as a server uses it.

#[cfg(feature = "cluster")]
mod cluster;
mod local;
mod names;
mod occupancy;
