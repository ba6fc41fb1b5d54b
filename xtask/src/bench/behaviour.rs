//! Checks of a server under pressure, of our own server alone.

use std::error::Error;
use std::path::Path;

use serde_json::Value;

use super::Bench;
use super::machine;
use super::options::Protocol;
use super::processes::{Cores, Server};
use super::ratios::{Spread, figure, paired};
use super::tables::Table;
use crate::command::Result;

pub(crate) struct Check {
    /// For `--rows`.
    pub(crate) name: &'static str,
    run: fn(&mut Checks, &mut Bench, &str) -> Result<()>,
    connections: usize,
}

pub(crate) const CHECKS: [Check; 4] = [
    Check { name: "opening", run: Checks::opening, connections: 10_000 },
    Check { name: "fanout", run: Checks::fanout, connections: 10_000 },
    Check { name: "large", run: Checks::large, connections: 16 },
    Check { name: "deflate", run: Checks::deflate, connections: 1_000 },
];

/// What they found.
pub(crate) struct Checks {
    table: Table,
    missed: Vec<String>,
}

impl Checks {
    pub(crate) fn run(bench: &mut Bench, ours: &str) -> Result<Self> {
        let table = Table::new(["check", "what", "found", "must", "verdict"]);
        let mut checks = Self { table, missed: Vec::new() };
        for check in &CHECKS {
            if !bench.options.wants(check.name) {
                continue;
            }
            if machine::open_files() < check.connections + super::SPARE_FILES {
                println!("bench: no check {}: raise the limit of open files", check.name);
                continue;
            }
            eprintln!("check {}", check.name);
            if let Err(problem) = (check.run)(&mut checks, bench, ours) {
                bench.fail(format!("{}: {problem}", check.name));
            }
        }
        Ok(checks)
    }

    /// Prints the table; gives what fails.
    pub(crate) fn print(self) -> Vec<String> {
        self.table.print("Behaviour");
        self.missed
    }

    /// Many clients connect, stay and leave, while one is served.
    fn opening(&mut self, bench: &mut Bench, ours: &str) -> Result<()> {
        let generator = &bench.generator;
        let server = Server::start(ours, "bench", generator.cores)?;
        let seconds = (OPENING / OPENING_RATE + 1).to_string();
        let probe = arguments(&["probe", "--every", "0.005", "--secs", &seconds]);
        let probe = generator.start(&server, "ours", Protocol::Eio4, &probe, false)?;
        let (count, rate) = (OPENING.to_string(), OPENING_RATE.to_string());
        let storm = storm_of(&count, &rate);
        let storm = || generator.start(&server, "ours", Protocol::Eio4, &storm, true);
        let first = storm()?;
        let (probe, first) = (probe.finish()?, first.finish()?);
        let second = storm()?.finish()?;
        let name = "opening";
        let what = format!("{count} connect, {rate} a second: echo of another client");
        self.bounded(name, &format!("{what}, max"), field(&probe, "max_ms")?, "ms", Some(250.0));
        self.bounded(name, &format!("{what}, p99"), field(&probe, "p99_ms")?, "ms", None);
        let megabytes = |line, key| Ok::<_, Box<dyn Error>>(field(line, key)? / 1e3);
        let before = megabytes(&first, "rss0_kb")?;
        let with_all = megabytes(&first, "rss1_kb")?;
        let after = megabytes(&first, "rss2_kb")?;
        let again = megabytes(&second, "rss1_kb")?;
        self.bounded(name, "memory before", before, "MB", None);
        self.bounded(name, "memory with all of them", with_all, "MB", None);
        self.bounded(name, "memory 2 s after they left", after, "MB", None);
        self.bounded(name, "memory with as many again", again, "MB", Some(with_all + REST_MB));
        for line in [&probe, &first, &second] {
            bench.keep(name, 0, line)?;
        }
        drop(server);
        self.returning(bench, ours, &storm_of(&count, &rate))
    }

