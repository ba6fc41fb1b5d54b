//! What is known of the namespaces that a client is not in: not yet, or not any more.

use std::sync::Arc;

use engineio::Parting;

use crate::socket::Socket;
use crate::socket::handshake::Credentials;

/// The namespaces that the client is not in, but of which something is known.
#[derive(Default)]
pub(super) struct Unjoined {
    /// Those whose rule or middleware runs, each with the number of the attempt.
    pub(super) connecting: Vec<(u64, Box<str>)>,
    pub(super) attempts: u64,
    /// Those that wait until the client is in `/`, with what it sent.
    pub(super) waiting: Vec<(Box<str>, Option<Arc<Credentials>>)>,
    /// Held while handlers are told that the server closes, and by those that do not finish.
    pub(super) parting: Option<Parting>,
    /// The sockets whose handlers were told, and which others still reach.
    pub(super) parted: Vec<Socket>,
    /// Those that the server ended: what the client sent before it learned of that is dropped.
    pub(super) left: Vec<Box<str>>,
}

impl Unjoined {
    /// The namespace of an attempt that came to its end; `None`: it was given up.
    pub(super) fn take(&mut self, attempt: u64) -> Option<Box<str>> {
        let at = self.connecting.iter().position(|(number, _)| *number == attempt)?;
        Some(self.connecting.swap_remove(at).1)
    }

    fn is_connecting(&self, nsp: &str) -> bool {
        self.connecting.iter().any(|(_, name)| **name == *nsp)
    }

    pub(super) fn is_on_its_way(&self, nsp: &str) -> bool {
        self.is_connecting(nsp) || self.waiting.iter().any(|(name, _)| **name == *nsp)
    }

    pub(super) fn was_left(&self, nsp: &str) -> bool {
        self.left.iter().any(|left| **left == *nsp)
    }
}
