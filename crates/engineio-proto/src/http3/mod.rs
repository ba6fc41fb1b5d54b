//! As much of HTTP/3 as a WebTransport session needs, the server's side: bytes of streams in, what
//! they say out. Who moves the bytes is the crate `engineio-webtransport`.
//!
//! ```text
//!   stream of the client          begins with             and is read by
//!   bidirectional, a request      a frame, HEADERS        opening::Opening, then connect::Connect
//!   bidirectional, a session's    0x41, id of its CONNECT opening::Opening, then packets of Engine.IO
//!   unidirectional, control       0x00                    control::Control
//!   unidirectional, QPACK         0x02, 0x03              qpack::Instructions
//! ```
//!
//! - [`varint`]: the numbers of QUIC; [`frame`]: type, length and payload, cut anywhere.
//! - [`settings`]: what both sides say of themselves.
//! - [`qpack`]: header sections, without a dynamic table.
//! - [`request`]: what a header section asks for.
//! - [`capsule`]: what is said on the stream of a CONNECT.
//!
//! Invariants: nothing is kept of a payload but of settings, of a header section and of the capsule
//! that closes, each up to a bound; what is unknown is skipped by its length.

use std::fmt;

pub mod capsule;
pub mod connect;
pub mod control;
pub mod frame;
pub mod opening;
pub mod qpack;
pub mod request;
pub mod settings;
pub mod varint;

/// An error code of HTTP/3, of QPACK or of WebTransport.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a newtype")]
pub struct Code(pub u64);

// RFC 9114 8.1, RFC 9204 6, draft-ietf-webtrans-http3 9.5
impl Code {
    /// The end in good order.
    pub const NO_ERROR: Self = Self(0x100);
    /// A stream of a type that the client may not open.
    pub const STREAM_CREATION_ERROR: Self = Self(0x103);
    /// A stream that must stay open was closed.
    pub const CLOSED_CRITICAL_STREAM: Self = Self(0x104);
    /// A frame where it may not be.
    pub const FRAME_UNEXPECTED: Self = Self(0x105);
    /// A frame whose payload does not fit its type or its length.
    pub const FRAME_ERROR: Self = Self(0x106);
    /// More than is taken.
    pub const EXCESSIVE_LOAD: Self = Self(0x107);
    /// Settings that contradict each other or the protocol.
    pub const SETTINGS_ERROR: Self = Self(0x109);
    /// The control stream does not begin with settings.
    pub const MISSING_SETTINGS: Self = Self(0x10a);
    /// A request that was not looked at.
    pub const REQUEST_REJECTED: Self = Self(0x10b);
    /// A stream that ended within its request.
    pub const REQUEST_INCOMPLETE: Self = Self(0x10d);
    /// A request that is malformed.
    pub const MESSAGE_ERROR: Self = Self(0x10e);
    /// A header section that cannot be decoded.
    pub const QPACK_DECOMPRESSION_FAILED: Self = Self(0x200);
    /// An instruction for a table that there is not.
    pub const QPACK_ENCODER_STREAM_ERROR: Self = Self(0x201);
    /// A receipt for what was not sent.
    pub const QPACK_DECODER_STREAM_ERROR: Self = Self(0x202);
    /// A stream of a session that there is not.
    pub const SESSION_STREAM_REJECTED: Self = Self(0x3994_bd84);
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// What is wrong with what a client sent, and what it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The stream, which is reset.
    Stream(Code),
    /// The connection.
    Connection(Code),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Stream(Code(code)) | Self::Connection(Code(code))) = self;
        write!(f, "HTTP/3 error {code:#x}")
    }
}

impl std::error::Error for Error {}
