//! Why an argument of a handler could not be made.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde::de::DeserializeOwned;
use socketio_parser::explain::{self, Mismatch};
use socketio_parser::{ArgsError, RawArgs};

use crate::error::BoxError;

/// Something that a client sent does not fit: where, and what is wanted there. It holds no value
/// that was sent, so it may be logged and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEvent {
    event: Cow<'static, str>,
    at: String,
    message: Cow<'static, str>,
    cause: Option<ArgsError>,
}

impl InvalidEvent {
    /// What is wrong with an event: where, by a JSON pointer (RFC 6901) into the list of its
    /// arguments, as `/0/name`, and what is wanted there. The client may be told it word by word.
    #[must_use]
    pub fn new(
        event: impl Into<Cow<'static, str>>,
        pointer: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (event, at, message) = (event.into(), pointer.into(), message.into());
        Self { event, at, message, cause: None }
    }

    fn of_mismatch(event: &str, mismatch: Option<Mismatch>, cause: Option<ArgsError>) -> Self {
        // a tree that can be read says nothing of why the text could not
        let (at, message) =
            mismatch.map_or_else(Default::default, |wrong| (wrong.at, wrong.message));
        let message = message.map_or(Cow::Borrowed("not valid"), Cow::Owned);
        Self { event: event.to_owned().into(), at, message, cause }
    }

    /// The name of the event.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Where: a JSON pointer (RFC 6901) into the list of arguments, as `/0/name`, or into `auth` or
    /// the query, as `/token`; empty if all of it is meant.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.at
    }

    /// What is wanted there: types and names of fields, no value.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, of: &str) -> fmt::Result {
        write!(f, "event {:?}: {of}", self.event)?;
        match &*self.at {
            "" => f.write_str(&self.message),
            at => write!(f, "{at}: {}", self.message),
        }
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

impl Error for InvalidEvent {
    /// What the type said, which may quote what was sent.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// Why a handler was not called: an argument could not be made. It raises the socket's `error` event,
/// whose handlers may ask for it:
///
/// ```
/// # use socketio::events::{ErrorEvent, ExtractError};
/// # use socketio::Socket;
/// # fn example(socket: Socket) {
/// socket.on_error(|socket: Socket, ErrorEvent(error): ErrorEvent| {
///     if let Some(ExtractError::Args(wrong)) = error.downcast_ref() {
///         return socket.emit("not understood", (wrong.event(), wrong.pointer()));
///     }
///     Ok(())
/// });
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ExtractError {
    /// What the client sent with the event is not of the type that the handler asks for.
    Args(Box<InvalidEvent>),
    /// What the client sent with its wish to join is not of the type of the [`Auth`](crate::Auth).
    Auth(Box<InvalidEvent>),
    /// The parameters of the handshake are not of the type of the [`Query`](crate::events::Query).
    Query(Box<InvalidEvent>),
    /// The program did not give what the handler asks for.
    #[non_exhaustive]
    Missing {
        /// The name of the event.
        event: String,
        /// What it is, as `extension`.
        what: &'static str,
        /// The name of its type.
        of: &'static str,
    },
    /// Another cause, of an extractor of one's own.
    #[non_exhaustive]
    Other {
        /// The name of the event.
        event: String,
        /// The cause.
        cause: BoxError,
    },
}

impl ExtractError {
    /// The name of the event.
    #[must_use]
    pub fn event(&self) -> &str {
        match self {
            Self::Args(wrong) | Self::Auth(wrong) | Self::Query(wrong) => wrong.event(),
            Self::Missing { event, .. } | Self::Other { event, .. } => event,
        }
    }

    /// What the client did wrong; `None` if it is not the client's fault.
    #[must_use]
    pub fn as_invalid(&self) -> Option<&InvalidEvent> {
        match self {
            Self::Args(wrong) | Self::Auth(wrong) | Self::Query(wrong) => Some(wrong),
            Self::Missing { .. } | Self::Other { .. } => None,
        }
    }

    /// Where it is wrong, see [`InvalidEvent::pointer`]; empty if it is not the client's fault.
    #[must_use]
    pub fn pointer(&self) -> &str {
        self.as_invalid().map_or("", InvalidEvent::pointer)
    }

    /// What is wrong, without the name of the event, if the client may be told.
    pub(crate) fn told(&self) -> Option<String> {
        let of = match self {
            Self::Auth(_) => "auth: ",
            Self::Query(_) => "query: ",
            _ => "",
        };
        let wrong = self.as_invalid()?;
        Some(match wrong.pointer() {
            "" => format!("{of}{}", wrong.message()),
            at => format!("{of}{at}: {}", wrong.message()),
        })
    }

    /// The program did not give a value of the type `T`.
    pub(crate) fn of_missing<T>(event: &str, what: &'static str) -> Self {
        Self::Missing { event: event.to_owned(), what, of: std::any::type_name::<T>() }
    }

    /// The arguments are no `T`.
    #[cold]
    pub(crate) fn of_arguments<T: DeserializeOwned>(
        event: &str,
        args: &RawArgs<'_>,
        cause: ArgsError,
    ) -> Self {
        let mismatch = match args.kept_bytes() <= MAX_EXPLAINED {
            true => explain::arguments::<T>(args),
            false => None,
        };
        let mismatch = mismatch.unwrap_or_else(|| Mismatch {
            at: cause.index().map_or_else(String::new, |index| format!("/{index}")),
            message: None,
        });
        Self::Args(Box::new(InvalidEvent::of_mismatch(event, Some(mismatch), Some(cause))))
    }

    /// `auth` is none of the type that is wanted.
    pub(crate) fn of_auth(event: &str, mismatch: Option<Mismatch>, cause: ArgsError) -> Self {
        Self::Auth(Box::new(InvalidEvent::of_mismatch(event, mismatch, Some(cause))))
    }

    /// The query is none of the type that is wanted.
    pub(crate) fn of_query(event: &str, mismatch: Option<Mismatch>) -> Self {
        Self::Query(Box::new(InvalidEvent::of_mismatch(event, mismatch, None)))
    }
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Args(wrong) => wrong.write(f, ""),
            Self::Auth(wrong) => wrong.write(f, "auth: "),
            Self::Query(wrong) => wrong.write(f, "query: "),
            Self::Missing { event, what, of } => {
                write!(f, "event {event:?}: there is no {what} of type {of}")
            }
            Self::Other { event, cause } => write!(f, "event {event:?}: {cause}"),
        }
    }
}

impl Error for ExtractError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Args(wrong) | Self::Auth(wrong) | Self::Query(wrong) => wrong.source(),
            Self::Missing { .. } => None,
            Self::Other { cause, .. } => Some(&**cause),
        }
    }
}

/// Bytes of arguments up to which it is found out where they do not fit: that takes many times as
/// much memory, and who sends more sends no more than the number of the argument is worth.
const MAX_EXPLAINED: usize = 64 * 1024;
