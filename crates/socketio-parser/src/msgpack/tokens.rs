//! A pull parser for msgpack: checks every length, builds nothing, does not recurse.

use rmp::Marker;

use crate::DecodeError;

/// A value, or the beginning of an array or a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// `nil`.
    Null,
    /// JavaScript's `undefined`.
    Undefined,
    Bool(bool),
    UInt(u64),
    /// A negative integer.
    Int(i64),
    Float(f64),
    /// Text; not always UTF-8.
    Str(&'a [u8]),
    Bin(&'a [u8]),
    /// So many values follow.
    Array(usize),
    /// So many keys and values follow.
    Map(usize),
    /// Milliseconds since 1970.
    Date(i64),
    /// The contents of the extension type 0 where they are no date: bytes of JavaScript.
    Ext(&'a [u8]),
    /// The contents of an extension type that nobody knows.
    Unknown(&'a [u8]),
}

/// Reads values from the front of a message.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The extension type of msgpack's own for dates is one. The codec of the clients has another.
    timestamps: bool,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, timestamps: false }
    }

    /// As other programs in JavaScript write values.
    pub(crate) const fn with_timestamps(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, timestamps: true }
    }

    /// Offset of the next byte to read.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// An error at the next byte.
    pub(crate) const fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError::InvalidMsgpack { at: self.position, reason }
    }

    /// Reads the next token. An array or a map announces no more than what is left can hold.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, DecodeError> {
        let at = self.position;
        let [byte] = self.take()?;
        Ok(match Marker::from_u8(byte) {
            Marker::Null => Token::Null,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(int) => Token::UInt(int.into()),
            Marker::FixNeg(int) => integer(int.into()),
            Marker::U8 => Token::UInt(u8::from_be_bytes(self.take()?).into()),
            Marker::U16 => Token::UInt(u16::from_be_bytes(self.take()?).into()),
            Marker::U32 => Token::UInt(u32::from_be_bytes(self.take()?).into()),
            Marker::U64 => Token::UInt(u64::from_be_bytes(self.take()?)),
            Marker::I8 => integer(i8::from_be_bytes(self.take()?).into()),
            Marker::I16 => integer(i16::from_be_bytes(self.take()?).into()),
            Marker::I32 => integer(i32::from_be_bytes(self.take()?).into()),
            Marker::I64 => integer(i64::from_be_bytes(self.take()?)),
            Marker::F32 => Token::Float(f32::from_be_bytes(self.take()?).into()),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.take()?)),
            Marker::FixStr(len) => Token::Str(self.slice(len.into())?),
            Marker::Str8 => Token::Str(self.slice_behind(Self::len8)?),
            Marker::Str16 => Token::Str(self.slice_behind(Self::len16)?),
            Marker::Str32 => Token::Str(self.slice_behind(Self::len32)?),
            Marker::Bin8 => Token::Bin(self.slice_behind(Self::len8)?),
            Marker::Bin16 => Token::Bin(self.slice_behind(Self::len16)?),
            Marker::Bin32 => Token::Bin(self.slice_behind(Self::len32)?),
            Marker::FixArray(len) => Token::Array(self.count(len.into(), 1)?),
            Marker::Array16 => Token::Array(self.len16().and_then(|len| self.count(len, 1))?),
            Marker::Array32 => Token::Array(self.len32().and_then(|len| self.count(len, 1))?),
            Marker::FixMap(len) => Token::Map(self.count(len.into(), 2)?),
            Marker::Map16 => Token::Map(self.len16().and_then(|len| self.count(len, 2))?),
            Marker::Map32 => Token::Map(self.len32().and_then(|len| self.count(len, 2))?),
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Ext8 => self.len8().and_then(|len| self.ext(len))?,
            Marker::Ext16 => self.len16().and_then(|len| self.ext(len))?,
            Marker::Ext32 => self.len32().and_then(|len| self.ext(len))?,
            Marker::Reserved => {
                return Err(DecodeError::InvalidMsgpack { at, reason: "no such type" });
            }
        })
    }

    /// Reads a whole value, and checks that it can be an argument: not nested too deep, with keys
    /// that can be text.
    pub(crate) fn skip(&mut self, max_depth: usize) -> Result<(), DecodeError> {
        self.walk(max_depth, true)
    }

    /// The same, without extension types that nobody knows.
    pub(crate) fn skip_known(&mut self, max_depth: usize) -> Result<(), DecodeError> {
        self.walk(max_depth, false)
    }

    fn walk(&mut self, max_depth: usize, unknown: bool) -> Result<(), DecodeError> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let at = self.position;
            let token = self.next()?;
            if open.last().is_some_and(Open::at_key) && !is_key(token) {
                let reason = "key of a map is not text";
                return Err(DecodeError::InvalidMsgpack { at, reason });
            }
            if !unknown && matches!(token, Token::Unknown(_)) {
                return Err(DecodeError::InvalidMsgpack { at, reason: "unknown extension type" });
            }
            let inner = match token {
                Token::Array(len) => Some(Open { left: len, map: false }),
                // `count` has made sure that this is no more than what is left of the message.
                Token::Map(len) => Some(Open { left: len * 2, map: true }),
                _ => None,
            };
            if let Some(inner) = inner {
                if open.len() >= max_depth {
                    return Err(DecodeError::TooDeep { max: max_depth });
                }
                open.push(inner);
            } else if let Some(outer) = open.last_mut() {
                outer.left -= 1;
            }
            // What is complete is one member of what is around it.
            while open.last().is_some_and(|inner| inner.left == 0) {
                open.pop();
                if let Some(outer) = open.last_mut() {
                    outer.left -= 1;
                }
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        match self.rest() {
            [] => Ok(()),
            _ => Err(self.error("nothing expected after the value")),
        }
    }

    fn ext(&mut self, len: usize) -> Result<Token<'a>, DecodeError> {
        let [kind] = self.take()?;
        let contents = self.slice(len)?;
        // As notepack, the codec of socket.io-msgpack-parser, writes them.
        Ok(match (kind, contents) {
            (0, [_]) => Token::Undefined,
            (0, contents) => match contents.try_into() {
                Ok(ms) => Token::Date(i64::from_be_bytes(ms)),
                Err(_) => Token::Ext(contents),
            },
            (TIMESTAMP, contents) if self.timestamps => {
                timestamp(contents).map_or(Token::Unknown(contents), Token::Date)
            }
            _ => Token::Unknown(contents),
        })
    }

    fn len8(&mut self) -> Result<usize, DecodeError> {
        self.take().map(|bytes| u8::from_be_bytes(bytes).into())
    }

    fn len16(&mut self) -> Result<usize, DecodeError> {
        self.take().map(|bytes| u16::from_be_bytes(bytes).into())
    }

    fn len32(&mut self) -> Result<usize, DecodeError> {
        // Too large for a small machine's memory is too large for the message as well.
        self.take().map(|bytes| usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX))
    }

    /// The number of members, each of which takes at least `width` bytes.
    fn count(&self, len: usize, width: usize) -> Result<usize, DecodeError> {
        match len.checked_mul(width) {
            Some(least) if least <= self.rest().len() => Ok(len),
            _ => Err(self.error(TRUNCATED)),
        }
    }

    fn slice_behind(
        &mut self,
        len: fn(&mut Self) -> Result<usize, DecodeError>,
    ) -> Result<&'a [u8], DecodeError> {
        let len = len(self)?;
        self.slice(len)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let slice = self.rest().get(..len).ok_or_else(|| self.error(TRUNCATED))?;
        self.position += len;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken = *self.rest().first_chunk().ok_or_else(|| self.error(TRUNCATED))?;
        self.position += N;
        Ok(taken)
    }
}

