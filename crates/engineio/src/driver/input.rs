//! What a client sends: bodies of POSTs, packets of a stream, and those of a stream that probes.
//!
//! Messages are delivered while the application and the client itself (who must take the answers)
//! are ready. What was read beyond that waits, a POST with its packets and a stream with its
//! bytes, and nothing more is read: so a client that sends faster than it is served is slowed
//! down by its own transport.

use std::borrow::Cow;
use std::task::{Context, Poll};
use std::time::Instant;

use engineio_proto::log;
use engineio_proto::websocket::frame;
use engineio_proto::{
    CloseReason, DecodeError, Message, Outgoing, Packet, PacketType, ProbeStep, Step, Violation,
};

use super::{Driver, Stage, Transport, polls};
use crate::limits::Limit;
use crate::reason::CloseDetail;
use crate::scratch;
use crate::session::receipt::Received;
use crate::span;
use crate::stats::Counters;
use crate::transport::framed::{self, Framed, Incoming};

/// What a read found.
enum Read {
    /// Nothing more for now.
    Idle,
    /// That many bytes; there may be more.
    More(usize),
    /// The stream ended or broke, which ends the session for this reason.
    End(CloseReason),
    Violation(Violation),
}

/// What became of a probe.
enum Probed {
    /// It goes on; true: there may be more to read.
    Waits(bool),
    Switched,
    Ended,
}

impl Driver {
    /// Whether the client may be read: the application takes messages, and the client takes its
    /// answers.
    pub(super) fn is_ready(&self, now: Instant, cx: &mut Context<'_>) -> bool {
        let pause = self.rates.as_ref().and_then(|rates| rates.pause());
        pause.is_none_or(|until| until <= now)
            && self.application.as_ref().is_some_and(|application| application.is_ready())
            && self.socket.shared().outbox.poll_writable(cx).is_ready()
    }

    /// Reads what there is, one buffer at most. True: there may be more.
    pub(super) fn read(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let mut more = false;
        if let Transport::Polling(polling) = &mut self.transport {
            if polling.is_abandoned(cx) {
                self.end(now, CloseReason::TransportError, None, cx);
            }
        }
        if !self.may_deliver(now, cx) {
            self.look_for_end(now, cx);
            return false;
        }
        if self.unread_since.take().is_some() {
            self.session.on_reading(now, true);
        }
        self.take_post(now, cx);
        let mut budget = scratch::READ;
        while self.stage == Stage::Open && self.unread_since.is_none() && self.socket.is_open() {
            // Taken out: handling what is read needs the rest of the driver.
            let framed = match std::mem::replace(&mut self.transport, Transport::Gone) {
                Transport::Framed(framed) => framed,
                other => {
                    self.transport = other;
                    break;
                }
            };
            let (framed, read) = self.read_framed(now, framed, cx);
            self.transport = Transport::Framed(framed);
            match read {
                Read::Idle => break,
                // A short read left nothing; the next one says so without a system call.
                Read::More(count) if count < budget => budget -= count,
                Read::More(_) => {
                    more = true;
                    break;
                }
                Read::End(reason) => {
                    self.lose_transport();
                    self.end(now, reason, None, cx);
                }
                Read::Violation(violation) => self.on_violation(now, violation, cx),
            }
        }
        more
    }

    /// Counts once a turn: the counters are shared by all threads.
    pub(super) fn count_delivered(&mut self) {
        let delivered = std::mem::take(&mut self.delivered);
        if delivered > 0 {
            Counters::add_many(&self.engine.counters.stripe().messages_in, delivered.into());
        }
    }

    /// Whether the next message may be delivered; if not, reading pauses.
    fn may_deliver(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        if self.stage != Stage::Open || !self.socket.is_open() {
            return false;
        }
        if self.is_within_rates(now, cx) && self.is_ready(now, cx) {
            return true;
        }
        if self.stage != Stage::Open {
            return false;
        }
        if self.unread_since.is_none() {
            self.unread_since = Some(now);
            self.session.on_reading(now, false);
        }
        false
    }

