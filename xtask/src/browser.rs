//! `cargo xtask browser`: the chat example and the whiteboard in Chromium, on free ports of this machine.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::command::{
    Result, cargo, find, program, release_binary, root, run, start, tally, target,
};
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
    setup::whiteboard()?;
    run(cargo().args(["build", "--release", "--package", "chat", "--package", "typed"]))?;
    let mut sum = page_of("chat", "chat.js")?;
    sum += &page_of("typed", "whiteboard.js")?;
    Ok(sum)
}

/// `cargo xtask picture`: the pictures of the README, from the running chat.
pub(crate) fn picture(arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        return Err("`picture` takes no arguments".into());
    }
    setup::client_files()?;
    setup::driver()?;
    setup::chromium()?;
    run(cargo().args(["build", "--package", "chat"]))?;
    let chat = target()?.join("debug").join(format!("chat{}", env::consts::EXE_SUFFIX));
    let mut server = start(program(chat).args(["--port", "0"]).stdout(Stdio::piped()))?;
    let result = url(&mut server).and_then(|url| {
        run(program("node")
            .args(["conformance/browser/picture.js", &url, "docs"])
            .env("CHROMIUM", find("chromium").unwrap_or_default()))
    });
    server.kill()?;
    server.wait()?;
    result?;
    Ok(ExitCode::SUCCESS)
}

/// The page of an example under a script of `conformance/browser`.
fn page_of(example: &str, script: &str) -> Result<Tally> {
    let artifacts = root().join("artifacts/browser");
    fs::create_dir_all(&artifacts)?;
    let server = release_binary(example)?;
    let mut server = start(program(&server).args(["--port", "0"]).stdout(Stdio::piped()))?;
    let result = url(&mut server).and_then(|url| {
        tally(
            program("node")
                .args([&format!("conformance/browser/{script}"), &url])
                .env("ARTIFACTS", &artifacts)
                .env("CHROMIUM", find("chromium").unwrap_or_default()),
        )
    });
    server.kill()?;
    server.wait()?;
    result
}

/// The address that the server prints when it listens. What it prints is shown, before and after.
fn url(server: &mut Child) -> Result<String> {
    let stdout = server.stdout.take().expect("stdout is piped");
    let (sender, receiver) = mpsc::channel();
    // Reads until the server ends, so that it never waits for somebody to read.
    thread::spawn(move || show_and_find_url(stdout, &sender));
    receiver
        .recv_timeout(START_TIMEOUT)
        .map_err(|_| "the server ended, or told no address in time".into())
}

fn show_and_find_url(stdout: ChildStdout, found: &mpsc::Sender<String>) {
    for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
        println!("server: {line}");
        let words = line.split_whitespace();
        for word in words.filter(|word| word.starts_with("http://127.0.0.1:")) {
            // Nobody listens any more once the first address was found.
            let _ = found.send(word.into());
        }
    }
}

/// It listens at once; this is for a machine that is busy with something else.
const START_TIMEOUT: Duration = Duration::from_secs(30);
