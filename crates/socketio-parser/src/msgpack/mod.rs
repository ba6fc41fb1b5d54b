//! The packets of the npm package socket.io-msgpack-parser, in the forms of its releases 2.x
//! (protocol 4) and 3.x (protocol 5).
//!
//! ```text
//!   83                        a map of three
//!     a4 "type"  02
//!     a4 "data"  93 a4 "echo" 01 c4 02 01 02
//!     a3 "nsp"   a1 "/"       then a2 "id" and a number, if there is one
//! ```
//!
//! Events and acknowledgements are the same bytes in both protocols. Of the other types protocol 5
//! has the form above, protocol 4 one of JSON: `{"type":0,"nsp":"/"}`. Read are both forms alike,
//! with their fields in any order; of a field given twice the last counts, fields of other names
//! do not matter.
//!
//! As with JSON, one iterative pass (`read.rs`) validates a message, and typed values are read
//! from its bytes later (`de.rs`). Markers and the shortest forms of what is written come from the
//! crate rmp; its reading half would allocate or recurse before it checked a length.

mod de;
mod read;
mod ser;
mod tokens;
mod write;

pub(crate) use de::{Elements, Reader, value, values};
pub(crate) use read::{Fields, read, read_text};
pub(crate) use tokens::{Token, Tokens};
pub(crate) use write::{
    ack, control, event, event_data, event_with_offset, text_control, write_value,
};
