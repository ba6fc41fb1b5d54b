//! What is wrong with an event, told by place and type, never by value.

mod explain;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use socketio::events::InvalidEvent;

pub use self::explain::Unread;
pub(crate) use self::explain::shortened;

/// Why an argument is not valid: what a function of `#[check(..)]` says, and what the library says
/// of arguments that cannot be read.
///
/// ```
/// use socketio_contract::Invalid;
///
/// struct Stroke { width: f64, points: Vec<(f64, f64)> }
///
/// fn sensible(stroke: &Stroke) -> Result<(), Invalid> {
///     if !(0.5..=64.0).contains(&stroke.width) {
///         return Err(Invalid::at("/width", "must be between 0.5 and 64"));
///     }
///     if stroke.points.is_empty() {
///         return Err(Invalid::at("/points", "must not be empty"));
///     }
///     Ok(())
/// }
/// # assert!(sensible(&Stroke { width: 1.0, points: vec![] }).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub(crate) at: String,
    pub(crate) message: Cow<'static, str>,
}

impl Invalid {
    /// The argument as a whole is not valid. The message is told to the client: it says what is
    /// wanted, and nothing of the value.
    #[must_use]
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { at: String::new(), message: message.into() }
    }

    /// A part of the argument is not valid, named by a JSON pointer (RFC 6901) within the argument,
    /// as `/points/3/x`.
    #[must_use]
    pub fn at(pointer: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { at: pointer.into(), message: message.into() }
    }

    /// Where: a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.at
    }

    /// What is wanted there.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// That of an event; the name of an undeclared one is cut.
    pub(crate) fn of(self, event: impl Into<Cow<'static, str>>) -> InvalidEvent {
        InvalidEvent::new(event, self.at, self.message)
    }

    /// The same, seen from the list of arguments.
    #[doc(hidden)]
    #[must_use]
    pub fn in_argument(mut self, index: usize) -> Self {
        self.at = format!("/{index}{}", self.at);
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.at {
            "" => f.write_str(&self.message),
            at => write!(f, "{at}: {}", self.message),
        }
    }
}

impl Error for Invalid {}

/// The argument of the event `contract:error`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ContractError")]
pub(crate) struct Told<'a> {
    event: &'a str,
    at: &'a str,
    message: &'a str,
}

impl<'a> From<&'a InvalidEvent> for Told<'a> {
    fn from(wrong: &'a InvalidEvent) -> Self {
        Self { event: wrong.event(), at: wrong.pointer(), message: wrong.message() }
    }
}

/// The error of an acknowledgement that says that the event was invalid.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InvalidEvent")]
pub(crate) struct Refusal<'a> {
    code: &'static str,
    at: &'a str,
    message: &'a str,
}

impl<'a> From<&'a InvalidEvent> for Refusal<'a> {
    fn from(wrong: &'a InvalidEvent) -> Self {
        Self { code: "invalid", at: wrong.pointer(), message: wrong.message() }
    }
}

/// The event that tells a client that it broke the contract.
pub(crate) const TOLD: &str = "contract:error";
