//! Where our crates meet code of others: locks that are counted, panics that are caught, a log that
//! does not throw. Not for users.
//!
//! Code of others is what a user gave us (handlers, callbacks, wakers, what they captured, and the
//! destructors of all that), what an adapter of another's does, and what a subscriber of `tracing`
//! does. Two rules hold for it:
//!
//! - It never runs while a lock of ours is held, for it may come back to us for the same lock. In
//!   debug builds each thread counts the locks that it holds, and [`call`] fails if there is one.
//! - Its panic ends what it was called for, and leaves what is ours whole. A panic may carry a value
//!   whose destructor panics in its turn: it is dropped here, where that does no harm.
//!
//! This crate itself takes no lock; it is only the one that all others have in common.

#![expect(
    clippy::disallowed_types,
    reason = "it is for the locks of others; this crate takes none"
)]

use std::any::Any;
use std::fmt;
use std::mem::{forget, needs_drop};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

// ---- locks ------------------------------------------------------------------------------------

/// A lock that is held. In debug builds it counts.
#[derive(Debug)]
pub struct Held<G> {
    guard: G,
    #[cfg(debug_assertions)]
    _counted: counted::Counted,
}

/// Locks a mutex; what a panicking holder left behind is whole, as all sections are short and call
/// no code of others.
#[inline]
pub fn lock<T>(mutex: &Mutex<T>) -> Held<MutexGuard<'_, T>> {
    Held::new(mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Locks for reading, as [`lock`].
#[inline]
pub fn read<T>(lock: &RwLock<T>) -> Held<RwLockReadGuard<'_, T>> {
    Held::new(lock.read().unwrap_or_else(PoisonError::into_inner))
}

/// Locks for writing, as [`lock`].
#[inline]
pub fn write<T>(lock: &RwLock<T>) -> Held<RwLockWriteGuard<'_, T>> {
    Held::new(lock.write().unwrap_or_else(PoisonError::into_inner))
}

impl<G> Held<G> {
    #[inline]
    fn new(guard: G) -> Self {
        Self {
            guard,
            #[cfg(debug_assertions)]
            _counted: counted::Counted::new(),
        }
    }
}

impl<G: Deref> Deref for Held<G> {
    type Target = G::Target;

    #[inline]
    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Held<G> {
    #[inline]
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

/// Fails, in debug builds, if this thread holds a lock of ours: code of others is about to run.
#[inline]
#[track_caller]
pub fn assert_no_lock() {
    #[cfg(debug_assertions)]
    counted::assert_none();
}

#[cfg(debug_assertions)]
mod counted {
    use std::cell::Cell;
    use std::thread::panicking;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    /// One of the locks that this thread holds.
    #[derive(Debug)]
    pub(super) struct Counted(());

    impl Counted {
        pub(super) fn new() -> Self {
            // a thread that ends has nothing left that it could count with
            let _ = COUNT.try_with(|count| count.set(count.get() + 1));
            Self(())
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            let _ = COUNT.try_with(|count| count.set(count.get() - 1));
        }
    }

    #[track_caller]
    pub(super) fn assert_none() {
        let count = COUNT.try_with(Cell::get).unwrap_or(0);
        // a second panic of a thread would end the process, and hide the first
        assert!(count == 0 || panicking(), "code of others is reached under {count} of our locks");
    }
}

// ---- panics -----------------------------------------------------------------------------------

/// Code of others panicked. What it panicked with is dropped; the panic hook has shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Calls code of others.
///
/// # Errors
/// If it panicked.
#[inline]
#[track_caller]
pub fn call<T>(f: impl FnOnce() -> T) -> Result<T, Panicked> {
    assert_no_lock();
    catch_unwind(AssertUnwindSafe(f)).map_err(Panicked::with)
}

/// Drops what is or may be of others; its panic ends nothing.
#[inline]
#[track_caller]
pub fn let_go<T>(value: T) {
    if needs_drop::<T>() {
        let _ = call(|| drop(value));
    }
}

/// Drops all of them, each by itself: of two destructors that panic at the same time the process
/// would end.
#[track_caller]
pub fn let_go_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(let_go);
}

/// Wakes whoever waits: code of whoever polls. Hardly ever does anybody.
#[inline]
#[track_caller]
pub fn wake(wakers: Vec<Waker>) {
    if !wakers.is_empty() {
        wake_each(wakers);
    }
}

#[cold]
#[track_caller]
fn wake_each(wakers: Vec<Waker>) {
    for waker in wakers {
        let _ = call(|| waker.wake());
    }
}

impl Panicked {
    /// Code of others panicked with this, which is dropped.
    #[cold]
    #[inline(never)]
    pub fn with(payload: Box<dyn Any + Send>) -> Self {
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // it may be another of the same kind, and so on for ever
            forget(another);
        }
        Self
    }
}

/// A future of others: each poll is a [`call`], and so is its destructor, at the end or before it.
pub struct Guarded<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T> Guarded<T> {
    /// Guards a future.
    #[must_use]
    pub fn new(future: Pin<Box<dyn Future<Output = T> + Send>>) -> Self {
        Self(Some(future))
    }
}

