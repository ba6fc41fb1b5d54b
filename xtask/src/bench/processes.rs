//! Starts servers and load generators, each on a core of its own, and ends them.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::options::Protocol;
use crate::command::{Result, program};

/// Where things run. Without `taskset` or a second core they run anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    Apart,
    /// A server on tokio has two worker threads then.
    Anywhere,
}

/// A server that runs; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a command with its own port in it, and waits until it listens.
    pub(crate) fn start(command: &str, profile: &str, cores: Cores) -> Result<Self> {
        Self::start_on(command, profile, cores, 1)
    }

    /// The same on another core, if the cores are told apart.
    pub(crate) fn start_on(
        command: &str,
        profile: &str,
        cores: Cores,
        core: usize,
    ) -> Result<Self> {
        let port = free_port()?;
        let line = command.replace("{port}", &port.to_string()).replace("{profile}", profile);
        let mut server = match cores {
            Cores::Apart => pinned(core),
            Cores::Anywhere => Vec::new(),
        };
        // With `exec`, so that the process we start becomes the server.
        server.extend(["sh".to_owned(), "-c".to_owned(), format!("exec {line}")]);
        let mut starting = program(&server[0]);
        starting.args(&server[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        if cores == Cores::Anywhere {
            // On one core tokio starts one by itself.
            starting.env("TOKIO_WORKER_THREADS", "2");
        }
        let child = starting
            .spawn()
            .map_err(|error| format!("`{}` cannot be started: {error}", server[0]))?;
        let mut server = Self { child, port };
        let until = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("`{line}` ended at once ({status})").into());
            }
            if Instant::now() > until {
                return Err(format!("`{line}` does not listen").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        // What it does after it listens shall not be measured.
        thread::sleep(Duration::from_millis(100));
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the load generator tells.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The load generator: the program, and where it runs.
pub(crate) struct Generator {
    pub(crate) program: PathBuf,
    pub(crate) cores: Cores,
}

/// A run of it that goes on; it ends when this is dropped.
pub(crate) struct Load {
    child: Child,
    output: BufReader<ChildStdout>,
    line: String,
}

impl Generator {
    /// Starts a scenario, as somebody of little importance if others measure beside it.
    pub(crate) fn start(
        &self,
        server: &Server,
        name: &str,
        protocol: Protocol,
        arguments: &[String],
        is_background: bool,
    ) -> Result<Load> {
        let mut line = match self.cores {
            Cores::Apart => pinned(0),
            Cores::Anywhere => Vec::new(),
        };
        if is_background {
            line.extend(["nice", "-n", "5"].map(str::to_owned));
        }
        line.push(self.program.to_string_lossy().into_owned());
        // The server comes before others that the arguments may name.
        let (scenario, arguments) = arguments.split_first().ok_or("no scenario")?;
        line.push(scenario.clone());
        line.extend(["--port".to_owned(), server.port.to_string()]);
        line.extend(["--pid".to_owned(), server.id().to_string()]);
        line.extend_from_slice(arguments);
        line.extend(["--protocol", protocol.argument(), "--name", name].map(str::to_owned));
        let mut command: Command = program(&line[0]);
        command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| format!("`{}` cannot be started: {error}", line[0]))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let line = format!("{scenario} {}", arguments.join(" "));
        Ok(Load { child, output: BufReader::new(stdout), line })
    }

    /// Runs a scenario to its end.
    pub(crate) fn run(
        &self,
        server: &Server,
        name: &str,
        protocol: Protocol,
        arguments: &[String],
    ) -> Result<Value> {
        self.start(server, name, protocol, arguments, false)?.finish()
    }
}

impl Load {
    /// The next line that it prints on its way.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            return Err(format!("`{}` ended too early", self.line).into());
        }
        Ok(line)
    }

    /// Waits for its end. Wrong answers, failed connections, and none at all are an error: what was
    /// measured then is something else.
    pub(crate) fn finish(mut self) -> Result<Value> {
        let mut output = String::new();
        // The scenarios have bounds of their own.
        self.output.read_to_string(&mut output)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("`{}` failed ({status})", self.line).into());
        }
        let line: Value = serde_json::from_str(output.lines().last().unwrap_or_default())
            .map_err(|error| format!("`{}` printed no result: {error}", self.line))?;
        let count = |key: &str| line[key].as_u64().unwrap_or(0);
        let (bad, errors, missing) = (count("bad"), count("errors"), count("missing"));
        if bad + errors + missing > 0 {
            return Err(format!(
                "`{}`: {bad} wrong answers, {errors} errors, {missing} lost messages",
                self.line
            )
            .into());
        }
        if count("n") == 0 {
            return Err(format!("`{}`: no answer at all", self.line).into());
        }
        Ok(line)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It has ended, unless something failed beside it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on. Nothing keeps it, but whoever binds without wanting a certain
/// port is given another one.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn pinned(core: usize) -> Vec<String> {
    vec!["taskset".to_owned(), "--cpu-list".to_owned(), core.to_string()]
}

/// Node needs a part of a second, on a busy machine more.
const START: Duration = Duration::from_secs(20);
