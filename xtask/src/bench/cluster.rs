//! `cargo xtask bench --cluster`: what a broadcast across two nodes costs, and how long it takes.
//!
//! The nodes of a kind and a Redis of their own are started for each measurement. A member of one
//! node has messages sent to all members of both; the load generator numbers them.

use std::process::ExitCode;

use serde_json::Value;

use super::options::{Carrier, Options, Peer, Protocol};
use super::processes::{Cores, Server};
use super::ratios::{InRound, Spread, paired};
use super::servers::{OURS, bench_binary, build};
use super::tables::Table;
use super::{Bench, fits, machine};
use crate::command::{Result, cargo, find, release_binary, root, run};
use crate::setup;

/// A load of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    title: &'static str,
    /// For the scenario `cluster` of the load generator.
    load: &'static [&'static str],
    /// Only with `--full`, or if it is asked for.
    is_long: bool,
}

pub(crate) const ROWS: [Row; 8] = [
    row("one", "one at a time", &["-c", "20", "-w", "1"]),
    row(
        "near-one",
        "the same, one member of the sender's",
        &["-c", "11", "--near", "1", "-w", "1"],
    ),
    row("paced-200", "200 a second", &["-c", "20", "--rate", "200"]),
    row("paced-2000", "2,000 a second", &["-c", "20", "--rate", "2000"]),
    row("bursts", "100 at once", &["-c", "20", "-w", "100", "--burst"]),
    row(
        "window",
        "10,000, of which 500 on their way",
        &["-c", "100", "-w", "500", "--messages", "10000"],
    ),
    row("flood", "10,000 at once", &["-c", "20", "-w", "10000", "--messages", "10000"]),
    Row {
        is_long: true,
        ..row(
            "members",
            "one at a time, 9,500 members each",
            &["-c", "19000", "-w", "1", "--messages", "50"],
        )
    },
];

const fn row(name: &'static str, title: &'static str, load: &'static [&'static str]) -> Row {
    Row { name, title, load, is_long: false }
}

/// A kind of nodes.
struct Estate {
    name: String,
    command: String,
}

pub(super) fn command(options: Options, arguments: &[String]) -> Result<ExitCode> {
    setup::redis()?;
    let estates = prepare(&options)?;
    let cores = match options.anywhere {
        true => Cores::Anywhere,
        false => machine::cores_apart(),
    };
    let mut bench = Bench::begin(options, arguments, cores)?;
    let is_wanted = |row: &&Row| {
        let is_named = bench.options.rows.is_some();
        bench.options.wants(row.name) && (is_named || bench.options.full || !row.is_long)
    };
    let mut rows: Vec<&Row> = ROWS.iter().filter(is_wanted).collect();
    rows.retain(|row| fits(row.name, row.load[1]));
    let mut measured = Vec::new();
    for round in 0..bench.options.rounds {
        for row in &rows {
            for estate in &estates {
                match measure(&bench, row, estate) {
                    Ok(line) => {
                        let far = &line["far_p50_ms"];
                        let rounds = bench.options.rounds;
                        eprintln!(
                            "round {}/{rounds}: {} {}: {far}",
                            round + 1,
                            row.name,
                            estate.name
                        );
                        bench.keep(row.name, round, &line)?;
                        measured.push(Run { row: row.name, estate: &estate.name, round, line });
                    }
                    Err(problem) => bench.fail(format!("{} {}: {problem}", row.name, estate.name)),
                }
            }
        }
    }
    let pinned = match cores {
        Cores::Apart => "both nodes on core 1, Redis and the load on core 0",
        Cores::Anywhere => "nothing pinned, two workers for each node on tokio",
    };
    println!("\n{}; {pinned}", bench.machine);
    print_all(&rows, &estates, &measured);
    print_ratios(&rows, &estates, &measured);
    for run in measured.iter().filter(|run| run.estate == OURS) {
        let count = |key: &str| run.line[key].as_u64().unwrap_or(u64::MAX);
        let [lost, duplicates, disorder] = ["lost", "duplicates", "disorder"].map(count);
        if lost + duplicates + disorder > 0 {
            let what = format!("{lost} lost, {duplicates} twice, {disorder} out of order");
            bench.failures.push(format!("{}, round {}: {what}", run.row, run.round + 1));
        }
    }
    Ok(bench.finish(&[]))
}

