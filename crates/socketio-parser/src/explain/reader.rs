//! A deserializer that knows where it is, and whose errors hold no value.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::node::Node;

/// A place in the arguments; each level is on the stack of the one who reads it.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    /// What is read stands alone.
    Top,
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// The place of what stands alone.
    pub(super) const TOP: Self = Self { parent: None, step: Step::Top };

    /// The place of an argument.
    #[must_use]
    pub const fn root(index: usize) -> Self {
        Self { parent: None, step: Step::Index(index) }
    }

    const fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    const fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    /// A JSON pointer; one that is too long ends where it may.
    // RFC 6901 3: `~` is `~0`, `/` is `~1`
    #[must_use]
    pub fn pointer(&self) -> String {
        let mut pointer = self.parent.map_or_else(String::new, Path::pointer);
        let step = match self.step {
            Step::Top => return pointer,
            Step::Index(index) => Cow::Owned(index.to_string()),
            Step::Key(key) if key.contains(['~', '/']) => {
                Cow::Owned(key.replace('~', "~0").replace('/', "~1"))
            }
            Step::Key(key) => Cow::Borrowed(key),
        };
        if pointer.len() + step.len() < MAX_PATH {
            pointer.push('/');
            pointer.push_str(&step);
        }
        pointer
    }
}

/// Where something does not fit a type, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "for the crates above alone")]
pub struct Mismatch {
    /// A JSON pointer (RFC 6901).
    pub at: String,
    /// What is wanted there. None if the type itself refused: what it said may hold values.
    pub message: Option<String>,
}

/// What is wrong, and where.
#[derive(Debug)]
pub struct Wrong {
    at: Option<String>,
    /// A field that is missing there.
    field: Option<&'static str>,
    /// None if the type itself refused: what it said may hold values.
    message: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<Option<String>>) -> Self {
        Self { at: None, field: None, message: message.into() }
    }

    /// The innermost place is the one that counts.
    #[must_use]
    pub fn at(mut self, path: &Path<'_>) -> Self {
        if self.at.is_none() {
            let mut at = path.pointer();
            if let Some(field) = self.field {
                at = path.key(field).pointer();
            }
            self.at = Some(at);
        }
        self
    }

    pub(super) fn missing() -> Self {
        Self::new("missing".to_owned())
    }

    /// The same as data; what names no place is about the whole.
    #[must_use]
    pub fn into_mismatch(self) -> Mismatch {
        let wrong = self.at(&Path::TOP);
        Mismatch { at: wrong.at.unwrap_or_default(), message: wrong.message }
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or("not valid"))
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: Display>(_: T) -> Self {
        Self::new(None)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, got {}", kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, got {} that is none", kind(found)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, got {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("expected {}", OneOf(expected)))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("has a field that is not {}", OneOf(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { field: Some(field), ..Self::missing() }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("has the field `{field}` twice"))
    }
}

/// A few names of a list.
struct OneOf(&'static [&'static str]);

impl Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = 16;
        f.write_str(if self.0.len() == 1 { "" } else { "one of " })?;
        for (at, name) in self.0.iter().take(most).enumerate() {
            write!(f, "{}`{name}`", if at == 0 { "" } else { ", " })?;
        }
        f.write_str(if self.0.len() > most { ", …" } else { "" })
    }
}

/// The type of what was found.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map
        | Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::StructVariant => "an object",
        Unexpected::UnitVariant => "a name without content",
        Unexpected::NewtypeVariant | Unexpected::TupleVariant => "a name with content",
        Unexpected::Other(_) => "something else",
    }
}

/// Reads a node.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    node: &'a Node,
    path: &'a Path<'a>,
}

impl<'a> Reader<'a> {
    /// Reads a node that is at this place.
    #[must_use]
    pub const fn new(node: &'a Node, path: &'a Path<'a>) -> Self {
        Self { node, path }
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Unsigned(value) => visitor.visit_u64(*value),
            Node::Signed(value) => visitor.visit_i64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Text(text) | Node::Word(text) => visitor.visit_str(text),
            Node::Bytes(bytes) => visitor.visit_bytes(bytes),
            Node::List(nodes) => {
                let mut elements = Elements { nodes, at: 0, path: self.path };
                let value = visitor.visit_seq(&mut elements)?;
                match elements.at == nodes.len() {
                    true => Ok(value),
                    false => Err(Wrong::new(format!(
                        "expected {} elements, got {}",
                        elements.at,
                        nodes.len()
                    ))),
                }
            }
            Node::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None, path: self.path })
            }
        }
    }
}

