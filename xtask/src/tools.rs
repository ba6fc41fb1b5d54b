//! Tools of cargo that the commands install for themselves, into `target/tools`.

use std::path::PathBuf;

use crate::command::{Result, cargo, output_of, program, root, run};

/// Where the program `name` of this version is, which is built if it is not there.
///
/// The versions are pinned, so that a new release does not change what passes.
pub(crate) fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let tool = tools.join("bin").join(name);
    let wanted = format!("{name} {version}");
    // Asked as cargo would ask it, which every such program understands.
    let subcommand = name.strip_prefix("cargo-").unwrap_or(name);
    let told = tool.exists().then(|| output_of(program(&tool).args([subcommand, "--version"])));
    if !told.is_some_and(|told| told.is_ok_and(|told| told.trim() == wanted)) {
        // Unoptimised it is built in a minute or two, and quick enough.
        run(cargo()
            .args(["install", name, "--version", version, "--locked", "--debug", "--root"])
            .arg(&tools))?;
    }
    Ok(tool)
}
