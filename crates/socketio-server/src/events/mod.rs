//! Events on their way to handlers: who listens, what a handler is, and what its arguments are.

pub(crate) mod check;
pub(crate) mod context;
pub(crate) mod dedupe;
pub(crate) mod error;
pub(crate) mod extract;
pub(crate) mod failures;
pub(crate) mod given;
pub(crate) mod handler;
pub(crate) mod listeners;
pub(crate) mod middleware;
pub(crate) mod observer;
pub(crate) mod shared;
pub(crate) mod tap;
pub(crate) mod ticket;

#[doc(hidden)]
pub use self::check::calls as __check;
pub use self::context::{Acknowledge, EventContext};
pub use self::dedupe::{Dedupe, DedupeError, Unavailable};
pub use self::error::{ExtractError, InvalidEvent};
#[doc(hidden)]
pub use self::extract::Readable;
pub use self::extract::{ErrorEvent, EventName, FromEvent, Query};
pub use self::failures::HandlerError;
pub use self::given::Given;
pub use self::handler::{Handler, IntoReply};
pub use self::listeners::ListenerId;
pub use self::middleware::{EventMiddleware, IncomingEvent, Middleware};
pub use self::shared::{Extension, HttpExtension, OptionalFromEvent};
pub use socketio_adapter::NotRecovered;

#[doc(inline)]
pub use crate::__check_handler as check_handler;
pub use crate::reason::DisconnectReason;
pub use crate::recovery::Recovery;
pub use crate::socket::Extensions;
pub use crate::socket::handshake::Handshake;

/// For programs that run code of another language: all that happens in one place, arguments as they
/// came, and packets whose JSON is there already.
pub mod embed {
    pub use socketio_parser::{JsonArray, RawArgs};

    pub use crate::events::tap::Tap;
}
