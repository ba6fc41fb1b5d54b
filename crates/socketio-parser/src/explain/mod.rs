//! The second reading of what could not be read: where it does not fit, and why, never what it is.
//! For the crates above, not for users.
//!
//! It goes over a plain tree of what was sent, so that an error is made of nothing but the place in
//! the tree and the types there. It costs as much as building the tree, so it is for errors only.

mod arguments;
mod node;
mod reader;

use serde::de::DeserializeOwned;

pub use self::node::Node;
pub use self::reader::{Mismatch, Path, Reader, Wrong};
use crate::{RawArgs, Spread};

/// The arguments as trees; none if they cannot be read at all.
#[must_use]
pub fn nodes(args: &RawArgs<'_>) -> Vec<Node> {
    args.deserialize::<Spread<Node>>().map_or_else(|_| Vec::new(), |all| all.0)
}

/// Why arguments are not read as `T` by [`RawArgs::deserialize`]; the pointer is one into their list.
/// None if they are.
#[must_use]
pub fn arguments<T: DeserializeOwned>(args: &RawArgs<'_>) -> Option<Mismatch> {
    let nodes = nodes(args);
    T::deserialize(arguments::Sent::new(&nodes)).err().map(Wrong::into_mismatch)
}

/// Why a tree that stands alone is not read as `T`. None if it is.
#[must_use]
pub fn value<T: DeserializeOwned>(node: &Node) -> Option<Mismatch> {
    T::deserialize(Reader::new(node, &Path::TOP)).err().map(Wrong::into_mismatch)
}
