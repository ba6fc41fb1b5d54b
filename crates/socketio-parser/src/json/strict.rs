//! Typed values out of JSON text, with nothing made bytes that is text.
//!
//! serde_json gives a text to a type that asks for bytes. Attachments are bytes here, so a text in
//! their place is a mistake of the client, and whether it is one must not depend on how the type
//! is written. All that serde_json offers, and all that it is given, is wrapped, at any depth; a
//! type that asks for bytes is then given whatever there is, and a text is refused.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use crate::methods::{spread_methods, text_methods, value_methods};

/// A deserializer, or a part of one.
pub(crate) struct Strict<T>(pub(crate) T);

/// A visitor that may see texts, or must not.
struct Seeing<V, const TEXTS: bool>(V);

/// Methods that pass on what they are asked.
macro_rules! ask {
    ($($method:ident($($name:ident: $type:ty),*);)+) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.0.$method($($name,)* Seeing::<V, true>(visitor))
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Seeing::<V, false>(visitor))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Seeing::<V, false>(visitor))
    }

    text_methods! { ask }
    value_methods! { ask }
    spread_methods! { ask }
}

/// Methods that pass on what there is.
macro_rules! see {
    ($($method:ident($($name:ident: $type:ty)?);)+) => {$(
        #[inline]
        fn $method<E: Error>(self, $($name: $type)?) -> Result<V::Value, E> {
            self.0.$method($($name)?)
        }
    )+};
}

impl<'de, V: Visitor<'de>, const TEXTS: bool> Visitor<'de> for Seeing<V, TEXTS> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        match TEXTS {
            true => self.0.visit_str(text),
            false => Err(E::invalid_type(Unexpected::Str(text), &self.0)),
        }
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        match TEXTS {
            true => self.0.visit_borrowed_str(text),
            false => self.visit_str(text),
        }
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        match TEXTS {
            true => self.0.visit_string(text),
            false => self.visit_str(&text),
        }
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Strict(variant))
    }

    see! {
        visit_bool(bool: bool);
        visit_i8(int: i8);
        visit_i16(int: i16);
        visit_i32(int: i32);
        visit_i64(int: i64);
        visit_i128(int: i128);
        visit_u8(int: u8);
        visit_u16(int: u16);
        visit_u32(int: u32);
        visit_u64(int: u64);
        visit_u128(int: u128);
        visit_f32(float: f32);
        visit_f64(float: f64);
        visit_char(char: char);
        visit_bytes(bytes: &[u8]);
        visit_borrowed_bytes(bytes: &'de [u8]);
        visit_byte_buf(bytes: Vec<u8>);
        visit_none();
        visit_unit();
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Strict(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Strict<A> {
    type Error = A::Error;
    type Variant = Strict<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        self.0.variant_seed(Strict(seed)).map(|(name, contents)| (name, Strict(contents)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Strict(seed))
    }

    ask! {
        tuple_variant(len: usize);
        struct_variant(fields: &'static [&'static str]);
    }
}
