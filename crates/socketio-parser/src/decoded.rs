//! What a client has sent, as [`crate::Decoder`] hands it out.

use std::borrow::Cow;

use crate::RawArgs;

/// A packet of the client.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a new kind of packet must be handled")]
pub enum Decoded<'a> {
    /// The client wants to join a namespace.
    Connect {
        /// The namespace; as long as the client made it, see [`Limits::max_namespace_len`](crate::Limits::max_namespace_len).
        nsp: &'a str,
        /// What followed `?` in protocol 4.
        query: Option<&'a str>,
        /// One argument, an object. Protocol 4 has none.
        auth: Option<RawArgs<'a>>,
    },
    /// The client leaves a namespace.
    Disconnect {
        /// The namespace.
        nsp: &'a str,
    },
    /// An event.
    Event {
        /// The namespace.
        nsp: &'a str,
        /// Given if the client asks for an acknowledgement.
        id: Option<u64>,
        /// The event's name, none of [`RESERVED_EVENTS`](crate::RESERVED_EVENTS) and not `error`.
        name: Cow<'a, str>,
        /// What follows the name.
        args: RawArgs<'a>,
    },
    /// The answer to an event of the server.
    Ack {
        /// The namespace.
        nsp: &'a str,
        /// The id that the server gave.
        id: u64,
        /// The answer.
        args: RawArgs<'a>,
    },
    /// A packet of type 4, which only servers send. The reference raises `error` on the socket
    /// for clients of protocol 4 and closes the connection of others.
    Error {
        /// The namespace.
        nsp: &'a str,
        /// One argument, any value.
        data: Option<RawArgs<'a>>,
    },
    /// Nothing to do: what the reference ignores in protocol 4, and events named `error`.
    Ignored,
}
