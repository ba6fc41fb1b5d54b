//! The adapter factory and its options.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisError};
use socketio_adapter::{
    Adapter, AdapterFactory, ClusterNode, Dialect, Emitter, Format, NodesChannel, RoomChannels,
};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::bus::{Parts, RedisBus};
use crate::link::{Link, Plan};
use crate::links::Links;
use crate::publish::Limits;
use crate::reader::Reader;
use crate::redis_cluster::Cluster;
use crate::sentinel::{Sentinel, Watcher};
use crate::shards::Shards;
use crate::stats::{Counters, Event, OnEvent, Stats};
use crate::stream_log::StreamLog;
use crate::stream_names::StreamNames;
use crate::streams::Streams;
use crate::targets::{Target, Targets};

/// Adapters over Redis, to be given to the server's builder; a handle, cheap to clone.
///
/// All namespaces of a server share its connections, by which Redis counts nodes: each server needs
/// an adapter of its own, also within a process. They are closed when the last handle and the last
/// namespace are gone.
#[derive(Clone)]
pub struct RedisAdapter {
    node: ClusterNode,
    key: Arc<str>,
    parts: Arc<Parts>,
}

impl RedisAdapter {
    /// Begins an adapter for the Redis at an address: a URL
    /// (`redis://[user][:password@]host[:port][/db]`) or a [`ConnectionInfo`]. What the latter says of
    /// sockets holds, with two exceptions: `TCP_NODELAY` is always set; and `SO_LINGER`, which cannot be
    /// read from it, is left alone on the connection that publishes, unless that is one with TLS.
    pub fn builder(redis: impl IntoConnectionInfo) -> Builder {
        Builder::new(redis.into_connection_info().map(Place::Server))
    }

    /// Begins an adapter for a Redis Cluster, of which some nodes are known: URLs
    /// (`redis://[user][:password@]host[:port]`) or [`ConnectionInfo`]. They are asked for the others
    /// when none of those that are known answers. Users, passwords and TLS are those of the first.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use socketio_redis::RedisAdapter;
    ///
    /// let seeds = ["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"];
    /// let redis = RedisAdapter::cluster(seeds).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cluster(seeds: impl IntoIterator<Item = impl IntoConnectionInfo>) -> Builder {
        let seeds = seeds.into_iter().map(IntoConnectionInfo::into_connection_info);
        Builder::new(seeds.collect::<Result<_, _>>().map(Place::Cluster))
    }

    /// Begins an adapter for the master that sentinels name.
    pub fn sentinel(master: Sentinel) -> Builder {
        Builder::new(Ok(Place::Sentinel(master)))
    }

    /// Begins an adapter over Redis streams: messages that nobody answers are entries, which a node reads
    /// from where it was, so that the loss of a connection loses none; the rest goes over channels. With
    /// the server's
    /// [`connection_state_recovery`](https://docs.rs/socketio-server/latest/socketio/struct.Builder.html#method.connection_state_recovery)
    /// clients come back to their sessions on any node. Options by [`Builder::with_streams`].
    ///
    /// ```no_run
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use socketio_redis::RedisAdapter;
    ///
    /// let redis = RedisAdapter::streams("redis://127.0.0.1:6379").build()?;
    /// # Ok(())
    /// # }
    /// ```
    // Node: @socket.io/redis-streams-adapter 0.3.x
    pub fn streams(redis: impl IntoConnectionInfo) -> Builder {
        Self::builder(redis).with_streams(Streams::default())
    }

    /// Resolves when all connections are there, all that was subscribed until now is confirmed, and the
    /// position in each stream is known. Await it before clients come, or the first messages of other
    /// nodes may be missed. Never while Redis is away. Cancel safe.
    pub async fn ready(&self) {
        let mut changes = self.parts.counters.changes();
        while !self.parts.is_ready() {
            // the sender lives as long as `self`
            let _ = changes.changed().await;
        }
    }

    /// Resolves when no message waits for Redis any more: each was published or is lost; and when the
    /// sessions that ended are where other nodes find them. For programs that end after they have sent
    /// something. Cancel safe.
    pub async fn flushed(&self) {
        self.node.saved().await;
        self.parts.links.flushed().await;
    }

    /// A snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            queued: self.parts.links.pending(),
            received: self.node.received(),
            malformed: self.node.malformed(),
            refused_answers: self.node.refused_answers(),
            is_ready: self.parts.is_ready(),
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
    /// redis.flushed().await;
    /// # Ok(())
    /// # }
    /// ```
    // Node: socket.io-emitter, @socket.io/redis-emitter
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

    fn nodes_channel(&self) -> Option<Arc<dyn NodesChannel>> {
        // no Node server listens to what begins so
        Some(self.node.nodes_channel(format!("{}-nodes#", self.key)))
    }
}

