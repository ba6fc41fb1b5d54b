//! Events that ask for an acknowledgement, and what is read of the answer.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use engineio::Outgoing;
use serde::de::DeserializeOwned;
use socketio_parser::RawArgs;
use tokio::sync::oneshot;

use crate::error::{AckError, EmitError};
use crate::socket::Socket;
use crate::socket::acks::Waiter;

/// An event that asks for an acknowledgement, see [`Socket::emit_with_ack`].
///
/// It is sent when it is awaited or given a [callback](Self::callback); dropped before that, it is
/// not sent. Dropping the future later forgets the answer.
#[must_use = "the event is sent when this is awaited, or given a callback"]
pub struct EmitWithAck<T> {
    socket: Socket,
    packet: Result<(u64, Outgoing), EmitError>,
    timeout: Option<Duration>,
    answer: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Send + 'static> EmitWithAck<T> {
    pub(crate) fn new(socket: Socket, packet: Result<(u64, Outgoing), EmitError>) -> Self {
        Self { socket, packet, timeout: None, answer: PhantomData }
    }

    /// How long to wait for the answer; without it, until the socket is disconnected.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the event and calls `f` once, with the answer or with why there is none.
    pub fn callback(self, f: impl FnOnce(Result<T, AckError>) + Send + 'static) {
        let Self { socket, packet, timeout, .. } = self;
        match packet {
            Err(error) => f(Err(AckError::Emit(error))),
            Ok((id, packet)) => {
                let waiter: Waiter = Box::new(move |answer| f(answer.and_then(read)));
                socket.send_expecting_ack(id, packet, timeout, waiter);
            }
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for EmitWithAck<T> {
    type Output = Result<T, AckError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T, AckError>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let (sender, receiver) = oneshot::channel();
        self.callback(move |answer| drop(sender.send(answer)));
        Box::pin(async move { receiver.await.unwrap_or(Err(AckError::Disconnected)) })
    }
}

impl<T> fmt::Debug for EmitWithAck<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitWithAck").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Reads an answer as the type that was asked for.
pub(crate) fn read<T: DeserializeOwned>(args: &RawArgs<'_>) -> Result<T, AckError> {
    args.deserialize().map_err(AckError::Decode)
}
