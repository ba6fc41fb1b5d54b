//! Rooms: a list of operations, against the naive model that the crate's own tests have.

/// A byte of limits, then operations; `socketio_adapter`'s `rooms/model.rs` says which.
///
/// Without `--cfg fuzzing` this does nothing: the crate shows its inside to fuzzers only.
pub fn rooms(input: &[u8]) {
    #[cfg(fuzzing)]
    socketio_adapter::fuzzing::rooms(input);
    #[cfg(not(fuzzing))]
    let _ = input;
}
