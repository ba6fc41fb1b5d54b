//! The rules of broadcasts: who must have them, who must not, and in which order.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Checker, NEVER, Rule, Stay, Story};
use crate::history::{Life, Room};

/// The places of broadcasts by room, in the order of their beginnings.
pub(super) type ByRoom = HashMap<Room, Vec<usize>>;

impl Checker {
    pub(super) fn casts_by_room(&self) -> ByRoom {
        let mut by_room = ByRoom::new();
        for (place, cast) in self.casts.iter().enumerate() {
            by_room.entry(cast.room).or_default().push(place);
        }
        by_room
    }

    /// What one receiver has of the broadcasts, and what it lacks; gives how many were due.
    pub(super) fn broadcasts(&mut self, life: Life, story: &Story, by_room: &ByRoom) -> u64 {
        let mut had = HashSet::new();
        let mut last = HashMap::new();
        // the latest beginning among what has arrived so far
        let mut horizon = 0;
        for (sender, n) in &story.said {
            let Some(place) = self.places.get(&(*sender, *n)).copied() else {
                self.found(Rule::Stray, format!("{life} had {sender} {n}, which nobody broadcast"));
                continue;
            };
            if !had.insert(place) {
                self.found(Rule::Duplicate, format!("{life} had {sender} {n} again"));
                continue;
            }
            if last.insert(*sender, *n).is_some_and(|before| before > *n) {
                self.found(Rule::Order, format!("{life} had {sender} {n} too late"));
            }
            let cast = self.casts[place];
            if cast.done < horizon {
                let what = format!("{life} had {sender} {n} after what began when that was done");
                self.found(Rule::OneOrder, what);
            }
            horizon = horizon.max(cast.begin);
            if !may_have(life, story, &cast) {
                let what = format!("{life} had {sender} {n} of room {}, being none", cast.room);
                self.found(Rule::Stray, what);
            }
        }
        let answered = story.got.iter().chain(&story.late);
        let answered = answered.filter_map(|n| story.received.get(*n as usize));
        let horizon = answered.copied().max().map_or(horizon, |line| horizon.max(line));
        let horizon = match story.kicked {
            Some(line) if story.was_read_to_the_end() => horizon.max(line),
            _ => horizon,
        };

        let everywhere = story.connected.first().map(|connected| Stay {
            room: Room::All,
            joining: *connected,
            joined: *connected,
            leaving: NEVER,
            left: NEVER,
        });
        let over = story.disconnected.first().copied().unwrap_or(NEVER);
        let over = story.kicked.map_or(over, |line| line.min(over));
        let mut due = HashSet::new();
        let mut missing = Vec::new();
        for stay in story.stays.iter().chain(&everywhere) {
            let casts = by_room.get(&stay.room).map_or(&[][..], Vec::as_slice);
            let first = casts.partition_point(|place| self.casts[*place].begin < stay.joined);
            for place in &casts[first..] {
                let cast = &self.casts[*place];
                if cast.begin > stay.leaving.min(over) {
                    break;
                }
                let is_due = cast.done < stay.leaving.min(over)
                    && !(cast.except && cast.life == life)
                    && due.insert(*place);
                if is_due && !had.contains(place) {
                    missing.push(*place);
                }
            }
        }
        let (holes, tail): (Vec<usize>, Vec<usize>) =
            missing.into_iter().partition(|place| self.casts[*place].done < horizon);
        for place in holes {
            let cast = self.casts[place];
            let what = format!("{life} lacks {} {}, but has what came later", cast.life, cast.n);
            self.found(Rule::Loss, what);
        }
        self.lose(life, story, "broadcasts", tail.len());
        due.len() as u64
    }

    /// There is one order in which all receivers have what they have: the graph of what came next
    /// to what has no cycle.
    pub(super) fn one_order(&mut self, lives: &BTreeMap<Life, Story>) {
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.casts.len()];
        let mut before = vec![0_usize; self.casts.len()];
        for story in lives.values() {
            let places = story.said.iter().filter_map(|said| self.places.get(said).copied());
            // what came again breaks another rule
            let mut seen = HashSet::new();
            let places: Vec<usize> = places.filter(|place| seen.insert(*place)).collect();
            for pair in places.windows(2) {
                next[pair[0]].push(pair[1]);
                before[pair[1]] += 1;
            }
        }
        let mut free: Vec<usize> = (0..before.len()).filter(|place| before[*place] == 0).collect();
        let mut ordered = 0;
        while let Some(place) = free.pop() {
            ordered += 1;
            for after in &next[place] {
                before[*after] -= 1;
                if before[*after] == 0 {
                    free.push(*after);
                }
            }
        }
        if ordered == self.casts.len() {
            return;
        }
        // from any of the rest one can walk backwards for ever: the walk closes a circle
        let rest = |place: &usize| before[*place] > 0;
        let mut walked = Vec::new();
        let mut at = (0..before.len()).find(rest).expect("some have no place in the order");
        while !walked.contains(&at) {
            walked.push(at);
            let previous = (0..next.len()).filter(rest).find(|place| next[*place].contains(&at));
            at = previous.expect("what has no place comes after something of its kind");
        }
        let start = walked.iter().position(|place| *place == at).unwrap_or(0);
        let names: Vec<String> = walked[start..]
            .iter()
            .rev()
            .take(10)
            .map(|place| format!("{} {}", self.casts[*place].life, self.casts[*place].n))
            .collect();
        let what = format!("receivers disagree about the order of {}", names.join(", "));
        self.found(Rule::OneOrder, what);
    }
}

/// Whether the receiver was, or may just have been, a member.
fn may_have(life: Life, story: &Story, cast: &super::Cast) -> bool {
    if cast.except && cast.life == life {
        return false;
    }
    let over = story.disconnected.first().copied().unwrap_or(NEVER);
    let is_in = |stay: &Stay| {
        stay.room == cast.room && stay.joining < cast.done && stay.left.min(over) > cast.begin
    };
    cast.room == Room::All && over > cast.begin || story.stays.iter().any(is_in)
}
