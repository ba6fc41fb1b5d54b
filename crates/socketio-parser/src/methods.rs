//! The methods of serde's `Deserializer`, listed once.
//!
//! Each list hands its methods to a macro, behind what it is given for it. The lists are apart by what
//! deserializers of arguments treat differently; together they are all methods.

/// What may be a text that needs no parser.
macro_rules! text_methods {
    ($macro:ident $($first:tt)*) => {
        $macro! {
            $($first)*
            deserialize_any();
            deserialize_str();
            deserialize_string();
        }
    };
}
pub(crate) use text_methods;

macro_rules! byte_methods {
    ($macro:ident $($first:tt)*) => {
        $macro! {
            $($first)*
            deserialize_bytes();
            deserialize_byte_buf();
        }
    };
}
pub(crate) use byte_methods;

/// What is one argument.
macro_rules! value_methods {
    ($macro:ident $($first:tt)*) => {
        $macro! {
            $($first)*
            deserialize_bool();
            deserialize_i8();
            deserialize_i16();
            deserialize_i32();
            deserialize_i64();
            deserialize_i128();
            deserialize_u8();
            deserialize_u16();
            deserialize_u32();
            deserialize_u64();
            deserialize_u128();
            deserialize_f32();
            deserialize_f64();
            deserialize_char();
            deserialize_option();
            deserialize_seq();
            deserialize_map();
            deserialize_struct(name: &'static str, fields: &'static [&'static str]);
            deserialize_enum(name: &'static str, variants: &'static [&'static str]);
            deserialize_identifier();
        }
    };
}
pub(crate) use value_methods;

/// What may be no argument, or several.
macro_rules! spread_methods {
    ($macro:ident $($first:tt)*) => {
        $macro! {
            $($first)*
            deserialize_unit();
            deserialize_unit_struct(name: &'static str);
            deserialize_newtype_struct(name: &'static str);
            deserialize_tuple(len: usize);
            deserialize_tuple_struct(name: &'static str, len: usize);
            deserialize_ignored_any();
        }
    };
}
pub(crate) use spread_methods;

/// Methods that are another one by another name, for those who read what is there: tuples are
/// sequences, texts of all kinds are texts, and a newtype is what it wraps.
macro_rules! alias_methods {
    () => {
        fn deserialize_tuple<V: Visitor<'de>>(
            self,
            _len: usize,
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            self.deserialize_seq(visitor)
        }

        fn deserialize_tuple_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            _len: usize,
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            self.deserialize_seq(visitor)
        }

        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            #[cfg(feature = "serde_json")]
            if is_raw_value(_name) {
                return raw_value(self, visitor);
            }
            visitor.visit_newtype_struct(self)
        }

        fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
            self.deserialize_str(visitor)
        }

        fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
            self.deserialize_str(visitor)
        }

        fn deserialize_identifier<V: Visitor<'de>>(
            self,
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            self.deserialize_str(visitor)
        }
    };
}
pub(crate) use alias_methods;
