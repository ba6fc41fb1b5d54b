//! The target `http3_control` for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| socketio_fuzz::http3_control(input));
