//! A contract as an AsyncAPI 3.0 document.
//!
//! The application that it describes is the server: what clients send it *receives*. A namespace is a
//! channel, an event a message and an operation, an acknowledgement the operation's reply. The
//! payload of a message is the list of arguments. What AsyncAPI has no word for stands under
//! `x-socketio`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::describe::{Ack, Contract, Direction, Event, Flow, Names, Typed, referred, sorted};

impl Contract {
    /// The document, as JSON. The same contract is always the same text.
    ///
    /// ```
    /// # use socketio_contract::contract;
    /// #[contract(namespace = "/clock", version = "1.2.0")]
    /// mod clock {
    ///     /// What the page hears.
    ///     pub trait ToClient {
    ///         #[event("tick")]
    ///         fn tick(seconds: u32);
    ///     }
    /// }
    /// let document: serde_json::Value = serde_json::from_str(&clock::contract().asyncapi()).unwrap();
    /// assert_eq!(document["channels"]["clock"]["address"], "/clock");
    /// ```
    #[must_use]
    pub fn asyncapi(&self) -> String {
        let document = sorted(Document::new(self).build());
        // a value is always JSON
        serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
    }
}

struct Document<'a> {
    contract: &'a Contract,
    names: Names,
    /// The names of the messages in the document.
    taken: BTreeSet<String>,
    messages: Map<String, Value>,
    operations: Map<String, Value>,
    in_channel: Map<String, Value>,
}

impl<'a> Document<'a> {
    fn new(contract: &'a Contract) -> Self {
        let names = Names::of(contract, &["InvalidEvent", "ContractError"]);
        Self {
            contract,
            names,
            taken: BTreeSet::new(),
            messages: Map::new(),
            operations: Map::new(),
            in_channel: Map::new(),
        }
    }

    fn build(mut self) -> Value {
        let contract = self.contract;
        let channel = key(contract.name);
        for event in contract.events() {
            self.add(event, &channel);
        }
        if !contract.from_client.is_empty() {
            self.add_told(&channel);
        }
        let mut schemas = Map::new();
        for (name, (schema, flow, _)) in self.names.all(contract) {
            schemas.insert(name.to_owned(), self.resolved(schema, flow));
        }
        for (name, schema) in [("InvalidEvent", invalid_event()), ("ContractError", told())] {
            if !contract.from_client.is_empty() {
                schemas.insert(name.to_owned(), schema);
            }
        }
        let mut info = json!({ "title": contract.name, "version": contract.version });
        if !contract.docs.is_empty() {
            info["description"] = contract.docs.into();
        }
        json!({
            "asyncapi": "3.0.0",
            "info": info,
            "defaultContentType": "application/json",
            "channels": { channel: {
                "address": contract.namespace,
                "messages": self.in_channel,
                "x-socketio": { "namespace": contract.namespace },
            } },
            "operations": self.operations,
            "components": { "messages": self.messages, "schemas": schemas },
        })
    }

    fn add(&mut self, event: &Event, channel: &str) {
        let (there, back) = event.flows();
        let (prefix, action) = match event.direction {
            Direction::FromClient => ("receive", "receive"),
            Direction::ToClient => ("send", "send"),
        };
        let id = self.free(format!("{prefix}.{}", key(event.name)));
        let arguments = event.arguments.iter().map(|(name, typed)| {
            let mut schema = self.typed(typed, there);
            if let Value::Object(schema) = &mut schema {
                schema.entry("title").or_insert_with(|| (*name).into());
            }
            (schema, typed.is_nullable)
        });
        let payload = tuple(arguments.collect());
        let mut message = json!({
            "name": event.name,
            "payload": payload,
            "x-socketio": { "event": event.name, "acknowledged": event.is_acknowledged() },
        });
        if !event.docs.is_empty() {
            message["description"] = event.docs.into();
        }
        self.add_message(&id, message, channel);
        let at = format!("#/channels/{channel}");
        let mut operation = json!({
            "action": action,
            "channel": { "$ref": at },
            "messages": [{ "$ref": format!("{at}/messages/{id}") }],
        });
        if let Some(payload) = self.reply(&event.ack, event.direction, back) {
            let reply = self.free(format!("{id}.ack"));
            let message = json!({
                "name": format!("{} (acknowledgement)", event.name),
                "payload": payload,
                "x-socketio": { "acknowledges": event.name },
            });
            self.add_message(&reply, message, channel);
            operation["reply"] = json!({
                "channel": { "$ref": at },
                "messages": [{ "$ref": format!("{at}/messages/{reply}") }],
            });
        }
        self.operations.insert(id, operation);
    }