impl fmt::Debug for RedisAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAdapter").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// Where Redis is.
enum Place {
    Server(ConnectionInfo),
    Cluster(Vec<ConnectionInfo>),
    Sentinel(Sentinel),
}

/// The options of a [`RedisAdapter`], each with its default.
#[must_use = "a builder makes nothing before `build`"]
pub struct Builder {
    place: Result<Place, RedisError>,
    format: Format,
    /// The format is that of streams, whatever the other says.
    streams: Option<Streams>,
    key: String,
    request_timeout: Duration,
    limits: Limits,
    max_commands: usize,
    max_rooms_per_socket: Option<usize>,
    max_message_bytes: Option<usize>,
    max_client_answers: Option<usize>,
    settings: Settings,
    on_event: Option<OnEvent>,
}

impl Builder {
    fn new(place: Result<Place, RedisError>) -> Self {
        Self {
            place,
            format: Format::Classic(Dialect::New),
            streams: None,
            key: "socket.io".to_owned(),
            request_timeout: Duration::from_secs(5),
            limits: Limits { messages: 10_000, bytes: 16 << 20 },
            max_commands: 10_000,
            max_rooms_per_socket: None,
            max_message_bytes: None,
            max_client_answers: None,
            settings: Settings::default(),
            on_event: None,
        }
    }

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

    /// Speaks over streams instead of the classic format, with these options. For a server or a master
    /// that sentinels name; not yet for a Redis Cluster.
    pub fn with_streams(mut self, streams: Streams) -> Self {
        self.streams = Some(streams);
        self
    }

    /// How names of channels begin (`socket.io`): `key` of the classic adapters of Node,
    /// `channelPrefix` of the sharded one and of that over streams. Clusters with different keys share a Redis and nothing
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
    /// counted; 0 messages: nothing ever goes out. In a Redis Cluster with the sharded format so much
    /// may wait for each master.
    pub fn publish_queue(mut self, messages: usize, bytes: usize) -> Self {
        self.limits = Limits { messages, bytes };
        self
    }

