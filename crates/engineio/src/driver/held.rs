//! An application that is held back, as its session may still move to the node where its upgrade
//! arrives.
//!
//! ```text
//!   open ──▶ held ── the time is over, or an upgrade here ──▶ the application is told
//!             │
//!           claim ──▶ held for a second at most ── take ──▶ the session is another node's
//!                            └─ give up, or the second is over ──▶ the application is told
//! ```
//!
//! What the client posts meanwhile is kept, one POST of it, and moves along. A client that has been
//! answered on its WebSocket may poll no more: if it is not taken in time, its session ends.

use std::task::Context;
use std::time::{Duration, Instant};

use engineio_proto::{CloseReason, Message, Packet, PacketType, ProbeStep, TransportKind};

use super::{Driver, Stage, Transport, polls};
use crate::session::mailbox::Move;
use crate::session::moved::Moved;
use crate::transport::polling::Held;

impl Driver {
    /// Holds a new session's application back, if that is asked for and of use.
    pub(super) fn hold(&mut self, now: Instant) -> bool {
        let Some(hold) = self.engine.nodes().and_then(|nodes| nodes.hold) else { return false };
        let Transport::Polling(polling) = &mut self.transport else { return false };
        let may_upgrade =
            self.engine.may_upgrade(self.session.protocol(), TransportKind::WebSocket);
        if polling.is_of_scripts() || !may_upgrade || self.engine.is_closing() {
            return false;
        }
        polling.held = Some(Held { until: now + hold, claimed: false, probed: false });
        true
    }

    /// Since when, if it is, the application is not to be held back any more.
    pub(super) fn held_until(&self) -> Option<Instant> {
        match &self.transport {
            Transport::Polling(polling) => polling.held.as_ref().map(|held| held.until),
            _ => None,
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held_until().is_some()
    }

    fn held(&mut self) -> Option<&mut Held> {
        match &mut self.transport {
            Transport::Polling(polling) if self.stage == Stage::Open => polling.held.as_mut(),
            _ => None,
        }
    }

    fn end_hold(&mut self) -> Option<Held> {
        match &mut self.transport {
            Transport::Polling(polling) => polling.held.take(),
            _ => None,
        }
    }

    /// It was held back for long enough.
    pub(super) fn on_hold_over(&mut self, now: Instant, cx: &mut Context<'_>) {
        let Some(held) = self.end_hold() else { return };
        if held.claimed {
            self.session.on_probe_end();
            self.socket.shared().mailbox.probe_ended();
        }
        if held.probed {
            self.end(now, CloseReason::TransportError, None, cx);
        } else {
            self.start(now, cx);
        }
    }

    /// Another node tells of an upgrade.
    pub(super) fn on_move(&mut self, now: Instant, step: Move) {
        let is_claimed = self.held().is_some_and(|held| held.claimed);
        match step {
            Move::Claim(answer) => {
                let may_move = self.held().is_some()
                    && self.session.on_probe_open(now, TransportKind::WebSocket);
                match self.held() {
                    Some(held) if may_move => {
                        held.claimed = true;
                        held.until = now + AT_MOST;
                    }
                    _ => self.socket.shared().mailbox.probe_ended(),
                }
                let _ = answer.send(may_move);
            }
            Move::Probed if is_claimed => {
                let probe = Packet { kind: PacketType::Ping, data: Message::Text("probe") };
                if self.session.on_probe_packet(now, &probe) == ProbeStep::Answer {
                    self.held().into_iter().for_each(|held| held.probed = true);
                    self.release_poll();
                }
            }
            Move::Take(answer) if is_claimed => {
                let decision = Packet { kind: PacketType::Upgrade, data: Message::Text("") };
                if self.session.on_probe_packet(now, &decision) == ProbeStep::Switch {
                    self.move_away(answer);
                }
            }
            Move::GiveUp if is_claimed => {
                if let Some(held) = self.held() {
                    (held.claimed, held.probed) = (false, false);
                }
                self.session.on_probe_end();
                self.socket.shared().mailbox.probe_ended();
            }
            // too late: who waits for an answer is told so by its end
            Move::Probed | Move::Take(_) | Move::GiveUp => {}
        }
    }

    /// The session goes on at another node; nothing of it was seen here.
    fn move_away(&mut self, answer: tokio::sync::oneshot::Sender<Moved>) {
        let mailbox = &self.socket.shared().mailbox;
        let posts = self.post.take().map_or_else(Vec::new, |post| post.into_rest(mailbox));
        if let Transport::Polling(polling) = &mut self.transport {
            polls::answer_noop(&self.socket, polling);
        }
        let (protocol, request) = (self.socket.protocol(), self.socket.request().clone());
        let _ = answer.send(Moved { protocol, request, posts });
        self.engine.forget(&self.socket);
        self.stage = Stage::Over;
    }
}

/// How much longer the application is held back for an upgrade that has come.
const AT_MOST: Duration = Duration::from_secs(1);