/// Builds and installs what is not there.
fn prepare(options: &Options) -> Result<Vec<Estate>> {
    let carrier = options.carrier.argument();
    let ours = match &options.server {
        Some(command) => command.clone(),
        None => {
            run(cargo().args(["build", "--release", "--package", "conformance-server"]))?;
            let program = release_binary("conformance-server")?;
            format!(
                "'{}' --port {{port}} --profile {{profile}} --redis {{redis}} --adapter {carrier}",
                program.display()
            )
        }
    };
    build("sioload")?;
    let mut estates = vec![Estate { name: OURS.to_owned(), command: ours }];
    for (name, command) in &options.with {
        estates.push(Estate { name: name.clone(), command: command.clone() });
    }
    if options.peers.contains(&Peer::Socketioxide) && options.carrier == Carrier::Classic {
        build("peer-socketioxide-redis")?;
        let program = bench_binary("peer-socketioxide-redis");
        let command = format!("'{}' {{port}} {{redis}}", program.display());
        estates.push(Estate { name: "socketioxide".to_owned(), command });
    }
    if options.peers.contains(&Peer::Node4) {
        match setup::bench_cluster() {
            Ok(()) => {
                let script = root().join("bench/node4-redis/server.js");
                let command = format!("node '{}' {{port}} {{redis}} {carrier}", script.display());
                estates.push(Estate { name: "node4".to_owned(), command });
            }
            Err(problem) => println!("bench: no rows of Node: {problem}"),
        }
    }
    Ok(estates)
}

fn measure(bench: &Bench, row: &Row, estate: &Estate) -> Result<Value> {
    let cores = bench.generator.cores;
    let redis = std::env::var_os("REDIS_SERVER").map(Into::into).or_else(|| find("redis-server"));
    let redis = redis.ok_or("redis-server is missing")?;
    // It keeps nothing.
    let options = "--bind 127.0.0.1 --port {port} --save '' --appendonly no";
    let redis = Server::start_on(&format!("'{}' {options}", redis.display()), "", cores, 0)?;
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let command = estate.command.replace("{redis}", &url);
    let first = Server::start(&command, "bench-cluster", cores)?;
    let second = Server::start(&command, "bench-cluster", cores)?;
    let mut arguments: Vec<String> = vec!["cluster".to_owned()];
    arguments.extend(["--other".to_owned(), second.port.to_string()]);
    for server in [&second, &redis] {
        arguments.extend(["--pid".to_owned(), server.id().to_string()]);
    }
    arguments.extend(row.load.iter().map(|&word| word.to_owned()));
    arguments.extend(["-s", "100"].map(str::to_owned));
    arguments.extend(["--warm".to_owned(), bench.options.warm.to_string()]);
    arguments.extend(["--secs".to_owned(), bench.options.measure.to_string()]);
    bench.generator.run(&first, &estate.name, Protocol::Eio4, &arguments)
}

struct Run<'a> {
    row: &'static str,
    estate: &'a str,
    round: usize,
    line: Value,
}

fn of(measured: &[Run<'_>], row: &Row, estate: &Estate, key: &str) -> Vec<InRound> {
    measured
        .iter()
        .filter(|run| run.row == row.name && run.estate == estate.name)
        .filter_map(|run| Some((run.round, run.line[key].as_f64()?)))
        .collect()
}

fn print_all(rows: &[&Row], estates: &[Estate], measured: &[Run<'_>]) {
    let mut table = Table::new([
        "messages",
        "nodes",
        "CPU us, sender",
        "CPU us, other",
        "Redis us",
        "k/s",
        "p50 ms",
        "p99 ms",
        "own p50",
        "own p99",
        "lost/twice/disorder",
    ]);
    for row in rows {
        for estate in estates {
            let values = |key: &str| of(measured, row, estate, key).into_iter().map(|v| v.1);
            if values("n").next().is_none() {
                continue;
            }
            let cell = |key: &str| {
                let spread = Spread::of(values(key));
                spread.map_or_else(|| "-".to_owned(), |spread| spread.to_string())
            };
            let rate = Spread::of(values("per_s").map(|rate| rate / 1e3));
            let sum = |key: &str| values(key).sum::<f64>();
            table.row([
                row.title.to_owned(),
                estate.name.clone(),
                cell("near_cpu_us"),
                cell("far_cpu_us"),
                cell("broker_cpu_us"),
                rate.map_or_else(|| "-".to_owned(), |rate| rate.to_string()),
                cell("far_p50_ms"),
                cell("far_p99_ms"),
                cell("near_p50_ms"),
                cell("near_p99_ms"),
                format!("{}/{}/{}", sum("lost"), sum("duplicates"), sum("disorder")),
            ]);
        }
    }
    table.print(
        "CPU of a node per delivery to its own members, of Redis per message; delay to members of the \
         other node and of the sender's own",
    );
}

/// Ours against each of the others.
fn print_ratios(rows: &[&Row], estates: &[Estate], measured: &[Run<'_>]) {
    let mut table = Table::new(["messages", "others", "CPU, sender", "CPU, other", "p50", "p99"]);
    let Some((ours, others)) = estates.split_first() else { return };
    for row in rows {
        for other in others {
            let ratio = |key: &str| {
                let (ours, theirs) = (of(measured, row, ours, key), of(measured, row, other, key));
                let spread = Spread::of(paired(&ours, &theirs));
                spread.map_or_else(|| "-".to_owned(), |spread| spread.to_string())
            };
            table.row([
                row.title.to_owned(),
                other.name.clone(),
                ratio("near_cpu_us"),
                ratio("far_cpu_us"),
                ratio("far_p50_ms"),
                ratio("far_p99_ms"),
            ]);
        }
    }
    table.print("Ours to the others, by round");
}
