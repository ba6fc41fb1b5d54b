//! Node-API, made safe: the only place of the project with `unsafe` code.
//!
//! What it hands out borrows from a [`Call`], a function called by JavaScript, and so stays on its thread
//! and within that call. [`Wake`] alone goes to other threads.

mod call;
mod export;
mod owned;
mod stream;
mod wake;

pub(crate) use call::{Call, Value};
pub(crate) use export::{Function, NODE_API_VERSION, export};
pub(crate) use owned::{Owned, TypeTag};
pub(crate) use stream::{Adopted, adopt_descriptor};
pub(crate) use wake::{AtExit, Wake};

/// What becomes an `Error` of JavaScript.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
}

/// Which class of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Type,
    Range,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { kind: Kind::Error, code: None, message: message.into() }
    }

    pub(crate) fn wrong_type(message: impl Into<String>) -> Self {
        Self { kind: Kind::Type, code: None, message: message.into() }
    }

    pub(crate) fn out_of_range(message: impl Into<String>) -> Self {
        Self { kind: Kind::Range, code: None, message: message.into() }
    }

    pub(crate) fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }
}
