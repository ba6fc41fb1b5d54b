//! Histories written by hand: small ones that are right, and what breaks each rule.

use super::*;

/// Two clients in a room; the first says two things.
const RIGHT: &str = "
c open 1.1 V4
c open 2.1 V3
c up 1.1
c up 2.1
c send 1.1 0 join 7
c got 1.1 0
c send 2.1 0 join 7
c got 2.1 0
c send 1.1 1 say 7
c send 1.1 2 echo
c said 1.1 1.1 1
c got 1.1 1
c got 1.1 2
c said 2.1 1.1 1
c send 1.1 3 others 7
c got 1.1 3
c said 2.1 1.1 3
c send 2.1 1 ask
c got 2.1 1
c reply 2.1 1
c send 2.1 2 later
c late 2.1 2
c end 1.1 goodbye
c end 2.1 goodbye
s connected 1.1
s connected 2.1
s received 1.1 0
s joining 1.1 7
s joined 1.1 7
s received 2.1 0
s joining 2.1 7
s joined 2.1 7
s received 1.1 1
s cast 1.1 1 7 false
s done 1.1 1
s received 1.1 2
s received 1.1 3
s cast 1.1 3 7 true
s done 1.1 3
s received 2.1 1
s asked 2.1 1
s received 2.1 2
s answered 2.1 1 ok
s disconnected 1.1 transport close
s disconnected 2.1 transport close
s final 0 0 0 0 0
";

