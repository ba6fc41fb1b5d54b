//! `cargo xtask bench`: what our server costs, beside floors and peers in one alternation.
//!
//! `bench/README.md` says what the rows are and how far the figures can be trusted.

mod behaviour;
mod cluster;
mod machine;
mod options;
mod plot;
mod processes;
mod ratios;
mod rows;
mod servers;
mod tables;

use std::fs::{self, File};
use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use self::behaviour::Checks;
use self::options::Options;
use self::processes::{Cores, Generator, Server};
use self::rows::{ROWS, Row};
use self::servers::{Contender, Servers, bench_binary};
use self::tables::{Measured, print_builds, print_peers, print_targets};
use crate::command::Result;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    if arguments.iter().any(|argument| argument == "--help") {
        print!("{}", options::HELP);
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::parse(arguments)?;
    if options.cluster {
        return cluster::command(options, arguments);
    }
    let rows = wanted(&options);
    let servers = Servers::prepare(&options, &rows)?;
    let mut bench = Bench::begin(options, arguments, machine::cores_apart())?;

    let mut measured = Measured::default();
    for round in 0..bench.options.rounds {
        for row in &rows {
            // Memory does not depend on what else the machine does.
            if row.is_memory() && round > 0 {
                continue;
            }
            for contender in servers.contenders(row) {
                if let Some(line) = bench.measure(row, &contender, round)? {
                    measured.add(row.name, contender, round, line);
                }
            }
        }
    }
    let (_, ours) = &servers.builds()[0];
    let checks = Checks::run(&mut bench, ours)?;

    println!("\n{}", bench.machine);
    let mut missed = print_targets(&rows, &measured);
    print_builds(&rows, servers.builds(), &measured);
    print_peers(&rows, &measured);
    missed.extend(checks.print());
    if let Some(file) = &bench.options.plot {
        fs::write(file, plot::svg(&rows, &measured, &bench.machine))?;
        println!("\nthe rows as a picture: {file}");
    }
    Ok(bench.finish(&missed))
}

fn wanted(options: &Options) -> Vec<&'static Row> {
    let mut rows: Vec<&Row> = ROWS.iter().filter(|row| options.wants(row.name)).collect();
    let has_profiles = options.server.as_ref().is_none_or(|command| command.contains("{profile}"));
    rows.retain(|row| {
        if row.profile != "bench" && !has_profiles {
            println!("bench: no row {}: the command of the server has no {{profile}}", row.name);
            return false;
        }
        fits(row.name, row.load[2])
    });
    rows
}

/// Whether so many connections can be opened; says so if not.
fn fits(row: &str, connections: &str) -> bool {
    let connections = connections.parse().unwrap_or(0);
    let fits = machine::open_files() > connections + SPARE_FILES;
    if !fits {
        println!("bench: no row {row}: raise the limit of open files (`ulimit -n`)");
    }
    fits
}

/// What all parts of a run share.
struct Bench {
    generator: Generator,
    options: Options,
    /// What is measured on.
    machine: String,
    out: Option<File>,
    /// What went wrong; a bench with any of it fails.
    failures: Vec<String>,
}

impl Bench {
    fn begin(options: Options, arguments: &[String], cores: Cores) -> Result<Self> {
        let mut bench = Self {
            generator: Generator { program: bench_binary("sioload"), cores },
            machine: machine::describe(),
            out: options.out.as_deref().map(File::create).transpose()?,
            options,
            failures: Vec::new(),
        };
        bench.write(&json!({ "machine": &bench.machine, "arguments": arguments }))?;
        Ok(bench)
    }

    /// One server, one row, one round; nothing when it went wrong.
    fn measure(&mut self, row: &Row, contender: &Contender, round: usize) -> Result<Option<Value>> {
        let Contender { name, protocol, command } = contender;
        let mut arguments: Vec<String> = row.load.iter().map(|&text| text.to_owned()).collect();
        // code that is compiled while it runs
        let is_node = name.starts_with("node") || name == "bun";
        let warm = match (row.is_memory(), self.options.warm_node) {
            (true, _) => 1.0,
            (_, Some(warm)) if is_node && row.is_handshake => warm,
            // It settles later.
            _ if is_node => self.options.warm.max(1.0),
            _ => self.options.warm,
        };
        arguments.extend(["--warm".to_owned(), warm.to_string()]);
        arguments.extend(["--secs".to_owned(), self.options.measure.to_string()]);
        let result = Server::start(command, row.profile, self.generator.cores)
            .and_then(|server| self.generator.run(&server, name, *protocol, &arguments));
        let label = format!("{} {name} {}", row.name, protocol.title());
        match result {
            Ok(line) => {
                let value = &line[row.key()];
                eprintln!("round {}/{}: {label}: {value}", round + 1, self.options.rounds);
                self.keep(row.name, round, &line)?;
                Ok(Some(line))
            }
            Err(problem) => {
                self.fail(format!("{label}: {problem}"));
                Ok(None)
            }
        }
    }

    fn keep(&mut self, row: &str, round: usize, line: &Value) -> Result<()> {
        self.write(&json!({ "row": row, "round": round, "result": line }))
    }

    fn write(&mut self, line: &Value) -> Result<()> {
        if let Some(out) = &mut self.out {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn fail(&mut self, what: String) {
        eprintln!("bench: FAILED: {what}");
        self.failures.push(what);
    }

    fn finish(&self, missed: &[String]) -> ExitCode {
        for failure in &self.failures {
            println!("\nFAILED: {failure}");
        }
        if !missed.is_empty() {
            println!("\nmissed by more than a quarter: {}", missed.join(", "));
        }
        if self.failures.is_empty() && missed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Of a server with that many connections, for all else.
const SPARE_FILES: usize = 200;
