//! Requests that wait for answers of other nodes.
//!
//! Each knows which nodes it waits for, or how many, and is woken when they have answered; the time
//! limit is the waiting task's business. Answers come from the network: those to no request of ours,
//! of another kind than asked for, or beyond the number expected are dropped; of clients' answers
//! only so many are kept, however many the nodes tell of.

#![expect(clippy::disallowed_types, reason = "answers are taken by tasks of the broker")]

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use engineio_proto::guard::{Held, lock};
use socketio_parser::Value;
use tokio::sync::Notify;

use super::message::Answer;
use super::peers::MAX_PEERS;
use crate::{Answered, Room, SocketDetails, SocketId};

/// The open requests of a node in a namespace, by id.
pub(crate) struct Pending {
    open: Mutex<HashMap<String, Open>>,
    sequence: AtomicU64,
    /// Answers of clients that one request takes.
    max_client_answers: usize,
}

/// What came until now.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Nodes that answered.
    pub(crate) answered: usize,
    pub(crate) ids: Vec<SocketId>,
    pub(crate) sockets: Vec<SocketDetails>,
    pub(crate) rooms: Vec<Room>,
    pub(crate) values: Vec<Value>,
    /// Clients that were asked, as their nodes say.
    pub(crate) clients: usize,
    /// Clients that answered.
    pub(crate) client_answers: usize,
}

/// What kind of answers a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Sockets,
    Rooms,
    Values,
    Clients,
    Done,
}

/// Which nodes are to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// So many, as the broker counts them.
    Count(usize),
    /// Those of these names, until they answer or are gone.
    Nodes(HashSet<String>),
}

impl Awaited {
    pub(crate) fn is_nobody(&self) -> bool {
        match self {
            Self::Count(count) => *count == 0,
            Self::Nodes(nodes) => nodes.is_empty(),
        }
    }

    /// Whether one more may answer. Nodes that nobody has heard of yet may.
    fn has_room(&self, answered: usize) -> bool {
        match self {
            Self::Count(count) => answered < *count,
            Self::Nodes(_) => answered < MAX_PEERS,
        }
    }
}

struct Open {
    wants: Wants,
    /// `None`: not known yet.
    awaited: Option<Awaited>,
    /// Those that answered, where nodes say who they are.
    nodes: HashSet<String>,
    collected: Collected,
    on_client: Option<Answered>,
    changed: Arc<Notify>,
}

impl Open {
    fn is_complete(&self) -> bool {
        let nodes = match &self.awaited {
            None => return false,
            Some(Awaited::Count(count)) => self.collected.answered >= *count,
            Some(Awaited::Nodes(nodes)) => nodes.is_empty(),
        };
        match self.wants {
            Wants::Clients => nodes && self.collected.client_answers >= self.collected.clients,
            _ => nodes,
        }
    }

    /// Takes an answer in. False: it is none to this request.
    fn take(&mut self, answer: Answer) -> bool {
        let collected = &mut self.collected;
        match (self.wants, answer) {
            (Wants::Sockets, Answer::Sockets(sockets)) => collected.sockets.extend(sockets),
            (Wants::Sockets, Answer::Ids(ids)) => collected.ids.extend(ids),
            (Wants::Rooms, Answer::Rooms(rooms)) => collected.rooms.extend(rooms),
            // in the format that has no request for rooms
            (Wants::Rooms, Answer::Sockets(sockets)) => {
                collected.rooms.extend(sockets.into_iter().flat_map(|socket| socket.rooms));
            }
            (Wants::Values, Answer::Value(value)) => collected.values.push(value),
            (Wants::Clients, Answer::ClientCount(count)) => {
                collected.clients = collected.clients.saturating_add(count);
            }
            (Wants::Done, Answer::Done) => {}
            _ => return false,
        }
        true
    }
}

impl Pending {
    pub(crate) fn new(max_client_answers: usize) -> Self {
        Self { open: Mutex::default(), sequence: AtomicU64::new(0), max_client_answers }
    }

    /// An id that no other request has, of any node: the node's name and a number.
    pub(crate) fn next_id(&self, uid: &str) -> String {
        format!("{uid}{:x}", self.sequence.fetch_add(1, Ordering::Relaxed))
    }

