//! What a client sent, as a plain tree.

use bytes::Bytes;

use crate::Value;
use crate::json::placeholder::{NUM, PLACEHOLDER};
use crate::json::tokens::{Token, Tokens};
use crate::value::build::number;

/// What a client sent, without types.
#[derive(Clone, Debug)]
pub enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    /// Text of a query: a number or a boolean where the type is one.
    Word(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Node {
    /// One value of validated text. By the tokens themselves: serde would make a deserialiser of JSON
    /// for it, floats and all, in programs that have none.
    pub(super) fn of_json(json: &str, attachments: &[Bytes]) -> Self {
        Self::read(&mut Tokens::of_valid(json), attachments).unwrap_or(Self::Null)
    }

    /// The next value; none where a bracket closes. It recurses as deep as the validating pass allows.
    fn read(tokens: &mut Tokens<'_>, attachments: &[Bytes]) -> Option<Self> {
        Some(match next(tokens)? {
            Token::Null => Self::Null,
            Token::Bool(bool) => Self::Bool(bool),
            Token::Number(digits) => Self::from(number(digits)),
            Token::String(text) => Self::Text(text.unescape().into_owned()),
            Token::BeginArray => {
                Self::List(std::iter::from_fn(|| Self::read(tokens, attachments)).collect())
            }
            Token::BeginObject => {
                let mut entries = Vec::new();
                while let Some(Token::Key(key)) = next(tokens) {
                    let key = key.unescape().into_owned();
                    entries.push((key, Self::read(tokens, attachments)?));
                }
                Self::attachment(&entries, attachments).unwrap_or(Self::Map(entries))
            }
            Token::EndArray | Token::EndObject | Token::Key(_) => return None,
        })
    }

    /// What an object stands for, if it is a placeholder.
    fn attachment(entries: &[(String, Self)], attachments: &[Bytes]) -> Option<Self> {
        if attachments.is_empty() {
            return None;
        }
        let of = |name: &str| entries.iter().rev().find(|(key, _)| key == name);
        match (of(PLACEHOLDER)?, of(NUM)?) {
            ((_, Self::Bool(true)), (_, Self::Unsigned(num))) => {
                let bytes = attachments.get(usize::try_from(*num).ok()?)?;
                Some(Self::Bytes(bytes.to_vec()))
            }
            _ => None,
        }
    }
}

/// A token at a time: reading them is a lot of code, and is here once.
#[inline(never)]
fn next<'a>(tokens: &mut Tokens<'a>) -> Option<Token<'a>> {
    tokens.next().ok().flatten()
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Int(int) => u64::try_from(int).map_or(Self::Signed(int), Self::Unsigned),
            Value::UInt(int) => Self::Unsigned(int),
            Value::Float(float) => Self::Float(float),
            Value::String(text) => Self::Text(*text),
            Value::Binary(bytes) => Self::Bytes(bytes.to_vec()),
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Map(members.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}
