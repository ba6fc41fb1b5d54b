//! A channel of a cluster's broker to which all servers listen, beside those of the namespaces: for
//! what they tell each other of themselves.

#![expect(clippy::disallowed_types, reason = "who listens is said once, later")]

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::bus::{Bus, Channel, Receiver};
use crate::adapter::{NodesChannel, NodesReceiver};
use crate::{AdapterError, AdapterFuture};

/// A channel by its name.
pub(crate) struct OnBus {
    bus: Arc<dyn Bus>,
    name: String,
    receiver: OnceLock<Arc<dyn Receiver>>,
}

struct Listening(NodesReceiver);

impl Receiver for Listening {
    fn receive(&self, _: &str, payload: &[u8]) {
        (self.0)(payload);
    }
}

impl OnBus {
    pub(crate) fn new(bus: Arc<dyn Bus>, name: String) -> Self {
        Self { bus, name, receiver: OnceLock::new() }
    }

    fn channel(&self) -> Channel {
        Channel::Named(self.name.clone())
    }
}

impl NodesChannel for OnBus {
    fn publish(&self, payload: String) -> bool {
        let is_queued = self.bus.publish(self.name.clone(), Bytes::from(payload)).is_ok();
        self.bus.flush();
        is_queued
    }

    fn listen(&self, receive: NodesReceiver) -> AdapterFuture<()> {
        let receiver: Arc<dyn Receiver> = Arc::new(Listening(receive));
        if self.receiver.set(Arc::clone(&receiver)).is_err() {
            let error = AdapterError::Unsupported("a channel of nodes that is listened to twice");
            return Box::pin(std::future::ready(Err(error)));
        }
        self.bus.subscribe(self.channel(), &receiver)
    }
}

impl Drop for OnBus {
    fn drop(&mut self) {
        if let Some(receiver) = self.receiver.get() {
            self.bus.unsubscribe(&self.channel(), receiver);
        }
    }
}

impl fmt::Debug for OnBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnBus").field("name", &self.name).finish_non_exhaustive()
    }
}
