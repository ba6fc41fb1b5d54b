//! Rooms and broadcast of a Socket.IO server.
//!
//! An adapter keeps, for one namespace, which sockets there are and in which rooms they are, and
//! hands an encoded packet to those that a broadcast is for. It knows ids, rooms and packets; what
//! a socket is, and how it is written to, is the business of the layer above, which gives each of
//! its sockets as a [`Member`].
//!
//! - [`Adapter`] and [`AdapterFactory`]: what a server needs from an adapter.
//! - [`LocalAdapter`]: the adapter of a single process, with [`LocalAdapterFactory`] to make it.
//! - [`SocketId`], [`Room`]: names, cheap to clone; [`IntoRooms`] is what takes one or several.
//! - [`Completion`]: what a join or a leave returns.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod adapter;
mod answers;
mod cluster;
mod dedupe;
mod error;
mod future;
mod into_rooms;
mod local;
mod member;
mod membership;
mod names;
mod nodes;
mod options;
mod recovery;
mod rooms;
mod slab;

pub use adapter::{
    Adapter, AdapterFactory, Claim, Claimed, Delivered, NodesChannel, NodesReceiver, Place,
    Prepared, Recovery, Session, SharedLog, Target, Track,
};
pub use answers::Answers;
#[cfg(feature = "cluster")]
pub use cluster::adapter::{ClusterAdapter, ClusterNode, Format};
#[cfg(feature = "cluster")]
pub use cluster::bus::{Bus, Census, Channel, QueueFull, Receiver};
#[cfg(feature = "cluster")]
pub use cluster::emitter::{Emitter, EmitterError};
#[cfg(feature = "cluster")]
pub use cluster::formats::channels::{Naming, RoomChannels};
#[cfg(feature = "cluster")]
pub use cluster::formats::classic::Dialect;
#[cfg(feature = "cluster")]
pub use cluster::log::{Cover, Entry, Follower, Log, NewEntry, NoOffset, Offset, Store};
pub use cluster::{AckCount, Answered, Cluster, Node, Reply, SharedRecovery, SocketDetails};
pub use dedupe::memory::MemoryDedupe;
pub use dedupe::{DedupeCounters, DedupeKey, DedupeOptions, DedupeStore, Handled, Outcome, Turn};
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub use engineio_proto::{guard, log};
pub use error::{AdapterError, EnterError, JoinError, NotRecovered};
pub use future::AdapterFuture;
pub use into_rooms::IntoRooms;
pub use local::{LocalAdapter, LocalAdapterFactory};
pub use member::{Delivery, Member};
pub use membership::Completion;
pub use names::{Room, SocketId};
pub use nodes::{NodeRow, NodeState, NodeTable, NodesDue, NotARow};
pub use options::BroadcastOptions;
pub use recovery::log::OFFSET_LEN;
pub use recovery::{Clock, RecoveryCounters, RecoveryOptions};
#[cfg(feature = "cluster")]
pub use socketio_parser::DataForm;

/// The inside, for fuzzers.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    /// Operations on rooms, checked against a naive model.
    pub fn rooms(operations: &[u8]) {
        crate::rooms::model::run(operations);
    }

    /// Operations on sessions with recovery, checked against what their clients know.
    pub fn recovery(operations: &[u8]) {
        crate::local::model::run(operations);
    }
}
