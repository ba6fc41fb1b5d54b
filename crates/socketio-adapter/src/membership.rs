//! What a join, a leave, and other changes across nodes return.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{AdapterError, AdapterFuture};

/// A join, a leave, or another change: done on this node when it is returned; awaiting it waits
/// until the adapter has done its part elsewhere.
///
/// With the in-memory adapter it is ready at once. It may be dropped: what was to be done is done
/// all the same, only the outcome is not learned.
pub struct Completion(Option<AdapterFuture<()>>);

impl Completion {
    /// A membership that has nothing to wait for.
    #[must_use]
    pub const fn done() -> Self {
        Self(None)
    }

    /// A membership that is complete when `rest` is.
    ///
    /// The work itself must not depend on `rest` being polled, because most callers drop it.
    #[must_use]
    pub const fn until(rest: AdapterFuture<()>) -> Self {
        Self(Some(rest))
    }
}

impl From<AdapterError> for Completion {
    fn from(error: AdapterError) -> Self {
        Self::until(Box::pin(std::future::ready(Err(error))))
    }
}

impl Future for Completion {
    type Output = Result<(), AdapterError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            None => Poll::Ready(Ok(())),
            Some(rest) => rest.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").field("done", &self.0.is_none()).finish()
    }
}
