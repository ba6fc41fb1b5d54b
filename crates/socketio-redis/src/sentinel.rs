//! The master that sentinels name.
//!
//! A task asks one sentinel after the other, and again and again: also a master that still answers may
//! have been replaced, and who stays there hears nobody. It keeps the sentinel that answered.

use std::fmt;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    TlsMode,
};
use socketio_adapter::log;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::connection::{LOOK_INTERVAL, LOOK_PAUSE, open_to_ask};
use crate::stats::Counters;
use crate::targets::Target;

/// A Redis that is watched by sentinels: [`RedisAdapter::sentinel`](crate::RedisAdapter::sentinel).
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use socketio_redis::{RedisAdapter, RedisConnectionInfo, Sentinel};
///
/// let sentinels = ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379", "redis://10.0.0.3:26379"];
/// let master = Sentinel::new("mymaster", sentinels)
///     .servers(RedisConnectionInfo::default().set_password("secret"));
/// let redis = RedisAdapter::sentinel(master).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it is to be given to `RedisAdapter::sentinel`"]
pub struct Sentinel {
    name: String,
    sentinels: Result<Vec<ConnectionInfo>, Arc<RedisError>>,
    servers: RedisConnectionInfo,
    tls: Option<TlsMode>,
}

impl Sentinel {
    /// The name of the master, and the addresses of sentinels: URLs
    /// (`redis://[user][:password@]host[:port]`) or [`ConnectionInfo`]. Some of all will do.
    pub fn new(
        master: impl Into<String>,
        sentinels: impl IntoIterator<Item = impl IntoConnectionInfo>,
    ) -> Self {
        let sentinels = sentinels.into_iter().map(IntoConnectionInfo::into_connection_info);
        Self {
            name: master.into(),
            sentinels: sentinels.collect::<Result<_, _>>().map_err(Arc::new),
            servers: RedisConnectionInfo::default(),
            tls: None,
        }
    }

    /// User, password and database of the servers, of which the sentinels do not tell (none, and 0).
    /// The protocol is RESP3, whatever it says.
    pub fn servers(mut self, settings: RedisConnectionInfo) -> Self {
        self.servers = settings;
        self
    }

    /// Connects to the servers over TLS (not). It needs the feature `tls`.
    pub const fn tls(mut self, mode: TlsMode) -> Self {
        self.tls = Some(mode);
        self
    }
}

impl fmt::Debug for Sentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentinel").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Finds the master out.
pub(crate) struct Watcher {
    name: String,
    sentinels: Vec<Target>,
    /// What connections to the master are like, but for host and port.
    like: ConnectionInfo,
    master: watch::Sender<Arc<[Target]>>,
    outdated: Arc<Notify>,
    counters: Arc<Counters>,
}

impl Watcher {
    /// Checks the addresses, and connects to none. `set` completes those of the servers, and those of
    /// sentinels behind TLS.
    pub(crate) fn new(
        options: Sentinel,
        set: impl Fn(ConnectionInfo) -> Result<ConnectionInfo, RedisError>,
        counters: Arc<Counters>,
    ) -> Result<Self, RedisError> {
        let sentinels = options.sentinels.map_err(|error| (*error).clone())?;
        if sentinels.is_empty() {
            let why = "the address of one sentinel is needed at least";
            return Err((ErrorKind::InvalidClientConfig, why).into());
        }
        let (host, port) = (String::new(), 0);
        let addr = match options.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(mode) => {
                let insecure = mode == TlsMode::Insecure;
                ConnectionAddr::TcpTls { host, port, insecure, tls_params: None }
            }
        };
        let like = set(addr.into_connection_info()?.set_redis_settings(options.servers))?;
        let sentinel = |info: ConnectionInfo| match info.addr() {
            ConnectionAddr::TcpTls { .. } => Target::new(set(info)?),
            _ => Target::new(info),
        };
        // TLS without its feature is found out now
        Target::at("localhost", 1, &like)?;
        Ok(Self {
            name: options.name,
            sentinels: sentinels.into_iter().map(sentinel).collect::<Result<_, _>>()?,
            like,
            master: watch::Sender::new(Arc::from([])),
            outdated: Arc::default(),
            counters,
        })
    }

    /// The master, as it changes.
    pub(crate) fn master(&self) -> watch::Receiver<Arc<[Target]>> {
        self.master.subscribe()
    }

    /// Wakes the task that asks.
    pub(crate) fn outdated(&self) -> Arc<Notify> {
        Arc::clone(&self.outdated)
    }

    /// The task: for ever.
    pub(crate) async fn watch(self) {
        let mut kept = None;
        let mut at = 0;
        // since the last answer
        let mut failures = 0_usize;
        loop {
            match self.look(&mut kept, at).await {
                Ok(master) => {
                    failures = 0;
                    self.master.send_if_modified(|there| {
                        let is_new = there[..] != [master.clone()];
                        if is_new {
                            *there = Arc::from([master]);
                        }
                        is_new
                    });
                }
                Err(error) => {
                    kept = None;
                    at = (at + 1) % self.sentinels.len();
                    failures = failures.saturating_add(1);
                    // one that is away is what the others are for
                    if failures % self.sentinels.len() != 0 {
                        log!(debug: %error, "a sentinel does not help");
                        continue;
                    }
                    self.counters.failed(error);
                }
            }
            tokio::select! {
                () = sleep(LOOK_INTERVAL) => {}
                () = self.outdated.notified() => sleep(LOOK_PAUSE).await,
            }
        }
    }

    /// Asks a sentinel for the master.
    // Redis: Sentinel client protocol, "Ask for master address"
    async fn look(
        &self,
        kept: &mut Option<MultiplexedConnection>,
        at: usize,
    ) -> Result<Target, RedisError> {
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(open_to_ask(&self.sentinels[at].client).await?),
        };
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let master: Option<(String, u16)> = command.query_async(connection).await?;
        let Some((host, port)) = master else {
            return Err((ErrorKind::Client, "the sentinel knows no master of this name").into());
        };
        let target = Target::at(&host, port, &self.like)?;
        Ok(Target { is_to_be_master: true, ..target })
    }
}
