//! Conversations with the server, byte for byte where it matters.
//!
//! Most run over streams in memory, on a clock that stands still; what differs by the kind of
//! connection runs over each of them, see [`host::Road`].

#[macro_use]
mod host;

mod adopt;
mod closing;
mod connections;
mod cors;
mod deflate;
mod draining;
mod faults;
mod framed;
mod handshake;
mod heads;
mod heartbeat;
mod inbound;
mod listen;
mod nodes;
mod options;
mod order;
mod polling_v3;
mod polling_v4;
mod rates;
mod reading;
mod receipts;
mod refusals;
mod relay;
mod slow_consumer;
mod stalled;
mod subprotocols;
mod upgrade;
mod websocket;
