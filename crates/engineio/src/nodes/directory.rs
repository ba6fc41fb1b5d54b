//! Who the other nodes are.

use std::fmt;
use std::sync::Arc;

use engineio_proto::NodeTag;

/// The nodes by their tags: what [`Server::relay_to`](crate::Server::relay_to) asks.
pub trait Directory: Send + Sync + fmt::Debug + 'static {
    /// The tag of this node, with which the ids of its sessions begin. It stays what it is.
    fn tag(&self) -> NodeTag;

    /// Another node that is there, by its tag; of this one, `None`. Called for what clients make up,
    /// too: it must not wait, nor ask anybody.
    fn owner(&self, tag: NodeTag) -> Option<Arc<Owner>>;

    /// What this node says of itself to one that asks it, as the `dns` membership does: at most 512
    /// bytes that the directory of the other understands (nothing).
    fn about(&self) -> String {
        String::new()
    }
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Owner {
    /// Its name, for [`Route::Replay`](crate::Route::Replay).
    pub name: Box<str>,
    /// Where its listener for nodes is: `host:port`, or `unix:` and a path.
    pub address: Box<str>,
}

impl Owner {
    /// The node with this name, at this address.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, address: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), address: address.into() }
    }
}
