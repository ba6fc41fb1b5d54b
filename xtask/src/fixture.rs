//! The fixture server as a child process, on a free port, for clients that are not started by a runner of
//! `conformance/`. It ends with its handle.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::command::{Result, cargo, program, release_binary, run, start};

/// Builds the program.
pub(crate) fn build() -> Result<()> {
    run(cargo().args(["build", "--release", "--package", "conformance-server"]))
}

/// One server; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Fixture {
    child: Child,
    pub(crate) port: u16,
}

impl Fixture {
    /// Starts the program, which was built before, with one of its profiles.
    pub(crate) fn start(profile: &str) -> Result<Self> {
        let mut child = start(
            program(release_binary("conformance-server")?)
                .args(["--port", "0", "--profile", profile])
                .stdout(Stdio::piped()),
        )?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, receiver) = mpsc::channel();
        // Reads until the server ends, so that it never waits for somebody to read.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                if let Some(port) = line.strip_prefix("listening ").and_then(|n| n.parse().ok()) {
                    // Nobody listens any more once the port was told.
                    let _ = sender.send(port);
                }
            }
        });
        // From here on the child ends whatever happens.
        let mut fixture = Self { child, port: 0 };
        fixture.port = receiver
            .recv_timeout(START_TIMEOUT)
            .map_err(|_| format!("the fixture with the profile {profile} told no port in time"))?;
        Ok(fixture)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // It may have ended by itself; its clients have told so then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// It listens at once; this is for a machine that is busy with something else.
const START_TIMEOUT: Duration = Duration::from_secs(30);
