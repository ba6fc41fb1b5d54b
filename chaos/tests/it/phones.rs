//! Phones that come back to their sessions, for some seconds.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use chaos::check::{Rule, check};
use chaos::history::{Life, Record};

/// The history of a short run, made once; each is explained, and a longer one follows where a busy
/// machine has not seen everything.
fn history() -> &'static [String] {
    static HISTORY: OnceLock<Vec<String>> = OnceLock::new();
    HISTORY.get_or_init(|| {
        for seconds in ["5", "15", "45"] {
            let history = run(seconds);
            let verdict = check(&history);
            assert_eq!(verdict.unexplained, [], "{verdict}");
            let all = history.join("\n");
            let words =
                ["half-open", " rst", " fin", "c quit", "s resumed", "/Polling/", "/Upgrade/"];
            if words.iter().all(|word| all.contains(word)) && over_a_break(&history).is_some() {
                return history;
            }
        }
        panic!("no session went on");
    })
}

fn run(seconds: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("phones");
    let status = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["run", "--recovery", "--secs", seconds, "--clients", "60", "--seed", "11"])
        .arg("--folder")
        .arg(&folder)
        .status()
        .expect("the program starts");
    assert!(status.success(), "{status}");
    let text = fs::read_to_string(folder.join("history.txt")).expect("there is a history");
    text.lines().map(str::to_owned).collect()
}

/// Two events that follow each other in a session with an end, on two connections.
fn over_a_break(history: &[String]) -> Option<(usize, usize)> {
    let record = |line: &str| line.parse::<Record>().expect("the run wrote it");
    let has_end = |session: Life| history.contains(&Record::Fin { session }.to_string());
    let mut last: HashMap<Life, (usize, Life)> = HashMap::new();
    history.iter().enumerate().find_map(|(line, text)| match record(text) {
        Record::Had { life, session, .. } => {
            let (before, old) = last.insert(session, (line, life))?;
            (old != life && has_end(session)).then_some((before, line))
        }
        _ => None,
    })
}

#[track_caller]
fn falsified(rule: Rule, change: impl FnOnce(&mut Vec<String>, (usize, usize))) {
    let mut lines = history().to_vec();
    change(&mut lines, over_a_break(history()).expect("the history has seen it"));
    let found = check(&lines).unexplained;
    assert!(found.iter().any(|finding| finding.rule == rule), "{found:?}");
}

#[test]
fn a_planted_loss() {
    // the last before the break, and the first after it
    falsified(Rule::Loss, |lines, (before, _)| drop(lines.remove(before)));
    falsified(Rule::Loss, |lines, (_, after)| drop(lines.remove(after)));
}

/// What came before the break is sent again after it.
#[test]
fn a_planted_duplicate() {
    falsified(Rule::Duplicate, |lines, (before, after)| {
        let had = |line: &str| match line.parse() {
            Ok(Record::Had { life, session, n }) => (life, session, n),
            other => panic!("{other:?}"),
        };
        let (_, session, n) = had(&lines[before]);
        let (life, ..) = had(&lines[after]);
        lines.insert(after, Record::Had { life, session, n }.to_string());
    });
}

#[test]
fn a_planted_swap() {
    falsified(Rule::Order, |lines, (before, after)| lines.swap(before, after));
}

#[test]
fn a_session_that_was_not_given_back() {
    falsified(Rule::Session, |lines, _| {
        let resumed = lines.iter().position(|line| line.starts_with("s resumed")).unwrap();
        let Ok(Record::Resumed { life, .. }) = lines[resumed].parse() else { unreachable!() };
        lines[resumed] = Record::Begun { session: life }.to_string();
    });
}
