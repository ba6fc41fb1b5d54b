//! Redis as the broker of a cluster.

use std::sync::Arc;

use bytes::Bytes;
use redis::RedisError;
use socketio_adapter::{AdapterError, AdapterFuture, Bus, Channel, Full, Receiver};

use crate::adapter::Parts;
use crate::publish::Publisher;
use crate::subscribe::{Subscriber, pattern};

#[derive(Debug)]
pub(crate) struct RedisBus {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) sharded: bool,
    /// Ends the tasks with the last who publishes or listens.
    pub(crate) _parts: Arc<Parts>,
}

impl RedisBus {
    /// Asks Redis something; fails at once while there is no connection.
    fn ask<T, Answer>(
        &self,
        command: redis::Cmd,
        read: impl FnOnce(Answer) -> T + Send + 'static,
    ) -> AdapterFuture<T>
    where
        T: Send + 'static,
        Answer: redis::FromRedisValue + Send + 'static,
    {
        let connection = self.publisher.connection();
        Box::pin(async move {
            let Some(mut connection) = connection else {
                return Err(AdapterError::Backend("there is no connection to Redis".into()));
            };
            let answer = command.query_async::<Answer>(&mut connection).await;
            answer.map(read).map_err(|error: RedisError| AdapterError::Backend(error.into()))
        })
    }
}

impl Bus for RedisBus {
    fn publish(&self, channel: String, payload: Bytes) -> Result<(), Full> {
        self.publisher.push(channel, payload)
    }

    fn flush(&self) {
        self.publisher.flush();
    }

    fn subscribe(&self, channel: Channel, receiver: &Arc<dyn Receiver>) -> AdapterFuture<()> {
        self.subscriber.subscribe(channel, receiver)
    }

    fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        self.subscriber.unsubscribe(channel, receiver);
    }

    fn subscribers(&self, channel: &str) -> AdapterFuture<usize> {
        let mut command = redis::cmd("PUBSUB");
        command.arg(if self.sharded { "SHARDNUMSUB" } else { "NUMSUB" }).arg(channel);
        // one pair of name and number
        self.ask(command, |(_, count): (String, usize)| count)
    }

    fn channels(&self, beginning: &str, end: &str) -> AdapterFuture<usize> {
        let mut command = redis::cmd("PUBSUB");
        let kind = if self.sharded { "SHARDCHANNELS" } else { "CHANNELS" };
        command.arg(kind).arg(pattern(beginning, end));
        self.ask(command, |channels: Vec<Vec<u8>>| channels.len())
    }
}
