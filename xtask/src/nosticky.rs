//! `cargo xtask nosticky`: several nodes of our fixture server behind a load balancer without sticky
//! sessions.

use std::process::ExitCode;

use crate::command::{Result, program, release_binary, root, tally};
use crate::fixture;
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    report.tests("nosticky", || nosticky(arguments));
    Ok(report.finish())
}

/// All but the conformance cases behind the balancer, which take minutes, unless asked for.
pub(crate) fn nosticky(arguments: &[String]) -> Result<Tally> {
    // its cases are run here, too
    setup::conformance()?;
    setup::nosticky()?;
    setup::redis()?;
    setup::nginx()?;
    setup::haproxy()?;
    fixture::build()?;
    let server = release_binary("conformance-server")?.display().to_string();
    let mut run = program("node");
    run.args(["run.js", "--server", &server]);
    if arguments.is_empty() {
        run.args(["--not", "S1/"]);
    }
    tally(run.args(arguments).current_dir(root().join("conformance/nosticky")))
}
