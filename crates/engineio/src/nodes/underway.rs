//! What is being passed on to other nodes: the polls that are parked there and the WebSockets, so that
//! a node which closes can say that it goes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use engineio_proto::guard::lock;

use crate::nodes::directory::Owner;

/// The polls and WebSockets of this node's clients that other nodes have. Bounded by `max_relayed`.
#[derive(Debug, Default)]
pub(crate) struct Underway(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    next: u64,
    by_number: HashMap<u64, Passed>,
}

/// One that is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) owner: Arc<Owner>,
    pub(crate) sid: Box<str>,
    pub(crate) is_websocket: bool,
}

/// One that is passed on as long as this lives.
#[derive(Debug)]
pub(crate) struct Entry {
    number: u64,
    all: Arc<Underway>,
}

impl Underway {
    pub(crate) fn add(self: &Arc<Self>, passed: Passed) -> Entry {
        let mut all = lock(&self.0);
        let number = all.next;
        all.next += 1;
        all.by_number.insert(number, passed);
        drop(all);
        Entry { number, all: Arc::clone(self) }
    }

    /// Those that are polls, or WebSockets.
    pub(crate) fn list(&self, websockets: bool) -> Vec<Passed> {
        let all = lock(&self.0);
        all.by_number.values().filter(|p| p.is_websocket == websockets).cloned().collect()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let passed = {
            let mut all = lock(&self.all.0);
            let passed = all.by_number.remove(&self.number);
            // a burst leaves a large table behind
            if all.by_number.len() * 8 < all.by_number.capacity() {
                let len = all.by_number.len();
                all.by_number.shrink_to(len * 2);
            }
            passed
        };
        drop(passed); // outside of the lock
    }
}
