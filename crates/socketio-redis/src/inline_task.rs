//! A task that others may run ahead of its turn.
//!
//! Who has something for the task to do would wake it, and it would do it when its worker has done
//! all else: after the writes to clients of this node, say. So a thread that has handed it something
//! may run it at once, unless it runs already. Wherever it is polled, it has one waker: what
//! wakes it while it runs has it polled again there, and anything later wakes the task.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use socketio_adapter::guard::{self, Held, lock};
use socketio_adapter::log;
use tokio::runtime::Handle;

/// The task's work, and who runs it.
pub(crate) struct InlineTask {
    slot: Mutex<Slot>,
    runtime: Handle,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Slot {
    /// Not here: it runs, or it is over.
    work: Option<Work>,
    is_running: bool,
    /// There is a reason to poll it (again).
    is_woken: bool,
    /// What wakes the task, once it was polled.
    task: Option<Waker>,
}

impl InlineTask {
    /// Spawns the work as a task of a runtime.
    pub(crate) fn spawn(
        runtime: &Handle,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Arc<Self> {
        let runtime = runtime.clone();
        let slot = Slot { work: Some(Box::pin(work)), ..Slot::default() };
        let this = Arc::new(Self { slot: Mutex::new(slot), runtime });
        let task = Task(Arc::clone(&this));
        this.runtime.spawn(std::future::poll_fn(move |context| task.poll(context)));
        this
    }

    /// Has the work, which was given a reason to go on, do so here, if this is the runtime of the
    /// task.
    pub(crate) fn run_now(self: &Arc<Self>) {
        let is_ours = Handle::try_current().is_ok_and(|here| here.id() == self.runtime.id());
        let Some(turn) = is_ours.then(|| self.begin()).flatten() else { return };
        // a panic is the task's own, not that of who hurries it
        if guard::call(|| turn.run()).is_err() {
            log!(error: "what publishes to Redis panicked");
        }
    }

    /// Takes the work. `None`: it runs elsewhere, and will be polled there once more; or it is over.
    fn begin(self: &Arc<Self>) -> Option<Turn<'_>> {
        let mut slot = self.lock();
        slot.is_woken = true;
        let work = slot.work.take()?;
        slot.is_running = true;
        drop(slot);
        Some(Turn { of: self, work: Some(work) })
    }

    fn lock(&self) -> Held<MutexGuard<'_, Slot>> {
        lock(&self.slot)
    }
}

impl Wake for InlineTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut slot = self.lock();
            slot.is_woken = true;
            if slot.is_running { None } else { slot.task.take() }
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Who has the work. It goes back with this value.
struct Turn<'a> {
    of: &'a Arc<InlineTask>,
    /// Taken when it is over.
    work: Option<Work>,
}

