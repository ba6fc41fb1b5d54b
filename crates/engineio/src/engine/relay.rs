//! Sessions of other nodes, for servers without sticky sessions.
//!
//! The engine finds out that a request is of another node's session, by the name of the node in the
//! session's id, and hands it to a [`Relay`], which knows the nodes and the way to them. There, the
//! request is given to [`Server::poll`](crate::Server::poll) or [`Server::post`](crate::Server::post).

use std::fmt;

use bytes::Bytes;
use engineio_proto::payload::Form;
use engineio_proto::{CloseReason, HandshakeError, Protocol};

use crate::options::functions::BoxFuture;
use crate::transport::polling::PollAnswer;

/// The name of a node, as session ids carry it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(Box<str>);

impl NodeId {
    /// The name as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Box<str>>> From<T> for NodeId {
    fn from(name: T) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a request of a session is not answered as it wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no such session, or it is over.
    UnknownSession,
    /// The session is of another protocol, or does not poll (any more).
    Mismatch,
    /// Another request of its kind was under way; the session has ended for it.
    Overlap,
    /// A body larger than [`max_http_buffer_size`](crate::Options::max_http_buffer_size); the session
    /// has ended for it.
    TooLarge,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSession => "no such session",
            Self::Mismatch => "the request does not fit the session",
            Self::Overlap => "another request of its kind was under way",
            Self::TooLarge => "the body is too large",
        })
    }
}

impl std::error::Error for RequestError {}

impl RequestError {
    /// What the client is told by the protocol's table, if it is told by that.
    pub(crate) const fn code(self) -> Option<HandshakeError> {
        match self {
            Self::UnknownSession => Some(HandshakeError::UnknownSession),
            Self::Mismatch => Some(HandshakeError::BadRequest),
            Self::Overlap | Self::TooLarge => None,
        }
    }
}

/// Carries the requests of sessions that other nodes have: [`Server::relay_by`](crate::Server::relay_by).
///
/// It is asked where a request names a session that this server does not have. What passes through it
/// are the polls and POSTs of clients, with the body read and without their HTTP; what is answered
/// goes back as if the session were here. A second connection, for an upgrade, is refused: its client
/// goes on polling.
pub trait Relay: Send + Sync + 'static {
    /// The node that a session's id names, if it is another one that is known. Called for ids that
    /// clients make up, too: it must not wait, nor ask anybody.
    fn node_of(&self, sid: &str) -> Option<NodeId>;

    /// Passes a poll on. `text_only`: its answer may hold no bytes.
    ///
    /// Dropped before its answer, as its client has gone, it must be dropped over there, too: the
    /// session ends for it.
    fn poll<'a>(
        &'a self,
        node: &'a NodeId,
        sid: &'a str,
        protocol: Protocol,
        text_only: bool,
    ) -> BoxFuture<'a, Result<PollAnswer, RequestError>>;

    /// Passes the body of a POST on, once: it may have been taken even if that is not heard of. It is
    /// not larger than [`max_http_buffer_size`](crate::Options::max_http_buffer_size).
    fn post<'a>(
        &'a self,
        node: &'a NodeId,
        sid: &'a str,
        form: Form,
        body: Bytes,
    ) -> BoxFuture<'a, Result<(), RequestError>>;

    /// The client broke off a request, so its session is to end for this reason. It must not wait.
    fn close(&self, node: &NodeId, sid: &str, reason: CloseReason);
}
