//! A contract with the roles swapped: what a client sends and hears, typed, for tests.
//!
//! A side of a contract need not be readable by the other one in Rust: what clients send may have
//! no `Serialize`, what they hear no `Deserialize`. So each method of a client asks for what it
//! needs only where it is called ([`Lazily`]).

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use socketio_parser::explain::{Node, Path, Reader, nodes};
use socketio_testkit::{Args, Client, Event};

/// A client of `socketio-testkit` that a contract's own `Client` is made of; it speaks for the
/// contract, and panics like it, in what is not typed.
#[derive(Debug)]
pub struct ContractClient {
    client: Client,
}

/// Why an event was refused, for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused<E> {
    /// As the contract declares.
    Error(E),
    /// The event was not valid.
    Invalid {
        /// A JSON pointer into the arguments.
        at: String,
        /// What is wanted there.
        message: String,
    },
}

impl<'de, E: Deserialize<'de>> Deserialize<'de> for Refused<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<E> {
            Invalid(Invalid),
            Error(E),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Invalid {
            #[serde(rename = "code")]
            _code: Code,
            at: String,
            message: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Code {
            Invalid,
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Invalid(Invalid { at, message, .. }) => Self::Invalid { at, message },
            Either::Error(error) => Self::Error(error),
        })
    }
}

/// A value whose traits are asked for where a method is called: `X` is only known there.
#[derive(Debug)]
pub struct Lazily<T, X>(pub T, PhantomData<X>);

impl<T, X> Lazily<T, X> {
    /// Wraps it.
    pub const fn new(value: T) -> Self {
        Self(value, PhantomData)
    }
}

impl<T: Serialize, X> Serialize for Lazily<T, X> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// What a test can read of the server: the twin of `Deserialize` for [`Lazily`].
pub trait Hearable {
    /// What is read.
    type Value;

    /// Reads it.
    ///
    /// # Panics
    /// If it is of another type.
    fn hear(node: &HeardValue<'_>) -> Self::Value;
}

/// An argument that the server sent.
#[derive(Debug)]
pub struct HeardValue<'a> {
    node: &'a Node,
    path: Path<'a>,
    what: &'a str,
}

impl<T: DeserializeOwned, X> Hearable for Lazily<T, X> {
    type Value = T;

    #[track_caller]
    fn hear(heard: &HeardValue<'_>) -> T {
        T::deserialize(Reader::new(heard.node, &heard.path)).unwrap_or_else(|wrong| {
            let wrong = wrong.at(&heard.path).into_mismatch();
            let message = wrong.message.as_deref().unwrap_or("not valid");
            panic!("{}: {}: {message}", heard.what, wrong.at)
        })
    }
}

/// The argument of an event as it goes over the wire.
pub fn sent_value<T: Serialize>(sent: &mut Sending, value: &T) {
    let args = socketio_parser::RawArgs::from_serialize(&(value,)).expect("it can be serialised");
    let values = nodes(&args).into_iter().map(|node| json_of(node, &mut sent.args.attachments));
    sent.args.values.extend(values.collect::<Vec<_>>());
}

/// The arguments of an event, one after the other.
#[derive(Debug, Default)]
pub struct Sending {
    args: Args,
}

impl ContractClient {
    /// Speaks for a client that has joined the namespace.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client, for what is not in the contract.
    pub const fn raw(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Sends an event.
    #[track_caller]
    pub fn emit(&mut self, event: &str, sending: Sending) -> impl Future<Output = ()> {
        self.client.emit(event, sending.args)
    }

    /// Sends an event and waits for its acknowledgement.
    pub async fn ask(&mut self, event: &str, sending: Sending) -> Told {
        let id = self.client.emit_expecting_ack(event, sending.args).await;
        let args = self.client.ack(id).await;
        Told::new(format!("the acknowledgement of {event:?}"), args.values, &args.attachments)
    }

    /// Waits for the next event.
    ///
    /// # Panics
    /// If it is another, or the client is told that it broke the contract.
    pub async fn hear(&mut self, name: &str) -> (Told, Event) {
        let event = self.client.next_event().await;
        assert_eq!(event.name, name, "the next event is {event:?}");
        let told = Told::new(format!("event {name:?}"), event.args.clone(), &event.attachments);
        (told, event)
    }

    /// Answers an event.
    pub async fn answer(&mut self, event: &Event, sending: Sending) {
        self.client.reply(event, sending.args).await;
    }
}

/// What the server sent.
#[derive(Debug)]
pub struct Told {
    what: String,
    nodes: Vec<Node>,
}

impl Told {
    fn new(what: String, values: Vec<Value>, attachments: &[impl AsRef<[u8]>]) -> Self {
        let nodes = values.into_iter().map(|value| node_of(value, attachments)).collect();
        Self { what, nodes }
    }

    /// Panics unless there are as many arguments as declared.
    #[track_caller]
    pub fn expect(&self, count: usize) {
        assert_eq!(self.nodes.len(), count, "{}: the number of its arguments", self.what);
    }

    /// Reads one of them.
    #[track_caller]
    pub fn read<L: Hearable>(&self, index: usize) -> L::Value {
        let path = Path::root(index);
        L::hear(&HeardValue { node: &self.nodes[index], path, what: &self.what })
    }
}

fn json_of(node: Node, attachments: &mut Vec<bytes::Bytes>) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => value.into(),
        Node::Unsigned(value) => value.into(),
        Node::Signed(value) => value.into(),
        Node::Float(value) => value.into(),
        Node::Text(text) | Node::Word(text) => text.into(),
        Node::Bytes(bytes) => {
            let num = attachments.len();
            attachments.push(bytes.into());
            json!({ "_placeholder": true, "num": num })
        }
        Node::List(nodes) => nodes.into_iter().map(|node| json_of(node, attachments)).collect(),
        Node::Map(entries) => {
            entries.into_iter().map(|(key, node)| (key, json_of(node, attachments))).collect()
        }
    }
}

fn node_of(value: Value, attachments: &[impl AsRef<[u8]>]) -> Node {
    match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => Node::Unsigned(value),
            (None, Some(value)) => Node::Signed(value),
            (None, None) => Node::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Node::Text(text),
        Value::Array(values) => {
            Node::List(values.into_iter().map(|value| node_of(value, attachments)).collect())
        }
        Value::Object(object) => {
            let num = object.get("_placeholder").and_then(|_| object.get("num")?.as_u64());
            if let Some(bytes) = num.and_then(|num| attachments.get(num as usize)) {
                return Node::Bytes(bytes.as_ref().to_vec());
            }
            let entries = object.into_iter();
            Node::Map(entries.map(|(key, value)| (key, node_of(value, attachments))).collect())
        }
    }
}

impl<E: fmt::Display> fmt::Display for Refused<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Invalid { at, message } => write!(f, "{at}: {message}"),
        }
    }
}
