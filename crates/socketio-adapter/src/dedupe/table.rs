//! The events that a store in memory knows: pure data.
//!
//! ```text
//!              claim               settle: handled            too old, too many
//!   (nothing) ───────▶ running ──────────────────────▶ done ────────────────────▶ (nothing)
//!       ▲                 │ settle: failed
//!       └─────────────────┘
//! ```
//!
//! What is running is never forgotten: somebody handles it now.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Instant;

use super::{DedupeKey, DedupeOptions, Handled, Outcome, Turn};

/// All events of a store.
#[derive(Default)]
pub(super) struct Table {
    scopes: HashMap<Arc<str>, Scope>,
    /// What was handled, in the order in which it was.
    done: BTreeMap<u64, (Arc<str>, Arc<str>)>,
    next: u64,
    count: usize,
    bytes: usize,
}

#[derive(Default)]
struct Scope {
    events: HashMap<Arc<str>, Event>,
    /// Those that were handled, oldest first; some may be gone.
    done: VecDeque<u64>,
}

enum Event {
    Running(Vec<(u64, Waker)>),
    Done { order: u64, at: Instant, handled: Handled, bytes: usize },
}

/// What was let go of or is to be woken, behind the lock.
#[derive(Default)]
pub(super) struct Leftovers {
    handled: Vec<Handled>,
    /// Of those that do not wait any more.
    unused: Vec<Waker>,
    /// Of those that are to ask again.
    woken: Vec<Waker>,
}

impl Leftovers {
    /// Wakes who is to ask again, and drops the rest.
    pub(super) fn settle(self) {
        drop((self.handled, self.unused));
        self.woken.into_iter().for_each(Waker::wake);
    }
}

/// The names of an event in a table. The lengths keep two that are put together from being a third.
pub(super) struct Names {
    scope: Arc<str>,
    event: Arc<str>,
}

impl Names {
    pub(super) fn of(key: &DedupeKey) -> Self {
        let DedupeKey { namespace, scope, event, key } = key;
        Self {
            scope: format!("{}:{namespace}{scope}", namespace.len()).into(),
            event: format!("{}:{event}{key}", event.len()).into(),
        }
    }

    /// What an event takes besides its answer.
    fn bytes(&self) -> usize {
        OVERHEAD + self.scope.len() + self.event.len()
    }
}

impl Table {
    /// Whose the event is; `None`: somebody else's, whose end `waiter` waits for.
    pub(super) fn claim(
        &mut self,
        names: &Names,
        waiter: (u64, Waker),
        now: Instant,
        options: &DedupeOptions,
        leftovers: &mut Leftovers,
    ) -> Option<Turn> {
        self.expire(now, options, leftovers);
        let event = self.scopes.get_mut(&names.scope).and_then(|s| s.events.get_mut(&names.event));
        match event {
            Some(Event::Done { handled, .. }) => {
                leftovers.unused.push(waiter.1);
                return Some(Turn::Handled(handled.clone()));
            }
            Some(Event::Running(waiters)) => {
                match waiters.iter_mut().find(|(id, _)| *id == waiter.0) {
                    Some((_, waker)) => leftovers.unused.push(std::mem::replace(waker, waiter.1)),
                    None => waiters.push(waiter),
                }
                return None;
            }
            None => leftovers.unused.push(waiter.1),
        }
        if !self.make_room(names, options, leftovers) {
            return Some(Turn::Full);
        }
        let scope = self.scopes.entry(Arc::clone(&names.scope)).or_default();
        scope.events.insert(Arc::clone(&names.event), Event::Running(Vec::new()));
        self.count += 1;
        self.bytes += names.bytes();
        Some(Turn::Yours)
    }

    /// Makes room for one event more. False: all that could go is running.
    fn make_room(
        &mut self,
        names: &Names,
        options: &DedupeOptions,
        leftovers: &mut Leftovers,
    ) -> bool {
        let of_scope = self.scopes.get(&names.scope).map_or(0, |scope| scope.events.len());
        if of_scope >= options.max_keys_per_scope {
            options.counters.scope_keys.fetch_add(1, Relaxed);
            let scope = self.scopes.get_mut(&names.scope);
            let oldest = scope.and_then(|scope| {
                std::iter::from_fn(|| scope.done.pop_front()).find(|at| self.done.contains_key(at))
            });
            let Some(oldest) = oldest else { return false };
            self.forget(oldest, leftovers);
        }
        if self.count >= options.max_keys {
            options.counters.keys.fetch_add(1, Relaxed);
            let Some((&oldest, _)) = self.done.first_key_value() else { return false };
            self.forget(oldest, leftovers);
        }
        true
    }

    /// Nobody waits under this number any more.
    pub(super) fn give_up(&mut self, names: &Names, id: u64, leftovers: &mut Leftovers) {
        let event = self.scopes.get_mut(&names.scope).and_then(|s| s.events.get_mut(&names.event));
        if let Some(Event::Running(waiters)) = event
            && let Some(at) = waiters.iter().position(|(other, _)| *other == id)
        {
            leftovers.unused.push(waiters.remove(at).1);
        }
    }

