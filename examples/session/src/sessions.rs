//! Sessions, in memory: who has which id, and until when.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Enough for an example, and less than would hurt.
const MAX_SESSIONS: usize = 10_000;

/// The name of somebody who is logged in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct User(pub(crate) String);

#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    user: User,
    end: Instant,
}

impl Sessions {
    /// Makes a session and gives its id, unless there are too many.
    pub(crate) fn open(&self, user: User) -> Option<String> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        let id = URL_SAFE_NO_PAD.encode(id);
        let now = Instant::now();
        let mut sessions = self.lock();
        if sessions.len() >= MAX_SESSIONS {
            sessions.retain(|_, session| session.end > now);
        }
        if sessions.len() >= MAX_SESSIONS {
            return None;
        }
        sessions.insert(id.clone(), Session { user, end: now + LIFETIME });
        Some(id)
    }

    pub(crate) fn find(&self, id: &str) -> Option<User> {
        let sessions = self.lock();
        let session = sessions.get(id).filter(|session| session.end > Instant::now());
        session.map(|session| session.user.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // no section of code here can leave it half changed
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
