//! `cargo xtask chaos`: thousands of clients that come, go and vanish behind a proxy that fails; then
//! the checker, a program of its own, which judges the history of it.

use std::process::ExitCode;

use crate::command::{Result, cargo, program, release_binary, root, run, tally};
use crate::report::{Report, Tally};

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    match arguments {
        [check, file] if check == "--check" => report.tests("chaos", || judge(file)),
        arguments => report.tests("chaos", || chaos(arguments)),
    }
    Ok(report.finish())
}

/// Makes a history and judges it.
fn chaos(arguments: &[String]) -> Result<Tally> {
    build()?;
    let folder = root().join("target/chaos");
    let chaos = release_binary("chaos")?;
    run(program(&chaos).arg("run").args(arguments).arg("--folder").arg(&folder))?;
    tally(program(&chaos).arg("check").arg(folder.join("history.txt")))
}

/// Judges a history that is there.
fn judge(file: &str) -> Result<Tally> {
    build()?;
    // the program starts in the root of the repository, the path is for where we were started
    tally(program(release_binary("chaos")?).arg("check").arg(std::path::absolute(file)?))
}

fn build() -> Result<()> {
    run(cargo().args(["build", "--release", "--package", "chaos"]))
}
