//! The end of a session: the application is told at once, the peer as its transport can.
//!
//! ```text
//!   Open ──end──▶ Linger ──▶ Over
//!                  polling: a parked poll is answered with a last packet; for an orderly close
//!                           the next poll is waited for, at the end of the server and for a
//!                           client at fault only if something waits for it; an upgrade goes on
//!                           meanwhile, for its client may poll no more
//!                  framed: what waits and a close frame are written, then the peer's end is
//!                           waited for, if there is a peer
//!                  at the latest after `close_timeout`
//! ```
//!
//! What is marked, in this order. Only the first two marks are ever set by others than the driver, and
//! they set it to work; all up to `Engine::forget` is one call of [`Driver::end_with`].
//!
//! | mark | who sets it | from then on |
//! | --- | --- | --- |
//! | `Outbox::overflowed`, and `Discarded` | a push to a full queue, or who cuts the longest | pushes are refused, nothing is written; the driver ends the session in its next turn |
//! | not `Socket::is_open` | whoever closes it, with a mail for the driver; else `end_with` | nothing is read, and `writable` fails; what is sent still goes |
//! | [`Stage::Linger`] | `end_with` | a further end changes nothing; of the [deadlines](super::deadlines) two are left |
//! | `Session::close`, of the protocol | `end_with` | no heartbeat; packets mean nothing, but for an upgrade |
//! | the end is counted; the application is told and dropped | `end_with` | nobody is called; its last words are in the queue |
//! | the probe is refused, unless a poll is waited for | `end_with`, or who ends the wait | the transport stays what it is |
//! | `Closed`, of the outbox, behind the close frame | `end_with` | pushes are refused; what waits is written |
//! | the POST is answered | `end_with` | a further one is answered at once |
//! | `Engine::forget`, unless a poll is waited for | `end_with`, or [`Driver::end_for`] | requests do not find it, but a poll that crossed the end, once; its id is free |
//! | `Discarded`, of the outbox | [`Driver::linger`], when all is written; [`Driver::lose_transport`] | nothing is written, and the stream's direction is at its end |
//! | [`Transport::Gone`] | `lose_transport`, for a stream that broke or a peer that takes nothing | the end of the peer is not waited for |
//! | [`Stage::Over`] | `linger`, when the peer knows or its time is over; who cuts the session off; a turn that unwound | the task ends |
//! | the mailbox is closed, the outbox discarded, the table left | `Drop` of the driver, also if the runtime drops the task | senders of mail learn that it is over; the end of the server does not wait for it |

use std::task::{Context, Poll};
use std::time::Instant;

use engineio_proto::{CloseReason, PacketType, TransportKind, Violation, guard, log};

use super::{Driver, Stage, Transport, polls};
use crate::application::Application;
use crate::limits::Limit;
use crate::outbound::flush::WriteState;
use crate::reason::CloseDetail;
use crate::transport::framed;

/// How the peer of an ended session learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Linger {
    pub(super) until: Instant,
    /// The packet for a parked poll, and whether it is worth waiting for a poll.
    pub(super) last: PacketType,
    pub(super) wait: bool,
    /// The peer's end is not waited for: the peer closed first.
    pub(super) answered: bool,
    /// The peer has been silent for too long: it is told, and nothing is waited for.
    silent: bool,
}

impl Driver {
    pub(super) fn on_panic(&mut self, now: Instant, cx: &mut Context<'_>) {
        log!(error: sid = self.socket.id(), "the application of a session panicked");
        let violation = Violation::internal("internal error");
        let detail = Some(CloseDetail::Panic);
        self.end_for(now, CloseReason::ForcedServerClose, detail, violation, cx);
    }

    /// Calls the application; its panic ends this session only.
    pub(super) fn with_application(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut dyn Application, &mut Context<'_>),
    ) {
        let Some(application) = &mut self.application else { return };
        if guard::call(|| call(application.as_mut(), cx)).is_err() {
            self.on_panic(now, cx);
        }
    }

