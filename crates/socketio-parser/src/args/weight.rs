//! How much memory arguments take once they are read, told before anybody reads them.
//!
//! A number in a list is two bytes of JSON, one of msgpack, and a [`Value`] of 16: what a handler
//! keeps is bounded by this, not by what came over the wire. One pass over what is known to be
//! valid, without recursion; nothing is built.

use indexmap::IndexMap;

use crate::Value;
use crate::args::repr::Repr;
use crate::json::tokens::{Token, Tokens};
#[cfg(feature = "msgpack")]
use crate::msgpack;

/// What values take that are read from arguments in this form.
pub(crate) fn of(args: &Repr<'_>) -> usize {
    match args {
        Repr::Json { text, attachments, .. } => {
            let bytes: usize = attachments.iter().map(|bytes| BYTES + bytes.len()).sum();
            of_json(text) + bytes
        }
        #[cfg(feature = "msgpack")]
        Repr::Msgpack { bytes, .. } => of_msgpack(bytes),
        Repr::Values(values) => of_values(values),
    }
}

/// The elements of an array, without its brackets.
fn of_json(text: &str) -> usize {
    let mut weight = 0;
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let mut tokens = Tokens::of_valid(rest);
        while let Ok(Some(token)) = tokens.next() {
            weight += match token {
                Token::BeginArray => LIST,
                Token::BeginObject => OBJECT,
                Token::Key(key) => MEMBER + key.raw.len(),
                Token::String(text) => TEXT + text.raw.len(),
                Token::Number(_) | Token::Bool(_) | Token::Null => VALUE,
                Token::EndArray | Token::EndObject => 0,
            };
            if tokens.depth() == 0 {
                break;
            }
        }
        let after = rest.get(tokens.position()..).unwrap_or_default().trim_ascii_start();
        rest = after.strip_prefix(',').unwrap_or_default().trim_ascii_start();
    }
    weight
}

/// Bytes are slices of the message, which they keep whole.
#[cfg(feature = "msgpack")]
fn of_msgpack(bytes: &[u8]) -> usize {
    use msgpack::Token;

    let mut weight = bytes.len();
    let mut tokens = msgpack::Tokens::new(bytes);
    while !tokens.rest().is_empty() {
        let Ok(token) = tokens.next() else { break };
        weight += match token {
            Token::Array(_) => LIST,
            // Its keys come as values of their own.
            Token::Map(len) => OBJECT + len * MEMBER,
            Token::Str(text) => TEXT + text.len(),
            Token::Bin(_) | Token::Ext(_) | Token::Unknown(_) => BYTES,
            Token::Date(_) => TEXT + DATE,
            _ => VALUE,
        };
    }
    weight
}

fn of_values(values: &[Value]) -> usize {
    let mut weight = 0;
    let mut left: Vec<&Value> = values.iter().collect();
    while let Some(value) = left.pop() {
        weight += match value {
            Value::String(text) => TEXT + text.capacity(),
            Value::Binary(bytes) => BYTES + bytes.len(),
            Value::Array(items) => {
                left.extend(items.iter());
                LIST
            }
            Value::Object(members) => {
                left.extend(members.values());
                OBJECT + members.keys().map(|key| MEMBER + key.len()).sum::<usize>()
            }
            _ => VALUE,
        };
    }
    weight
}

const VALUE: usize = size_of::<Value>();
const TEXT: usize = VALUE + size_of::<String>();
const LIST: usize = VALUE + size_of::<Vec<Value>>();
/// With `Bytes`, and the count of those who share them.
const BYTES: usize = VALUE + size_of::<bytes::Bytes>() + 3 * size_of::<usize>();
/// With the smallest table that finds its members.
const OBJECT: usize = VALUE + size_of::<IndexMap<String, Value>>() + 64;
/// A member without its value: hash, key, and its place in the table, of which up to 9 of 16 are
/// empty.
const MEMBER: usize = size_of::<usize>() + size_of::<String>() + (size_of::<usize>() + 1) * 16 / 7;
/// A date is read as text.
#[cfg(feature = "msgpack")]
const DATE: usize = "+275760-09-13T00:00:00.000Z".len();
