//! The checker: reads a history and says what was lost and why, and what cannot be explained.
//!
//! It knows nothing of the run but its history. The rules:
//!
//! - Order: a client's operations reach the handlers in their order; the answers of those that are
//!   answered in order come back in that order, and so do the broadcasts of one sender.
//! - One order: the orders in which receivers saw broadcasts have no cycle, and no receiver saw one
//!   after another that was asked for only when the first was done.
//! - No duplicate: nothing arrives twice.
//! - No loss: a broadcast that began after its receiver had joined and was done before it left is
//!   received, unless the receiver's connection ended before. What is missing must be the *tail*:
//!   once something later has arrived, all before it has.
//! - One connection event and one disconnection event each, with everything in between.
//! - Each acknowledgement is answered once, or fails once, and not without a reason.
//! - An event that was meant for a session arrives once and in order, over however many connections, and
//!   who comes back has its session; nothing excuses what is missing (`check/sessions.rs`).
//! - At the end nothing is left: no session, socket, room or acknowledgement.
//!
//! Lines of one side are compared by their place in the file; lines of the two sides only by a
//! message that went from the one to the other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::history::{Life, Op, Record, Room};

use self::sessions::Sessions;

mod order;
mod sessions;

/// What a history shows.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What was counted, in the order of its telling.
    pub counts: Vec<(&'static str, u64)>,
    /// What was not delivered, and why.
    pub lost: BTreeMap<String, u64>,
    /// How connections ended, as the client saw it, and as the server did.
    pub ends: BTreeMap<String, u64>,
    /// What must not be. Empty: all is well.
    pub unexplained: Vec<Finding>,
}

/// One thing that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule it breaks.
    pub rule: Rule,
    /// What happened.
    pub what: String,
}

/// The rules that are checked. Complete: the checker knows no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Every line can be read, and what came was whole.
    Form,
    /// Things arrive in the order in which they were sent.
    Order,
    /// All receivers see broadcasts in one order.
    OneOrder,
    /// Nothing arrives twice.
    Duplicate,
    /// Nothing is lost without a reason.
    Loss,
    /// Nothing arrives that was not meant for the receiver.
    Stray,
    /// One connection and one disconnection each.
    Lifecycle,
    /// Acknowledgements come once, or fail once.
    Ack,
    /// Connections end for a reason.
    Ending,
    /// Who comes back has its session.
    Session,
    /// Nothing is left at the end.
    Leftover,
}

impl Rule {
    const ALL: [Self; 11] = [
        Self::Form,
        Self::Order,
        Self::OneOrder,
        Self::Duplicate,
        Self::Loss,
        Self::Stray,
        Self::Lifecycle,
        Self::Ack,
        Self::Ending,
        Self::Session,
        Self::Leftover,
    ];
}

/// A broadcast, as the server saw it.
#[derive(Clone, Copy, Debug)]
struct Cast {
    life: Life,
    n: u32,
    room: Room,
    except: bool,
    begin: usize,
    /// The end of the file, if it was never done.
    done: usize,
}

/// A stay in a room; the places are lines.
#[derive(Clone, Copy, Debug)]
struct Stay {
    room: Room,
    joining: usize,
    joined: usize,
    leaving: usize,
    left: usize,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Story {
    opened: u32,
    up: u32,
    sent: Vec<Op>,
    got: Vec<u32>,
    late: Vec<u32>,
    said: Vec<(Life, u32)>,
    flooded: u32,
    /// Of each reply the operations that were sent before it.
    replies: HashMap<u32, usize>,
    stalled: bool,
    fault: Option<String>,
    end: Option<String>,

    connected: Vec<usize>,
    disconnected: Vec<usize>,
    kicked: Option<usize>,
    /// The line of each operation that a handler had.
    received: Vec<usize>,
    stays: Vec<Stay>,
    asked: HashMap<u32, (usize, Vec<(usize, String)>)>,
}

const NEVER: usize = usize::MAX;

impl Story {
    /// Why something that was under way may not have arrived, if there is a reason.
    fn excuse(&self) -> Option<String> {
        let end = self.end.as_deref().unwrap_or("no end");
        if let Some(kind) = &self.fault {
            return Some(format!("cut by the proxy before delivery ({kind})"));
        }
        if self.stalled {
            return Some("the client was slow".to_owned());
        }
        match end {
            "vanished" => Some("the client had vanished".to_owned()),
            "goodbye" => Some("the client had said goodbye".to_owned()),
            "closed" if self.kicked.is_some() => Some("the server had disconnected it".to_owned()),
            _ => None,
        }
    }

