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
//! ([`Stage::Farewell`]: a poll that must still come, a close frame that must still go out).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use engineio_proto::websocket::{Event, close, frame};
use engineio_proto::{
    CloseReason, Due, Outgoing, Packet, PacketType, ProbeStep, Session, Step, TransportKind,
    Violation, handshake,
};
use tokio::time::Sleep;

use crate::application::Application;
use crate::batch;
use crate::mailbox::{Mail, Post};
use crate::outbox::Link;
use crate::scratch;
use crate::server::Engine;
use crate::socket::{Detail, Socket};
use crate::transport::polling::Polling;
use crate::transport::websocket::WebSocket;

/// The future of a session's task.
pub(crate) struct Driver {
    socket: Socket,
    engine: Arc<Engine>,
    session: Session,
    transport: Transport,
    probe: Option<Box<WebSocket>>,
    /// The POST whose packets are being taken.
    post: Option<Post>,
    application: Option<Box<dyn Application>>,
    stage: Stage,
    /// The one timer, armed for `armed`; it is left alone when the deadline moves later.
    timer: Pin<Box<Sleep>>,
    armed: Instant,
    /// The peer is not read, since then, for the application or the peer itself is not ready.
    unread_since: Option<Instant>,
    /// The peer took nothing since then; and what was written by then.
    stalled: Option<(Instant, u64)>,
}

enum Transport {
    Polling(Polling),
    WebSocket(Box<WebSocket>),
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Open,
    /// The application is told; the peer may still be.
    Farewell(Farewell),
    Over,
}

/// How the peer of an ended session learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Farewell {
    until: Instant,
    /// The packet for a parked poll, and whether it is worth waiting for a poll.
    last: PacketType,
    wait: bool,
    /// The WebSocket's end is not waited for: the peer closed first.
    answered: bool,
}

/// What a read found.
enum Read {
    /// Nothing more for now.
    Idle,
    /// That many bytes; there may be more.
    More(usize),
    /// The stream ended or broke.
    End,
    Violation(Violation),
}

impl Driver {
    pub(crate) fn polling(engine: Arc<Engine>, socket: Socket, base64: bool) -> Self {
        Self::new(engine, socket, Transport::Polling(Polling::new(base64)))
    }

    pub(crate) fn websocket(
        engine: Arc<Engine>,
        socket: Socket,
        websocket: Box<WebSocket>,
    ) -> Self {
        Self::new(engine, socket, Transport::WebSocket(websocket))
    }

    fn new(engine: Arc<Engine>, socket: Socket, transport: Transport) -> Self {
        let now = now();
        let times = engine.options.times();
        let session = Session::new(now, socket.protocol(), socket.transport(), times);
        let armed = session.deadline().unwrap_or(now);
        Self {
            socket,
            session,
            transport,
            probe: None,
            post: None,
            application: None,
            stage: Stage::New,
            timer: Box::pin(tokio::time::sleep_until(armed.into())),
            armed,
            unread_since: None,
            stalled: None,
            engine,
        }
    }

