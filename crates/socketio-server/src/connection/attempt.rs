//! A client on its way into a namespace: the rules that see it, then the middleware.

use std::sync::Arc;

use socketio_adapter::{NotRecovered, SocketId};
use socketio_parser::Revision;

use super::core::Core;
use super::returning;
use crate::client::Client;
use crate::error::ConnectError;
use crate::events::middleware::run_connect;
use crate::namespace::Namespace;
use crate::namespace::dynamic::Candidate;
use crate::namespace::registry::{Found, Maker};
use crate::socket::Socket;
use crate::socket::handshake::Credentials;

/// How an attempt to join a namespace ended.
pub(super) struct Joined {
    pub(super) attempt: u64,
    pub(super) result: Result<Socket, ConnectError>,
}

/// A client on its way into a namespace.
pub(super) struct Attempt {
    pub(super) number: u64,
    pub(super) nsp: String,
    pub(super) found: Found,
    pub(super) maker: Maker,
    pub(super) core: Arc<Core>,
    pub(super) client: Client,
    /// Why the session that the client named is not looked for.
    pub(super) fresh: Option<NotRecovered>,
}

impl Attempt {
    pub(super) async fn join(self, credentials: Option<Arc<Credentials>>) -> Joined {
        let attempt = self.number;
        Joined { attempt, result: self.result(credentials).await }
    }

    async fn result(self, credentials: Option<Arc<Credentials>>) -> Result<Socket, ConnectError> {
        let Self { nsp, found, maker, core, client, fresh, .. } = self;
        let namespace = match found {
            Found::Namespace(namespace) => namespace,
            Found::Undecided(undecided) => {
                let conn = client.conn().clone();
                let candidate = Candidate { name: nsp, conn, credentials: credentials.clone() };
                core.registry.ask(undecided, candidate, maker).await?
            }
        };
        let chain = namespace.middleware();
        let can_return = client.revision() == Revision::V5 && namespace.recovery().is_some();
        let recovering = namespace.recovering().filter(|_| can_return);
        let returning = match recovering {
            Some(recovering) => {
                let credentials = credentials.as_deref();
                Some(returning::find(recovering, &namespace, &client, credentials, fresh).await)
            }
            None => None,
        };
        let skips = recovering.is_some_and(|recovering| recovering.options.skip_middlewares);
        let before = returning.as_ref().and_then(|found| found.before.clone());
        let is_skipped = skips && before.is_some();
        let (id, data) = before.unwrap_or_else(|| (new_id(&client, &namespace), None));
        let socket = Socket::new(id, namespace, client, credentials);
        if let Some(found) = returning {
            socket.set_session(found.session, data);
        }
        if let Some(chain) = chain.filter(|_| !is_skipped) {
            let unfinished = Unfinished(&socket);
            if let Err(error) = run_connect(chain, socket.clone()).await {
                return Err(core.refusal(&socket, "connect", &error).into_owned());
            }
            std::mem::forget(unfinished);
        }
        Ok(socket)
    }
}

/// A socket whose middleware runs: if it refuses, panics or is given up, what the socket's
/// handlers captured is dropped.
struct Unfinished<'a>(&'a Socket);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

// Node: socket.id
pub(super) fn new_id(client: &Client, namespace: &Namespace) -> SocketId {
    match (client.revision(), namespace.name()) {
        (Revision::V5, _) => engineio::random_id().into(),
        (_, "/") => client.conn().id().into(),
        (_, name) => format!("{name}#{}", client.conn().id()).into(),
    }
}
