//! `cargo xtask browser`: the chat example in Chromium, on a free port of this machine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::command::{Result, cargo, find, program, release_binary, root, run, start, tally};
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        return Err("`browser` takes no arguments".into());
    }
    let mut report = Report::default();
    report.tests("browser", browser);
    Ok(report.finish())
}

pub(crate) fn browser() -> Result<Tally> {
    setup::client_files()?;
    setup::driver()?;
    setup::chromium()?;
    run(cargo().args(["build", "--release", "--package", "chat"]))?;

    let artifacts = root().join("artifacts/browser");
    fs::create_dir_all(&artifacts)?;
    let chat = release_binary("chat")?;
    let mut chat = start(program(&chat).args(["--port", "0"]).stdout(Stdio::piped()))?;
    let result = url(&mut chat).and_then(|url| {
        tally(
            program("node")
                .args(["conformance/browser/chat.js", &url])
                .env("ARTIFACTS", &artifacts)
                .env("CHROMIUM", find("chromium").unwrap_or_default()),
        )
    });
    chat.kill()?;
    chat.wait()?;
    result
}

/// The address that the chat prints when it listens. What it prints is shown, before and after.
fn url(chat: &mut Child) -> Result<String> {
    let stdout = chat.stdout.take().expect("stdout is piped");
    let (sender, receiver) = mpsc::channel();
    // Reads until the chat ends, so that it never waits for somebody to read.
    thread::spawn(move || show_and_find_url(stdout, &sender));
    receiver
        .recv_timeout(START_TIMEOUT)
        .map_err(|_| "the chat ended, or told no address in time".into())
}

fn show_and_find_url(stdout: ChildStdout, found: &mpsc::Sender<String>) {
    for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
        println!("chat: {line}");
        let words = line.split_whitespace();
        for word in words.filter(|word| word.starts_with("http://127.0.0.1:")) {
            // Nobody listens any more once the first address was found.
            let _ = found.send(word.into());
        }
    }
}

/// It listens at once; this is for a machine that is busy with something else.
const START_TIMEOUT: Duration = Duration::from_secs(30);
