//! What a cluster needs from a broker.
//!
//! # How a broker is added
//!
//! What is said between nodes is the business of this crate, and so are requests, their time limits and
//! who is missing, the reading of what comes with nothing taken for granted, and local delivery, which
//! never waits. A crate for a broker has:
//!
//! 1. a [`Bus`]: messages on named channels, both ways, over losses of connections. Messages are bytes
//!    that end where they began. A broker that cannot carry all of them (too long, not text) carries
//!    them in another way, unseen: they are JSON if they begin with `{`, else msgpack.
//! 2. who is there: a [`Census`], if the broker counts who listens. Without one the nodes know each
//!    other by name: by their heartbeats, see [`ClusterNode::heartbeats`](crate::ClusterNode::heartbeats),
//!    the first of which waits for the subscriptions.
//! 3. what the channels are called: a [`Naming`](crate::Naming), given to
//!    [`ClusterNode::of_messages`](crate::ClusterNode::of_messages).
//! 4. a [`Log`](crate::Log) beside it, if it keeps messages and gives them offsets: then what only tells
//!    something goes there, and clients come back to their sessions on any node. See
//!    [`ClusterNode::with_log`](crate::ClusterNode::with_log). A carrier without offsets never appends
//!    one to an event.
//! 5. a factory of adapters ([`AdapterFactory`](crate::AdapterFactory)) with its options, which makes
//!    each by [`ClusterNode::adapter`](crate::ClusterNode::adapter), and gives out emitters; when all is
//!    in place; counters of what was lost.
//!
//! What a carrier loses it counts. It never sends twice what may have arrived.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::AdapterFuture;

/// A broker, as far as the cluster needs it: named channels, and who listens to them.
///
/// It keeps what was subscribed across losses of its connection, and tells nobody of them but whom
/// it is configured to: to the cluster a lost message is one that did not come.
pub trait Bus: Send + Sync + fmt::Debug + 'static {
    /// Hands a message to the broker, behind those that were handed over before. Never waits: what
    /// does not fit the queue, or is lost on the way, is counted.
    ///
    /// # Errors
    /// If it did not fit the queue.
    fn publish(&self, channel: String, payload: Bytes) -> Result<(), QueueFull>;

    /// Sends on what was handed over, as far as that can be done on this thread without waiting. Called
    /// after broadcasts, before clients of this node are written to; without it they go out as soon
    /// as the bus comes to it.
    fn flush(&self) {}

    /// Listens to a channel; `receiver` gets its messages in their order, once each however often it
    /// was given. The future resolves when the broker has confirmed it; the subscription is made
    /// whether or not it is awaited, and made again after each loss of the connection.
    fn subscribe(&self, channel: Channel, receiver: &Arc<dyn Receiver>) -> AdapterFuture<()>;

    /// This receiver (the same pointer) listens no more. Another that listens to the channel goes on.
    fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>);

    /// What counts who listens, if the broker can.
    ///
    /// Without it the nodes of [`Format::Sharded`](crate::Format::Sharded) know each other by name:
    /// they send heartbeats, and requests wait for the nodes that are heard of. The classic formats
    /// have no heartbeats, so that with such a broker their requests find nobody, and say so.
    fn census(&self) -> Option<&dyn Census> {
        None
    }
}

/// A broker that can count who listens.
pub trait Census: Send + Sync {
    /// How many listen to the channel of this name, this node included. Channels with a common
    /// beginning do not count.
    fn subscribers(&self, channel: &str) -> AdapterFuture<usize>;

    /// How many channels somebody listens to have a name with this beginning, something behind it,
    /// and this end.
    fn channels(&self, beginning: &str, end: &str) -> AdapterFuture<usize>;
}

/// Which messages are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "every broker must know them all")]
pub enum Channel {
    /// Those of the channel of this name.
    Named(String),
    /// Those of all channels whose names begin so.
    BeginningWith(String),
}

/// Takes messages.
pub trait Receiver: Send + Sync + 'static {
    /// Takes a message. It must not block: the next comes when it returns.
    fn receive(&self, channel: &str, payload: &[u8]);

    /// Runs `f`, in which messages are handed to this and other receivers: those that wait at the same
    /// time, so that what they cause is written together.
    fn together(&self, f: &mut dyn FnMut()) {
        f();
    }
}

/// The queue of a [`Bus`] is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct QueueFull;

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue of messages for the broker is full")
    }
}

impl std::error::Error for QueueFull {}
