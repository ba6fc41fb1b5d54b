//! The body of another node's answer, on its way to the client.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::limits::connections::ConnectionPermit;
use crate::nodes::pool::Used;
use crate::nodes::underway::Entry;

/// The body of another node's answer.
pub(crate) struct AnswerBody {
    body: Option<Incoming>,
    /// The connection that it comes over, and whether something of the request is left.
    used: Option<(Used, Arc<AtomicBool>)>,
    _counted: Counted,
}

/// What counts a request among those that are passed on.
type Counted = (ConnectionPermit, Option<Entry>);

impl AnswerBody {
    pub(crate) const fn new(
        body: Incoming,
        used: Option<(Used, Arc<AtomicBool>)>,
        counted: Counted,
    ) -> Self {
        Self { body: Some(body), used, _counted: counted }
    }

    fn end(&mut self) {
        self.body = None;
        if let Some((used, left)) = self.used.take()
            && !left.load(Ordering::Relaxed)
        {
            used.give_back();
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(&mut *body).poll_frame(cx));
        if frame.is_none() || (frame.as_ref().is_some_and(Result::is_ok) && body.is_end_stream()) {
            this.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint())
    }
}

impl std::fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

impl Drop for AnswerBody {
    /// An answer without a body is not read.
    fn drop(&mut self) {
        if self.body.as_ref().is_some_and(http_body::Body::is_end_stream) {
            self.end();
        }
    }
}
