//! `cargo xtask contract`: contracts seen from outside, by the TypeScript compiler, the official clients and
//! the parser of AsyncAPI.

use std::process::ExitCode;

use crate::command::{Result, cargo, program, root, run, tally, target};
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let (seed, rest) = match arguments {
        [flag, seed, rest @ ..] if flag == "--seed" => (seed.parse()?, rest),
        all => (SEED, all),
    };
    let mut report = Report::default();
    report.tests("contract", || contract(seed, rest));
    Ok(report.finish())
}

pub(crate) fn contract(seed: u32, arguments: &[String]) -> Result<Tally> {
    // the clients
    setup::conformance()?;
    setup::contract()?;
    let folder = root().join("conformance/contract");
    let out = target()?.join("contract");
    run(program("node")
        .args(["generate.js", "--seed", &seed.to_string(), "--out"])
        .arg(&out)
        .current_dir(&folder))?;
    // not optimised, as what is measured is not time: the other tests have built most of it
    let packages = ["contract-server", "contract-types", "typed"];
    run(cargo()
        .arg("build")
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .env("CONTRACT_TYPES", out.join("types.rs")))?;
    let built = target()?.join("debug");
    tally(
        program("node")
            .arg("run.js")
            .args(["--server".as_ref(), built.join("contract-server").as_os_str()])
            .args(["--types".as_ref(), built.join("contract-types").as_os_str()])
            .args(["--whiteboard".as_ref(), built.join("typed").as_os_str()])
            .args(["--out".as_ref(), out.as_os_str()])
            .args(arguments)
            .current_dir(folder),
    )
}

/// What types are generated: always the same, so that what fails fails again.
pub(crate) const SEED: u32 = 1;
