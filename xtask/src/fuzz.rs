//! `cargo xtask fuzz`: the targets in `fuzz/`, by libFuzzer on the stable toolchain.
//!
//! The compiler's instrumentation is a matter of stable flags, and this program stands in front of the
//! compiler to give them to our own crates, so that neither nightly nor cargo-fuzz is needed; libFuzzer itself is in C++ and is built by the crate `libfuzzer-sys`.
//! Where that is not possible, the seeds are replayed, as `cargo xtask test` does anyway.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;

use crate::command::{Result, cargo, find, output_of, program, root, run, tally};
use crate::report::{Report, Tally};

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut selection = Selection { seconds: LONG, targets: Vec::new() };
    let mut replays = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--quick" => selection.seconds = QUICK,
            "--replay" => replays = true,
            "--secs" => {
                let seconds = rest.next().and_then(|seconds| seconds.parse().ok());
                selection.seconds = seconds.ok_or("--secs takes a number of seconds")?;
            }
            name if name.starts_with('-') => return Err(format!("no option `{name}`").into()),
            name => selection.targets.push(name.to_owned()),
        }
    }
    let mut report = Report::default();
    if replays {
        report.tests("fuzz seeds", replay);
    } else {
        report.check("fuzz", || fuzz(selection));
    }
    Ok(report.finish())
}

/// Ten seconds for each target, where there is a compiler for libFuzzer.
pub(crate) fn quick() -> Result<()> {
    if !has_compiler() {
        println!("not fuzzed, as there is no C++ compiler: the seeds are replayed only");
        return Ok(());
    }
    fuzz(Selection { seconds: QUICK, targets: Vec::new() })
}

/// Gives each target its seeds, once, without libFuzzer.
pub(crate) fn replay() -> Result<Tally> {
    let mut test = cargo();
    test.args(["test", "--manifest-path", "fuzz/Cargo.toml", "--lib", "--test", "replay"]);
    tally(test.arg("--target-dir").arg(folder()).env("RUSTFLAGS", SHOW_INSIDE))
}

/// The lints, for what is not libFuzzer's.
pub(crate) fn clippy() -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--manifest-path", "fuzz/Cargo.toml", "--all-targets", "--target-dir"]);
    clippy.arg(folder()).args(["--", "--deny", "warnings"]);
    run(clippy.env("RUSTFLAGS", SHOW_INSIDE))
}

/// What to run, and for how long.
struct Selection {
    seconds: u32,
    /// All, if there is none.
    targets: Vec<String>,
}

fn fuzz(Selection { seconds, targets }: Selection) -> Result<()> {
    let known = targets_of_the_crate()?;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        return Err(format!("no target `{unknown}`; there are {}", known.join(", ")).into());
    }
    let targets = if targets.is_empty() { known } else { targets };
    let programs = build(&targets)?;

    let queue = Mutex::new(VecDeque::from(targets));
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().expect("nobody panicked").pop_front();
            let Some(target) = next else { return };
            let outcome = run_target(&programs, &target, seconds)
                .unwrap_or_else(|error| Outcome { found: true, line: error.to_string() });
            println!("{target:>10}: {}", outcome.line);
            outcomes.lock().expect("nobody panicked").push((target, outcome.found));
        }
    };
    let workers = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_WORKERS));
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));

    let outcomes = outcomes.into_inner().expect("nobody panicked");
    let found: Vec<_> = outcomes.into_iter().filter(|(_, found)| *found).collect();
    if found.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = found.into_iter().map(|(target, _)| target).collect();
    Err(format!("{} found something: see fuzz/README.md", names.join(", ")).into())
}

