//! The tables at the end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::options::Protocol;
use super::ratios::{InRound, Spread, above, figure, paired};
use super::rows::{Bar, Row};
use super::servers::{Contender, OURS};

/// All that was measured in the alternation.
#[derive(Default)]
pub(crate) struct Measured {
    runs: Vec<Run>,
}

struct Run {
    row: &'static str,
    contender: Contender,
    round: usize,
    line: Value,
}

impl Measured {
    pub(crate) fn add(
        &mut self,
        row: &'static str,
        contender: Contender,
        round: usize,
        line: Value,
    ) {
        self.runs.push(Run { row, contender, round, line });
    }

    pub(super) fn of(&self, row: &str, name: &str, protocol: Protocol, key: &str) -> Vec<InRound> {
        self.runs
            .iter()
            .filter(|run| run.row == row)
            .filter(|run| run.contender.name == name && run.contender.protocol == protocol)
            .filter_map(|run| Some((run.round, run.line[key].as_f64()?)))
            .collect()
    }

    /// Who has results in a row, in the order of their first.
    pub(super) fn contenders(&self, row: &str) -> Vec<&Contender> {
        let mut found: Vec<&Contender> = Vec::new();
        for run in self.runs.iter().filter(|run| run.row == row) {
            if !found.contains(&&run.contender) {
                found.push(&run.contender);
            }
        }
        found
    }
}

/// A table that both people and Markdown can read.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec(), head.map(|_| "---".into()).to_vec()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn print(&self, title: &str) {
        if self.rows.len() == 2 {
            return;
        }
        println!("\n{title}\n");
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
            .collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:width$} |"));
            println!("|{}", cells.collect::<String>());
        }
    }
}

/// Prints what our server costs against the targets. Gives the rows that fail.
pub(crate) fn print_targets(rows: &[&Row], measured: &Measured) -> Vec<String> {
    let mut failed = Vec::new();
    let mut table = Table::new([
        "row",
        "clients",
        "ours",
        "reference",
        "its",
        "ratio by round",
        "must",
        "ambition",
        "verdict",
    ]);
    for row in rows {
        let each = row
            .bars
            .iter()
            .flat_map(|bar| [Protocol::Eio4, Protocol::Eio3].map(|protocol| (*bar, protocol)));
        for ((bar, target), protocol) in each {
            let ours = measured.of(row.name, OURS, protocol, row.key());
            let Some(spread) = Spread::of(ours.iter().map(|&(_, value)| value)) else { continue };
            let reference = reference(row, bar, protocol);
            let theirs =
                reference.map(|(name, protocol)| measured.of(row.name, name, protocol, row.key()));
            let median = theirs.as_ref().and_then(|theirs| Spread::of(theirs.iter().map(|v| v.1)));
            let found = match (bar, theirs) {
                (Bar::Memory, _) => Some(spread),
                (Bar::AboveFloor, Some(theirs)) => Spread::of(above(&ours, &theirs)),
                (_, theirs) => theirs.and_then(|theirs| Spread::of(paired(&ours, &theirs))),
            };
            let (ratio, verdict) = match found {
                Some(found) => {
                    if target.fails(found) {
                        failed.push(format!("{} ({})", row.name, protocol.title()));
                    }
                    (found.to_string(), target.verdict(found).to_string())
                }
                None => ("-".to_owned(), "not measured".to_owned()),
            };
            let with_unit = |spread: Spread| format!("{} {}", figure(spread.median), row.unit());
            table.row([
                row.title.to_owned(),
                protocol.title().to_owned(),
                with_unit(spread),
                reference.map_or("-", |(name, _)| name).to_owned(),
                median.map_or_else(|| "-".to_owned(), with_unit),
                match bar {
                    Bar::Memory => "-".to_owned(),
                    Bar::AboveFloor => format!("{ratio} us more"),
                    Bar::Floor | Bar::Socketioxide | Bar::Node4 => ratio,
                },
                figure(target.must),
                figure(target.ambition),
                verdict,
            ]);
        }
    }
    table.print("CPU time of the server per unit, against the targets");
    failed
}

/// Whose value stands beside ours.
fn reference(row: &Row, bar: Bar, protocol: Protocol) -> Option<(&'static str, Protocol)> {
    match (bar, row.floor) {
        (Bar::Socketioxide, _) => Some(("socketioxide", protocol)),
        (Bar::Node4, _) => Some(("node4", Protocol::Eio4)),
        (_, Some("hyper-poll")) => Some(("hyper-poll", Protocol::Eio4)),
        (_, Some(floor)) => Some((floor, Protocol::Raw)),
        (_, None) => None,
    }
}

/// Prints everybody who was measured.
pub(crate) fn print_peers(rows: &[&Row], measured: &Measured) {
    let mut table = Table::new([
        "row",
        "server",
        "clients",
        "median",
        "to ours, by round",
        "k/s",
        "p50 ms",
        "p99 ms",
    ]);
    for row in rows {
        for contender in measured.contenders(row.name) {
            let of = |key: &str| measured.of(row.name, &contender.name, contender.protocol, key);
            let median = |key: &str| Spread::of(of(key).into_iter().map(|(_, value)| value));
            let show = |key: &str, scale: f64| {
                median(key).map_or_else(|| "-".to_owned(), |found| figure(found.median * scale))
            };
            let key = row.key();
            let ours = [contender.protocol, Protocol::Eio4, Protocol::Eio3]
                .into_iter()
                .map(|protocol| measured.of(row.name, OURS, protocol, key))
                .find(|ours| !ours.is_empty());
            let ratio = ours.and_then(|ours| Spread::of(paired(&of(key), &ours)));
            let is_ours = contender.name == OURS;
            table.row([
                row.title.to_owned(),
                contender.name.clone(),
                contender.protocol.title().to_owned(),
                format!("{} {}", show(key, 1.0), row.unit()),
                match ratio {
                    Some(ratio) if !is_ours => ratio.to_string(),
                    _ => "-".to_owned(),
                },
                show("per_s", 0.001),
                show("p50_ms", 1.0),
                show("p99_ms", 1.0),
            ]);
        }
    }
    table.print("All servers");
}

/// Prints how other builds of our server compare with the first.
pub(crate) fn print_builds(rows: &[&Row], builds: &[(String, String)], measured: &Measured) {
    let mut table = Table::new(["build", "row", "clients", "ours", "its", "its to ours, by round"]);
    let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, _) in builds.iter().skip(1) {
        for row in rows {
            for protocol in [Protocol::Eio4, Protocol::Eio3] {
                let key = row.key();
                let ours = measured.of(row.name, OURS, protocol, key);
                let its = measured.of(row.name, name, protocol, key);
                let Some(ratio) = Spread::of(paired(&its, &ours)) else { continue };
                all.entry(name).or_default().push(ratio.median);
                let median = |values: &[InRound]| {
                    Spread::of(values.iter().map(|&(_, value)| value))
                        .map_or_else(|| "-".to_owned(), |found| figure(found.median))
                };
                table.row([
                    name.clone(),
                    row.title.to_owned(),
                    protocol.title().to_owned(),
                    median(&ours),
                    median(&its),
                    ratio.to_string(),
                ]);
            }
        }
    }
    table.print("Other builds");
    for (name, ratios) in all {
        if let Some(found) = Spread::of(ratios) {
            println!("\n{name}: the median of these ratios is {}", figure(found.median));
        }
    }
}
