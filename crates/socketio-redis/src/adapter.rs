//! The adapter factory and its options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError};
use socketio_adapter::{
    Adapter, AdapterFactory, ClusterNode, Dialect, Emitter, Format, RoomChannels,
};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::bus::RedisBus;
use crate::publish::{Limits, Publisher};
use crate::stats::{Counters, Event, OnEvent, Stats};
use crate::subscribe::Subscriber;

/// Adapters over Redis, to be given to the server's builder; a handle, cheap to clone.
///
/// All namespaces of a server share its two connections, by which Redis counts nodes: each server
/// needs an adapter of its own, also within a process. They are closed when the last handle and the
/// last namespace are gone.
#[derive(Clone)]
pub struct RedisAdapter {
    node: ClusterNode,
    parts: Arc<Parts>,
}

/// What ends the tasks when it is dropped.
#[derive(Debug)]
pub(crate) struct Parts {
    publisher: Arc<Publisher>,
    subscriber: Arc<Subscriber>,
    counters: Arc<Counters>,
}

impl RedisAdapter {
    /// Begins an adapter for the Redis at an address: a URL
    /// (`redis://[user][:password@]host[:port][/db]`) or a [`ConnectionInfo`].
    pub fn builder(redis: impl IntoConnectionInfo) -> Builder {
        Builder {
            redis: redis.into_connection_info(),
            format: Format::Classic(Dialect::New),
            key: "socket.io".to_owned(),
            request_timeout: Duration::from_secs(5),
            limits: Limits { messages: 10_000, bytes: 16 << 20 },
            max_rooms_per_socket: None,
            max_message_bytes: None,
            #[cfg(feature = "tls")]
            certificates: None,
            on_event: None,
        }
    }

    /// Resolves when both connections are there and all that was subscribed until now is confirmed.
    /// Await it before clients come, or the first messages of other nodes may be missed. Never
    /// while Redis is away. Cancel safe.
    pub async fn ready(&self) {
        let mut connections = self.parts.publisher.connections();
        let mut settled = self.parts.subscriber.settled();
        loop {
            // the senders live as long as `self`
            let _ = connections.wait_for(Option::is_some).await;
            let _ = settled.wait_for(|is| *is).await;
            if connections.borrow().is_some() {
                return;
            }
        }
    }

    /// Resolves when no message waits for Redis any more: each was published or is lost. For
    /// programs that end after they have sent something. Cancel safe.
    pub async fn flush(&self) {
        self.parts.publisher.flushed().await;
    }

    /// A snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let is_connected = self.parts.publisher.connection().is_some();
        let mut stats = Stats {
            queued: self.parts.publisher.pending(),
            received: self.node.received(),
            malformed: self.node.malformed(),
            is_ready: is_connected && *self.parts.subscriber.settled().borrow(),
            ..Stats::default()
        };
        self.parts.counters.read(&mut stats);
        stats
    }

    /// What publishes to the clients of a cluster without being one of its servers, in a namespace.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use socketio_redis::RedisAdapter;
    ///
    /// let redis = RedisAdapter::builder("redis://127.0.0.1:6379").build()?;
    /// redis.emitter("/").to("news").emit("headline", "It works.")?;
    /// redis.flush().await;
    /// # Ok(())
    /// # }
    /// ```
    // reference: socket.io-emitter, @socket.io/redis-emitter
    pub fn emitter(&self, namespace: &str) -> Emitter {
        self.node.emitter(namespace)
    }
}

impl AdapterFactory for RedisAdapter {
    fn create(&self, namespace: &str) -> Arc<dyn Adapter> {
        Arc::new(self.node.adapter(namespace))
    }

    fn name(&self) -> &'static str {
        "redis"
    }
}

impl fmt::Debug for RedisAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAdapter").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.publisher.close();
        self.subscriber.close();
    }
}

/// The options of a [`RedisAdapter`], each with its default.
#[must_use = "a builder makes nothing before `build`"]
pub struct Builder {
    redis: Result<ConnectionInfo, RedisError>,
    format: Format,
    key: String,
    request_timeout: Duration,
    limits: Limits,
    max_rooms_per_socket: Option<usize>,
    max_message_bytes: Option<usize>,
    #[cfg(feature = "tls")]
    certificates: Option<redis::TlsCertificates>,
    on_event: Option<OnEvent>,
}

