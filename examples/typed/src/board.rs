//! What is on the board, and who stands before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socketio::adapter::SocketId;

use crate::contract::{JoinError, Joined, Person, Stroke};

/// Pieces of lines that are kept; beyond, the oldest go.
const MOST_STROKES: usize = 5_000;
const MOST_PEOPLE: usize = 100;
const LONGEST_NAME: u32 = 24;

/// The board.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    people: Vec<Person>,
    strokes: VecDeque<Stroke>,
}

impl Board {
    /// Lets somebody in, if the name is free.
    pub(crate) fn join(&self, id: &SocketId, name: &str) -> Result<(Person, Joined), JoinError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME as usize {
            return Err(JoinError::TooLong { most: LONGEST_NAME });
        }
        let mut content = self.lock();
        content.people.retain(|person| person.id != *id);
        let is_taken = |person: &&Person| person.name.eq_ignore_ascii_case(name);
        if let Some(other) = content.people.iter().find(is_taken) {
            return Err(JoinError::Taken { by: other.name.clone() });
        }
        if content.people.len() == MOST_PEOPLE {
            return Err(JoinError::Full);
        }
        let person = Person { id: id.clone(), name: name.to_owned() };
        content.people.push(person.clone());
        let strokes = content.strokes.iter().cloned().collect();
        Ok((person, Joined { people: content.people.clone(), strokes }))
    }

    /// Somebody goes: who that was.
    pub(crate) fn leave(&self, id: &SocketId) -> Option<Person> {
        let people = &mut self.lock().people;
        let at = people.iter().position(|person| person.id == *id)?;
        Some(people.remove(at))
    }

    /// Draws a piece, if its author has joined.
    pub(crate) fn draw(&self, id: &SocketId, stroke: Stroke) -> bool {
        let mut content = self.lock();
        if !content.people.iter().any(|person| person.id == *id) {
            return false;
        }
        if content.strokes.len() == MOST_STROKES {
            content.strokes.pop_front();
        }
        content.strokes.push_back(stroke);
        true
    }

    /// Takes everything away: the name of who did, if that person has joined.
    pub(crate) fn clear(&self, id: &SocketId) -> Option<String> {
        let mut content = self.lock();
        let name = content.people.iter().find(|person| person.id == *id)?.name.clone();
        content.strokes.clear();
        Some(name)
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
