//! `cargo xtask mutants`: whether the tests of the crates without I/O notice what is changed in them.
//!
//! cargo-mutants makes one small change at a time, a mutant, and runs the tests of that crate alone:
//! those of the crates above do not count. What is left out, and why, stands in
//! `.cargo/mutants.toml`.

use std::fs;
use std::process::ExitCode;

use serde_json::Value;

use crate::command::{Result, program, root, run_for_code};
use crate::tools::tool;

/// The crates that are published by themselves, and so are held by tests of their own.
const PACKAGES: [&str; 3] = ["engineio-proto", "socketio-parser", "socketio-adapter"];

/// How many of a hundred viable mutants are to be caught, in each crate.
const WANTED: u64 = 90;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let Selection { packages, rest } = Selection::from_arguments(arguments)?;
    let cargo_mutants = tool("cargo-mutants", CARGO_MUTANTS)?;
    let mut lines = Vec::new();
    let mut is_enough = true;
    for package in packages {
        let output = root().join("target/mutants").join(&package);
        fs::create_dir_all(&output)?;
        let outcomes = output.join("mutants.out/outcomes.json");
        // What an earlier run has left must not be taken for what this one finds.
        let _ = fs::remove_file(&outcomes);
        let code = run_for_code(
            program(&cargo_mutants)
                .args(["mutants", "--package", &package, "--output"])
                .arg(&output)
                .args(&rest)
                // Nobody looks at the lines of what panics here, and each mutant is linked anew.
                .env("CARGO_PROFILE_DEV_DEBUG", "none"),
        )?;
        // 2: some were missed, 3: some did not end
        if !matches!(code, 0 | 2 | 3) {
            return Err(format!("cargo-mutants failed in {package} (status {code})").into());
        }
        // It writes none if the filters leave no mutant.
        let counts = match fs::read(&outcomes) {
            Ok(text) => Counts::of(&serde_json::from_slice(&text)?).ok_or("strange outcomes")?,
            Err(_) => Counts::default(),
        };
        is_enough &= counts.are_enough();
        lines.push(counts.line(&package));
    }
    println!("\n== mutants");
    for line in lines {
        println!("{line}");
    }
    println!("{}: {WANTED} % are to be caught", if is_enough { "passed" } else { "failed" });
    Ok(if is_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Which crates, and what cargo-mutants is told besides.
#[derive(Debug, PartialEq)]
struct Selection {
    packages: Vec<String>,
    rest: Vec<String>,
}

impl Selection {
    fn from_arguments(arguments: &[String]) -> Result<Self> {
        let mut selection = Self { packages: Vec::new(), rest: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if !matches!(argument.as_str(), "--package" | "-p") {
                selection.rest.push(argument.clone());
                continue;
            }
            let package = arguments.next().ok_or("--package takes the name of a crate")?;
            if !PACKAGES.contains(&package.as_str()) {
                return Err(format!("{package} is none of {}", PACKAGES.join(", ")).into());
            }
            selection.packages.push(package.clone());
        }
        if selection.packages.is_empty() {
            selection.packages = PACKAGES.map(str::to_owned).to_vec();
        }
        Ok(selection)
    }
}

/// What became of the mutants of one crate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    /// A test failed.
    caught: u64,
    /// No test ended in time, as with a loop that does not end: caught, too.
    timeout: u64,
    /// All tests passed.
    missed: u64,
    /// They do not compile.
    unviable: u64,
}

impl Counts {
    fn of(outcomes: &Value) -> Option<Self> {
        let count = |key: &str| outcomes.get(key)?.as_u64();
        Some(Self {
            caught: count("caught")?,
            timeout: count("timeout")?,
            missed: count("missed")?,
            unviable: count("unviable")?,
        })
    }

    const fn viable(self) -> u64 {
        self.caught + self.timeout + self.missed
    }

    const fn are_enough(self) -> bool {
        (self.caught + self.timeout) * 100 >= self.viable() * WANTED
    }

    fn line(self, package: &str) -> String {
        let Self { caught, timeout, missed, unviable } = self;
        let viable = self.viable();
        let rate = match viable {
            0 => "-".to_owned(),
            _ => format!("{:.1} %", (caught + timeout) as f64 * 100.0 / viable as f64),
        };
        format!(
            "{package:<17} {viable:>4} viable {caught:>5} caught {timeout:>3} timed out \
             {missed:>4} missed {rate:>8}  ({unviable} do not compile)"
        )
    }
}

const CARGO_MUTANTS: &str = "27.1.0";

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(caught: u64, timeout: u64, missed: u64) -> Counts {
        Counts { caught, timeout, missed, unviable: 5 }
    }

    #[test]
    fn what_is_enough() {
        assert!(counts(90, 0, 10).are_enough());
        assert!(counts(85, 5, 10).are_enough());
        assert!(!counts(89, 0, 10).are_enough());
        assert!(!counts(899, 0, 101).are_enough());
        assert!(!counts(0, 0, 1).are_enough());
        assert!(Counts::default().are_enough()); // a part without mutants
    }

    #[test]
    fn lines() {
        let line = "engineio-proto      20 viable    17 caught   1 timed out    2 missed   90.0 %  \
                    (5 do not compile)";
        assert_eq!(counts(17, 1, 2).line("engineio-proto"), line);
        assert!(Counts::default().line("socketio-parser").contains(" 0 missed        -  (0 do"));
    }

    #[test]
    fn outcomes() {
        let text = r#"{"outcomes":[],"total_mutants":9,"missed":2,"caught":3,"timeout":1,
            "unviable":3,"success":0,"cargo_mutants_version":"27.1.0"}"#;
        let expected = Counts { caught: 3, timeout: 1, missed: 2, unviable: 3 };
        assert_eq!(Counts::of(&serde_json::from_str(text).unwrap()), Some(expected));
        assert_eq!(Counts::of(&Value::Null), None);
    }

    #[track_caller]
    fn selects(line: &str, packages: &[&str], rest: &[&str]) {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let expected = Selection { packages: owned(packages), rest: owned(rest) };
        assert_eq!(Selection::from_arguments(&arguments).unwrap(), expected);
    }

    #[test]
    fn arguments() {
        selects("", &PACKAGES, &[]);
        selects("--shard 0/20", &PACKAGES, &["--shard", "0/20"]);
        selects(
            "--package socketio-parser --shard 3/8 --file json.rs --package socketio-adapter",
            &["socketio-parser", "socketio-adapter"],
            &["--shard", "3/8", "--file", "json.rs"],
        );
        for wrong in [&["--package"][..], &["--package", "engineio"]] {
            let arguments: Vec<String> = wrong.iter().map(|&word| word.to_owned()).collect();
            assert!(Selection::from_arguments(&arguments).is_err(), "{wrong:?}");
        }
    }
}
