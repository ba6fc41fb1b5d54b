//! The schemas of a contract: one set for what is read, one for what is written.

use std::fmt;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// Which way a value goes, seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A client sent it.
    Read,
    /// It is sent to a client.
    Written,
}

/// The definitions that schemas refer to.
#[derive(Clone)]
pub(crate) struct Schemas {
    read: Set,
    written: Set,
}

#[derive(Clone)]
struct Set {
    generator: SchemaGenerator,
    definitions: Map<String, Value>,
}

impl Schemas {
    pub(crate) fn new(read: SchemaGenerator, written: SchemaGenerator) -> Self {
        let set = |generator| Set { generator, definitions: Map::new() };
        Self { read: set(read), written: set(written) }
    }

    /// The schema of a type, which may refer to definitions.
    pub(crate) fn of<T: JsonSchema + ?Sized>(&mut self, flow: Flow) -> Value {
        let set = match flow {
            Flow::Read => &mut self.read,
            Flow::Written => &mut self.written,
        };
        let mut schema = set.generator.subschema_for::<T>();
        // those of definitions are transformed when they are taken
        for transform in set.generator.transforms_mut() {
            transform.transform(&mut schema);
        }
        sorted(schema.to_value())
    }

    /// All types were given: takes their definitions out of the generators.
    pub(crate) fn finish(&mut self) {
        for set in [&mut self.read, &mut self.written] {
            let definitions = set.generator.take_definitions(true);
            set.definitions = match sorted(Value::Object(definitions)) {
                Value::Object(definitions) => definitions,
                _ => Map::new(),
            };
        }
    }

    /// The definitions, by name.
    pub(crate) fn definitions(&self, flow: Flow) -> &Map<String, Value> {
        match flow {
            Flow::Read => &self.read.definitions,
            Flow::Written => &self.written.definitions,
        }
    }

    /// Where in a schema there is an integer that JavaScript rounds: a path for people to read.
    pub(crate) fn find_big(&self, schema: &Value, flow: Flow) -> Option<String> {
        self.find(schema, flow, &mut Vec::new())
    }

    fn find<'a>(
        &'a self,
        schema: &'a Value,
        flow: Flow,
        seen: &mut Vec<&'a str>,
    ) -> Option<String> {
        match schema {
            Value::Object(object) if is_big(object) => Some("the value".to_owned()),
            Value::Object(object) => {
                if let Some(name) = object.get("$ref").and_then(referred) {
                    if seen.contains(&name) {
                        return None;
                    }
                    seen.push(name);
                    let definition = self.definitions(flow).get(name)?;
                    return self.find(definition, flow, seen).map(|at| match &*at {
                        "the value" => format!("`{name}`"),
                        _ => at,
                    });
                }
                if let Some(Value::Object(properties)) = object.get("properties") {
                    for (name, schema) in properties {
                        if self.find(schema, flow, seen).is_some() {
                            return Some(format!("the field `{name}`"));
                        }
                    }
                }
                let rest = object.iter().filter(|(key, _)| *key != "properties");
                rest.map(|(_, schema)| schema).find_map(|one| self.find(one, flow, seen))
            }
            Value::Array(schemas) => schemas.iter().find_map(|one| self.find(one, flow, seen)),
            _ => None,
        }
    }
}

/// Whether `null` is among the values of a schema, as far as it says so itself.
pub(crate) fn is_nullable(schema: &Value) -> bool {
    let Value::Object(schema) = schema else { return *schema == Value::Bool(true) };
    let mut either = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array());
    is_of_type(schema, "null") || either.any(|schemas| schemas.iter().any(is_nullable))
}

/// The name of the definition that a reference is to.
pub(crate) fn referred(reference: &Value) -> Option<&str> {
    reference.as_str()?.strip_prefix("#/definitions/")
}

/// Whether a schema is that of an integer of 64 bits or more. A `usize` counts as one.
pub(crate) fn is_big(schema: &Map<String, Value>) -> bool {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    is_of_type(schema, "integer")
        && ["int64", "uint64", "int128", "uint128", "int", "uint"].contains(&format)
}

/// Whether a schema names this type, alone or among others.
fn is_of_type(schema: &Map<String, Value>, name: &str) -> bool {
    schema.get("type").is_some_and(|kind| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
        kind => kind == name,
    })
}

/// With the keys of all objects in order, whatever map serde_json was built with: the same contract
/// is the same text in every program.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(String, Value)> = object.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        value => value,
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schemas")
            .field("read", &self.read.definitions)
            .field("written", &self.written.definitions)
            .finish()
    }
}
