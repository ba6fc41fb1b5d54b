//! JSON with attachments from any `Serialize` type.
//!
//! Bytes become `{"_placeholder":true,"num":N}` and are handed out beside the text, in the order
//! of their appearance. Strings are copied in clean stretches (see `text.rs`). Depth is bounded,
//! because values echoed from a client are walked by recursion.

use std::fmt::{self, Display, Write as _};

use bytes::Bytes;
use serde::ser::{self, Serialize};

use crate::EncodeError;
use crate::args::count::Separate;
use crate::binary::{attachment, push};
use crate::json::text::{write_escaped, write_string};
use crate::limits::MAX_SENT_DEPTH;

/// Appends values to `out` and `attachments`.
#[derive(Debug)]
pub(crate) struct Serializer<'a> {
    out: &'a mut Vec<u8>,
    attachments: &'a mut Vec<Bytes>,
    depth: usize,
    /// Text is JSON already.
    raw: bool,
    /// Bytes are written as text, not handed out.
    bytes_in_text: bool,
}

impl<'a> Serializer<'a> {
    pub(crate) const fn new(out: &'a mut Vec<u8>, attachments: &'a mut Vec<Bytes>) -> Self {
        Self { out, attachments, depth: 0, raw: false, bytes_in_text: false }
    }

    /// Writes bytes as `JSON.stringify` of Node does, where nothing can be attached.
    pub(crate) const fn bytes_in_text(mut self) -> Self {
        self.bytes_in_text = true;
        self
    }

    fn push(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn write(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    fn integer(&mut self, int: impl itoa::Integer) {
        self.write(itoa::Buffer::new().format(int));
    }

    fn open(&mut self, bracket: &str) -> Result<(), EncodeError> {
        if self.depth >= MAX_SENT_DEPTH {
            return Err(EncodeError::TooDeep);
        }
        self.depth += 1;
        self.write(bracket);
        Ok(())
    }

    fn close(&mut self, brackets: &str) {
        self.depth -= 1;
        self.write(brackets);
    }

    /// `{"variant":`, then whatever `contents` is.
    fn open_variant(&mut self, variant: &str, contents: &str) -> Result<(), EncodeError> {
        self.open("{")?;
        write_string(variant, self.out);
        self.push(b':');
        self.write(contents);
        Ok(())
    }
}

impl Separate for Serializer<'_> {
    fn separate(&mut self) {
        self.push(b',');
    }
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
        self.write(if bool { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i8(self, int: i8) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_i16(self, int: i16) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_i32(self, int: i32) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_i64(self, int: i64) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_i128(self, int: i128) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_u8(self, int: u8) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_u16(self, int: u16) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_u32(self, int: u32) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_u64(self, int: u64) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    fn serialize_u128(self, int: u128) -> Result<(), EncodeError> {
        self.integer(int);
        Ok(())
    }

    // ECMA-262 JSON.stringify: numbers that JSON does not have are null
    fn serialize_f32(self, float: f32) -> Result<(), EncodeError> {
        if !float.is_finite() {
            return self.serialize_unit();
        }
        self.write(zmij::Buffer::new().format_finite(float));
        Ok(())
    }

    fn serialize_f64(self, float: f64) -> Result<(), EncodeError> {
        if !float.is_finite() {
            return self.serialize_unit();
        }
        self.write(zmij::Buffer::new().format_finite(float));
        Ok(())
    }

    fn serialize_char(self, char: char) -> Result<(), EncodeError> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), EncodeError> {
        if self.raw {
            self.write(text);
        } else {
            write_string(text, self.out);
        }
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, text: &T) -> Result<(), EncodeError> {
        self.push(b'"');
        write!(Escaped(self.out), "{text}")
            .map_err(|_| ser::Error::custom("Display of a value failed"))?;
        self.push(b'"');
        Ok(())
    }

    // Socket.IO v5: binary packets
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), EncodeError> {
        if self.bytes_in_text {
            self.write(r#"{"type":"Buffer","data":["#);
            for (at, byte) in bytes.iter().enumerate() {
                if at > 0 {
                    self.push(b',');
                }
                self.integer(*byte);
            }
            self.write("]}");
            return Ok(());
        }
        self.write(r#"{"_placeholder":true,"num":"#);
        self.integer(self.attachments.len());
        self.push(b'}');
        push(self.attachments, attachment(bytes));
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.write("null");
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
        self.open_variant(variant, "")?;
        value.serialize(&mut *self)?;
        self.close("}");
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Compound<'a, 'b>, EncodeError> {
        self.open("[")?;
        Ok(Compound::new(self, "]"))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Compound<'a, 'b>, EncodeError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        self.open_variant(variant, "[")?;
        Ok(Compound::new(self, "]}"))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Compound<'a, 'b>, EncodeError> {
        self.open("{")?;
        Ok(Compound::new(self, "}"))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        _len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        if is_raw(name) {
            self.open("")?;
            return Ok(Compound { raw: true, ..Compound::new(self, "") });
        }
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a, 'b>, EncodeError> {
        self.open_variant(variant, "{")?;
        Ok(Compound::new(self, "}}"))
    }
}

/// An array or object being written.
#[derive(Debug)]
pub(crate) struct Compound<'a, 'b> {
    serializer: &'a mut Serializer<'b>,
    closing: &'static str,
    empty: bool,
    /// The only field is JSON text.
    raw: bool,
}

impl<'a, 'b> Compound<'a, 'b> {
    const fn new(serializer: &'a mut Serializer<'b>, closing: &'static str) -> Self {
        Self { serializer, closing, empty: true, raw: false }
    }

    fn separate(&mut self) {
        if !self.empty {
            self.serializer.push(b',');
        }
        self.empty = false;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.separate();
        value.serialize(&mut *self.serializer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), EncodeError> {
        if self.raw {
            self.serializer.raw = true;
            value.serialize(&mut *self.serializer)?;
            self.serializer.raw = false;
            return Ok(());
        }
        self.separate();
        write_string(key, self.serializer.out);
        self.serializer.push(b':');
        value.serialize(&mut *self.serializer)
    }

    fn finish(self) {
        self.serializer.close(self.closing);
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
        self.separate();
        let start = self.serializer.out.len();
        key.serialize(&mut *self.serializer)?;
        let out = &mut *self.serializer.out;
        match out.get(start) {
            Some(b'"') => Ok(()),
            // Numbers and `true`, `false` only need the quotes.
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                out.insert(start, b'"');
                out.push(b'"');
                Ok(())
            }
            _ => Err(EncodeError::Key),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.serializer.push(b':');
        value.serialize(&mut *self.serializer)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish();
        Ok(())
    }
}

/// Lets `Display` write into a JSON string.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_escaped(text, self.0);
        Ok(())
    }
}

/// Whether a struct of this name has JSON text as its only field: so serde_json hands out a
/// `RawValue`, and numbers if its `arbitrary_precision` is on.
pub(crate) fn is_raw(name: &str) -> bool {
    name == "$serde_json::private::RawValue" || name == "$serde_json::private::Number"
}
