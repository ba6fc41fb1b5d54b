//! What events and acks carry, as JSON and as types.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An event from the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The namespace it belongs to.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its arguments. Attachment `n` stands there as `{"_placeholder":true,"num":n}`.
    pub args: Vec<Value>,
    /// The id of the ack that the server asks for.
    pub id: Option<u64>,
    /// The attachments.
    pub attachments: Vec<Bytes>,
}

impl Event {
    /// The arguments as `T`: one as itself, several as a tuple, none as `()`. Attachments stay
    /// placeholders.
    ///
    /// # Panics
    ///
    /// If they do not fit.
    #[track_caller]
    pub fn args_as<T: DeserializeOwned>(&self) -> T {
        read(&self.args).unwrap_or_else(|error| panic!("event {:?}: {error}", self.name))
    }
}

/// The arguments of an event or an ack.
///
/// They are made from JSON: an array is the list of arguments, anything else the only one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args {
    /// The arguments. Attachment `n` stands there as `{"_placeholder":true,"num":n}`.
    pub values: Vec<Value>,
    /// The attachments.
    pub attachments: Vec<Bytes>,
}

impl Args {
    /// Arguments with attachments, of which the placeholders are already in `values`.
    pub fn with_attachments<B: Into<Bytes>>(
        values: Value,
        attachments: impl IntoIterator<Item = B>,
    ) -> Self {
        let attachments = attachments.into_iter().map(Into::into).collect();
        Self { attachments, ..values.into() }
    }

    /// The arguments as `T`: one as itself, several as a tuple, none as `()`. Attachments stay
    /// placeholders.
    ///
    /// # Panics
    ///
    /// If they do not fit.
    #[track_caller]
    pub fn args_as<T: DeserializeOwned>(&self) -> T {
        read(&self.values).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn with_first(mut self, name: &str) -> Self {
        self.values.insert(0, name.into());
        self
    }
}

impl From<Value> for Args {
    fn from(value: Value) -> Self {
        let values = match value {
            Value::Array(values) => values,
            other => vec![other],
        };
        Self { values, attachments: Vec::new() }
    }
}

/// Arguments as a type.
pub(crate) fn read<T: DeserializeOwned>(values: &[Value]) -> Result<T, String> {
    let value = match values {
        [] => Value::Null,
        [one] => one.clone(),
        several => several.into(),
    };
    T::deserialize(&value)
        .map_err(|error| format!("{value} is no {}: {error}", std::any::type_name::<T>()))
}
