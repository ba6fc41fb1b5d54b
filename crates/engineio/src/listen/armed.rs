//! A timer that is left alone as long as it fires no later than it should.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer of tokio, once there is one.
#[derive(Debug)]
pub(crate) struct Armed {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes, once it was polled.
    waker: Option<Waker>,
}

impl Armed {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(deadline)), waker: None }
    }

    /// Whether the deadline has passed; if not, who polls is woken then, or sooner.
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Self { sleep, waker } = self;
        let wakes_us = waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if wakes_us && sleep.deadline() <= deadline && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        *waker = Some(cx.waker().clone());
        sleep.as_mut().poll(cx)
    }
}
