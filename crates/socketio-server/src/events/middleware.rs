//! Middleware: of a namespace, before a socket is connected, and of a socket, before an event
//! reaches its handlers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use socketio_parser::{ArgsError, Value};

use crate::error::ConnectError;
use crate::events::extract::Args;
use crate::socket::Socket;

pub(crate) type MiddlewareFuture<T> = Pin<Box<dyn Future<Output = Result<T, ConnectError>> + Send>>;

/// A middleware of a namespace without its type.
pub(crate) type ConnectMiddleware = Arc<dyn Fn(Socket) -> MiddlewareFuture<()> + Send + Sync>;

/// A middleware of a socket without its type.
pub(crate) type EventMiddleware =
    Arc<dyn Fn(IncomingEvent) -> MiddlewareFuture<IncomingEvent> + Send + Sync>;

/// A list of middleware that is copied by pointer when a run starts, so that changes meanwhile
/// concern the next run.
pub(crate) type Chain<T> = Arc<[T]>;

/// An incoming event, as a socket's middleware sees it: its name and the arguments, without the
/// client's callback. Both may be changed.
///
/// The arguments are kept as they came until somebody asks for values.
// Node 2.0: socket.use
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IncomingEvent {
    /// The name.
    pub name: String,
    pub(crate) args: socketio_parser::RawArgs<'static>,
}

impl IncomingEvent {
    /// The arguments as values.
    #[must_use]
    pub fn args(&self) -> Args {
        Args(self.args.to_values())
    }

    /// The arguments as a type, like [`Data`](crate::Data) reads them.
    ///
    /// # Errors
    /// Which argument does not fit, and why.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        self.args.deserialize()
    }

    /// The arguments as values that may be changed: what comes after it sees them so.
    pub fn args_mut(&mut self) -> &mut Vec<Value> {
        self.args.values_mut()
    }

    /// Bytes that wait with it.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.name.len() + self.args.kept_bytes()
    }
}

pub(crate) fn connect_middleware<F, Fut, E>(f: F) -> ConnectMiddleware
where
    F: FnOnce(Socket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<ConnectError>,
{
    Arc::new(move |socket| {
        let future = f.clone()(socket);
        Box::pin(async move { future.await.map_err(Into::into) })
    })
}

pub(crate) fn event_middleware<F, Fut, E>(f: F) -> EventMiddleware
where
    F: FnOnce(IncomingEvent) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<IncomingEvent, E>> + Send + 'static,
    E: Into<ConnectError>,
{
    Arc::new(move |event| {
        let future = f.clone()(event);
        Box::pin(async move { future.await.map_err(Into::into) })
    })
}

/// Runs a namespace's middleware one after the other, until one refuses.
pub(crate) async fn run_connect(
    chain: Chain<ConnectMiddleware>,
    socket: Socket,
) -> Result<(), ConnectError> {
    for middleware in &*chain {
        middleware(socket.clone()).await?;
    }
    Ok(())
}

/// Runs a socket's middleware one after the other, until one refuses.
pub(crate) async fn run_event(
    chain: Chain<EventMiddleware>,
    mut event: IncomingEvent,
) -> Result<IncomingEvent, ConnectError> {
    for middleware in &*chain {
        event = middleware(event).await?;
    }
    Ok(event)
}

/// Appends to a shared list. What is let go of under the caller's lock is the list alone: what was in
/// it is in the new one.
pub(crate) fn append<T: Clone>(chain: &mut Option<Chain<T>>, item: T) {
    let before = chain.iter().flat_map(|chain| chain.iter().cloned());
    *chain = Some(before.chain([item]).collect());
}
