//! `cargo xtask soak`: clients that come and go for a while; what the server holds must stay what it was.

use std::process::ExitCode;

use crate::command::{Result, program, release_binary, root, tally};
use crate::fixture;
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    report.tests("soak", || soak(arguments));
    Ok(report.finish())
}

fn soak(arguments: &[String]) -> Result<Tally> {
    setup::conformance()?;
    fixture::build()?;
    tally(
        program("node")
            .args(["run.js", "--server"])
            .arg(release_binary("conformance-server")?)
            .args(arguments)
            .current_dir(root().join("conformance/soak")),
    )
}
