//! `Value`s from validated JSON text and attachments, without recursion; from and to typed values.

use bytes::Bytes;
use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::placeholder::{NUM, PLACEHOLDER};
use crate::json::ser::Serializer;
use crate::json::tokens::{JsonError, Token, Tokens};
use crate::limits::MAX_SENT_DEPTH;
use crate::{ArgsError, EncodeError, Value};

/// Makes a [`Value`] of anything that can be sent.
///
/// # Errors
/// What the value's `Serialize` says, or that it is nested too deep.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, EncodeError> {
    let mut json = Vec::new();
    let mut attachments = Vec::new();
    value.serialize(&mut Serializer::new(&mut json, &mut attachments))?;
    read_back(json, &attachments)
}

/// The value of JSON that our serializer wrote.
pub(crate) fn read_back(json: Vec<u8>, attachments: &[Bytes]) -> Result<Value, EncodeError> {
    // Only text written by a foreign `RawValue` can be unacceptable here.
    let json = String::from_utf8(json).map_err(|error| unwritable(&error))?;
    let mut tokens = Tokens::new(&json, MAX_SENT_DEPTH + 1);
    build(&mut tokens, attachments).map_err(|error| match error {
        JsonError::TooDeep { .. } => EncodeError::TooDeep,
        JsonError::Syntax { reason, .. } => unwritable(&reason),
    })
}

fn unwritable(error: &dyn std::fmt::Display) -> EncodeError {
    serde::ser::Error::custom(error)
}

/// Reads a typed value from a [`Value`].
///
/// # Errors
/// What the type's `Deserialize` says.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ArgsError> {
    T::deserialize(value)
}

/// Builds the value that `tokens` begin with. With attachments, placeholders are replaced.
///
/// Members of all open arrays and objects wait on one stack until their bracket closes, so that
/// each array and object is allocated once, in its exact size.
pub(crate) fn build(tokens: &mut Tokens<'_>, attachments: &[Bytes]) -> Result<Value, JsonError> {
    let mut members: Vec<Value> = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    // Where the members of each open array or object begin.
    let mut open: Vec<usize> = Vec::new();
    while let Some(token) = tokens.next()? {
        let value = match token {
            Token::BeginArray | Token::BeginObject => {
                open.push(members.len());
                continue;
            }
            Token::Key(key) => {
                keys.push(key.unescape().into_owned());
                continue;
            }
            Token::EndArray => {
                let start = open.pop().unwrap_or_default();
                members.drain(start..).collect()
            }
            Token::EndObject => {
                let start = open.pop().unwrap_or_default();
                let first_key = (keys.len() + start).saturating_sub(members.len());
                // Of a key given twice the last value counts.
                object(keys.drain(first_key..).zip(members.drain(start..)).collect(), attachments)
            }
            Token::String(text) => Value::from(text.unescape()),
            Token::Number(digits) => number(digits),
            Token::Bool(bool) => Value::Bool(bool),
            Token::Null => Value::Null,
        };
        if open.is_empty() {
            return Ok(value);
        }
        members.push(value);
    }
    Err(JsonError::Syntax { at: tokens.position(), reason: "value expected" })
}

fn object(members: IndexMap<String, Value>, attachments: &[Bytes]) -> Value {
    if attachments.is_empty() || members.get(PLACEHOLDER) != Some(&Value::Bool(true)) {
        return Value::from(members);
    }
    // The validating pass has refused placeholders that point nowhere.
    let num = members.get(NUM).and_then(Value::as_u64).and_then(|num| usize::try_from(num).ok());
    num.and_then(|num| attachments.get(num)).cloned().map_or(Value::Null, Value::from)
}

/// A valid JSON number: an integer if it is written as one and fits, else the nearest double.
///
/// So is `-0`, as in JavaScript and serde_json: no integer has its sign.
pub(crate) fn number(digits: &str) -> Value {
    if digits == "-0" {
        return Value::Float(-0.0);
    }
    if let Ok(int) = digits.parse() {
        return Value::Int(int);
    }
    if let Ok(int) = digits.parse() {
        return Value::UInt(int);
    }
    Value::Float(digits.parse().unwrap_or(f64::NAN))
}
