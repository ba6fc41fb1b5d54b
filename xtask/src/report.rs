//! Counts what the steps of a command found, and prints the summary at its end.

use std::ops::AddAssign;
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
            let Tally { passed, failed, failures } = tally;
            let seconds = took.as_secs();
            let failure = failure.as_deref().unwrap_or_default();
            let line =
                format!("{name:<14} {passed:>5} ok {failed:>5} failed {seconds:>5} s  {failure}");
            println!("{}", line.trim_end());
            for failure in failures {
                println!("  {failure}");
            }
            sum += tally;
        }
        println!("{} passed, {} failed", sum.passed, sum.failed);
        if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// How many tests passed and failed, and which failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    /// The lines that told of failed tests, the first of them only. The summary shows them once
    /// more, so that a log of which only the end is left still tells what failed.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    pub(crate) const SUCCESS: Self = Self { passed: 1, failed: 0, failures: Vec::new() };
    pub(crate) const FAILURE: Self = Self { passed: 0, failed: 1, failures: Vec::new() };

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
        Some(Self { passed, failed, failures: Vec::new() })
    }

    /// Keeps a line that tells of a failed test, as long as it is among the first.
    pub(crate) fn note(&mut self, line: &str) {
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(line.chars().take(MAX_FAILURE_CHARS).collect());
        } else if self.failures.len() == MAX_FAILURES {
            self.failures.push("...".into());
        }
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        for failure in &other.failures {
            self.note(failure);
        }
    }
}

/// Whether a line tells of a failed test: one of cargo's test runner (`test NAME ... FAILED`) or of
/// our scripts (`NAME: fail (WHY)`).
pub(crate) fn is_failure(line: &str) -> bool {
    let of_cargo = || line.starts_with("test ") && line.ends_with(" ... FAILED");
    let of_script = || line.find(": fail (").is_some_and(|at| at > 0) || line.ends_with(": fail");
    of_cargo() || of_script()
}

/// What fails at once in greater number has one cause, which the first of them tell.
const MAX_FAILURES: usize = 20;

/// A reason may quote what a server sent.
const MAX_FAILURE_CHARS: usize = 500;

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

    #[test]
    fn lines_of_failures() {
        for line in [
            "test wire::polling::answers ... FAILED",
            "test crates/socketio-server/src/lib.rs - Server (line 12) ... FAILED",
            "queries/sockets except a room [S+4/sharded from S]: fail (ids: got [], expected [1])",
            "payloads/text: numbers [S+S from S]: fail (never became true: joined: fail (2)) 12 ms",
            "profile default: fail (exit status 1)",
            "rooms/leave: fail",
        ] {
            assert!(is_failure(line), "{line}");
        }
    }

    #[test]
    fn lines_of_no_failure() {
        for line in [
            "",
            "test wire::polling::answers ... ok",
            "test wire::fails ... ignored",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored",
            "---- wire::polling::answers stdout ----",
            "failures:",
            "rooms/leave: pass",
            "rooms/leave: skip (known difference: it does not fail (yet).)",
            ": fail (nothing has no name)",
            "585 passed, 1 failed, 12 skipped",
            "warning: fail-fast is off",
        ] {
            assert!(!is_failure(line), "{line}");
        }
    }

    #[test]
    fn the_first_failures_are_kept() {
        let mut one = Tally::default();
        for i in 1..=15 {
            one.note(&format!("test t{i} ... FAILED"));
        }
        let mut sum = one.clone();
        sum += &one;
        sum += &one;
        assert_eq!(sum.failures.len(), MAX_FAILURES + 1);
        assert_eq!(sum.failures[MAX_FAILURES - 1], "test t5 ... FAILED");
        assert_eq!(sum.failures[MAX_FAILURES], "...");
    }

    #[test]
    fn long_failures_are_cut() {
        let mut tally = Tally::default();
        tally.note(&"é".repeat(MAX_FAILURE_CHARS + 1));
        assert_eq!(tally.failures, ["é".repeat(MAX_FAILURE_CHARS)]);
    }
}
