//! The rules of sessions to which clients come back: an event that was meant for a session arrives once
//! and in order, over whatever connections; and who comes back has its session.
//!
//! There is no excuse: what a connection loses, another brings.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Rule;
use crate::history::{Life, Record, Room};

/// What is known of all sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: BTreeMap<Life, Session>,
    members: HashMap<Room, BTreeSet<Life>>,
    /// The session of each connection, as its client sees it, and as the server does.
    knows: BTreeMap<Life, Life>,
    serves: BTreeMap<Life, Life>,
    resumed: u64,
    again: u64,
    findings: Vec<(Rule, String)>,
}

/// What was counted, in the order of its telling.
type Counts = Vec<(&'static str, u64)>;

/// A session, named by the connection with which it began.
#[derive(Debug, Default)]
struct Session {
    begun: bool,
    /// Its client knows of it.
    known: bool,
    /// Its client may have ended it.
    quit: bool,
    /// What was meant for it, in that order.
    due: Vec<u64>,
    /// How much of that, when nothing more was.
    end: Option<usize>,
    had: Vec<u64>,
}

impl Sessions {
    pub(super) fn note(&mut self, record: &Record) {
        match *record {
            Record::Knows { life, session } => {
                self.of(session).known = true;
                self.knows.insert(life, session);
            }
            Record::Had { session, n, .. } => self.of(session).had.push(n),
            Record::Quit { session, .. } => self.of(session).quit = true,
            Record::Begun { session } => {
                self.serves.insert(session, session);
                if std::mem::replace(&mut self.of(session).begun, true) {
                    self.find(Rule::Session, format!("{session} began twice"));
                }
                self.members.entry(Room::All).or_default().insert(session);
            }
            Record::Resumed { life, session, missed } => {
                self.serves.insert(life, session);
                self.resumed += 1;
                self.again += missed;
                let is_mine = life.client == session.client && life.number > session.number;
                if !is_mine || !self.of(session).begun {
                    self.find(Rule::Session, format!("{life} got the session {session}"));
                }
            }
            Record::Entered { session, room } => {
                self.members.entry(room).or_default().insert(session);
            }
            Record::Gone { session, room } => {
                self.members.entry(room).or_default().remove(&session);
            }
            Record::Meant { n, room } => {
                for session in self.members.get(&room).into_iter().flatten() {
                    self.sessions.entry(*session).or_default().due.push(n);
                }
            }
            Record::Told { n, session } => self.of(session).due.push(n),
            Record::Fin { session } => {
                let session = self.of(session);
                session.end = Some(session.due.len());
            }
            _ => unreachable!("no record of a session"),
        }
    }

    fn of(&mut self, session: Life) -> &mut Session {
        self.sessions.entry(session).or_default()
    }

    fn find(&mut self, rule: Rule, what: String) {
        self.findings.push((rule, what));
    }

    /// What must not be, and what was counted.
    pub(super) fn conclude(mut self) -> (Vec<(Rule, String)>, Counts) {
        let sessions = std::mem::take(&mut self.sessions);
        for (life, served) in std::mem::take(&mut self.serves) {
            if self.knows.get(&life).is_some_and(|known| *known != served) {
                self.find(Rule::Session, format!("{life} knows nothing of the session {served}"));
            }
        }
        let (mut due, mut had) = (0, 0);
        for (name, session) in &sessions {
            due += session.end.unwrap_or(session.had.len());
            had += session.had.len();
            self.events(*name, session);
            // the client's next session, if it has one
            let next = Life { number: name.number + 1, ..*name };
            let mut later = sessions.range(next..).take_while(|(l, _)| l.client == name.client);
            match later.next() {
                Some((after, _)) if session.known && !session.quit => {
                    let what = format!("{after} began, as {name} was not given back");
                    self.find(Rule::Session, what);
                }
                None if session.end.is_none() => {
                    self.find(Rule::Ending, format!("the session {name} has no end"));
                }
                _ => {}
            }
        }
        let counts = match sessions.len() as u64 {
            0 => Vec::new(),
            count => vec![
                ("sessions", count),
                ("  given back", self.resumed),
                ("  events due", due as u64),
                ("  events had", had as u64),
                ("  of these sent again", self.again),
            ],
        };
        (self.findings, counts)
    }

    fn events(&mut self, name: Life, session: &Session) {
        let due = &session.due[..session.end.unwrap_or(session.due.len())];
        let meant: BTreeSet<u64> = session.due.iter().copied().collect();
        let mut seen = BTreeSet::new();
        let mut newest = None;
        for n in &session.had {
            if !meant.contains(n) {
                self.find(Rule::Stray, format!("{name} had {n}, which was not meant for it"));
            } else if !seen.insert(*n) {
                self.find(Rule::Duplicate, format!("{name} had {n} twice"));
            } else if newest.is_some_and(|newest| newest > *n) {
                self.find(Rule::Order, format!("{name} had {n} after {newest:?}"));
            }
            newest = newest.max(Some(*n));
        }
        // of a session that was ended the tail is missing
        let is_due = |n: &&u64| session.end.is_some() || newest.is_some_and(|newest| newest > **n);
        for n in due.iter().filter(is_due).filter(|n| !seen.contains(n)) {
            self.find(Rule::Loss, format!("{name} lacks {n}"));
        }
    }
}
