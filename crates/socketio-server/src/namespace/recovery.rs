//! How sockets get into a namespace, and back into it.

use std::borrow::Cow;

use engineio::{HEADROOM, Outgoing};
use engineio_proto::{Part, guard};
use serde::Serialize;
use socketio_adapter::{
    BroadcastOptions, EnterError, OFFSET_LEN, Place, Recovery, Room, Session, SharedLog, SocketId,
    Target, Track,
};
use socketio_parser::{EventData, quote};

use super::Namespace;
use crate::error::EmitError;
use crate::limits::Limit;
use crate::recovery::Recovering;
use crate::socket::{Socket, outgoing, values_of};

impl Namespace {
    /// Lets a socket in: into the table of the namespace's sockets, then, in one step, into its rooms,
    /// and it gets the `answer` to its client. What an error leaves behind is nothing.
    pub(crate) fn enter(
        &self,
        socket: &Socket,
        rooms: &[Room],
        answer: &Outgoing,
    ) -> Result<(), EnterError> {
        if !self.add(socket) {
            return Err(EnterError::DuplicateId);
        }
        let session = self.recovering().and_then(|_| socket.session());
        let enter = |rooms: &[Room]| {
            guard::assert_no_lock();
            // what the answer calls for is done when the adapter has let go of its lock
            engineio::fan_out(|| match (&session, self.recovery()) {
                (Some(session), Some(recovery)) => {
                    let prepared = session.prepared();
                    let is = Session {
                        claim: &session.claim,
                        resumed: session.resumed,
                        prepared: prepared.as_ref(),
                    };
                    recovery.enter_session(socket.id(), socket.member(), rooms, answer, is)
                }
                _ => {
                    let adapter = &self.0.adapter;
                    adapter.enter(socket.id(), socket.member(), rooms, answer).map(|_| 0)
                }
            })
        };
        let entered = enter(rooms).or_else(|error| match error {
            // each room was within the limit of the server; the adapter has one of its own
            EnterError::Join(_) => {
                self.limited(Limit::Rooms);
                enter(&[])
            }
            error => Err(error),
        });
        match &entered {
            Err(_) => self.remove(socket),
            Ok(missed) => {
                if let Some(session) = session {
                    session.entered(*missed);
                }
            }
        }
        entered.map(drop)
    }

    /// What brings clients back, if the server has it.
    pub(crate) fn recovering(&self) -> Option<&Recovering> {
        self.0.shared.recovery.as_deref()
    }

    /// The adapter's part of it.
    pub(crate) fn recovery(&self) -> Option<&dyn Recovery> {
        self.recovering().and_then(|_| self.0.adapter.recovery())
    }

    /// The socket of an id, on this node.
    pub(crate) fn socket_of(&self, id: &SocketId) -> Option<Socket> {
        self.0.socket(id)
    }

    /// An event with room for an offset, and where that is.
    pub(crate) fn encode_tracked<T: Serialize + ?Sized>(
        &self,
        event: &str,
        args: &T,
    ) -> Result<(Outgoing, Place), EmitError> {
        Self::allow_event(event)?;
        // arguments are written by code of the user
        guard::assert_no_lock();
        let encoder = &self.0.shared.encoder;
        let (encoded, list) =
            encoder.event_with_offset(HEADROOM, &self.0.name, event, args, OFFSET)?;
        let place = list.map_or(Place::Json, |list| Place::Msgpack { list });
        Ok((outgoing(encoded).droppable(true), place))
    }

    /// The text that a client takes for its offset, at the end of an event that is not kept.
    pub(crate) fn passing_text<'a, T: Serialize>(
        &self,
        packet: &'a Outgoing,
        event: &str,
        args: &T,
    ) -> Option<Cow<'a, [u8]>> {
        match packet.parts().next()? {
            Part::Text(text) => socketio_parser::trailing_text(text).map(Cow::Borrowed),
            // the name is in front of the arguments
            Part::Binary(_) => match values_of(args).ok()?.last() {
                None => Some(quote(event).into()),
                Some(last) => last.as_str().map(|text| quote(text).into()),
            },
        }
    }

    /// Has all nodes send an event that the log of the cluster keeps. `form` makes of its packet what the
    /// emission wants.
    pub(crate) fn emit_logged<T: Serialize + ?Sized>(
        &self,
        log: &dyn SharedLog,
        event: &str,
        args: &T,
        options: &BroadcastOptions,
        form: impl FnOnce(Outgoing) -> Outgoing,
    ) -> Result<(), EmitError> {
        let packet = form(self.encode_event(None, event, args)?);
        let data = EventData::new(log.form(), event, args)?;
        guard::assert_no_lock();
        log.append(&data, packet, options);
        if let Some(flush) = &self.0.flush {
            flush.writing();
        }
        Ok(())
    }

    /// Sends an event to many, and keeps it for those that miss it.
    pub(crate) fn emit_tracked(
        &self,
        recovery: &dyn Recovery,
        packet: Outgoing,
        target: Target<'_>,
        track: Track<'_>,
    ) {
        guard::assert_no_lock();
        // counted where it is queued or dropped
        let _ = engineio::fan_out(|| recovery.emit(packet, target, track));
    }
}

/// What stands where the adapter writes the offset.
const OFFSET: &str = "------------";
const _: () = assert!(OFFSET.len() == OFFSET_LEN, "the adapter fills all of it in");
