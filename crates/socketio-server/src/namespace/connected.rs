//! The sockets of a namespace that are here.

use engineio_proto::guard::lock;

use super::Namespace;
use crate::socket::Socket;

/// The connected sockets of a namespace on this node, see [`Namespace::connected`].
#[derive(Clone, Copy, Debug)]
pub struct Connected<'a>(&'a Namespace);

impl<'a> Connected<'a> {
    pub(super) const fn new(namespace: &'a Namespace) -> Self {
        Self(namespace)
    }
}

impl Connected<'_> {
    /// The socket of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Socket> {
        lock(&self.0.0.sockets).get(id).map(|socket| socket.0.clone())
    }

    /// Whether there is a socket of this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        lock(&self.0.0.sockets).contains(id)
    }

    /// The number of sockets.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0.0.sockets).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All sockets at this moment, in no order.
    #[must_use]
    pub fn iter(&self) -> std::vec::IntoIter<Socket> {
        let sockets = lock(&self.0.0.sockets);
        sockets.iter().map(|socket| socket.0.clone()).collect::<Vec<_>>().into_iter()
    }
}

impl IntoIterator for Connected<'_> {
    type Item = Socket;
    type IntoIter = std::vec::IntoIter<Socket>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