    /// Whether the client read until the server's last word.
    fn was_read_to_the_end(&self) -> bool {
        self.fault.is_none()
            && !self.stalled
            && self.kicked.is_some()
            && self.end.as_deref() == Some("closed")
    }
}

/// Checks a history.
pub fn check(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Verdict {
    let mut checker = Checker::default();
    for (line, text) in lines.into_iter().enumerate() {
        let text = text.as_ref();
        match text.parse() {
            _ if text.is_empty() || text.starts_with('#') => {}
            Ok(record) => checker.note(line, record),
            Err(error) => checker.found(Rule::Form, format!("line {}: {error}", line + 1)),
        }
    }
    checker.conclude()
}

#[derive(Debug, Default)]
struct Checker {
    lives: BTreeMap<Life, Story>,
    casts: Vec<Cast>,
    /// Where in `casts` a broadcast is.
    places: HashMap<(Life, u32), usize>,
    finals: u32,
    sessions: Sessions,
    verdict: Verdict,
}

impl Checker {
    fn found(&mut self, rule: Rule, what: String) {
        self.verdict.unexplained.push(Finding { rule, what });
    }

    fn story(&mut self, life: Life) -> &mut Story {
        self.lives.entry(life).or_default()
    }

    fn note(&mut self, line: usize, record: Record) {
        match record {
            Record::Open { life, .. } => self.story(life).opened += 1,
            Record::Up { life } => self.story(life).up += 1,
            Record::Send { life, n, op } => {
                let story = self.story(life);
                let expected = story.sent.len();
                story.sent.push(op);
                if n as usize != expected {
                    self.found(Rule::Form, format!("{life} sent {n} instead of {expected}"));
                }
            }
            Record::Got { life, n } => self.story(life).got.push(n),
            Record::Late { life, n } => self.story(life).late.push(n),
            Record::Said { life, sender, n } => self.story(life).said.push((sender, n)),
            Record::Flooded { life, k } => {
                let expected = self.story(life).flooded;
                self.story(life).flooded += 1;
                match k.cmp(&expected) {
                    std::cmp::Ordering::Less => {
                        self.found(Rule::Duplicate, format!("{life} got {k} of a flood again"));
                    }
                    std::cmp::Ordering::Greater => {
                        let what = format!("{life} got {k} of a flood without {expected}");
                        self.found(Rule::Loss, what);
                    }
                    std::cmp::Ordering::Equal => {}
                }
            }
            Record::Reply { life, n } => {
                let story = self.story(life);
                let before = story.sent.len();
                if story.replies.insert(n, before).is_some() {
                    self.found(Rule::Duplicate, format!("{life} was asked {n} twice"));
                }
            }
            Record::Stall { life } => self.story(life).stalled = true,
            Record::Bad { life, what } => self.found(Rule::Form, format!("{life} got {what}")),
            Record::Fault { life, kind } => {
                self.story(life).fault.get_or_insert(kind.0);
            }
            Record::End { life, cause } => {
                if self.story(life).end.replace(cause.0).is_some() {
                    self.found(Rule::Form, format!("{life} ended twice"));
                }
            }
            record @ (Record::Knows { .. } | Record::Had { .. } | Record::Quit { .. }) => {
                self.sessions.note(&record);
            }
            record => self.note_server(line, record),
        }
    }

    fn note_server(&mut self, line: usize, record: Record) {
        match record {
            Record::Connected { life } => self.story(life).connected.push(line),
            Record::Disconnected { life, reason } => {
                self.story(life).disconnected.push(line);
                *self.verdict.ends.entry(format!("server: {reason}")).or_default() += 1;
            }
            Record::Received { life, n } => {
                let story = self.story(life);
                let expected = story.received.len();
                let is_over = !story.disconnected.is_empty();
                let is_early = story.connected.is_empty();
                if n as usize == expected {
                    story.received.push(line);
                } else if (n as usize) < expected {
                    self.found(Rule::Duplicate, format!("the server received {life} {n} again"));
                } else {
                    let what = format!("the server received {life} {n} without {expected}");
                    self.found(Rule::Loss, what);
                    self.story(life).received.resize(n as usize + 1, line);
                }
                if is_over || is_early {
                    let what = format!("the server received {life} {n} while not connected");
                    self.found(Rule::Lifecycle, what);
                }
            }
            Record::Joining { life, room } => self.story(life).stays.push(Stay {
                room,
                joining: line,
                joined: NEVER,
                leaving: NEVER,
                left: NEVER,
            }),
            Record::Joined { life, room } => {
                if let Some(stay) = self.story(life).stays.iter_mut().rfind(|s| s.room == room) {
                    stay.joined = line;
                }
            }
            Record::Leaving { life, room } => {
                for stay in self.story(life).stays.iter_mut().filter(|stay| stay.room == room) {
                    stay.leaving = stay.leaving.min(line);
                }
            }
            Record::Left { life, room } => {
                for stay in self.story(life).stays.iter_mut().filter(|stay| stay.room == room) {
                    stay.left = stay.left.min(line);
                }
            }
            Record::Cast { life, n, room, except } => {
                let cast = Cast { life, n, room, except, begin: line, done: NEVER };
                if self.places.insert((life, n), self.casts.len()).is_some() {
                    self.found(Rule::Duplicate, format!("{life} {n} was broadcast twice"));
                }
                self.casts.push(cast);
            }
            Record::Done { life, n } => {
                if let Some(place) = self.places.get(&(life, n)) {
                    self.casts[*place].done = line;
                }
            }
            Record::Asked { life, n } => {
                self.story(life).asked.insert(n, (line, Vec::new()));
            }
            Record::Answered { life, n, result } => match self.story(life).asked.get_mut(&n) {
                Some((_, results)) => results.push((line, result.0)),
                None => self.found(Rule::Ack, format!("{life} answered {n}, which was not asked")),
            },
            Record::Kicked { life } => {
                self.story(life).kicked.get_or_insert(line);
            }
            Record::Rest { sessions, sockets, rooms, acks, handlers } => {
                self.finals += 1;
                if sessions + sockets + rooms + acks + handlers > 0 {
                    let what = format!(
                        "left at the end: {sessions} sessions, {sockets} sockets, {rooms} rooms, \
                         {acks} acknowledgements, {handlers} handlers"
                    );
                    self.found(Rule::Leftover, what);
                }
            }
            record => self.sessions.note(&record),
        }
    }

    fn conclude(mut self) -> Verdict {
        if self.finals != 1 {
            self.found(Rule::Leftover, format!("the server ended {} times", self.finals));
        }
        let lives = std::mem::take(&mut self.lives);
        for (life, story) in &lives {
            self.lifecycle(*life, story);
            self.operations(*life, story);
            self.acknowledgements(*life, story);
        }
        let by_room = self.casts_by_room();
        let mut due = 0;
        let mut received = 0;
        for (life, story) in &lives {
            received += story.said.len() as u64;
            due += self.broadcasts(*life, story, &by_room);
        }
        self.one_order(&lives);
        let sum = |count: fn(&Story) -> usize| lives.values().map(count).sum::<usize>() as u64;
        let lost = self.verdict.lost.values().sum();
        self.verdict.counts = vec![
            ("connections tried", sum(|story| story.opened as usize)),
            ("connections made", sum(|story| story.connected.len())),
            ("events sent by clients", sum(|story| story.sent.len())),
            ("  received by handlers", sum(|story| story.received.len())),
            ("answers received", sum(|story| story.got.len() + story.late.len())),
            ("acknowledgements asked by the server", sum(|story| story.asked.len())),
            ("broadcasts", self.casts.len() as u64),
            ("  deliveries due", due),
            ("  deliveries", received),
            ("events of floods received", sum(|story| story.flooded as usize)),
            ("lost with a reason", lost),
        ];
        let (findings, counts) = std::mem::take(&mut self.sessions).conclude();
        findings.into_iter().for_each(|(rule, what)| self.found(rule, what));
        self.verdict.counts.extend(counts);
        self.verdict
    }

    fn lifecycle(&mut self, life: Life, story: &Story) {
        let (connected, disconnected) = (story.connected.len(), story.disconnected.len());
        if connected > 1 || connected != disconnected {
            let what =
                format!("{life}: {connected} connection and {disconnected} disconnect events");
            self.found(Rule::Lifecycle, what);
        }
        if story.opened != 1 || story.up > 1 || story.up as usize > connected {
            let what = format!("{life} opened {} times, was up {}", story.opened, story.up);
            self.found(Rule::Lifecycle, what);
        }
        let end = story.end.clone().unwrap_or_else(|| "no end".to_owned());
        let cause = if story.fault.is_some() { "after a fault" } else { end.as_str() };
        *self.verdict.ends.entry(format!("client: {cause}")).or_default() += 1;
        if story.excuse().is_none() {
            self.found(Rule::Ending, format!("{life} ended without a reason: {end}"));
        }
    }

    /// What the client asked for: there, and back.
    fn operations(&mut self, life: Life, story: &Story) {
        let (sent, received) = (story.sent.len(), story.received.len());
        if received > sent {
            let what = format!("the server received {received} of {life}, which sent {sent}");
            self.found(Rule::Stray, what);
        }
        self.lose(life, story, "to the server", sent.saturating_sub(received));
        if story.end.as_deref() == Some("goodbye") && received < sent {
            self.found(Rule::Loss, format!("{life} had its answers, but the server not all of it"));
        }

        let in_order: Vec<u32> = (0..)
            .zip(&story.sent)
            .filter(|(_, op)| op.is_answered_in_order())
            .map(|(n, _)| n)
            .collect();
        let mut next = 0;
        let mut seen = HashSet::new();
        for n in &story.got {
            if !seen.insert(*n) {
                self.found(Rule::Duplicate, format!("{life} had the answer to {n} again"));
                continue;
            }
            match in_order.iter().position(|expected| expected == n) {
                Some(at) if at == next => {}
                Some(at) if at < next => {
                    self.found(Rule::Order, format!("{life} had the answer to {n} too late"));
                    continue;
                }
                Some(_) => {
                    let missing = in_order[next];
                    let what = format!("{life} had the answer to {n}, but not yet to {missing}");
                    self.found(Rule::Order, what);
                }
                None => {
                    self.found(Rule::Stray, format!("{life} had an answer to {n}"));
                    continue;
                }
            }
            next = in_order.iter().position(|expected| expected == n).map_or(next, |at| at + 1);
            if story.received.len() <= *n as usize {
                self.found(Rule::Stray, format!("{life} had an answer to {n} before its handler"));
            }
        }
        let answered_but_not_had = in_order
            .iter()
            .filter(|n| story.received.len() > **n as usize && !seen.contains(n))
            .count();
        let is_complete = story.end.as_deref() == Some("goodbye") || story.was_read_to_the_end();
        if is_complete && answered_but_not_had > 0 {
            let what = format!("{life} lacks {answered_but_not_had} answers at its orderly end");
            self.found(Rule::Loss, what);
        } else {
            self.lose(life, story, "answers", answered_but_not_had);
        }

        let mut seen = HashSet::new();
        for n in &story.late {
            if !seen.insert(*n) {
                self.found(Rule::Duplicate, format!("{life} had the late answer to {n} again"));
            }
            if story.sent.get(*n as usize) != Some(&Op::Later) {
                self.found(Rule::Stray, format!("{life} had a late answer to {n}"));
            }
        }
        let later = story.sent.iter().filter(|op| **op == Op::Later).count();
        let missing = later.saturating_sub(seen.len());
        if story.end.as_deref() == Some("goodbye") && missing > 0 {
            self.found(Rule::Loss, format!("{life} lacks {missing} late answers at its end"));
        } else {
            self.lose(life, story, "late answers", missing);
        }
    }

    /// What the server asked of the client.
    fn acknowledgements(&mut self, life: Life, story: &Story) {
        for (n, (_, results)) in &story.asked {
            let [(line, result)] = results.as_slice() else {
                let what = format!("{life} {n} was answered {} times", results.len());
                self.found(Rule::Ack, what);
                continue;
            };
            let reply = story.replies.get(n);
            match (result.as_str(), reply) {
                ("ok", Some(_)) => {}
                ("ok", None) => {
                    self.found(Rule::Ack, format!("{life} {n} was answered by nobody"));
                }
                // what was sent behind the reply had come before the time was over
                ("timeout", Some(before))
                    if story.received.get(*before).is_some_and(|after| after < line) =>
                {
                    self.found(Rule::Ack, format!("the reply of {life} to {n} was lost"));
                }
                ("timeout", _) => {}
                // `disconnected` comes with the disconnection, not before
                ("disconnected", _) if !story.disconnected.is_empty() => {}
                (other, _) => self.found(Rule::Ack, format!("{life} {n}: {other}")),
            }
        }
    }

    fn lose(&mut self, life: Life, story: &Story, what: &str, count: usize) {
        if count == 0 {
            return;
        }
        match story.excuse() {
            Some(why) => {
                *self.verdict.lost.entry(format!("{what}: {why}")).or_default() += count as u64;
            }
            None => self.found(Rule::Loss, format!("{life} lost {count} {what}")),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(f, "{count:>10}  {what}")?;
        }
        writeln!(f, "ends:")?;
        for (how, count) in &self.ends {
            writeln!(f, "{count:>10}  {how}")?;
        }
        writeln!(f, "lost:")?;
        for (why, count) in &self.lost {
            writeln!(f, "{count:>10}  {why}")?;
        }
        writeln!(f, "unexplained: {}", self.unexplained.len())?;
        for Finding { rule, what } in self.unexplained.iter().take(SHOWN) {
            writeln!(f, "  {rule:?}: {what}")?;
        }
        let is_broken = |rule: &&Rule| self.unexplained.iter().any(|found| found.rule == **rule);
        let failed = Rule::ALL.iter().filter(is_broken).count();
        write!(f, "{} passed, {failed} failed", Rule::ALL.len() - failed)
    }
}

/// Findings that are printed; more would say the same.
const SHOWN: usize = 50;

#[cfg(test)]
mod tests;
