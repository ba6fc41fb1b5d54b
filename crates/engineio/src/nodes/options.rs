//! The options of the relay between nodes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::nodes::directory::Directory;
use crate::nodes::link::{Connect, Plain};
use crate::options::error::OptionsError;

/// How requests get to the nodes that have their sessions: for
/// [`Server::relay_to`](crate::Server::relay_to). Start from [`NodesOptions::new`] and change fields.
#[derive(Clone)]
#[non_exhaustive]
pub struct NodesOptions {
    /// Who the nodes are.
    pub directory: Arc<dyn Directory>,
    /// What nodes prove each other that they are nodes with (nothing: the listener for nodes may be
    /// on loopback addresses and unix sockets only). It goes over the connections between them in
    /// clear text, unless they are encrypted by [`connect`](Self::connect).
    pub secret: Option<String>,
    /// Requests and WebSockets that may be passed on at a time, in each direction; further ones are
    /// answered 503 with `Retry-After` (half of
    /// [`max_connections`](crate::Options::max_connections), as it is in effect).
    pub max_relayed: Option<usize>,
    /// How long a connection to another node may take (1 s). The request is answered as one of an
    /// unknown session then, so that its client begins anew.
    pub connect_timeout: Duration,
    /// Idle connections that are kept to each node, and for how long (64, 30 s).
    pub idle: (usize, Duration),
    /// How long the application of a new session that polls is held back, for the session to move to
    /// the node where its upgrade arrives (not at all: it stays where it was opened, and its WebSocket
    /// is passed on for as long as it lives). An upgrade within that time moves it, and for its sake it
    /// may be held back for a second more; what only polls is connected that much later.
    pub hold: Option<Duration>,
    /// How requests get there ([`Route::Connect`]).
    pub route: Route,
    /// How connections to other nodes are made (TCP, or unix sockets for addresses that begin with
    /// `unix:`).
    pub connect: Arc<dyn Connect>,
}

/// How a request gets to the node that has its session.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Route {
    /// It is passed on, over HTTP/1.1 (the default).
    #[default]
    Connect,
    /// It is answered 409 with a header, by which the platform's proxy knows that it is to be repeated
    /// at the node with this name: on Fly.io `fly-replay` with `instance=..`. Nothing passes between
    /// the nodes. If no header can be made, or the proxy does nothing, the client begins anew.
    Replay(Arc<ReplayHeader>),
}

/// Makes the header of [`Route::Replay`] from the name of a node.
pub type ReplayHeader = dyn Fn(&str) -> Option<(HeaderName, HeaderValue)> + Send + Sync;

impl NodesOptions {
    /// The defaults.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        Self {
            directory,
            secret: None,
            max_relayed: None,
            connect_timeout: Duration::from_secs(1),
            idle: (64, Duration::from_secs(30)),
            hold: None,
            route: Route::Connect,
            connect: Arc::new(Plain),
        }
    }
}

impl NodesOptions {
    /// Checks what types cannot.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let is_said = |secret: &String| {
            // as it comes out of a head, whose values have no blanks around them
            !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if self.secret.as_ref().is_some_and(|secret| !is_said(secret)) {
            let why = "it is some characters of ASCII without blanks";
            let value = "(not shown)".to_owned();
            return Err(OptionsError::Unusable { option: "secret of the nodes", value, why });
        }
        if self.secret.as_ref().is_some_and(|secret| secret.len() > MAX_SECRET) {
            let why = "it has at most 512 characters";
            let value = "(not shown)".to_owned();
            return Err(OptionsError::Unusable { option: "secret of the nodes", value, why });
        }
        if self.max_relayed == Some(0) {
            return Err(OptionsError::Zero("max_relayed"));
        }
        for (name, time) in [
            ("connect_timeout", self.connect_timeout),
            ("idle_timeout", self.idle.1),
            ("hold", self.hold.unwrap_or(self.idle.1)),
        ] {
            if time.is_zero() {
                return Err(OptionsError::Zero(name));
            }
            if time > Duration::from_secs(60 * 60 * 24 * 365) {
                return Err(OptionsError::TooLong(name));
            }
        }
        Ok(())
    }
}

/// It is part of every head between nodes.
const MAX_SECRET: usize = 512;

impl fmt::Debug for NodesOptions {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodesOptions")
            .field("directory", &self.directory)
            .field("max_relayed", &self.max_relayed)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "Connect",
            Self::Replay(_) => "Replay",
        })
    }
}