fn rules(history: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> =
        check(history.lines()).unexplained.into_iter().map(|finding| finding.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// `RIGHT` with a line replaced by others, separated by semicolons, breaks these rules.
#[track_caller]
fn wrong(line: &str, by: &str, expected: &[Rule]) {
    assert!(RIGHT.contains(&format!("\n{line}\n")), "{line:?} is in the history");
    let by: String = by.split_terminator(';').map(|line| format!("{}\n", line.trim())).collect();
    let history = RIGHT.replace(&format!("\n{line}\n"), &format!("\n{by}"));
    assert_eq!(rules(&history), expected, "{line:?} by {by:?}");
}

#[test]
fn a_right_history() {
    let verdict = check(RIGHT.lines());
    assert_eq!(verdict.unexplained, []);
    assert!(verdict.lost.is_empty());
    assert!(verdict.counts.contains(&("  deliveries due", 3)));
    assert!(verdict.to_string().ends_with("unexplained: 0\n11 passed, 0 failed"));
}

#[test]
fn losses() {
    wrong("c said 2.1 1.1 1", "", &[Rule::Loss]);
    // the last as well: an answer came after it
    wrong("c said 2.1 1.1 3", "", &[Rule::Loss]);
    wrong("c said 1.1 1.1 1", "", &[Rule::Loss]);
    wrong("c got 1.1 3", "", &[Rule::Loss]);
    wrong("c late 2.1 2", "", &[Rule::Loss]);
    wrong("s received 1.1 2", "", &[Rule::Loss]);
}

#[test]
fn losses_with_a_reason() {
    let lost = |cause: &str, fault: &str| {
        let history = RIGHT
            .replace("c said 2.1 1.1 3\nc send 2.1 1 ask\nc got 2.1 1\nc reply 2.1 1\n", fault)
            .replace("c send 2.1 2 later\nc late 2.1 2\n", "")
            .replace("s received 2.1 1\ns asked 2.1 1\ns received 2.1 2\ns answered 2.1 1 ok\n", "")
            .replace("c end 2.1 goodbye", &format!("c end 2.1 {cause}"));
        let verdict = check(history.lines());
        let rules: Vec<Rule> = verdict.unexplained.iter().map(|finding| finding.rule).collect();
        (rules, verdict.lost.into_iter().collect::<Vec<_>>())
    };
    let broadcast = |why: &str| (vec![], vec![(format!("broadcasts: {why}"), 1)]);
    let cut = "cut by the proxy before delivery (rst)";
    assert_eq!(lost("closed", "c fault 2.1 rst\n"), broadcast(cut));
    assert_eq!(lost("vanished", ""), broadcast("the client had vanished"));
    assert_eq!(lost("closed", "c stall 2.1\n"), broadcast("the client was slow"));
    // the server closed it, and nobody knows why
    assert_eq!(lost("closed", "").0, [Rule::Ending, Rule::Loss]);
}

/// A fault explains what is missing at the end, never a hole.
#[test]
fn holes_are_not_explained() {
    wrong("c said 2.1 1.1 1", "c fault 2.1 rst", &[Rule::Loss]);
    wrong("s received 2.1 1", "c fault 2.1 rst", &[Rule::Loss]);
}

#[test]
fn members_only() {
    wrong("s joined 2.1 7", "s joined 2.1 7; s leaving 2.1 7; s left 2.1 7", &[Rule::Stray]);
    wrong("c said 2.1 1.1 3", "c said 2.1 1.1 3; c said 1.1 1.1 3", &[Rule::Stray]);
    wrong("c got 1.1 2", "c got 1.1 2; c said 1.1 9.9 9", &[Rule::Stray]);
    // who leaves meanwhile may have it, or not
    wrong(
        "s done 1.1 1",
        "s leaving 2.1 7; s done 1.1 1; s left 2.1 7; s joining 2.1 7; s joined 2.1 7",
        &[],
    );
}

#[test]
fn duplicates() {
    wrong("c said 2.1 1.1 1", "c said 2.1 1.1 1; c said 2.1 1.1 1", &[Rule::Duplicate]);
    wrong("c got 1.1 2", "c got 1.1 2; c got 1.1 2", &[Rule::Duplicate]);
    wrong("c late 2.1 2", "c late 2.1 2; c late 2.1 2", &[Rule::Duplicate]);
    wrong("s received 1.1 2", "s received 1.1 2; s received 1.1 2", &[Rule::Duplicate]);
    wrong("c reply 2.1 1", "c reply 2.1 1; c reply 2.1 1", &[Rule::Duplicate]);
}

#[test]
fn swaps() {
    wrong("c got 1.1 1", "", &[Rule::Order, Rule::Loss]);
    let swapped = RIGHT
        .replace("c said 2.1 1.1 1", "c said 2.1 1.1 x")
        .replace("c said 2.1 1.1 3", "c said 2.1 1.1 1")
        .replace("c said 2.1 1.1 x", "c said 2.1 1.1 3");
    assert_eq!(rules(&swapped), [Rule::Order, Rule::OneOrder]);
}

/// Two broadcasts at the same time: either order is right, but it must be one.
#[test]
fn disagreement() {
    let history = |first: &str, second: &str| {
        let sides = [("3.1", first), ("4.1", second)].map(|(life, said)| {
            let said: String =
                said.split(' ').map(|sender| format!("c said {life} {sender} 0\n")).collect();
            format!("c open {life} V4\n{said}c fault {life} rst\nc end {life} closed\n")
        });
        format!(
            "c open 1.1 V4\nc open 2.1 V4\nc send 1.1 0 say *\nc send 2.1 0 say *\n\
             c fault 1.1 rst\nc fault 2.1 rst\nc end 1.1 closed\nc end 2.1 closed\n{}\
             s connected 1.1\ns connected 2.1\ns connected 3.1\ns connected 4.1\n\
             s received 1.1 0\ns received 2.1 0\ns cast 1.1 0 * false\ns cast 2.1 0 * false\n\
             s done 1.1 0\ns done 2.1 0\ns disconnected 1.1 x\ns disconnected 2.1 x\n\
             s disconnected 3.1 x\ns disconnected 4.1 x\ns final 0 0 0 0 0\n",
            sides.concat()
        )
    };
    assert_eq!(rules(&history("1.1 2.1", "1.1 2.1")), []);
    assert_eq!(rules(&history("2.1 1.1", "2.1 1.1")), []);
    assert_eq!(rules(&history("1.1 2.1", "2.1 1.1")), [Rule::OneOrder]);
}

#[test]
fn beginnings_and_ends() {
    wrong("s disconnected 2.1 transport close", "", &[Rule::Lifecycle]);
    wrong("s connected 2.1", "", &[Rule::Lifecycle]);
    wrong("s connected 2.1", "s connected 2.1; s connected 2.1", &[Rule::Lifecycle]);
    wrong("s received 1.1 3", "s disconnected 1.1 x; s received 1.1 3", &[Rule::Lifecycle]);
    wrong("c end 1.1 goodbye", "", &[Rule::Ending]);
    wrong("c end 1.1 goodbye", "c end 1.1 silence", &[Rule::Ending]);
}

#[test]
fn acknowledgements() {
    wrong("s answered 2.1 1 ok", "", &[Rule::Ack]);
    wrong("s answered 2.1 1 ok", "s answered 2.1 1 ok; s answered 2.1 1 ok", &[Rule::Ack]);
    wrong("s answered 2.1 1 ok", "s answered 2.1 1 wrong", &[Rule::Ack]);
    // what was sent behind the reply had come
    wrong("s answered 2.1 1 ok", "s answered 2.1 1 timeout", &[Rule::Ack]);
    wrong("c reply 2.1 1", "", &[Rule::Ack]);
    wrong("s answered 2.1 1 ok", "s answered 2.1 9 ok; s answered 2.1 1 ok", &[Rule::Ack]);
}

#[test]
fn what_is_left_and_what_cannot_be_read() {
    wrong("s final 0 0 0 0 0", "s final 0 0 1 0 0", &[Rule::Leftover]);
    wrong("s final 0 0 0 0 0", "", &[Rule::Leftover]);
    wrong("c up 1.1", "c up 1.1; c dance 1.1", &[Rule::Form]);
    wrong("c up 1.1", "c up 1.1; c bad 1.1 packet", &[Rule::Form]);
}

#[test]
fn floods_are_a_beginning_in_order() {
    let flooded = |numbers: &str| {
        let lines: String = numbers.split(' ').map(|k| format!("c flooded 1.1 {k}\n")).collect();
        rules(&RIGHT.replace("c end 1.1", &format!("{lines}c end 1.1")))
    };
    assert_eq!(flooded("0 1 2"), []);
    assert_eq!(flooded("0 2"), [Rule::Loss]);
    assert_eq!(flooded("0 0"), [Rule::Duplicate]);
}

/// A phone with three connections and two sessions: it ended the first one.
const BACK: &str = "
c open 1.1 phone
c up 1.1
c knows 1.1 1.1
c had 1.1 1.1 1
c fault 1.1 half-open
c end 1.1 vanished
c open 1.2 phone
c up 1.2
c knows 1.2 1.1
c had 1.2 1.1 2
c had 1.2 1.1 4
c quit 1.2 1.1
c end 1.2 goodbye
c open 1.3 phone
c up 1.3
c knows 1.3 1.3
c had 1.3 1.3 8
c had 1.3 1.3 9
c end 1.3 goodbye
s connected 1.1
s begun 1.1
s told 1 1.1
s entered 1.1 7
s meant 2 7
s connected 1.2
s disconnected 1.1 transport error
s resumed 1.2 1.1 1
s meant 3 8
s meant 4 *
s gone 1.1 7
s meant 5 7
s meant 6 *
s disconnected 1.2 client namespace disconnect
s connected 1.3
s begun 1.3
s entered 1.3 7
s meant 8 7
s meant 9 *
s fin 1.3
s meant 10 *
s disconnected 1.3 client namespace disconnect
s final 0 0 0 0 0
";

/// `BACK` with a line replaced by others breaks these rules.
#[track_caller]
fn wrong_session(line: &str, by: &str, expected: &[Rule]) {
    assert!(BACK.contains(&format!("\n{line}\n")), "{line:?} is in the history");
    let by: String = by.split_terminator(';').map(|line| format!("{}\n", line.trim())).collect();
    let history = BACK.replace(&format!("\n{line}\n"), &format!("\n{by}"));
    assert_eq!(rules(&history), expected, "{line:?} by {by:?}");
}

#[test]
fn sessions_that_go_on() {
    let verdict = check(BACK.lines());
    assert_eq!(verdict.unexplained, []);
    for count in [("sessions", 2), ("  given back", 1), ("  events due", 5), ("  events had", 5)] {
        assert!(verdict.counts.contains(&count), "{verdict}");
    }
}

/// No fault is a reason: what a connection loses, the next one brings.
#[test]
fn sessions_have_no_excuse() {
    wrong_session("c had 1.2 1.1 2", "", &[Rule::Loss]);
    wrong_session("c had 1.3 1.3 9", "", &[Rule::Loss]);
    wrong_session("c had 1.3 1.3 9", "c fault 1.3 rst", &[Rule::Loss]);
    // the tail of a session that its client ended
    wrong_session("c had 1.2 1.1 4", "", &[]);
    wrong_session("c had 1.2 1.1 2", "c had 1.2 1.1 1; c had 1.2 1.1 2", &[Rule::Duplicate]);
    wrong_session("c had 1.3 1.3 9", "c had 1.3 1.3 9; c had 1.3 1.3 9", &[Rule::Duplicate]);
    wrong_session(
        "c had 1.2 1.1 2",
        "c had 1.2 1.1 4; c had 1.2 1.1 2",
        &[Rule::Order, Rule::Duplicate],
    );
    wrong_session("c had 1.2 1.1 4", "c had 1.2 1.1 3", &[Rule::Stray]);
    wrong_session("c had 1.2 1.1 4", "c had 1.2 1.1 4; c had 1.2 1.1 5", &[Rule::Stray]);
    wrong_session("c quit 1.2 1.1", "", &[Rule::Session]);
    wrong_session("s resumed 1.2 1.1 1", "s begun 1.2", &[Rule::Session]);
    wrong_session("s resumed 1.2 1.1 1", "s resumed 2.2 1.1 1", &[Rule::Session]);
    wrong_session("s fin 1.3", "", &[Rule::Ending]);
}
