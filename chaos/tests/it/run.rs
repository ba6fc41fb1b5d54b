//! The whole program, for some seconds. The clocks are real: it is two processes and TCP.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use chaos::check::{Rule, check};
use chaos::history::Record;

/// The history of a short run, made once. A busy machine does less in the same time, so one that
/// has not seen everything is followed by a longer one; each has to be explained.
fn history() -> &'static [String] {
    static HISTORY: OnceLock<Vec<String>> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let mut missing = Vec::new();
        for seconds in ["5", "15", "45"] {
            let history = run(seconds);
            missing = unseen(&history);
            if missing.is_empty() {
                return history;
            }
        }
        panic!("no {missing:?}");
    })
}

fn run(seconds: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos");
    let status = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["run", "--secs", seconds, "--clients", "60", "--seed", "11", "--folder"])
        .arg(&folder)
        .status()
        .expect("the program starts");
    assert!(status.success(), "{status}");
    let text = fs::read_to_string(folder.join("history.txt")).expect("there is a history");
    text.lines().map(str::to_owned).collect()
}

/// What a history lacks of all there is to be seen; it has nothing that is not explained.
fn unseen(history: &[String]) -> Vec<&'static str> {
    let verdict = check(history);
    assert_eq!(verdict.unexplained, [], "{verdict}");
    let all = history.join("\n");
    let uncounted = verdict.counts.iter().filter(|(_, count)| *count == 0).map(|(what, _)| *what);
    let words = [
        ["V3/WebSocket", "V4/WebSocket", "V3/Polling", "V4/Polling", "V4/Upgrade", "c fault"],
        ["c stall", "vanished", "s kicked", "half-open", " rst", " fin"],
    ];
    let pairs = [
        ("two broadcasts of one sender", of_one_sender(history)),
        ("two broadcasts at two receivers", of_two_senders(history)),
    ];
    let pairs = pairs.into_iter().filter(|(_, pair)| pair.is_none()).map(|(what, _)| what);
    let words = words.into_iter().flatten().filter(|word| !all.contains(word));
    uncounted.chain(words).chain(pairs).collect()
}

fn record(line: &str) -> Record {
    line.parse().expect("the run wrote it")
}

/// Lines of broadcasts that were received, and what was received so.
fn said(history: &[String]) -> Vec<(usize, Record)> {
    let records = history.iter().map(|line| record(line)).enumerate();
    records.filter(|(_, record)| matches!(record, Record::Said { .. })).collect()
}

/// Two broadcasts of one sender at one receiver.
fn of_one_sender(history: &[String]) -> Option<(usize, usize)> {
    let mut seen = HashMap::new();
    said(history).into_iter().find_map(|(line, record)| match record {
        Record::Said { life, sender, .. } => {
            seen.insert((life, sender), line).map(|before| (before, line))
        }
        _ => None,
    })
}

/// Two broadcasts of different senders, that another receiver had as well.
fn of_two_senders(history: &[String]) -> Option<(usize, usize)> {
    let mut by_life: HashMap<_, Vec<_>> = HashMap::new();
    for (line, record) in said(history) {
        if let Record::Said { life, sender, n } = record {
            by_life.entry(life).or_default().push((line, sender, n));
        }
    }
    let mut seen = HashSet::new();
    by_life.values().flat_map(|said| said.windows(2)).find_map(|pair| {
        let [(before, a, m), (after, b, n)] = *pair else { return None };
        (a != b && !seen.insert((a, m, b, n))).then_some((before, after))
    })
}

/// After `change` the history breaks this rule, and perhaps others with it.
#[track_caller]
fn falsified(rule: Rule, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines = history().to_vec();
    change(&mut lines);
    let found = check(&lines).unexplained;
    assert!(found.iter().any(|finding| finding.rule == rule), "{found:?}");
}

#[test]
fn everything_is_explained() {
    assert_eq!(unseen(history()), [""; 0]);
}

/// A broadcast that its receiver had, with another one behind it.
#[test]
fn a_planted_loss() {
    let mut later = HashSet::new();
    // from behind: the first of those that have a later one of the same sender
    let lost = said(history()).into_iter().rev().find_map(|(line, record)| match record {
        Record::Said { life, sender, .. } if !later.insert((life, sender)) => Some(line),
        _ => None,
    });
    falsified(Rule::Loss, |lines| drop(lines.remove(lost.expect("somebody had two"))));
}

#[test]
fn a_planted_duplicate() {
    let (line, _) = said(history()).swap_remove(0);
    falsified(Rule::Duplicate, |lines| lines.insert(line + 1, lines[line].clone()));
    let got = history().iter().position(|line| line.starts_with("c got ")).unwrap();
    falsified(Rule::Duplicate, |lines| lines.insert(got, lines[got].clone()));
}

#[test]
fn a_planted_swap() {
    let (before, after) = of_one_sender(history()).expect("the history has seen it");
    falsified(Rule::Order, |lines| lines.swap(before, after));
}

#[test]
fn a_planted_disagreement() {
    let (before, after) = of_two_senders(history()).expect("the history has seen it");
    falsified(Rule::OneOrder, |lines| lines.swap(before, after));
}

#[test]
fn a_missing_disconnection() {
    let line = history().iter().position(|line| line.starts_with("s disconnected")).unwrap();
    falsified(Rule::Lifecycle, |lines| drop(lines.remove(line)));
}

#[test]
fn an_acknowledgement_without_an_end() {
    let line = history().iter().position(|line| line.starts_with("s answered")).unwrap();
    falsified(Rule::Ack, |lines| drop(lines.remove(line)));
    falsified(Rule::Ack, |lines| lines.insert(line, lines[line].clone()));
}

#[test]
fn something_that_is_left() {
    let line = history().iter().position(|line| line.starts_with("s final")).unwrap();
    falsified(Rule::Leftover, |lines| lines[line] = "s final 0 1 0 0 0".to_owned());
    falsified(Rule::Leftover, |lines| drop(lines.remove(line)));
}
