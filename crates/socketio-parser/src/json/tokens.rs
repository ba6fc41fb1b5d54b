//! A pull parser for JSON: checks the whole grammar, builds nothing, does not recurse.
//!
//! The validating pass over a packet (`scan.rs`), the search for an argument's end (`args/`)
//! and the builder of values (`value/build.rs`) all draw their tokens from here, so that there is one
//! opinion about what JSON is. The functions that return tokens are inlined by force: a token then
//! never goes through memory, which halves the time of the validating pass.
//!
//! Nesting is kept as one bit per level: 64 levels in a word, deeper
//! ones spill to the heap, bounded by the caller's limit.

use crate::DecodeError;
use crate::json::text::{Escape, Text, plain_len, read_escape};

/// A piece of JSON. Commas, colons and blanks are checked but not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    BeginArray,
    EndArray,
    BeginObject,
    EndObject,
    Key(Text<'a>),
    String(Text<'a>),
    Number(&'a str),
    Bool(bool),
    Null,
}

/// Why text is not acceptable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    Syntax { at: usize, reason: &'static str },
    TooDeep { max: usize },
}

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax { at, reason } => Self::InvalidJson { at, reason },
            JsonError::TooDeep { max } => Self::TooDeep { max },
        }
    }
}

/// Reads one value, token by token.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    /// Offset of the next byte to read.
    position: usize,
    /// Offset of the latest token.
    token_start: usize,
    expect: Expect,
    nesting: Nesting,
    max_depth: usize,
    lone_surrogate: bool,
}