/// The targets, as the manifest of the crate names its programs.
fn targets_of_the_crate() -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        targets.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// Builds the programs; the folder that they are in.
fn build(targets: &[String]) -> Result<PathBuf> {
    // with a target named, the flags are not for build scripts
    let version = output_of(program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("`rustc -vV` names no host")?;
    let mut build = cargo();
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    build.args(["--features", "libfuzzer", "--target", host, "--target-dir"]).arg(folder());
    for target in targets {
        build.args(["--bin", target]);
    }
    build.env("RUSTFLAGS", SHOW_INSIDE).env("RUSTC_WRAPPER", env::current_exe()?);
    run(build.env(WRAPPER, "1"))?;
    Ok(folder().join(host).join("release"))
}

/// Whether we are started by cargo in the compiler's place.
pub(crate) fn is_compiler_wrapper() -> bool {
    env::var_os(WRAPPER).is_some()
}

/// Compiles what cargo asks for; our own crates are instrumented. With those that they depend on, the
/// compressor above all, most of the time went into counting what is not under test.
pub(crate) fn compile() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(rustc) = arguments.next() else { return ExitCode::FAILURE };
    let arguments: Vec<OsString> = arguments.collect();
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
    let is_ours = ["engineio", "socketio"].iter().any(|name| package.starts_with(name));
    // what runs while others are built has no libFuzzer
    let is_script = arguments.iter().any(|argument| argument == "build_script_build");
    let mut rustc = Command::new(rustc);
    rustc.args(arguments);
    if is_ours && !is_script {
        rustc.args(INSTRUMENTATION);
    }
    match rustc.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: the compiler cannot be started: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Set for ourselves as the compiler's wrapper.
const WRAPPER: &str = "XTASK_INSTRUMENTS";

/// What became of a target.
struct Outcome {
    found: bool,
    line: String,
}

/// Runs a target; what it prints goes to a file, but for its last words.
fn run_target(programs: &std::path::Path, target: &str, seconds: u32) -> Result<Outcome> {
    // what is new goes to the first folder, and is there the next time
    let corpus = folder().join("corpus").join(target);
    let log = folder().join(format!("{target}.log"));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(folder().join("artifacts"))?;
    let artifacts = folder().join("artifacts").join(format!("{target}-"));
    let dictionary = root().join(format!("fuzz/dictionaries/{target}.dict"));

    let mut fuzzer = program(programs.join(target));
    fuzzer.arg(&corpus).arg(root().join("fuzz/corpus").join(target));
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-artifact_prefix={}", artifacts.display()));
    // an input takes milliseconds at most, and no target holds much
    fuzzer.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=1"]);
    if dictionary.is_file() {
        fuzzer.arg(format!("-dict={}", dictionary.display()));
    }
    let status = fuzzer
        .stdout(File::create(&log)?)
        .stderr(File::options().append(true).open(&log)?)
        .status()?;

    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if status.success() {
        return Ok(Outcome { found: false, line: summary(&text) });
    }
    let words: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("panicked at") && !line.contains("ERROR: "))
        .take(4)
        .collect();
    let artifact = text.lines().find_map(|line| line.split_once("Test unit written to "));
    let artifact = artifact.map_or("none", |(_, path)| path);
    let words = words.join("\n            ");
    Ok(Outcome { found: true, line: format!("FOUND {artifact}\n            {words}") })
}

/// The figures of a run, from libFuzzer's last line of progress and its statistics.
fn summary(log: &str) -> String {
    let figure = |name: &str| {
        let progress = log.lines().rev().find(|line| line.contains(" cov: "))?;
        let mut words = progress.split_whitespace().skip_while(|word| *word != name);
        words.nth(1)
    };
    let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    format!(
        "{} runs, {} edges, corpus {}",
        runs.map_or("?", str::trim),
        figure("cov:").unwrap_or("?"),
        figure("corp:").unwrap_or("?"),
    )
}

/// Whether libFuzzer can be built, by the program that cargo's build scripts look for.
fn has_compiler() -> bool {
    let named = env::var_os("CXX").is_some();
    cfg!(unix) && (named || ["c++", "g++", "clang++"].iter().any(|name| find(name).is_some()))
}

/// Everything that fuzzing makes: programs, what they found, their logs.
fn folder() -> PathBuf {
    root().join("target/fuzz")
}

/// The crates show their inside to fuzzers only.
const SHOW_INSIDE: &str = "--cfg fuzzing";

/// Coverage by edges and by comparisons, as libFuzzer reads it.
const INSTRUMENTATION: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Seconds for a target, unless told; and in a hurry.
const LONG: u32 = 120;
const QUICK: u32 = 10;

/// Targets at a time: each takes a core.
const MAX_WORKERS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_run() {
        let log = "INFO: Seed: 1\n#3\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0\n\
                   #99\tDONE   cov: 707 ft: 2865 corp: 499/44Kb lim: 585 exec/s: 9\n\
                   ###### Recommended dictionary. ######\n\
                   Done 99 runs in 11 second(s)\nstat::number_of_executed_units: 99\n";
        assert_eq!(summary(log), "99 runs, 707 edges, corpus 499/44Kb");
        assert_eq!(summary("killed"), "? runs, ? edges, corpus ?");
    }
}