    /// A client that is not read may leave all the same. Then nobody is slowed down any more, and
    /// what it sent that was not read is dropped as what is under way when a connection breaks.
    fn look_for_end(&mut self, now: Instant, cx: &mut Context<'_>) {
        if self.stage != Stage::Open || self.unread_since.is_none() {
            return;
        }
        let Transport::Framed(framed) = &mut self.transport else { return };
        if framed.stream.is_gone(cx) {
            self.lose_transport();
            self.end(now, CloseReason::TransportClose, None, cx);
        }
    }

    /// The stream ended or broke: nothing can be sent any more.
    pub(super) fn lose_transport(&mut self) {
        self.socket.shared().outbox.discard();
        self.transport = Transport::Gone;
    }

    /// Takes the packets of a POST as long as they may be delivered.
    ///
    /// Its answer comes behind the last of them, and is what slows a client down. If it is for the
    /// client to take its answers, it is told to go on before: one that does not poll while it
    /// posts would wait for ever. A further POST waits, then.
    fn take_post(&mut self, now: Instant, cx: &mut Context<'_>) {
        let Some(mut post) = self.post.take() else { return };
        while self.may_deliver(now, cx) {
            match post.packets.next() {
                Some(Ok(packet)) => self.on_packet(now, packet, cx),
                Some(Err(error)) => {
                    log!(debug: sid = self.socket.id(), %error, "undecodable payload");
                    if error == DecodeError::TooManyPackets {
                        self.engine.counters.limited(Limit::PacketsPerPayload);
                    }
                    self.end(now, CloseReason::ParseError, None, cx);
                }
                None => match post.finish(&self.socket.shared().mailbox) {
                    Some(next) => post = next,
                    None => return,
                },
            }
        }
        if self.unread_since.is_none() || self.stage != Stage::Open {
            // Node: the answer is `ok` whatever was in it
            return post.finish_all(&self.socket.shared().mailbox);
        }
        if self.socket.shared().outbox.poll_writable(cx).is_pending() {
            post.answer(&self.socket.shared().mailbox);
        }
        self.post = Some(post);
    }

    /// Reads one buffer.
    fn read_framed(
        &mut self,
        now: Instant,
        mut framed: Box<Framed>,
        cx: &mut Context<'_>,
    ) -> (Box<Framed>, Read) {
        let read = scratch::with_read_buffer(|buffer| {
            let mut arrived = match framed.poll_read(self.session.protocol(), cx, buffer) {
                Poll::Pending => return Read::Idle,
                Poll::Ready(Ok(arrived)) => arrived,
                Poll::Ready(Err(reason)) => return Read::End(reason),
            };
            loop {
                match arrived.next() {
                    None => return Read::More(arrived.count),
                    Some(Incoming::Packet(packet)) => self.on_packet(now, packet, cx),
                    Some(Incoming::Ping(payload)) => {
                        self.pay(now, payload.len());
                        self.on_ping(payload);
                        continue;
                    }
                    Some(Incoming::Pong) => continue,
                    Some(Incoming::Close(code)) => {
                        self.on_close_frame(now, code, cx);
                        return Read::Idle;
                    }
                    Some(Incoming::Undecodable(error)) => self.on_undecodable(now, error, cx),
                    Some(Incoming::Violation(violation)) => return Read::Violation(violation),
                }
                let is_ready = self.may_deliver(now, cx);
                if !is_ready || arrived.is_enough() {
                    let rest = arrived.rest().to_vec();
                    framed.stream.unread(rest);
                    return if is_ready { Read::More(scratch::READ) } else { Read::Idle };
                }
            }
        });
        (framed, read)
    }

    fn on_undecodable(&mut self, now: Instant, error: DecodeError, cx: &mut Context<'_>) {
        log!(debug: sid = self.socket.id(), %error, "undecodable packet");
        let (detail, violation) = match error {
            DecodeError::TooLarge => {
                (Some(CloseDetail::TooLarge), Violation::size(Limit::HttpBufferSize.option()))
            }
            _ => (None, Violation::policy("no Engine.IO packet")),
        };
        self.end_for(now, CloseReason::ParseError, detail, violation, cx);
    }

