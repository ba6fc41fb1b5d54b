//! The other nodes, for servers behind load balancers without sticky sessions: who they are, the way
//! to them, and the bytes of WebSockets that are passed on. The requests that are passed on are in
//! `http`.
//!
//! A session's id begins with the tag of its node. The [`Directory`] tells the address of a tag, so
//! that nothing that a client sends is ever an address.

pub(crate) mod ask;
pub(crate) mod copy;
pub(crate) mod directory;
mod leaving;
pub(crate) mod left;
pub(crate) mod link;
pub(crate) mod options;
pub(crate) mod pool;
pub(crate) mod underway;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::NodeTag;

use crate::nodes::directory::{Directory, Owner};
use crate::nodes::left::Left;
use crate::nodes::options::{NodesOptions, Route};
use crate::nodes::pool::Pools;
use crate::nodes::underway::Underway;

/// What an engine knows of the other nodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) tag: NodeTag,
    secret: Option<Box<str>>,
    pub(crate) route: Route,
    pub(crate) pools: Arc<Pools>,
    pub(crate) underway: Arc<Underway>,
    /// How long applications are held back, for sessions to move.
    pub(crate) hold: Option<Duration>,
    pub(crate) left: Left,
}

/// Whose session an id names.
#[derive(Debug)]
pub(crate) enum Whose {
    /// No node has made such an id.
    Nobodys,
    /// This node's, where it is not any more.
    Ours,
    /// That of a node which is not known.
    UnknownNode,
    Owner(Arc<Owner>),
}

impl Nodes {
    pub(crate) fn new(options: NodesOptions) -> Self {
        let pools = Pools::new(options.connect, options.connect_timeout, options.idle);
        Self {
            tag: options.directory.tag(),
            directory: options.directory,
            secret: options.secret.map(Into::into),
            route: options.route,
            pools: Arc::new(pools),
            underway: Arc::default(),
            hold: options.hold,
            left: Left::default(),
        }
    }

    /// Whose the session with an id is that is not here.
    pub(crate) fn whose(&self, sid: &str) -> Whose {
        match NodeTag::of_id(sid) {
            None => Whose::Nobodys,
            Some(tag) if tag == self.tag => Whose::Ours,
            Some(tag) => self.directory.owner(tag).map_or(Whose::UnknownNode, Whose::Owner),
        }
    }

    /// An id for a session of this node: the tag, and 96 random bits.
    ///
    /// # Panics
    /// If the operating system has no random numbers: there is no safe way to go on.
    pub(crate) fn new_id(&self) -> String {
        let mut id = crate::session::id::random();
        id.replace_range(..NodeTag::LEN, self.tag.as_str());
        id
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// Whether a request that says this is one of a node, in a time that tells nothing.
    pub(crate) fn is_secret(&self, said: Option<&[u8]>) -> bool {
        let Some(secret) = &self.secret else { return true };
        let said = said.unwrap_or_default();
        let differs = secret.bytes().enumerate().fold(0, |differs, (at, byte)| {
            differs | (byte ^ said.get(at).copied().unwrap_or_default())
        });
        // the length may be known
        std::hint::black_box(differs) == 0 && secret.len() == said.len()
    }
}

/// What nodes tell each other in the heads of the requests that they pass on. They are believed on the
/// listener for nodes, and taken off on all others.
pub(crate) mod header {
    use http::HeaderName;

    /// The secret.
    pub(crate) const NODE: HeaderName = HeaderName::from_static("x-sio-node");
    /// The address of the client.
    pub(crate) const PEER: HeaderName = HeaderName::from_static("x-sio-peer");
    /// Whether the client's connection is encrypted: 1 or 0.
    pub(crate) const SECURE: HeaderName = HeaderName::from_static("x-sio-secure");
    pub(crate) const ALL: [HeaderName; 3] = [NODE, PEER, SECURE];

    /// In answers: the secret was wrong.
    pub(crate) const REFUSED: HeaderName = HeaderName::from_static("x-sio-refused");
}

/// Where nodes ask each other things that are no requests of clients.
pub(crate) const ASK: &str = "/.nodes/";

/// What a node is asked by [`ask`](ask::ask).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Who it is.
    Who,
    /// To answer the parked poll of a session with a noop.
    Release,
    /// To end the WebSocket of a session, whose relay goes away.
    GoAway,
    /// Whether a session may move to the node that asks, where its upgrade arrived.
    Claim,
    /// To answer its polls, as its client probes.
    Probed,
    /// For the session.
    Take,
    /// To go on with it.
    GiveUp,
}

impl Question {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Release => "release",
            Self::GoAway => "go-away",
            Self::Claim => "claim",
            Self::Probed => "probed",
            Self::Take => "take",
            Self::GiveUp => "give-up",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Who, Self::Release, Self::GoAway, Self::Claim, Self::Probed, Self::Take];
        all.into_iter().chain([Self::GiveUp]).find(|question| question.as_str() == text)
    }
}

/// The answer of a node.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Alone;

    impl Directory for Alone {
        fn tag(&self) -> NodeTag {
            NodeTag::of_name("nodA")
        }

        fn owner(&self, tag: NodeTag) -> Option<Arc<Owner>> {
            (tag == NodeTag::of_name("nodB")).then(|| Arc::new(Owner::new("nodB", "127.0.0.1:1")))
        }
    }

    fn nodes(secret: Option<&str>) -> Nodes {
        let mut options = NodesOptions::new(Arc::new(Alone));
        options.secret = secret.map(str::to_owned);
        Nodes::new(options)
    }

    #[test]
    fn ids_name_their_node() {
        let nodes = nodes(None);
        let (a, b) = (nodes.new_id(), nodes.new_id());
        assert!(a.starts_with("nodA") && a.len() == NodeTag::ID_LEN && a != b);
        assert!(matches!(nodes.whose(&a), Whose::Ours));
        assert!(matches!(nodes.whose("nodBxxxxxxxxxxxxxxxx"), Whose::Owner(_)));
        assert!(matches!(nodes.whose("nodCxxxxxxxxxxxxxxxx"), Whose::UnknownNode));
        assert!(matches!(nodes.whose("nodB"), Whose::Nobodys));
    }

    #[test]
    fn the_whole_secret_is_asked_for() {
        let with = nodes(Some("a secret"));
        assert!(with.is_secret(Some(b"a secret")));
        for wrong in [&b""[..], b"a", b"a secre", b"a secret ", b"a secret\0", b"b secret"] {
            assert!(!with.is_secret(Some(wrong)), "{wrong:?}");
        }
        assert!(!with.is_secret(None));
        assert!(nodes(None).is_secret(None) && nodes(None).is_secret(Some(b"any")));
    }
}
