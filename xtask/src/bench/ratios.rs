//! Medians of paired measurements, and what they mean for a target.

use std::fmt;

/// A value of one run, with the round it is of.
pub(crate) type InRound = (usize, f64);

/// Ratios within the rounds that have both: what else the machine does differs between rounds.
pub(crate) fn paired(values: &[InRound], references: &[InRound]) -> Vec<f64> {
    in_rounds(values, references)
        .filter(|&(_, reference)| reference > 0.0)
        .map(|(value, reference)| value / reference)
        .collect()
}

/// What values have more than references of the same round.
pub(crate) fn above(values: &[InRound], references: &[InRound]) -> Vec<f64> {
    in_rounds(values, references).map(|(value, reference)| value - reference).collect()
}

/// Values of the rounds that have both.
fn in_rounds(values: &[InRound], references: &[InRound]) -> impl Iterator<Item = (f64, f64)> {
    let reference = |round| references.iter().find(move |(other, _)| *other == round);
    values.iter().filter_map(move |&(round, value)| Some((value, reference(round)?.1)))
}

/// What several rounds found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, min, max } = *self;
        if min == max {
            return f.write_str(&figure(median));
        }
        write!(f, "{} [{}..{}]", figure(median), figure(min), figure(max))
    }
}

/// What is to be reached: less is better.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) must: f64,
    pub(crate) ambition: f64,
}

impl Target {
    /// Whether it is missed by so much that noise is no excuse.
    pub(crate) fn fails(self, found: Spread) -> bool {
        found.median > self.must * TOLERANCE
    }

    pub(crate) fn verdict(self, found: Spread) -> Verdict {
        if found.median <= self.ambition {
            Verdict::Ambition
        } else if found.median <= self.must {
            Verdict::Must
        } else if found.min <= self.must && !self.fails(found) {
            Verdict::WithinNoise
        } else {
            Verdict::Missed
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ambition,
    Must,
    /// Some round reached it.
    WithinNoise,
    Missed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambition => "ambition",
            Self::Must => "must",
            Self::WithinNoise => "within noise of must",
            Self::Missed => "MISSED",
        })
    }
}

/// Three digits, which is more than the noise allows.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A quarter.
const TOLERANCE: f64 = 1.25;

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn medians() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
    }

    #[test]
    fn ratios_stay_within_their_round() {
        // The machine was twice as slow in round 1, and the reference has no round 2.
        let (ours, mini) = ([(0, 6.0), (1, 12.0), (2, 6.0)], [(1, 10.0), (0, 5.0)]);
        assert_eq!(paired(&ours, &mini), [1.2, 1.2]);
        assert_eq!(paired(&ours, &[(0, 0.0)]), Vec::<f64>::new());
    }

    #[test]
    fn verdicts() {
        #[track_caller]
        fn check(rounds: &[f64], expected: Verdict, fails: bool) {
            let target = Target { must: 1.2, ambition: 1.0 };
            let found = spread(rounds);
            assert_eq!((target.verdict(found), target.fails(found)), (expected, fails));
        }
        check(&[0.9, 1.0, 1.7], Verdict::Ambition, false);
        check(&[0.9, 1.2, 1.7], Verdict::Must, false);
        check(&[1.2, 1.3, 1.4], Verdict::WithinNoise, false);
        check(&[1.25, 1.3, 1.4], Verdict::Missed, false);
        check(&[1.1, 1.51, 1.6], Verdict::Missed, true);
    }

    #[test]
    fn figures() {
        assert_eq!(spread(&[1.234]).to_string(), "1.23");
        assert_eq!(spread(&[1.2, 12.34, 345.6]).to_string(), "12.3 [1.20..346]");
    }
}
