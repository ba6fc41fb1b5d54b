//! The seam to the layer above: what owns a session's messages.

pub use std::task::Context;
use std::time::Instant;

use engineio_proto::{CloseReason, Message, TransportKind};

use crate::limits::Limit;
use crate::reason::CloseDetail;
use crate::session::parting::Parting;
use crate::session::socket::Socket;

/// The layer above one session.
///
/// The driver of the session owns it and calls it in the session's task: no two calls at a time,
/// messages in order of arrival. `cx` wakes that task, so futures that the application keeps are
/// polled with it and driven on by [`Application::poll`].
///
/// A method that blocks holds up its own session only; one that panics ends its own session only.
pub trait Application: Send + 'static {
    /// The session is open and its open packet queued; called once, before all others.
    fn on_open(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// A message arrived.
    fn on_message(&mut self, message: Message<'_>, cx: &mut Context<'_>);

    /// The session has changed from polling to another transport, by which what waits goes out now.
    fn on_upgrade(&mut self, transport: TransportKind, cx: &mut Context<'_>) {
        let _ = (transport, cx);
    }

    /// The session's task was woken, by [`Socket::wake`] or by `cx`.
    fn poll(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Whether another message may be delivered now. While it is false the session is not read;
    /// the peer's heartbeat is not asked for meanwhile.
    fn is_ready(&self) -> bool {
        true
    }

    /// Bytes of what the peer sent that are kept now; asked at the end of each turn, so it should
    /// cost little. They count in [`Options::max_total_inbound_bytes`].
    ///
    /// [`Options::max_total_inbound_bytes`]: crate::Options::max_total_inbound_bytes
    fn kept_bytes(&self) -> usize {
        0
    }

    /// The peer sends faster than it may, and is not read for a while, for this limit. Called when
    /// that begins; if the peer does not come to rest, its session ends after `rate_grace`.
    fn on_rate_limited(&mut self, limit: Limit, cx: &mut Context<'_>) {
        let _ = (limit, cx);
    }

    /// A ping is about to be sent, behind all that was sent until now; it is the last of so many that are
    /// unanswered. When as many [`Application::on_pong`] have come, the peer has taken all of that.
    fn on_ping(&mut self, unanswered: u16) {
        let _ = unanswered;
    }

    /// The peer answered a ping, the oldest of those that were unanswered.
    fn on_pong(&mut self) {}

    /// When [`Application::on_deadline`] wants to be called; asked after each other call.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has passed.
    fn on_deadline(&mut self, now: Instant, cx: &mut Context<'_>) {
        let _ = (now, cx);
    }

    /// The server closes. All its sessions are told before the first one is closed, so what is sent
    /// now reaches the others. [`Application::on_close`] follows, with `server shutting down`.
    ///
    /// No connection is closed as long as `parting`, or a clone of it, exists, but for at most
    /// `leave_timeout`: to be kept by what goes on behind this call.
    fn on_server_close(&mut self, parting: Parting, cx: &mut Context<'_>) {
        let _ = (parting, cx);
    }

    /// The session is over; called once, the last call.
    fn on_close(&mut self, reason: CloseReason, detail: Option<CloseDetail>, cx: &mut Context<'_>) {
        let _ = (reason, detail, cx);
    }
}

/// Makes the application of a new session: what [`crate::Server::on_connection`] takes.
pub trait IntoApplication: Send + Sync + 'static {
    /// Called in the session's task, before anything is sent or received.
    fn application(&self, socket: &Socket) -> Box<dyn Application>;
}

impl<F> IntoApplication for F
where
    F: Fn(&Socket) -> Box<dyn Application> + Send + Sync + 'static,
{
    fn application(&self, socket: &Socket) -> Box<dyn Application> {
        self(socket)
    }
}
