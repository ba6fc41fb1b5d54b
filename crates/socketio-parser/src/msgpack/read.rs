//! Messages to packets: where the fields are, and that all of the message is valid.

use std::borrow::Cow;

use bytes::Bytes;

use crate::args::repr::Repr;
use crate::check::{First, Payload, Shape};
use crate::json::scan::Json;
use crate::json::tokens;
use crate::msgpack::tokens::{Token, Tokens};
use crate::{DecodeError, Limits, PacketType, RawArgs, number_to_text};

/// The fields of a packet, right or wrong: protocol 4 ignores a packet with wrong ones.
#[derive(Debug)]
pub(crate) struct Fields<'a, P> {
    kind: Result<PacketType, DecodeError>,
    nsp: Result<Cow<'a, str>, DecodeError>,
    id: Result<Option<u64>, DecodeError>,
    data: Option<P>,
}

/// Type, namespace, id and data.
type Complete<'a, P> = (PacketType, Cow<'a, str>, Option<u64>, Option<P>);

impl<'a, P> Fields<'a, P> {
    const fn new() -> Self {
        Self {
            kind: Err(DecodeError::InvalidField(TYPE)),
            nsp: Err(DecodeError::InvalidField(NSP)),
            id: Ok(None),
            data: None,
        }
    }

    /// The fields, if all are right.
    pub(crate) fn complete(self) -> Result<Complete<'a, P>, DecodeError> {
        Ok((self.kind?, self.nsp?, self.id?, self.data))
    }

    fn set_kind(&mut self, number: Option<u8>) {
        let kind = number.and_then(PacketType::from_number);
        self.kind = kind.ok_or(DecodeError::InvalidField(TYPE));
    }
}

/// The data of a packet: a valid value in a message.
#[derive(Debug)]
pub(crate) struct Data {
    message: Bytes,
    shape: Shape,
    /// How many elements the array has.
    len: usize,
    name: Option<String>,
    /// Offsets of the value, of the first and the second element, and of the end of the value.
    start: usize,
    first: usize,
    second: usize,
    end: usize,
}

/// Reads a binary message.
pub(crate) fn read<'a>(
    message: &'a Bytes,
    limits: &Limits,
) -> Result<Fields<'a, Data>, DecodeError> {
    check_len(message.len(), limits)?;
    let mut tokens = Tokens::new(message);
    if message.is_empty() {
        return Err(DecodeError::Empty);
    }
    let Token::Map(len) = tokens.next()? else {
        return Err(DecodeError::InvalidMsgpack { at: 0, reason: "a packet is a map" });
    };
    let mut fields = Fields::new();
    for _ in 0..len {
        let Token::Str(key) = tokens.next()? else {
            return Err(tokens.error("a field has a name"));
        };
        match key {
            b"data" => fields.data = Data::read(&mut tokens, message, limits)?,
            b"type" => {
                let number = match value(&mut tokens, limits)? {
                    Token::UInt(number) => u8::try_from(number).ok(),
                    _ => None,
                };
                fields.set_kind(number);
            }
            b"nsp" => {
                fields.nsp = match value(&mut tokens, limits)? {
                    Token::Str(nsp) => Ok(String::from_utf8_lossy(nsp)),
                    _ => Err(DecodeError::InvalidField(NSP)),
                }
            }
            b"id" => {
                fields.id = match value(&mut tokens, limits)? {
                    Token::UInt(id) => Ok(Some(id)),
                    Token::Undefined | Token::Null => Ok(None),
                    _ => Err(DecodeError::InvalidId),
                }
            }
            _ => tokens.skip(limits.max_depth)?,
        }
    }
    tokens.finish()?;
    Ok(fields)
}

