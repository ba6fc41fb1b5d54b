//! A client on its way back to the session that it had before.

use std::sync::Arc;
use std::time::Duration;

use engineio_proto::log;
use socketio_adapter::{AdapterError, Claim, Claimed, NotRecovered, Prepared, SocketId};
use socketio_parser::Value;

use crate::client::Client;
use crate::namespace::Namespace;
use crate::recovery::{Recovering, SocketSession};
use crate::socket::Socket;
use crate::socket::handshake::Credentials;

/// The session of a socket to be, and, if it is one of before, the id and the data of its socket.
pub(super) struct Found {
    pub(super) session: SocketSession,
    pub(super) before: Option<(SocketId, Option<Arc<Value>>)>,
}

/// Finds the session that a client names, or begins one. With `fresh` it is not looked for.
pub(super) async fn find(
    recovering: &Recovering,
    namespace: &Namespace,
    client: &Client,
    credentials: Option<&Credentials>,
    fresh: Option<NotRecovered>,
) -> Found {
    let auth = credentials.map(Credentials::auth).unwrap_or_default();
    let identity = recovering.options.identity(client.request(), &auth);
    let text = |name: &str| auth.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let offset = match auth.get("offset") {
        // Node: a client that has received nothing sends none
        None | Some(Value::Null) => None,
        // what is no text is no offset of ours
        Some(offset) => offset.as_str().map_or_else(|| Some("?"), |_| text("offset")),
    };
    let offset = offset.map(str::to_owned);
    let begin = |why| {
        let pid = engineio::random_id();
        let claim = Claim { pid, offset: offset.clone(), identity: identity.clone() };
        Found { session: SocketSession::fresh(claim, why), before: None }
    };
    if let Some(why) = fresh {
        return begin(why);
    }
    let Some(pid) = text("pid") else { return begin(NotRecovered::NoPid) };
    let claim = Claim { pid: pid.to_owned(), offset: offset.clone(), identity: identity.clone() };
    let found = match claimed(namespace, client, &claim).await {
        Ok(before) => taken(namespace, &claim).await.map(|prepared| (before, prepared)),
        Err(why) => Err(why),
    };
    match found {
        Ok((before, prepared)) => {
            Found { session: SocketSession::resumed(claim, prepared), before: Some(before) }
        }
        Err(why) => begin(why),
    }
}

/// Takes a session that is nobody's.
async fn taken(namespace: &Namespace, claim: &Claim) -> Result<Prepared, NotRecovered> {
    let recovery = namespace.recovery().ok_or(NotRecovered::Unsupported)?;
    recovery.take(claim).await.map_err(|error| not_looked_for(&error))?
}

fn not_looked_for(error: &AdapterError) -> NotRecovered {
    log!(warn: %error, "a session could not be looked for");
    NotRecovered::Unsupported
}

/// Looks for a session until it is nobody's: that of a connection which is still there, as nobody has
/// told the server that it broke, is taken from it.
async fn claimed(
    namespace: &Namespace,
    client: &Client,
    claim: &Claim,
) -> Result<(SocketId, Option<Arc<Value>>), NotRecovered> {
    let recovery = namespace.recovery().ok_or(NotRecovered::Unsupported)?;
    loop {
        let found = recovery.claim(claim).await.map_err(|error| not_looked_for(&error))?;
        let (id, is_attached) = match &found? {
            Claimed::Attached(id) => (id.clone(), true),
            Claimed::Away { id, data } => match namespace.socket_of(id) {
                // its handlers are still being told
                Some(_) => (id.clone(), false),
                None => return Ok((id.clone(), data.clone())),
            },
        };
        match namespace.socket_of(&id) {
            Some(old) if old.client().is_same(client) => return Err(NotRecovered::Busy),
            Some(old) => wait_for_end(&old, is_attached).await?,
            // between two steps of its coming or going
            None => tokio::task::yield_now().await,
        }
    }
}

async fn wait_for_end(old: &Socket, is_attached: bool) -> Result<(), NotRecovered> {
    let Some(session) = old.session() else { return Err(NotRecovered::Unsupported) };
    if is_attached {
        log!(debug: id = %old.id(), "its client came again: the connection of before is closed");
        old.conn().close_taken_over();
    }
    let ended = tokio::time::timeout(PATIENCE, session.ended()).await;
    ended.map_err(|_| NotRecovered::Busy)
}

/// A connection ends at once, unless a handler blocks its thread.
const PATIENCE: Duration = Duration::from_secs(10);
