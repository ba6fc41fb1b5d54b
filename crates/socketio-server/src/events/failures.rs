//! What becomes of a handler's failure: who is told, and what of it.

use std::fmt;
use std::sync::{Arc, Mutex};

use engineio_proto::guard::{self, LogThrottle, lock};
use engineio_proto::log;
use socketio_parser::Value;

use crate::error::{BoxError, EmitError};
use crate::events::dedupe::DedupeError;
use crate::events::error::{ExtractError, InvalidEvent};
use crate::socket::Socket;

/// The failure of a handler or of middleware: it returned `Err`, or was not called because an
/// argument could not be made. What [`Server::on_handler_error`](crate::Server::on_handler_error)
/// and [`AckErrors::with`] get.
#[derive(Clone, Copy)]
pub struct HandlerError<'a> {
    socket: &'a Socket,
    event: &'a str,
    error: &'a BoxError,
}

impl<'a> HandlerError<'a> {
    pub(crate) const fn new(socket: &'a Socket, event: &'a str, error: &'a BoxError) -> Self {
        Self { socket, event, error }
    }

    /// The socket that the event was about.
    #[must_use]
    pub const fn socket(&self) -> &'a Socket {
        self.socket
    }

    /// The name of the event; of middleware of a namespace, `connect`. Listeners for any or for
    /// unknown events hear names that are the client's own words.
    #[must_use]
    pub const fn event(&self) -> &'a str {
        self.event
    }

    /// The error: what the handler returned, or an [`ExtractError`].
    #[must_use]
    pub fn error(&self) -> &'a (dyn std::error::Error + Send + Sync + 'static) {
        &**self.error
    }

    /// What the client did wrong; `None` if the failure is not the client's fault.
    #[must_use]
    pub fn as_invalid(&self) -> Option<&'a InvalidEvent> {
        let extract = self.error.downcast_ref::<ExtractError>();
        extract
            .and_then(ExtractError::as_invalid)
            .or_else(|| self.error.downcast_ref::<InvalidEvent>())
    }

    /// What the client is told by default, see [`AckErrors::told`].
    #[must_use]
    pub fn to_value(&self) -> Value {
        let error = match self.as_invalid() {
            Some(wrong) => [
                ("code", Value::from("invalid")),
                ("at", wrong.pointer().into()),
                ("message", wrong.message().into()),
            ],
            None => {
                let words = self.error.downcast_ref().copied().map(DedupeError::words);
                let (code, message) = words.unwrap_or(("failed", "the event could not be handled"));
                [("code", Value::from(code)), ("at", "".into()), ("message", message.into())]
            }
        };
        Value::from_iter(error)
    }
}

impl fmt::Debug for HandlerError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("event", &self.event)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// What a client is told that asked for an acknowledgement, if the handler fails; see
/// [`Builder::ack_errors`](crate::Builder::ack_errors).
///
/// It is told when all listeners of the event were called and none of them has answered, or when
/// an async handler fails later. A client that did not ask is told nothing. What breaks a contract of
/// `socketio-contract` is told as the contract says.
#[derive(Clone, Default)]
pub struct AckErrors(Choice);

#[derive(Clone, Default)]
enum Choice {
    #[default]
    Told,
    Silent,
    With(Arc<Tells>),
}