    /// The event that tells of invalid ones.
    fn add_told(&mut self, channel: &str) {
        let id = self.free("send.contract_error".to_owned());
        let schema = json!({ "$ref": "#/components/schemas/ContractError" });
        let message = json!({
            "name": crate::invalid::TOLD,
            "description": "An event of the client was not valid.",
            "payload": tuple(vec![(schema, false)]),
            "x-socketio": { "event": crate::invalid::TOLD, "acknowledged": false },
        });
        self.add_message(&id, message, channel);
        let at = format!("#/channels/{channel}");
        let operation = json!({
            "action": "send",
            "channel": { "$ref": at },
            "messages": [{ "$ref": format!("{at}/messages/{id}") }],
        });
        self.operations.insert(id, operation);
    }

    fn add_message(&mut self, id: &str, message: Value, channel: &str) {
        debug_assert!(!channel.is_empty(), "a module has a name");
        self.in_channel
            .insert(id.to_owned(), json!({ "$ref": format!("#/components/messages/{id}") }));
        self.messages.insert(id.to_owned(), message);
    }

    fn reply(&self, ack: &Ack, direction: Direction, flow: Flow) -> Option<Value> {
        let argument = match ack {
            Ack::None => return None,
            Ack::Empty => return Some(tuple(Vec::new())),
            Ack::Plain(typed) => self.typed(typed, flow),
            Ack::Result(value, error) => {
                let mut error = self.typed(error, flow);
                if direction == Direction::FromClient {
                    let invalid = json!({ "$ref": "#/components/schemas/InvalidEvent" });
                    error = json!({ "anyOf": [error, invalid] });
                }
                json!({ "oneOf": [
                    {
                        "type": "object",
                        "properties": { "ok": { "const": true }, "value": self.typed(value, flow) },
                        "required": ["ok", "value"],
                    },
                    {
                        "type": "object",
                        "properties": { "ok": { "const": false }, "error": error },
                        "required": ["ok", "error"],
                    },
                ] })
            }
        };
        Some(tuple(vec![(argument, false)]))
    }

    fn typed(&self, typed: &Typed, flow: Flow) -> Value {
        self.resolved(&typed.schema, flow)
    }

    /// A schema whose references are those of the document.
    fn resolved(&self, schema: &Value, flow: Flow) -> Value {
        match schema {
            Value::Object(object) => {
                let resolved = object.iter().map(|(key, value)| {
                    let name = referred(value).filter(|_| key == "$ref");
                    let name = name.and_then(|name| self.names.get(name, flow));
                    let value = name.map_or_else(
                        || self.resolved(value, flow),
                        |name| format!("#/components/schemas/{name}").into(),
                    );
                    (key.clone(), value)
                });
                Value::Object(resolved.collect())
            }
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.resolved(value, flow)).collect())
            }
            value => value.clone(),
        }
    }

    fn free(&mut self, name: String) -> String {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| !self.taken.contains(name)).unwrap_or(name);
        self.taken.insert(free.clone());
        free
    }
}

/// A list of arguments, each with whether it may be left out at the end.
fn tuple(arguments: Vec<(Value, bool)>) -> Value {
    let most = arguments.len();
    let optional = arguments.iter().rev().take_while(|(_, may_be_left_out)| *may_be_left_out);
    let least = most - optional.count();
    let mut payload = json!({ "type": "array", "minItems": least, "maxItems": most });
    if most > 0 {
        let items: Vec<Value> = arguments.into_iter().map(|(schema, _)| schema).collect();
        payload["items"] = items.into();
        payload["additionalItems"] = false.into();
    }
    payload
}

fn invalid_event() -> Value {
    json!({
        "type": "object",
        "description": "The event that was sent breaks the contract.",
        "properties": {
            "code": { "const": "invalid" },
            "at": { "type": "string", "description": "A JSON pointer into the arguments." },
            "message": { "type": "string" },
        },
        "required": ["code", "at", "message"],
    })
}

fn told() -> Value {
    json!({
        "type": "object",
        "description": "Which event breaks the contract, and how.",
        "properties": {
            "event": { "type": "string" },
            "at": { "type": "string", "description": "A JSON pointer into the arguments." },
            "message": { "type": "string" },
        },
        "required": ["event", "at", "message"],
    })
}

/// What can be a key of the document's objects.
// AsyncAPI 3.0: Components Object, `^[a-zA-Z0-9\.\-_]+$`
fn key(name: &str) -> String {
    let key: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .collect();
    if key.is_empty() { "_".to_owned() } else { key }
}
