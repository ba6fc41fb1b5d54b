//! `cargo xtask webtransport`: HTTP/3 against our fixture server, by raw bytes, by the official client on
//! Node and in Chromium.

use std::process::ExitCode;

use crate::command::{Result, find, program, release_binary, root, tally};
use crate::fixture;
use crate::report::{Report, Tally};
use crate::setup::{self, Browser};

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let mut report = Report::default();
    report.tests("webtransport", || webtransport(Browser::Use, arguments));
    Ok(report.finish())
}

pub(crate) fn webtransport(browser: Browser, arguments: &[String]) -> Result<Tally> {
    setup::webtransport()?;
    let folder = root().join("conformance/webtransport");
    let mut runner = program("node");
    match browser {
        Browser::Use => {
            setup::chromium()?;
            if let Some(chromium) = find("chromium") {
                runner.env("CHROMIUM", chromium);
            }
        }
        // the cases of the browser say themselves that there is none
        Browser::Skip => drop(runner.env("CHROMIUM", folder.join("none"))),
    }
    fixture::build()?;
    let server = format!("'{}'", release_binary("conformance-server")?.display());
    tally(
        runner
            .args(["run.js", "--server", &server])
            .args(arguments)
            .env("WT_PYTHON", setup::webtransport_python())
            .current_dir(folder),
    )
}