/// An array or a map that is being skipped.
#[derive(Debug)]
struct Open {
    /// Values to come, and keys.
    left: usize,
    map: bool,
}

impl Open {
    const fn at_key(&self) -> bool {
        self.map && self.left % 2 == 0
    }
}

fn integer(int: i64) -> Token<'static> {
    u64::try_from(int).map_or(Token::Int(int), Token::UInt)
}

/// What JavaScript can have as a name of a member, without surprise.
const fn is_key(token: Token<'_>) -> bool {
    matches!(token, Token::Str(_) | Token::UInt(_) | Token::Int(_) | Token::Bool(_))
}

/// Milliseconds of the contents of a timestamp: seconds, or 30 bits of nanoseconds and 34 of
/// seconds, or both in words of their own.
// msgpack specification: timestamp extension type
fn timestamp(contents: &[u8]) -> Option<i64> {
    let (seconds, nanoseconds) = match contents.len() {
        4 => (u32::from_be_bytes(contents.try_into().ok()?).into(), 0),
        8 => {
            let both = u64::from_be_bytes(contents.try_into().ok()?);
            (i64::try_from(both & 0x3_ffff_ffff).ok()?, i64::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = contents.split_first_chunk::<4>()?;
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(*nanoseconds).into())
        }
        _ => return None,
    };
    // Beyond what a date reaches it does not matter where.
    Some(seconds.saturating_mul(1_000).saturating_add(nanoseconds / 1_000_000))
}

/// The extension type -1.
const TIMESTAMP: u8 = 0xff;

const TRUNCATED: &str = "message does not end here";
