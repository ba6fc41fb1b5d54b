//! The target `qpack` for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| socketio_fuzz::qpack(input));
