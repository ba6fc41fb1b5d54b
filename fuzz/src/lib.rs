//! Fuzz targets: functions from bytes to nothing, which panic if something is wrong.
//!
//! Each is given to libFuzzer by a program of its name in `fuzz_targets/`, and the seeds in
//! `corpus/` by `tests/replay.rs`. A target decodes what the bytes say, compares with a naive model
//! or a round trip, and bounds the memory that was taken: see [`meter`].

mod allocator;
mod input;
mod meter;
pub mod seeds;
mod targets;
mod wire;

pub use targets::deflate::deflate;
pub use targets::handshake::handshake;
pub use targets::http3::{http3, http3_control};
pub use targets::json::json;
pub use targets::jsonp::jsonp;
pub use targets::msgpack::msgpack;
pub use targets::packets::packets;
pub use targets::payload::payload;
pub use targets::qpack::qpack;
pub use targets::recovery::recovery;
pub use targets::rooms::rooms;
pub use targets::server::server;
pub use targets::session::session;
pub use targets::websocket::websocket;

/// A function that panics if something is wrong with what the bytes say.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 15] = [
    ("packets", packets),
    ("payload", payload),
    ("jsonp", jsonp),
    ("handshake", handshake),
    ("websocket", websocket),
    ("deflate", deflate),
    ("json", json),
    ("msgpack", msgpack),
    ("session", session),
    ("recovery", recovery),
    ("rooms", rooms),
    ("server", server),
    ("http3", http3),
    ("http3_control", http3_control),
    ("qpack", qpack),
];
