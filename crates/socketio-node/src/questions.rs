//! What JavaScript was asked and has not answered yet.

use std::collections::HashMap;
use std::sync::Mutex;

use engineio_proto::guard::lock;
use tokio::sync::oneshot;

/// What waits for an answer. It is bounded by what asks: clients on their way into namespaces.
#[derive(Debug)]
pub(crate) struct Questions<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    waiting: HashMap<u32, oneshot::Sender<T>>,
    last: u32,
}

impl<T> Default for Questions<T> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: HashMap::new(), last: 0 }))
    }
}

impl<T> Questions<T> {
    /// A new question's number, and its answer to come.
    pub(crate) fn ask(&self) -> (u32, oneshot::Receiver<T>) {
        let (answer, receiver) = oneshot::channel();
        let mut state = lock(&self.0);
        loop {
            state.last = state.last.wrapping_add(1);
            if state.last != 0 && !state.waiting.contains_key(&state.last) {
                break;
            }
        }
        let number = state.last;
        state.waiting.insert(number, answer);
        (number, receiver)
    }

    /// The answer is there; who asked may have gone.
    pub(crate) fn answer(&self, question: u32, answer: T) {
        let waiting = lock(&self.0).waiting.remove(&question);
        if let Some(waiting) = waiting {
            // nobody waits any more
            let _ = waiting.send(answer);
        }
    }

    /// The answer is not waited for any more.
    pub(crate) fn forget(&self, question: u32) {
        let waiting = lock(&self.0).waiting.remove(&question);
        drop(waiting);
    }

    /// Nothing will be answered.
    pub(crate) fn clear(&self) {
        let waiting = std::mem::take(&mut lock(&self.0).waiting);
        drop(waiting);
    }
}
