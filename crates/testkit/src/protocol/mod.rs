//! The client's side of the protocols without I/O: bytes and the time go in, consequences come out.
//!
//! ```text
//! bytes -> HttpResponse -> payload Packets ─┐
//! bytes -> ParsedFrame, or RawFrame -> Frame ┴-> RawPacket -> Session -> Step
//!                                                Packet -> SocketIoDecoder -> SocketIoPacket
//! ```
//!
//! The clients of this crate are made of it, and so are other clients with loops of their own, such
//! as load generators. Nothing here reads a clock, waits, or panics at what a server sends. It is
//! written apart from the codecs of the server, so that a mistake there is not mirrored here; what a
//! server must not send is a [`Violation`].
//!
//! What borrows, allocates nothing: [`HttpResponse`], [`Packets`], [`ParsedFrame`], [`RawPacket`]
//! and an open [`Session`].

mod http;
pub(crate) mod packet;
mod payload;
mod session;
mod socketio;
pub(crate) mod websocket;

use std::fmt;

pub use http::{BodyRule, HttpResponse, write_request};
pub(crate) use packet::{Eio, Packet};
pub use packet::{RawPacket, target};
pub use payload::{Packets, decode_payload, encode_form, encode_payload};
pub use session::{Due, Open, Session, Step};
pub use socketio::{SocketIoDecoder, SocketIoKind, SocketIoPacket};
pub use websocket::{
    BINARY, CLOSE, CONTINUATION, Fragments, KEY, PING, PONG, ParsedFrame, TEXT, UPGRADE_HEADERS,
    check_upgrade, take_frame, write_frame,
};
pub(crate) use websocket::{Frame, RawFrame, frame};

/// What a server sent and must not send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

impl Violation {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

impl From<Violation> for String {
    fn from(violation: Violation) -> Self {
        violation.0
    }
}
