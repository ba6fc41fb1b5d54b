//! The timer by which our own HTTP server bounds the receiving of a head, and the time between two.
//!
//! hyper arms one for each request of a connection and drops it when the head is there, which hardly
//! ever takes as long as it may. So there is one timer of tokio per connection, which is not touched
//! as long as it fires no later than it should: if it was too early, it is armed again. As the
//! timer of a session is, see [`crate::driver`].
//!
//! hyper knows one time for a head and the wait for it. Here they are two: the wait is bounded by
//! `keep_alive_timeout`, and the head, from its first byte on, by `header_timeout`. The first head of
//! a connection has the latter from the beginning.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use engineio_proto::guard::lock;
use hyper::rt::{Sleep, Timer};

use crate::listen::armed::Armed;
use crate::listen::connection::Connection;
use crate::patience;

/// The timer of one connection, for hyper.
#[derive(Clone, Debug)]
pub(crate) struct HeadTimer(pub(crate) Arc<Connection>);

/// A wait for the end of a head.
struct Until {
    deadline: tokio::time::Instant,
    /// Nothing of the head has come yet.
    idle: bool,
    /// It passed while the process stood still, and was put off.
    was_late: bool,
    timer: HeadTimer,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// hyper's own deadline does not matter: it begins to wait now.
    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        let first = self.0.take_first_deadline();
        let keep_alive = || tokio::time::Instant::now() + self.0.keep_alive_timeout;
        let (deadline, idle) = (first.unwrap_or_else(keep_alive), first.is_none());
        Box::pin(Until { deadline, idle, was_late: false, timer: self.clone() })
    }

    /// Asked for that deadline only: no look at the clock.
    fn now(&self) -> Instant {
        self.0.accepted.into_std()
    }
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { deadline, idle, was_late, timer } = self.get_mut();
        let connection = &*timer.0;
        // it is polled after each read that did not bring the end of a head
        if *idle && connection.is_head_begun() {
            *idle = false;
            *deadline = tokio::time::Instant::now() + connection.header_timeout;
        }
        // Taken out while it is polled, as that clones and drops wakers. There is one wait at a time.
        let taken = lock(&connection.armed).take();
        let mut armed = taken.unwrap_or_else(|| Armed::new(*deadline));
        let mut elapsed = armed.poll(*deadline, cx);
        if elapsed.is_ready() && !*was_late {
            let now = tokio::time::Instant::now();
            if let Some(grace) = patience::grace(deadline.into_std(), now.into_std()) {
                *was_late = true;
                *deadline = now + grace;
                elapsed = armed.poll(*deadline, cx);
            }
        }
        let other = lock(&connection.armed).replace(armed);
        drop(other);
        if elapsed.is_ready() && *idle {
            connection.set_idle_too_long();
        }
        elapsed
    }
}

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::time::advance;

    use super::*;
    use crate::Options;

    const SECOND: Duration = Duration::from_secs(1);

    fn timer() -> HeadTimer {
        let options = Options {
            header_timeout: 3 * SECOND,
            keep_alive_timeout: 5 * SECOND,
            ..Options::default()
        };
        HeadTimer(Arc::new(Connection::new(&options, tokio::time::Instant::now(), None)))
    }

    fn wait(timer: &HeadTimer) -> Pin<Box<dyn Sleep>> {
        timer.sleep(Duration::ZERO)
    }

    fn poll(wait: &mut Pin<Box<dyn Sleep>>) -> Poll<()> {
        wait.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    async fn elapsed(wait: impl Future<Output = ()>) -> Duration {
        let start = tokio::time::Instant::now();
        wait.await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_has_its_time_from_the_beginning() {
        let timer = timer();
        advance(SECOND).await;
        assert_eq!(elapsed(wait(&timer)).await, 2 * SECOND);
        assert!(!timer.0.was_idle_too_long());
    }

    #[tokio::test(start_paused = true)]
    async fn later_ones_have_it_from_their_first_byte() {
        let timer = timer();
        drop(wait(&timer));
        assert_eq!(elapsed(wait(&timer)).await, 5 * SECOND);
        assert!(timer.0.was_idle_too_long());

        // given up as its head is there; what follows is later, or sooner
        let mut given_up = wait(&timer);
        assert!(poll(&mut given_up).is_pending());
        advance(4 * SECOND).await;
        assert_eq!(elapsed(wait(&timer)).await, 5 * SECOND);
        // four seconds too late: put off, once
        assert!(poll(&mut given_up).is_pending());
        assert_eq!(elapsed(given_up).await, 2 * SECOND);

        let mut begun = wait(&timer);
        assert!(poll(&mut begun).is_pending());
        advance(SECOND).await;
        timer.0.set_head_begun(true);
        assert_eq!(elapsed(begun).await, 3 * SECOND);
        let mut begun = wait(&timer);
        advance(4 * SECOND).await;
        // it began in front of an answer that took its time
        assert!(poll(&mut begun).is_pending());
        assert_eq!(elapsed(begun).await, 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_websocket_has_none() {
        let timer = timer();
        assert!(poll(&mut wait(&timer)).is_pending());
        timer.0.switch();
        assert!(lock(&timer.0.armed).is_none());
    }

    /// It wakes whoever waits last.
    #[tokio::test(start_paused = true)]
    async fn it_moves_between_tasks() {
        let timer = timer();
        let mut first = wait(&timer);
        assert!(poll(&mut first).is_pending());
        drop(first);
        let second = wait(&timer);
        assert_eq!(tokio::spawn(elapsed(second)).await.unwrap(), 5 * SECOND);
    }
}
