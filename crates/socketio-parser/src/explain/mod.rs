//! The second reading of what could not be read: where it does not fit, and why, never what it is.
//! For the crates above, not for users.
//!
//! It goes over a plain tree of what was sent, so that an error is made of nothing but the place in
//! the tree and the types there. It costs as much as building the tree, so it is for errors only.

mod arguments;
mod node;
mod reader;

use std::cell::Cell;

use serde::de::DeserializeOwned;

pub use self::node::Node;
pub use self::reader::{Mismatch, Path, Reader, Wrong};
use crate::RawArgs;
use crate::args::elements::Elements;
use crate::args::repr::Repr;

/// The arguments as trees.
#[must_use]
pub fn nodes(args: &RawArgs<'_>) -> Vec<Node> {
    match &args.0 {
        Repr::Json { text, attachments, .. } => {
            Elements::new(text).map(|json| Node::of_json(json, attachments)).collect()
        }
        _ => args.to_values().into_iter().map(Node::from).collect(),
    }
}

/// Why arguments are not read as `T` by [`RawArgs::deserialize`]; the pointer is one into their list.
/// None if they are.
#[must_use]
pub fn arguments<T: DeserializeOwned>(args: &RawArgs<'_>) -> Option<Mismatch> {
    let nodes = nodes(args);
    let first = Cell::new(false);
    let wrong = T::deserialize(arguments::Sent::new(&nodes, &first)).err()?;
    let wrong = if first.get() { wrong.at(&Path::root(0)) } else { wrong };
    Some(wrong.into_mismatch())
}

/// Why a tree that stands alone is not read as `T`. None if it is.
#[must_use]
pub fn value<T: DeserializeOwned>(node: &Node) -> Option<Mismatch> {
    T::deserialize(Reader::new(node, &Path::TOP)).err().map(Wrong::into_mismatch)
}
