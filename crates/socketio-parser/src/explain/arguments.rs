//! The rule by which a type takes arguments, over trees: as `args/deserializer` over packets.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::node::Node;
use super::reader::{Path, Reader, Wrong};
use crate::args::spread::{ONE, SPREAD};
use crate::methods::{byte_methods, text_methods, value_methods};

/// All arguments that were sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    nodes: &'a [Node],
    first: &'a Cell<bool>,
}

impl<'a> Sent<'a> {
    /// `first` is set when the type takes the first argument alone: an error that it finds later, as
    /// an enum does whose variants are tried in turn, is about that.
    pub(super) const fn new(nodes: &'a [Node], first: &'a Cell<bool>) -> Self {
        Self { nodes, first }
    }

    /// Reads the first one, for a type that takes no other.
    fn read_first<T>(self, read: impl FnOnce(Reader<'_>) -> Result<T, Wrong>) -> Result<T, Wrong> {
        self.first.set(true);
        self.read(0, read)
    }

    /// Reads one of them; missing ones are `null`.
    fn read<T>(
        self,
        index: usize,
        read: impl FnOnce(Reader<'_>) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        let path = Path::root(index);
        match self.nodes.get(index) {
            Some(node) => read(Reader::new(node, &path)).map_err(|wrong| wrong.at(&path)),
            None => read(Reader::new(&Node::Null, &path)).map_err(|_| Wrong::missing().at(&path)),
        }
    }
}

/// Methods that read the first argument.
macro_rules! first {
    ($($method:ident($($name:ident: $type:ty),*);)+) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, Wrong> {
            self.read_first(|reader| reader.$method($($name,)* visitor))
        }
    )+};
}

impl<'de> Deserializer<'de> for Sent<'_> {
    type Error = Wrong;

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(Spreading { sent: self, at: 0, end: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match name {
            ONE => self.read_first(|reader| visitor.visit_newtype_struct(reader)),
            SPREAD => visitor.visit_seq(Spreading { sent: self, at: 0, end: self.nodes.len() }),
            #[cfg(feature = "serde_json")]
            _ if crate::value::serde_json::is_raw_value(name) => {
                self.read_first(|reader| reader.deserialize_newtype_struct(name, visitor))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    text_methods! { first }
    byte_methods! { first }
    value_methods! { first }
}

/// Hands out the arguments before `end`, one per element.
struct Spreading<'a> {
    sent: Sent<'a>,
    at: usize,
    end: usize,
}

impl<'de> SeqAccess<'de> for Spreading<'_> {
    type Error = Wrong;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Wrong> {
        if self.at >= self.end {
            return Ok(None);
        }
        let index = self.at;
        self.at += 1;
        self.sent.read(index, |reader| seed.deserialize(reader)).map(Some)
    }
}
