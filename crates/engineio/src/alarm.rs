//! The timer by which our own HTTP server bounds the receiving of a head.
//!
//! hyper arms one for each request of a connection and drops it when the head is there, which hardly
//! ever takes as long as it may. So there is one timer of tokio per connection, which is not touched
//! as long as it fires no later than it should: if it was too early, it is armed again. As the
//! timer of a session is, see [`crate::driver`].

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use engineio_proto::guard::lock;
use hyper::rt::{Sleep, Timer};

use crate::patience;

/// The timer of one connection, for hyper.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarm(Arc<Mutex<Option<Armed>>>);

#[derive(Debug)]
struct Armed {
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// Whom it wakes, once it was polled.
    waker: Option<Waker>,
}

/// A wait until a deadline.
struct Until {
    deadline: tokio::time::Instant,
    /// It passed while the process stood still, and was put off.
    was_late: bool,
    alarm: Alarm,
}

impl Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), was_late: false, alarm: self.clone() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { deadline, was_late, alarm } = self.get_mut();
        // Taken out while it is polled, as that clones and drops wakers. There is one wait at a time.
        let taken = lock(&alarm.0).take();
        let mut armed = taken.unwrap_or_else(|| Armed {
            sleep: Box::pin(tokio::time::sleep_until(*deadline)),
            waker: None,
        });
        let mut polled = armed.poll(*deadline, cx);
        if polled.is_ready() && !*was_late {
            let now = tokio::time::Instant::now();
            if let Some(grace) = patience::grace(deadline.into_std(), now.into_std()) {
                *was_late = true;
                *deadline = now + grace;
                polled = armed.poll(*deadline, cx);
            }
        }
        let other = lock(&alarm.0).replace(armed);
        drop(other);
        polled
    }
}

impl Armed {
    fn poll(&mut self, deadline: tokio::time::Instant, cx: &mut Context<'_>) -> Poll<()> {
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

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn elapsed(wait: impl Future<Output = ()>) -> Duration {
        let start = Instant::now();
        wait.await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_deadline() {
        let alarm = Alarm::default();
        assert_eq!(elapsed(alarm.sleep(5 * SECOND)).await, 5 * SECOND);
        assert_eq!(elapsed(alarm.sleep(SECOND)).await, SECOND);
        assert_eq!(elapsed(alarm.sleep(Duration::ZERO)).await, Duration::ZERO);

        // given up; what follows is later, or sooner
        let (waker, mut woken) = (Waker::noop(), alarm.sleep(5 * SECOND));
        assert!(woken.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        advance(4 * SECOND).await;
        assert_eq!(elapsed(alarm.sleep(5 * SECOND)).await, 5 * SECOND);
        // four seconds too late: put off, once
        assert!(woken.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        assert_eq!(elapsed(woken).await, 2 * SECOND);
        let mut given_up = alarm.sleep(5 * SECOND);
        assert!(given_up.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        assert_eq!(elapsed(alarm.sleep(SECOND)).await, SECOND);
    }

    /// It wakes whoever waits last.
    #[tokio::test(start_paused = true)]
    async fn it_moves_between_tasks() {
        let alarm = Alarm::default();
        let mut first = alarm.sleep(SECOND);
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(first);
        let second = alarm.sleep(2 * SECOND);
        assert_eq!(tokio::spawn(elapsed(second)).await.unwrap(), 2 * SECOND);
    }
}