impl Builder {
    /// Speaks the classic format, and says which lines of Node servers there are
    /// ([`Dialect::New`]).
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.format = Format::Classic(dialect);
        self
    }

    /// Speaks the sharded format instead of the classic one. All nodes must have the same `rooms`
    /// (`subscriptionMode` in Node).
    pub fn sharded(mut self, rooms: RoomChannels) -> Self {
        self.format = Format::Sharded(rooms);
        self
    }

    /// How names of channels begin (`socket.io`): `key` of the classic adapters of Node,
    /// `channelPrefix` of the sharded one. Clusters with different keys share a Redis and nothing
    /// else.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// How long answers of other nodes are waited for (5 s): `requestsTimeout` of Node. What a
    /// query found until then is its result.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How much may wait for Redis (10,000 messages, 16 MiB). What does not fit is lost and
    /// counted; 0 messages: nothing ever goes out.
    pub fn publish_queue(mut self, messages: usize, bytes: usize) -> Self {
        self.limits = Limits { messages, bytes };
        self
    }

    /// How many rooms a socket may join besides its own (16,384).
    pub fn max_rooms_per_socket(mut self, limit: usize) -> Self {
        self.max_rooms_per_socket = Some(limit);
        self
    }

    /// How long a message of another node may be (64 MiB); longer ones are dropped and counted.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// Which certificates are trusted, those of the operating system, and which is shown to Redis, none.
    /// For an address `rediss://`.
    #[cfg(feature = "tls")]
    pub fn certificates(mut self, certificates: redis::TlsCertificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Is told what happens between the adapter and Redis (nobody). It must not block.
    pub fn on_event(mut self, f: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(f));
        self
    }

    /// Makes the adapter, which begins to connect. Whether Redis is there does not matter yet, see
    /// [`RedisAdapter::ready`].
    ///
    /// # Errors
    /// If the address is none, or certificates cannot be read or are given for one without TLS.
    ///
    /// # Panics
    /// If it is not called within a tokio runtime, on which the adapter's tasks run.
    pub fn build(self) -> Result<RedisAdapter, RedisError> {
        let redis = self.redis?;
        let settings = redis.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        // small writes must not wait for the acknowledgement of those before
        let tcp = redis.tcp_settings().clone().set_nodelay(true);
        let redis = redis.set_redis_settings(settings).set_tcp_settings(tcp);
        #[cfg(feature = "tls")]
        let client = match self.certificates {
            Some(certificates) => Client::build_with_tls(redis, certificates)?,
            None => Client::open(redis)?,
        };
        #[cfg(not(feature = "tls"))]
        let client = Client::open(redis)?;
        let sharded = matches!(self.format, Format::Sharded(_));
        let counters = Arc::new(Counters::new(self.on_event));
        let publisher = Arc::new(Publisher::new(self.limits, Arc::clone(&counters)));
        let subscriber = Arc::new(Subscriber::new(sharded, Arc::clone(&counters)));
        let parts = Arc::new(Parts {
            publisher: Arc::clone(&publisher),
            subscriber: Arc::clone(&subscriber),
            counters,
        });
        let bus = RedisBus {
            publisher: Arc::clone(&publisher),
            subscriber: Arc::clone(&subscriber),
            sharded,
            _parts: Arc::clone(&parts),
        };
        let mut node = ClusterNode::new(Arc::new(bus), self.format, self.key)
            .request_timeout(self.request_timeout);
        if let Some(limit) = self.max_rooms_per_socket {
            node = node.max_rooms_per_socket(limit);
        }
        if let Some(bytes) = self.max_message_bytes {
            node = node.max_message_bytes(bytes);
        }
        let adapter = RedisAdapter { node, parts };
        let runtime = Handle::current();
        let command = if sharded { "SPUBLISH" } else { "PUBLISH" };
        let of_publisher = client.clone();
        runtime.spawn(announce(
            publisher.connections(),
            subscriber.settled(),
            Arc::clone(&adapter.parts.counters),
        ));
        publisher.start(of_publisher, command);
        runtime.spawn(Arc::clone(&subscriber).deliver());
        runtime.spawn(subscriber.run(client));
        Ok(adapter)
    }
}

/// Tells when all is in place: at the start, and again after each loss.
async fn announce(
    mut connections: watch::Receiver<Option<MultiplexedConnection>>,
    mut settled: watch::Receiver<bool>,
    counters: Arc<Counters>,
) {
    let mut told = None;
    // ends with the tasks of the connections, which hold the senders
    while connections.wait_for(Option::is_some).await.is_ok()
        && settled.wait_for(|is| *is).await.is_ok()
    {
        let errors = counters.errors();
        if connections.borrow().is_some() && told != Some(errors) {
            told = Some(errors);
            counters.tell(&Event::Ready);
        }
        tokio::select! {
            changed = connections.changed() => if changed.is_err() { return },
            changed = settled.changed() => if changed.is_err() { return },
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("format", &self.format)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
