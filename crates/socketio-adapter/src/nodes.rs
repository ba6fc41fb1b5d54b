//! Who the nodes of a cluster are: a table with one row for each, of which the node itself is the only
//! writer. Without I/O and without a clock; fed with what comes over a channel that all listen to.
//!
//! ```text
//!             its row                    silent for 15 s            silent for 30 s
//!   unknown ------------> here (renewed) ---------------> suspect ------------------> unknown
//!      ^                    |  ^----------- its row ---------|
//!      +------- bye --------+
//! ```
//!
//! A node tells its row every 5 s and when it changes; one that comes asks the others for theirs. One
//! that does not hear itself has lost the channel: it blames nobody, and when it hears itself again,
//! all have their full time anew.
//!
//! A node that comes back has another incarnation, which is larger: its row takes the place of the old
//! one. Of two that live with one tag the one with the larger incarnation came later, and must go.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use engineio_proto::NodeTag;
use socketio_parser::{Value, quote, value_from_json};

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeRow {
    /// The beginning of its sessions' ids.
    pub tag: NodeTag,
    /// What people call it.
    pub name: String,
    /// Which of its lives this is: larger than those before. Up to 2^53.
    pub incarnation: u64,
    /// Where its listener for nodes is, if it has one.
    pub address: Option<String>,
    /// Whether it takes no new sessions.
    pub draining: bool,
}

/// How a node is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeState {
    /// It was heard of lately, or is simply said to be there.
    Here,
    /// It was not heard of for 15 s.
    Suspect,
}

/// What comes over the channel and is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NotARow;

/// The table.
#[derive(Debug)]
pub struct NodeTable {
    own: NodeRow,
    /// Others, with the time that each was heard of.
    others: HashMap<NodeTag, (NodeRow, Instant)>,
    heard_self: Instant,
    next_row: Instant,
    /// The first row is still to be told, and asks for those of the others.
    asks: bool,
    /// A node that has this one's tag, and was there before.
    clash: Option<NodeRow>,
}

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodesDue {
    /// A message to be published.
    pub publish: Option<String>,
    /// Others are gone.
    pub changed: bool,
}

impl NodeRow {
    /// A row.
    pub fn new(tag: NodeTag, name: impl Into<String>, incarnation: u64) -> Self {
        Self { tag, name: name.into(), incarnation, address: None, draining: false }
    }

    /// The row as text, at most 512 bytes of it.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.text_with("")
    }

    fn text_with(&self, more: &str) -> String {
        let mut text = format!("{{\"tag\":\"{}\",\"inc\":{},\"name\":", self.tag, self.incarnation);
        let quoted = |of: &str| String::from_utf8(quote(of)).unwrap_or_default();
        text.push_str(&quoted(&self.name));
        if let Some(address) = &self.address {
            let _ = write!(text, ",\"address\":{}", quoted(address));
        }
        if self.draining {
            text.push_str(",\"draining\":true");
        }
        text.push_str(more);
        text.push('}');
        text
    }

    /// Reads a row; what it does not know it ignores.
    ///
    /// # Errors
    /// It is none, or longer than 512 bytes.
    pub fn parse(text: &[u8]) -> Result<Self, NotARow> {
        Self::read(text).map(|(row, _)| row)
    }

    fn read(text: &[u8]) -> Result<(Self, Value), NotARow> {
        if text.len() > MAX_ROW {
            return Err(NotARow);
        }
        let value = value_from_json(text, MAX_DEPTH).map_err(|_| NotARow)?;
        let text = |key: &str| match value.get(key) {
            Some(Value::String(text)) => Some(text.to_string()),
            _ => None,
        };
        let tag = text("tag").and_then(|tag| tag.parse().ok()).ok_or(NotARow)?;
        let incarnation = value.get("inc").and_then(Value::as_i64).ok_or(NotARow)?;
        let row = Self {
            tag,
            name: text("name").ok_or(NotARow)?,
            incarnation: u64::try_from(incarnation).map_err(|_| NotARow)?,
            address: text("address"),
            draining: flag(&value, "draining"),
        };
        Ok((row, value))
    }

    /// Whether it is short enough to be told.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.text_with(ASKS).len() <= MAX_ROW
    }
}

impl NodeTable {
    /// A table with the row of this node, which is to be told at once.
    #[must_use]
    pub fn new(now: Instant, own: NodeRow) -> Self {
        Self {
            own,
            others: HashMap::new(),
            heard_self: now,
            next_row: now,
            asks: true,
            clash: None,
        }
    }

