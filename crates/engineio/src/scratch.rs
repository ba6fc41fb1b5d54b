//! Buffers of the worker thread, shared by all its connections, so that an idle connection has
//! none.
//!
//! A buffer is taken out while it is used, not borrowed: code that comes to need one meanwhile
//! (a handler that emits while its message is read) gets a fresh one, which is then dropped.

use std::cell::Cell;

/// One read takes at most this much: thousands of small messages in a system call, and one of 64 KiB
/// with its header, which a smaller buffer would always cut.
pub(crate) const READ: usize = 128 * 1024;

/// A write buffer that grew beyond this is not kept.
const KEEP: usize = 512 * 1024;

thread_local! {
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `f` with the read buffer, [`READ`] initialised bytes of old data.
pub(crate) fn with_read_buffer<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = READ_BUFFER.take();
    if buffer.is_empty() {
        // zeroed by the system, page by page as they are first used
        buffer = vec![0; READ];
    }
    let result = f(&mut buffer);
    READ_BUFFER.set(buffer);
    result
}

/// Calls `f` with an empty write buffer.
pub(crate) fn with_write_buffer<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = WRITE_BUFFER.take();
    let result = f(&mut buffer);
    if buffer.capacity() <= KEEP {
        buffer.clear();
        WRITE_BUFFER.set(buffer);
    }
    result
}