impl Turn<'_> {
    fn run(mut self) {
        let waker = Waker::from(Arc::clone(self.of));
        let mut context = Context::from_waker(&waker);
        for _ in 0..ROUNDS {
            if !std::mem::take(&mut self.of.lock().is_woken) {
                return;
            }
            // taken meanwhile, so that it is gone if it panics
            let Some(mut work) = self.work.take() else { return };
            if work.as_mut().poll(&mut context).is_ready() {
                return;
            }
            self.work = Some(work);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let task = {
            let mut slot = self.of.lock();
            slot.is_running = false;
            slot.work = self.work.take();
            // it was woken since, or its end is to be told
            if slot.is_woken || slot.work.is_none() { slot.task.take() } else { None }
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// The task itself. With it goes the work, also when the runtime ends.
struct Task(Arc<InlineTask>);

impl Task {
    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let (before, is_over) = {
            let mut slot = self.0.lock();
            (slot.task.replace(waker), slot.work.is_none() && !slot.is_running)
        };
        drop(before);
        if is_over {
            return Poll::Ready(());
        }
        let Some(turn) = self.0.begin() else { return Poll::Pending };
        turn.run();
        let slot = self.0.lock();
        let is_over = slot.work.is_none() && !slot.is_running;
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let work = self.0.lock().work.take();
        drop(work);
    }
}

/// How often the work is polled in a turn. It is woken a few times by what it does itself; beyond
/// that the worker's other tasks come first.
const ROUNDS: usize = 4;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Work that counts how often it was rung for.
    fn counting() -> (Arc<Notify>, Arc<AtomicUsize>, impl Future<Output = ()> + Send + 'static) {
        let (bell, count) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (rung, counted) = (Arc::clone(&bell), Arc::clone(&count));
        let work = async move {
            loop {
                rung.notified().await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        };
        (bell, count, work)
    }

    #[tokio::test]
    async fn it_runs_where_it_is_hurried() {
        let (bell, count, work) = counting();
        let task = InlineTask::spawn(&Handle::current(), work);
        // before its first turn, and after it
        for expected in 1..=2 {
            bell.notify_one();
            task.run_now();
            assert_eq!(count.load(Ordering::Relaxed), expected);
            tokio::task::yield_now().await;
            assert_eq!(count.load(Ordering::Relaxed), expected);
        }
        // as an ordinary task
        bell.notify_one();
        tokio::task::yield_now().await;
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn another_thread_wakes_it() {
        let (bell, count, work) = counting();
        let task = InlineTask::spawn(&Handle::current(), work);
        tokio::task::yield_now().await;
        std::thread::spawn(move || {
            bell.notify_one();
            task.run_now();
        })
        .join()
        .unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 0);
        tokio::task::yield_now().await;
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    /// Work that hurries itself goes on, and is not polled within itself.
    #[tokio::test]
    async fn within_itself() {
        let bell = Arc::new(Notify::new());
        let rung = Arc::clone(&bell);
        let own: Arc<Mutex<Option<Arc<InlineTask>>>> = Arc::default();
        let (of, done) = (Arc::clone(&own), Arc::new(Notify::new()));
        let told = Arc::clone(&done);
        let task = InlineTask::spawn(&Handle::current(), async move {
            rung.notified().await;
            let this = of.lock().unwrap().take().unwrap();
            rung.notify_one();
            this.run_now();
            rung.notified().await;
            told.notify_one();
        });
        *own.lock().unwrap() = Some(Arc::clone(&task));
        bell.notify_one();
        task.run_now();
        done.notified().await;
        // over: nothing is kept
        tokio::task::yield_now().await;
        assert!(task.lock().work.is_none());
        task.run_now();
    }

    #[tokio::test]
    async fn a_panic_is_not_that_of_the_caller() {
        let bell = Arc::new(Notify::new());
        let rung = Arc::clone(&bell);
        let task = InlineTask::spawn(&Handle::current(), async move {
            rung.notified().await;
            panic!("on purpose");
        });
        bell.notify_one();
        task.run_now();
        assert!(task.lock().work.is_none());
    }

    #[test]
    fn it_ends_with_the_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (bell, _, work) = counting();
        let task = runtime.block_on(async { InlineTask::spawn(&Handle::current(), work) });
        drop(runtime);
        assert!(task.lock().work.is_none());
        bell.notify_one();
        task.run_now();
        // nothing has it any more
        assert_eq!(Arc::strong_count(&bell), 1);
    }

    /// What is rung for is done, whoever does it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn from_many_threads() {
        let queue: Arc<Mutex<Vec<usize>>> = Arc::default();
        let bell = Arc::new(Notify::new());
        let (rung, taken) = (Arc::clone(&bell), Arc::clone(&queue));
        let done = Arc::new(Notify::new());
        let told = Arc::clone(&done);
        let task = InlineTask::spawn(&Handle::current(), async move {
            let mut count = 0;
            while count < 4000 {
                rung.notified().await;
                count += std::mem::take(&mut *taken.lock().unwrap()).len();
            }
            told.notify_one();
        });
        for _ in 0..4 {
            let (task, bell, queue) = (Arc::clone(&task), Arc::clone(&bell), Arc::clone(&queue));
            tokio::spawn(async move {
                for n in 0..1000 {
                    queue.lock().unwrap().push(n);
                    bell.notify_one();
                    task.run_now();
                    if n % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        tokio::time::timeout(std::time::Duration::from_secs(20), done.notified()).await.unwrap();
    }
}
