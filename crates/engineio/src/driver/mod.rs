//! The task of a session: waits for input, feeds the state machine, acts on what it says, flushes,
//! and arms the one timer.
//!
//! ```text
//!   mail ─┐                               ┌─▶ Application
//!   POST ─┼─▶ packets ─▶ proto::Session ──┤
//!   frames┘                               └─▶ pong, upgrade, end
//!   timer ──▶ deadlines ─▶ ping, timeouts
//! ```
//!
//! It owns the session's protocol state from open to close, whatever the transport; nobody else
//! touches it, so there is no lock. One turn reads at most one buffer, so that a busy client leaves
//! room to others; all that a turn sends is written together at its end.
//!
//! The end has two steps: the application is told at once; the peer may take some time more
//! ([`Stage::Linger`]: a poll that must still come, a close frame that must still go out).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use engineio_proto::{
    CloseReason, Outgoing, PacketType, Receipts, Session, TransportKind, guard, handshake, log,
};
use tokio::time::Sleep;

use crate::TARGET;
use crate::application::Application;
use crate::engine::Engine;
use crate::limits::Limit;
use crate::limits::addresses::AddressPermit;
use crate::outbound::flush::WriteState;
use crate::outbound::turn;
use crate::reason::CloseDetail;
use crate::session::mailbox::{Mail, Post};
use crate::session::receipt::Pending;
use crate::session::socket::Socket;
use crate::span::{InSpan, Span};
use crate::stats::Counters;
use crate::transport::framed::Framed;
use crate::transport::polling::Polling;

mod deadlines;
mod end;
mod held;
mod input;
mod polls;
mod throttle;

use end::Linger;
use throttle::Rates;

/// The future of a session's task.
pub(crate) struct Driver {
    socket: Socket,
    engine: Arc<Engine>,
    session: Session,
    transport: Transport,
    probe: Option<Box<Framed>>,
    /// The POST whose packets are being taken.
    post: Option<Box<Post>>,
    application: Option<Box<dyn Application>>,
    stage: Stage,
    /// The one timer; it is left alone when the deadline moves later.
    timer: Pin<Box<Sleep>>,
    /// The first packet went out with the answer to the request.
    greeted: bool,
    /// The timer wakes this task when it fires.
    ticking: bool,
    /// The process stood still: what came meanwhile is read, and nobody is given up before the timer
    /// fires again.
    patient: bool,
    /// Messages delivered in this turn.
    delivered: u32,
    /// The peer is not read, since then, for the application or the peer itself is not ready.
    unread_since: Option<Instant>,
    /// The peer took nothing since then; and what was written by then. Few are slow at a time.
    stalled: Option<Box<(Instant, u64)>>,
    /// How fast the peer may send, if that is bounded.
    rates: Option<Box<Rates>>,
    /// Who waits for receipts, once somebody has asked for one.
    receipts: Option<Box<Receipts<Pending>>>,
}

enum Transport {
    Polling(Box<Polling>),
    Framed(Box<Framed>),
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    /// New here, but not to its client: it comes from another node.
    Moved,
    Open,
    /// The application is told; the peer may still be.
    Linger(Linger),
    Over,
}

impl Driver {
    pub(crate) fn polling(
        engine: Arc<Engine>,
        socket: Socket,
        permit: Option<AddressPermit>,
        (base64, opens_alone): (bool, bool),
    ) -> Self {
        let polling = Polling::new(socket.protocol(), base64, opens_alone);
        Self::new(engine, socket, permit, Transport::Polling(Box::new(polling)))
    }

    pub(crate) fn framed(
        engine: Arc<Engine>,
        socket: Socket,
        permit: Option<AddressPermit>,
        framed: Box<Framed>,
    ) -> Self {
        Self::new(engine, socket, permit, Transport::Framed(framed))
    }

    /// Says that the first packet went out with the answer to the request.
    pub(crate) fn greeted(mut self, greeted: bool) -> Self {
        self.greeted = greeted;
        self
    }

