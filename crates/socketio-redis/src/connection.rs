//! Connections to Redis, made again when they are lost.
//!
//! There are two to a server, so that a flood of messages in one direction does not hold up the
//! other. Both speak RESP3, in which messages of channels come beside the answers to commands, and
//! the loss of a connection is told at once.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::socket2::SockRef;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, PushInfo, PushKind};
use redis::{RedisError, ServerErrorKind, Value};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::targets::Target;

/// A connection, and when it is over.
pub(crate) struct Connection {
    pub(crate) redis: MultiplexedConnection,
    lost: Arc<Notify>,
}

impl Connection {
    /// Connects; `on_message` gets what is pushed.
    pub(crate) async fn open(
        target: &Target,
        on_message: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<Self, RedisError> {
        let (config, lost) = config(on_message);
        let opening = async {
            let opening = target.client.get_multiplexed_async_connection_with_config(&config);
            let mut redis = opening.await?;
            target.check(&mut redis).await.map(|()| redis)
        };
        let redis = timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| silent())??;
        Ok(Self { redis, lost })
    }

    /// The same with its driver, without which it does nothing: see [`drive`]. Only plain TCP can be
    /// driven here; else a task of the crate `redis` does it, and the driver nothing.
    pub(crate) async fn open_here(
        target: &Target,
        on_message: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<(Self, Driver), RedisError> {
        let info = target.client.get_connection_info();
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return Ok((Self::open(target, on_message).await?, None));
        };
        let (config, lost) = config(on_message);
        let opening = async {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            let (settings, socket) = (info.tcp_settings(), SockRef::from(&stream));
            socket.set_tcp_nodelay(settings.nodelay())?;
            if let Some(keepalive) = settings.keepalive() {
                socket.set_tcp_keepalive(keepalive)?;
            }
            // that of lingering is not to be had from the settings
            #[cfg(target_os = "linux")]
            socket.set_tcp_user_timeout(settings.user_timeout())?;
            let opening =
                MultiplexedConnection::new_with_config(info.redis_settings(), stream, config);
            let (mut redis, driver) = opening.await?;
            let mut driver: Driver = Some(Box::pin(driver));
            drive(&mut driver, target.check(&mut redis)).await.map(|()| (redis, driver))
        };
        let (redis, driver) = timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| silent())??;
        Ok((Self { redis, lost }, driver))
    }

    /// Resolves when the connection is over. Cancel safe.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
}

/// What reads and writes for a connection; `None` when it has ended or is somebody else's.
pub(crate) type Driver = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// Does some work with a connection, and the connection's own, in one task: so what is to be written
/// is written in the turn in which it was handed over.
pub(crate) async fn drive<T>(driver: &mut Driver, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let mut go_on = |context: &mut Context<'_>| {
            if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
                *driver = None;
            }
        };
        // before the work, which may wait for what is read, and after it, for what it has to say
        go_on(context);
        let done = work.as_mut().poll(context);
        if done.is_pending() {
            go_on(context);
        }
        done
    })
    .await
}

/// How connections are made, and what tells of their end.
fn config(
    on_message: impl Fn(PushInfo) + Send + Sync + 'static,
) -> (AsyncConnectionConfig, Arc<Notify>) {
    let lost = Arc::new(Notify::new());
    let lose = Arc::clone(&lost);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_pipeline_buffer_size(PIPELINES)
        .set_push_sender(move |push: PushInfo| -> Result<(), std::convert::Infallible> {
            match push.kind {
                PushKind::Disconnection => lose.notify_one(),
                _ => on_message(push),
            }
            Ok(())
        });
    (config, lost)
}

/// A connection for questions that are answered at once.
pub(crate) async fn open_to_ask(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(LOOK_TIMEOUT))
        .set_response_timeout(Some(LOOK_TIMEOUT));
    let opening = client.get_multiplexed_async_connection_with_config(&config);
    timeout(LOOK_TIMEOUT, opening).await.map_err(|_| silent())?
}

/// The pauses between attempts to connect.
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    /// The next attempt begins from the beginning.
    pub(crate) const fn reset(&mut self) {
        self.0 = FIRST_PAUSE;
    }

    pub(crate) async fn pause(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

/// The error of a connection that broke without saying why.
pub(crate) fn closed() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
}

/// The error of a connection to a server that is no longer the right one.
pub(crate) fn moved() -> RedisError {
    (ErrorKind::Client, "the server is no longer the one to be connected to").into()
}

/// The error of a connection that is given up as too much waits for the other side.
pub(crate) fn behind() -> RedisError {
    (ErrorKind::Client, "too many changes of what is listened to wait").into()
}

/// Whether a server of a cluster has refused a command, which another, or the same a little later,
/// may take. It has done nothing.
pub(crate) fn is_elsewhere(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    matches!(
        error.kind(),
        ErrorKind::Server(
            Moved | Ask | TryAgain | ClusterDown | MasterDown | BusyLoading | ReadOnly
        )
    )
}

/// What each command of a pipeline was answered.
pub(crate) type Answered = Vec<Result<Value, RedisError>>;

/// The error of a connection that does not answer.
pub(crate) fn silent() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// For a Redis that accepts connections and does not answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// After it a connection is given up. Redis answers in less than a millisecond; but a machine may
/// swap, and what was not confirmed is counted as lost.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is asked where the servers are, without a reason: so a new master is known in half
/// a second, at the cost of two commands in that time.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Before it is asked with a reason, of which there may be several at a time.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// How long a node or sentinel may take to say what it knows.
pub(crate) const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the rest may take when one has answered.
pub(crate) const STRAGGLERS: Duration = Duration::from_millis(200);

/// Commands on their way to the connection's task: the publisher has one pipeline at a time, the
/// rest are queries.
const PIPELINES: usize = 64;

/// Before a command that was refused is tried again, if nothing is heard of the cluster meanwhile.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Of a process that was only restarted.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// So that delivery is back well within a second after Redis is; a few hundred nodes that try
/// twice a second are no load.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
