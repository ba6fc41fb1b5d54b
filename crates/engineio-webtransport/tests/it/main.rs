//! Sessions over real UDP, of a server in this process.

mod client;
mod listening;
