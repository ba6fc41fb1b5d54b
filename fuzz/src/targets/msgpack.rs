//! The msgpack parser of both revisions.

use std::sync::Arc;

use bytes::Bytes;
use socketio_parser::{Parser, Revision};

use super::values;
use crate::input::Input;
use crate::meter::Meter;

/// A byte of flags, then one message.
pub fn msgpack(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let revision = if flags & 1 == 0 { Revision::V5 } else { Revision::V4 };
    let limits = values::limits(flags & 2 != 0);
    let parser = Parser::msgpack();
    let mut decoder = parser.decoder(revision, Arc::new(limits.clone()));
    let message = input.0;
    let shared = Bytes::copy_from_slice(message);
    let decoded = if flags & 4 == 0 {
        let meter = Meter::start();
        let decoded = decoder.binary(shared);
        // names that are no text become longer; and the stack of what is open
        meter.check(message.len(), 8, 32 * 1024);
        decoded
    } else {
        let Ok(text) = std::str::from_utf8(message) else { return };
        let meter = Meter::start();
        let decoded = decoder.text(text);
        meter.check(message.len(), 8, 1024);
        decoded
    };
    if let Ok(packet) = decoded {
        let packet = packet.expect("one message is one packet");
        values::check(&parser, &limits, message.len(), &packet);
    }
}
