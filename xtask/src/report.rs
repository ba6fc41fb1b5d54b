//! Counts what the steps of a command found, and prints the summary at its end.

use std::ops::{Add, AddAssign};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::command::Result;

/// The steps of one command. Every step runs, whatever became of those before it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    tally: Tally,
    failure: Option<String>,
    took: Duration,
}

impl Report {
    /// A step that counts its tests.
    pub(crate) fn tests(&mut self, name: &'static str, run: impl FnOnce() -> Result<Tally>) {
        println!("\n== {name}");
        let start = Instant::now();
        let (tally, failure) = match run() {
            Ok(tally) => (tally, None),
            Err(error) => (Tally::FAILURE, Some(error.to_string())),
        };
        if let Some(failure) = &failure {
            println!("xtask: {failure}");
        }
        self.steps.push(Step { name, tally, failure, took: start.elapsed() });
    }

    /// A step that passes or fails as a whole.
    pub(crate) fn check(&mut self, name: &'static str, run: impl FnOnce() -> Result<()>) {
        self.tests(name, || run().map(|()| Tally::SUCCESS));
    }

    /// Prints the summary. Its last line is the one that machines read.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n== summary");
        let mut sum = Tally::default();
        for Step { name, tally, failure, took } in &self.steps {
            let Tally { passed, failed } = tally;
            let seconds = took.as_secs();
            let failure = failure.as_deref().unwrap_or_default();
            let line =
                format!("{name:<14} {passed:>5} ok {failed:>5} failed {seconds:>5} s  {failure}");
            println!("{}", line.trim_end());
            sum += *tally;
        }
        println!("{} passed, {} failed", sum.passed, sum.failed);
        if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Tally {
    pub(crate) const SUCCESS: Self = Self { passed: 1, failed: 0 };
    pub(crate) const FAILURE: Self = Self { passed: 0, failed: 1 };

    /// Reads a result line of cargo's test runner (`test result: ok. 3 passed; 0 failed; ...`) or of
    /// our scripts (`3 passed, 0 failed`); any other line is none.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let (counts, separator) = match line.strip_prefix("test result: ") {
            Some(rest) => (rest.split_once(". ")?.1, "; "),
            None => (line, ", "),
        };
        let mut parts = counts.split(separator);
        let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
        let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
        Some(Self { passed, failed })
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(u32, u32)>) {
        assert_eq!(Tally::of_line(line).map(|tally| (tally.passed, tally.failed)), expected);
    }

    #[test]
    fn result_lines() {
        check("12 passed, 0 failed", Some((12, 0)));
        check("12 passed, 3 failed, 4 skipped", Some((12, 3)));
        check("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured", Some((5, 0)));
        check("test result: FAILED. 5 passed; 2 failed; 0 ignored", Some((5, 2)));
    }

    #[test]
    fn other_lines() {
        check("", None);
        check("running 12 tests", None);
        check("open/echo: 12 passed, 0 failed", None);
        check("test it::says ... 5 passed, 0 failed", None);
    }
}
