//! Emits of one turn are written together.
//!
//! While the driver handles what it read, pushes only queue; the sessions that got something are
//! listed on the thread and flushed when the turn ends. So a burst of answers is one write, and a
//! handler that emits three times to a room costs each member one write. A fan-out is a turn, too,
//! wherever it is made: nothing is written while the lock of its members is held.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use engineio_proto::guard;

use super::flush::Flush;
use super::removed::Removed;

/// This many sessions are flushed by the thread that emitted. Of more, the rest is shared out to the
/// runtime's workers, who look at their other tasks after each portion of this size: some 0.3 ms.
/// So a large room holds up neither the emitter's connection nor anybody else's.
const PORTION: usize = 64;

/// Pointers whose room a thread keeps for its next fan-out.
const KEEP: usize = 4096;

/// The turn of a thread. Apart from what is listed, as each push looks at it.
struct State {
    active: Cell<bool>,
    /// The session whose turn it is: its driver flushes it, so it is not listed but noted.
    own: Cell<usize>,
    own_listed: Cell<bool>,
    /// A fan-out is being queued: nothing is flushed. And whether a queue has got so full meanwhile
    /// that it is to be flushed right after.
    held: Cell<bool>,
    urgent: Cell<bool>,
}

struct List {
    sessions: Vec<Arc<dyn Flush>>,
    /// What full queues removed during the fan-out.
    removed: Vec<Removed>,
    /// What is done before they are flushed.
    before: Vec<Before>,
}

thread_local! {
    static STATE: State = const {
        State {
            active: Cell::new(false),
            own: Cell::new(0),
            own_listed: Cell::new(false),
            held: Cell::new(false),
            urgent: Cell::new(false),
        }
    };
    static LIST: RefCell<List> = const {
        RefCell::new(List { sessions: Vec::new(), removed: Vec::new(), before: Vec::new() })
    };
}

/// Whether a turn runs on this thread.
pub(crate) fn is_active() -> bool {
    STATE.with(|state| state.active.get())
}

/// Whether a fan-out is being queued on this thread.
pub(crate) fn is_held() -> bool {
    STATE.with(|state| state.held.get())
}

/// Puts a session into the list of the running turn, or flushes it if none runs.
#[inline]
pub(crate) fn list<S: Flush + 'static>(session: &Arc<S>) {
    STATE.with(|state| match state.active.get() {
        true if state.own.get() == address(session) => state.own_listed.set(true),
        true => push(Arc::<S>::clone(session)),
        false => session.flush(),
    });
}

/// Flushes a session whose queue has got long, or lists it if that must wait.
pub(crate) fn flush_or_list<S: Flush + 'static>(session: &Arc<S>) {
    STATE.with(|state| match state.held.get() {
        true => {
            state.urgent.set(true);
            push(Arc::<S>::clone(session)); // also if the turn is its own
        }
        false => session.flush(),
    });
}

#[inline]
fn push(session: Arc<dyn Flush>) {
    LIST.with_borrow_mut(|list| list.sessions.push(session));
}

/// Lets go of what a push removed; during a fan-out when that is over, as whoever makes it may hold a
/// lock.
pub(crate) fn let_go(removed: Box<Removed>) {
    match is_held() {
        true => LIST.with_borrow_mut(|list| list.removed.push(*removed)),
        false => removed.let_go(),
    }
}

/// Queues a fan-out: what is pushed on this thread while `f` runs is not written before `f` returns,
/// so `f` may hold a lock. Within a session's turn it is written when the turn ends, or at once where
/// a queue has got long.
pub fn fan_out<R>(f: impl FnOnce() -> R) -> R {
    struct Hold(bool);
    impl Drop for Hold {
        fn drop(&mut self) {
            STATE.with(|state| state.held.set(self.0));
            if self.0 {
                return;
            }
            let urgent = STATE.with(|state| state.urgent.take());
            let removed = LIST.with_borrow_mut(|list| std::mem::take(&mut list.removed));
            if !removed.is_empty() {
                removed.into_iter().for_each(Removed::let_go);
            }
            if urgent {
                flush_all();
            }
        }
    }
    let _turn = Turn::start(0);
    let _hold = Hold(STATE.with(|state| state.held.replace(true)));
    f()
}

/// Something to be done before the clients that a turn has emitted to are written to.
///
/// For whoever has a write of its own to make, which should not wait for theirs: a cluster's, to its
/// broker. Handed in once or many times in a turn, it is done once, at its end.
#[derive(Clone)]
pub struct Before(Arc<dyn Fn() + Send + Sync>);

