//! `chaos run` makes a history, `chaos check FILE` judges one; `chaos server` is what `run` starts.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use socketio::BoxError;

mod client;
mod link;
mod phone;
mod plan;
mod proxy;
mod run;
mod sender;
mod server;

use chaos::{check, history};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["run", rest @ ..] => options(rest).and_then(|options| make(&options)),
        ["check", file] => judge(Path::new(file)),
        ["server", history, interval, timeout, phones] => serve(history, interval, timeout, phones),
        _ => Err(USAGE.into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("chaos: {error}");
        ExitCode::from(2)
    })
}

fn options(arguments: &[&str]) -> Result<run::Options, BoxError> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut options = run::Options {
        seconds: 120,
        clients: 5_000,
        seed: since.as_secs(),
        folder: PathBuf::from("target/chaos"),
        recovery: false,
    };
    let mut arguments = arguments.to_vec();
    if let Some(at) = arguments.iter().position(|argument| *argument == "--recovery") {
        arguments.remove(at);
        options.recovery = true;
    }
    for pair in arguments.chunks(2) {
        match pair {
            ["--secs", value] => options.seconds = value.parse()?,
            ["--clients", value] => options.clients = value.parse()?,
            ["--seed", value] => options.seed = value.parse()?,
            ["--folder", value] => options.folder = PathBuf::from(value),
            _ => return Err(USAGE.into()),
        }
    }
    if options.clients == 0 {
        return Err("there must be a client".into());
    }
    Ok(options)
}

#[tokio::main]
async fn make(options: &run::Options) -> Result<ExitCode, BoxError> {
    let history = run::run(options).await?;
    println!("history: {}", history.display());
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn serve(
    history: &str,
    interval: &str,
    timeout: &str,
    phones: &str,
) -> Result<ExitCode, BoxError> {
    let interval = Duration::from_millis(interval.parse()?);
    let timeout = Duration::from_millis(timeout.parse()?);
    let heartbeat = server::Heartbeat { interval, timeout };
    server::serve(Path::new(history), heartbeat, phones.parse()?).await?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a history and prints the verdict; 1 if something is unexplained.
fn judge(file: &Path) -> Result<ExitCode, BoxError> {
    let lines = BufReader::new(File::open(file)?).lines();
    let lines = lines.collect::<Result<Vec<String>, _>>()?;
    let verdict = check::check(&lines);
    println!("{verdict}");
    Ok(if verdict.unexplained.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const USAGE: &str = "\
usage: chaos run [--recovery] [--secs N] [--clients N] [--seed S] [--folder PATH]
       chaos check FILE";
