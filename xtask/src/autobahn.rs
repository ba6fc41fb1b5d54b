//! `cargo xtask autobahn`: the WebSocket codec under the Autobahn test suite, by the example
//! `ws-echo`.
//!
//! The suite is a program for Python 2.7, which nothing here can install: it is looked for, and the
//! command ends with status 3 where there is none. The suite itself comes from PyPI into
//! `target/autobahn`, which also gets the reports; `index.html` in one is for people.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use crate::command::{Result, cargo, find, output_of, program, release_binary, root, run, start};

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let runs: &[Run] = match arguments {
        [] => &[FRAMES],
        [flag] if flag == "--deflate" => &[FRAMES, DEFLATE, CONTEXT_TAKEOVER],
        other => return Err(format!("the only argument is --deflate, not {other:?}").into()),
    };
    let Some(python) = python() else {
        eprintln!(
            "xtask: the Autobahn test suite needs Python 2.7 with pip: put `python2.7` on the \
             PATH, or its path into the variable PYTHON27"
        );
        return Ok(ExitCode::from(NO_PYTHON));
    };
    install(&python)?;
    run(cargo().args(["build", "--release", "--package", "ws-echo"]))?;
    let (first, others) = runs.split_first().expect("one at least");
    let mut outcomes = first.execute(&python)?;
    // each keeps one core busy
    let others: Vec<_> = thread::scope(|scope| {
        let start = |run| {
            let python = &python;
            scope.spawn(move || Run::execute(run, python).map_err(|error| error.to_string()))
        };
        let running: Vec<_> = others.iter().map(start).collect();
        running.into_iter().map(|run| run.join().expect("it does not panic")).collect()
    });
    for other in others {
        outcomes.extend(other?);
    }
    Ok(report(&outcomes))
}

/// What is tested against one server.
#[derive(Clone, Copy)]
struct Run {
    name: &'static str,
    /// The server's arguments.
    arguments: &'static [&'static str],
    /// The suite's patterns of cases, in JSON.
    cases: &'static str,
}

const FRAMES: Run = Run {
    name: "frames",
    arguments: &[],
    // 8 and 11 do not exist
    cases: r#""1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*""#,
};

const DEFLATE: Run = Run { name: "deflate", arguments: &["--deflate"], cases: r#""12.*", "13.*""# };

const CONTEXT_TAKEOVER: Run =
    Run { name: "context-takeover", arguments: &["--context-takeover"], ..DEFLATE };

impl Run {
    fn execute(&self, python: &Path) -> Result<Vec<Outcome>> {
        let folder = folder().join(self.name);
        // nothing of an earlier run is taken for this one's
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut server = start(
            program(release_binary("ws-echo")?)
                .args(["--port", "0", "--max-message", MAX_MESSAGE])
                .args(self.arguments)
                .stdout(Stdio::piped()),
        )?;
        let outcomes = url(&mut server).and_then(|url| self.cases(python, &folder, &url));
        server.kill()?;
        server.wait()?;
        outcomes
    }

    /// Runs the cases against a server and reads what became of them.
    fn cases(&self, python: &Path, folder: &Path, url: &str) -> Result<Vec<Outcome>> {
        let Self { name, cases, .. } = self;
        let specification = format!(
            r#"{{"outdir": ".", "servers": [{{"agent": "{name}", "url": "{url}"}}],
                "cases": [{cases}], "exclude-cases": [], "exclude-agent-cases": {{}}}}"#
        );
        fs::write(folder.join("specification.json"), specification)?;
        let mut client = start(
            suite(python, "from autobahntestsuite.wstest import run; run()")
                .args(["--mode", "fuzzingclient", "--spec", "specification.json"])
                .current_dir(folder)
                .stdout(Stdio::piped()),
        )?;
        let stdout = client.stdout.take().expect("stdout is piped");
        for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
            // the rest is long lists
            if let Some(case) = line.strip_prefix("Running test case ID ") {
                println!("autobahn: {}", case.split(" from ").next().unwrap_or(case));
            }
        }
        let status = client.wait()?;
        if !status.success() {
            return Err(format!("the Autobahn test suite failed ({status})").into());
        }
        let lines = output_of(suite(python, READ_REPORT).current_dir(folder))?;
        let outcomes = lines.lines().map(|line| Outcome::of_line(name, line));
        let outcomes: Option<Vec<_>> = outcomes.collect();
        outcomes
            .filter(|outcomes| !outcomes.is_empty())
            .ok_or_else(|| format!("the report of the run `{name}` cannot be read").into())
    }
}

