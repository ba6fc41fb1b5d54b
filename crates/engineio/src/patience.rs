//! Deadlines of a process that stood still.
//!
//! A timer that fires late says that the process did not run: it was stopped, its machine was
//! suspended, its worker threads were blocked. What its peers did in time lies in the system's
//! buffers then, and nobody has read it. So a deadline that is found long after it passed is not
//! judged at once: for some time the tasks read, and only then it counts. Once for each deadline, so
//! that a process which is always late still judges.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// How much longer a peer may take, whose deadline is found only now. `None`: no time, it is
/// punctual.
pub(crate) fn grace(deadline: Instant, now: Instant) -> Option<Duration> {
    if now < deadline {
        return None; // as it nearly always is
    }
    let late = now.saturating_duration_since(deadline);
    (late >= LATE).then(|| late.clamp(AT_LEAST, AT_MOST))
}

/// A wait for a deadline, with [`grace`].
pub(crate) struct Wait {
    sleep: Pin<Box<Sleep>>,
    was_late: bool,
}

impl Wait {
    pub(crate) fn new(duration: Duration) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(duration)), was_late: false }
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = tokio::time::Instant::now();
        if self.sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let deadline = self.sleep.deadline().into_std();
        match grace(deadline, now.into_std()) {
            Some(grace) if !self.was_late => {
                self.was_late = true;
                self.sleep.as_mut().reset(now + grace);
                self.sleep.as_mut().poll(cx)
            }
            _ => Poll::Ready(()),
        }
    }
}

/// The time is over.
#[derive(Debug)]
pub(crate) struct Elapsed;

/// Runs a future for so long, and for the [`grace`] after that. One that need not wait has no timer.
pub(crate) async fn timeout<F: Future>(
    duration: Duration,
    future: F,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut wait = None;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => {
            let wait = wait.get_or_insert_with(|| Wait::new(duration));
            Pin::new(wait).poll(cx).map(|()| Err(Elapsed))
        }
    })
    .await
}

/// Timers have a resolution, and tasks wait for their turn: that is not late.
const LATE: Duration = Duration::from_millis(5);

/// A few rounds of the runtime, which reads in each.
const AT_LEAST: Duration = Duration::from_millis(10);

/// Enough to read what all clients of a large server sent, however long it stood still.
const AT_MOST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn grace_is_as_long_as_the_delay_with_bounds() {
        let deadline = std::time::Instant::now();
        let after = |ms| grace(deadline, deadline + Duration::from_millis(ms));
        assert_eq!(grace(deadline + SECOND, deadline), None);
        assert_eq!((after(0), after(4)), (None, None));
        assert_eq!(after(5), Some(Duration::from_millis(10)));
        assert_eq!(after(700), Some(Duration::from_millis(700)));
        assert_eq!(after(60_000), Some(2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_punctual_wait_is_exact() {
        let start = Instant::now();
        Wait::new(SECOND).await;
        assert_eq!(start.elapsed(), SECOND);
        assert!(timeout(SECOND, std::future::pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), 2 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_wait_goes_on_once() {
        let mut wait = Wait::new(SECOND);
        std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut wait).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        advance(SECOND + SECOND / 2).await;
        let start = Instant::now();
        wait.await;
        assert_eq!(start.elapsed(), SECOND / 2);
    }
}