    /// A session that comes from another node, with the packets that its client has posted.
    pub(crate) fn moved(
        engine: Arc<Engine>,
        socket: Socket,
        permit: Option<AddressPermit>,
        framed: Box<Framed>,
        post: Option<Post>,
    ) -> Self {
        let mut driver = Self::framed(engine, socket, permit, framed);
        driver.stage = Stage::Moved;
        driver.post = post.map(Box::new);
        driver
    }

    fn new(
        engine: Arc<Engine>,
        socket: Socket,
        permit: Option<AddressPermit>,
        transport: Transport,
    ) -> Self {
        let now = now();
        let times = Arc::clone(&engine.times);
        let session = Session::new(now, socket.protocol(), socket.transport(), times);
        let deadline = session.deadline().unwrap_or(now);
        Self {
            socket,
            session,
            transport,
            probe: None,
            post: None,
            application: None,
            stage: Stage::New,
            timer: Box::pin(tokio::time::sleep_until(deadline.into())),
            greeted: false,
            ticking: false,
            patient: false,
            delivered: 0,
            unread_since: None,
            stalled: None,
            rates: Rates::new(&engine.options, permit, now),
            receipts: None,
            engine,
        }
    }

    /// Starts the session's task, in a span that handlers run in as well.
    pub(crate) fn spawn(self) {
        // Built and entered only if somebody looks at it; the level is that of the protocol's steps.
        let span = Span::new(|| {
            tracing::debug_span!(
                target: TARGET,
                parent: None,
                "session",
                sid = self.socket.id(),
                transport = self.socket.transport().as_str(),
                protocol = self.socket.protocol().number(),
            )
        });
        tokio::spawn(InSpan::new(self, span));
    }