/// What may come next.
///
/// ```text
///   Value -> '[' -> ValueOrEnd -> ']' -+         Delimiter -> ',' -> Value, or in an object
///     |      '{' -> KeyOrEnd ---> '}' -+-> Delimiter          key ':' first
///     +----> anything else ------------+    or, outside of all brackets: Nothing
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Delimiter,
    Nothing,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            text,
            position: 0,
            token_start: 0,
            expect: Expect::Value,
            nesting: Nesting::new(),
            max_depth,
            lone_surrogate: false,
        }
    }

    /// Tokens of text that has passed the validating pass.
    pub(crate) const fn of_valid(text: &'a str) -> Self {
        Self::new(text, usize::MAX)
    }

    /// Tokens of the array that is all of `text`, from `position` on: behind its bracket, or behind
    /// one of its elements.
    pub(crate) fn within_array(text: &'a str, position: usize, max_depth: usize) -> Self {
        let mut tokens = Self::new(text, max_depth);
        tokens.nesting.push(false);
        tokens.position = position;
        tokens.expect = if position > 1 { Expect::Delimiter } else { Expect::ValueOrEnd };
        tokens
    }

    /// The next token; `None` after the value is complete.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Token<'a>>, JsonError> {
        if self.expect == Expect::Nothing {
            return Ok(None);
        }
        let byte = self.next_byte()?;
        self.token_start = self.position;
        match (self.expect, byte) {
            (Expect::ValueOrEnd, b']') => Ok(Some(self.close(Token::EndArray))),
            (Expect::KeyOrEnd, b'}') => Ok(Some(self.close(Token::EndObject))),
            (Expect::KeyOrEnd, _) => self.key(byte).map(Some),
            (Expect::Delimiter, b']') if !self.nesting.in_object() => {
                Ok(Some(self.close(Token::EndArray)))
            }
            (Expect::Delimiter, b'}') if self.nesting.in_object() => {
                Ok(Some(self.close(Token::EndObject)))
            }
            (Expect::Delimiter, b',') => {
                self.position += 1;
                let byte = self.next_byte()?;
                self.token_start = self.position;
                if self.nesting.in_object() {
                    self.key(byte).map(Some)
                } else {
                    self.value(byte).map(Some)
                }
            }
            (Expect::Delimiter, _) => Err(self.error("comma or closing bracket expected")),
            _ => self.value(byte).map(Some),
        }
    }

    /// Reads the value to its end.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        while self.next()?.is_some() {}
        Ok(())
    }

    /// Checks that only blanks follow the value.
    pub(crate) fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("nothing expected after the value")),
        }
    }

    /// Offset of the next byte to read.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// Offset of the latest token.
    pub(crate) const fn token_start(&self) -> usize {
        self.token_start
    }

    /// Brackets open after the latest token.
    pub(crate) const fn depth(&self) -> usize {
        self.nesting.depth
    }

    /// Whether an escape for half a surrogate pair was seen.
    pub(crate) const fn lone_surrogate(&self) -> bool {
        self.lone_surrogate
    }

    #[inline(always)]
    fn value(&mut self, byte: u8) -> Result<Token<'a>, JsonError> {
        let token = match byte {
            b'"' => Token::String(self.string()?),
            b'{' => return self.open(true, Expect::KeyOrEnd, Token::BeginObject),
            b'[' => return self.open(false, Expect::ValueOrEnd, Token::BeginArray),
            b'-' | b'0'..=b'9' => Token::Number(self.number()?),
            b't' => self.literal("true", Token::Bool(true))?,
            b'f' => self.literal("false", Token::Bool(false))?,
            b'n' => self.literal("null", Token::Null)?,
            _ => return Err(self.error("value expected")),
        };
        self.value_ended();
        Ok(token)
    }

    #[inline(always)]
    fn key(&mut self, byte: u8) -> Result<Token<'a>, JsonError> {
        if byte != b'"' {
            return Err(self.error("key expected"));
        }
        let key = self.string()?;
        if self.next_byte()? != b':' {
            return Err(self.error("colon expected"));
        }
        self.position += 1;
        self.expect = Expect::Value;
        Ok(Token::Key(key))
    }

    #[inline]
    fn open(
        &mut self,
        object: bool,
        expect: Expect,
        token: Token<'a>,
    ) -> Result<Token<'a>, JsonError> {
        if self.nesting.depth >= self.max_depth {
            return Err(JsonError::TooDeep { max: self.max_depth });
        }
        self.nesting.push(object);
        self.position += 1;
        self.expect = expect;
        Ok(token)
    }

    #[inline]
    fn close(&mut self, token: Token<'a>) -> Token<'a> {
        self.nesting.pop();
        self.position += 1;
        self.value_ended();
        token
    }

    #[inline]
    fn value_ended(&mut self) {
        self.expect = if self.nesting.depth == 0 { Expect::Nothing } else { Expect::Delimiter };
    }

    /// Reads a string, the position being at its first quote.
    #[inline(always)]
    fn string(&mut self) -> Result<Text<'a>, JsonError> {
        self.position += 1;
        let start = self.position;
        let mut escaped = false;
        loop {
            self.position += plain_len(self.rest());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {}
                Some(_) => return Err(self.error("raw control character in a string")),
                None => return Err(self.error("string does not end")),
            }
            escaped = true;
            let (escape, len) =
                read_escape(self.rest()).ok_or_else(|| self.error("invalid escape"))?;
            self.lone_surrogate |= escape == Escape::LoneSurrogate;
            self.position += len;
        }
        let raw = self.since(start);
        self.position += 1;
        Ok(Text { raw, escaped })
    }

    // RFC 8259 6: no leading zeros, a digit on both sides of the point
    #[inline]
    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        if self.peek() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(self.since(start))
    }

    #[inline]
    fn digits(&mut self) -> Result<(), JsonError> {
        let len = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len == 0 {
            return Err(self.error("digit expected"));
        }
        self.position += len;
        Ok(())
    }

    fn literal(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, JsonError> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.error("value expected"));
        }
        self.position += word.len();
        Ok(token)
    }

    /// The next byte that is not a blank, not consumed.
    #[inline]
    fn next_byte(&mut self) -> Result<u8, JsonError> {
        self.skip_blanks();
        self.peek().ok_or_else(|| self.error("text does not end here"))
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.position..).unwrap_or_default()
    }

    /// The text from `start` to the position; both lie next to ASCII, so the cut is clean.
    #[inline]
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.position).unwrap_or_default()
    }

    const fn error(&self, reason: &'static str) -> JsonError {
        JsonError::Syntax { at: self.position, reason }
    }
}

/// A stack of bits: whether each open bracket is an object's.
#[derive(Debug)]
struct Nesting {
    depth: usize,
    /// The innermost levels, the last one in the lowest bit.
    word: u64,
    /// Full words of the levels outside.
    spilled: Vec<u64>,
}

impl Nesting {
    const fn new() -> Self {
        Self { depth: 0, word: 0, spilled: Vec::new() }
    }

    #[inline]
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth % 64 == 0 {
            self.spilled.push(self.word);
        }
        self.word = self.word << 1 | u64::from(object);
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) {
        self.depth -= 1;
        self.word >>= 1;
        if self.depth > 0 && self.depth % 64 == 0 {
            self.word = self.spilled.pop().unwrap_or_default();
        }
    }

    const fn in_object(&self) -> bool {
        self.word & 1 == 1
    }
}
