//! The choice of a parser, one for a whole server.

use std::fmt;
use std::sync::Arc;

use crate::custom::{CustomParser, Shared};
use crate::form::Form;
use crate::{Decoder, Encoder, Limits, Revision};

/// How packets are written: the protocols' own format, msgpack, or a format of one's own.
///
/// All clients of a server must use the same.
// Node 2.0: parser
#[derive(Clone, Default)]
pub struct Parser {
    form: Form,
}

impl Parser {
    /// The protocols' own format (the default): JSON text, and binary messages for bytes.
    #[must_use]
    pub const fn json() -> Self {
        Self { form: Form::Json }
    }

    /// The format of the npm package socket.io-msgpack-parser, releases 2.x (for clients 2.x) and
    /// 3.x (for clients 3.x and 4.x) on one server.
    ///
    /// A packet is one binary message, whatever bytes it holds. Beyond what JSON has, not-a-number
    /// and the infinities arrive as what they are; `undefined` arrives as `null`; a JavaScript
    /// `Date` arrives as the text that JSON has for it (`"2017-05-15T12:00:00.000Z"`), so that
    /// handlers do not depend on the parser; other extension types arrive as their bytes.
    #[cfg(feature = "msgpack")]
    #[must_use]
    pub const fn msgpack() -> Self {
        Self { form: Form::Msgpack }
    }

    /// A format of one's own, which the clients must know too.
    #[must_use]
    pub fn custom(parser: impl CustomParser) -> Self {
        Self { form: Form::Custom(Shared(Arc::new(parser))) }
    }

    /// What turns packets into messages.
    #[must_use]
    pub fn encoder(&self) -> Encoder {
        Encoder(self.form.clone())
    }

    /// What turns the messages of one connection into packets.
    #[must_use]
    pub fn decoder(&self, revision: Revision, limits: Arc<Limits>) -> Decoder {
        Decoder::new(&self.form, revision, limits)
    }
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.form.fmt(f)
    }
}
