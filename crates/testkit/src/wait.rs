//! Waiting that ends.
//!
//! The futures of the public functions are made here, so that a failure names the line of the test
//! that asked. An `async fn` cannot know its caller; a plain function that returns a future can.

use std::convert::Infallible;
use std::fmt::Debug;
use std::panic::Location;
use std::time::{Duration, Instant};

/// How long the clients wait for the server before they panic.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Lets every task that can go on do so.
///
/// It sleeps for a millisecond. On a paused clock that is as long as the others need to come to
/// rest; on a running one it is a guess.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The time as the codecs want it, of tokio's clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits for `work`, or panics with what was waited `for_what`.
#[track_caller]
pub(crate) fn within<T>(
    for_what: &'static str,
    work: impl Future<Output = Result<T, String>>,
) -> impl Future<Output = T> {
    let at = Location::caller();
    async move {
        match tokio::time::timeout(TIMEOUT, work).await {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => panic!("{at}: waiting for {for_what}: {error}"),
            Err(_) => panic!("{at}: waiting for {for_what}: nothing for {TIMEOUT:?}"),
        }
    }
}

/// Lets `work` go on for `duration`, and panics if it fails before.
#[track_caller]
pub(crate) fn during(
    duration: Duration,
    work: impl Future<Output = Result<Infallible, String>>,
) -> impl Future<Output = ()> {
    let at = Location::caller();
    async move {
        if let Ok(Err(error)) = tokio::time::timeout(duration, work).await {
            panic!("{at}: while {duration:?} passed: {error}");
        }
    }
}

/// Panics if `work` comes to an end within `duration`.
#[track_caller]
pub(crate) fn silence<T: Debug>(
    duration: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> impl Future<Output = ()> {
    let at = Location::caller();
    async move {
        if let Ok(outcome) = tokio::time::timeout(duration, work).await {
            panic!("{at}: expected silence for {duration:?}, got {outcome:?}");
        }
    }
}
