//! Token buckets: how much of something in how much time.
//!
//! Our own, some lines, for the rate-limiting crates bring clocks and tables of their own; the
//! clock here is the driver's, which tests move by hand, and the table is bounded.

use std::time::{Duration, Instant};

use crate::options::rate::Rate;

/// A bucket of tokens that fills with time. What was taken from an empty one is owed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: f64::from(rate.burst), at: now }
    }

    /// Takes tokens, whether they are there or not: what they are for has happened already.
    pub(crate) fn charge(&mut self, now: Instant, count: usize) {
        self.fill(now);
        self.tokens -= count as f64;
    }

    /// Takes a token if there is one.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        match self.wait(now) {
            None => {
                self.tokens -= 1.0;
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }

    /// How long it takes until there is a token; `None`: there is one.
    pub(crate) fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.fill(now);
        if self.tokens >= 1.0 {
            return None;
        }
        let seconds = (1.0 - self.tokens) / self.rate.per_sec();
        // rounded up, so that it is there then; timers tick in milliseconds
        let millis = (seconds * 1000.0).ceil().clamp(1.0, 1e12);
        Some(Duration::from_millis(millis as u64))
    }

    /// Whether there is at least this part of what may come at once.
    pub(crate) fn has(&mut self, now: Instant, part: f64) -> bool {
        self.fill(now);
        self.tokens >= f64::from(self.rate.burst) * part
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        let tokens = self.tokens + elapsed.as_secs_f64() * self.rate.per_sec();
        self.tokens = tokens.min(f64::from(self.rate.burst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_bucket_fills_with_time() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate::per_second(10).burst(3), start);
        assert!((0..3).all(|_| bucket.take(start).is_ok()));
        assert_eq!(bucket.take(start), Err(ms(100)));
        assert_eq!(bucket.take(start + ms(40)), Err(ms(60)));
        assert_eq!(bucket.take(start + ms(100)), Ok(()));
        assert_eq!(bucket.take(start + ms(100)), Err(ms(100)));
        // no more than the burst, and never by a clock that goes back
        let later = start + ms(60_000);
        assert!(bucket.has(later, 1.0));
        assert!((0..3).all(|_| bucket.take(later).is_ok()));
        assert_eq!(bucket.take(start), Err(ms(100)));
        // debts are paid first
        bucket.charge(later, 10);
        assert_eq!(bucket.wait(later), Some(ms(1100)));
        assert!(!bucket.has(later + ms(1100), 0.5));
        assert_eq!(bucket.wait(later + ms(1100)), None);
    }
}
