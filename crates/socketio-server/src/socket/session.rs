//! The session that a socket's client may come back to, and what is emitted with it in mind.

use std::sync::Arc;

use engineio::Outgoing;
use engineio_proto::guard::{self, lock};
use serde::Serialize;
use socketio_adapter::{BroadcastOptions, Delivered, NotRecovered, Target, Track};
use socketio_parser::Value;

use super::Socket;
use crate::error::EmitError;
use crate::recovery::{Recovery, SocketSession};

impl Socket {
    /// Whether the socket goes on with a session that its client had before: with its id, its rooms,
    /// and its [data](Socket::data). It is known when the `connection` handlers run, and in middleware
    /// that is not [skipped](crate::options::ConnectionStateRecovery::skip_middlewares).
    // Node: socket.recovered
    #[must_use]
    pub fn recovered(&self) -> bool {
        matches!(self.recovery(), Recovery::Recovered { .. })
    }

    /// The same, and how many events were sent again, or why none.
    ///
    /// ```
    /// # use socketio::events::Recovery;
    /// # use socketio::{Server, Socket};
    /// # fn example(io: Server) {
    /// io.on_connection(|socket: Socket| match socket.recovery() {
    ///     Recovery::Recovered { missed } => println!("{} is back, {missed} missed", socket.id()),
    ///     Recovery::NotRecovered(why) => println!("{} is new: {why}", socket.id()),
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self.session() {
            Some(session) => session.outcome(),
            None => Recovery::NotRecovered(NotRecovered::Unsupported),
        }
    }

    /// The session, if the client can come back.
    pub(crate) fn session(&self) -> Option<Arc<SocketSession>> {
        lock(self.extras()?).session.clone()
    }

    pub(crate) fn set_session(&self, session: SocketSession, data: Option<Arc<Value>>) {
        let data = data.map(|data| Box::new(Arc::unwrap_or_clone(data)));
        let mut extras = lock(self.extras_or_new());
        extras.session = Some(Arc::new(session));
        extras.data = data;
    }

    /// What is kept with the session of a client that may come back.
    pub(crate) fn session_data(&self) -> Option<Arc<Value>> {
        let data = lock(self.extras()?).data.clone()?;
        Some(Arc::new(*data))
    }

    /// A ping is about to be sent: its pong will say that all before it was taken.
    pub(crate) fn on_ping(&self, unanswered: u16) {
        let Some(session) = self.session().filter(|session| !session.is_marked()) else { return };
        if let Some(recovery) = self.namespace().recovery() {
            guard::assert_no_lock();
            session.mark(unanswered, recovery.mark());
        }
    }

    /// The client answered a ping: what it has taken is not kept for it any more.
    pub(crate) fn on_pong(&self) {
        let Some(mark) = self.session().and_then(|session| session.answered()) else { return };
        if let Some(recovery) = self.namespace().recovery() {
            guard::assert_no_lock();
            recovery.taken(self.id(), mark);
        }
    }

    /// Where other nodes find the session they find what is kept with it.
    pub(crate) fn session_data_changed(&self) {
        let Some(recovery) = self.namespace().recovery() else { return };
        if self.session().is_some() {
            guard::assert_no_lock();
            recovery.data_changed(self.id(), self.session_data());
        }
    }

    /// [`Socket::emit`] on a server with recovery: through the adapter, which keeps the event.
    #[cold]
    pub(crate) fn emit_recoverable<T: Serialize>(
        &self,
        event: &str,
        args: &T,
        volatile: bool,
        form: impl FnOnce(Outgoing) -> Outgoing,
    ) -> Result<(), EmitError> {
        let namespace = self.namespace();
        let Some(recovery) = namespace.recovery() else {
            return self.push(form(self.encode(None, event, args)?).volatile(volatile));
        };
        if let Some(log) = recovery.log().filter(|_| !volatile) {
            if !self.gate().is_open() {
                return Err(EmitError::Closed);
            }
            if self.is_watched() {
                self.show(event, args)?;
            }
            let rooms = vec![self.id().into()];
            let options = BroadcastOptions { rooms, ..BroadcastOptions::default() };
            return namespace.emit_logged(log, event, args, &options, form);
        }
        let (packet, place) = match volatile {
            true => (namespace.encode_event(None, event, args)?, None),
            false => {
                let (packet, place) = namespace.encode_tracked(event, args)?;
                (packet, Some(place))
            }
        };
        if self.is_watched() {
            self.show(event, args)?;
        }
        let packet = if volatile { form(packet).volatile(true) } else { form(packet) };
        // one of the same id may be there already
        if !self.gate().is_open() {
            return Err(EmitError::Closed);
        }
        guard::assert_no_lock();
        let emit = |packet, track| {
            engineio::fan_out(|| {
                recovery.emit(packet, Target::Socket(self.id(), &self.0.place), track)
            })
        };
        let delivered = if let Some(place) = place {
            emit(packet, Track::Kept(place))
        } else {
            let passing = packet.clone();
            match namespace.passing_text(&passing, event, args) {
                Some(text) => emit(packet, Track::Passing(&text)),
                None => return self.push(packet),
            }
        };
        match delivered {
            Delivered { queued: 0, dropped: 0 } => Err(EmitError::Closed),
            Delivered { queued: 0, .. } if !volatile => Err(EmitError::Full),
            _ => Ok(()),
        }
    }
}
