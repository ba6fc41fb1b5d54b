//! A JSON Schema as a type of TypeScript.
//!
//! It knows the schemas that `schemars` makes of Rust types. What it does not know becomes
//! `unknown`, with a comment that names the type: never `any`, which would check nothing.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::text::{comment, quoted};
use crate::describe::{Flow, Names, is_big, referred};

/// Writes the types of one flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Types<'a> {
    pub(super) names: &'a Names,
    pub(super) flow: Flow,
}

/// A type's text, with what holds it together.
struct Type {
    text: String,
    level: Level,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// `A | B`
    Union,
    /// `A & B`
    Intersection,
    /// Anything that needs no parentheses.
    Whole,
}

impl Type {
    fn whole(text: impl Into<String>) -> Self {
        Self { text: text.into(), level: Level::Whole }
    }

    /// The text, in parentheses unless it holds together as well as `level`.
    fn within(self, level: Level) -> String {
        if self.level < level { format!("({})", self.text) } else { self.text }
    }

    fn join(mut types: Vec<Self>, level: Level, with: &str) -> Self {
        if types.len() == 1 {
            return types.remove(0);
        }
        let mut texts: Vec<String> = Vec::new();
        for one in types {
            let text = one.within(level);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let level = if texts.len() == 1 { Level::Whole } else { level };
        Self { text: texts.join(with), level }
    }

    fn union(types: Vec<Self>) -> Self {
        Self::join(types, Level::Union, " | ")
    }
}

impl Types<'_> {
    /// The declaration of a named type.
    pub(super) fn definition(self, out: &mut String, name: &str, schema: &Value) {
        if let Some(docs) = schema.get("description").and_then(Value::as_str) {
            comment(out, "", docs);
        }
        match schema {
            Value::Object(object) if is_interface(object) => {
                let fields = self.fields(object, name, "  ");
                let _ = writeln!(out, "export interface {name} {{\n{fields}}}");
            }
            schema => {
                let text = self.convert(schema, name, "").text;
                let _ = writeln!(out, "export type {name} = {text};");
            }
        }
    }

    /// A type where it is used; `rust` is what it is called if it cannot be told.
    pub(super) fn inline(self, schema: &Value, rust: &str) -> String {
        self.convert(schema, rust, "  ").text
    }

    fn convert(self, schema: &Value, rust: &str, indent: &str) -> Type {
        let object = match schema {
            Value::Object(object) => object,
            Value::Bool(false) => return Type::whole("never"),
            _ => return unknown(rust),
        };
        let mut parts = Vec::new();
        if let Some(name) = object.get("$ref").and_then(referred) {
            let name = self.names.get(name, self.flow);
            parts.push(name.map_or_else(|| unknown(rust), Type::whole));
        }
        for one in list(object, "allOf") {
            parts.push(self.convert(one, rust, indent));
        }
        for key in ["anyOf", "oneOf"] {
            if object.contains_key(key) {
                let either = list(object, key).iter();
                let types = either.map(|one| self.convert(one, rust, indent)).collect();
                parts.push(Type::union(types));
            }
        }
        if let Some(value) = object.get("const") {
            parts.push(literal(value));
        } else if object.contains_key("enum") {
            parts.push(Type::union(list(object, "enum").iter().map(literal).collect()));
        } else {
            let kinds: Vec<&str> = match object.get("type") {
                Some(Value::String(kind)) => vec![kind],
                Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
                _ if object.contains_key("properties") => vec!["object"],
                _ => Vec::new(),
            };
            // that it is an object says nothing more beside what objects it may be
            let says_more = ["properties", "additionalProperties", "patternProperties"];
            let is_idle = kinds == ["object"]
                && !parts.is_empty()
                && !says_more.iter().any(|key| is_said(object.get(*key)));
            if !kinds.is_empty() && !is_idle {
                let types = kinds.iter().map(|kind| self.of_kind(kind, object, rust, indent));
                parts.push(Type::union(types.collect()));
            }
        }
        if parts.is_empty() || UNTOLD.iter().any(|key| object.contains_key(*key)) {
            return unknown(rust);
        }
        Type::join(parts, Level::Intersection, " & ")
    }

    fn of_kind(self, kind: &str, object: &Map<String, Value>, rust: &str, indent: &str) -> Type {
        match kind {
            "null" => Type::whole("null"),
            "boolean" => Type::whole("boolean"),
            "integer" if is_big(object) => Type::whole("number /* 64 bits: exact to 2^53 */"),
            "integer" | "number" => Type::whole("number"),
            "string" if object.get("format").is_some_and(|format| format == "binary") => {
                Type { text: "ArrayBuffer | Uint8Array".to_owned(), level: Level::Union }
            }
            "string" => Type::whole("string"),
            "array" => self.array(object, rust, indent),
            "object" => self.object(object, rust, indent),
            _ => unknown(rust),
        }
    }

