//! The body of an answer: bytes of ours, what another node answers, or whatever the inner service gives.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Collected, Full, Limited};

use crate::http::answer_body::AnswerBody;

/// An answer of the engine.
pub(crate) enum Answer {
    /// One that was made here.
    Own(Response<Bytes>),
    /// That of the node which has the session. Boxed: it is seldom there, and the other as large as it is.
    Forwarded(Box<Response<AnswerBody>>),
}

impl Answer {
    /// The answer in one piece: that of another node to a request for an upgrade is a short one.
    pub(crate) async fn collected(self) -> Response<Bytes> {
        let (head, body) = match self {
            Self::Own(answer) => return answer,
            Self::Forwarded(answer) => answer.into_parts(),
        };
        let body = Limited::new(body, SHORT).collect().await;
        Response::from_parts(head, body.map(Collected::to_bytes).unwrap_or_default())
    }

    pub(crate) fn into_response<B>(self) -> Response<Body<B>> {
        match self {
            Self::Own(answer) => answer.map(Body::own),
            Self::Forwarded(answer) => answer.map(|body| Body(Kind::Forwarded(Box::new(body)))),
        }
    }
}

impl From<Response<Bytes>> for Answer {
    fn from(answer: Response<Bytes>) -> Self {
        Self::Own(answer)
    }
}

/// The body of an answer: the engine's own, that of the node which has the session, or that of the
/// service behind it. Its errors are those of the latter two, whose connection breaks with them.
#[derive(Debug)]
pub struct Body<B>(Kind<B>);

#[derive(Debug)]
enum Kind<B> {
    Own(Full<Bytes>),
    Forwarded(Box<AnswerBody>),
    /// Boxed, so that it can be polled in place without a pinning projection.
    Inner(Pin<Box<B>>),
}

impl<B> Body<B> {
    pub(crate) fn own(bytes: Bytes) -> Self {
        Self(Kind::Own(Full::new(bytes)))
    }

    pub(crate) fn inner(body: B) -> Self {
        Self(Kind::Inner(Box::pin(body)))
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.get_mut().0 {
            Kind::Own(own) => Pin::new(own).poll_frame(cx).map_err(|never| match never {}),
            Kind::Forwarded(body) => Pin::new(&mut **body).poll_frame(cx).map_err(Into::into),
            Kind::Inner(inner) => inner.as_mut().poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(own) => own.is_end_stream(),
            Kind::Forwarded(body) => body.is_end_stream(),
            Kind::Inner(inner) => inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Own(own) => own.size_hint(),
            Kind::Forwarded(body) => body.size_hint(),
            Kind::Inner(inner) => inner.size_hint(),
        }
    }
}

/// More than any refusal has to say.
const SHORT: usize = 64 * 1024;
