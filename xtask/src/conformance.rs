//! `cargo xtask conformance`: the official clients against our fixture server.

use std::process::ExitCode;

use crate::command::{Result, program, release_binary, root, tally};
use crate::fixture;
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    report.tests("conformance", || conformance(arguments));
    Ok(report.finish())
}

pub(crate) fn conformance(arguments: &[String]) -> Result<Tally> {
    setup::conformance()?;
    // Some cases ask the server for them.
    setup::client_files()?;
    fixture::build()?;
    // run.js hands it to a shell.
    let server = format!("'{}'", release_binary("conformance-server")?.display());
    tally(
        program("node")
            .args(["run.js", "--skips", "skips.json", "--server", &server])
            .args(arguments)
            .current_dir(root().join("conformance")),
    )
}
