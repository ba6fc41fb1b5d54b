//! What users keep with a socket.

use std::sync::Arc;

use engineio_proto::guard::lock;

use super::Socket;

/// Values of any types that belong to a socket, one of each; see [`Socket::extensions`].
#[derive(Debug)]
pub struct Extensions<'a>(&'a Socket);

impl<'a> Extensions<'a> {
    pub(super) const fn new(socket: &'a Socket) -> Self {
        Self(socket)
    }

    /// Puts a value in; the one of this type that was there is given back.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        // behind a pointer, so that the value's own `Clone` never runs under the lock
        let old = lock(&self.0.extras().extensions).insert(Arc::new(value));
        self.0.captured();
        old.map(Arc::unwrap_or_clone)
    }

    /// A clone of the value of this type.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let extras = self.0.0.extras.get()?;
        let shared = lock(&extras.extensions).get::<Arc<T>>().map(Arc::clone);
        shared.map(Arc::unwrap_or_clone)
    }

    /// Takes the value of this type out.
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let taken = lock(&self.0.0.extras.get()?.extensions).remove::<Arc<T>>();
        taken.map(Arc::unwrap_or_clone)
    }
}
