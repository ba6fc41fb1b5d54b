//! Listeners: what they accept is given to tasks of their own, until the server is closed.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use engineio_proto::guard::lock;
use engineio_proto::log;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::engine::shutdown::{Phase, ShutdownGuard};
use crate::listen::serve::{From, Peer, acquire, serve_in};
use crate::listen::{HttpService, Listener};
use crate::stats::Counters;

/// After an accept error that is not the peer's (no descriptors are left, say) the listener rests.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An accept error is logged so often at most: the one behind it lasts, and comes with each pause.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// A listener that is served.
///
/// Dropping it changes nothing: the listener is served until the server is closed.
#[derive(Debug)]
pub struct Attached {
    local_addr: SocketAddr,
    engine: Arc<Engine>,
    ended: watch::Receiver<()>,
}

impl Attached {
    /// The address that is listened on; with port 0 asked for, the port that was found.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Resolves when the server was closed, the last connection of this listener ended, and so did
    /// the server's last session. Cancel safe.
    pub async fn closed(mut self) {
        // never sent on: it ends when its senders, one for each connection, are gone
        while self.ended.changed().await.is_ok() {}
        self.engine.sessions_ended().await;
    }
}

/// Serves what a listener accepts: clients, or other nodes.
pub(crate) fn attach<L: Listener, S: HttpService>(
    engine: &Arc<Engine>,
    listener: L,
    service: S,
    from: From,
) -> io::Result<Attached> {
    let local_addr = listener.local_addr()?;
    let is_secure = listener.is_secure();
    let (connection, ended) = watch::channel(());
    let accept = Accept {
        listener: Arc::new(Mutex::new(Slot { listener: Some(listener), is_stopped: false })),
        is_secure,
        from,
        service,
        shutdown: ShutdownGuard::new(&engine.shutdown),
        engine: Arc::clone(engine),
        connection: Arc::new(connection),
    };
    // other nodes must reach sessions until the last one is gone
    if from == From::Clients {
        engine.keep_listener(accept.stop());
    }
    tokio::spawn(accept.run());
    Ok(Attached { local_addr, engine: Arc::clone(engine), ended })
}

struct Accept<L, S> {
    /// Shared with the engine, which drops it when it closes, so that the port is free at once.
    listener: Arc<Mutex<Slot<L>>>,
    is_secure: bool,
    from: From,
    service: S,
    engine: Arc<Engine>,
    shutdown: ShutdownGuard,
    connection: Arc<watch::Sender<()>>,
}

/// What a listener gives.
type Accepted<L> = io::Result<(<L as Listener>::Io, SocketAddr)>;

/// The place of a listener, which is taken out while it is polled.
struct Slot<L> {
    listener: Option<L>,
    is_stopped: bool,
}

impl<L: Listener, S: HttpService> Accept<L, S> {
    fn stop(&self) -> Box<dyn FnOnce() + Send> {
        let listener = Arc::clone(&self.listener);
        Box::new(move || {
            let listener = {
                let mut slot = lock(&listener);
                slot.is_stopped = true;
                slot.listener.take()
            };
            drop(listener);
        })
    }

    async fn run(mut self) {
        let listener = Arc::clone(&self.listener);
        let mut warned: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = std::future::poll_fn(|cx| poll_accept(&listener, cx)) => accepted,
                () = stopped(self.shutdown.phase(), self.from) => None,
            };
            match accepted {
                None => return,
                Some(Ok((io, addr))) => self.serve(io, addr),
                Some(Err(error)) if is_of_peer(&error) => {
                    log!(debug: %error, "connection gone before it was accepted");
                }
                Some(Err(error)) => {
                    Counters::add(&self.engine.counters.accept_errors);
                    if warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
                        log!(warn: %error, "accept failed");
                        warned = Some(Instant::now());
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, io: L::Io, addr: SocketAddr) {
        let Some(permit) = acquire(&self.engine, addr, self.from) else { return };
        let connection = Arc::clone(&self.connection);
        let engine = Arc::clone(&self.engine);
        let service = self.service.clone();
        let peer = Peer { addr, is_secure: self.is_secure, from: self.from };
        tokio::spawn(async move {
            serve_in(permit, &engine, io, peer, service).await;
            drop(connection);
        });
    }
}

/// The next connection; `None` when the listener is gone.
fn poll_accept<L: Listener>(
    slot: &Mutex<Slot<L>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Accepted<L>>> {
    let listener = lock(slot).listener.take();
    let Some(mut listener) = listener else { return Poll::Ready(None) };
    let accepted = listener.poll_accept(cx);
    let mut slot = lock(slot);
    if slot.is_stopped {
        drop(slot);
        return Poll::Ready(None);
    }
    slot.listener = Some(listener);
    accepted.map(Some)
}

/// Whether an accept error is that of one connection only.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn stopped(phase: &mut watch::Receiver<Phase>, from: From) {
    let last = match from {
        From::Clients => Phase::Linger,
        From::Nodes => Phase::Finish,
    };
    let _ = phase.wait_for(|phase| *phase >= last).await;
}
