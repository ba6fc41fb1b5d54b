//! `cargo xtask typed`: the whiteboard example, with its page.

use std::process::ExitCode;

use crate::command::{Result, cargo, run};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    setup::whiteboard()?;
    run(cargo().args(["run", "--release", "--package", "typed", "--"]).args(arguments))?;
    Ok(ExitCode::SUCCESS)
}
