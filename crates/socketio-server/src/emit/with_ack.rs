//! Acknowledgements that the server asks for: the table of who waits, and the builder that sends.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::{Duration, Instant};

use engineio::Outgoing;
use serde::de::DeserializeOwned;
use socketio_parser::RawArgs;
use tokio::sync::oneshot;

use crate::error::{AckError, EmitError};
use crate::socket::Socket;

/// Who waits for an acknowledgement: called once, with the answer or with why there is none.
pub(crate) type Waiter = Box<dyn FnOnce(Result<&RawArgs<'_>, AckError>) + Send>;

/// The acknowledgements that a socket's client owes, by id.
#[derive(Default)]
pub(crate) struct Acks {
    waiting: BTreeMap<u64, Entry>,
    closed: bool,
}

struct Entry {
    waiter: Waiter,
    deadline: Option<Instant>,
}

/// What a table does not take (any more), for the caller to fail outside of its lock.
pub(crate) struct Rejected {
    pub(crate) waiter: Waiter,
    pub(crate) error: AckError,
}

impl Acks {
    /// Adds a waiter. Of more than `limit` the oldest is given up; all of a closed table are.
    pub(crate) fn add(
        &mut self,
        id: u64,
        deadline: Option<Instant>,
        limit: usize,
        waiter: Waiter,
    ) -> Option<Rejected> {
        if self.closed {
            return Some(Rejected { waiter, error: AckError::Disconnected });
        }
        self.waiting.insert(id, Entry { waiter, deadline });
        if self.waiting.len() <= limit {
            return None;
        }
        let (_, oldest) = self.waiting.pop_first()?;
        Some(Rejected { waiter: oldest.waiter, error: AckError::Timeout })
    }

    /// The client answered, or the event was not sent. None: nobody waits (any more).
    pub(crate) fn take(&mut self, id: u64) -> Option<Waiter> {
        self.waiting.remove(&id).map(|entry| entry.waiter)
    }

    /// Takes those whose time is over.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Waiter> {
        let is_due = |entry: &Entry| entry.deadline.is_some_and(|deadline| deadline <= now);
        let due: Vec<u64> =
            self.waiting.iter().filter(|(_, entry)| is_due(entry)).map(|(id, _)| *id).collect();
        due.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// The nearest deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().filter_map(|entry| entry.deadline).min()
    }

    /// Takes all, and no more after them.
    pub(crate) fn close(&mut self) -> Vec<Waiter> {
        self.closed = true;
        std::mem::take(&mut self.waiting).into_values().map(|entry| entry.waiter).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

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
