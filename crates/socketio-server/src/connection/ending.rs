//! How a socket ends: its handlers are told, its rooms left, and its session kept, if its client may
//! come back.

use std::task::Context;

use engineio::CloseReason;
use engineio_proto::guard;
use engineio_proto::log;

use super::Connection;
use super::unjoined::Unjoined;
use crate::events::context::{Cause, EventContext};
use crate::reason::DisconnectReason;
use crate::socket::{Leaving, Socket};

impl Connection {
    /// The order of the Node: `disconnecting` with the rooms, rooms left, `disconnect`.
    pub(super) fn end_socket(
        &mut self,
        socket: &Socket,
        reason: DisconnectReason,
        cx: &mut Context<'_>,
    ) {
        if !self.client.remove(socket) {
            return;
        }
        self.latest = None;
        self.core.counters.disconnected(reason);
        self.client.conn().close_gate(socket.gate(), None);
        let namespace = socket.namespace();
        let recovering = namespace.recovering().and_then(|_| socket.session());
        let is_saved = recovering.is_some() && reason.is_recoverable();
        if is_saved {
            socket.leave_by_steps(Leaving::Saving);
        }
        self.tell_tap(|tap, _| tap.disconnecting(socket, reason));
        self.tell(socket, "disconnecting", reason, cx);
        match is_saved {
            true => leave_session(socket),
            false => leave_rooms(socket),
        }
        namespace.remove(socket);
        socket.fail_acks();
        self.tell(socket, "disconnect", reason, cx);
        self.core.shared.observers.tell(|observer| observer.disconnected(socket, reason));
        socket.clear();
        if let Some(session) = recovering {
            session.end();
        }
        if reason == DisconnectReason::SERVER_NAMESPACE {
            let Unjoined { left, .. } = &mut **self.unjoined.get_or_insert_default();
            if left.len() >= self.core.limits().max_namespaces {
                left.remove(0);
            }
            left.push(namespace.name().into());
        }
    }

    /// The same when the server closes, but for what keeps the others from reaching it: that is done
    /// when all sockets' handlers were told.
    pub(super) fn part_with(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        if !self.client.remove(socket) {
            return;
        }
        let reason = DisconnectReason::engine(CloseReason::ServerShuttingDown, None);
        self.latest = None;
        self.core.counters.disconnected(reason);
        self.unjoined.get_or_insert_default().parted.push(socket.clone());
        socket.leave_by_steps(Leaving::Disconnecting);
        self.tell_tap(|tap, _| tap.disconnecting(socket, reason));
        self.tell(socket, "disconnecting", reason, cx);
        socket.leave_by_steps(Leaving::Left);
        socket.namespace().remove(socket);
        socket.fail_acks();
        self.tell(socket, "disconnect", reason, cx);
        self.core.shared.observers.tell(|observer| observer.disconnected(socket, reason));
    }

    /// The rest of it.
    pub(super) fn forget(&self, socket: &Socket) {
        self.client.conn().close_gate(socket.gate(), None);
        match socket.namespace().recovering().and_then(|_| socket.session()) {
            // another node may have its client next
            Some(_) => leave_session(socket),
            None => leave_rooms(socket),
        }
        socket.fail_acks();
        socket.clear();
    }

    fn tell(
        &mut self,
        socket: &Socket,
        event: &str,
        reason: DisconnectReason,
        cx: &mut Context<'_>,
    ) {
        let mut context = EventContext::new(socket, event, Cause::Disconnect(reason));
        self.call_all(socket.listeners(event), &mut context, cx);
    }

    /// Ends the sockets that the server disconnected, whose gates are closed.
    pub(super) fn end_gone(&mut self, cx: &mut Context<'_>) {
        for socket in self.client.gone() {
            self.end_socket(&socket, DisconnectReason::SERVER_NAMESPACE, cx);
            guard::let_go(socket);
        }
    }
}

/// Takes a socket out of its rooms. Whomever the adapter is of, the rest of the end does not depend
/// on it.
pub(super) fn leave_rooms(socket: &Socket) {
    if guard::call(|| socket.namespace().adapter().leave_all(socket.id())).is_err() {
        log!(error: id = %socket.id(), "the adapter panicked as a socket left");
    }
}

/// The same, with a session to which its client may come back.
fn leave_session(socket: &Socket) {
    socket.leave_by_steps(Leaving::Left);
    let left = guard::call(|| match socket.namespace().recovery() {
        Some(recovery) => recovery.save(socket.id(), socket.session_data()),
        None => socket.namespace().adapter().leave_all(socket.id()),
    });
    if left.is_err() {
        log!(error: id = %socket.id(), "the adapter panicked as a socket left");
    }
}
