//! Spans of `tracing`. A subscriber that panics, as one does that cannot write, does so here and
//! nowhere else: the session or the request goes on without its span.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use engineio_proto::guard;
use tracing::level_filters::LevelFilter;
use tracing::span::Entered;

/// A span.
#[derive(Debug)]
pub(crate) struct Span(tracing::Span);

impl Span {
    pub(crate) fn new(make: impl FnOnce() -> tracing::Span) -> Self {
        Self(guard::call(make).unwrap_or_else(|_| tracing::Span::none()))
    }

    /// Runs a future in the span. It is pinned where it was made, as it may be large.
    pub(crate) fn run<F: Future>(
        &self,
        mut future: Pin<&mut F>,
    ) -> impl Future<Output = F::Output> {
        poll_fn(move |cx| self.enter(|| future.as_mut().poll(cx)))
    }

    fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        if self.0.is_disabled() {
            return f();
        }
        let _entered = Inside::of(&self.0);
        f()
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if !self.0.is_disabled() {
            guard::let_go(std::mem::replace(&mut self.0, tracing::Span::none()));
        }
    }
}

/// This thread is in a span, until it is dropped.
struct Inside<'a>(Option<Entered<'a>>);

impl<'a> Inside<'a> {
    fn of(span: &'a tracing::Span) -> Self {
        let entered = guard::call(|| span.enter()).ok();
        if entered.is_none() {
            // a part of the subscriber may have entered
            let _ = guard::call(|| span.with_subscriber(|(id, subscriber)| subscriber.exit(id)));
        }
        Self(entered)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        guard::let_go(self.0.take());
    }
}

/// Records a field of the span that this thread is in, if it is in one of ours, which nobody looks at
/// but at level debug.
pub(crate) fn record(field: &'static str, value: impl tracing::Value) {
    if LevelFilter::current() < LevelFilter::DEBUG {
        return;
    }
    let _ = guard::call(|| {
        tracing::Span::current().record(field, value);
    });
}

/// A future that is polled, and dropped, in a span.
pub(crate) struct InSpan<F> {
    /// Taken as it is dropped.
    future: Option<F>,
    span: Span,
}

impl<F: Future + Unpin> InSpan<F> {
    pub(crate) fn new(future: F, span: Span) -> Self {
        Self { future: Some(future), span }
    }
}

impl<F: Future + Unpin> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, span } = &mut *self;
        let future = future.as_mut().expect("taken as it is dropped only");
        span.enter(|| Pin::new(future).poll(cx))
    }
}

impl<F> Drop for InSpan<F> {
    fn drop(&mut self) {
        let future = self.future.take();
        self.span.enter(|| drop(future));
    }
}

/// For the layer above: the future in the span that this thread is in.
#[doc(hidden)]
pub fn in_current_span<F: Future + Unpin>(future: F) -> impl Future<Output = F::Output> + use<F> {
    InSpan::new(future, Span::new(tracing::Span::current))
}
