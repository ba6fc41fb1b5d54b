//! Servers over a real Redis, which is stopped and started again. Without the program `redis-server`
//! (on the PATH, or named by REDIS_SERVER) there is nothing to test with, and the tests say so.

mod cluster;
mod loss;
mod nodes;
mod recovery;
mod redis;
mod sentinel;
mod streams;
#[cfg(feature = "tls")]
mod tls;
