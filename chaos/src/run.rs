//! A run: the server in a process of its own, the clients and the proxy in this one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use socketio::BoxError;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{self, Run};
use crate::history::Recorder;
use crate::phone;
use crate::server::{Heartbeat, SLACK};

/// What a run is made of.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) seconds: u64,
    pub(crate) clients: u32,
    pub(crate) seed: u64,
    pub(crate) folder: PathBuf,
    /// The clients are phones, which come back to their sessions.
    pub(crate) recovery: bool,
}

/// Runs, and gives the file of the history.
pub(crate) async fn run(options: &Options) -> Result<PathBuf, BoxError> {
    let Options { seconds, clients, seed, folder, recovery } = options;
    let kind = if *recovery { "phones" } else { "clients" };
    println!("chaos: {clients} {kind} for {seconds} s, seed {seed}");
    fs::create_dir_all(folder)?;
    let (ours, theirs) = (folder.join("clients.txt"), folder.join("server.txt"));
    // a short run cannot wait for a long heartbeat
    let heartbeat = match seconds {
        ..60 => Heartbeat { interval: Duration::from_secs(2), timeout: Duration::from_secs(6) },
        _ => Heartbeat { interval: Duration::from_secs(10), timeout: Duration::from_secs(15) },
    };
    let mut server =
        ServerProcess::start(&theirs, heartbeat, if *recovery { *clients } else { 0 }).await?;
    let history = Arc::new(Recorder::create(&ours)?);
    let begin = Instant::now();
    let run = Arc::new(Run {
        server: ([127, 0, 0, 1], server.port).into(),
        seed: *seed,
        clients: *clients,
        history: Arc::clone(&history),
        heartbeat,
        // so many operations a second in all, about, whoever makes them
        pace: (u64::from(*clients) * 1000 / OPERATIONS).clamp(40, 3000),
        ramp: Duration::from_secs(seconds / 6),
        stop: begin + Duration::from_secs(*seconds),
    });
    let mut tasks = JoinSet::new();
    for number in 0..*clients {
        let run = Arc::clone(&run);
        match recovery {
            true => tasks.spawn(phone::phone(run, number)),
            false => tasks.spawn(client::client(run, number)),
        };
    }
    let mut told = begin;
    while !tasks.is_empty() {
        let _ = timeout(Duration::from_secs(1), tasks.join_next()).await;
        if told.elapsed() >= Duration::from_secs(10) {
            told = Instant::now();
            println!("{:>5} s  {}", begin.elapsed().as_secs(), server.stats().await?);
        }
    }
    println!("{:>5} s  all clients have ended", begin.elapsed().as_secs());
    // half-open connections are found by the heartbeat, closed sessions wait for their peers
    let until = Instant::now() + heartbeat.interval + 2 * heartbeat.timeout + SLACK;
    while !server.stats().await?.starts_with("sessions 0 sockets 0 rooms 0 acks 0 handlers 0 ")
        && Instant::now() < until
    {
        sleep(Duration::from_millis(200)).await;
    }
    println!("{:>5} s  {}", begin.elapsed().as_secs(), server.stats().await?);
    server.end().await?;
    history.flush()?;
    let whole = folder.join("history.txt");
    let mut file = File::create(&whole)?;
    for part in [&ours, &theirs] {
        io::copy(&mut File::open(part)?, &mut file)?;
        fs::remove_file(part)?;
    }
    Ok(whole)
}

#[derive(Debug)]
struct ServerProcess {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl ServerProcess {
    async fn start(history: &Path, heartbeat: Heartbeat, phones: u32) -> Result<Self, BoxError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("server")
            .arg(history)
            .arg(heartbeat.interval.as_millis().to_string())
            .arg(heartbeat.timeout.as_millis().to_string())
            .arg(phones.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().ok_or("the server has no standard input")?;
        let stdout = child.stdout.take().ok_or("the server has no standard output")?;
        let mut server = Self { child, orders, lines: BufReader::new(stdout).lines(), port: 0 };
        let line = server.line().await?;
        let port = line.strip_prefix("listening ").and_then(|port| port.parse().ok());
        server.port = port.ok_or_else(|| format!("the server said {line:?}"))?;
        Ok(server)
    }

    async fn line(&mut self) -> Result<String, BoxError> {
        Ok(self.lines.next_line().await?.ok_or("the server has ended")?)
    }

    async fn stats(&mut self) -> Result<String, BoxError> {
        self.orders.write_all(b"stats\n").await?;
        self.line().await
    }

    async fn end(mut self) -> Result<(), BoxError> {
        drop(self.orders);
        let status = timeout(Duration::from_secs(10), self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the server failed ({status})").into()) }
    }
}

/// What two cores serve without being busy all the time.
const OPERATIONS: u64 = 2_000;
