//! Extractors: what a handler's arguments are made from.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use socketio_parser::{ArgsError, IndexMap, Spread, Value};

use crate::error::BoxError;
use crate::events::context::{Ack, EventContext};
use crate::reason::Reason;
use crate::socket::Socket;
use crate::socket::handshake::Credentials;

/// An argument of a handler, made from the event.
///
/// ```
/// use socketio::{EventContext, ExtractError, FromEvent};
///
/// /// The number of arguments that the client sent.
/// struct Count(usize);
///
/// impl FromEvent for Count {
///     fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
///         Ok(Self(event.args().map_or(0, |args| args.len())))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument of an event handler",
    note = "arguments are `Socket`, `Data<T>` (typed), `Args` (raw), `Ack`, `EventName`, \
            `Reason`, `Auth<T>`, `Query<T>`, `State<T>`, `ErrorEvent`, or types of your own that implement `FromEvent`"
)]
pub trait FromEvent: Sized {
    /// Makes the argument.
    ///
    /// # Errors
    /// The handler is then not called, and the socket's `error` event raised.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError>;
}

/// Why a handler was not called: an argument could not be made. It raises the socket's `error` event,
/// whose handlers may ask for it:
///
/// ```
/// # use socketio::{ErrorEvent, ExtractError, Socket};
/// # fn example(socket: Socket) {
/// socket.on_error(|socket: Socket, ErrorEvent(error): ErrorEvent| {
///     if let Some(ExtractError::Args { event, .. }) = error.downcast_ref() {
///         return socket.emit("not understood", event);
///     }
///     Ok(())
/// });
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ExtractError {
    /// The client's arguments are of another type than [`Data`] is to read.
    #[non_exhaustive]
    Args {
        /// The event's name, as in all of them.
        event: String,
        /// Which argument does not fit, and why.
        error: ArgsError,
    },
    /// What the client sent with its wish to join is of another type than [`Auth`] is to read.
    #[non_exhaustive]
    Auth {
        /// The event's name.
        event: String,
        /// Why it does not fit.
        error: ArgsError,
    },
    /// The parameters of the handshake are of another type than [`Query`] is to read.
    #[non_exhaustive]
    Query {
        /// The event's name.
        event: String,
        /// Why they do not fit.
        error: BoxError,
    },
    /// The program gave no [`State`] of this type to the [builder](crate::Builder::with_state).
    #[non_exhaustive]
    State {
        /// The event's name.
        event: String,
        /// The name of the type.
        type_name: &'static str,
    },
    /// Another cause, as an extractor of the application says, or one that is for other events.
    #[non_exhaustive]
    Other {
        /// The event's name.
        event: String,
        /// The cause.
        error: BoxError,
    },
}

impl ExtractError {
    /// An argument of this event could not be made, for this cause.
    #[must_use]
    pub fn new(event: &EventContext<'_>, cause: impl Into<BoxError>) -> Self {
        Self::Other { event: event.name().to_owned(), error: cause.into() }
    }

    /// The name of the event.
    #[must_use]
    pub fn event(&self) -> &str {
        match self {
            Self::Args { event, .. }
            | Self::Auth { event, .. }
            | Self::Query { event, .. }
            | Self::State { event, .. }
            | Self::Other { event, .. } => event,
        }
    }
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {:?}: ", self.event())?;
        match self {
            Self::Args { error, .. } => error.fmt(f),
            Self::Auth { error, .. } => write!(f, "auth: {error}"),
            Self::Query { error, .. } => write!(f, "query: {error}"),
            Self::State { type_name, .. } => {
                write!(f, "no state of type {type_name}: give it to `with_state`")
            }
            Self::Other { error, .. } => error.fmt(f),
        }
    }
}

impl Error for ExtractError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Args { error, .. } | Self::Auth { error, .. } => Some(error),
            Self::Query { error, .. } | Self::Other { error, .. } => Some(&**error),
            Self::State { .. } => None,
        }
    }
}

impl FromEvent for Socket {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        Ok(event.socket().clone())
    }
}

impl FromEvent for Ack {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        Ok(event.ack())
    }
}

