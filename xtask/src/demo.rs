//! `cargo xtask demo`: the chat example, with the client files its page asks for.

use std::process::ExitCode;

use crate::command::{Result, cargo, run};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    setup::client_files()?;
    let mut chat = cargo();
    chat.args(["run", "--release", "--package", "chat"]);
    if arguments.iter().any(|argument| argument == "--webtransport") {
        chat.args(["--features", "webtransport"]);
    }
    run(chat.arg("--").args(arguments))?;
    Ok(ExitCode::SUCCESS)
}
