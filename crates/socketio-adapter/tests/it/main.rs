//! The adapter as a server uses it.

mod local;
mod names;
