//! The end of a session's connection, which follows that of the session.
//!
//! ```text
//!   what waits ▶ FIN of our stream ▶ capsule ▶ FIN of the CONNECT's ▶ the peer's end, for a while ▶ close
//! ```
//!
//! The official client takes a connection that closes without these for lost. The peer closes, too, when
//! it was told; one that does not is waited for three round trips.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use engineio::Presence;
use engineio_proto::http3::{Code, capsule};
use quinn::{RecvStream, SendStream};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::link::{Link, var};
use crate::stats::{Counted, Counters};

/// What is left to be ended.
pub(crate) struct Ending {
    pub(crate) link: Link,
    /// Our side of the CONNECT's stream.
    pub(crate) connect: SendStream,
    /// The session's stream, if the client has opened it.
    pub(crate) stream: Option<(SendStream, RecvStream)>,
    /// Our side of the session's stream has ended: the peer is to get all of it.
    pub(crate) is_shut: bool,
    /// How long what waits may take, then.
    pub(crate) close_timeout: Duration,
    pub(crate) presence: Presence,
    pub(crate) counters: Arc<Counters>,
    pub(crate) runtime: Handle,
    /// The connection's place among all.
    pub(crate) _connection: Counted,
    /// Dropped last: whoever waits for the end of the connections.
    pub(crate) _alive: Arc<tokio::sync::watch::Sender<()>>,
}

impl Ending {
    /// Ends the connection.
    pub(crate) async fn run(mut self: Box<Self>) {
        let connection = self.link.connection.clone();
        if connection.close_reason().is_none() {
            let Self { link, connect, stream, is_shut, close_timeout, presence, .. } = &mut *self;
            let telling = async {
                if let Some((send, _)) = stream {
                    let _ = send.finish();
                    if *is_shut {
                        let _ = timeout(*close_timeout, send.stopped()).await;
                    }
                }
                let wait = (3 * connection.rtt()).clamp(MIN_WAIT, MAX_WAIT);
                let told = async {
                    if !link.is_left() {
                        let _ = connect.write_all(capsule::CLOSE).await;
                    }
                    let _ = connect.finish();
                    poll_fn(|cx| link.poll_end(cx)).await;
                    connection.closed().await;
                };
                let _ = timeout(wait, told).await;
            };
            tokio::select! {
                () = telling => {}
                () = presence.cut_off() => {}
            }
            connection.close(var(Code::NO_ERROR), b"");
        }
        self.counters.add_ended(&connection);
    }
}

const MIN_WAIT: Duration = Duration::from_millis(100);
const MAX_WAIT: Duration = Duration::from_secs(1);
