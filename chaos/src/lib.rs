//! Chaos: thousands of clients that connect, join, leave and vanish behind a proxy that fails, and
//! a checker that reads the history of it all.
//!
//! This library is the half that judges: [`history`] is the form of the lines, [`check`] the
//! checker. The program has the other half: server, clients and proxy.

pub mod check;
pub mod history;
