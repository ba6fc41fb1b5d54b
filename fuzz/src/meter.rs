//! Bounds on memory and time, in terms of the input's length.
//!
//! No allocation may be sized by a number from the wire, and reading is linear. So what is taken
//! is at most so many bytes per byte of input and some more; a target says how many.

use std::time::{Duration, Instant};

use crate::allocator::{self, Counts};

/// Measures from its making on.
pub(crate) struct Meter {
    start: Counts,
    since: Instant,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { start: allocator::start(), since: Instant::now() }
    }

    /// Checks that since the start no more was held at a time than `per_byte` times the input's
    /// length and `constant`. In all it may be four times of that, and what is small and soon gone:
    /// for each message that comes in two frames, that is in twelve bytes, there is a buffer of a KiB.
    #[track_caller]
    pub(crate) fn check(&self, len: usize, per_byte: usize, constant: usize) {
        let now = allocator::counts();
        let peak = usize::try_from(now.peak - self.start.live).unwrap_or(0);
        let total = now.total - self.start.total;
        let calls = now.calls - self.start.calls;
        let most = len * per_byte + constant;
        assert!(peak <= most, "{peak} bytes held for {len} bytes of input, more than {most}");
        assert!(
            total <= 4 * most + 128 * len,
            "{total} bytes in {calls} allocations for {len} bytes of input, and {most} at a time"
        );
        self.check_time();
    }

    /// Checks that of what was allocated since the start no more than `constant` is left.
    #[track_caller]
    pub(crate) fn check_left(&self, constant: usize) {
        let left = allocator::counts().live - self.start.live;
        assert!(left <= constant as isize, "{left} bytes are left, more than {constant}");
        self.check_time();
    }

    /// The machine may be busy: only what is out of all proportion is found.
    #[track_caller]
    fn check_time(&self) {
        let elapsed = self.since.elapsed();
        assert!(elapsed < MAX_TIME, "took {elapsed:?}");
    }
}

const MAX_TIME: Duration = Duration::from_secs(5);
