//! The scenarios from beginning to end.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::load::{Cast, Load, Stage, Waits};
use crate::network::Ready;
use crate::options::{Options, Scenario};
use crate::process::{Usage, usage};

/// Runs the scenario; gives the line to print.
pub(crate) fn run(options: Options) -> Result<String, String> {
    let load = Load::new(options)?;
    match load.options.scenario {
        Scenario::Idle => load.idle(),
        Scenario::Fanout => load.fanout(),
        Scenario::Cluster => load.cluster(),
        Scenario::Probe => load.probe(),
        _ => load.steady(),
    }
}

impl Load {
    /// Full load, closed loop: every answer calls for the next request.
    fn steady(mut self) -> Result<String, String> {
        let mut found = Vec::new();
        let before = usage(&self.options.processes);
        let counts_connections =
            matches!(self.options.scenario, Scenario::Connect | Scenario::Churn);
        if !counts_connections {
            self.open_all(&mut found)?;
        }
        self.start_load()?;
        self.turns_for(self.options.warm, &mut found)?;
        self.stage = Stage::Measuring;
        let window = Window::open(&self);
        self.turns_for(self.options.measure, &mut found)?;
        let mut line = window.close(&self);
        self.finish(&mut line);
        line.insert("rss0_kb".into(), before.rss_kb.into());
        line.insert("rss1_kb".into(), usage(&self.options.processes).rss_kb.into());
        Ok(Value::from(line).to_string())
    }

    /// Connections that do nothing: what they cost in memory.
    fn idle(mut self) -> Result<String, String> {
        let mut found = Vec::new();
        let before = usage(&self.options.processes);
        let start = Instant::now();
        self.open_all(&mut found)?;
        let opened = start.elapsed();
        self.turns_for(self.options.warm, &mut found)?;
        let with_all = usage(&self.options.processes);
        let connections = self.options.connections;
        let growth = with_all.rss_kb as f64 - before.rss_kb as f64;
        let mut line = self.head();
        line.insert("opened_s".into(), opened.as_secs_f64().into());
        line.insert("rss0_kb".into(), before.rss_kb.into());
        line.insert("rss1_kb".into(), with_all.rss_kb.into());
        line.insert("kb_per_conn".into(), round(growth / connections as f64));
        if self.options.leave {
            self.leave(&mut found)?;
            line.insert("rss2_kb".into(), usage(&self.options.processes).rss_kb.into());
        }
        line.insert("n".into(), self.counts.ready.into());
        line.insert("bad".into(), self.counts.bad.into());
        line.insert("errors".into(), self.counts.errors.into());
        Ok(Value::from(line).to_string())
    }

    fn leave(&mut self, found: &mut Vec<Ready>) -> Result<(), String> {
        self.stage = Stage::Stopping;
        for at in 0..self.connections.len() {
            if self.connections[at].waits == Waits::Ready {
                self.close(at);
            }
        }
        let until = Instant::now() + LEAVE;
        while (self.counts.done as usize) < self.options.connections {
            if Instant::now() > until {
                return Err(format!("only {} connections closed", self.counts.done));
            }
            self.turn(Duration::from_millis(20), found)?;
        }
        // The server hears of the ends of the streams after we do.
        self.turns_for(SETTLE, found)
    }