/// Says what a client is told.
type Tells = dyn Fn(&HandlerError<'_>) -> Option<Value> + Send + Sync;

impl AckErrors {
    /// The acknowledgement has one argument, `{error: {code, at, message}}` (the default):
    ///
    /// | `code` | when | `at` | `message` |
    /// |---|---|---|---|
    /// | `invalid` | what the client sent does not fit | where: a JSON pointer into the arguments, as `/0/name` | what is wanted there, as `expected a string, got an integer` |
    /// | `already_done`, `busy`, `unavailable` | the event is [handled once](crate::events::Dedupe), see [`DedupeError`] | empty | words of its own |
    /// | `failed` | all else: the handler returned `Err`, something was not there | empty | always the same words |
    ///
    /// It names types and fields, never a value, and nothing of the handler's own error.
    #[must_use]
    pub fn told() -> Self {
        Self(Choice::Told)
    }

    /// Nothing: the acknowledgement is never called, as of a handler that forgets it.
    #[must_use]
    pub fn silent() -> Self {
        Self(Choice::Silent)
    }

    /// What a function says, as the one argument; `None` is nothing. It is called in the client's
    /// task; if it panics, that is logged, and nothing is told.
    ///
    /// ```
    /// use socketio::events::HandlerError;
    /// use socketio::options::AckErrors;
    /// use socketio::{Server, Value};
    ///
    /// let tell = |failed: &HandlerError<'_>| {
    ///     Some(Value::from_iter([("ok", Value::from(false)), ("error", failed.to_value())]))
    /// };
    /// let io = Server::builder().ack_errors(AckErrors::with(tell)).build();
    /// # assert!(io.is_ok());
    /// ```
    #[must_use]
    pub fn with(f: impl Fn(&HandlerError<'_>) -> Option<Value> + Send + Sync + 'static) -> Self {
        Self(Choice::With(Arc::new(f)))
    }
}

impl fmt::Debug for AckErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Choice::Told => "Told",
            Choice::Silent => "Silent",
            Choice::With(_) => "With",
        })
    }
}

/// Is told of failures.
type Listener = Arc<dyn Fn(&HandlerError<'_>) + Send + Sync>;

/// Where the failures of a server's handlers go.
#[derive(Default)]
pub(crate) struct Failures {
    ack_errors: AckErrors,
    listeners: Mutex<Vec<Listener>>,
    /// Lines about failures that the program has to answer for.
    warned: LogThrottle,
    /// Lines about those that clients have to.
    informed: LogThrottle,
}

impl Failures {
    pub(crate) fn new(ack_errors: AckErrors) -> Self {
        Self { ack_errors, ..Self::default() }
    }

    pub(crate) fn listen(&self, listener: impl Fn(&HandlerError<'_>) + Send + Sync + 'static) {
        lock(&self.listeners).push(Arc::new(listener));
    }

    /// Logs a failure, and tells those who listen.
    pub(crate) fn on_failure(&self, failed: &HandlerError<'_>) {
        self.log(failed);
        let listeners = lock(&self.listeners).clone();
        for listener in listeners {
            if guard::call(|| listener(failed)).is_err() {
                log!(error: "a listener of `on_handler_error` panicked");
            }
        }
    }

    /// What a client is told in its acknowledgement.
    pub(crate) fn told(&self, failed: &HandlerError<'_>) -> Option<Value> {
        // a contract has told its client as its own rules say
        if failed.error.is::<InvalidEvent>() {
            return None;
        }
        match &self.ack_errors.0 {
            Choice::Silent => None,
            Choice::Told => Some(Value::from_iter([("error", failed.to_value())])),
            Choice::With(f) => guard::call(|| f(failed)).unwrap_or_else(|_| {
                log!(error: "the function of `ack_errors` panicked");
                None
            }),
        }
    }

    fn log(&self, failed: &HandlerError<'_>) {
        let namespace = failed.socket.namespace().name();
        let (id, event) = (failed.socket.id(), shortened(failed.event));
        // the client is gone, which is nobody's fault
        if let Some(EmitError::Closed) = failed.error.downcast_ref() {
            log!(debug: %id, namespace, event, "a handler failed: its client is gone");
            return;
        }
        let now = tokio::time::Instant::now().into_std();
        if let Some(wrong) = failed.as_invalid() {
            if let Some(suppressed) = self.informed.pass(now) {
                let (at, wanted) = (wrong.pointer(), wrong.message());
                log!(info: %id, namespace, event, at, wanted, suppressed, "an event does not fit its handler");
            }
        } else if let Some(suppressed) = self.warned.pass(now) {
            let error = failed.error();
            log!(warn: %id, namespace, event, %error, suppressed, "a handler failed");
        }
    }
}

/// At most 64 bytes of a name that may be the client's.
pub(crate) fn shortened(name: &str) -> &str {
    let end = (0..=64.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or(0)]
}