    /// A turn unwound where nothing should: in a stream of others, say. The session is over, and the
    /// application is told.
    #[cold]
    pub(super) fn on_unwound(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        log!(error: sid = self.socket.id(), "the task of a session panicked");
        self.lose_transport();
        if self.stage == Stage::New {
            self.stage = Stage::Open;
        }
        let ending = guard::call(|| {
            self.end(super::now(), CloseReason::ForcedServerClose, Some(CloseDetail::Panic), cx);
        });
        // what is left of it goes with the task
        debug_assert!(ending.is_ok(), "an end does not unwind");
        self.stage = Stage::Over;
        Poll::Ready(())
    }

    /// Ends the session: the application is told now, the peer as [`Linger`] says.
    pub(super) fn end(
        &mut self,
        now: Instant,
        reason: CloseReason,
        detail: Option<CloseDetail>,
        cx: &mut Context<'_>,
    ) {
        let last_word = match detail {
            // RFC 6455 7.4.1: going away
            Some(CloseDetail::RelayGone) => (Some(1001), ""),
            Some(CloseDetail::KeptTooMuch) => (Some(1008), Limit::TotalInboundBytes.option()),
            // Node: a close frame without a code
            _ => (None, ""),
        };
        self.end_with(now, reason, detail, last_word, cx);
    }

    /// [`Driver::end`] for what the peer did, which a WebSocket is told in its close frame. One that
    /// polls keeps no place among the sessions for its close packet alone.
    pub(super) fn end_for(
        &mut self,
        now: Instant,
        reason: CloseReason,
        detail: Option<CloseDetail>,
        violation: Violation,
        cx: &mut Context<'_>,
    ) {
        let last_word = (Some(violation.code()), violation.message());
        let was_open = self.stage == Stage::Open;
        self.end_with(now, reason, detail, last_word, cx);
        // only now, as the application may have had a last word
        let is_owed = self.is_owed_something();
        match &mut self.stage {
            Stage::Linger(linger) if was_open && linger.wait && !is_owed => {
                linger.wait = false;
            }
            _ => return,
        }
        self.expect_crossing();
        self.engine.forget(&self.socket);
    }

    /// The poll that gets the last packet may be on its way; it finds no session.
    fn expect_crossing(&self) {
        let Stage::Linger(Linger { until, last, .. }) = self.stage else { return };
        if matches!(&self.transport, Transport::Polling(polling) if !polling.is_parked()) {
            self.engine.crossings.add(self.socket.id(), self.socket.protocol(), last, until);
        }
    }

    #[cold]
    fn log_too_large(&self, now: Instant) {
        if let Some(suppressed) = self.engine.too_large.pass(now) {
            let (address, limit) =
                (self.socket.remote_addr(), self.engine.options.max_http_buffer_size);
            log!(info: ?address, limit, suppressed, "a message is larger than `max_http_buffer_size`");
        }
    }

