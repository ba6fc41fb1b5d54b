//! A contract as data: its events, with the JSON Schemas of what they carry.

mod names;
mod schemas;

use std::any::type_name;
use std::fmt;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::names::Names;
pub(crate) use self::schemas::{Flow, Schemas, is_big, referred, sorted};

/// A contract as data, made by the function `contract` of each.
///
/// What clients send is described as it is *read* (a field with `#[serde(default)]` may be left
/// out), what they hear as it is *written* (it is always there): the two contracts of
/// [`schemars`](schemars::generate::Contract).
#[derive(Clone, Debug)]
pub struct Contract {
    pub(crate) name: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) version: &'static str,
    pub(crate) docs: &'static str,
    pub(crate) big: Big64,
    pub(crate) from_client: Vec<Event>,
    pub(crate) to_client: Vec<Event>,
    pub(crate) schemas: Schemas,
}

/// How integers of 64 bits and more are to be written in TypeScript: `#[contract(big = "..")]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Big64 {
    /// As `number`, with a comment.
    #[default]
    Number,
    /// Only as text, see [`Big`](crate::Big); a plain one is an error.
    String,
}

/// Who sends an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third party")]
pub enum Direction {
    /// The client.
    FromClient,
    /// The server.
    ToClient,
}

/// A declared event.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) direction: Direction,
    pub(crate) name: &'static str,
    /// The name of the method.
    pub(crate) method: &'static str,
    pub(crate) docs: &'static str,
    pub(crate) arguments: Vec<(&'static str, Typed)>,
    pub(crate) ack: Ack,
}

/// The acknowledgement that is declared.
#[derive(Clone, Debug)]
pub(crate) enum Ack {
    None,
    Empty,
    Plain(Typed),
    Result(Typed, Typed),
}

/// A type, as its schema says.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) schema: Value,
    /// The name of the type in Rust.
    pub(crate) rust: String,
    /// Whether `null` is one of its values, and so it may be left out at the end.
    pub(crate) is_nullable: bool,
}

impl Contract {
    /// The name of its module.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &'static str {
        self.namespace
    }

    /// The version that `#[contract(version = "..")]` says, else `1.0.0`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// All events, those that clients send first, in order of declaration.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.from_client.iter().chain(&self.to_client)
    }

    /// What is worth a look: integers that JavaScript rounds, by event.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for event in self.events() {
            for (typed, flow) in event.types() {
                if let Some(at) = self.schemas.find_big(&typed.schema, flow) {
                    warnings.push(format!(
                        "event {:?}: {at} of `{}` is an integer of 64 bits, of which JavaScript \
                         reads the first 53; `Big` sends it as text",
                        event.name, typed.rust
                    ));
                }
            }
        }
        warnings
    }
}

impl Event {
    /// Who sends it.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its doc comment.
    #[must_use]
    pub fn docs(&self) -> &'static str {
        self.docs
    }

    /// The names of its arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &'static str> {
        self.arguments.iter().map(|(name, _)| *name)
    }

    /// Whether it has an acknowledgement.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        !matches!(self.ack, Ack::None)
    }

    /// All types, each with where it flows.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&Typed, Flow)> {
        let (there, back) = self.flows();
        let arguments = self.arguments.iter().map(move |(_, typed)| (typed, there));
        let ack = match &self.ack {
            Ack::None | Ack::Empty => [None, None],
            Ack::Plain(typed) => [Some(typed), None],
            Ack::Result(value, error) => [Some(value), Some(error)],
        };
        arguments.chain(ack.into_iter().flatten().map(move |typed| (typed, back)))
    }

    /// How the arguments flow, and how the acknowledgement does.
    pub(crate) fn flows(&self) -> (Flow, Flow) {
        match self.direction {
            Direction::FromClient => (Flow::Read, Flow::Written),
            Direction::ToClient => (Flow::Written, Flow::Read),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromClient => "from client",
            Self::ToClient => "to client",
        })
    }
}

/// Makes a [`Contract`]; the macro calls it.
#[derive(Debug)]
pub struct ContractBuilder(Contract);

