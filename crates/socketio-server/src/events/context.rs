//! An event on its way to its handlers: what extractors read.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use socketio_parser::{RawArgs, Value};

use crate::error::{BoxError, EmitError};
use crate::events::handler::Pending;
use crate::events::ticket::Ticket;
use crate::reason::DisconnectReason;
use crate::socket::Socket;

/// An event that is being dispatched, as [extractors](crate::events::FromEvent) see it.
pub struct EventContext<'a> {
    socket: &'a Socket,
    name: &'a str,
    cause: Cause<'a>,
    ack_id: Option<u64>,
    /// What was given to handlers, if one asked for it.
    ack: Option<Ack>,
    /// The event was answered before any handler asked for an [`Ack`].
    answered: bool,
    /// Bytes that the latest handler got, besides the arguments.
    charged: usize,
    /// What the client is told if no handler answers: what the first that failed makes it.
    failure: Option<Box<Value>>,
    /// Of an event that is handled once.
    ticket: Option<&'a Arc<Ticket>>,
}

/// What the event is about.
pub(crate) enum Cause<'a> {
    /// The client sent it.
    Arguments(&'a RawArgs<'a>),
    /// The client wants to join, or has joined.
    Connection,
    Disconnect(DisconnectReason),
    Error(&'a Arc<BoxError>),
}

impl<'a> EventContext<'a> {
    pub(crate) fn new(socket: &'a Socket, name: &'a str, cause: Cause<'a>) -> Self {
        Self {
            socket,
            name,
            cause,
            ack_id: None,
            ack: None,
            answered: false,
            charged: 0,
            failure: None,
            ticket: None,
        }
    }

    /// That of a socket that is about to be, or was just connected.
    pub(crate) fn of_connection(socket: &'a Socket) -> Self {
        Self::new(socket, "connect", Cause::Connection)
    }

    pub(crate) fn with_ack(mut self, id: Option<u64>) -> Self {
        self.ack_id = id;
        self
    }

    /// What becomes of it is told to who holds a ticket.
    pub(crate) fn with_ticket(&mut self, ticket: Option<&'a Arc<Ticket>>) {
        self.ticket = ticket;
    }

