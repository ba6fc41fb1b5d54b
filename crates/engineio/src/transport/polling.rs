//! The polling transport: the poll that waits for packets.
//!
//! Requests reach the driver through its mailbox; the answer goes back to the request's own future
//! in [`crate::http::polling`], and [`crate::http::answers`] adds the HTTP part.

use std::collections::VecDeque;
use std::task::Context;

use engineio_proto::{Outgoing, PacketType, Protocol, payload};

use crate::limits::Limit;
use crate::session::mailbox::{Poll, PollAnswer};
use crate::session::socket::Socket;

/// The parked poll, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    parked: Option<Poll>,
    /// The handshake asked for text only.
    base64: bool,
    /// An answer met no request any more: what was in it is lost.
    lost: bool,
}

impl Polling {
    pub(crate) fn new(base64: bool) -> Self {
        Self { parked: None, base64, lost: false }
    }

    /// Parks a poll. The mailbox admits one at a time.
    pub(crate) fn park(&mut self, poll: Poll) {
        self.parked = Some(poll);
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
    pub(crate) fn flush(&mut self, socket: &Socket) {
        if self.is_parked() && !socket.shared().outbox.park() {
            let packets = take(socket, 0);
            self.answer(socket, packets, None);
        }
    }

    /// Answers the parked poll with what waits and one packet more. False: none is parked.
    pub(crate) fn answer_with(&mut self, socket: &Socket, last: PacketType) -> bool {
        if !self.is_parked() {
            return false;
        }
        let packets = take(socket, 1);
        self.answer(socket, packets, Some(last));
        true
    }

    /// Answers the parked poll, with a noop if nothing waits.
    pub(crate) fn release(&mut self, socket: &Socket) {
        self.flush(socket);
        self.answer_noop(socket);
    }

    /// Answers the parked poll with a noop; what waits goes on waiting.
    pub(crate) fn answer_noop(&mut self, socket: &Socket) {
        self.answer(socket, VecDeque::new(), Some(PacketType::Noop));
    }

    fn answer(&mut self, socket: &Socket, packets: VecDeque<Outgoing>, last: Option<PacketType>) {
        let Some(poll) = self.parked.take() else { return };
        socket.shared().outbox.unpark();
        let mut packets = Vec::from(packets);
        socket.counters().sent(packets.len());
        let compress = packets.iter().any(Outgoing::wants_compression);
        packets.extend(last.map(|kind| Outgoing::packet(kind, "")));
        let mut payload = Vec::new();
        // Engine.IO v3: JSONP and `b64`, of the handshake or of this very poll, get text only
        let base64 = (self.base64 || poll.base64) && socket.protocol() == Protocol::V3;
        let content_type = payload::encode(socket.protocol(), base64, &packets, &mut payload);
        // before the answer: the client's next poll may come at once
        socket.shared().mailbox.poll_answered();
        self.lost |= poll.reply.send(PollAnswer { payload, content_type, compress }).is_err();
    }
}

/// Takes what one answer may have, with `beside` packets more.
fn take(socket: &Socket, beside: usize) -> VecDeque<Outgoing> {
    let (packets, is_left) = socket.shared().outbox.take(beside);
    if is_left {
        socket.counters().limited(Limit::PacketsPerPoll);
    }
    packets
}