impl<T> Future for Guarded<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // polled after its end: it has none any more
        let Some(future) = &mut self.0 else { return Poll::Ready(Err(Panicked)) };
        let ended = match call(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panicked) => Err(panicked),
        };
        let_go(self.0.take());
        Poll::Ready(ended)
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let_go(self.0.take());
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guarded").field(&self.0.is_some()).finish()
    }
}

// ---- the log ----------------------------------------------------------------------------------

/// Writes a line of the log. Of a subscriber that panics nothing is said: there is no log.
#[cold]
#[inline(never)]
#[track_caller]
pub fn say(line: &dyn Fn()) {
    let _ = call(line);
}

/// Logs as the macro of `tracing` whose name comes first (`log!(debug: "text")`), but a subscriber
/// that panics, as one does that cannot write, does so here and nowhere else. It costs what that
/// macro costs while nobody looks at its level.
#[doc(hidden)]
#[macro_export]
macro_rules! log {
    (error: $($event:tt)+) => { $crate::log!(@ ERROR error $($event)+) };
    (warn: $($event:tt)+) => { $crate::log!(@ WARN warn $($event)+) };
    (info: $($event:tt)+) => { $crate::log!(@ INFO info $($event)+) };
    (debug: $($event:tt)+) => { $crate::log!(@ DEBUG debug $($event)+) };
    (@ $level:ident $name:ident $($event:tt)+) => {
        if ::tracing::Level::$level <= ::tracing::level_filters::STATIC_MAX_LEVEL
            && ::tracing::Level::$level <= ::tracing::level_filters::LevelFilter::current()
        {
            $crate::guard::say(&|| ::tracing::$name!($($event)+));
        }
    };
}

/// Lets some lines of a log pass, and counts the others: for what clients can bring about as often
/// as they like.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    from: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl LogThrottle {
    /// Whether a line may be written: how many were not since the last one that was.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut window = lock(&self.0);
        if window.from.is_none_or(|from| now.saturating_duration_since(from) >= WINDOW) {
            (window.from, window.lines) = (Some(now), 0);
        }
        if window.lines >= LINES {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

/// Lines of a kind in a [`WINDOW`]: enough to see what is going on, and not what a client that does
/// it on purpose can fill a disk with.
const LINES: u32 = 10;

const WINDOW: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics whenever it is dropped, and so does what it panics with.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Self);
        }
    }

    #[test]
    fn what_is_panicked_with_is_dropped_where_it_does_no_harm() {
        assert_eq!(call(|| panic_any(Bomb)), Err::<(), _>(Panicked));
        assert_eq!(call(|| 7), Ok(7));
        let_go(Bomb);
        let_go_each([Bomb, Bomb]);
    }

    #[test]
    fn a_future_that_panics_when_it_is_polled_and_when_it_is_dropped() {
        let mut cx = Context::from_waker(Waker::noop());
        let bomb = Bomb;
        let mut pending = Guarded::new(Box::pin(async move {
            std::future::pending::<()>().await;
            drop(bomb);
        }));
        assert!(Pin::new(&mut pending).poll(&mut cx).is_pending());
        drop(pending);
        let mut panicking: Guarded<()> = Guarded::new(Box::pin(async { panic_any(Bomb) }));
        assert_eq!(Pin::new(&mut panicking).poll(&mut cx), Poll::Ready(Err(Panicked)));
        let mut ready = Guarded::new(Box::pin(async { 7 }));
        assert_eq!(Pin::new(&mut ready).poll(&mut cx), Poll::Ready(Ok(7)));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "where the time of the test begins")]
    fn lines_are_few_and_the_others_are_counted() {
        let (throttle, start) = (LogThrottle::default(), Instant::now());
        for _ in 0..LINES {
            assert_eq!(throttle.pass(start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(throttle.pass(start + WINDOW - Duration::from_millis(1)), None);
        }
        assert_eq!(throttle.pass(start + WINDOW), Some(1_000));
        assert_eq!(throttle.pass(start + WINDOW), Some(0));
    }

    #[cfg(debug_assertions)]
    #[test]
    #[expect(clippy::disallowed_methods, reason = "another thread holds no lock")]
    fn code_of_others_is_not_called_under_a_lock() {
        let (mutex, table) = (Mutex::new(0), RwLock::new(0));
        let is_refused = || catch_unwind(|| call(|| ())).is_err();
        let (held, read) = (lock(&mutex), read(&table));
        assert!(is_refused());
        drop(held);
        assert!(is_refused());
        drop(read);
        assert!(!is_refused());
        let written = write(&table);
        assert!(is_refused());
        drop(written);
        let held = lock(&mutex);
        // on other threads as they are
        assert!(!std::thread::scope(|scope| scope.spawn(is_refused).join().unwrap()));
        // what a panic leaves behind is free, and counted no more
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = held;
            panic_any(1);
        }));
        assert!(panicked.is_err() && !is_refused());
        *lock(&mutex) += 1;
    }
}
