//! Messages from server to server.

use std::fmt;
use std::sync::{Arc, Mutex};

use engineio_proto::guard::lock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::Reply;
use socketio_parser::{ArgsError, RawArgs, Value};

use crate::error::EmitError;

/// An event that another server of the cluster sent, see
/// [`Namespace::on_server_event`](crate::Namespace::on_server_event). A handle, cheap to clone.
// Node: namespace.on for serverSideEmit, 4.1 and later
#[derive(Clone)]
pub struct ServerEvent(Arc<Inner>);

struct Inner {
    name: String,
    args: Vec<Value>,
    is_wanted: bool,
    reply: Mutex<Option<Reply>>,
}

impl ServerEvent {
    pub(crate) fn new(name: String, args: Vec<Value>, reply: Option<Reply>) -> Self {
        let is_wanted = reply.is_some();
        Self(Arc::new(Inner { name, args, is_wanted, reply: Mutex::new(reply) }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its arguments.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        &self.0.args
    }

    /// Its arguments as a type, like [`Data`](crate::Data): a tuple for several.
    ///
    /// # Errors
    /// If they are of another type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        RawArgs::from_values(self.0.args.clone()).deserialize()
    }

    /// Whether the sender waits for an answer.
    #[must_use]
    pub fn is_reply_wanted(&self) -> bool {
        self.0.is_wanted
    }

    /// Answers; nothing happens if nobody waits. The first answer of all listeners counts.
    ///
    /// # Errors
    /// [`EmitError::AlreadyAcknowledged`] if it was answered before, and [`EmitError::Encode`].
    pub fn reply<T: Serialize>(&self, answer: T) -> Result<(), EmitError> {
        if !self.0.is_wanted {
            return Ok(());
        }
        let answer = socketio_parser::to_value(&answer)?;
        let reply = lock(&self.0.reply).take().ok_or(EmitError::AlreadyAcknowledged)?;
        reply(answer);
        Ok(())
    }
}

impl fmt::Debug for ServerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerEvent").field("name", &self.0.name).finish_non_exhaustive()
    }
}