    /// Opens a request. It is closed when what is returned is dropped.
    pub(crate) fn open(
        self: &Arc<Self>,
        id: String,
        wants: Wants,
        awaited: Option<Awaited>,
        on_client: Option<Answered>,
    ) -> Waiting {
        let changed = Arc::new(Notify::new());
        let open = Open {
            wants,
            awaited,
            nodes: HashSet::new(),
            collected: Collected::default(),
            on_client,
            changed: Arc::clone(&changed),
        };
        let before = self.lock().insert(id.clone(), open);
        debug_assert!(before.is_none(), "no two requests have one id");
        Waiting { pending: Arc::clone(self), id, changed }
    }

    /// An answer came. False: it is one of a client too many.
    pub(crate) fn answer(&self, id: &str, node: Option<&str>, answer: Answer) -> bool {
        let (mut is_taken, mut told) = (true, None);
        let changed = {
            let mut requests = self.lock();
            let Some(open) = requests.get_mut(id) else { return true };
            let is_new = match answer {
                Answer::Client(value) if open.wants == Wants::Clients => {
                    is_taken = open.collected.client_answers < self.max_client_answers;
                    // one that is not kept was given all the same: it is not waited for
                    open.collected.client_answers += 1;
                    told = open.on_client.clone().filter(|_| is_taken).map(|told| (told, value));
                    true
                }
                answer => {
                    // what one node says twice counts once, where nodes say who they are
                    let is_new = node.is_none_or(|node| open.nodes.insert(node.to_owned()));
                    let answered = open.collected.answered;
                    let has_room = open.awaited.as_ref().is_none_or(|all| all.has_room(answered));
                    let is_taken = is_new && has_room && open.take(answer);
                    open.collected.answered += usize::from(is_taken);
                    // one for which there is no room has answered all the same
                    let has_answered = is_taken || !has_room;
                    if let (Some(Awaited::Nodes(nodes)), Some(node)) = (&mut open.awaited, node) {
                        if has_answered {
                            nodes.remove(node);
                        }
                    }
                    is_taken
                }
            };
            is_new.then(|| Arc::clone(&open.changed))
        };
        // code of others, and who waits, without the lock; the answer before the end of the wait
        if let Some((told, value)) = told {
            told(value);
        }
        if let Some(changed) = changed {
            changed.notify_one();
        }
        is_taken
    }

    /// Nobody waits for this node any more.
    pub(crate) fn gone(&self, node: &str) {
        let mut changed = Vec::new();
        for open in self.lock().values_mut() {
            if let Some(Awaited::Nodes(nodes)) = &mut open.awaited {
                if nodes.remove(node) {
                    changed.push(Arc::clone(&open.changed));
                }
            }
        }
        // who waits, without the lock
        for changed in changed {
            changed.notify_one();
        }
    }

    fn lock(&self) -> Held<MutexGuard<'_, HashMap<String, Open>>> {
        lock(&self.open)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("open", &self.lock().len()).finish()
    }
}

/// An open request, as its task sees it.
pub(crate) struct Waiting {
    pending: Arc<Pending>,
    id: String,
    changed: Arc<Notify>,
}

impl Waiting {
    /// These nodes are to answer; some may have done so.
    pub(crate) fn expect(&self, mut awaited: Awaited) {
        if let Some(open) = self.pending.lock().get_mut(&self.id) {
            if let Awaited::Nodes(nodes) = &mut awaited {
                nodes.retain(|node| !open.nodes.contains(node));
            }
            open.awaited = Some(awaited);
        }
        // the lock is free again: who waits is woken by it
        self.changed.notify_one();
    }

    /// Resolves when all answers are there. Cancel safe.
    pub(crate) async fn complete(&self) {
        loop {
            let is_complete = self.pending.lock().get(&self.id).is_none_or(Open::is_complete);
            if is_complete {
                return;
            }
            self.changed.notified().await;
        }
    }

    /// Closes the request: what came until now, and the nodes that are missing, as far as that is
    /// known.
    pub(crate) fn close(self) -> (Collected, Vec<String>) {
        let open = self.pending.lock().remove(&self.id);
        open.map_or_else(Default::default, |open| {
            let missing = match open.awaited {
                None => Vec::new(),
                Some(Awaited::Count(count)) => {
                    let missing = count.saturating_sub(open.collected.answered);
                    (0..missing).map(|_| UNKNOWN.to_owned()).collect()
                }
                Some(Awaited::Nodes(nodes)) => {
                    let mut nodes: Vec<_> = nodes.into_iter().collect();
                    nodes.sort();
                    nodes
                }
            };
            (open.collected, missing)
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let open = self.pending.lock().remove(&self.id);
        drop(open);
    }
}

/// Where nodes are only counted, who answered does not say who did not.
const UNKNOWN: &str = "a node that did not answer in time";
