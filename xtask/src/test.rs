//! `cargo xtask test`: every test there is.

use std::process::ExitCode;

use crate::browser::browser;
use crate::clients::clients;
use crate::cluster::cluster;
use crate::command::{Result, cargo, tally};
use crate::conformance::conformance;
use crate::contract::{self, contract};
use crate::fuzz;
use crate::node;
use crate::nosticky::nosticky;
use crate::proxies::proxies;
use crate::report::Report;
use crate::setup::{self, Browser};
use crate::webtransport::webtransport;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let browser = Browser::from_arguments(arguments)?;
    let mut report = Report::default();
    test(&mut report, browser);
    Ok(report.finish())
}

pub(crate) fn test(report: &mut Report, with: Browser) {
    report.check("setup", || setup::everything(with));
    // Unit tests, wire tests and the examples of the documentation.
    report.tests("cargo test", || tally(cargo().args(["test", "--workspace", "--no-fail-fast"])));
    report.tests("fuzz seeds", fuzz::replay);
    report.tests("conformance", || conformance(&[]));
    node::test(report, node::Profile::Debug, false);
    report.tests("contract", || contract(contract::SEED, &[]));
    report.tests("clients", clients);
    report.tests("proxies", || proxies(&[]));
    report.tests("cluster", || cluster(&[]));
    report.tests("webtransport", || webtransport(with, &[]));
    report.tests("nosticky", || nosticky(&[]));
    if with == Browser::Use {
        report.tests("browser", browser);
    }
}
