//! All connections of an adapter: to one server, or to each master of a Redis Cluster.

use std::sync::Arc;

use socketio_adapter::{AdapterFuture, Channel, QueueFull, Receiver};

use crate::link::Link;
use crate::publish::{Message, Publisher};
use crate::shards::Shards;

/// The links of an adapter.
#[derive(Debug)]
pub(crate) enum Links {
    /// To the only server, to the master, or to any node of a cluster.
    One(Link),
    /// One to each master of a cluster.
    Each(Arc<Shards>),
}

impl Links {
    pub(crate) fn publish(&self, message: Message) -> Result<(), QueueFull> {
        match self {
            Self::One(link) => link.publisher.push(message),
            Self::Each(shards) => shards.publish(message),
        }
    }

    /// Sends what waits, as far as that can be done at once.
    pub(crate) fn flush(&self) {
        match self {
            Self::One(link) => link.publisher.flush(),
            Self::Each(shards) => shards.publishers().iter().for_each(|one| one.flush()),
        }
    }

    pub(crate) fn subscribe(
        &self,
        channel: Channel,
        receiver: &Arc<dyn Receiver>,
    ) -> AdapterFuture<()> {
        match self {
            Self::One(link) => link.subscriber.subscribe(channel, receiver),
            Self::Each(shards) => shards.subscribe(channel, receiver),
        }
    }

    pub(crate) fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        match self {
            Self::One(link) => link.subscriber.unsubscribe(channel, receiver),
            Self::Each(shards) => shards.unsubscribe(channel, receiver),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::One(link) => link.is_ready(),
            Self::Each(shards) => shards.is_ready(),
        }
    }

    /// Messages that wait, those on their way included.
    pub(crate) fn pending(&self) -> usize {
        self.publishers().iter().map(|publisher| publisher.pending()).sum()
    }

    /// Resolves when nothing waits any more. Cancel safe.
    pub(crate) async fn flushed(&self) {
        // what waits for one server may go to another meanwhile
        while self.pending() > 0 {
            for publisher in self.publishers() {
                publisher.flushed().await;
            }
        }
    }

    pub(crate) fn close(&self) {
        match self {
            Self::One(link) => link.close(),
            Self::Each(shards) => shards.close(),
        }
    }

    fn publishers(&self) -> Vec<Arc<Publisher>> {
        match self {
            Self::One(link) => vec![Arc::clone(&link.publisher)],
            Self::Each(shards) => shards.publishers(),
        }
    }
}
