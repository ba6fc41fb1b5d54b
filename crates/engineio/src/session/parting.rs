//! The end of a server in two steps: its sessions are told, and when all have come back, or the
//! time for that is over, they are closed.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use engineio_proto::guard::lock;

/// Held by what a closing server waits for before it closes the first connection; see
/// [`Application::on_server_close`](crate::Application::on_server_close).
#[derive(Clone)]
pub struct Parting(#[expect(dead_code, reason = "held for its end")] Arc<Guard>);

/// The end of it is that of all who were told.
struct Guard(Arc<Told>);

/// The state between the two steps.
pub(crate) struct Told {
    /// The second step comes at this time, whether all came back or not.
    by: Instant,
    /// `None`: it was taken.
    second: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Parting {
    pub(crate) fn new(told: &Arc<Told>) -> Self {
        Self(Arc::new(Guard(Arc::clone(told))))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Told {
    pub(crate) fn new(by: Instant, second: impl FnOnce() + Send + 'static) -> Self {
        Self { by, second: Mutex::new(Some(Box::new(second))) }
    }

    /// When the second step comes; `None`: it came.
    pub(crate) fn due(&self) -> Option<Instant> {
        lock(&self.second).is_some().then_some(self.by)
    }

    /// The second step, if its time has come. False: it has not, or the step was made before.
    pub(crate) fn close_in_time(&self, now: Instant) -> bool {
        self.by <= now && self.close()
    }

    /// The second step: closes all sessions. False: that was done before.
    pub(crate) fn close(&self) -> bool {
        let second = lock(&self.second).take();
        second.is_some_and(|second| {
            second();
            true
        })
    }
}

impl fmt::Debug for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parting").finish_non_exhaustive()
    }
}
