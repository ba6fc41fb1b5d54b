//! What waits for JavaScript: records, each a few elements of one flat JSON array, and the bytes that
//! belong to them.
//!
//! It is bounded by those who fill it: beyond [`Inbound::is_full`] connections are not read.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use engineio_proto::guard::lock;

use crate::node::Wake;
use crate::records::Record;

/// The buffer, and who is woken for it.
#[derive(Debug)]
pub(crate) struct Inbound {
    state: Mutex<State>,
    wake: Wake,
    /// Bytes beyond which connections are not read.
    limit: usize,
    full: AtomicBool,
    /// The connections that were not read, by their ids.
    paused: Mutex<HashMap<Box<str>, engineio::Socket>>,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// JavaScript was woken, and has not come yet.
    scheduled: bool,
    /// The environment ends: nothing is written any more.
    closed: bool,
}

/// What JavaScript takes at a time.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The elements of an array, without its brackets.
    pub(crate) text: String,
    pub(crate) attachments: Vec<Bytes>,
    records: usize,
    bytes: usize,
    /// There is another one.
    pub(crate) has_more: bool,
}

/// Where a batch ends, so that JavaScript's other work has its turn.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
const MAX_BATCH_RECORDS: usize = 16_384;

impl Inbound {
    pub(crate) fn new(wake: Wake, limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            wake,
            limit,
            full: AtomicBool::new(false),
            paused: Mutex::default(),
        }
    }

    /// Appends a record, and wakes JavaScript if nobody has.
    pub(crate) fn push(&self, record: Record<'_>) {
        let is_to_wake = {
            let mut state = lock(&self.state);
            if state.closed {
                return;
            }
            let is_new = state.batches.back().is_none_or(Batch::is_enough);
            if is_new {
                state.batches.push_back(Batch::default());
            }
            let Some(batch) = state.batches.back_mut() else { return };
            let before = batch.bytes;
            batch.append(record);
            let added = batch.bytes - before;
            state.bytes += added;
            if state.bytes > self.limit {
                self.full.store(true, Ordering::Release);
            }
            !std::mem::replace(&mut state.scheduled, true)
        };
        if is_to_wake {
            self.wake.wake();
        }
    }

    /// The next batch, for JavaScript.
    pub(crate) fn take(&self) -> Option<Batch> {
        let (batch, has_room) = {
            let mut state = lock(&self.state);
            state.scheduled = false;
            let mut batch = state.batches.pop_front()?;
            state.bytes -= batch.bytes;
            batch.has_more = !state.batches.is_empty();
            // who takes it comes again by itself
            state.scheduled = batch.has_more;
            (batch, state.bytes <= self.limit / 2)
        };
        if has_room && self.full.swap(false, Ordering::AcqRel) {
            let paused = std::mem::take(&mut *lock(&self.paused));
            paused.into_values().for_each(|conn| conn.wake());
        }
        Some(batch)
    }

    /// Whether a connection may be read. If not it is woken when it may.
    pub(crate) fn has_room_for(&self, conn: &engineio::Socket) -> bool {
        if !self.full.load(Ordering::Acquire) {
            return true;
        }
        let id = conn.id();
        {
            let mut paused = lock(&self.paused);
            if !paused.contains_key(id) {
                paused.insert(id.into(), conn.clone());
            }
        }
        // there may be room since it was asked, and who made it has not seen this connection
        !self.full.load(Ordering::Acquire)
    }

    /// A connection is over.
    pub(crate) fn forget(&self, conn: &engineio::Socket) {
        if self.full.load(Ordering::Acquire) {
            let gone = lock(&self.paused).remove(conn.id());
            drop(gone);
        }
    }

    /// Bytes that wait for JavaScript.
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.state).bytes
    }

    /// The environment ends: nobody is woken any more, and nothing is kept.
    pub(crate) fn close(&self) {
        self.wake.forget();
        let batches = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.bytes = 0;
            std::mem::take(&mut state.batches)
        };
        drop(batches);
        self.full.store(false, Ordering::Release);
        let paused = std::mem::take(&mut *lock(&self.paused));
        paused.into_values().for_each(|conn| conn.wake());
    }
}

impl Batch {
    fn is_enough(&self) -> bool {
        self.bytes >= MAX_BATCH_BYTES || self.records >= MAX_BATCH_RECORDS
    }

    fn append(&mut self, record: Record<'_>) {
        let before = self.text.len();
        if before > 0 {
            self.text.push(',');
        }
        record.write(&mut self.text, &mut self.attachments, &mut self.bytes);
        self.bytes += self.text.len() - before;
        self.records += 1;
    }
}
