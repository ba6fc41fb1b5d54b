//! Redis as the broker of a cluster.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use redis::{FromRedisValue, RedisError};
use socketio_adapter::{AdapterError, AdapterFuture, Bus, Census, Channel, QueueFull, Receiver};
use tokio::task::AbortHandle;

use crate::links::Links;
use crate::publish::Message;
use crate::reader::Reader;
use crate::redis_cluster::Cluster;
use crate::stats::Counters;
use crate::subscribe::pattern;

/// The broker of a node. The tasks end with the last who publishes or listens.
#[derive(Debug)]
pub(crate) struct RedisBus {
    pub(crate) parts: Arc<Parts>,
    pub(crate) sharded: bool,
}

/// What all buses of an adapter share. It ends the tasks when it is dropped.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) links: Arc<Links>,
    /// What reads streams, if there are some.
    pub(crate) reader: Option<Arc<Reader>>,
    /// That is connected to, if it is one.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// The task that knows where the servers are.
    pub(crate) watcher: Option<AbortHandle>,
    pub(crate) counters: Arc<Counters>,
}

impl Parts {
    pub(crate) fn is_ready(&self) -> bool {
        self.links.is_ready() && self.reader.as_ref().is_none_or(|reader| reader.is_ready())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.links.close();
        if let Some(reader) = &self.reader {
            reader.close();
        }
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}

impl RedisBus {
    /// Asks Redis something about the subscribers of a channel, or of all: in a cluster each node that
    /// may have some, as each tells of its own only. Fails at once while there is no connection.
    fn ask<T, Answer>(
        &self,
        command: redis::Cmd,
        channel: Option<&str>,
        read: impl FnOnce(Vec<Answer>) -> T + Send + 'static,
    ) -> AdapterFuture<T>
    where
        T: Send + 'static,
        Answer: FromRedisValue + Send + 'static,
    {
        // Node: @socket.io/redis-adapter asks all nodes of a cluster, too
        if let Some(cluster) = self.parts.cluster.clone() {
            let owned = channel.filter(|_| self.sharded).map(str::to_owned);
            return Box::pin(async move {
                let answers = match owned {
                    Some(channel) => cluster.ask_owner(channel, command).await.map(|one| vec![one]),
                    None => cluster.ask_all(command).await,
                };
                answers.map(read).map_err(backend)
            });
        }
        let connection = match &*self.parts.links {
            Links::One(link) => link.publisher.connection(),
            Links::Each(_) => None,
        };
        Box::pin(async move {
            let Some(mut connection) = connection else {
                return Err(AdapterError::Backend("there is no connection to Redis".into()));
            };
            let answer = command.query_async::<Answer>(&mut connection).await;
            answer.map(|answer| read(vec![answer])).map_err(backend)
        })
    }
}

fn backend(error: RedisError) -> AdapterError {
    AdapterError::Backend(error.into())
}

impl Bus for RedisBus {
    fn publish(&self, channel: String, payload: Bytes) -> Result<(), QueueFull> {
        self.parts.links.publish(Message { key: channel, payload, entry: None })
    }

    fn flush(&self) {
        self.parts.links.flush();
    }

    fn subscribe(&self, channel: Channel, receiver: &Arc<dyn Receiver>) -> AdapterFuture<()> {
        self.parts.links.subscribe(channel, receiver)
    }

    fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        self.parts.links.unsubscribe(channel, receiver);
    }

    fn census(&self) -> Option<&dyn Census> {
        Some(self)
    }
}

impl Census for RedisBus {
    fn subscribers(&self, channel: &str) -> AdapterFuture<usize> {
        let mut command = redis::cmd("PUBSUB");
        command.arg(if self.sharded { "SHARDNUMSUB" } else { "NUMSUB" }).arg(channel);
        // one pair of name and number each
        self.ask(command, Some(channel), |counts: Vec<(String, usize)>| {
            counts.into_iter().map(|(_, count)| count).sum()
        })
    }

    fn channels(&self, beginning: &str, end: &str) -> AdapterFuture<usize> {
        let mut command = redis::cmd("PUBSUB");
        let kind = if self.sharded { "SHARDCHANNELS" } else { "CHANNELS" };
        command.arg(kind).arg(pattern(beginning, end));
        self.ask(command, None, |channels: Vec<Vec<Vec<u8>>>| {
            channels.into_iter().flatten().collect::<HashSet<_>>().len()
        })
    }
}
