//! How many arguments a value is: the outermost layer of serialising, the same for all parsers.

use std::fmt::Display;

use serde::ser::{self, Serialize};

use crate::EncodeError;
use crate::args::spread::ONE;

/// A serializer that writes arguments one behind the other.
pub(crate) trait Separate {
    /// Called between two arguments.
    fn separate(&mut self);
}

/// Hands the arguments that a value consists of to a parser's own serializer, and counts them.
#[derive(Debug)]
pub(crate) struct Arguments<'a, S> {
    serializer: &'a mut S,
    /// What stands before the next argument, the name of an event included.
    count: &'a mut usize,
}

impl<'a, S: Separate> Arguments<'a, S> {
    pub(crate) const fn new(serializer: &'a mut S, count: &'a mut usize) -> Self {
        Self { serializer, count }
    }

    /// Begins an argument.
    fn next(&mut self) -> &mut S {
        if *self.count > 0 {
            self.serializer.separate();
        }
        *self.count += 1;
        self.serializer
    }

    /// Begins the only argument.
    fn only(mut self) -> &'a mut S {
        self.next();
        self.serializer
    }
}

/// Methods whose value is one argument.
macro_rules! one {
    ($($method:ident($($name:ident: $type:ty),*) -> $ok:ty;)+) => {$(
        fn $method(self, $($name: $type),*) -> Result<$ok, EncodeError> {
            self.only().$method($($name),*)
        }
    )+};
}

impl<'a, S> ser::Serializer for Arguments<'a, S>
where
    S: Separate,
    for<'s> &'s mut S: ser::Serializer<Ok = (), Error = EncodeError>,
{
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = <&'a mut S as ser::Serializer>::SerializeSeq;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = <&'a mut S as ser::Serializer>::SerializeTupleVariant;
    type SerializeMap = <&'a mut S as ser::Serializer>::SerializeMap;
    type SerializeStruct = <&'a mut S as ser::Serializer>::SerializeStruct;
    type SerializeStructVariant = <&'a mut S as ser::Serializer>::SerializeStructVariant;

    fn serialize_unit(self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        if name == ONE { value.serialize(self.only()) } else { value.serialize(self) }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self.only())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.only().serialize_newtype_variant(name, index, variant, value)
    }

    fn collect_str<T: Display + ?Sized>(self, text: &T) -> Result<(), EncodeError> {
        self.only().collect_str(text)
    }

    one! {
        serialize_bool(bool: bool) -> ();
        serialize_i8(int: i8) -> ();
        serialize_i16(int: i16) -> ();
        serialize_i32(int: i32) -> ();
        serialize_i64(int: i64) -> ();
        serialize_i128(int: i128) -> ();
        serialize_u8(int: u8) -> ();
        serialize_u16(int: u16) -> ();
        serialize_u32(int: u32) -> ();
        serialize_u64(int: u64) -> ();
        serialize_u128(int: u128) -> ();
        serialize_f32(float: f32) -> ();
        serialize_f64(float: f64) -> ();
        serialize_char(char: char) -> ();
        serialize_str(text: &str) -> ();
        serialize_bytes(bytes: &[u8]) -> ();
        serialize_none() -> ();
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> ();
        serialize_seq(len: Option<usize>) -> Self::SerializeSeq;
        serialize_map(len: Option<usize>) -> Self::SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> Self::SerializeStruct;
        serialize_tuple_variant(
            name: &'static str,
            index: u32,
            variant: &'static str,
            len: usize
        ) -> Self::SerializeTupleVariant;
        serialize_struct_variant(
            name: &'static str,
            index: u32,
            variant: &'static str,
            len: usize
        ) -> Self::SerializeStructVariant;
    }
}

impl<S> ser::SerializeTuple for Arguments<'_, S>
where
    S: Separate,
    for<'s> &'s mut S: ser::Serializer<Ok = (), Error = EncodeError>,
{
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl<S> ser::SerializeTupleStruct for Arguments<'_, S>
where
    S: Separate,
    for<'s> &'s mut S: ser::Serializer<Ok = (), Error = EncodeError>,
{
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}
