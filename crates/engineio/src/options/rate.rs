//! How much of something in how much time.

use std::time::Duration;

/// How many of something a client may do in a time, on the average, and how many at once.
///
/// ```
/// use std::time::Duration;
/// use engineio::Rate;
///
/// let events = Rate::per_second(50).burst(200);
/// let connects = Rate::new(30, Duration::from_secs(60));
/// # let _ = (events, connects);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
    pub(crate) burst: u32,
}

impl Rate {
    /// So many in such a time; as many at once.
    #[must_use]
    pub const fn new(count: u32, per: Duration) -> Self {
        Self { count, per, burst: count }
    }

    /// So many per second; as many at once.
    #[must_use]
    pub const fn per_second(count: u32) -> Self {
        Self::new(count, Duration::from_secs(1))
    }

    /// How many may come at once, after a time of rest.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    pub(crate) const fn makes_sense(self) -> bool {
        self.count > 0 && self.burst > 0 && !self.per.is_zero()
    }

    pub(crate) fn per_sec(self) -> f64 {
        f64::from(self.count) / self.per.as_secs_f64()
    }
}
