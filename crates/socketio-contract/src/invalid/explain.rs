//! The second reading: only what could not be read is read again, slowly, to find out where and
//! why. It goes over a plain tree of what the client sent, so that an error is made of nothing but
//! the place in the tree and the types there.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use socketio::{EventContext, Spread};

use super::Invalid;
use super::node::Node;
use super::reader::{Path, Reader};

/// The arguments of an event that cannot be read, for [`Argument::explain`].
///
/// [`Argument::explain`]: crate::__private::Argument::explain
#[derive(Debug)]
pub struct Unread {
    sent: Vec<Node>,
    next: usize,
}

impl Unread {
    pub(crate) fn of(event: &EventContext<'_>) -> Self {
        let read = event.args().and_then(|args| args.deserialize::<Spread<Node>>().ok());
        Self { sent: read.map_or_else(Vec::new, |all| all.0), next: 0 }
    }

    /// Reads the next argument as `T` and says why it cannot be.
    pub(crate) fn explain_next<T: DeserializeOwned + JsonSchema>(&mut self) -> Result<(), Invalid> {
        let index = self.next;
        self.next += 1;
        let root = Path::root(index);
        let node = self.sent.get(index);
        match T::deserialize(Reader::new(node.unwrap_or(&Node::Null), &root)) {
            Ok(_) => Ok(()),
            Err(_) if node.is_none() => Err(Invalid::at(root.pointer(), "missing")),
            Err(wrong) => Err(wrong.explained(&root, || {
                format!("not a valid `{}`", shortened(&T::schema_name(), 64))
            })),
        }
    }
}

/// At most so many characters of a text.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
