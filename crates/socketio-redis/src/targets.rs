//! Where a connection may be made to, as it changes: one server, the master that sentinels name, or
//! the nodes of a cluster.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError};
use tokio::sync::{Notify, watch};

/// A server, by its address.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: Arc<str>,
    pub(crate) client: Client,
    /// Sentinels may name a server that is not the master yet, or no longer.
    pub(crate) is_to_be_master: bool,
}

impl Target {
    /// The server at a host and port, everything else as in `like`.
    pub(crate) fn at(host: &str, port: u16, like: &ConnectionInfo) -> Result<Self, RedisError> {
        let host = host.to_owned();
        let at = match like.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        Self::new(like.clone().set_addr(at))
    }

    pub(crate) fn new(info: ConnectionInfo) -> Result<Self, RedisError> {
        let address = info.addr().to_string().into();
        Ok(Self { address, client: Client::open(info)?, is_to_be_master: false })
    }

    /// Whether it is what it should be.
    // Redis: Sentinel client protocol, "Verify the ROLE"
    pub(crate) async fn check(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        if !self.is_to_be_master {
            return Ok(());
        }
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(connection).await?;
        match role.first() {
            Some(redis::Value::BulkString(role)) if role == b"master" => Ok(()),
            _ => Err((ErrorKind::Client, "the server is no master").into()),
        }
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

/// The servers that one connection may be made to, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    list: watch::Receiver<Arc<[Target]>>,
    /// Which is next.
    turn: usize,
    /// Wakes who finds out where the servers are.
    outdated: Arc<Notify>,
}

impl Targets {
    /// `turn`: where to begin.
    pub(crate) const fn new(
        list: watch::Receiver<Arc<[Target]>>,
        turn: usize,
        outdated: Arc<Notify>,
    ) -> Self {
        Self { list, turn, outdated }
    }

    /// Always the same.
    pub(crate) fn one(target: Target, outdated: Arc<Notify>) -> Self {
        // a value outlives its sender
        Self::new(watch::Sender::new(Arc::from([target])).subscribe(), 0, outdated)
    }

    /// The next server; waits while none is known. Cancel safe.
    pub(crate) async fn next(&mut self) -> Target {
        let target = {
            let Ok(list) = self.list.wait_for(|list| !list.is_empty()).await else {
                // nobody will find one any more
                return std::future::pending().await;
            };
            list[self.turn % list.len()].clone()
        };
        self.turn = self.turn.wrapping_add(1);
        target
    }

    /// Resolves when the server is none of them any more. Cancel safe.
    pub(crate) async fn gone(&mut self, target: &Target) {
        if self.list.wait_for(|list| !list.contains(target)).await.is_err() {
            std::future::pending().await
        }
    }

    /// A server did not answer as one of them would.
    pub(crate) fn doubt(&self) {
        self.outdated.notify_one();
    }
}
