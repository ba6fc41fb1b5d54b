//! Extractors of what is not in the event: of the socket, its request and its server; and arguments
//! that may be there or not.

use engineio::TransportKind;

use crate::events::context::{Ack, EventContext};
use crate::events::error::ExtractError;
use crate::events::extract::{Auth, Data, FromEvent, State};
use crate::reason::Reason;
use crate::socket::Socket;

/// A clone of a value of the socket's [`Extensions`](crate::events::Extensions), as middleware put one in.
///
/// ```
/// # use socketio::events::Extension;
/// # use socketio::{Reply, Server, Socket};
/// #[derive(Clone)]
/// struct User(String);
///
/// # fn example(io: Server) {
/// io.use_fn(async |socket: Socket| {
///     socket.extensions().insert(User("ann".to_owned()));
///     Ok::<_, std::convert::Infallible>(())
/// });
/// io.on_connection(|socket: Socket| {
///     socket.on("who am i?", |Extension(User(name)): Extension<User>| Reply(name));
/// });
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct Extension<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromEvent for Extension<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let value = event.socket().extensions().get().map(Extension);
        value.ok_or_else(|| ExtractError::missing::<T>(event, "extension"))
    }

    fn admit(socket: &Socket) -> Result<(), ExtractError> {
        Self::from_event(&mut EventContext::of_connection(socket)).map(drop)
    }
}

/// A clone of a value in the extensions of the request that opened the connection, as a layer of the
/// HTTP server put one in, see [`Request::extensions`](crate::serve::Request::extensions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor, taken apart by pattern")]
pub struct HttpExtension<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromEvent for HttpExtension<T> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let value = event.socket().request().extensions().get().cloned().map(HttpExtension);
        value.ok_or_else(|| ExtractError::missing::<T>(event, "extension of the request"))
    }

    fn admit(socket: &Socket) -> Result<(), ExtractError> {
        Self::from_event(&mut EventContext::of_connection(socket)).map(drop)
    }
}

impl FromEvent for TransportKind {
    /// The transport that the client uses now.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        Ok(event.socket().conn().transport())
    }
}

impl<T: FromEvent> FromEvent for Result<T, ExtractError> {
    /// Always: the handler is called also if the argument cannot be made, and sees why.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        Ok(T::from_event(event))
    }
}

/// An extractor of what may be there or not: what [`Option`] of it is made from.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` is no argument of an event handler",
    note = "`Option` is for `State<T>`, `Extension<T>`, `HttpExtension<T>`, `Auth<T>`, `Data<T>`, \
            `Ack`, `Reason` and `Server`; an argument that a client may leave out is a \
            `Data<Option<T>>`, any failure a `Result<{Self}, ExtractError>`"
)]
pub trait OptionalFromEvent: FromEvent {
    /// Makes the argument; `None`: there is nothing to make it from.
    ///
    /// # Errors
    /// There is something, but it does not fit.
    fn optional_from_event(event: &mut EventContext<'_>) -> Result<Option<Self>, ExtractError> {
        match Self::from_event(event) {
            Ok(value) => Ok(Some(value)),
            Err(ExtractError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// See [`FromEvent::admit`].
    ///
    /// # Errors
    /// There is something, but it does not fit.
    fn optional_admit(_socket: &Socket) -> Result<(), ExtractError> {
        Ok(())
    }
}

impl<T: OptionalFromEvent> FromEvent for Option<T> {
    /// `None` if there is nothing to make it from.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        T::optional_from_event(event)
    }

    fn admit(socket: &Socket) -> Result<(), ExtractError> {
        T::optional_admit(socket)
    }
}

impl<T: Clone + Send + Sync + 'static> OptionalFromEvent for State<T> {}
impl<T: Clone + Send + Sync + 'static> OptionalFromEvent for Extension<T> {}
impl<T: Clone + Send + Sync + 'static> OptionalFromEvent for HttpExtension<T> {}

impl<T: serde::de::DeserializeOwned> OptionalFromEvent for Auth<T> {
    /// `None` if the client sent nothing with its wish to join.
    fn optional_from_event(event: &mut EventContext<'_>) -> Result<Option<Self>, ExtractError> {
        match event.socket().credentials() {
            None => Ok(None),
            Some(_) => Self::from_event(event).map(Some),
        }
    }

    fn optional_admit(socket: &Socket) -> Result<(), ExtractError> {
        match socket.credentials() {
            None => Ok(()),
            Some(_) => Self::admit(socket),
        }
    }
}

impl<T: serde::de::DeserializeOwned> OptionalFromEvent for Data<T> {
    /// `None` if the client sent no argument.
    fn optional_from_event(event: &mut EventContext<'_>) -> Result<Option<Self>, ExtractError> {
        match event.args().is_none_or(|args| args.is_empty()) {
            true => Ok(None),
            false => Self::from_event(event).map(Some),
        }
    }
}

impl OptionalFromEvent for Ack {
    /// `None` if the client did not ask for an acknowledgement.
    fn optional_from_event(event: &mut EventContext<'_>) -> Result<Option<Self>, ExtractError> {
        Ok(event.is_ack_wanted().then(|| event.ack()))
    }
}

impl OptionalFromEvent for Reason {
    /// `None` if the event is no disconnection.
    fn optional_from_event(event: &mut EventContext<'_>) -> Result<Option<Self>, ExtractError> {
        Ok(event.reason().map(Reason))
    }
}
