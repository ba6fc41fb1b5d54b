//! What an application says to a handshake that it does not let in.

use std::borrow::Cow;

use engineio_proto::HandshakeError;

/// Why a handshake is refused by the application: told to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(HandshakeError);

impl Refused {
    /// Refused without words: HTTP 403, code 4, `Forbidden`.
    #[must_use]
    pub fn forbidden() -> Self {
        Self(HandshakeError::Forbidden(None))
    }

    /// Refused with a message: HTTP 403, code 4. An empty one counts as none.
    #[must_use]
    pub fn with(message: impl Into<String>) -> Self {
        let message = Some(message.into()).filter(|message| !message.is_empty());
        Self(HandshakeError::Forbidden(message.map(Cow::Owned)))
    }

    /// Refused with a code of the protocol's table, 0 to 4: its status and message. Other numbers
    /// are told as the message, as the reference does.
    // Node: allowRequest
    #[must_use]
    pub fn code(code: u32) -> Self {
        Self(match code {
            0 => HandshakeError::TransportUnknown,
            1 => HandshakeError::UnknownSession,
            2 => HandshakeError::BadMethod,
            3 => HandshakeError::BadRequest,
            4 => HandshakeError::Forbidden(None),
            other => HandshakeError::Forbidden(Some(Cow::Owned(other.to_string()))),
        })
    }

    pub(crate) fn into_error(self) -> HandshakeError {
        self.0
    }
}

impl<T: Into<String>> From<T> for Refused {
    fn from(message: T) -> Self {
        Self::with(message)
    }
}