    /// The system's allocator keeps what was freed between what was not; one that gives it back shows
    /// whether all was freed.
    fn returning(&mut self, bench: &mut Bench, ours: &str, storm: &[String]) -> Result<()> {
        let Some(library) = JEMALLOC.into_iter().find(|path| Path::new(path).exists()) else {
            println!("bench: no check whether memory is given back: install jemalloc 5");
            return Ok(());
        };
        let generator = &bench.generator;
        let ours = format!("env MALLOC_CONF={DECAY} LD_PRELOAD={library} {ours}");
        let server = Server::start(&ours, "bench", generator.cores)?;
        let line = generator.start(&server, "ours", Protocol::Eio4, storm, true)?.finish()?;
        let (before, after) = (field(&line, "rss0_kb")? / 1e3, field(&line, "rss2_kb")? / 1e3);
        let what = "memory 2 s after they left, with jemalloc";
        self.bounded("opening", what, after, "MB", Some(before + REST_MB));
        bench.keep("opening", 0, &line)
    }

    /// Several senders, one large room, and clients that have nothing to do with it.
    fn fanout(&mut self, bench: &mut Bench, ours: &str) -> Result<()> {
        let worlds = [("1 core", bench.generator.cores), ("2 workers", Cores::Anywhere)];
        for (world, cores) in worlds {
            let generator = &bench.generator;
            let server = Server::start(ours, "bench", cores)?;
            let start = |line: &[&str], is_background| {
                let line = arguments(line);
                generator.start(&server, "ours", Protocol::Eio4, &line, is_background)
            };
            let fanout = ["fanout", "-c", "10000", "--senders", "4", "--rate", "10", "--secs", "5"];
            let mut fanout = start(&fanout, true)?;
            // It says when all have joined.
            fanout.line()?;
            let echo = start(&["probe", "--every", "0.005", "--secs", "5"], false)?;
            let room = ["probe", "--room", "all", "--every", "0.02", "--secs", "5"];
            let room = start(&room, false)?;
            let lines = [echo.finish()?, room.finish()?, fanout.finish()?];
            let [echo, room, fanout] = &lines;
            let name = "fanout";
            let title = |what: &str| format!("10000 members, {world}: {what}");
            self.bounded(
                name,
                &title("echo of another client, p99"),
                field(echo, "p99_ms")?,
                "ms",
                Some(20.0),
            );
            self.bounded(name, &title("the same, max"), field(echo, "max_ms")?, "ms", None);
            self.bounded(name, &title("join and leave, p99"), field(room, "p99_ms")?, "ms", None);
            self.bounded(name, &title("delivery, p50"), field(fanout, "p50_ms")?, "ms", None);
            self.bounded(name, &title("delivery, p99"), field(fanout, "p99_ms")?, "ms", None);
            self.bounded(name, &title("per delivery"), field(fanout, "cpu_us")?, "us", None);
            // Else the run had failed.
            let order = format!("{} messages of 4 senders, one order", fanout["messages"]);
            self.row(name, &title(&order), "all members", "", "ok");
            for line in &lines {
                bench.keep(name, 0, line)?;
            }
        }
        Ok(())
    }

    /// Messages that fill many packets of TCP.
    fn large(&mut self, bench: &mut Bench, ours: &str) -> Result<()> {
        let seconds = bench.options.measure.to_string();
        for (scenario, transport) in [("echo", "WebSocket"), ("polling", "polling")] {
            for (form, name) in [(None, "text"), (Some("--binary"), "bytes")] {
                for (size, title) in [("65536", "64 KiB"), ("1048576", "1 MiB")] {
                    let server = Server::start(ours, "bench", bench.generator.cores)?;
                    let mut line = vec![scenario, "-c", "8", "-s", size, "--warm", "0.5"];
                    line.extend(["--secs", &seconds]);
                    line.extend(form);
                    let line = arguments(&line);
                    let line = bench.generator.run(&server, "ours", Protocol::Eio4, &line)?;
                    let rate = field(&line, "per_s")? * field(&line, "size")? / 1e6;
                    let (cpu, p99) = (field(&line, "cpu_us")?, field(&line, "p99_ms")?);
                    self.row(
                        "large",
                        &format!("echo of {title} of {name} over {transport}"),
                        &format!(
                            "{} MB/s each way, {} us, p99 {} ms",
                            figure(rate),
                            figure(cpu),
                            figure(p99)
                        ),
                        "",
                        "",
                    );
                    bench.keep("large", 0, &line)?;
                }
            }
        }
        Ok(())
    }

