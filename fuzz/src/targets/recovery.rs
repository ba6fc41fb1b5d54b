//! Sessions with recovery: a list of operations, against clients that know what was meant for them.

/// A byte of bounds, then operations; `socketio_adapter`'s `local/model.rs` says which.
///
/// Without `--cfg fuzzing` this does nothing: the crate shows its inside to fuzzers only.
pub fn recovery(input: &[u8]) {
    #[cfg(fuzzing)]
    socketio_adapter::fuzzing::recovery(input);
    #[cfg(not(fuzzing))]
    let _ = input;
}