    /// One turn: everything that can be done now. Pending: woken when there is more.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.stage, Stage::New | Stage::Moved) {
            // Answered at once, with what the application sent when it was told.
            let now = now();
            self.open(now, cx);
            self.take_mail(now, cx);
            self.flush(now, cx);
        }
        let now = now();
        self.be_patient(now);
        self.take_mail(now, cx);
        if self.engine.bounds.backlog.is_over() {
            self.engine.cut_longest_queues();
        }
        self.engine.cut_largest_holders();
        if self.socket.shared().outbox.overflowed() {
            self.end(now, CloseReason::TransportError, Some(CloseDetail::SlowConsumer), cx);
        }
        let mut more = self.probe.is_some() && self.read_probe(now, cx);
        if self.stage == Stage::Open {
            more |= self.read(now, cx);
            self.count_delivered();
            self.with_application(now, cx, |application, cx| application.poll(cx));
        }
        self.on_time(now, cx);
        self.flush(now, cx);
        self.linger(now, cx);
        if self.stage == Stage::Over {
            return Poll::Ready(());
        }
        self.count_kept();
        // What was just written may have made room for what was held back, and the application
        // may have got ready since.
        let held_back = self.unread_since.is_some() && self.stage == Stage::Open;
        if more || (held_back && self.is_ready(now, cx)) {
            cx.waker().wake_by_ref();
        }
        self.arm(now, cx);
        Poll::Pending
    }

    /// Counts what is kept from this turn to the next.
    fn count_kept(&self) {
        let of_transport = match &self.transport {
            Transport::Framed(framed) => framed.kept_bytes(),
            Transport::Polling(_) | Transport::Gone => 0,
        };
        let kept = self.socket.request().kept_bytes()
            + of_transport
            + self.probe.as_ref().map_or(0, |probe| probe.kept_bytes())
            + self.post.as_ref().map_or(0, |post| post.kept_bytes())
            + self.application.as_ref().map_or(0, |application| application.kept_bytes());
        self.engine.inbound.set(&self.socket.shared().kept, kept);
        self.engine.cut_largest_holders();
    }

    // ---- opening ----------------------------------------------------------------------------

    fn open(&mut self, now: Instant, cx: &mut Context<'_>) {
        let is_new = std::mem::replace(&mut self.stage, Stage::Open) == Stage::New;
        if self.greeted {
            self.engine.counters.sent(1);
        } else if is_new {
            let _ = self.socket.push(open_packet(&self.engine, &self.socket));
        }
        if let Transport::Framed(framed) = &mut self.transport {
            let outbox = &self.socket.shared().outbox;
            outbox.set_wire(framed.wire(&self.engine.options));
            if let Some(half) = framed.stream.take_write_half() {
                outbox.set_direct(half);
            }
        }
        log!(debug:
            sid = self.socket.id(),
            transport = self.socket.transport().as_str(),
            "open"
        );
        if !self.hold(now) {
            self.start(now, cx);
        }
    }

    /// Tells the application of the session.
    fn start(&mut self, now: Instant, cx: &mut Context<'_>) {
        let (engine, socket) = (Arc::clone(&self.engine), self.socket.clone());
        match guard::call(|| engine.application(&socket)) {
            Ok(application) => self.application = Some(application),
            Err(_) => return self.on_panic(now, cx),
        }
        self.with_application(now, cx, |application, cx| application.on_open(cx));
    }

    // ---- mail -------------------------------------------------------------------------------

    fn take_mail(&mut self, now: Instant, cx: &mut Context<'_>) {
        if self.socket.shared().mailbox.has_mail() {
            for mail in self.socket.shared().mailbox.take() {
                self.on_mail(now, mail, cx);
            }
        }
    }

    fn on_mail(&mut self, now: Instant, mail: Mail, cx: &mut Context<'_>) {
        match mail {
            // Too late: the session is over, and nobody has looked at the clock yet.
            Mail::Poll(poll) if self.is_overdue(now) => drop(poll),
            Mail::Poll(poll) => match &mut self.transport {
                Transport::Polling(polling) => polling.park(poll),
                // It crossed the upgrade, or the end: dropped, which answers it.
                _ => self.socket.shared().mailbox.poll_answered(),
            },
            Mail::Post(mut post) if self.stage == Stage::Open => match &mut self.post {
                Some(before) => before.follow(post),
                None => {
                    // its client may have to send more before it decides for an upgrade
                    if self.is_held() {
                        post.answer(&self.socket.shared().mailbox);
                    }
                    self.post = Some(post);
                }
            },
            Mail::Post(mut post) => post.finish_all(&self.socket.shared().mailbox),
            Mail::Probe(probe) => {
                if self.may_upgrade() && self.session.on_probe_open(now, probe.kind()) {
                    self.probe = Some(probe);
                } else {
                    self.socket.shared().mailbox.probe_ended();
                    probe.refuse(cx);
                }
            }
            Mail::Close(reason, detail, None) => self.end(now, reason, detail, cx),
            Mail::Close(reason, detail, Some(violation)) => {
                self.end_for(now, reason, detail, violation, cx);
            }
            Mail::Part(parting) => {
                self.with_application(now, cx, |application, cx| {
                    application.on_server_close(parting, cx);
                });
            }
            Mail::Move(step) => self.on_move(now, step),
            Mail::Release => {
                if let (Transport::Polling(polling), Stage::Open) =
                    (&mut self.transport, self.stage)
                {
                    polls::answer_noop(&self.socket, polling);
                }
            }
            Mail::Receipt(pending) if self.stage == Stage::Open => {
                self.receipts.get_or_insert_default().ask(pending, Pending::is_wanted);
            }
            Mail::Receipt(pending) => drop(pending), // which says so
            Mail::CutOff => {
                Counters::add(&self.engine.counters.cut_off);
                self.end(now, CloseReason::ServerShuttingDown, None, cx);
                self.stage = Stage::Over;
            }
        }
    }

    // ---- output -----------------------------------------------------------------------------

    /// Writes what this turn queued.
    fn flush(&mut self, now: Instant, cx: &mut Context<'_>) {
        turn::before_writing();
        let outbox = &self.socket.shared().outbox;
        match &mut self.transport {
            Transport::Polling(polling) => {
                if self.stage == Stage::Open {
                    polls::flush(&self.socket, polling);
                    if polling.is_lost() {
                        self.end(now, CloseReason::TransportError, None, cx);
                    }
                }
                return;
            }
            Transport::Framed(framed) if framed.stream.is_driver_written() => {
                let stream = &mut framed.stream;
                let mut packets = 0;
                let flushed =
                    outbox.flush_with(&mut packets, |slices| stream.try_write(cx, slices));
                self.engine.counters.sent(packets);
                let flushed = match flushed {
                    Ok(true) => stream.poll_flush(cx).map_ok(|()| true),
                    other => Poll::Ready(other),
                };
                match flushed {
                    Poll::Ready(Ok(true)) => self.stalled = None,
                    Poll::Ready(Ok(false)) | Poll::Pending => {
                        self.stalled.get_or_insert_with(|| Box::new((now, outbox.written())));
                    }
                    // our own HTTP server's guard was quicker than we
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                        self.engine.counters.limited(Limit::WriteTimeout);
                        let detail = Some(CloseDetail::SlowConsumer);
                        self.end(now, CloseReason::TransportError, detail, cx);
                    }
                    Poll::Ready(Err(_)) => self.on_broken(now, cx),
                }
                return;
            }
            Transport::Framed(framed) => loop {
                match self.socket.flush_in_turn() {
                    WriteState::Idle => {
                        self.stalled = None;
                        return;
                    }
                    // another thread writes, and wakes us if it cannot
                    WriteState::Busy => return,
                    WriteState::Blocked => match framed.stream.poll_writable(cx) {
                        Poll::Ready(_) => outbox.unblock(),
                        Poll::Pending => {
                            self.stalled.get_or_insert_with(|| Box::new((now, outbox.written())));
                            return;
                        }
                    },
                    WriteState::Broken => break,
                }
            },
            Transport::Gone => return,
        }
        self.on_broken(now, cx);
    }

    /// Writing failed: the peer is gone.
    fn on_broken(&mut self, now: Instant, cx: &mut Context<'_>) {
        self.lose_transport();
        self.end(now, CloseReason::TransportClose, None, cx);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // before looking, so that what comes after the look wakes
        this.socket.shared().waker.register(cx.waker());
        let turn = this.socket.begin_turn();
        let polled = guard::call(|| this.turn(cx)).unwrap_or_else(|_| this.on_unwound(cx));
        if turn.end() {
            this.socket.flush();
        }
        polled
    }
}

