//! `cargo xtask semver`: whether the libraries break who uses the last release, beyond what their
//! versions say.

use std::process::ExitCode;

use crate::command::{Result, output_of, program, root, run};
use crate::publish;
use crate::tools::tool;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        return Err("`semver` takes no arguments".into());
    }
    check()?;
    Ok(ExitCode::SUCCESS)
}

/// Compares the public items with those of the last tag.
pub(crate) fn check() -> Result<()> {
    let tags = output_of(program("git").arg("-C").arg(root()).args([
        "tag",
        "--list",
        "v*",
        "--sort=-version:refname",
        "--merged",
    ]))?;
    let Some(tag) = tags.lines().next() else {
        println!("semver: skipped, as there is no tag yet of a release to compare with");
        return Ok(());
    };
    let semver_checks = tool("cargo-semver-checks", SEMVER_CHECKS)
        .map_err(|error| format!("the public items were not compared: {error}"))?;
    let packages = publish::packages()?;
    // macros have no items
    let libraries = packages.iter().filter(|package| !package.is_macro());
    let names = libraries.flat_map(|package| ["--package", package.name()]);
    run(program(&semver_checks)
        .current_dir(root())
        .args(["semver-checks", "--all-features", "--baseline-rev", tag])
        .args(names))
}

const SEMVER_CHECKS: &str = "0.51.0";
