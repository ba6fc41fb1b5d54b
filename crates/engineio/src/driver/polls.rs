//! Answers to polls: what the transport makes of the queue is counted, and the next poll admitted.

use engineio_proto::PacketType;

use crate::limits::Limit;
use crate::session::socket::Socket;
use crate::transport::polling::{Answer, Polling};

/// Answers the parked poll with what waits, if both are there.
pub(super) fn flush(socket: &Socket, polling: &mut Polling) {
    let answer = polling.flush(&socket.shared().outbox);
    send(socket, polling, answer);
}

/// Answers the parked poll with what waits and one packet more. False: none is parked.
pub(super) fn answer_with(socket: &Socket, polling: &mut Polling, last: PacketType) -> bool {
    let answer = polling.answer_with(&socket.shared().outbox, last);
    let is_parked = answer.is_some();
    send(socket, polling, answer);
    is_parked
}

/// Answers the parked poll with a noop; what waits goes on waiting.
pub(super) fn answer_noop(socket: &Socket, polling: &mut Polling) {
    let answer = polling.answer_noop(&socket.shared().outbox);
    send(socket, polling, answer);
}

fn send(socket: &Socket, polling: &mut Polling, answer: Option<Answer>) {
    let Some(answer) = answer else { return };
    if answer.is_full {
        socket.counters().limited(Limit::PacketsPerPoll);
    }
    socket.counters().sent(answer.packets);
    // before the answer: the client's next poll may come at once
    socket.shared().mailbox.poll_answered();
    polling.send(answer);
}
