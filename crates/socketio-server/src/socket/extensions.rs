//! What users keep with a socket.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use engineio_proto::guard::lock;

use super::Socket;

/// Values of any types that belong to a socket, one of each; see [`Socket::extensions`].
#[derive(Debug)]
pub struct Extensions<'a>(&'a Socket);

/// The values, by type. Each behind a pointer, so that its own `Clone` never runs under the lock.
pub(super) type Values = BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>;

impl<'a> Extensions<'a> {
    pub(super) const fn new(socket: &'a Socket) -> Self {
        Self(socket)
    }

    /// Puts a value in; the one of this type that was there is given back.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        let value = Arc::new(value);
        let old = {
            let mut extras = lock(self.0.extras_or_new());
            if extras.is_closed() {
                None
            } else {
                extras.extensions.insert(TypeId::of::<T>(), Arc::clone(&value) as _)
            }
        };
        drop(value); // the last, if the socket is over
        value_of(old?)
    }

    /// A clone of the value of this type.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let shared = lock(self.0.extras()?).extensions.get(&TypeId::of::<T>()).cloned();
        value_of(shared?)
    }

    /// Takes the value of this type out.
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let taken = lock(self.0.extras()?).extensions.remove(&TypeId::of::<T>());
        value_of(taken?)
    }
}

/// A value as its type, under which it is kept.
fn value_of<T: Clone + Send + Sync + 'static>(value: Arc<dyn Any + Send + Sync>) -> Option<T> {
    value.downcast().ok().map(Arc::unwrap_or_clone)
}