impl Before {
    /// It must neither block nor panic.
    #[must_use]
    pub fn new(f: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// Has it done: at the end of the turn, or at once outside of one.
    pub fn writing(&self) {
        if !is_active() {
            return (self.0)();
        }
        LIST.with_borrow_mut(|list| {
            if !list.before.iter().any(|other| Arc::ptr_eq(&other.0, &self.0)) {
                list.before.push(self.clone());
            }
        });
    }
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").finish_non_exhaustive()
    }
}

/// Does what is to be done before the turn's writes, of which the driver makes the first.
pub(crate) fn before_writing() {
    let before = LIST.with_borrow_mut(|list| {
        (!list.before.is_empty()).then(|| std::mem::take(&mut list.before))
    });
    if let Some(before) = before {
        do_each(before);
    }
}

/// Apart from turns that have nothing to be done, as most.
#[inline(never)]
fn do_each(before: Vec<Before>) {
    for before in before {
        let _ = guard::call(|| (before.0)());
    }
}

/// The driver of a session is about to flush it.
pub(crate) fn flushing<S>(session: &Arc<S>) {
    STATE.with(|state| {
        if state.own.get() == address(session) {
            state.own_listed.set(false);
        }
    });
}

/// A turn: what is pushed on this thread meanwhile is written when it ends. Within another one it
/// has no effect.
#[derive(Debug)]
pub(crate) struct Turn {
    outermost: bool,
}

impl Turn {
    /// Begins the turn of a session.
    pub(crate) fn begin<S>(own: &Arc<S>) -> Self {
        Self::start(address(own))
    }

    fn start(own: usize) -> Self {
        STATE.with(|state| {
            let outermost = !state.active.replace(true);
            if outermost {
                state.own.set(own);
            }
            Self { outermost }
        })
    }

    /// True: something was pushed to the session itself since its driver flushed it.
    pub(crate) fn end(self) -> bool {
        self.outermost && STATE.with(|state| state.own_listed.take())
    }
}

/// Also when the turn panics.
impl Drop for Turn {
    fn drop(&mut self) {
        if !self.outermost {
            return;
        }
        STATE.with(|state| {
            state.active.set(false);
            state.own_listed.set(false);
        });
        let is_done = LIST.with_borrow(|list| list.before.is_empty() && list.sessions.is_empty());
        if !is_done {
            before_writing();
            flush_all();
        }
    }
}

/// Flushes the listed sessions.
fn flush_all() {
    let mut sessions = LIST.with_borrow_mut(|list| std::mem::take(&mut list.sessions));
    if sessions.len() > PORTION {
        share_out(&mut sessions);
    }
    sessions.drain(..).for_each(|session| session.flush());
    if sessions.capacity() <= KEEP {
        LIST.with_borrow_mut(|list| list.sessions = sessions);
    }
}

/// What tells sessions apart that exist.
fn address<S>(session: &Arc<S>) -> usize {
    Arc::as_ptr(session).addr()
}

