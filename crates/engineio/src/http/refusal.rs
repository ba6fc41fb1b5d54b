//! Why a request is not answered as it wished.

use bytes::Bytes;
use engineio_proto::HandshakeError;
use http::Response;

use crate::admission::AdmitError;
use crate::http::responses;
use crate::options::functions::Panicked;

/// Why a request is not answered as it wished.
pub(crate) enum Refusal {
    /// A code of the protocol's table.
    Code(HandshakeError),
    /// An answer of its own.
    Answer(Box<Response<Bytes>>),
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        Self::Code(error)
    }
}

impl From<Panicked> for Refusal {
    fn from(_: Panicked) -> Self {
        Self::Answer(Box::new(responses::panicked()))
    }
}

impl From<AdmitError> for Refusal {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Refused(error) => Self::Code(error),
            AdmitError::TooFast(wait) => Self::answer(responses::too_fast(wait)),
            AdmitError::Unavailable(why) => Self::answer(responses::unavailable(why)),
            AdmitError::NotOpened => Self::Code(HandshakeError::BadRequest),
            AdmitError::Panicked => Self::answer(responses::panicked()),
        }
    }
}

impl Refusal {
    pub(crate) fn answer(answer: Response<Bytes>) -> Self {
        Self::Answer(Box::new(answer))
    }
}
