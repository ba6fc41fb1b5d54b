//! Msgpack from any `Serialize` type, with the same rules as JSON (`../ser.rs`) where the formats
//! do not differ: the length of an array or a map stands in front of it, and bytes are values.

use rmp::encode::{
    write_array_len, write_bin_len, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str_len, write_uint,
};
use serde::ser::{self, Serialize};

use crate::args::count::Separate;
use crate::json::ser::is_raw;
use crate::json::tokens;
use crate::limits::MAX_SENT_DEPTH;
use crate::msgpack::tokens::{Token, Tokens};
use crate::value::build::build;
use crate::{EncodeError, Value};

/// Appends values to `out`.
#[derive(Debug)]
pub(crate) struct Serializer<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    /// Whole numbers are integers, whatever type they have.
    whole_is_integer: bool,
    /// Bytes were written.
    has_binary: bool,
}

impl<'a> Serializer<'a> {
    pub(crate) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, depth: 0, whole_is_integer: false, has_binary: false }
    }

    /// Writes numbers as programs in JavaScript do, which have one type for all of them.
    pub(crate) const fn like_javascript(mut self) -> Self {
        self.whole_is_integer = true;
        self
    }

    pub(crate) const fn has_binary(&self) -> bool {
        self.has_binary
    }

    /// Begins an array or a map that is expected to have `len` members. The head is corrected if
    /// it turns out to have more or less: a type may not know, or lie.
    pub(crate) fn begin(&mut self, kind: Kind, len: usize) -> Head {
        let head = Head { kind, start: self.out.len(), len };
        head.write(len, self.out);
        head
    }

    /// Ends an array or a map that has `len` members.
    pub(crate) fn end(&mut self, head: &Head, len: usize) {
        if len != head.len {
            let (mut old, mut new) = (Vec::new(), Vec::new());
            head.write(head.len, &mut old);
            head.write(len, &mut new);
            self.out.splice(head.start..head.start + old.len(), new);
        }
    }

    fn enter(&mut self) -> Result<(), EncodeError> {
        if self.depth >= MAX_SENT_DEPTH {
            return Err(EncodeError::TooDeep);
        }
        self.depth += 1;
        Ok(())
    }

    fn compound(
        &mut self,
        kind: Kind,
        len: Option<usize>,
    ) -> Result<Compound<'_, 'a>, EncodeError> {
        self.enter()?;
        let head = self.begin(kind, len.unwrap_or_default());
        Ok(Compound { serializer: self, head, len: 0, raw: false })
    }

    /// `{"variant":`, with what follows one level deeper.
    fn variant(&mut self, variant: &str) -> Result<(), EncodeError> {
        self.enter()?;
        self.begin(Kind::Map, 1);
        ser::Serializer::serialize_str(&mut *self, variant)
    }
}

/// What a head announces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Array,
    Map,
}

/// The head of an array or a map.
#[derive(Debug)]
pub(crate) struct Head {
    kind: Kind,
    start: usize,
    len: usize,
}

impl Head {
    fn write(&self, len: usize, out: &mut Vec<u8>) {
        // Members take a byte at least: that many of them fit no memory.
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let written = match self.kind {
            Kind::Array => write_array_len(out, len),
            Kind::Map => write_map_len(out, len),
        };
        written.expect(ALL_TAKEN);
    }
}

impl Separate for Serializer<'_> {
    fn separate(&mut self) {}
}

