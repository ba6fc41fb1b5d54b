//! The one runtime of the process, whichever environment of JavaScript asks first.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::node::Failure;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// The runtime; made with so many threads if it is not there.
///
/// # Errors
/// If the system refuses threads.
pub(crate) fn handle(threads: Option<usize>) -> Result<Handle, Failure> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.handle().clone());
    }
    let made = Builder::new_multi_thread()
        .worker_threads(threads.unwrap_or_else(usual_threads).max(1))
        .thread_name("socketio-rs")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no threads: {error}")))?;
    let handle = made.handle().clone();
    *runtime = Some(made);
    Ok(handle)
}

/// How many cores the process may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// One core is JavaScript's, and more than a few would wait for it.
fn usual_threads() -> usize {
    cores().saturating_sub(1).clamp(1, 4)
}