/// The arguments as a type: a tuple reads several, `()` none, anything else the first.
///
/// Missing arguments are `null`, so that `Option<T>` reads them; further ones are ignored. A
/// fixed-size array is spread like a tuple; `Data<One<[T; N]>>` reads one argument instead. Binary
/// is read by [`Binary`](crate::Binary), by [`Bytes`](bytes::Bytes) or `Vec<u8>` with a copy, at any
/// depth. Text is never read as bytes, nor bytes as text; [`Binary`](crate::Binary) says how an enum
/// takes either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct Data<T>(pub T);

impl<T: DeserializeOwned> FromEvent for Data<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let read = event.args().map_or_else(
            || socketio_parser::RawArgs::from_values(Vec::new()).deserialize(),
            |args| args.deserialize(),
        );
        let event = || event.name().to_owned();
        read.map(Data).map_err(|error| ExtractError::Args { event: event(), error })
    }
}

/// All arguments, whatever they are.
///
/// Emitting it sends the same arguments again: it spreads like a tuple.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct Args(pub Vec<Value>);

impl FromEvent for Args {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        Ok(Self(event.args().map_or_else(Vec::new, |args| args.to_values())))
    }
}

impl serde::Serialize for Args {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // by Node: the values are not copied
        Spread(self.0.iter().collect::<Vec<&Value>>()).serialize(serializer)
    }
}

impl<T> FromIterator<T> for Args
where
    Value: From<T>,
{
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().map(Value::from).collect())
    }
}

/// The name of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct EventName(pub String);

impl FromEvent for EventName {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        Ok(Self(event.name().to_owned()))
    }
}

impl FromEvent for Reason {
    /// In handlers of `disconnect` and `disconnecting`.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let reason = event.reason().map(Reason);
        reason.ok_or_else(|| ExtractError::new(event, "only disconnections have a reason"))
    }
}

/// The error of an `error` event.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct ErrorEvent(pub Arc<BoxError>);

impl FromEvent for ErrorEvent {
    /// In handlers of `error`.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let error = event.error().cloned().map(ErrorEvent);
        error.ok_or_else(|| ExtractError::new(event, "only `error` events have an error"))
    }
}

/// What the client sent with its wish to join the namespace: `auth` of clients 3.x and later, the
/// query of the namespace of clients before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct Auth<T>(pub T);

impl<T: DeserializeOwned> FromEvent for Auth<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let taken = event.socket().credentials().map_or(0, Credentials::value_bytes);
        event.charge(taken);
        let auth = event.socket().handshake().auth_as();
        let event = || event.name().to_owned();
        auth.map(Auth).map_err(|error| ExtractError::Auth { event: event(), error })
    }
}

/// The parameters of the handshake as a type, see [`Handshake::query`]; numbers and booleans are
/// read from their texts.
///
/// [`Handshake::query`]: crate::Handshake::query
///
/// ```
/// # use socketio::{EmitError, Query, Server, Socket};
/// #[derive(serde::Deserialize)]
/// struct Visitor {
///     name: String,
///     age: Option<u32>,
/// }
///
/// # fn example(io: Server) {
/// io.on_connection(|socket: Socket, Query(visitor): Query<Visitor>| {
///     socket.emit("welcome", (visitor.name, visitor.age))
/// });
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromEvent for Query<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        event.charge(2 * event.socket().request().query().len());
        let handshake = event.socket().handshake();
        // of a parameter that is given twice, the last counts
        let pairs: IndexMap<Cow<'_, str>, Cow<'_, str>> = handshake.query().collect();
        let pairs: Vec<_> = pairs.iter().collect();
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        serde_urlencoded::from_str(&query).map(Query).map_err(|error| {
            let event = event.name().to_owned();
            ExtractError::Query { event, error: error.into() }
        })
    }
}

/// The application's state, given to [`Builder::with_state`](crate::Builder::with_state).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromEvent for State<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let state = event.socket().namespace().state().get::<T>().cloned().map(State);
        state.ok_or_else(|| {
            let (event, type_name) = (event.name().to_owned(), std::any::type_name::<T>());
            ExtractError::State { event, type_name }
        })
    }
}
