//! The future of what an adapter does beyond this node.

use std::pin::Pin;

use crate::AdapterError;

/// What an adapter does beyond this node.
pub type AdapterFuture<T> = Pin<Box<dyn Future<Output = Result<T, AdapterError>> + Send>>;