/// One case, and what the suite thinks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    run: &'static str,
    /// Such as `6.4.1`.
    case: String,
    verdict: Verdict,
    /// The suite's own words, for the case and for how the connection was closed.
    words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    /// Allowed by the RFC, but not as good as it could be.
    NonStrict,
    Failed,
    /// Not defined by the RFC: there is nothing to pass or to fail.
    Informational,
}

impl Outcome {
    /// Reads a line of [`READ_REPORT`]: case, behaviour, behaviour at the close.
    fn of_line(run: &'static str, line: &str) -> Option<Self> {
        let (case, words) = line.split_once('\t')?;
        let (behaviour, close) = words.split_once('\t')?;
        let verdict = match (behaviour, close) {
            ("OK", "OK") => Verdict::Ok,
            ("OK" | "INFORMATIONAL", "OK" | "INFORMATIONAL") => Verdict::Informational,
            ("NON-STRICT", "OK" | "INFORMATIONAL") => Verdict::NonStrict,
            // there are several words, and new ones are no better
            _ => Verdict::Failed,
        };
        let words = format!("{behaviour}, close {close}");
        Some(Self { run, case: case.to_owned(), verdict, words })
    }

    /// The number before the first dot.
    fn set(&self) -> u32 {
        let set = self.case.split('.').next().unwrap_or_default();
        set.parse().unwrap_or_default()
    }
}

/// The outcomes of one set in one run.
#[derive(Clone, Copy, Default)]
struct Counts {
    ok: u32,
    non_strict: u32,
    failed: u32,
    informational: u32,
}

impl Counts {
    fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Ok => &mut self.ok,
            Verdict::NonStrict => &mut self.non_strict,
            Verdict::Failed => &mut self.failed,
            Verdict::Informational => &mut self.informational,
        } += 1;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ok, non_strict, failed, informational } = self;
        write!(f, "{ok:>5} {non_strict:>10} {failed:>6} {informational:>13}")
    }
}