    /// How many changes of what is listened to may wait for Redis (10,000), beyond as many as there are
    /// channels. With more the connection is given up, counted, and made anew, with all that is listened
    /// to by then. In the sharded format rooms that come and go are such changes.
    pub fn subscription_queue(mut self, changes: usize) -> Self {
        self.max_commands = changes;
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

    /// How many answers of clients of other nodes one emission keeps (100,000). Those beyond are
    /// counted, and their clients silent.
    pub fn max_client_answers(mut self, answers: usize) -> Self {
        self.max_client_answers = Some(answers);
        self
    }

    /// Which certificates are trusted, those of the operating system, and which is shown to Redis, none.
    /// For addresses `rediss://`.
    #[cfg(feature = "tls")]
    pub fn certificates(mut self, certificates: redis::TlsCertificates) -> Self {
        self.settings.certificates = Some(certificates);
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
    /// If an address is none, or does not fit: a cluster has one database, and neither it nor a list of
    /// sentinels is empty; streams are not for a cluster. If options of streams make no sense. If certificates cannot be read or are given for one without TLS.
    ///
    /// # Panics
    /// If it is not called within a tokio runtime, on which the adapter's tasks run.
    pub fn build(self) -> Result<RedisAdapter, RedisError> {
        let plan = Plan {
            limits: self.limits,
            max_commands: self.max_commands,
            counters: Arc::new(Counters::new(self.on_event)),
            runtime: Handle::current(),
            sharded: match &self.streams {
                Some(streams) => streams.sharded_channels,
                None => matches!(self.format, Format::Sharded(_)),
            },
        };
        let key = self.key.as_str().into();
        self.streams.as_ref().map_or(Ok(()), Streams::check)?;
        let parts = Arc::new(parts(self.place?, &self.settings, &plan, self.streams.as_ref())?);
        let bus = Arc::new(RedisBus { parts: Arc::clone(&parts), sharded: plan.sharded });
        let patience = self.streams.as_ref().map(|streams| streams.patience);
        let log = self.streams.zip(parts.reader.clone()).map(|(streams, reader)| {
            let trim = streams.trim();
            let names = StreamNames::new(streams.name, streams.count);
            let parts = Arc::clone(&parts);
            let (streams, key_prefix) = (names.all().into(), streams.session_key_prefix);
            Arc::new(StreamLog { parts, reader, names, streams, trim, key_prefix })
        });
        let node = match log {
            Some(log) => ClusterNode::with_log(bus, log, self.key),
            None => ClusterNode::new(bus, self.format, self.key),
        };
        let mut node = node.request_timeout(self.request_timeout);
        if let Some(patience) = patience {
            node = node.log_patience(patience);
        }
        if let Some(limit) = self.max_rooms_per_socket {
            node = node.max_rooms_per_socket(limit);
        }
        if let Some(bytes) = self.max_message_bytes {
            node = node.max_message_bytes(bytes);
        }
        if let Some(answers) = self.max_client_answers {
            node = node.max_client_answers(answers);
        }
        plan.runtime.spawn(announce(
            Arc::downgrade(&parts),
            plan.counters.changes(),
            Arc::downgrade(&plan.counters),
        ));
        Ok(RedisAdapter { node, key, parts })
    }
}

/// Begins to find the servers and to connect to them.
fn parts(
    place: Place,
    settings: &Settings,
    plan: &Plan,
    streams: Option<&Streams>,
) -> Result<Parts, RedisError> {
    let counters = Arc::clone(&plan.counters);
    let reader = |targets: &Targets| {
        let streams = streams?;
        let names = StreamNames::new(streams.name.clone(), streams.count).all();
        let counters = Arc::clone(&plan.counters);
        let reader = Reader::new(names, streams.read_count, streams.block_time, counters);
        let reader = Arc::new(reader);
        plan.runtime.spawn(Arc::clone(&reader).run(targets.clone()));
        Some(reader)
    };
    match place {
        Place::Server(info) => {
            let targets = Targets::one(Target::new(settings.apply(info)?)?, Arc::default());
            let reader = reader(&targets);
            let links = Arc::new(Links::One(Link::open(plan, targets, None)));
            Ok(Parts { links, reader, cluster: None, watcher: None, counters })
        }
        Place::Cluster(_) if streams.is_some() => {
            let why = "streams are for one server or a master that sentinels name";
            Err((ErrorKind::InvalidClientConfig, why).into())
        }
        Place::Sentinel(master) => {
            let sentinels =
                Watcher::new(master, |info| settings.apply(info), Arc::clone(&counters))?;
            let targets = Targets::new(sentinels.master(), 0, sentinels.outdated());
            let reader = reader(&targets);
            let links = Arc::new(Links::One(Link::open(plan, targets, None)));
            let watcher = Some(plan.runtime.spawn(sentinels.watch()).abort_handle());
            Ok(Parts { links, reader, cluster: None, watcher, counters })
        }
        Place::Cluster(seeds) => {
            let seeds = seeds.into_iter().map(|info| settings.apply(info));
            let cluster = Cluster::new(seeds.collect::<Result<_, _>>()?, Arc::clone(&counters))?;
            let links = if plan.sharded {
                let shards = Shards::new(plan.clone(), cluster.outdated());
                plan.runtime.spawn(Shards::follow(Arc::downgrade(&shards), cluster.view()));
                Links::Each(shards)
            } else {
                // each server begins with another node
                let turn = std::hash::RandomState::new().build_hasher().finish();
                #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
                let targets = Targets::new(cluster.nodes(), turn as usize, cluster.outdated());
                Links::One(Link::open(plan, targets, None))
            };
            let watcher = plan.runtime.spawn(Arc::clone(&cluster).watch()).abort_handle();
            let (links, cluster) = (Arc::new(links), Some(cluster));
            Ok(Parts { links, reader: None, cluster, watcher: Some(watcher), counters })
        }
    }
}

/// What every connection has, whatever its address says.
#[derive(Default)]
struct Settings {
    #[cfg(feature = "tls")]
    certificates: Option<redis::TlsCertificates>,
}

impl Settings {
    fn apply(&self, info: ConnectionInfo) -> Result<ConnectionInfo, RedisError> {
        // messages of channels come beside answers in this protocol only
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        // small writes must not wait for the acknowledgement of those before
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        #[cfg(feature = "tls")]
        if let Some(certificates) = &self.certificates {
            let client = redis::Client::build_with_tls(info, certificates.clone())?;
            return Ok(client.get_connection_info().clone());
        }
        Ok(info)
    }
}

/// Tells when all is in place: at the start, and again after each loss.
async fn announce(parts: Weak<Parts>, mut changes: watch::Receiver<()>, counters: Weak<Counters>) {
    let mut told = None;
    while let (Some(parts), Some(counters)) = (parts.upgrade(), counters.upgrade()) {
        let errors = counters.errors();
        if told != Some(errors) && parts.is_ready() {
            told = Some(errors);
            counters.tell(&Event::Ready);
        }
        drop((parts, counters));
        // the senders are gone with the adapter and its tasks
        if changes.changed().await.is_err() {
            return;
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
