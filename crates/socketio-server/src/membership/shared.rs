//! What the handle of the nodes shares with the tasks that find the others.

use std::sync::{Arc, Mutex, OnceLock};

use engineio::NodesOptions;
use engineio_proto::guard::lock;
use socketio_adapter::NodesChannel;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::membership::members::Members;

pub(crate) struct Inner {
    pub(crate) members: Arc<Members>,
    pub(crate) membership: Membership,
    pub(crate) options: NodesOptions,
    pub(crate) advertise: Option<String>,
    pub(crate) engine: OnceLock<engineio::Server>,
    /// Tells those of others, once it listens.
    pub(crate) task: Mutex<Option<AbortHandle>>,
    pub(crate) channel: Option<Arc<dyn NodesChannel>>,
    /// Something may have to be told at once.
    pub(crate) news: Arc<Notify>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

/// How nodes find each other.
#[derive(Clone, Debug)]
pub(crate) enum Membership {
    Channel,
    Fixed(Vec<(String, String)>),
    Dns(String),
    #[cfg(unix)]
    Folder(std::path::PathBuf),
}

impl Membership {
    /// Whether nodes are told the address of each other.
    pub(crate) const fn tells_address(&self) -> bool {
        matches!(self, Self::Channel)
    }
}
