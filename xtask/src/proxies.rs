//! `cargo xtask proxies`: our fixture server behind nginx, alone and in a group of two.

use std::process::ExitCode;

use crate::command::{Result, program, release_binary, root, tally};
use crate::fixture;
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    report.tests("proxies", || proxies(arguments));
    Ok(report.finish())
}

pub(crate) fn proxies(arguments: &[String]) -> Result<Tally> {
    // the clients
    setup::conformance()?;
    setup::nginx()?;
    let nginx = setup::nginx_program().ok_or("nginx was not found after it was installed")?;
    fixture::build()?;
    tally(
        program("node")
            .args(["run.js", "--server"])
            .arg(release_binary("conformance-server")?)
            .arg("--nginx")
            .arg(nginx)
            .args(arguments)
            .current_dir(root().join("conformance/proxies")),
    )
}