    pub(super) fn settle(
        &mut self,
        names: &Names,
        outcome: Outcome,
        now: Instant,
        options: &DedupeOptions,
        leftovers: &mut Leftovers,
    ) {
        let Some(scope) = self.scopes.get_mut(&names.scope) else { return };
        let Some(event) = scope.events.get_mut(&names.event) else { return };
        let Event::Running(waiters) = event else { return };
        leftovers.woken.extend(waiters.drain(..).map(|(_, waker)| waker));
        match outcome {
            Outcome::Failed => self.remove(&names.scope, &names.event, leftovers),
            Outcome::Handled(handled, bytes) => {
                let order = self.next;
                self.next += 1;
                *event = Event::Done { order, at: now, handled, bytes };
                // what is gone of a scope that is used for long is not kept in mind
                if scope.done.len() > 2 * scope.events.len() {
                    let done = &self.done;
                    scope.done.retain(|at| done.contains_key(at));
                }
                scope.done.push_back(order);
                self.done.insert(order, (Arc::clone(&names.scope), Arc::clone(&names.event)));
                self.bytes += bytes;
            }
        }
        while self.bytes > options.max_bytes {
            let Some((&oldest, _)) = self.done.first_key_value() else { break };
            options.counters.bytes.fetch_add(1, Relaxed);
            self.forget(oldest, leftovers);
        }
        self.expire(now, options, leftovers);
    }

    /// Forgets what was handled long ago.
    fn expire(&mut self, now: Instant, options: &DedupeOptions, leftovers: &mut Leftovers) {
        while let Some((&order, (scope, name))) = self.done.first_key_value() {
            let event = self.scopes.get(scope).and_then(|scope| scope.events.get(name));
            let is_old = match event {
                Some(Event::Done { at, .. }) => now.saturating_duration_since(*at) > options.keep,
                _ => true,
            };
            if !is_old {
                break;
            }
            self.forget(order, leftovers);
        }
    }

    /// Forgets what was handled as the so manieth.
    fn forget(&mut self, order: u64, leftovers: &mut Leftovers) {
        if let Some((scope, event)) = self.done.remove(&order) {
            self.remove(&scope, &event, leftovers);
        }
    }

    fn remove(&mut self, scope: &Arc<str>, name: &Arc<str>, leftovers: &mut Leftovers) {
        let Some(found) = self.scopes.get_mut(scope) else { return };
        let Some(event) = found.events.remove(name) else { return };
        if found.events.is_empty() {
            self.scopes.remove(scope);
        }
        let names = Names { scope: Arc::clone(scope), event: Arc::clone(name) };
        self.count -= 1;
        self.bytes -= names.bytes();
        match event {
            Event::Running(waiters) => {
                leftovers.woken.extend(waiters.into_iter().map(|(_, waker)| waker));
            }
            Event::Done { order, handled, bytes, .. } => {
                self.done.remove(&order);
                self.bytes -= bytes;
                leftovers.handled.push(handled);
            }
        }
    }

    /// Events, and bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.count, self.bytes)
    }
}