/// Leaves one portion and gives the rest to tasks, one for each worker.
fn share_out(sessions: &mut Vec<Arc<dyn Flush>>) {
    let runtime = sessions[0].runtime().clone();
    let portions = (sessions.len() - 1) / PORTION;
    let tasks = runtime.metrics().num_workers().clamp(1, portions);
    let share = (sessions.len() - PORTION).div_ceil(tasks);
    while sessions.len() > PORTION {
        let rest = sessions.len() - PORTION;
        let share = sessions.split_off(PORTION + rest - rest.min(share));
        runtime.spawn(async move {
            for portion in share.chunks(PORTION) {
                portion.iter().for_each(|session| session.flush());
                tokio::task::yield_now().await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use engineio_proto::Outgoing;
    use tokio::runtime::{Handle, Runtime};

    use super::*;

    #[test]
    fn before_writing_is_once_a_turn() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let before = Before::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let done = || count.load(Ordering::Relaxed);
        before.writing();
        assert_eq!(done(), 1);
        let turn = Turn::start(0);
        fan_out(|| before.writing());
        before.writing();
        assert_eq!(done(), 1);
        drop(turn);
        assert_eq!(done(), 2);
        // nothing is left of it for the next turn
        drop(Turn::start(0));
        assert_eq!(done(), 2);
    }

    struct Session {
        flushed: AtomicUsize,
        runtime: Handle,
    }

    impl Flush for Session {
        fn flush(&self) {
            assert!(!is_held(), "nothing is written while a fan-out is queued");
            self.flushed.fetch_add(1, Ordering::Relaxed);
        }

        fn runtime(&self) -> &Handle {
            &self.runtime
        }
    }

    fn sessions(runtime: &Runtime, count: usize) -> Vec<Arc<Session>> {
        let session =
            |_| Session { flushed: AtomicUsize::new(0), runtime: runtime.handle().clone() };
        (0..count).map(session).map(Arc::new).collect()
    }

    fn flushed(sessions: &[Arc<Session>]) -> Vec<usize> {
        sessions.iter().map(|session| session.flushed.load(Ordering::Relaxed)).collect()
    }

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn what_a_turn_lists_is_flushed_at_its_end() {
        let runtime = runtime();
        let all = sessions(&runtime, 3);
        list(&all[0]);
        assert_eq!(flushed(&all), [1, 0, 0], "no turn: at once");
        let turn = Turn::begin(&all[0]);
        assert!(is_active());
        all.iter().for_each(list);
        let inner = Turn::begin(&all[1]);
        list(&all[1]);
        assert!(!inner.end(), "a turn within another one is none");
        flush_or_list(&all[2]);
        assert_eq!(flushed(&all), [1, 0, 1], "that one is urgent");
        assert!(turn.end(), "its own session got something");
        assert!(!is_active());
        assert_eq!(flushed(&all), [1, 2, 2], "but is its driver's to flush");

        let turn = Turn::begin(&all[0]);
        list(&all[0]);
        flushing(&all[1]);
        flushing(&all[0]);
        assert!(!turn.end(), "its driver has flushed it");
        let turn = Turn::begin(&all[0]);
        list(&all[0]);
        flushing(&all[1]);
        assert!(turn.end(), "another one was flushed");
        assert_eq!(flushed(&all), [1, 2, 2]);
    }

    #[test]
    fn a_fan_out_is_flushed_when_it_is_queued() {
        let runtime = runtime();
        let all = sessions(&runtime, 2);
        fan_out(|| {
            assert!(is_active() && is_held());
            list(&all[0]);
            fan_out(|| flush_or_list(&all[1]));
            assert!(is_held());
            assert_eq!(flushed(&all), [0, 0]);
        });
        assert_eq!((flushed(&all), is_held()), (vec![1, 1], false));
        // within a turn: with its end, but at once where a queue has got long
        let turn = Turn::begin(&all[0]);
        fan_out(|| list(&all[1]));
        assert_eq!(flushed(&all), [1, 1]);
        fan_out(|| flush_or_list(&all[0]));
        assert_eq!(flushed(&all), [2, 2], "all that is listed, its own session as well");
        assert!(!turn.end());
        assert_eq!(flushed(&all), [2, 2]);
    }

    #[test]
    fn what_was_removed_is_let_go_of_after_a_fan_out() {
        struct Owner(Arc<AtomicUsize>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                b"x"
            }
        }
        impl Drop for Owner {
            fn drop(&mut self) {
                assert!(!is_held());
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let gone = Arc::new(AtomicUsize::new(0));
        let removed = || {
            let bytes = Bytes::from_owner(Owner(Arc::clone(&gone)));
            let mut removed = Box::<Removed>::default();
            removed.packets.push_back(Outgoing::binary_message(bytes));
            removed
        };
        let count = || gone.load(Ordering::Relaxed);
        let_go(removed());
        assert_eq!(count(), 1);
        fan_out(|| {
            fan_out(|| let_go(removed()));
            assert_eq!(count(), 1);
        });
        assert_eq!(count(), 2);
    }

    #[test]
    fn many_are_shared_out() {
        let runtime = runtime();
        let all = sessions(&runtime, 3 * PORTION + 1);
        let here = || flushed(&all).iter().sum::<usize>();
        fan_out(|| all[..PORTION].iter().for_each(list));
        assert_eq!(here(), PORTION, "a portion is no more than that");
        fan_out(|| all.iter().for_each(list));
        assert_eq!(here(), 2 * PORTION, "the rest is for the runtime's workers");
        runtime.block_on(async {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
        let expected = |at| if at < PORTION { 2 } else { 1 };
        assert_eq!(flushed(&all), (0..all.len()).map(expected).collect::<Vec<_>>());
    }
}