    /// The socket that the event is about.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.socket
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }

    /// The arguments; none for the library's own events.
    #[must_use]
    pub fn args(&self) -> Option<&RawArgs<'a>> {
        match self.cause {
            Cause::Arguments(args) => Some(args),
            _ => None,
        }
    }

    /// Says that what an extractor makes takes so many bytes besides the arguments, which count in
    /// any case: if the handler has to wait, they count in
    /// [`Limits::max_pending_bytes`](crate::options::Limits::max_pending_bytes).
    pub fn charge(&mut self, bytes: usize) {
        self.charged = self.charged.saturating_add(bytes);
    }

    /// Another handler is called, which has got nothing yet.
    pub(crate) fn begin(&mut self) {
        self.charged = 0;
        if let Some(ticket) = &self.ticket {
            ticket.begin();
        }
    }

    /// It came to a good end.
    pub(crate) fn end(&self) {
        if let Some(ticket) = &self.ticket {
            ticket.end();
        }
    }

    /// It goes on: its end is told as well.
    pub(crate) fn follow(&self, future: Pending) -> Pending {
        let Some(ticket) = self.ticket.cloned() else { return future };
        Box::pin(async move {
            let result = future.await;
            if result.is_ok() {
                ticket.end();
            }
            result
        })
    }

    /// Bytes that the handler that was called may keep, an estimate.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.args().map_or(0, RawArgs::value_bytes).saturating_add(self.charged)
    }

    /// Whether the client asked for an answer.
    #[must_use]
    pub fn is_ack_wanted(&self) -> bool {
        self.ack_id.is_some()
    }

    /// The client's acknowledgement; all handlers of the event share it.
    #[must_use]
    pub fn ack(&mut self) -> Ack {
        if self.ack_id.is_none() && self.ticket.is_none() {
            return Ack(None);
        }
        let (socket, id, answered) = (self.socket, self.ack_id, self.answered);
        let ticket = self.ticket;
        let ack = self.ack.get_or_insert_with(|| {
            Ack(Some(Arc::new(AckState {
                socket: socket.clone(),
                id,
                sent: AtomicBool::new(answered),
                ticket: ticket.cloned(),
            })))
        });
        ack.clone()
    }

    /// The same for as long as the event lasts.
    pub(crate) fn about(&self) -> (&'a Socket, &'a str) {
        (self.socket, self.name)
    }

    /// Whether a socket is about to be, or was just connected.
    pub(crate) fn is_connection(&self) -> bool {
        matches!(self.cause, Cause::Connection)
    }

    /// A handler failed, of which the client is to be told this.
    pub(crate) fn fail(&mut self, told: Option<Value>) {
        if let Some(ticket) = &self.ticket {
            ticket.fail();
        }
        self.failure = self.failure.take().or_else(|| told.map(Box::new));
    }

    /// All handlers were called: tells the client of the failure, unless one has answered.
    pub(crate) fn finish(&mut self) {
        if let Some(told) = self.failure.take() {
            // fails if it was answered, or the client is gone
            let _ = self.answer((*told,));
        }
    }

    pub(crate) fn reason(&self) -> Option<DisconnectReason> {
        match self.cause {
            Cause::Disconnect(reason) => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn error(&self) -> Option<&Arc<BoxError>> {
        match &self.cause {
            Cause::Error(error) => Some(error),
            _ => None,
        }
    }
}

/// Where the result of a handler goes, see [`IntoReply`](crate::events::IntoReply): to the client's
/// acknowledgement, through the event while that is at hand, or through an [`Ack`].
pub trait Acknowledge: sealed::Acknowledge {
    /// Answers, like [`Ack::send`].
    ///
    /// # Errors
    /// Those of [`Ack::send`].
    fn answer<T: Serialize>(&mut self, args: T) -> Result<(), EmitError>;
}

mod sealed {
    #[expect(unnameable_types, reason = "so that nobody else implements it")]
    pub trait Acknowledge {}
    impl Acknowledge for super::EventContext<'_> {}
    impl Acknowledge for super::Ack {}
}

impl Acknowledge for EventContext<'_> {
    fn answer<T: Serialize>(&mut self, args: T) -> Result<(), EmitError> {
        if self.ticket.is_some() {
            return self.ack().send(args);
        }
        match (&self.ack, self.ack_id) {
            (Some(ack), _) => ack.send(args),
            (None, None) => Ok(()),
            (None, Some(_)) if mem::replace(&mut self.answered, true) => {
                Err(EmitError::AlreadyAcknowledged)
            }
            (None, Some(id)) => self.socket.send_ack(id, &args),
        }
    }
}

impl Acknowledge for Ack {
    fn answer<T: Serialize>(&mut self, args: T) -> Result<(), EmitError> {
        self.send(args)
    }
}

impl fmt::Debug for EventContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventContext").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The way to answer an event: the callback that the client gave with it.
///
/// The first answer counts. If the client gave no callback, answers go nowhere.
#[derive(Clone)]
pub struct Ack(Option<Arc<AckState>>);

struct AckState {
    socket: Socket,
    /// `None`: the client did not ask, but the answer is remembered.
    id: Option<u64>,
    sent: AtomicBool,
    ticket: Option<Arc<Ticket>>,
}

impl Ack {
    /// Whether the client asked for an answer.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.id.is_some())
    }

    /// Answers. A tuple is several arguments, `()` none, anything else one.
    ///
    /// # Errors
    /// [`EmitError::AlreadyAcknowledged`] if it was answered before, and those of
    /// [`Socket::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        let Some(state) = &self.0 else { return Ok(()) };
        if state.sent.swap(true, Ordering::Relaxed) {
            return Err(EmitError::AlreadyAcknowledged);
        }
        if let Some(ticket) = &state.ticket {
            ticket.answer(&args)?;
        }
        state.id.map_or(Ok(()), |id| state.socket.send_ack(id, &args))
    }

    /// The handler failed that was to answer.
    pub(crate) fn fail(&self) {
        if let Some(ticket) = self.0.as_ref().and_then(|state| state.ticket.as_ref()) {
            ticket.fail();
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").field("wanted", &self.is_wanted()).finish()
    }
}
