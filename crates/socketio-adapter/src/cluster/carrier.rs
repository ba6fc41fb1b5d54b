//! What carries the messages of a namespace: channels, and a log beside them if there is one.

use std::sync::Arc;

use super::bus::{Bus, QueueFull};
use super::log::{Log, NewEntry};
use super::message::Message;

/// The broker, as one sender of one namespace has it.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) log: Option<Arc<dyn Log>>,
    pub(crate) namespace: String,
    /// The sender.
    pub(crate) uid: String,
}

impl Carrier {
    /// Hands a message to the broker. What does not fit is counted there.
    pub(crate) fn send(&self, message: Message) -> Result<(), QueueFull> {
        match (message, &self.log) {
            (Message::Published { channel, payload }, _) => self.bus.publish(channel, payload),
            (Message::Appended { kind, data }, Some(log)) => {
                let (namespace, uid) = (self.namespace.clone(), self.uid.clone());
                log.append(NewEntry { namespace, uid, kind, data })
            }
            (Message::Appended { .. }, None) => {
                unreachable!("only formats with a log write entries")
            }
        }
    }
}