/// Methods that need no hint, as the tree says what is there.
macro_rules! any {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let result = match self.node {
                Node::Word(word) => Key(word).$method(visitor),
                _ => self.any(visitor),
            };
            result.map_err(|wrong| wrong.at(self.path))
        }
    )*};
}

/// Methods of text: bytes are none, as with the first reading, though a `String` would take them.
macro_rules! text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match self.node {
                Node::Bytes(_) => {
                    let wrong: Wrong = de::Error::invalid_type(unexpected(self.node), &visitor);
                    Err(wrong.at(self.path))
                }
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Wrong;

    any! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier
    }

    text! { deserialize_char deserialize_str deserialize_string }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let result = match self.node {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        };
        result.map_err(|wrong| wrong.at(self.path))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        #[cfg(feature = "serde_json")]
        if crate::value::serde_json::is_raw_value(_name) {
            return crate::value::serde_json::raw_value(self, visitor);
        }
        visitor.visit_newtype_struct(self).map_err(|wrong| wrong.at(self.path))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let result = match self.node {
            Node::Text(name) | Node::Word(name) => {
                visitor.visit_enum(Variant { name, content: None, path: self.path })
            }
            Node::Map(entries) => match &**entries {
                [(name, content)] => {
                    visitor.visit_enum(Variant { name, content: Some(content), path: self.path })
                }
                _ => Err(Wrong::new("expected an object with one key".to_owned())),
            },
            _ => {
                let expected = "a string or an object with one key";
                Err(de::Error::invalid_type(unexpected(self.node), &expected))
            }
        };
        result.map_err(|wrong| wrong.at(self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }
}

/// The type of a node.
fn unexpected(node: &Node) -> Unexpected<'_> {
    match node {
        Node::Null => Unexpected::Unit,
        Node::Bool(value) => Unexpected::Bool(*value),
        Node::Unsigned(value) => Unexpected::Unsigned(*value),
        Node::Signed(value) => Unexpected::Signed(*value),
        Node::Float(value) => Unexpected::Float(*value),
        Node::Text(text) | Node::Word(text) => Unexpected::Str(text),
        Node::Bytes(bytes) => Unexpected::Bytes(bytes),
        Node::List(_) => Unexpected::Seq,
        Node::Map(_) => Unexpected::Map,
    }
}

struct Elements<'a> {
    nodes: &'a [Node],
    at: usize,
    path: &'a Path<'a>,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some(node) = self.nodes.get(self.at) else { return Ok(None) };
        let path = self.path.index(self.at);
        self.at += 1;
        let value = seed.deserialize(Reader::new(node, &path));
        value.map(Some).map_err(|wrong| wrong.at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len() - self.at)
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, (String, Node)>,
    value: Option<&'a (String, Node)>,
    path: &'a Path<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        seed.deserialize(Key(&entry.0)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let Some((key, node)) = self.value.take() else { return Err(Wrong::new(None)) };
        let path = self.path.key(key);
        seed.deserialize(Reader::new(node, &path)).map_err(|wrong| wrong.at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A key of an object: text, read as a number or boolean where the type is one.
#[derive(Clone, Copy)]
struct Key<'a>(&'a str);

macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_str(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Wrong;

    parsed! {
        deserialize_bool visit_bool bool;
        deserialize_i8 visit_i64 i64;
        deserialize_i16 visit_i64 i64;
        deserialize_i32 visit_i64 i64;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u64 u64;
        deserialize_u16 visit_u64 u64;
        deserialize_u32 visit_u64 u64;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f64 f64;
        deserialize_f64 visit_f64 f64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

struct Variant<'a> {
    name: &'a str,
    content: Option<&'a Node>,
    path: &'a Path<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Wrong> {
        Ok((seed.deserialize(Key(self.name))?, self))
    }
}

impl Variant<'_> {
    fn content<T>(
        self,
        expected: &str,
        read: impl FnOnce(Reader<'_>) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        let path = self.path.key(self.name);
        let result = match self.content {
            Some(node) => read(Reader::new(node, &path)),
            None => return Err(Wrong::new(format!("expected {expected}, got a name alone"))),
        };
        result.map_err(|wrong| wrong.at(&path))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        match self.content {
            None | Some(Node::Null) => Ok(()),
            Some(node) => {
                let wrong: Wrong = de::Error::invalid_type(unexpected(node), &"a name alone");
                Err(wrong.at(&self.path.key(self.name)))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        self.content("a name with content", |reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.content("a name with an array", |reader| reader.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.content("a name with an object", |reader| reader.deserialize_any(visitor))
    }
}

/// The longest pointer that is told, in bytes: its keys are the client's words.
const MAX_PATH: usize = 256;
