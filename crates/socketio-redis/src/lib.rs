//! Socket.IO servers in a cluster over Redis, together with the Node servers that are there.
//!
//! It speaks what the adapters of Node speak: `socket.io-redis` 5.x (servers 2.x),
//! `@socket.io/redis-adapter` 8.x (servers 4.x), classic and sharded, and
//! `@socket.io/redis-streams-adapter` 0.3. So a server in Rust joins a
//! cluster of Node servers, of one line or of both, and takes their places one by one.
//!
//! ```no_run
//! use socketio::{BoxError, Server};
//! use socketio_redis::RedisAdapter;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let redis = RedisAdapter::builder("redis://127.0.0.1:6379").build()?;
//!     let io = Server::builder().adapter(redis.clone()).build()?;
//!     // before clients come: what others send from now on arrives
//!     redis.ready().await;
//!     io.listen(3000).await?.closed().await;
//!     Ok(())
//! }
//! ```
//!
//! # Which cluster
//!
//! | nodes beside this one | option |
//! | --- | --- |
//! | servers in Rust, Node 4.x with `createAdapter` | none, the default |
//! | Node 4.x with `createShardedAdapter` (Redis 7) | [`Builder::sharded`] |
//! | Node 4.x with `@socket.io/redis-streams-adapter` 0.3 | [`RedisAdapter::streams`] |
//! | Node 2.x with `socket.io-redis` | [`Builder::dialect`] with [`Dialect::Old`] |
//! | both lines, as during a migration | [`Builder::dialect`] with [`Dialect::Mixed`] |
//!
//! Received is everything in every dialect; it says what may be sent. In a mixed cluster the lines of
//! Node servers harm each other all the same with some requests, which no third can prevent: give
//! them different [keys](Builder::key) if they need not hear each other.
//!
//! Rooms are texts: the rooms `5` and `"5"` of Node are one here.
//!
//! # When Redis is away
//!
//! A server's own clients are served as ever. What goes to the others waits in a bounded queue, and
//! goes out when Redis is back; what does not fit, or was on the way when the connection broke, is
//! lost: it is counted in [`Stats::lost`] and told to [`Builder::on_event`], and never sent twice.
//! Queries give what is known and the nodes that are missing. Connections are made again by
//! themselves, at most half a second after Redis is there.
//!
//! # Streams
//!
//! [`RedisAdapter::streams`] appends what nobody answers to a stream: broadcasts, and what sockets elsewhere
//! are to do. A node reads it on one connection from where it was, so that it loses nothing while that is
//! away, and sees what all nodes see, in one order. Questions, answers and acknowledgements go over
//! channels. What was trimmed before it was read is counted in [`Stats::missed`]; after `FLUSHALL`, or a
//! failover to a server that was behind, a node reads from the beginning. An entry that is none is
//! counted and skipped. With the option `connection_state_recovery` of the server clients come back to
//! their sessions on any node, see the server's guide.
//!
//! With several streams ([`Streams::count`]) a namespace has one of them, by the hash of its name. A Node
//! server puts the messages of about half of all names where no Node server looks: a node like this one
//! reads that, too, and writes to where Node servers read. It also reads the stream into which the emitter
//! of Node writes, which knows of no number.
//!
//! # At the end
//!
//! `Server::close` gives the subscriptions back, so that the other nodes do not wait for this one. What
//! handlers still had to tell them is in the queue, and the sessions to which clients may come back are
//! on their way to Redis: await [`RedisAdapter::flushed`] after it, within a bound, as Redis may be away.
//!
//! # Redis Cluster
//!
//! [`RedisAdapter::cluster`] takes the addresses of some nodes. Messages of the classic format travel
//! through the whole cluster, so that each server is connected to one node, and to another when that
//! one goes; nodes are counted on all of them. In the sharded format each channel belongs to a slot:
//! there are connections to each master, and subscriptions and what waits follow a slot that moves.
//! What is for a master that is away waits for it, and holds up nothing else. Messages to one room and
//! messages to all or to several have different channels, hence no common order.
//!
//! The nodes are asked twice a second who has which slots, and at once when a connection is lost, so
//! that messages arrive again within a second after the cluster has a new master. Until then, and when
//! a subscription moves, what is published is missed by who is not subscribed, as ever. At that moment
//! messages of a channel may change their order. While a node does not answer and the cluster has not
//! replaced it, queries in the classic format are incomplete.
//!
//! # Sentinel
//!
//! [`RedisAdapter::sentinel`] takes the name of the master and the addresses of [sentinels](Sentinel).
//! One of them is asked twice a second who the master is, so that all servers are connected to a new
//! one within a second after the sentinels name it, also if the old one still answers. When no sentinel
//! answers, the last master is kept.
//!
//! # Redis
//!
//! Version 6 or later, or a server that speaks its protocol RESP3 (Valkey); 7 for the sharded
//! format. Everything here is tested with Redis 7.0.
//!
//! TLS: `rediss://`, with the feature `tls`. The certificates of the operating system are trusted, or
//! those of `Builder::certificates`. What is published goes out a little later then, in the turn of
//! a task of its own. It is tested with one server, not with a cluster or sentinels.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod adapter;
mod bus;
mod connection;
mod entries;
mod inline_task;
mod link;
mod links;
mod listening;
mod position;
mod publish;
mod reader;
mod redis_cluster;
mod sentinel;
mod shards;
mod slots;
mod stats;
mod stream_log;
mod stream_names;
mod streams;
mod subscribe;
mod targets;

pub use adapter::{Builder, RedisAdapter};
#[cfg(feature = "tls")]
pub use redis::{ClientTlsConfig, TlsCertificates};
pub use redis::{ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError, TlsMode};
pub use sentinel::Sentinel;
pub use socketio_adapter::{Dialect, Emitter, EmitterError, RoomChannels};
pub use stats::{Event, Stats};
pub use streams::Streams;

/// Compiles the examples of the README, which need the server and this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