/// Prints a table by sets, and every case that is not simply right.
fn report(outcomes: &[Outcome]) -> ExitCode {
    let mut sets = BTreeMap::<(u32, &str), Counts>::new();
    let mut all = Counts::default();
    for outcome in outcomes {
        sets.entry((outcome.set(), outcome.run)).or_default().count(outcome.verdict);
        all.count(outcome.verdict);
    }
    println!("\nset  run                 OK NON-STRICT FAILED INFORMATIONAL");
    for ((set, run), counts) in sets {
        println!("{set:>3}  {run:<16} {counts}");
    }
    println!("\n{}", folder().strip_prefix(root()).unwrap_or(&folder()).display());
    for Outcome { run, case, verdict, words } in outcomes {
        if *verdict != Verdict::Ok {
            println!("  {run}/index.html  {case}: {words}");
        }
    }
    let failed = all.failed + all.non_strict;
    println!("\n{} passed, {failed} failed", all.ok + all.informational);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A Python of the suite's version. A `python2.7` on the `PATH` may be pyenv's, which runs only
/// where that version is chosen; where it keeps them all is looked at, too.
fn python() -> Option<PathBuf> {
    let named = env::var_os("PYTHON27").map(PathBuf::from);
    let on_path = ["python2.7", "python2"].into_iter().filter_map(find);
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let versions = pyenv.and_then(|pyenv| fs::read_dir(pyenv.join("versions")).ok());
    let versions = versions.into_iter().flatten().filter_map(|version| version.ok());
    let versions = versions.map(|version| version.path().join("bin/python2.7"));
    named.into_iter().chain(on_path).chain(versions).find(|python| {
        let mut check = program(python);
        check.args(["-c", CHECK_PYTHON]).stdout(Stdio::null()).stderr(Stdio::null());
        check.status().is_ok_and(|status| status.success())
    })
}

/// Installs the suite, unless it is there.
fn install(python: &Path) -> Result<()> {
    let installed = output_of(suite(python, VERSION).stderr(Stdio::null()));
    if installed.is_ok_and(|version| version.trim() == AUTOBAHN) {
        return Ok(());
    }
    if packages().exists() {
        fs::remove_dir_all(packages())?;
    }
    run(program(python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(packages())
        .arg(format!("autobahntestsuite=={AUTOBAHN}")))
}

/// A script that finds the suite and what it needs.
fn suite(python: &Path, script: &str) -> Command {
    let mut command = program(python);
    command
        .args(["-W", "ignore", "-c"])
        // not the variable PYTHONPATH, for which namespace packages do not work
        .arg(format!("import os, site; site.addsitedir(os.environ['PACKAGES']); {script}"))
        .env("PACKAGES", packages());
    command
}

/// The address that the server prints when it listens.
fn url(server: &mut Child) -> Result<String> {
    let mut line = String::new();
    let stdout = server.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line)?;
    let url = line.split_whitespace().find(|word| word.starts_with("ws://"));
    url.map(str::to_owned).ok_or_else(|| "ws-echo told no address".into())
}

fn folder() -> PathBuf {
    root().join("target/autobahn")
}

fn packages() -> PathBuf {
    folder().join("packages")
}

/// Pinned, so that a new release does not change what passes. It pins what it needs itself.
const AUTOBAHN: &str = "25.10.1";

const VERSION: &str = "import autobahntestsuite; print(autobahntestsuite.__version__)";

/// Fails for a Python of another version, and for one without pip.
const CHECK_PYTHON: &str = "import pip, sys; sys.exit(sys.version_info[:2] != (2, 7))";

/// Prints a line per case, in the order of their numbers.
const READ_REPORT: &str = r"import json
cases = list(json.load(open('index.json')).values())[0]
for case in sorted(cases, key=lambda case: [int(number) for number in case.split('.')]):
    print('\t'.join([case, cases[case]['behavior'], cases[case]['behaviorClose']]))";

/// The largest message of the suite has 16 MiB.
const MAX_MESSAGE: &str = "16777216";

/// The status of a command for which there is no Python.
const NO_PYTHON: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(u32, Verdict)>) {
        let outcome = Outcome::of_line("frames", line);
        assert_eq!(outcome.map(|outcome| (outcome.set(), outcome.verdict)), expected);
    }

    #[test]
    fn outcomes() {
        check("6.4.1\tOK\tOK", Some((6, Verdict::Ok)));
        check("10.1.1\tOK\tINFORMATIONAL", Some((10, Verdict::Informational)));
        check("7.1.6\tINFORMATIONAL\tINFORMATIONAL", Some((7, Verdict::Informational)));
        check("6.4.1\tNON-STRICT\tOK", Some((6, Verdict::NonStrict)));
        check("6.4.1\tNON-STRICT\tUNCLEAN", Some((6, Verdict::Failed)));
        check("6.4.1\tFAILED\tOK", Some((6, Verdict::Failed)));
        check("7.9.1\tOK\tWRONG CODE", Some((7, Verdict::Failed)));
        check("13.3.1\tUNIMPLEMENTED\tOK", Some((13, Verdict::Failed)));
        check("13.3.1 OK", None);
        check("", None);
    }
}