    pub(super) fn end_with(
        &mut self,
        now: Instant,
        reason: CloseReason,
        detail: Option<CloseDetail>,
        last_word: (Option<u16>, &str),
        cx: &mut Context<'_>,
    ) {
        if self.stage != Stage::Open {
            // a client that has nothing to fetch is not waited for any more
            let is_owed = self.is_owed_something();
            if let Stage::Linger(linger) = &mut self.stage {
                linger.wait &= reason != CloseReason::ServerShuttingDown || is_owed;
            }
            return;
        }
        log!(debug: sid = self.socket.id(), %reason, ?detail, "closed");
        if detail == Some(CloseDetail::TooLarge) {
            self.log_too_large(now);
        }
        // Only an orderly end is worth waiting for, also one that the layer above gave to a client
        // which broke its protocol; not one for what this level cannot read. Nor one of the whole
        // server, unless something is owed to the client, or there is time.
        // Node: so do its servers
        let wait = self.session.transport() == TransportKind::Polling
            && match reason {
                CloseReason::ForcedClose | CloseReason::ForcedServerClose => true,
                CloseReason::ServerShuttingDown => {
                    !self.engine.is_closing() || self.is_owed_something()
                }
                _ => false,
            };
        self.stage = Stage::Linger(Linger {
            until: now + self.engine.options.close_timeout,
            // Node: a noop if the client closed, else a close packet
            last: match (reason, detail) {
                (CloseReason::TransportClose, None) => PacketType::Noop,
                _ => PacketType::Close,
            },
            wait,
            answered: false,
            silent: reason == CloseReason::PingTimeout,
        });
        self.session.close();
        self.socket.set_closing();
        self.engine.counters.session_closed(reason, detail);
        self.receipts = None; // who waits for one is told

        if let Some(mut application) = self.application.take() {
            let told = guard::call(|| application.on_close(reason, detail, cx));
            // which may run code of the user, too
            let dropped = guard::call(|| drop(application));
            if told.and(dropped).is_err() {
                log!(error: sid = self.socket.id(), "the application of a session panicked");
            }
        }
        if !wait {
            self.refuse_probe(cx);
        }
        if let Transport::Framed(framed) = &mut self.transport {
            // Freed at once: what waits to be written may take longer than there is memory for it.
            framed.skip_packets();
        }
        if detail == Some(CloseDetail::SlowConsumer) {
            // Nothing can be told to a peer that takes nothing.
            self.lose_transport();
        } else {
            let last_word = framed::last_word(self.session.transport(), last_word);
            self.socket.shared().outbox.close(last_word);
        }
        // The client of a request that is still being read or taken gets its answer now.
        if let Some(mut post) = self.post.take() {
            post.finish_all(&self.socket.shared().mailbox);
        }
        self.socket.shared().mailbox.post_answered();
        if reason == CloseReason::TransportClose {
            self.expect_crossing();
        }
        if !wait {
            self.engine.forget(&self.socket);
        }
    }

    /// Whether the client has still a message to fetch, or is just on its way to the other
    /// transport, where it polls no more.
    fn is_owed_something(&self) -> bool {
        self.socket.shared().outbox.has_messages() || self.probe.is_some()
    }

    /// Whether another transport may take the session over: while it is open, and as long as its client
    /// is waited for.
    pub(super) fn may_upgrade(&self) -> bool {
        match self.stage {
            Stage::New | Stage::Moved | Stage::Open => true,
            Stage::Linger(linger) => linger.wait,
            Stage::Over => false,
        }
    }

    /// Tells the peer of an ended session, or waits until it can be told.
    pub(super) fn linger(&mut self, now: Instant, cx: &mut Context<'_>) {
        let Stage::Linger(Linger { until, last, wait, answered, silent }) = self.stage else {
            return;
        };
        let is_patient = self.is_patient(now);
        let outbox = &self.socket.shared().outbox;
        let over = match &mut self.transport {
            // what could be written at once is
            Transport::Framed(_) if silent => true,
            _ if until <= now && !is_patient => {
                self.engine.counters.limited(Limit::CloseTimeout);
                true
            }
            Transport::Polling(polling) => {
                if wait {
                    // Node: what waits goes alone; clients drop packets beside a close packet
                    polls::flush(&self.socket, polling);
                }
                polls::answer_with(&self.socket, polling, last) || !wait
            }
            Transport::Framed(_) if outbox.write_state() != WriteState::Idle => false,
            Transport::Framed(framed) => {
                outbox.discard(); // with the write half, which ends the direction
                let shut = framed.stream.poll_shutdown(cx).is_ready();
                // What the peer says now does not matter, but its data must not meet a closed
                // socket: the reset would overtake our close frame.
                if answered { shut } else { framed.poll_end(cx).is_ready() }
            }
            Transport::Gone => true,
        };
        if over {
            self.refuse_probe(cx);
            self.stage = Stage::Over;
        }
    }
}