    // Part of the loops that read: so a packet need not be passed on as a whole.
    #[inline(always)]
    fn on_packet(&mut self, now: Instant, packet: Packet<'_>, cx: &mut Context<'_>) {
        self.pay(now, packet.data.len());
        match self.session.on_packet(now, packet.kind) {
            Step::Deliver => {
                self.delivered += 1;
                self.with_application(now, cx, |application, cx| {
                    application.on_message(packet.data, cx);
                });
            }
            Step::Nothing => {}
            Step::Answered => self.on_answered(now, cx),
            Step::SendPong => {
                let _ = self.socket.push(Outgoing::packet(PacketType::Pong, ""));
            }
            Step::Close(reason @ CloseReason::TransportError) => {
                let violation = Violation::policy("heartbeat in the wrong direction");
                self.end_for(now, reason, None, violation, cx);
            }
            Step::Close(reason) => self.end(now, reason, None, cx),
        }
    }

    /// The client answered a ping: those who waited for that have their receipt.
    fn on_answered(&mut self, now: Instant, cx: &mut Context<'_>) {
        self.with_application(now, cx, |application, _| application.on_pong());
        let Some(receipts) = &mut self.receipts else { return };
        let answered = receipts.on_answered();
        if answered.is_empty() {
            return;
        }
        self.engine.counters.receipt(receipts.round_trip(now));
        // Looked at now, not with the ping: what was sent before that may have been dropped after it.
        let received = Received { dropped: self.socket.shared().outbox.take_dropped() };
        for pending in answered {
            pending.resolve(received);
        }
    }

    // RFC 6455 5.5.2
    fn on_ping(&mut self, payload: &[u8]) {
        let mut pong = Vec::with_capacity(2 + payload.len());
        frame::write_frame(frame::Opcode::Pong, payload, &mut pong);
        let (is_one_too_many, action) =
            self.socket.shared().outbox.push_pong(Outgoing::control_frame(pong));
        if is_one_too_many {
            self.engine.counters.limited(Limit::PendingPongs);
        }
        self.socket.act_on(action);
    }

    // RFC 6455 5.5.1: the answer carries the code that was received
    fn on_close_frame(&mut self, now: Instant, code: Option<u16>, cx: &mut Context<'_>) {
        self.end_with(now, CloseReason::TransportClose, None, (code, ""), cx);
        if let Stage::Linger(linger) = &mut self.stage {
            linger.answered = true;
        }
    }

    fn on_violation(&mut self, now: Instant, violation: Violation, cx: &mut Context<'_>) {
        log!(debug: sid = self.socket.id(), %violation, "websocket protocol violated");
        // what does not inflate to a message has cost as much as the largest one, at most
        let inflates = matches!(&self.transport,
            Transport::Framed(framed) if framed.inflates());
        if inflates {
            self.pay(now, self.engine.options.max_http_buffer_size);
        }
        let options = &self.engine.options;
        let (detail, message) = match violation.code() {
            1009 => {
                let limit = options.max_http_buffer_size;
                let option = Limit::HttpBufferSize.option();
                let message = format!("{option}: message larger than {limit} bytes");
                (CloseDetail::TooLarge, message.into())
            }
            code @ 1008 => {
                self.engine.counters.limited(Limit::FramesPerMessage);
                let limit = options.max_frames_per_message;
                let option = Limit::FramesPerMessage.option();
                let message = format!("{option}: message of more than {limit} frames");
                (CloseDetail::WebSocket(code), message.into())
            }
            code => (CloseDetail::WebSocket(code), Cow::Borrowed(violation.message())),
        };
        let last_word = (Some(violation.code()), &*message);
        self.end_with(now, CloseReason::TransportError, Some(detail), last_word, cx);
    }

    // ---- upgrade ----------------------------------------------------------------------------

    /// Reads the probing connection, if there is one. True: there may be more.
    #[inline(never)]
    pub(super) fn read_probe(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let Some(mut probe) = self.probe.take() else { return false };
        match self.probe_packets(now, &mut probe, cx) {
            Probed::Waits(more) => {
                if !matches!(probe.stream.poll_queued(cx), Poll::Ready(Err(_))) {
                    self.probe = Some(probe);
                    return more;
                }
            }
            Probed::Switched => {
                let was_held = self.is_held();
                self.install(probe, cx);
                if was_held && self.stage == Stage::Open {
                    self.start(now, cx);
                }
                let kind = self.socket.transport();
                self.with_application(now, cx, |application, cx| application.on_upgrade(kind, cx));
                return false;
            }
            Probed::Ended => {}
        }
        self.probe = Some(probe);
        self.refuse_probe(cx);
        false
    }

