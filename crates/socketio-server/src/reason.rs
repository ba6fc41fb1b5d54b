//! Why a socket was disconnected.

use std::fmt;

use engineio::{CloseDetail, CloseReason};

/// Why a socket was disconnected: the argument of the `disconnecting` and `disconnect` events.
///
/// As an extractor, `Reason(why): Reason` gives the [`DisconnectReason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct Reason(pub DisconnectReason);

/// The kinds of disconnection; prints as the reference's word.
// Node 2.0: Event 'disconnect'; Node: disconnect reasons
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisconnectReason {
    kind: Kind,
    detail: Option<CloseDetail>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ClientNamespace,
    ServerNamespace,
    Engine(CloseReason),
}

impl DisconnectReason {
    /// The client left the namespace.
    pub const CLIENT_NAMESPACE: Self = Self { kind: Kind::ClientNamespace, detail: None };
    /// [`Socket::disconnect`](crate::Socket::disconnect) was called.
    pub const SERVER_NAMESPACE: Self = Self { kind: Kind::ServerNamespace, detail: None };

    pub(crate) fn engine(reason: CloseReason, detail: Option<CloseDetail>) -> Self {
        Self { kind: Kind::Engine(reason), detail }
    }

    /// Whether the client may come back to its session.
    // Node: RECOVERABLE_DISCONNECT_REASONS
    pub(crate) fn is_recoverable(self) -> bool {
        matches!(self.kind, Kind::Engine(reason) if reason != CloseReason::ParseError)
    }

    /// The word that the reference uses, such as `transport close`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self.kind {
            Kind::ClientNamespace => "client namespace disconnect",
            Kind::ServerNamespace => "server namespace disconnect",
            Kind::Engine(reason) => reason.as_str(),
        }
    }

    /// What more is known if the connection ended, such as that the client was too slow.
    #[must_use]
    pub fn detail(self) -> Option<CloseDetail> {
        self.detail
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
