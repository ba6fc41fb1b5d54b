//! The target `http3` for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| socketio_fuzz::http3(input));
