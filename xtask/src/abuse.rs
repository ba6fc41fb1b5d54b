//! `cargo xtask abuse`: bad input and limits, against our fixture server.

use std::process::ExitCode;

use crate::command::{Result, program, release_binary, root, tally};
use crate::fixture;
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    report.tests("abuse", || abuse(arguments));
    Ok(report.finish())
}

fn abuse(arguments: &[String]) -> Result<Tally> {
    setup::abuse()?;
    // Some cases ask the server for them.
    setup::client_files()?;
    fixture::build()?;
    // run.js hands it to a shell.
    let server = format!("'{}'", release_binary("conformance-server")?.display());
    tally(
        program("node")
            // Its bounds of time are for an idle machine.
            .args(["run.js", "--known", "known.json", "--slack", "2", "--server", &server])
            .args(arguments)
            .current_dir(root().join("conformance/abuse")),
    )
}