/// About what the tables take for an event.
const OVERHEAD: usize = 250;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::*;
    use socketio_parser::Value;

    use crate::recovery::Clock;

    struct Store {
        table: Table,
        options: DedupeOptions,
        now: Instant,
    }

    impl Store {
        fn new(change: impl FnOnce(&mut DedupeOptions)) -> Self {
            let now = start();
            let mut options = DedupeOptions::new(Clock::new(move || now));
            change(&mut options);
            Self { table: Table::default(), options, now }
        }

        /// `y`: yours, `w`: wait, `f`: full, else what it was answered.
        fn claim(&mut self, scope: &str, key: &str) -> String {
            let mut leftovers = Leftovers::default();
            let (names, waiter) = (names(scope, key), (7, Waker::noop().clone()));
            let turn = self.table.claim(&names, waiter, self.now, &self.options, &mut leftovers);
            match turn {
                Some(Turn::Yours) => "y".to_owned(),
                Some(Turn::Full) => "f".to_owned(),
                Some(Turn::Handled(Handled::Answered(values))) => format!("{values:?}"),
                Some(Turn::Handled(handled)) => format!("{handled:?}"),
                None => "w".to_owned(),
            }
        }

        /// How many are woken.
        fn settle(&mut self, scope: &str, key: &str, outcome: Outcome) -> usize {
            let mut leftovers = Leftovers::default();
            let names = names(scope, key);
            self.table.settle(&names, outcome, self.now, &self.options, &mut leftovers);
            leftovers.woken.len()
        }

        fn handle(&mut self, scope: &str, key: &str) {
            assert_eq!(self.claim(scope, key), "y", "{scope} {key}");
            self.settle(scope, key, Outcome::Handled(Handled::Unanswered, 0));
        }
    }

    fn names(scope: &str, key: &str) -> Names {
        let (scope, event, key) = (scope.to_owned(), "pay".to_owned(), key.to_owned());
        Names::of(&DedupeKey { namespace: "/".into(), scope, event, key })
    }

    fn count(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }

    #[test]
    fn the_first_handles_and_the_others_have_its_answer() {
        let mut store = Store::new(|_| {});
        assert_eq!(["a", "b", "a"].map(|scope| store.claim(scope, "k")), ["y", "y", "w"]);
        assert_eq!(store.claim("a", "k"), "w", "under the same number: one waiter");
        let answer = Handled::Answered([Value::from(7)].into());
        assert_eq!(store.settle("a", "k", Outcome::Handled(answer, 16)), 1);
        assert_eq!(store.claim("a", "k"), "[Int(7)]");
        // who failed has not handled it
        assert_eq!(store.settle("b", "k", Outcome::Failed), 0);
        assert_eq!(store.claim("b", "k"), "y");
        store.settle("b", "k", Outcome::Handled(Handled::TooLarge, 0));
        assert_eq!(store.claim("b", "k"), "TooLarge");
        // nobody settles twice, nor what nobody has
        store.settle("b", "k", Outcome::Failed);
        store.settle("c", "k", Outcome::Handled(Handled::Unanswered, 0));
        assert_eq!((store.claim("b", "k"), store.claim("c", "k")), ("TooLarge".into(), "y".into()));
    }

    #[test]
    fn names_that_are_put_together_are_no_others() {
        let names = |namespace: &str, scope: &str, event: &str, key: &str| {
            let key = DedupeKey {
                namespace: namespace.into(),
                scope: scope.into(),
                event: event.into(),
                key: key.into(),
            };
            let Names { scope, event } = Names::of(&key);
            (scope, event)
        };
        assert_ne!(names("/a", "b", "e", "k"), names("/", "ab", "e", "k"));
        assert_ne!(names("/", "a", "e1", "k"), names("/", "a", "e", "1k"));
        assert_ne!(names("/", "a", "1", "1:1"), names("/", "a", "11", ":1"));
    }

    #[test]
    fn each_bound_forgets_the_oldest_and_counts() {
        let mut store = Store::new(|options| options.max_keys_per_scope = 2);
        ["1", "2", "3"].iter().for_each(|key| store.handle("a", key));
        store.handle("b", "1");
        assert_eq!(store.claim("a", "2"), "Unanswered");
        assert_eq!((store.claim("a", "1"), store.claim("a", "2")), ("y".into(), "y".into()));
        assert_eq!(store.claim("a", "4"), "f", "both are running");
        assert_eq!(count(&store.options.counters.scope_keys), 4);
        assert_eq!(store.claim("b", "1"), "Unanswered");

        let mut store = Store::new(|options| options.max_keys = 2);
        ["a", "b", "c"].iter().for_each(|scope| store.handle(scope, "1"));
        assert_eq!(
            (store.claim("b", "1"), store.claim("a", "1")),
            ("Unanswered".into(), "y".into())
        );
        assert_eq!(
            (store.claim("c", "1"), store.claim("b", "1")),
            ("Unanswered".into(), "y".into())
        );
        assert_eq!(store.claim("d", "1"), "f");
        assert_eq!(count(&store.options.counters.keys), 4);

        let mut store = Store::new(|options| options.max_bytes = 1_000);
        for key in ["1", "2", "3"] {
            assert_eq!(store.claim("a", key), "y");
            let answer = Handled::Answered([Value::from(key)].into());
            store.settle("a", key, Outcome::Handled(answer, 100));
        }
        assert_eq!(
            (store.claim("a", "3"), store.claim("a", "1")),
            ("[String(\"3\")]".into(), "y".into())
        );
        assert_eq!(count(&store.options.counters.bytes), 1);

        let mut store = Store::new(|_| {});
        store.handle("a", "1");
        store.now += Duration::from_secs(200);
        store.handle("a", "2");
        store.now += Duration::from_secs(101);
        assert_eq!(
            (store.claim("a", "1"), store.claim("a", "2")),
            ("y".into(), "Unanswered".into())
        );
    }

    #[test]
    fn nothing_is_left_of_what_is_forgotten() {
        let mut store = Store::new(|options| options.max_keys = 1_000);
        for n in 0..20_000 {
            store.handle(&format!("scope {}", n % 700), &n.to_string());
        }
        assert_eq!(store.table.size().0, 1_000);
        let noted: usize = store.table.scopes.values().map(|scope| scope.done.len()).sum();
        assert!(noted < 5_000, "{noted}");
        store.now += Duration::from_secs(1_000);
        assert_eq!(store.claim("a", "1"), "y");
        store.settle("a", "1", Outcome::Failed);
        assert_eq!(store.table.size(), (0, 0));
        assert!(store.table.scopes.is_empty() && store.table.done.is_empty());
    }

    #[expect(clippy::disallowed_methods, reason = "where the hands of the clock begin")]
    fn start() -> Instant {
        Instant::now()
    }
}
