//! The body of an answer: bytes of ours, or whatever the inner service gives.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::Full;

/// The body of an answer: the engine's own, or that of the service behind it.
#[derive(Debug)]
pub struct Body<B>(Kind<B>);

#[derive(Debug)]
enum Kind<B> {
    Own(Full<Bytes>),
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

impl<B: http_body::Body<Data = Bytes>> http_body::Body for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.get_mut().0 {
            Kind::Own(own) => Pin::new(own).poll_frame(cx).map_err(|never| match never {}),
            Kind::Inner(inner) => inner.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(own) => own.is_end_stream(),
            Kind::Inner(inner) => inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Own(own) => own.size_hint(),
            Kind::Inner(inner) => inner.size_hint(),
        }
    }
}
