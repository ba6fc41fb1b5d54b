//! What a server was given for its handlers, asked for when they are registered.

use std::fmt;

/// What a server was given for its handlers: what [`FromEvent::missing`](crate::events::FromEvent::missing)
/// looks at.
#[derive(Clone, Copy)]
pub struct Given<'a>(&'a http::Extensions);

impl<'a> Given<'a> {
    pub(crate) const fn new(state: &'a http::Extensions) -> Self {
        Self(state)
    }

    /// The state of this type, if there is one, see
    /// [`Builder::with_state`](crate::Builder::with_state).
    #[must_use]
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Option<&'a T> {
        self.0.get()
    }

    /// Says what a handler misses that is registered.
    #[cold]
    #[track_caller]
    pub(crate) fn panic(&self, event: &str, missing: &str) -> ! {
        panic!(
            "the handler of {event:?} asks for state of type {missing}, which the server was not \
             given: add `.with_state(..)` to its builder, or ask for an `Option<State<_>>`"
        )
    }
}

impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").finish_non_exhaustive()
    }
}
