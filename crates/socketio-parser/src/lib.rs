//! The Socket.IO protocols 4 and 5 without I/O: text and binary messages in, packets out, and back.
//!
//! This crate knows the packets' grammar in three forms, JSON with binary attachments, msgpack
//! (feature `msgpack`) and those of custom parsers. It knows no namespace, no socket and no
//! transport, and keeps no state but the packet whose attachments are awaited.
//!
//! ```text
//!   message -> Decoder -> Decoded { RawArgs } -> typed values of a handler
//!   values  -> Encoder -> Encoded (text behind headroom and attachments, or binary)
//! ```
//!
//! - [`Parser`]: the form that a server has chosen. It makes the other two.
//! - [`Decoder`]: one per connection. One iterative pass validates a packet and bounds its depth
//!   and its number of arguments; nothing is built from it.
//! - [`Encoder`]: any [`Serialize`](serde::Serialize) type to a packet, bytes at any depth.
//! - [`RawArgs`]: the arguments, still in their form, read when a handler asks for types.
//! - [`Value`]: JSON plus bytes, where no type is at hand.
//! - [`CustomParser`]: a form of one's own.
//!
//! # How values become arguments
//!
//! Sending and receiving follow one rule. A tuple, a fixed-size array and a tuple struct are as
//! many arguments as they have elements, `()` and a unit struct are none, everything else is one.
//! [`One`] makes exactly one argument of anything, [`Spread`] as many as a `Vec` has elements.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod args;
mod binary;
mod check;
mod custom;
mod date;
mod decode;
mod decoded;
mod encode;
mod encoded;
mod error;
mod exchange;
#[doc(hidden)]
pub mod explain;
mod form;
mod json;
mod json_array;
mod limits;
mod methods;
#[cfg(feature = "msgpack")]
mod msgpack;
mod number;
mod packet;
mod parser;
#[cfg(feature = "schemars")]
mod schema;
mod value;

#[cfg(test)]
mod tests;

pub use args::{One, RawArgs, Spread};
pub use binary::Binary;
pub use custom::{CustomDecoder, CustomParser, Messages, Packet};
pub use decode::Decoder;
pub use decoded::Decoded;
pub use encode::Encoder;
pub use encoded::Encoded;
pub use error::{ArgsError, DecodeError, EncodeError};
pub use exchange::{DataForm, EventData, date_to_text, value_from_json, value_to_json};
#[cfg(feature = "msgpack")]
pub use exchange::{value_from_msgpack, value_to_msgpack};
pub use indexmap::IndexMap;
pub use json::writer::{quote, trailing_text};
pub use json_array::JsonArray;
pub use limits::Limits;
pub use number::number_to_text;
pub use packet::{PacketType, RESERVED_EVENTS, Revision, is_reserved_event};
pub use parser::Parser;
pub use value::Value;
pub use value::build::{from_value, to_value};
