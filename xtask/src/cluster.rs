//! `cargo xtask cluster`: our fixture node in clusters with real Node servers of both lines.

use std::process::ExitCode;

use crate::command::{Result, program, release_binary, root, tally};
use crate::fixture;
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    report.tests("cluster", || cluster(arguments));
    Ok(report.finish())
}

pub(crate) fn cluster(arguments: &[String]) -> Result<Tally> {
    setup::cluster()?;
    setup::redis()?;
    fixture::build()?;
    let server = release_binary("conformance-server")?.display().to_string();
    let is_chosen = arguments.iter().any(|one| one == "--carriers" || one == "--topology");
    let carriers = (!is_chosen).then_some(["--carriers", "classic,sharded,streams"]);
    tally(
        program("node")
            // It starts a Redis of its own, on a free port.
            .args(["run.js", "--server", &server])
            .args(carriers.into_iter().flatten())
            .args(arguments)
            .current_dir(root().join("conformance/cluster")),
    )
}
