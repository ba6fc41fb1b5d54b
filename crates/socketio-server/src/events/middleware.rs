//! Middleware: of a namespace, before a socket is connected, and of a socket, before an event
//! reaches its handlers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use socketio_parser::{ArgsError, Value};

use crate::error::BoxError;
use crate::events::context::{Cause, EventContext};
use crate::events::extract::{Args, FromEvent};
use crate::events::given::Given;
use crate::socket::Socket;

pub(crate) type MiddlewareFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// A middleware of a namespace without its type.
pub(crate) type AnyMiddleware = Arc<dyn Fn(Socket) -> MiddlewareFuture<()> + Send + Sync>;

/// A middleware of a socket without its type.
pub(crate) type AnyEventMiddleware =
    Arc<dyn Fn(&Socket, IncomingEvent) -> MiddlewareFuture<IncomingEvent> + Send + Sync>;

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

/// A middleware of a namespace: an async function or closure of up to twelve
/// [extractors](FromEvent), of which [`Socket`] is one, that gives `Result<(), E>` with any error.
///
/// A [`ConnectError`](crate::ConnectError) is told to the client word by word. So is where something
/// that the client sent does not fit, such as the [`Auth`](crate::Auth) of an argument. Of all other
/// errors the client is told that it is refused; what they say is for the log, and for
/// [`Server::on_handler_error`](crate::Server::on_handler_error).
///
/// ```
/// # use socketio::{Auth, BoxError, ConnectError, Server, Socket, State};
/// # #[derive(Clone)]
/// # struct Users;
/// # impl Users { async fn find(&self, _: &str) -> Result<Option<u32>, std::io::Error> { Ok(None) } }
/// #[derive(serde::Deserialize)]
/// struct Login {
///     token: String,
/// }
///
/// # fn example(io: Server) {
/// io.use_fn(
///     async |socket: Socket, Auth(login): Auth<Login>, State(users): State<Users>| -> Result<(), BoxError> {
///         let user = users.find(&login.token).await?;
///         let user = user.ok_or_else(|| ConnectError::new("who are you?"))?;
///         socket.extensions().insert(user);
///         Ok(())
///     },
/// );
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "this is no middleware of a namespace",
    label = "not an async function of extractors that gives a `Result<(), _>`",
    note = "middleware is async: `async |socket: Socket| -> Result<(), ConnectError> {{ .. }}`, or `async \
            move`; its arguments have their types written out, and are what handlers may have (all \
            that implement `FromEvent`)",
    note = "its error is a `ConnectError`, told to the client, or any other error, which is not",
    note = "what is captured is `Send`, `Sync` and `Clone`; `Rc` and locks are not held across an `.await`"
)]
pub trait Middleware<M>: Send + Sync + 'static {
    /// See [`FromEvent::missing`].
    #[doc(hidden)]
    fn missing(given: &Given<'_>) -> Option<&'static str>;

    /// Begins its work.
    #[doc(hidden)]
    fn begin(&self, socket: Socket) -> MiddlewareFuture<()>;
}

/// A middleware of a socket: an async function or closure of up to eleven [extractors](FromEvent)
/// and, as the last argument, the [`IncomingEvent`], that gives `Result<IncomingEvent, E>` with any
/// error.
///
/// What clients are told of its errors is as of [`Middleware`].
#[diagnostic::on_unimplemented(
    message = "this is no middleware of a socket",
    label = "not an async function whose last argument is the `IncomingEvent`, and that gives it back",
    note = "middleware is async: `async |event: IncomingEvent| -> Result<IncomingEvent, ConnectError> \
            {{ .. }}`; in front of the event it may have what handlers have (all that implement \
            `FromEvent`), with the types written out",
    note = "what is captured is `Send`, `Sync` and `Clone`; `Rc` and locks are not held across an `.await`"
)]
pub trait EventMiddleware<M>: Send + Sync + 'static {
    /// See [`FromEvent::missing`].
    #[doc(hidden)]
    fn missing(given: &Given<'_>) -> Option<&'static str>;

    /// Begins its work.
    #[doc(hidden)]
    fn begin(&self, socket: &Socket, event: IncomingEvent) -> MiddlewareFuture<IncomingEvent>;
}

