//! Why the arguments of an event cannot be read: one after the other, as they are declared.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use socketio::events::EventContext;
use socketio_parser::explain::{Node, Path, Reader, nodes};

use super::Invalid;

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
        Self { sent: event.args().map_or_else(Vec::new, nodes), next: 0 }
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
            Err(wrong) => {
                let wrong = wrong.at(&root).into_mismatch();
                let message = wrong.message.unwrap_or_else(|| {
                    format!("not a valid `{}`", shortened(&T::schema_name(), 64))
                });
                Err(Invalid::at(wrong.at, message))
            }
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
