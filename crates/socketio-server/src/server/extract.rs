//! The server as an argument of handlers.

use std::sync::Arc;

use super::{Inner, Server};
use crate::events::context::EventContext;
use crate::events::error::ExtractError;
use crate::events::extract::FromEvent;
use crate::events::shared::OptionalFromEvent;

impl FromEvent for Server {
    /// The server, which is there as long as somebody has a handle of it, or serves with it.
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let owner = event.socket().namespace().owner();
        let inner = owner.and_then(|owner| Arc::downcast::<Inner>(owner).ok());
        inner.map(Self).ok_or_else(|| ExtractError::missing::<Self>(event, "server any more"))
    }
}

impl OptionalFromEvent for Server {}