    /// One turn: everything that can be done now. Pending: woken when there is more.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stage == Stage::New {
            // Answered at once, with what the application sent when it was told.
            let now = now();
            self.open(now, cx);
            self.take_mail(now, cx);
            self.flush(now, cx);
        }
        let mut more = false;
        loop {
            let now = now();
            self.take_mail(now, cx);
            if self.socket.shared().outbox.overflowed() {
                self.end(now, CloseReason::TransportError, Some(Detail::SlowConsumer), cx);
            }
            if self.stage == Stage::Open {
                more = self.read(now, cx);
                self.with_application(now, cx, |application, cx| application.poll(cx));
            }
            self.on_time(now, cx);
            self.flush(now, cx);
            self.say_farewell(now, cx);
            if self.stage == Stage::Over {
                return Poll::Ready(());
            }
            // What was just written may have made room for what was held back.
            let held_back = self.unread_since.is_some() && self.stage == Stage::Open;
            if !(held_back && self.is_ready(cx)) {
                break;
            }
        }
        if more {
            cx.waker().wake_by_ref();
        }
        self.arm(cx);
        Poll::Pending
    }

    // ---- opening ----------------------------------------------------------------------------

    fn open(&mut self, now: Instant, cx: &mut Context<'_>) {
        self.stage = Stage::Open;
        let options = &self.engine.options;
        let upgrades = match self.session.transport() {
            TransportKind::Polling => self.engine.upgrades(),
            _ => &[],
        };
        let open = handshake::open_packet(
            self.socket.id(),
            upgrades,
            options.ping_interval,
            options.ping_timeout,
            options.max_http_buffer_size,
        );
        let _ = self.socket.push(&Outgoing::packet(PacketType::Open, &open), false);
        if let Transport::WebSocket(websocket) = &mut self.transport {
            if let Some(half) = websocket.take_write_half() {
                self.socket.shared().outbox.set_direct(half);
            }
        }
        tracing::debug!(
            sid = self.socket.id(),
            transport = self.socket.transport().as_str(),
            "open"
        );
        let (engine, socket) = (Arc::clone(&self.engine), self.socket.clone());
        match catch_unwind(AssertUnwindSafe(|| engine.application(&socket))) {
            Ok(application) => self.application = Some(application),
            Err(_) => return self.on_panic(now, cx),
        }
        self.with_application(now, cx, |application, cx| application.on_open(cx));
    }

    // ---- input ------------------------------------------------------------------------------

    fn take_mail(&mut self, now: Instant, cx: &mut Context<'_>) {
        for mail in self.socket.shared().mailbox.take() {
            self.on_mail(now, mail, cx);
        }
    }

    fn on_mail(&mut self, now: Instant, mail: Mail, cx: &mut Context<'_>) {
        match mail {
            Mail::Poll(poll) => match &mut self.transport {
                Transport::Polling(polling) => polling.park(poll),
                // It crossed the upgrade: its client is past polling.
                _ => self.socket.shared().mailbox.poll_answered(),
            },
            Mail::Post(post) if self.stage == Stage::Open => self.post = Some(post),
            Mail::Post(post) => post.answer(&self.socket),
            Mail::Probe(probe) => {
                if self.session.on_probe_open(now) {
                    self.probe = Some(probe);
                } else {
                    self.socket.shared().mailbox.probe_ended();
                    probe.refuse(cx);
                }
            }
            Mail::Close(reason, detail) => self.end(now, reason, detail, cx),
        }
    }

    /// Whether the client may be read: the application takes messages, and the client takes its
    /// answers.
    fn is_ready(&self, cx: &mut Context<'_>) -> bool {
        self.application.as_ref().is_some_and(|application| application.is_ready())
            && self.socket.shared().outbox.poll_writable(cx).is_ready()
    }

    /// Reads what there is, one buffer at most. True: there may be more.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let mut more = false;
        if let Some(probe) = self.probe.take() {
            more |= self.read_probe(now, probe, cx);
        }
        if !self.is_ready(cx) {
            if self.unread_since.is_none() {
                self.unread_since = Some(now);
                self.session.on_reading(now, false);
            }
            return more;
        }
        if self.unread_since.take().is_some() {
            self.session.on_reading(now, true);
        }
        self.take_post(now, cx);
        let mut budget = scratch::READ;
        while self.stage == Stage::Open {
            // Taken out: handling what is read needs the rest of the driver.
            let websocket = match std::mem::replace(&mut self.transport, Transport::Gone) {
                Transport::WebSocket(websocket) => websocket,
                mut other => {
                    let abandoned = match &mut other {
                        Transport::Polling(polling) => polling.is_abandoned(cx),
                        _ => false,
                    };
                    self.transport = other;
                    if abandoned {
                        self.end(now, CloseReason::TransportError, None, cx);
                    }
                    return more;
                }
            };
            let (websocket, read) = self.read_frames(now, websocket, cx);
            self.transport = Transport::WebSocket(websocket);
            match read {
                Read::Idle => break,
                // A short read left nothing; the next one says so without a system call.
                Read::More(count) if count < budget => budget -= count,
                Read::More(_) => return true,
                Read::End => {
                    self.lose_transport();
                    self.end(now, CloseReason::TransportClose, None, cx);
                }
                Read::Violation(violation) => self.on_violation(now, violation, cx),
            }
        }
        more
    }

    /// The stream ended or broke: nothing can be sent any more.
    fn lose_transport(&mut self) {
        self.socket.shared().outbox.discard();
        self.transport = Transport::Gone;
    }

    /// Takes the packets of a POST as long as the application is ready for them.
    fn take_post(&mut self, now: Instant, cx: &mut Context<'_>) {
        let Some(mut post) = self.post.take() else { return };
        while self.stage == Stage::Open && self.is_ready(cx) {
            match post.packets.next() {
                Some(Ok(packet)) => self.on_packet(now, packet, cx),
                Some(Err(error)) => {
                    tracing::debug!(sid = self.socket.id(), %error, "undecodable payload");
                    self.end(now, CloseReason::ParseError, None, cx);
                }
                None => return post.answer(&self.socket),
            }
        }
        match self.stage {
            Stage::Open => self.post = Some(post),
            // reference: the answer is `ok` all the same
            _ => post.answer(&self.socket),
        }
    }

    /// Reads one buffer of frames. Also those of a probe, which becomes the transport on the way.
    fn read_frames(
        &mut self,
        now: Instant,
        mut websocket: Box<WebSocket>,
        cx: &mut Context<'_>,
    ) -> (Box<WebSocket>, Read) {
        let read = scratch::with_read_buffer(|buffer| {
            let count = match websocket.poll_read(cx, buffer) {
                Poll::Pending => return Read::Idle,
                Poll::Ready(Ok(count)) if count > 0 => count,
                Poll::Ready(_) => return Read::End,
            };
            let WebSocket { decoder, out, .. } = &mut *websocket;
            let mut messages = decoder.feed(&mut buffer[..count]);
            loop {
                let event = match messages.next() {
                    Ok(Some(event)) => event,
                    Ok(None) => return Read::More(count),
                    Err(violation) => return Read::Violation(violation),
                };
                let protocol = self.session.protocol();
                let packet = match event {
                    Event::Text(text) => Packet::from_text(protocol, text),
                    Event::Binary(bytes) => Packet::from_binary(protocol, bytes),
                    Event::Ping(payload) => {
                        let mut pong = Vec::with_capacity(2 + payload.len());
                        frame::write_frame(frame::Opcode::Pong, payload, &mut pong);
                        self.on_ping(Outgoing::control_frame(pong));
                        continue;
                    }
                    Event::Pong => continue,
                    Event::Close(status) => {
                        self.on_close_frame(now, status.map(|(code, _)| code), cx);
                        return Read::Idle;
                    }
                };
                match packet {
                    Ok(packet) if self.session.transport() == TransportKind::WebSocket => {
                        self.on_packet(now, packet, cx);
                    }
                    Ok(packet) => match self.session.on_probe_packet(now, &packet) {
                        ProbeStep::Answer => {
                            frame::write_frame(frame::Opcode::Text, b"3probe", out);
                            self.release_poll();
                        }
                        ProbeStep::Switch => self.on_switch(),
                        ProbeStep::Refuse => return Read::End,
                    },
                    Err(error) => {
                        tracing::debug!(sid = self.socket.id(), %error, "undecodable packet");
                        if self.session.transport() != TransportKind::WebSocket {
                            return Read::End;
                        }
                        self.end(now, CloseReason::ParseError, None, cx);
                    }
                }
                if self.stage != Stage::Open {
                    return Read::Idle;
                }
            }
        });
        (websocket, read)
    }

    fn on_packet(&mut self, now: Instant, packet: Packet<'_>, cx: &mut Context<'_>) {
        match self.session.on_packet(now, packet.kind) {
            Step::Deliver => {
                crate::stats::Counters::add(&self.socket.counters().messages_in);
                self.with_application(now, cx, |application, cx| {
                    application.on_message(packet.data, cx);
                });
            }
            Step::Nothing => {}
            Step::SendPong => {
                let _ = self.socket.push(&Outgoing::packet(PacketType::Pong, ""), false);
            }
            Step::Close(reason) => self.end(now, reason, None, cx),
        }
    }

    fn on_ping(&mut self, pong: Outgoing) {
        if self.session.transport() == TransportKind::WebSocket {
            self.socket.see_to(self.socket.shared().outbox.push_pong(pong));
        }
        // A client has no reason to ping a WebSocket that only probes: no answer, no harm.
    }

    fn on_close_frame(&mut self, now: Instant, code: Option<u16>, cx: &mut Context<'_>) {
        if self.session.transport() != TransportKind::WebSocket {
            return self.session.on_probe_end();
        }
        // RFC 6455 5.5.1: the answer carries the code that was received
        let frame = close::frame(code, "");
        self.end_with(now, CloseReason::TransportClose, None, frame, cx);
        if let Stage::Farewell(farewell) = &mut self.stage {
            farewell.answered = true;
        }
    }

    fn on_violation(&mut self, now: Instant, violation: Violation, cx: &mut Context<'_>) {
        tracing::debug!(sid = self.socket.id(), %violation, "websocket protocol violated");
        let detail = match violation.code() {
            1009 => Detail::TooLarge,
            code => Detail::WebSocket(code),
        };
        let frame = close::frame(Some(violation.code()), violation.message());
        self.end_with(now, CloseReason::TransportError, Some(detail), frame, cx);
    }

    // ---- upgrade ----------------------------------------------------------------------------

    fn read_probe(&mut self, now: Instant, probe: Box<WebSocket>, cx: &mut Context<'_>) -> bool {
        let (mut probe, read) = self.read_frames(now, probe, cx);
        if self.session.transport() == TransportKind::WebSocket {
            return self.install(now, probe, &read, cx);
        }
        let ended = matches!(read, Read::End | Read::Violation(_)) || !self.session.is_upgrading();
        if ended || matches!(probe.poll_queued(cx), Poll::Ready(Err(_))) {
            self.session.on_probe_end();
            self.socket.shared().mailbox.probe_ended();
            probe.refuse(cx);
            return false;
        }
        self.probe = Some(probe);
        matches!(read, Read::More(_))
    }

    /// A probe asks: a parked poll is answered, so that the client's polling comes to rest.
    fn release_poll(&mut self) {
        if let Transport::Polling(polling) = &mut self.transport {
            polling.release(&self.socket);
        }
    }

    /// The client decided for the probe: polling ends, whatever waits goes the new way.
    fn on_switch(&mut self) {
        if let Transport::Polling(polling) = &mut self.transport {
            polling.answer_noop(&self.socket);
        }
        self.socket.set_transport(TransportKind::WebSocket);
        crate::stats::Counters::add(&self.socket.counters().upgraded);
        tracing::debug!(sid = self.socket.id(), "upgraded");
    }

    fn install(
        &mut self,
        now: Instant,
        mut websocket: Box<WebSocket>,
        read: &Read,
        cx: &mut Context<'_>,
    ) -> bool {
        if !websocket.is_drained() {
            // A `5` before our `3probe` was out: the frames would mix.
            websocket.refuse(cx);
            self.lose_transport();
            self.end(now, CloseReason::TransportError, None, cx);
            return false;
        }
        if let Some(half) = websocket.take_write_half() {
            self.socket.shared().outbox.set_direct(half);
        }
        self.transport = Transport::WebSocket(websocket);
        if let Read::Violation(violation) = read {
            self.on_violation(now, *violation, cx);
        }
        matches!(read, Read::More(_))
    }

    // ---- time -------------------------------------------------------------------------------

    fn on_time(&mut self, now: Instant, cx: &mut Context<'_>) {
        loop {
            match self.session.on_deadline(now) {
                Due::Nothing => break,
                Due::SendPing => {
                    let _ = self.socket.push(&Outgoing::packet(PacketType::Ping, ""), false);
                }
                Due::ReleasePoll => self.release_poll(),
                Due::RefuseProbe => {
                    self.socket.shared().mailbox.probe_ended();
                    if let Some(probe) = self.probe.take() {
                        probe.refuse(cx);
                    }
                }
                Due::Close(reason) => self.end(now, reason, None, cx),
            }
        }
        if self.stage != Stage::Open {
            return;
        }
        let options = &self.engine.options;
        if self.unread_since.is_some_and(|since| since + options.max_read_pause <= now) {
            let detail = Some(Detail::NotRead);
            return self.end(now, CloseReason::TransportError, detail, cx);
        }
        if self.stalled.is_some_and(|(since, _)| since + options.write_timeout <= now) {
            let written = self.socket.shared().outbox.written();
            match &mut self.stalled {
                Some(stalled) if stalled.1 != written => *stalled = (now, written),
                _ => {
                    let detail = Some(Detail::SlowConsumer);
                    self.socket.shared().outbox.discard();
                    return self.end(now, CloseReason::TransportError, detail, cx);
                }
            }
        }
        let due = self.application.as_ref().and_then(|application| application.deadline());
        if due.is_some_and(|due| due <= now) {
            self.with_application(now, cx, |application, cx| application.on_deadline(now, cx));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let options = &self.engine.options;
        match self.stage {
            Stage::Farewell(farewell) => Some(farewell.until),
            Stage::Over => None,
            Stage::New | Stage::Open => [
                self.session.deadline(),
                self.application.as_ref().and_then(|application| application.deadline()),
                self.unread_since.map(|since| since + options.max_read_pause),
                self.stalled.map(|(since, _)| since + options.write_timeout),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    /// Arms the timer if the deadline is nearer than it is armed for, or it has fired.
    fn arm(&mut self, cx: &mut Context<'_>) {
        let Some(deadline) = self.deadline() else { return };
        if deadline < self.armed || self.timer.is_elapsed() {
            self.armed = deadline;
            self.timer.as_mut().reset(deadline.into());
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    // ---- output -----------------------------------------------------------------------------

    /// Writes what this turn queued.
    fn flush(&mut self, now: Instant, cx: &mut Context<'_>) {
        let outbox = &self.socket.shared().outbox;
        match &mut self.transport {
            Transport::Polling(polling) => {
                if self.stage == Stage::Open {
                    polling.flush(&self.socket);
                }
                return;
            }
            Transport::WebSocket(websocket) if websocket.is_driver_written() => {
                let flushed = outbox.flush_with(|slices| websocket.try_write(cx, slices));
                let flushed = match flushed {
                    Ok(true) => websocket.poll_flush(cx).map_ok(|()| true),
                    other => Poll::Ready(other),
                };
                match flushed {
                    Poll::Ready(Ok(true)) => self.stalled = None,
                    Poll::Ready(Ok(false)) | Poll::Pending => {
                        self.stalled.get_or_insert_with(|| (now, outbox.written()));
                    }
                    Poll::Ready(Err(_)) => self.on_broken(now, cx),
                }
                return;
            }
            Transport::WebSocket(websocket) => loop {
                match outbox.link() {
                    Link::Idle => {
                        self.stalled = None;
                        return;
                    }
                    Link::Busy => {
                        let _ = outbox.flush();
                        if outbox.link() == Link::Busy {
                            return; // another thread writes, and wakes us if it cannot
                        }
                    }
                    Link::Blocked => match websocket.poll_writable(cx) {
                        Poll::Ready(_) => outbox.unblock(),
                        Poll::Pending => {
                            self.stalled.get_or_insert_with(|| (now, outbox.written()));
                            return;
                        }
                    },
                    Link::Broken => break,
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

    // ---- the end ----------------------------------------------------------------------------

    fn on_panic(&mut self, now: Instant, cx: &mut Context<'_>) {
        tracing::error!(sid = self.socket.id(), "the application of a session panicked");
        self.end(now, CloseReason::ForcedServerClose, Some(Detail::Panic), cx);
    }

    /// Calls the application; its panic ends this session only.
    fn with_application(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut dyn Application, &mut Context<'_>),
    ) {
        let Some(application) = &mut self.application else { return };
        let call = AssertUnwindSafe(|| call(application.as_mut(), cx));
        if catch_unwind(call).is_err() {
            self.on_panic(now, cx);
        }
    }

    /// Ends the session: the application is told now, the peer as [`Farewell`] says.
    fn end(
        &mut self,
        now: Instant,
        reason: CloseReason,
        detail: Option<Detail>,
        cx: &mut Context<'_>,
    ) {
        // reference: a close frame without a code
        self.end_with(now, reason, detail, close::frame(None, ""), cx);
    }

    fn end_with(
        &mut self,
        now: Instant,
        reason: CloseReason,
        detail: Option<Detail>,
        close_frame: Vec<u8>,
        cx: &mut Context<'_>,
    ) {
        if self.stage != Stage::Open {
            return;
        }
        tracing::debug!(sid = self.socket.id(), %reason, ?detail, "closed");
        // Who broke the protocol is not waited for; nor is anybody when the server goes.
        let wait = matches!(reason, CloseReason::ForcedClose | CloseReason::ForcedServerClose)
            && self.session.transport() == TransportKind::Polling;
        self.stage = Stage::Farewell(Farewell {
            until: now + self.engine.options.close_timeout,
            // reference: a noop if the client closed, else a close packet
            last: match reason {
                CloseReason::TransportClose => PacketType::Noop,
                _ => PacketType::Close,
            },
            wait,
            answered: false,
        });
        self.session.close();
        self.socket.set_closing();
        self.engine.counters.session_closed(reason, detail);

        if let Some(mut application) = self.application.take() {
            let told = AssertUnwindSafe(|| {
                application.on_close(reason, detail, cx);
                drop(application); // which may run code of the user, too
            });
            if catch_unwind(told).is_err() {
                tracing::error!(sid = self.socket.id(), "the application of a session panicked");
            }
        }
        if let Some(probe) = self.probe.take() {
            probe.refuse(cx);
        }
        let shared = self.socket.shared();
        if detail == Some(Detail::SlowConsumer) {
            // Nothing can be told to a peer that takes nothing.
            self.lose_transport();
        } else if self.session.transport() == TransportKind::WebSocket {
            shared.outbox.close(Some(Outgoing::control_frame(close_frame)));
        } else {
            shared.outbox.close(None);
        }
        // The client of a request that is still being read gets its answer now.
        self.socket.shared().mailbox.post_answered();
        if !wait {
            self.engine.forget(&self.socket);
        }
    }

    /// Tells the peer of an ended session, or waits until it can be told.
    fn say_farewell(&mut self, now: Instant, cx: &mut Context<'_>) {
        let Stage::Farewell(Farewell { until, last, wait, answered }) = self.stage else { return };
        let outbox = &self.socket.shared().outbox;
        let over = match &mut self.transport {
            _ if until <= now => true,
            Transport::Polling(polling) => {
                if wait {
                    // reference: what waits goes alone; clients drop packets beside a close packet
                    polling.flush(&self.socket);
                }
                polling.answer_with(&self.socket, last) || !wait
            }
            Transport::WebSocket(_) if outbox.link() != Link::Idle => false,
            Transport::WebSocket(websocket) => {
                outbox.discard(); // with the write half, which ends the direction
                let shut = websocket.poll_shutdown(cx).is_ready();
                // What the peer says now does not matter, but its data must not meet a closed
                // socket: the reset would overtake our close frame.
                if answered { shut } else { poll_end(websocket, cx).is_ready() }
            }
            Transport::Gone => true,
        };
        if over {
            self.stage = Stage::Over;
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // before looking, so that what comes after the look wakes
        this.socket.shared().waker.register(cx.waker());
        batch::run(|| this.turn(cx))
    }
}

impl Drop for Driver {
    /// Also when the runtime drops the task: nothing of the session stays behind.
    fn drop(&mut self) {
        self.socket.set_closing();
        self.socket.shared().mailbox.close();
        self.socket.shared().outbox.discard();
        self.engine.forget(&self.socket);
        self.engine.session_gone();
    }
}

/// Reads and drops what a peer sends after the end, until its stream ends.
fn poll_end(websocket: &mut WebSocket, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        let count = scratch::with_read_buffer(|buffer| websocket.poll_read(cx, buffer));
        match ready!(count) {
            Ok(count) if count > 0 => {}
            _ => return Poll::Ready(()),
        }
    }
}

/// The clock, read in the driver only; tests move it by hand.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
