//! Gates: parts of a session's traffic that open and close in step with the packets around them.

use std::sync::atomic::{AtomicBool, Ordering};

/// A share of a session's traffic that is opened and closed in step with the packets around it,
/// such as one namespace: what is pushed through a closed gate goes nowhere.
///
/// The gate is switched under the lock of the session's queue only, and a push looks at it under
/// the same lock; so nothing can follow the packet that closes it, nor precede the one that opens
/// it. A gate belongs to one session.
#[derive(Debug, Default)]
pub struct Gate(AtomicBool);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the gate is open at this moment.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Closes the gate. False: it was closed.
    pub(crate) fn close(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