    /// A message came over the channel. Whether others came, went or changed. `jitter`, from 0 to 1,
    /// is how much of half a second this node waits until it tells its row to one that asks.
    ///
    /// # Errors
    /// It is none.
    pub fn on_message(&mut self, now: Instant, text: &[u8], jitter: f64) -> Result<bool, NotARow> {
        let (row, value) = NodeRow::read(text)?;
        let bye = flag(&value, "bye");
        if row.tag == self.own.tag {
            if row.incarnation == self.own.incarnation {
                self.hear_self(now);
            } else if row.incarnation < self.own.incarnation && !bye {
                self.clash = Some(row);
            } else if !bye {
                // it is to learn that it came later
                self.next_row = now;
            }
            return Ok(false);
        }
        if flag(&value, "asks") {
            let answer = now + ANSWER.mul_f64(jitter.clamp(0.0, 1.0));
            self.next_row = self.next_row.min(answer);
        }
        if bye {
            let is_it = |(known, _): &(NodeRow, Instant)| known.incarnation <= row.incarnation;
            return Ok(self.others.get(&row.tag).is_some_and(is_it)
                && self.others.remove(&row.tag).is_some());
        }
        Ok(self.insert(now, row))
    }

    /// A row was told, over the channel or when its node was asked. Whether that changed anything.
    pub fn insert(&mut self, now: Instant, row: NodeRow) -> bool {
        if let Some((known, heard)) = self.others.get_mut(&row.tag) {
            if row.incarnation < known.incarnation {
                return false;
            }
            *heard = now;
            let changed = *known != row;
            *known = row;
            return changed;
        }
        if row.tag == self.own.tag || self.others.len() >= MAX_NODES {
            return false;
        }
        self.others.insert(row.tag, (row, now));
        true
    }

    /// What its node does not say any more. Whether it was known.
    pub fn remove(&mut self, tag: NodeTag) -> bool {
        self.others.remove(&tag).is_some()
    }

    /// When something is due next.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let oldest = self.others.values().map(|(_, heard)| *heard + GONE).min();
        let oldest = oldest.filter(|gone| self.hears_itself(*gone));
        oldest.map_or(self.next_row, |gone| self.next_row.min(gone))
    }

    /// The time has come, or something may be due.
    pub fn on_deadline(&mut self, now: Instant) -> NodesDue {
        let before = self.others.len();
        if self.hears_itself(now) {
            self.others.retain(|_, (_, heard)| now < *heard + GONE);
        }
        let mut due = NodesDue { publish: None, changed: self.others.len() < before };
        if now >= self.next_row {
            self.next_row = now + INTERVAL;
            let asks = std::mem::take(&mut self.asks);
            due.publish = Some(self.own.text_with(if asks { ASKS } else { "" }));
        }
        due
    }

    /// Whether this node takes no new sessions is told at once, if that is news.
    pub fn set_draining(&mut self, now: Instant, draining: bool) {
        if self.own.draining != draining {
            self.own.draining = draining;
            self.next_row = now;
        }
    }

    /// Where this node's listener is is told at once.
    pub fn set_address(&mut self, now: Instant, address: String) {
        self.own.address = Some(address);
        self.next_row = now;
    }

    /// The last message of this node.
    #[must_use]
    pub fn bye(&self) -> String {
        self.own.text_with(",\"bye\":true")
    }

    /// This node's row.
    #[must_use]
    pub const fn own(&self) -> &NodeRow {
        &self.own
    }

    /// A node that has this one's tag and was there before, if one was heard of.
    #[must_use]
    pub const fn clash(&self) -> Option<&NodeRow> {
        self.clash.as_ref()
    }

    /// Another node by its tag.
    #[must_use]
    pub fn get(&self, tag: NodeTag) -> Option<&NodeRow> {
        self.others.get(&tag).map(|(row, _)| row)
    }

    /// The other nodes, and how they are.
    pub fn others(&self, now: Instant) -> impl Iterator<Item = (&NodeRow, NodeState)> {
        let judges = self.hears_itself(now);
        self.others.values().map(move |(row, heard)| {
            let is_late = judges && now >= *heard + SUSPECT;
            (row, if is_late { NodeState::Suspect } else { NodeState::Here })
        })
    }

    /// Whether this node hears what it says; else it knows nothing of the others either.
    #[must_use]
    pub fn hears_itself(&self, now: Instant) -> bool {
        now < self.heard_self + SUSPECT
    }

    /// This node has heard itself, or what tells as much: it has a way to the others.
    pub fn hear_self(&mut self, now: Instant) {
        if !self.hears_itself(now) {
            for (_, heard) in self.others.values_mut() {
                *heard = now;
            }
        }
        self.heard_self = now;
    }
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