    /// One client at a fixed pace, whatever else the server does. A late answer does not hold up
    /// the next request, and the time counts from when it was due.
    fn probe(mut self) -> Result<String, String> {
        let mut found = Vec::new();
        self.options.connections = 1;
        self.open_all(&mut found)?;
        let options = self.options.clone();
        let start = Instant::now();
        self.stage = Stage::Measuring;
        let mut next = start;
        let mut count = 0;
        while start.elapsed() < options.measure {
            while next <= Instant::now() {
                self.connections[0].sent.push_back(next);
                if let Some(room) = &options.room {
                    let event = if count % 2 == 0 { "join" } else { "leave" };
                    self.send_text(0, &format!(r#"42{count}["{event}","{room}"]"#));
                } else {
                    let bytes = self.request.bytes.clone();
                    self.send(0, &bytes);
                }
                next += options.every;
                count += 1;
            }
            self.turn(next.saturating_duration_since(Instant::now()), &mut found)?;
        }
        let until = Instant::now() + Duration::from_secs(5);
        while !self.connections[0].sent.is_empty() && Instant::now() < until {
            self.turn(Duration::from_millis(20), &mut found)?;
        }
        // What never came is worse than late.
        self.counts.errors += self.connections[0].sent.len() as u64;
        let mut line = self.head();
        line.insert("n".into(), self.counts.done.into());
        self.finish(&mut line);
        Ok(Value::from(line).to_string())
    }

    pub(crate) fn on_probed(&mut self, at: usize, message: &[u8]) {
        if self.options.room.is_none() {
            return self.on_answer(at, message == self.request.answer, message);
        }
        // While it is in the room, it hears what is sent there.
        if message.starts_with(b"42") {
            return;
        }
        let count = self.connections[at].seen;
        self.connections[at].seen += 1;
        self.on_answer(at, message.starts_with(format!("43{count}[").as_bytes()), message);
    }

    /// Opens the connections of the scenario, at its rate if it opens at one.
    pub(crate) fn open_all(&mut self, found: &mut Vec<Ready>) -> Result<(), String> {
        let wanted = self.options.connections;
        let rate = self.options.rate.filter(|_| self.options.scenario == Scenario::Idle);
        let start = Instant::now();
        while self.counts.ready < wanted {
            let (due, at_once) = match rate {
                Some(rate) => ((start.elapsed().as_secs_f64() * rate) as usize, usize::MAX),
                None => (wanted, 32),
            };
            while self.counts.pending < at_once
                && self.counts.ready + self.counts.pending < due.min(wanted)
            {
                self.start()?;
            }
            self.turn(Duration::from_millis(if rate.is_some() { 1 } else { 100 }), found)?;
            if self.counts.errors > 0 || start.elapsed() > OPEN {
                return Err(format!("opened only {} of {wanted}", self.counts.ready));
            }
        }
        Ok(())
    }

    fn start_load(&mut self) -> Result<(), String> {
        match self.options.scenario {
            Scenario::Echo | Scenario::Ack => {
                for at in 0..self.connections.len() {
                    self.send_requests(at, self.options.window);
                }
            }
            Scenario::Polling => {
                for at in 0..self.connections.len() {
                    if self.connections[at].waits == Waits::Poll {
                        self.poll_request(at);
                    }
                }
            }
            Scenario::Broadcast => {
                for _ in 0..self.options.window {
                    self.cast();
                }
            }
            _ => {
                for _ in 0..self.options.connections {
                    self.start()?;
                }
            }
        }
        Ok(())
    }

    /// Has the first connection cause a broadcast.
    pub(crate) fn cast(&mut self) {
        self.casts.push(Cast { sent: Instant::now(), missing: self.options.connections });
        let bytes = std::mem::take(&mut self.request.bytes);
        self.send(0, &bytes);
        self.request.bytes = bytes;
    }

    fn turns_for(&mut self, time: Duration, found: &mut Vec<Ready>) -> Result<(), String> {
        let until = Instant::now() + time;
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            self.turn(rest.min(Duration::from_millis(20)), found)?;
        }
        Ok(())
    }

    /// What was run.
    fn head(&self) -> Map<String, Value> {
        let options = &self.options;
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| drop(line.insert(key.into(), value));
        put("server", options.name.clone().into());
        put("scenario", format!("{:?}", options.scenario).to_lowercase().into());
        put("protocol", format!("{:?}", options.dialect).to_lowercase().into());
        put("connections", options.connections.into());
        put("window", options.window.into());
        put("size", options.size.into());
        put("binary", options.binary.into());
        put("upgrade", options.upgrade.into());
        put("deflate", options.deflate.into());
        put("rate", options.rate.into());
        line
    }

    /// What was counted.
    pub(crate) fn finish(&self, line: &mut Map<String, Value>) {
        let counts = &self.counts;
        line.insert("p50_ms".into(), round(counts.latency.quantile(0.5)));
        line.insert("p99_ms".into(), round(counts.latency.quantile(0.99)));
        line.insert("max_ms".into(), round(counts.latency.max()));
        line.insert("bad".into(), counts.bad.into());
        line.insert("errors".into(), counts.errors.into());
    }
}

/// The time between two readings of what server and client used.
pub(crate) struct Window {
    start: Instant,
    server: Usage,
    client: Usage,
    done: u64,
}

impl Window {
    pub(crate) fn open(load: &Load) -> Self {
        Self {
            server: usage(&load.options.processes),
            client: usage(&[std::process::id()]),
            done: load.counts.done,
            start: Instant::now(),
        }
    }

    /// What was run and what it cost.
    pub(crate) fn close(self, load: &Load) -> Map<String, Value> {
        let seconds = self.start.elapsed().as_secs_f64();
        let server = usage(&load.options.processes);
        let client = usage(&[std::process::id()]);
        let units = load.counts.done - self.done;
        let per_unit = |value: f64| json!((units > 0).then(|| round(value / units as f64)));
        let cpu = server.cpu - self.server.cpu;
        let (user, system) = (server.user - self.server.user, server.system - self.server.system);
        let switches = server.context_switches.saturating_sub(self.server.context_switches);
        let mut line = load.head();
        let mut put = |key: &str, value: Value| drop(line.insert(key.into(), value));
        put("n", units.into());
        put("per_s", (units as f64 / seconds).round().into());
        put("cpu_us", per_unit(cpu * 1e6));
        put("cpu_share", round(cpu / seconds));
        put("user_share", round(user as f64 / (user + system).max(1) as f64));
        put("client_share", round((client.cpu - self.client.cpu) / seconds));
        put("switches", per_unit(switches as f64));
        line
    }
}

/// To what can be read.
pub(crate) fn round(value: f64) -> Value {
    ((value * 1000.0).round() / 1000.0).into()
}

/// A server that has not opened all by then does not.
const OPEN: Duration = Duration::from_secs(120);

/// A server that has not closed all by then does not.
const LEAVE: Duration = Duration::from_secs(20);

const SETTLE: Duration = Duration::from_secs(2);