/// Reads a text message.
pub(crate) fn read_text<'a>(
    text: &'a str,
    limits: &Limits,
) -> Result<Fields<'a, Json<'a>>, DecodeError> {
    check_len(text.len(), limits)?;
    // The object of the packet is around what the limit is about.
    let mut tokens = tokens::Tokens::new(text, limits.max_depth.saturating_add(1));
    let mut fields = Fields::new();
    if tokens.next()? != Some(tokens::Token::BeginObject) {
        return Err(DecodeError::InvalidJson { at: 0, reason: "a packet is an object" });
    }
    while let Some(tokens::Token::Key(key)) = tokens.next()? {
        let Some(value) = tokens.next()? else { break };
        let start = tokens.token_start();
        while tokens.depth() > 1 {
            tokens.next()?;
        }
        match (&*key.unescape(), value) {
            ("type", tokens::Token::Number(digits)) => fields.set_kind(digits.parse().ok()),
            ("type", _) => fields.set_kind(None),
            ("nsp", tokens::Token::String(nsp)) => fields.nsp = Ok(nsp.unescape()),
            ("nsp", _) => fields.nsp = Err(DecodeError::InvalidField(NSP)),
            ("id", tokens::Token::Number(digits)) => {
                fields.id = digits.parse().map(Some).map_err(|_| DecodeError::InvalidId);
            }
            ("id", tokens::Token::Null) => fields.id = Ok(None),
            ("id", _) => fields.id = Err(DecodeError::InvalidId),
            ("data", tokens::Token::Null) => fields.data = None,
            ("data", _) => {
                let data = text.get(start..tokens.position()).unwrap_or_default();
                fields.data = Some(Json::scan(data, 0, limits)?);
            }
            _ => {}
        }
    }
    tokens.finish()?;
    Ok(fields)
}

const fn check_len(len: usize, limits: &Limits) -> Result<(), DecodeError> {
    let max = limits.max_packet_bytes;
    if len > max { Err(DecodeError::TooLarge { max }) } else { Ok(()) }
}

/// Reads a whole value; of an array or a map only what it is.
fn value<'a>(tokens: &mut Tokens<'a>, limits: &Limits) -> Result<Token<'a>, DecodeError> {
    let token = tokens.clone().next()?;
    tokens.skip(limits.max_depth)?;
    Ok(token)
}

impl Data {
    /// Reads a whole value. `undefined` is none, and so is `nil`, which clients in Python write.
    fn read(
        tokens: &mut Tokens<'_>,
        message: &Bytes,
        limits: &Limits,
    ) -> Result<Option<Self>, DecodeError> {
        let start = tokens.position();
        let mut head = tokens.clone();
        tokens.skip(limits.max_depth)?;
        let end = tokens.position();
        let (shape, len) = match head.next()? {
            Token::Undefined | Token::Null => return Ok(None),
            Token::Array(len) => (Shape::Array, len),
            Token::Map(_) => (Shape::Object, 0),
            _ => (Shape::Other, 0),
        };
        let first = head.position();
        let mut data = Self {
            message: message.clone(),
            shape,
            len,
            name: None,
            start,
            first,
            second: end,
            end,
        };
        if len > 0 {
            data.name = match head.next()? {
                Token::Str(name) => Some(String::from_utf8_lossy(name).into_owned()),
                // the clients' numbers are doubles, all of them
                Token::UInt(int) => Some(number_to_text(int as f64)),
                Token::Int(int) => Some(number_to_text(int as f64)),
                Token::Float(float) => Some(number_to_text(float)),
                _ => None,
            };
            if data.name.is_some() {
                data.second = head.position();
            }
        }
        Ok(Some(data))
    }

    fn args<'a>(self, start: usize, end: usize, len: usize) -> RawArgs<'a> {
        RawArgs(Repr::Msgpack { bytes: self.message.slice(start..end), len })
    }
}

impl<'a> Payload<'a> for Data {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn len(&self) -> usize {
        self.len
    }

    fn take_name(&mut self) -> Option<Cow<'a, str>> {
        self.name.take().map(Cow::Owned)
    }

    fn elements(self, first: First) -> RawArgs<'a> {
        let (start, end, len) = match first {
            First::Element => (self.first, self.end, self.len),
            First::BehindName => (self.second, self.end, self.len.saturating_sub(1)),
        };
        self.args(start, end, len)
    }

    fn whole(self) -> RawArgs<'a> {
        let (start, end) = (self.start, self.end);
        self.args(start, end, 1)
    }
}

const TYPE: &str = "type";
const NSP: &str = "nsp";