impl std::fmt::Display for NotARow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what a node said of itself cannot be read")
    }
}

impl std::error::Error for NotARow {}

const ASKS: &str = ",\"asks\":true";

/// How often a node tells its row.
const INTERVAL: Duration = Duration::from_secs(5);

/// Two rows were missed.
const SUSPECT: Duration = Duration::from_secs(15);

/// Nobody waits for it any more.
const GONE: Duration = Duration::from_secs(30);

/// Within this time all answer one that asks, not at once.
const ANSWER: Duration = Duration::from_millis(500);

/// Far more nodes than any cluster has, each of which reads every row.
const MAX_NODES: usize = 1_000;

/// Far more than a row is.
const MAX_ROW: usize = 512;

const MAX_DEPTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn row(name: &str, incarnation: u64) -> NodeRow {
        let mut row = NodeRow::new(NodeTag::of_name(name), name, incarnation);
        row.address = Some(format!("{name}:7946"));
        row
    }

    /// A table of the node `nodA` that hears itself.
    struct Clock {
        table: NodeTable,
        start: Instant,
    }

    impl Clock {
        #[expect(clippy::disallowed_methods, reason = "some time to begin with")]
        fn new() -> Self {
            let start = Instant::now();
            Self { table: NodeTable::new(start, row("nodA", 5)), start }
        }

        fn at(&self, seconds: u32) -> Instant {
            self.start + seconds * SECOND
        }

        fn hear(&mut self, seconds: u32, text: &str) -> Result<bool, NotARow> {
            self.table.on_message(self.at(seconds), text.as_bytes(), 1.0)
        }

        fn due(&mut self, seconds: u32) -> NodesDue {
            self.table.on_deadline(self.at(seconds))
        }

        /// What it says comes back.
        fn beat(&mut self, seconds: u32) {
            if let Some(text) = self.due(seconds).publish {
                assert_eq!(self.hear(seconds, &text), Ok(false));
            }
        }

        fn names(&self, seconds: u32) -> Vec<(String, NodeState)> {
            let others = self.table.others(self.at(seconds));
            let mut names: Vec<_> = others.map(|(row, state)| (row.name.clone(), state)).collect();
            names.sort_by(|a, b| a.0.cmp(&b.0));
            names
        }
    }

    fn here(name: &str) -> (String, NodeState) {
        (name.to_owned(), NodeState::Here)
    }

    #[test]
    fn rows_are_texts() {
        let text = r#"{"tag":"nodA","inc":5,"name":"nodA","address":"nodA:7946"}"#;
        assert_eq!(row("nodA", 5).to_text(), text);
        assert_eq!(NodeRow::parse(text.as_bytes()), Ok(row("nodA", 5)));
        let draining = r#"{"name":"\"x","tag":"AAAA","later":[1],"inc":0,"draining":true}"#;
        let read = NodeRow::parse(draining.as_bytes()).unwrap();
        assert_eq!((read.name.as_str(), read.draining, read.address), ("\"x", true, None));
        for no in [
            "",
            "[]",
            "{}",
            r#"{"tag":"nodA","inc":5}"#,
            r#"{"tag":"nod","inc":5,"name":"a"}"#,
            r#"{"tag":"nodA","inc":-5,"name":"a"}"#,
            r#"{"tag":"nodA","inc":"5","name":"a"}"#,
            r#"{"tag":"nodA","inc":5,"name":7}"#,
            &text.replace("nodA:7946", &"x".repeat(512)),
        ] {
            assert_eq!(NodeRow::parse(no.as_bytes()), Err(NotARow), "{no}");
        }
        assert!(row("nodA", 5).fits() && !row(&"x".repeat(300), 5).fits());
    }

    #[test]
    fn a_node_tells_its_row_and_asks_for_those_of_the_others_first() {
        let mut clock = Clock::new();
        assert_eq!(clock.table.deadline(), clock.at(0));
        let first = clock.due(0).publish.unwrap();
        assert!(first.contains(r#""asks":true"#), "{first}");
        assert_eq!(clock.due(4), NodesDue::default());
        assert_eq!(clock.table.deadline(), clock.at(5));
        assert_eq!(clock.due(5).publish, Some(row("nodA", 5).to_text()));
        // a change is told at once, once
        clock.table.set_draining(clock.at(6), true);
        clock.table.set_draining(clock.at(7), true);
        assert_eq!(clock.table.deadline(), clock.at(6));
        assert!(clock.due(7).publish.unwrap().contains(r#""draining":true"#));
        assert_eq!(clock.table.deadline(), clock.at(12));
        assert!(clock.table.bye().contains(r#""bye":true"#));
    }

    #[test]
    fn one_that_asks_is_answered_within_half_a_second() {
        let mut clock = Clock::new();
        clock.beat(0);
        assert_eq!(clock.hear(1, &row("nodB", 1).text_with(ASKS)), Ok(true));
        assert_eq!(clock.table.deadline(), clock.at(1) + SECOND / 2);
        assert_eq!(clock.hear(1, &row("nodC", 1).to_text()), Ok(true));
        assert_eq!(clock.hear(1, &row("nodC", 1).to_text()), Ok(false));
        assert_eq!(clock.names(1), [here("nodB"), here("nodC")]);
    }

    #[test]
    fn who_is_silent_is_suspect_and_then_gone() {
        let mut clock = Clock::new();
        clock.hear(0, &row("nodB", 1).to_text()).unwrap();
        clock.hear(0, &row("nodC", 1).to_text()).unwrap();
        for seconds in (0..=25).step_by(5) {
            clock.beat(seconds);
        }
        clock.hear(10, &row("nodC", 1).to_text()).unwrap();
        assert_eq!(clock.names(14), [here("nodB"), here("nodC")]);
        assert_eq!(clock.names(15), [("nodB".to_owned(), NodeState::Suspect), here("nodC")]);
        assert!(clock.table.get(NodeTag::of_name("nodB")).is_some());
        assert_eq!(clock.table.deadline(), clock.at(30));
        assert!(clock.due(30).changed);
        assert_eq!(clock.names(24), [here("nodC")]);
        assert_eq!(clock.hear(31, &row("nodC", 1).text_with(r#","bye":true"#)), Ok(true));
        assert_eq!(clock.names(31), []);
    }

    #[test]
    fn who_does_not_hear_itself_blames_nobody() {
        let mut clock = Clock::new();
        clock.hear(0, &row("nodB", 1).to_text()).unwrap();
        let _ = clock.due(0);
        for seconds in (5..100).step_by(5) {
            let due = clock.due(seconds);
            assert!(due.publish.is_some() && !due.changed, "it goes on telling");
            assert_eq!(clock.names(seconds), [here("nodB")]);
        }
        // it hears itself again: the others have their time from here
        clock.beat(100);
        for seconds in (105..130).step_by(5) {
            clock.beat(seconds);
        }
        assert_eq!(clock.names(114), [here("nodB")]);
        assert_eq!(clock.names(115), [("nodB".to_owned(), NodeState::Suspect)]);
        assert!(clock.due(130).changed);
    }

    #[test]
    fn a_new_life_takes_the_place_of_the_old_one() {
        let mut clock = Clock::new();
        clock.hear(0, &row("nodB", 7).to_text()).unwrap();
        let mut new = row("nodB", 8);
        new.address = Some("elsewhere:1".to_owned());
        assert_eq!(clock.hear(1, &new.to_text()), Ok(true));
        for late in [row("nodB", 7).to_text(), row("nodB", 7).text_with(r#","bye":true"#)] {
            assert_eq!(clock.hear(2, &late), Ok(false));
        }
        assert_eq!(clock.table.get(new.tag), Some(&new));
    }

    #[test]
    fn of_two_with_one_tag_the_later_one_goes() {
        let mut clock = Clock::new();
        clock.beat(0);
        assert_eq!(clock.hear(1, &row("nodA", 6).to_text()), Ok(false));
        assert_eq!(clock.table.clash(), None);
        assert_eq!(clock.table.deadline(), clock.at(1), "it is told who was there before");
        assert_eq!(clock.hear(1, &row("nodA", 4).text_with(r#","bye":true"#)), Ok(false));
        assert_eq!(clock.table.clash(), None);
        assert_eq!(clock.hear(1, &row("nodA", 4).to_text()), Ok(false));
        assert_eq!(clock.table.clash(), Some(&row("nodA", 4)));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut clock = Clock::new();
        for n in 0..2 * MAX_NODES {
            let bits = u32::try_from(n).unwrap().to_le_bytes();
            let tag = NodeTag::of_bits([bits[0], bits[1], bits[2]]);
            clock.table.insert(clock.start, NodeRow::new(tag, n.to_string(), 1));
        }
        assert_eq!(clock.names(0).len(), MAX_NODES);
        // those that are in it stay
        let first = NodeRow::new(NodeTag::of_bits([0, 0, 0]), "0", 1);
        assert!(clock.table.get(first.tag).is_some() && clock.table.remove(first.tag));
        assert!(clock.table.insert(clock.start, first));
    }
}