impl Drop for Driver {
    /// Also when the runtime drops the task: nothing of the session stays behind.
    fn drop(&mut self) {
        self.socket.set_closing();
        self.socket.shared().mailbox.close();
        self.socket.shared().outbox.discard();
        self.engine.inbound.set(&self.socket.shared().kept, 0);
        // one that was told of the end is gone already
        guard::let_go(self.application.take());
        self.engine.session_gone(&self.socket);
    }
}

/// The first packet of a session.
pub(crate) fn open_packet(engine: &Engine, socket: &Socket) -> Outgoing {
    let options = &engine.options;
    let upgrades = match socket.transport() {
        TransportKind::Polling => engine.upgrades(socket.protocol()),
        _ => Vec::new(),
    };
    let open = handshake::open_packet(
        socket.id(),
        &upgrades,
        options.ping_interval,
        options.ping_timeout,
        options.max_http_buffer_size,
    );
    Outgoing::packet(PacketType::Open, &open)
}

/// The clock, read in the driver only; tests move it by hand.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The future of each session's task: memory per connection. A task of tokio takes multiples of
    /// 128 bytes: with 144 of tokio's own and the span, this is three of them.
    #[test]
    fn the_task_is_small() {
        assert!(size_of::<Driver>() <= 384 - 144, "{}", size_of::<Driver>());
        assert!(size_of::<Framed>() <= 160, "{}", size_of::<Framed>());
    }
}
