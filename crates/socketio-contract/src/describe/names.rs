//! What the definitions are called outside of Rust: a type that is read as it is written has one
//! name, another has two, with `In` and `Out` at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::schemas::referred;
use super::{Contract, Flow};

/// The names of all definitions of a contract.
#[derive(Debug)]
pub(crate) struct Names {
    read: BTreeMap<String, String>,
    written: BTreeMap<String, String>,
}

impl Names {
    /// Names that are none of `reserved`.
    pub(crate) fn of(contract: &Contract, reserved: &[&str]) -> Self {
        let (read, written) =
            (contract.schemas.definitions(Flow::Read), contract.schemas.definitions(Flow::Written));
        let different = different(read, written);
        let mut names = Self { read: BTreeMap::new(), written: BTreeMap::new() };
        let mut taken: BTreeSet<String> = reserved.iter().map(|&name| name.to_owned()).collect();
        let all: BTreeSet<&String> = read.keys().chain(written.keys()).collect();
        for definition in all {
            let base = identifier(definition);
            if different.contains(definition.as_str()) {
                names.read.insert(definition.clone(), free(&mut taken, base.clone() + "In"));
                names.written.insert(definition.clone(), free(&mut taken, base + "Out"));
            } else {
                let name = free(&mut taken, base);
                names.read.insert(definition.clone(), name.clone());
                names.written.insert(definition.clone(), name);
            }
        }
        names
    }

    pub(crate) fn get(&self, definition: &str, flow: Flow) -> Option<&str> {
        let names = match flow {
            Flow::Read => &self.read,
            Flow::Written => &self.written,
        };
        names.get(definition).map(String::as_str)
    }

    /// All of them in order, each with its definition and how it flows; one for both flows is
    /// there once.
    pub(crate) fn all<'a>(
        &'a self,
        contract: &'a Contract,
    ) -> BTreeMap<&'a str, (&'a Value, Flow, &'a str)> {
        let mut all = BTreeMap::new();
        for flow in [Flow::Read, Flow::Written] {
            for (definition, schema) in contract.schemas.definitions(flow) {
                if let Some(name) = self.get(definition, flow) {
                    all.entry(name).or_insert((schema, flow, definition.as_str()));
                }
            }
        }
        all
    }
}

/// The definitions that are not the same in both sets: by themselves, or for one that they name.
fn different<'a>(
    read: &'a Map<String, Value>,
    written: &'a Map<String, Value>,
) -> BTreeSet<&'a str> {
    let both =
        || read.iter().filter_map(|(name, one)| Some((name.as_str(), one, written.get(name)?)));
    let mut different: BTreeSet<&str> = both()
        .filter(|(_, one, other)| essence(one) != essence(other))
        .map(|(name, ..)| name)
        .collect();
    loop {
        let more: Vec<&str> = both()
            .filter(|(name, one, _)| !different.contains(name) && refers_to(one, &different))
            .map(|(name, ..)| name)
            .collect();
        if more.is_empty() {
            return different;
        }
        different.extend(more);
    }
}

/// A schema without what changes nothing for who writes or reads values.
fn essence(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let essential = object.iter().filter(|(key, _)| *key != "default");
            let essential = essential.map(|(key, value)| match value {
                // the keys are the names of fields
                Value::Object(fields) if key == "properties" => {
                    let fields = fields.iter().map(|(name, one)| (name.clone(), essence(one)));
                    (key.clone(), Value::Object(fields.collect()))
                }
                value => (key.clone(), essence(value)),
            });
            Value::Object(essential.collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(essence).collect()),
        value => value.clone(),
    }
}

fn refers_to(schema: &Value, names: &BTreeSet<&str>) -> bool {
    match schema {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(referred);
            reference.is_some_and(|name| names.contains(name))
                || object.values().any(|value| refers_to(value, names))
        }
        Value::Array(values) => values.iter().any(|value| refers_to(value, names)),
        _ => false,
    }
}

/// What can be a name in TypeScript and in a document.
fn identifier(name: &str) -> String {
    let mut identifier: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if identifier.starts_with(|c: char| c.is_ascii_digit()) || identifier.is_empty() {
        identifier.insert(0, '_');
    }
    identifier
}

/// The name, or with the first number behind it that nobody has.
fn free(taken: &mut BTreeSet<String>, name: String) -> String {
    let numbered = (2..).map(|number| format!("{name}{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or(name);
    taken.insert(free.clone());
    free
}