/// Extracts one argument, or ends the middleware with the error.
macro_rules! extract {
    ($event:ident) => {
        match FromEvent::from_event(&mut $event) {
            Ok(argument) => argument,
            Err(error) => return Box::pin(std::future::ready(Err(error.into()))),
        }
    };
}

macro_rules! middleware {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, unused_mut, unused_variables, reason = "named like their types")]
        impl<F, Fut, Err, $($argument),*> Middleware<($($argument,)*)> for F
        where
            F: FnOnce($($argument),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<(), Err>> + Send + 'static,
            Err: Into<BoxError>,
            $($argument: FromEvent,)*
        {
            fn missing(given: &Given<'_>) -> Option<&'static str> {
                None$(.or_else(|| $argument::missing(given)))*
            }

            fn begin(&self, socket: Socket) -> MiddlewareFuture<()> {
                let mut event = EventContext::of_connection(&socket);
                $(let $argument: $argument = extract!(event);)*
                let future = self.clone()($($argument),*);
                Box::pin(async move { future.await.map_err(Into::into) })
            }
        }

        #[allow(non_snake_case, unused_mut, unused_variables, reason = "named like their types")]
        impl<F, Fut, Err, $($argument),*> EventMiddleware<($($argument,)*)> for F
        where
            F: FnOnce($($argument,)* IncomingEvent) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<IncomingEvent, Err>> + Send + 'static,
            Err: Into<BoxError>,
            $($argument: FromEvent,)*
        {
            fn missing(given: &Given<'_>) -> Option<&'static str> {
                None$(.or_else(|| $argument::missing(given)))*
            }

            fn begin(&self, socket: &Socket, event: IncomingEvent) -> MiddlewareFuture<IncomingEvent> {
                let mut context =
                    EventContext::new(socket, &event.name, Cause::Arguments(&event.args));
                $(let $argument: $argument = extract!(context);)*
                let future = self.clone()($($argument,)* event);
                Box::pin(async move { future.await.map_err(Into::into) })
            }
        }
    };
}

middleware!();
middleware!(A);
middleware!(A, B);
middleware!(A, B, C);
middleware!(A, B, C, D);
middleware!(A, B, C, D, E);
middleware!(A, B, C, D, E, G);
middleware!(A, B, C, D, E, G, H);
middleware!(A, B, C, D, E, G, H, I);
middleware!(A, B, C, D, E, G, H, I, J);
middleware!(A, B, C, D, E, G, H, I, J, K);
middleware!(A, B, C, D, E, G, H, I, J, K, L);

/// A middleware of a namespace that is registered.
///
/// # Panics
/// If it asks for state that the server was not given.
#[track_caller]
pub(crate) fn connect_middleware<M: 'static, F: Middleware<M>>(
    middleware: F,
    given: &Given<'_>,
) -> AnyMiddleware {
    if let Some(missing) = F::missing(given) {
        given.panic("connect", missing);
    }
    Arc::new(move |socket| middleware.begin(socket))
}

/// A middleware of a socket that is registered.
///
/// # Panics
/// If it asks for state that the server was not given.
#[track_caller]
pub(crate) fn event_middleware<M: 'static, F: EventMiddleware<M>>(
    middleware: F,
    given: &Given<'_>,
) -> AnyEventMiddleware {
    if let Some(missing) = F::missing(given) {
        given.panic("middleware", missing);
    }
    Arc::new(move |socket, event| middleware.begin(socket, event))
}

/// Runs a namespace's middleware one after the other, until one refuses.
pub(crate) async fn run_connect(
    chain: Chain<AnyMiddleware>,
    socket: Socket,
) -> Result<(), BoxError> {
    for middleware in &*chain {
        middleware(socket.clone()).await?;
    }
    Ok(())
}

/// Runs a socket's middleware one after the other, until one refuses.
pub(crate) async fn run_event(
    chain: Chain<AnyEventMiddleware>,
    socket: Socket,
    mut event: IncomingEvent,
) -> Result<IncomingEvent, BoxError> {
    for middleware in &*chain {
        event = middleware(&socket, event).await?;
    }
    Ok(event)
}

/// Appends to a shared list. What is let go of under the caller's lock is the list alone: what was in
/// it is in the new one.
pub(crate) fn append<T: Clone>(chain: &mut Option<Chain<T>>, item: T) {
    let before = chain.iter().flat_map(|chain| chain.iter().cloned());
    *chain = Some(before.chain([item]).collect());
}
