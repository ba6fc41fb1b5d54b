//! Extractors: what a handler's arguments are made from.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use socketio_parser::explain::{self, Node};
use socketio_parser::{IndexMap, RawArgs, Spread, Value};

use crate::error::BoxError;
use crate::events::context::{Ack, EventContext};
use crate::events::error::{ExtractError, InvalidEvent};
use crate::events::given::Given;
use crate::reason::Reason;
use crate::socket::Socket;
use crate::socket::handshake::Credentials;

/// An argument of a handler, made from the event.
///
/// ```
/// use socketio::events::{EventContext, ExtractError, FromEvent};
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
    note = "of the event: `Data<T>` (what the client sent, as an owned type that implements \
            `Deserialize`: `Data<String>`, not `Data<&str>`), `Args` (the same, raw), `Ack`, `EventName`, \
            `Reason`, `ErrorEvent`",
    note = "of the socket: `Socket`, `Server`, `Auth<T>`, `Query<T>`, `State<T>`, `Extension<T>`, \
            `HttpExtension<T>`, `TransportKind`",
    note = "`Option` and `Result<_, ExtractError>` of these, and types of your own that implement `FromEvent`"
)]
pub trait FromEvent: Sized {
    /// Makes the argument.
    ///
    /// # Errors
    /// The handler is then not called, and the socket's `error` event raised. Who asked for an
    /// acknowledgement is told, see [`AckErrors`](crate::options::AckErrors).
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError>;

    /// The type of the state that it needs and the server was not given: asked when a handler is
    /// registered, which then panics and names the type. For extractors that are made of
    /// [`State`]; by default nothing is missing.
    #[must_use]
    fn missing(_given: &Given<'_>) -> Option<&'static str> {
        None
    }

    /// Whether the argument can be made for a socket that is about to be connected: asked for the
    /// handlers of `connection` before the client is told that it is. For extractors that are made of
    /// the handshake, as [`Auth`] is; by default all sockets are let in.
    ///
    /// # Errors
    /// The socket is refused. If it is the client's fault, it is told where and why.
    fn admit(_socket: &Socket) -> Result<(), ExtractError> {
        Ok(())
    }
}

impl ExtractError {
    /// An argument of this event could not be made, for this cause, which the client is not told.
    #[must_use]
    pub fn new(event: &EventContext<'_>, cause: impl Into<BoxError>) -> Self {
        Self::Other { event: event.name().to_owned(), cause: cause.into() }
    }

    /// The client sent something with this event that does not fit, see [`InvalidEvent::new`].
    #[must_use]
    pub fn invalid(
        event: &EventContext<'_>,
        pointer: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let event = event.name().to_owned();
        Self::Args(Box::new(InvalidEvent::new(event, pointer, message)))
    }

    /// The program did not give a value of the type `T`.
    pub(crate) fn missing<T>(event: &EventContext<'_>, what: &'static str) -> Self {
        Self::of_missing::<T>(event.name(), what)
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

/// What [`Data`] can be of: all that is `DeserializeOwned`, whose own words name no cause.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from what a client sends: it does not implement `Deserialize`",
    note = "`Data<T>` is of an owned type that implements `Deserialize`: one of yours by \
            `#[derive(serde::Deserialize)]`, one of another crate perhaps by its feature `serde`"
)]
pub trait Readable: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Readable for T {}

impl<T: Readable> FromEvent for Data<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        static NONE: RawArgs<'static> = RawArgs::from_values(Vec::new());
        let args = event.args().unwrap_or(&NONE);
        args.deserialize()
            .map(Data)
            .map_err(|error| ExtractError::of_arguments::<T>(event.name(), args, error))
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
/// query of the namespace of clients before. If it sent nothing, a struct or a map is read as if it had
/// sent an empty object, all else as from `null`.
///
/// In a handler of `connection`, or in middleware, a client whose `auth` does not fit is refused, with
/// a message that says where; `Result<Auth<T>, ExtractError>` lets it in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct Auth<T>(pub T);

impl<T: DeserializeOwned> FromEvent for Auth<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let (socket, name) = event.about();
        let taken = socket.credentials().map_or(0, Credentials::value_bytes);
        event.charge(taken);
        socket.handshake().auth_as().map(Auth).map_err(|cause| {
            let node = socket.credentials().map_or(Node::Map(Vec::new()), Credentials::node);
            ExtractError::of_auth(name, explain::value::<T>(&node), cause)
        })
    }

    fn admit(socket: &Socket) -> Result<(), ExtractError> {
        Self::from_event(&mut EventContext::of_connection(socket)).map(drop)
    }
}

/// The parameters of the handshake as a type, see [`Handshake::query`]; numbers and booleans are
/// read from their texts.
///
/// [`Handshake::query`]: crate::events::Handshake::query
///
/// ```
/// # use socketio::emit::EmitError;
/// # use socketio::events::Query;
/// # use socketio::{Server, Socket};
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
        let query = serde_urlencoded::to_string(&pairs).unwrap_or_default();
        serde_urlencoded::from_str(&query).map(Query).map_err(|_| {
            let word = |(name, value): (&Cow<'_, str>, &Cow<'_, str>)| {
                (name.clone().into_owned(), Node::Word(value.clone().into_owned()))
            };
            let node = Node::Map(pairs.into_iter().map(word).collect());
            ExtractError::of_query(event.name(), explain::value::<T>(&node))
        })
    }

    fn admit(socket: &Socket) -> Result<(), ExtractError> {
        Self::from_event(&mut EventContext::of_connection(socket)).map(drop)
    }
}

/// The application's state, given to [`Builder::with_state`](crate::Builder::with_state).
///
/// Whether it was given is found out when the handler is registered, which panics if not: at the
/// start of the program for handlers of a server or namespace, for those of a socket as its
/// connection begins. `Option<State<T>>` does without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromEvent for State<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let state = event.socket().namespace().state().get::<T>().cloned().map(State);
        state.ok_or_else(|| ExtractError::missing::<T>(event, "state"))
    }

    fn missing(given: &Given<'_>) -> Option<&'static str> {
        given.state::<T>().is_none().then(std::any::type_name::<T>)
    }
}
