//! A log-linear histogram of durations.

use std::time::Duration;

/// 64 steps per power of two: a value is off by less than 1.6 %.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; 64 << STEP_BITS], total: 0, max: 0 }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, duration: Duration) {
        let nanos = duration.as_nanos() as u64;
        self.counts[index(nanos)] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    /// In milliseconds; 0 when there is no value.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let target = (self.total as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= target
        });
        found.map_or(0.0, |index| value(index) as f64 / 1e6)
    }

    /// In milliseconds.
    pub(crate) fn max(&self) -> f64 {
        self.max as f64 / 1e6
    }
}

fn index(value: u64) -> usize {
    let value = value.max(1 << STEP_BITS);
    let exponent = value.ilog2();
    let step = (value >> (exponent - STEP_BITS)) & ((1 << STEP_BITS) - 1);
    (u64::from((exponent - STEP_BITS) << STEP_BITS) + step) as usize
}

fn value(index: usize) -> u64 {
    let step = index as u64 & ((1 << STEP_BITS) - 1);
    ((1 << STEP_BITS) + step) << (index >> STEP_BITS)
}

const STEP_BITS: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0.0);
        for millis in 1..=1000 {
            histogram.add(Duration::from_millis(millis));
        }
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(quantile);
            assert!((found - expected).abs() < 0.016 * expected, "{quantile}: {found}");
        }
        assert_eq!(histogram.max(), 1000.0);
    }

    #[test]
    fn every_value_has_its_place() {
        for value in [0, 1, 63, 64, 65, 1 << 40, u64::MAX] {
            assert!(index(value) < 64 << STEP_BITS, "{value}");
        }
    }
}
