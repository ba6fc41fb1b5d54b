//! The polling transport: the poll that waits for packets, and what answers it.
//!
//! It knows the queue and nothing else of a session: an answer is given to the driver, who counts what
//! is in it and admits the next poll before it sends it, see [`crate::driver`].

use std::collections::VecDeque;
use std::task::Context;
use std::time::Instant;

use engineio_proto::payload::{self, ContentType};
use engineio_proto::{Outgoing, PacketType, Protocol};
use tokio::sync::oneshot;

use crate::outbound::outbox::Outbox;

/// A parked poll: the way to its answer.
#[derive(Debug)]
pub(crate) struct Poll {
    /// Its answer may have text only.
    pub(crate) base64: bool,
    pub(crate) reply: oneshot::Sender<PollAnswer>,
}

/// The packets that answer a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever carries it takes it apart and makes it again"
)]
pub struct PollAnswer {
    /// The body of the answer.
    pub payload: Vec<u8>,
    /// What it is.
    pub content_type: ContentType,
    /// Whether a packet in it asks for compression.
    pub compress: bool,
}

/// The parked poll, if there is one.
#[derive(Debug)]
pub(crate) struct Polling {
    protocol: Protocol,
    parked: Option<Poll>,
    /// The handshake asked for text only.
    base64: bool,
    /// The first answer has the first packet alone, the one that opens the session.
    // Node: so it is for all; for JSONP, which little else is tried with, here as well
    opens_alone: bool,
    /// An answer met no request any more: what was in it is lost.
    lost: bool,
    /// The application is held back.
    pub(crate) held: Option<Held>,
}

/// An application that does not know of its session yet, for that may move to the node where an upgrade
/// arrives.
#[derive(Debug)]
pub(crate) struct Held {
    /// Until then.
    pub(crate) until: Instant,
    /// Another node has a WebSocket of the client.
    pub(crate) claimed: bool,
    /// And the client was answered on it.
    pub(crate) probed: bool,
}

/// The answer to the poll that was parked, not sent yet.
#[derive(Debug)]
#[must_use]
pub(crate) struct Answer {
    reply: oneshot::Sender<PollAnswer>,
    answer: PollAnswer,
    /// Packets in it that had waited.
    pub(crate) packets: usize,
    /// Something waits that one answer may not have beside them.
    pub(crate) is_full: bool,
}

impl Polling {
    pub(crate) fn new(protocol: Protocol, base64: bool, opens_alone: bool) -> Self {
        Self { protocol, parked: None, base64, opens_alone, lost: false, held: None }
    }

    /// Parks a poll. The mailbox admits one at a time.
    pub(crate) fn park(&mut self, poll: Poll) {
        self.parked = Some(poll);
    }

    /// Whether it is that of JSONP.
    pub(crate) fn is_of_scripts(&self) -> bool {
        self.opens_alone
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// Whether the client of the parked poll, or of the last one, is gone.
    pub(crate) fn is_abandoned(&mut self, cx: &mut Context<'_>) -> bool {
        self.lost || self.parked.as_mut().is_some_and(|poll| poll.reply.poll_closed(cx).is_ready())
    }

    /// Whether an answer met no request any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Answers the parked poll with what waits, if both are there.
    pub(crate) fn flush(&mut self, outbox: &Outbox) -> Option<Answer> {
        if self.is_parked() && !outbox.park() {
            let (packets, is_full) = match std::mem::take(&mut self.opens_alone) {
                false => outbox.take(0),
                true => (outbox.take_at_most(1).0, false),
            };
            return self.answer(outbox, packets, is_full, None);
        }
        None
    }

    /// Answers the parked poll, if there is one, with what waits and one packet more.
    pub(crate) fn answer_with(&mut self, outbox: &Outbox, last: PacketType) -> Option<Answer> {
        if !self.is_parked() {
            return None;
        }
        let (packets, is_full) = outbox.take(1);
        self.answer(outbox, packets, is_full, Some(last))
    }

    /// Answers the parked poll with a noop; what waits goes on waiting.
    pub(crate) fn answer_noop(&mut self, outbox: &Outbox) -> Option<Answer> {
        self.answer(outbox, VecDeque::new(), false, Some(PacketType::Noop))
    }

    fn answer(
        &mut self,
        outbox: &Outbox,
        packets: VecDeque<Outgoing>,
        is_full: bool,
        last: Option<PacketType>,
    ) -> Option<Answer> {
        let Poll { base64, reply } = self.parked.take()?;
        outbox.unpark();
        let mut packets = Vec::from(packets);
        let count = packets.len();
        let compress = packets.iter().any(Outgoing::wants_compression);
        packets.extend(last.map(|kind| Outgoing::packet(kind, "")));
        let mut payload = Vec::new();
        // Engine.IO v3: JSONP and `b64`, of the handshake or of this very poll, get text only
        let base64 = (self.base64 || base64) && self.protocol == Protocol::V3;
        let content_type = payload::encode(self.protocol, base64, &packets, &mut payload);
        let answer = PollAnswer { payload, content_type, compress };
        Some(Answer { reply, answer, packets: count, is_full })
    }

    /// Sends an answer. The client's next poll may come at once.
    pub(crate) fn send(&mut self, answer: Answer) {
        let Answer { reply, answer, .. } = answer;
        self.lost |= reply.send(answer).is_err();
    }
}