    fn array(self, object: &Map<String, Value>, rust: &str, indent: &str) -> Type {
        match object.get("items") {
            Some(Value::Array(items)) => {
                let items = items.iter().map(|item| self.convert(item, rust, indent).text);
                let mut items: Vec<String> = items.collect();
                if let Some(rest @ Value::Object(_)) = object.get("additionalItems") {
                    let rest = self.convert(rest, rust, indent).within(Level::Whole);
                    items.push(format!("...{rest}[]"));
                }
                Type::whole(format!("[{}]", items.join(", ")))
            }
            Some(item) => {
                let item = self.convert(item, rust, indent).within(Level::Whole);
                // a fixed-size array is a tuple of as many
                let length = |key| object.get(key).and_then(Value::as_u64);
                match (length("minItems"), length("maxItems")) {
                    (Some(least), Some(most)) if least == most && most <= LONGEST_TUPLE => {
                        let items = vec![item; most as usize];
                        Type::whole(format!("[{}]", items.join(", ")))
                    }
                    _ => Type::whole(format!("{item}[]")),
                }
            }
            None if object.get("maxItems").is_some_and(|most| *most == 0) => Type::whole("[]"),
            None => Type::whole("unknown[]"),
        }
    }

    fn object(self, object: &Map<String, Value>, rust: &str, indent: &str) -> Type {
        let has_fields = object.get("properties").and_then(Value::as_object);
        let has_fields = has_fields.is_some_and(|fields| !fields.is_empty());
        let fields = has_fields.then(|| self.literal_object(object, rust, indent));
        let values = match (object.get("additionalProperties"), object.get("patternProperties")) {
            (_, Some(Value::Object(patterns))) => {
                let types = patterns.values().map(|one| self.convert(one, rust, indent)).collect();
                Some(Type::union(types).text)
            }
            (Some(schema @ Value::Object(_)), _) => Some(self.convert(schema, rust, indent).text),
            (Some(Value::Bool(true)), _) => Some("unknown".to_owned()),
            (Some(Value::Bool(false)), _) => fields.is_none().then(|| "never".to_owned()),
            _ => fields.is_none().then(|| "unknown".to_owned()),
        };
        match (fields, values) {
            (Some(fields), None) => Type::whole(fields),
            // an index signature would have to hold for the named fields, too
            (Some(fields), Some(_)) => Type {
                text: format!("{fields} & Record<string, unknown>"),
                level: Level::Intersection,
            },
            (None, values) => {
                Type::whole(format!("Record<string, {}>", values.unwrap_or_default()))
            }
        }
    }

    /// An object on one line if it is short and nothing is said of its fields.
    fn literal_object(self, object: &Map<String, Value>, rust: &str, indent: &str) -> String {
        let inner = format!("{indent}  ");
        let text = self.fields(object, rust, &inner);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let line = lines.join(" ");
        if line.len() <= 80 && !line.contains("/**") && !line.contains("//") {
            format!("{{ {} }}", line.trim_end_matches(';'))
        } else {
            format!("{{\n{text}{indent}}}")
        }
    }

    fn fields(self, object: &Map<String, Value>, rust: &str, indent: &str) -> String {
        let mut out = String::new();
        let required = list(object, "required");
        let Some(Value::Object(fields)) = object.get("properties") else { return out };
        // what tells the forms of an enum apart comes first
        let (tags, others): (Vec<_>, Vec<_>) =
            fields.iter().partition(|(_, schema)| schema.get("const").is_some());
        for (name, schema) in tags.into_iter().chain(others) {
            if let Some(docs) = schema.get("description").and_then(Value::as_str) {
                comment(&mut out, indent, docs);
            }
            let optional = if required.iter().any(|one| one == name) { "" } else { "?" };
            let key = if is_identifier(name) { name.clone() } else { quoted(name) };
            let text = self.convert(schema, &format!("{rust}.{name}"), indent).text;
            let _ = writeln!(out, "{indent}{key}{optional}: {text};");
        }
        out
    }
}

/// What a schema cannot say.
fn unknown(rust: &str) -> Type {
    Type::whole(format!("unknown /* {} */", rust.replace("*/", "*\\/")))
}

fn literal(value: &Value) -> Type {
    match value {
        Value::Array(_) | Value::Object(_) => unknown("a constant"),
        value => Type::whole(value.to_string()),
    }
}

fn list<'a>(object: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a keyword is there and means something.
fn is_said(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Bool(_)) => false,
        Some(Value::Object(object)) => !object.is_empty(),
        Some(_) => true,
    }
}

/// Whether a schema is that of a struct: fields and nothing else.
fn is_interface(object: &Map<String, Value>) -> bool {
    let others = ["$ref", "allOf", "anyOf", "oneOf", "const", "enum", "patternProperties"];
    object.get("type").is_some_and(|kind| kind == "object")
        && object.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty())
        && !others.iter().chain(&UNTOLD).any(|key| object.contains_key(*key))
        && matches!(object.get("additionalProperties"), None | Some(Value::Bool(false)))
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_' || first == '$')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

/// Keywords that no type of TypeScript says.
const UNTOLD: [&str; 4] = ["not", "if", "contains", "propertyNames"];

/// Longer arrays are lists to a reader.
const LONGEST_TUPLE: u64 = 16;
