//! What becomes of handlers and middleware that fail: the log, who listens, what the client is told.

use std::borrow::Cow;
use std::task::Context;

use engineio_proto::guard;
use socketio_parser::Value;

use super::Connection;
use super::core::Core;
use crate::error::{BoxError, ConnectError};
use crate::events::error::ExtractError;
use crate::events::failures::HandlerError;
use crate::socket::Socket;

impl Connection {
    /// A handler failed: what the client is told of it, if it asked for an acknowledgement.
    pub(super) fn on_failure(
        &mut self,
        socket: &Socket,
        event: &str,
        error: BoxError,
        is_ack_wanted: bool,
        cx: &mut Context<'_>,
    ) -> Option<Value> {
        let failed = HandlerError::new(socket, event, &error);
        self.core.failures.on_failure(&failed);
        let told = if is_ack_wanted { self.core.failures.told(&failed) } else { None };
        self.raise_error(socket, error, cx);
        told
    }

    /// Whether the handlers of a socket that is about to be connected can be called.
    ///
    /// # Errors
    /// What its client is told; `None` if code of the user panicked.
    pub(super) fn admit(&self, socket: &Socket) -> Result<(), Option<ConnectError>> {
        for event in ["connect", "connection"] {
            for handler in socket.namespace().listeners(event).iter() {
                match guard::call(|| handler.admit(socket)) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let error = error.into();
                        let refusal = self.core.refusal(socket, event, &error);
                        return Err(Some(refusal.into_owned()));
                    }
                    Err(_) => return Err(None),
                }
            }
        }
        Ok(())
    }
}

impl Core {
    /// What a client is told of an error of middleware; what it is not told is logged.
    pub(super) fn refusal<'a>(
        &self,
        socket: &Socket,
        event: &str,
        error: &'a BoxError,
    ) -> Cow<'a, ConnectError> {
        if let Some(refusal) = error.downcast_ref() {
            return Cow::Borrowed(refusal);
        }
        let failed = HandlerError::new(socket, event, error);
        self.failures.on_failure(&failed);
        let told = error.downcast_ref::<ExtractError>().and_then(ExtractError::told);
        Cow::Owned(match told {
            Some(message) => ConnectError::new(message).with_value(failed.to_value()),
            None => ConnectError::new("refused"),
        })
    }
}