    /// Closes the probing connection, if there is one; the session goes on by polling.
    pub(super) fn refuse_probe(&mut self, cx: &mut Context<'_>) {
        self.session.on_probe_end();
        if let Some(probe) = self.probe.take() {
            self.socket.shared().mailbox.probe_ended();
            probe.refuse(cx);
        }
    }

    fn probe_packets(&mut self, now: Instant, probe: &mut Framed, cx: &mut Context<'_>) -> Probed {
        let answer = probe.probe_answer();
        let mut out = std::mem::take(&mut probe.stream.out);
        let probed = scratch::with_read_buffer(|buffer| {
            let mut arrived = match probe.poll_read(self.session.protocol(), cx, buffer) {
                Poll::Pending => return Probed::Waits(false),
                Poll::Ready(Ok(arrived)) => arrived,
                Poll::Ready(Err(_)) => return Probed::Ended,
            };
            loop {
                let packet = match arrived.next() {
                    None => return Probed::Waits(true),
                    // no packet of a probe is binary
                    Some(Incoming::Packet(Packet { data: Message::Binary(_), .. })) => {
                        return Probed::Ended;
                    }
                    Some(Incoming::Packet(packet)) => packet,
                    // RFC 6455 5.5.3: a client that does not take its answers gets that to the last
                    Some(Incoming::Ping(payload)) => {
                        if out.len() < MAX_PROBE_ANSWERS {
                            frame::write_frame(frame::Opcode::Pong, payload, &mut out);
                        }
                        continue;
                    }
                    Some(Incoming::Pong) => continue,
                    Some(_) => return Probed::Ended,
                };
                self.pay(now, packet.data.len());
                match self.session.on_probe_packet(now, &packet) {
                    ProbeStep::Answer => {
                        out.extend_from_slice(answer);
                        self.release_poll();
                    }
                    ProbeStep::Switch => {
                        // What follows is read when the session has its new transport.
                        let rest = arrived.rest().to_vec();
                        probe.stream.unread(rest);
                        return Probed::Switched;
                    }
                    ProbeStep::Refuse => return Probed::Ended,
                }
            }
        });
        probe.stream.out = out;
        probed
    }

    /// A probe asks: a parked poll is answered, so that the client's polling comes to rest.
    pub(super) fn release_poll(&mut self) {
        if let Transport::Polling(polling) = &mut self.transport {
            polls::flush(&self.socket, polling);
            polls::answer_noop(&self.socket, polling);
        }
    }

    /// The client decided for the probe: polling ends, whatever waits goes the new way.
    fn install(&mut self, mut framed: Box<Framed>, cx: &mut Context<'_>) {
        if let Transport::Polling(polling) = &mut self.transport {
            polls::answer_noop(&self.socket, polling);
        }
        // A client that did not wait for `3probe`: it goes first. Errors show at the next write.
        let _ = framed.stream.poll_queued(cx);
        let outbox = &self.socket.shared().outbox;
        if !framed.stream.out.is_empty() {
            outbox.precede(std::mem::take(&mut framed.stream.out));
        }
        outbox.set_wire(framed.wire(&self.engine.options));
        if let Some(half) = framed.stream.take_write_half() {
            outbox.set_direct(half);
        }
        let kind = framed.kind();
        self.transport = Transport::Framed(framed);
        self.socket.set_transport(kind);
        if self.stage != Stage::Open {
            // Node: the session ends behind what waited, with a close frame
            outbox.close(framed::last_word(kind, (None, "")));
        }
        Counters::add(&self.socket.counters().upgraded);
        span::record("transport", kind.as_str());
        log!(debug: sid = self.socket.id(), "upgraded");
    }
}

/// Bytes of answers that may wait to be written to a connection that probes, more or less.
const MAX_PROBE_ANSWERS: usize = 1024;
