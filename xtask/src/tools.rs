//! Tools of cargo that the commands install for themselves, into `target/tools`.

use std::path::PathBuf;

use crate::command::{Result, cargo, output_of, program, root, run};

/// Where the program `name` of this version is, which is built if it is not there.
///
/// The versions are pinned, so that a new release does not change what passes.
pub(crate) fn tool(name: &str, version: &str) -> Result<PathBuf> {
    tool_with(name, version, &[])
}

/// The same, built with these arguments besides.
pub(crate) fn tool_with(name: &str, version: &str, arguments: &[&str]) -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let tool = tools.join("bin").join(name);
    // A command of cargo's is asked as cargo would ask it, which every such program understands.
    let subcommand = name.strip_prefix("cargo-");
    let told = tool.exists().then(|| output_of(program(&tool).args(subcommand).arg("--version")));
    let is_it = |told: &str| {
        let told = told.trim().strip_prefix(name).unwrap_or_default().trim_start();
        told.strip_prefix('v').unwrap_or(told) == version
    };
    if !told.is_some_and(|told| told.is_ok_and(|told| is_it(&told))) {
        // Unoptimised it is built in a minute or two, and quick enough.
        run(cargo()
            .args(["install", name, "--version", version, "--locked", "--debug", "--root"])
            .arg(&tools)
            .args(arguments))?;
    }
    Ok(tool)
}