impl<'a, 'b> ser::Serializer for &'a mut Serializer<'b> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Compound<'a, 'b>;
    type SerializeTuple = Compound<'a, 'b>;
    type SerializeTupleStruct = Compound<'a, 'b>;
    type SerializeTupleVariant = Compound<'a, 'b>;
    type SerializeMap = Compound<'a, 'b>;
    type SerializeStruct = Compound<'a, 'b>;
    type SerializeStructVariant = Compound<'a, 'b>;

    fn serialize_bool(self, bool: bool) -> Result<(), EncodeError> {
        write_bool(self.out, bool).expect(ALL_TAKEN);
        Ok(())
    }

    fn serialize_i8(self, int: i8) -> Result<(), EncodeError> {
        self.serialize_i64(int.into())
    }

    fn serialize_i16(self, int: i16) -> Result<(), EncodeError> {
        self.serialize_i64(int.into())
    }

    fn serialize_i32(self, int: i32) -> Result<(), EncodeError> {
        self.serialize_i64(int.into())
    }

    fn serialize_i64(self, int: i64) -> Result<(), EncodeError> {
        write_sint(self.out, int).expect(ALL_TAKEN);
        Ok(())
    }

    fn serialize_i128(self, int: i128) -> Result<(), EncodeError> {
        match (i64::try_from(int), u64::try_from(int)) {
            (Ok(int), _) => self.serialize_i64(int),
            (_, Ok(int)) => self.serialize_u64(int),
            _ => self.serialize_f64(int as f64),
        }
    }

    fn serialize_u8(self, int: u8) -> Result<(), EncodeError> {
        self.serialize_u64(int.into())
    }

    fn serialize_u16(self, int: u16) -> Result<(), EncodeError> {
        self.serialize_u64(int.into())
    }

    fn serialize_u32(self, int: u32) -> Result<(), EncodeError> {
        self.serialize_u64(int.into())
    }

    fn serialize_u64(self, int: u64) -> Result<(), EncodeError> {
        write_uint(self.out, int).expect(ALL_TAKEN);
        Ok(())
    }

    // As JavaScript would read the digits.
    fn serialize_u128(self, int: u128) -> Result<(), EncodeError> {
        match u64::try_from(int) {
            Ok(int) => self.serialize_u64(int),
            Err(_) => self.serialize_f64(int as f64),
        }
    }

    // The clients' codec has no numbers of single precision when it writes.
    fn serialize_f32(self, float: f32) -> Result<(), EncodeError> {
        self.serialize_f64(float.into())
    }

    fn serialize_f64(self, float: f64) -> Result<(), EncodeError> {
        if self.whole_is_integer && float.fract() == 0.0 && float.abs() <= EXACT {
            return self.serialize_i64(float as i64);
        }
        write_f64(self.out, float).expect(ALL_TAKEN);
        Ok(())
    }

    fn serialize_char(self, char: char) -> Result<(), EncodeError> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), EncodeError> {
        let len = u32::try_from(text.len()).map_err(|_| EncodeError::TooLarge)?;
        write_str_len(self.out, len).expect(ALL_TAKEN);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), EncodeError> {
        let len = u32::try_from(bytes.len()).map_err(|_| EncodeError::TooLarge)?;
        self.has_binary = true;
        write_bin_len(self.out, len).expect(ALL_TAKEN);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        write_nil(self.out).expect(ALL_TAKEN);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a, 'b>, EncodeError> {
        self.compound(Kind::Array, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a, 'b>, EncodeError> {
        self.compound(Kind::Array, Some(len))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        self.compound(Kind::Array, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        self.variant(variant)?;
        self.depth -= 1;
        self.compound(Kind::Array, Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'a, 'b>, EncodeError> {
        self.compound(Kind::Map, len)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        if is_raw(name) {
            self.enter()?;
            let head = Head { kind: Kind::Map, start: self.out.len(), len: 0 };
            return Ok(Compound { serializer: self, head, len: 0, raw: true });
        }
        self.compound(Kind::Map, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        self.variant(variant)?;
        self.depth -= 1;
        self.compound(Kind::Map, Some(len))
    }
}

/// An array or a map being written.
#[derive(Debug)]
pub(crate) struct Compound<'a, 'b> {
    serializer: &'a mut Serializer<'b>,
    head: Head,
    /// Members written.
    len: usize,
    /// The only field is JSON text, written as the value that it means.
    raw: bool,
}

impl Compound<'_, '_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.len += 1;
        value.serialize(&mut *self.serializer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), EncodeError> {
        if self.raw {
            return from_json(value)?.serialize(&mut *self.serializer);
        }
        self.len += 1;
        ser::Serializer::serialize_str(&mut *self.serializer, key)?;
        value.serialize(&mut *self.serializer)
    }

    fn finish(self) {
        self.serializer.depth -= 1;
        if !self.raw {
            self.serializer.end(&self.head, self.len);
        }
    }
}

macro_rules! compound {
    ($($trait:ident: $method:ident($($key:ident: $type:ty)?) => $inner:ident;)+) => {$(
        impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $type,)?
                value: &T,
            ) -> Result<(), EncodeError> {
                self.$inner($($key,)? value)
            }

            fn end(self) -> Result<(), EncodeError> {
                self.finish();
                Ok(())
            }
        }
    )+};
}

compound! {
    SerializeSeq: serialize_element() => element;
    SerializeTuple: serialize_element() => element;
    SerializeTupleStruct: serialize_field() => element;
    SerializeTupleVariant: serialize_field() => element;
    SerializeStruct: serialize_field(key: &'static str) => field;
    SerializeStructVariant: serialize_field(key: &'static str) => field;
}

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.len += 1;
        let start = self.serializer.out.len();
        key.serialize(&mut *self.serializer)?;
        let written = self.serializer.out.get(start..).unwrap_or_default();
        let text = match Tokens::new(written).next() {
            Ok(Token::Str(_)) => return Ok(()),
            // As the names of members that JavaScript makes of these.
            Ok(Token::UInt(int)) => int.to_string(),
            Ok(Token::Int(int)) => int.to_string(),
            Ok(Token::Bool(bool)) => bool.to_string(),
            Ok(Token::Float(float)) if float.is_finite() => {
                zmij::Buffer::new().format_finite(float).to_owned()
            }
            _ => return Err(EncodeError::Key),
        };
        self.serializer.out.truncate(start);
        ser::Serializer::serialize_str(&mut *self.serializer, &text)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(&mut *self.serializer)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish();
        Ok(())
    }
}

/// The value of JSON text that serde_json hands out as it is.
fn from_json<T: Serialize + ?Sized>(text: &T) -> Result<Value, EncodeError> {
    let text = crate::to_value(text)?;
    let mut tokens = tokens::Tokens::new(text.as_str().unwrap_or_default(), MAX_SENT_DEPTH);
    build(&mut tokens, &[]).map_err(|_| ser::Error::custom("JSON text is not JSON"))
}

/// The largest number up to which all whole numbers are exact in a double: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The writers of rmp return what writing to a `Vec` cannot: an error.
const ALL_TAKEN: &str = "a Vec takes all that is written";
