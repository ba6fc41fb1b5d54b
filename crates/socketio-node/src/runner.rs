//! Commands on their way: in the order of JavaScript, one batch at a time, on a worker; or on the thread
//! of JavaScript, where that waits for an answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use engineio_proto::guard::{self, lock};
use tokio::runtime::Handle;

/// What JavaScript hands over at a time: lines, and the bytes that they name.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(crate) text: String,
    pub(crate) buffers: Vec<Bytes>,
}

/// The batches that wait. JavaScript waits for none, so it bounds them by what it does in a turn.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    queue: Mutex<Queue>,
    /// Held by who runs a batch, so that the next does not overtake it. It is no lock of data: what runs
    /// under it takes all others.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Commands>,
    /// A worker is on its way.
    scheduled: bool,
}

/// Who carries out commands.
pub(crate) trait Carry: Send + Sync + 'static {
    fn runner(&self) -> &Runner;
    fn carry_out(&self, commands: Commands);
}

impl Runner {
    /// Has a worker carry out a batch, behind those before it.
    pub(crate) fn hand_over<C: Carry>(carrier: &Arc<C>, commands: Commands, runtime: &Handle) {
        let is_to_come = {
            let mut queue = lock(&carrier.runner().queue);
            queue.batches.push_back(commands);
            !std::mem::replace(&mut queue.scheduled, true)
        };
        if is_to_come {
            let carrier = Arc::clone(carrier);
            runtime.spawn(async move { Self::run(&*carrier) });
        }
    }

    /// Carries out what waits, until nothing does.
    pub(crate) fn run<C: Carry>(carrier: &C) {
        let runner = carrier.runner();
        let _turn = runner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let commands = {
                let mut queue = lock(&runner.queue);
                let next = queue.batches.pop_front();
                queue.scheduled = next.is_some();
                next
            };
            let Some(commands) = commands else { return };
            // a panic must not end the rest: it is a fault of ours, and logged by who caught it
            let _ = guard::call(|| carrier.carry_out(commands));
        }
    }
}
