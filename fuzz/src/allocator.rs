//! The system's allocator, counting: what each thread has, had at most, and took in all.
//!
//! Counted per thread, so that tests in parallel do not see each other. What one thread allocates
//! and another frees is not counted right; the targets have one thread each.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

/// The counts of a thread, in bytes and calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// What is allocated.
    pub(crate) live: isize,
    /// The most that was, since it was set back.
    pub(crate) peak: isize,
    /// All allocations so far; growing counts as anew.
    pub(crate) total: usize,
    /// How many those are.
    pub(crate) calls: usize,
}

thread_local! {
    static COUNTS: Cell<Counts> = const {
        Cell::new(Counts { live: 0, peak: 0, total: 0, calls: 0 })
    };
}

/// The counts of this thread, and a new start for the peak.
pub(crate) fn start() -> Counts {
    COUNTS.with(|counts| {
        let mut now = counts.get();
        now.peak = now.live;
        counts.set(now);
        now
    })
}

/// The counts of this thread.
pub(crate) fn counts() -> Counts {
    COUNTS.with(Cell::get)
}

fn count(taken: usize, given: usize) {
    // a thread that ends is not counted any more
    let _ = COUNTS.try_with(|counts| {
        let mut now = counts.get();
        now.live = now.live.wrapping_add_unsigned(taken).wrapping_sub_unsigned(given);
        now.peak = now.peak.max(now.live);
        if taken > 0 {
            now.total = now.total.wrapping_add(taken);
            now.calls = now.calls.wrapping_add(1);
        }
        counts.set(now);
    });
}

// SAFETY: every call is passed on to the system's allocator as it came; the counting neither
// allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as our caller promised
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as our caller promised
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as our caller promised
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as our caller promised
        unsafe { System.realloc(pointer, layout, size) }
    }
}