    /// What permessage-deflate costs.
    fn deflate(&mut self, bench: &mut Bench, ours: &str) -> Result<()> {
        if !ours.contains("{profile}") {
            println!("bench: no check deflate: the command of the server has no {{profile}}");
            return Ok(());
        }
        let run = |bench: &mut Bench, profile: &str, line: &[&str], round| {
            let server = Server::start(ours, profile, bench.generator.cores)?;
            let line = arguments(line);
            let line = bench.generator.run(&server, "ours", Protocol::Eio4, &line)?;
            bench.keep("deflate", round, &line)?;
            Ok::<_, Box<dyn Error>>(line)
        };
        let idle = ["idle", "-c", "1000", "--warm", "1", "--deflate"];
        let idle = run(bench, "bench-deflate", &idle, 0)?;
        let found = field(&idle, "kb_per_conn")?;
        self.bounded("deflate", "1000 idle, per connection", found, "KB", None);
        let seconds = bench.options.measure.to_string();
        let plain = ["broadcast", "-c", "1000", "-s", "1024", "--warm", "0.5", "--secs", &seconds];
        let compressed = [&plain[..], &["--deflate"]].concat();
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for round in 0..bench.options.rounds {
            without.push((round, field(&run(bench, "bench", &plain, round)?, "cpu_us")?));
            with.push((round, field(&run(bench, "bench-deflate", &compressed, round)?, "cpu_us")?));
        }
        let title = "broadcast of 1 KiB to 1000, per delivery";
        for (values, how) in [(&without, "plain"), (&with, "compressed")] {
            let found = Spread::of(values.iter().map(|&(_, value)| value)).ok_or("no round")?;
            self.row("deflate", &format!("{title}, {how}"), &format!("{found} us"), "", "");
        }
        let ratio = Spread::of(paired(&with, &without)).ok_or("no round")?;
        self.row("deflate", &format!("{title}, ratio"), &ratio.to_string(), "", "");
        Ok(())
    }

    /// A value that may have an upper bound.
    fn bounded(&mut self, name: &str, what: &str, found: f64, unit: &str, must: Option<f64>) {
        let is_kept = must.is_none_or(|must| found <= must);
        if must.is_some_and(|must| found > must * 1.25) {
            self.missed.push(format!("{name} ({what})"));
        }
        let verdict = match must {
            None => "",
            Some(_) if is_kept => "ok",
            Some(_) => "MISSED",
        };
        let must = must.map_or(String::new(), |must| format!("{} {unit}", figure(must)));
        self.row(name, what, &format!("{} {unit}", figure(found)), &must, verdict);
    }

    fn row(&mut self, name: &str, what: &str, found: &str, must: &str, verdict: &str) {
        self.table.row([name, what, found, must, verdict].map(str::to_owned));
    }
}

fn arguments(line: &[&str]) -> Vec<String> {
    line.iter().map(|&word| word.to_owned()).collect()
}

fn field(line: &Value, key: &str) -> Result<f64> {
    line[key].as_f64().ok_or_else(|| format!("the load generator told no {key}").into())
}

const OPENING: usize = 10_000;
const OPENING_RATE: usize = 2_000;

/// Clients that connect, stay and leave.
fn storm_of(count: &str, rate: &str) -> Vec<String> {
    arguments(&["idle", "-c", count, "--rate", rate, "--warm", "2", "--leave"])
}

/// Where distributions put it.
const JEMALLOC: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
    "/usr/lib/aarch64-linux-gnu/libjemalloc.so.2",
    "/usr/lib64/libjemalloc.so.2",
    "/usr/lib/libjemalloc.so.2",
];

/// How it gives back what is free: within a second, by a thread of its own.
const DECAY: &str = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";

/// What may stay behind in the allocator when everybody has left.
const REST_MB: f64 = 16.0;
