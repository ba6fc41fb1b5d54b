//! The futures that a connection's task drives besides its session.

use std::future::Future;
use std::task::{Context, Poll};

use engineio_proto::guard::{self, Guarded, Panicked};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

/// A set of futures, each guarded; until the first one it owns nothing, as most connections never
/// have one.
pub(super) struct Futures<T>(Option<Box<FuturesUnordered<Guarded<T>>>>);

impl<T: 'static> Futures<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn push(&mut self, future: impl Future<Output = T> + Send + 'static) {
        self.0.get_or_insert_default().push(Guarded::new(Box::pin(future)));
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |futures| futures.len())
    }

    /// The result of one that is finished; `None` if none is now, and `cx` is woken when one is.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Option<Result<T, Panicked>> {
        match self.0.as_mut()?.poll_next_unpin(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => None,
        }
    }

    /// Drives all of them to their ends; `on_panic` is told of each that panicked.
    pub(super) async fn finish(self, on_panic: impl Fn()) {
        let Some(mut futures) = self.0 else { return };
        while let Some(result) = futures.next().await {
            if result.is_err() {
                on_panic();
            }
            guard::let_go(result); // it may be of the user
        }
    }
}
