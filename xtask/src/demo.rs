//! `cargo xtask demo`: the chat example, with the client files its page asks for.

use std::process::ExitCode;

use crate::command::{Result, cargo, run};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    setup::client_files()?;
    run(cargo().args(["run", "--release", "--package", "chat", "--"]).args(arguments))?;
    Ok(ExitCode::SUCCESS)
}