impl ContractBuilder {
    /// A contract without events.
    #[must_use]
    pub fn new(
        name: &'static str,
        namespace: &'static str,
        version: &'static str,
        docs: &'static str,
        big: Big64,
    ) -> Self {
        let settings = SchemaSettings::draft07();
        let schemas = Schemas::new(
            settings.clone().for_deserialize().into_generator(),
            settings.for_serialize().into_generator(),
        );
        let (from_client, to_client) = (Vec::new(), Vec::new());
        Self(Contract { name, namespace, version, docs, big, from_client, to_client, schemas })
    }

    /// Adds an event.
    pub fn event(
        &mut self,
        direction: Direction,
        name: &'static str,
        method: &'static str,
        docs: &'static str,
        describe: impl FnOnce(&mut EventBuilder<'_>),
    ) {
        let (arguments, ack) = (Vec::new(), Ack::None);
        let event = Event { direction, name, method, docs, arguments, ack };
        let mut builder = EventBuilder { event, schemas: &mut self.0.schemas };
        describe(&mut builder);
        let event = builder.event;
        match direction {
            Direction::FromClient => self.0.from_client.push(event),
            Direction::ToClient => self.0.to_client.push(event),
        }
    }

    /// The contract.
    #[must_use]
    pub fn build(mut self) -> Contract {
        self.0.schemas.finish();
        self.0
    }
}

/// An event that is being described.
#[derive(Debug)]
pub struct EventBuilder<'a> {
    event: Event,
    schemas: &'a mut Schemas,
}

impl EventBuilder<'_> {
    pub(crate) fn add_argument<T: JsonSchema + ?Sized>(&mut self, name: &'static str) {
        let (there, _) = self.event.flows();
        let typed = self.typed::<T>(there);
        self.event.arguments.push((name, typed));
    }

    /// An argument of an event that clients hear.
    pub fn heard<E, T: Sent<E> + ?Sized>(&mut self, name: &'static str) {
        self.add_argument::<T>(name);
    }

    /// An acknowledgement without arguments.
    pub fn acknowledged(&mut self) {
        self.event.ack = Ack::Empty;
    }

    /// An acknowledgement by the server.
    pub fn answered<E, T: Sent<E>>(&mut self) {
        self.event.ack = Ack::Plain(self.typed::<T>(Flow::Written));
    }

    /// ... that may be one of failure.
    pub fn answered_result<E, T: Sent<E>, F: Sent<E>>(&mut self) {
        let value = self.typed::<T>(Flow::Written);
        self.event.ack = Ack::Result(value, self.typed::<F>(Flow::Written));
    }

    /// An acknowledgement by the client.
    pub fn answered_by_client<E, T: Received<E>>(&mut self) {
        self.event.ack = Ack::Plain(self.typed::<T>(Flow::Read));
    }

    /// ... that may be one of failure.
    pub fn answered_result_by_client<E, T: Received<E>, F: Received<E>>(&mut self) {
        let value = self.typed::<T>(Flow::Read);
        self.event.ack = Ack::Result(value, self.typed::<F>(Flow::Read));
    }

    fn typed<T: JsonSchema + ?Sized>(&mut self, flow: Flow) -> Typed {
        let schema = self.schemas.of::<T>(flow);
        let rust = short_type_name(type_name::<T>());
        let is_nullable = schemas::is_nullable(&schema);
        Typed { schema, rust, is_nullable }
    }
}

/// What the server can send with the event `E`, or as its acknowledgement.
#[diagnostic::on_unimplemented(
    message = "this type cannot be sent to clients with the event `{E}`",
    note = "what a client hears is `Serialize` and `JsonSchema`"
)]
pub trait Sent<E>: Serialize + JsonSchema {}

impl<E, T: Serialize + JsonSchema + ?Sized> Sent<E> for T {}

/// What a client can send as an acknowledgement of the event `E`.
#[diagnostic::on_unimplemented(
    message = "this type cannot be the acknowledgement of the event `{E}`",
    note = "what a client sends is `Deserialize` and `JsonSchema`"
)]
pub trait Received<E>: DeserializeOwned + JsonSchema {}

impl<E, T: DeserializeOwned + JsonSchema> Received<E> for T {}

/// `alloc::vec::Vec<my::Shape>` as `Vec<Shape>`.
fn short_type_name(name: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for char in name.chars() {
        match char {
            ':' => word.clear(),
            _ if char.is_alphanumeric() || char == '_' => word.push(char),
            _ => {
                short.push_str(&std::mem::take(&mut word));
                short.push(char);
            }
        }
    }
    short + &word
}
